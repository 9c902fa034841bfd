# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare the profile service with an empty application and a CGI script: in turns, behind the same nginx.

live-100 and live-10000: sealed profiles of that many phones, requested at random. empty: an empty application in the same gunicorn,
the limit. cgi: a Perl script, started for each request, that looks up a phone in the same database and prints its lines unsealed.

Arguments: the folder that contains the package preprovision_service, seconds per turn, turns. Needs the role's Debian packages
and nginx, wrk, fcgiwrap, perl, libdbd-sqlite3-perl. Nothing keeps running.
"""

from __future__ import annotations

import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CODE, SECONDS, TURNS = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
PORT = 8099
CONNECTIONS = 64
SIZES = {"live-100": 100, "live-10000": 10_000}
GUNICORN = [
    "gunicorn",
    "--worker-class",
    "gthread",
    "--workers",
    "2",
    "--threads",
    "8",
    "--keep-alive",
    "30",
    "--log-level",
    "warning",
]

EMPTY = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/octet-stream"), ("Content-Length", "1")])
    return [b"x"]
"""
PERL = """#!/usr/bin/perl
use strict;
use DBI;
my ($mac) = $ENV{REQUEST_URI} =~ m{/([0-9a-f]{12})\\.cfg$};
my $database = DBI->connect("dbi:SQLite:dbname=DATABASE", "", "", {RaiseError => 1});
my ($name, $variables) = $database->selectrow_array("SELECT name, variables FROM phones WHERE mac = ?", undef, $mac);
my ($user) = $variables =~ /"user_id":"(\\d+)"/;
print "Content-Type: text/xml\\r\\n\\r\\n<flat-profile>\\n<Display_Name_1_>$name</Display_Name_1_>\\n";
print "<User_ID_1_>$user</User_ID_1_>\\n</flat-profile>\\n";
"""
NGINX = """
user root;
worker_processes auto;
pid FOLDER/nginx.pid;
error_log FOLDER/nginx.log;
events { worker_connections 1024; }
http {
    access_log off;
    client_body_temp_path FOLDER/body;
    proxy_temp_path FOLDER/proxy;
    fastcgi_temp_path FOLDER/fastcgi;
    uwsgi_temp_path FOLDER/uwsgi;
    scgi_temp_path FOLDER/scgi;
    keepalive_requests 1000000;
    UPSTREAMS
    server {
        listen 127.0.0.1:PORT;
        LOCATIONS
        location /cgi/ {
            include /etc/nginx/fastcgi_params;
            fastcgi_param SCRIPT_FILENAME FOLDER/profile.pl;
            fastcgi_pass unix:FOLDER/cgi.sock;
        }
    }
}
"""
UPSTREAM = "upstream NAME { server unix:FOLDER/NAME.sock; keepalive 32; }\n"
LOCATION = """
location /NAME/ {
    rewrite ^/NAME(/.*)$ $1 break;
    proxy_pass http://NAME;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
}
"""
LUA = """
request = function()
    return wrk.format("GET", string.format("/%s/live/00005e1%05x.cfg", "NAME", math.random(0, SIZE - 1)))
end
"""


def fill(folder: Path, name: str, size: int) -> dict[str, str]:
    """Make a database of phones; return its service's environment."""
    from preprovision_service.cli import migrate
    from preprovision_service.store import sync
    from preprovision_service.store.connection import engine_of, open_database

    sessions = open_database(f"sqlite:///{folder}/{name}.sqlite", create=True)
    migrate.upgrade(engine_of(sessions))
    parameters = {f"GPP_{letter}": f"a parameter of some length, number {letter}" for letter in "ABCDEFGHIJKLMNOP"}

    def rows() -> object:
        for number in range(size):
            variables = {
                "phone_mac": f"00005e1{number:05x}",
                "phone_model": "CP-8851-3PCC",
                "phone_profile_key": f"a-profile-key-of-one-phone-{number}",
                "phone_lines": [{"user_id": f"{number}", "password": f"secret-{number}", "display_name": f"Phone {number}"}],
                "phone_parameters": parameters,
            }
            row = {**dict.fromkeys(sync.COLUMNS, ""), "mac": variables["phone_mac"], "name": f"phone-{number}"}
            yield {**row, "model": "CP-8851-3PCC", "variables": json.dumps(variables, separators=(",", ":")), "version": "1"}

    publication = {"bench_url": "https://prov.example.net/device/$MA.cfg", "remote_url": "http://prov.example.com/service/$MA.cfg"}
    settings = {"publication": json.dumps(publication), "salt": '"salt"', "version": '"1"'}
    sync.sync(sessions, rows(), [], {}, settings)
    (folder / name).mkdir()
    (folder / name / "config.json").write_text(json.dumps({"DATABASE": f"sqlite:///{folder}/{name}.sqlite"}))
    state = {"STATE_DIRECTORY": str(folder / name), "PREPROVISION_SERVICE_CONFIG": str(folder / name / "config.json")}
    return {**os.environ, "PYTHONPATH": CODE, **state}


def wait(path: Path) -> None:
    """Wait until a socket accepts connections."""
    for _attempt in range(200):
        with socket.socket(socket.AF_UNIX) as asking:
            if not asking.connect_ex(str(path)):
                return
        time.sleep(0.05)
    raise SystemExit(f"nothing listens at {path}")


def measure(folder: Path, name: str) -> tuple[float, float, float]:
    """Return requests per second, and the median and 99th percentile of the latency in milliseconds."""
    script = folder / f"{name}.lua"
    script.write_text(LUA.replace("NAME", name).replace("SIZE", str(SIZES.get(name, 100))))
    command = [
        "wrk",
        "--latency",
        "--timeout=30s",
        f"--connections={CONNECTIONS}",
        "--threads=2",
        f"--duration={SECONDS}s",
        f"--script={script}",
    ]
    text = subprocess.run([*command, f"http://127.0.0.1:{PORT}"], stdout=subprocess.PIPE, check=True).stdout.decode()
    if "Non-2xx" in text or "Socket errors" in text:
        raise SystemExit(f"{name}: {text}")
    found = [re.search(rf"\b{share}%\s+([0-9.]+)(us|ms|s)", text) for share in (50, 99)]
    scale = {"us": 0.001, "ms": 1.0, "s": 1000.0}
    median, late = (float(match[1]) * scale[match[2]] for match in found if match)
    return float(re.search(r"Requests/sec:\s+([0-9.]+)", text)[1]), median, late  # type: ignore[index]


def main() -> None:
    """Start everything, measure in turns, and print the ratios."""
    sys.path.insert(0, CODE)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        names = [*SIZES, "empty"]
        (folder / "empty.py").write_text(EMPTY)
        (folder / "profile.pl").write_text(PERL.replace("DATABASE", f"{folder}/live-100.sqlite"))
        (folder / "profile.pl").chmod(0o755)
        config = NGINX.replace("UPSTREAMS", "".join(UPSTREAM.replace("NAME", name) for name in names))
        config = config.replace("LOCATIONS", "".join(LOCATION.replace("NAME", name) for name in names))
        (folder / "nginx.conf").write_text(config.replace("FOLDER", place).replace("PORT", str(PORT)))
        processes = []
        for name, size in SIZES.items():
            command = [*GUNICORN, "--bind", f"unix:{folder}/{name}.sock", "preprovision_service.app:application()"]
            processes.append(subprocess.Popen(command, env=fill(folder, name, size), cwd=place, stdout=subprocess.DEVNULL))
        processes.append(subprocess.Popen([*GUNICORN, "--bind", f"unix:{folder}/empty.sock", "empty:application"], cwd=place))
        processes.append(subprocess.Popen(["fcgiwrap", "-c", "8", "-s", f"unix:{folder}/cgi.sock"]))
        try:
            for name in (*names, "cgi"):
                wait(folder / f"{name}.sock")
            processes.append(subprocess.Popen(["nginx", "-c", str(folder / "nginx.conf"), "-g", "daemon off;"]))
            time.sleep(0.5)
            # Warm up: both processes make nearly all profiles
            for _turn in range(4):
                measure(folder, "live-10000")
            found = {name: [] for name in (*names, "cgi")}
            for _turn in range(TURNS):
                for name, measured in found.items():
                    measured.append(measure(folder, name))
                    # CGI scripts requested at the end of a turn keep running for a while
                    time.sleep(3 if name == "cgi" else 0)
        finally:
            for process in reversed(processes):
                process.terminate()
            for process in processes:
                process.wait()
    rates = {name: statistics.median(rate for rate, _median, _late in measured) for name, measured in found.items()}
    for name, measured in found.items():
        median, late = (statistics.median(values[index] for values in measured) for index in (1, 2))
        print(f"{name:>12}: {rates[name]:8.0f} requests/s, median {median:7.2f} ms, p99 {late:7.2f} ms: {late / median:5.1f} times")
    print(f"live-10000 to empty: {rates['live-10000'] / rates['empty']:.2f} (at least 0.5)")
    print(f"live-10000 to cgi: {rates['live-10000'] / rates['cgi']:.1f} (at least 10)")
    print(f"live-10000 to live-100: {rates['live-10000'] / rates['live-100']:.2f}")


main()
