# SPDX-License-Identifier: GPL-3.0-or-later
"""Run on a station, from a machine on its bench that has a lease: looks move no phone, claims pack none, logins end.

Arguments: the station's address, the MAC address of the machine, another address of it that DHCP has not assigned. The phones are
copies of one in the inventory: one has the machine's MAC address, and so the lease; of the other nothing is known.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import re
import socket
import sqlite3
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from werkzeug.security import generate_password_hash

sys.path.insert(0, "/usr/local/lib/preprovision-service")
from preprovision_service.app import create_app

STATION, OWN, ELSEWHERE = sys.argv[1], sys.argv[2].replace(":", ""), sys.argv[3]
DATABASE = "/var/lib/preprovision-service/service.sqlite"
SETTINGS = json.loads(Path("/etc/preprovision-service.json").read_text())
TEMPLATE, NOBODY = "00005e005301", "00005e00530c"
NAMES = {OWN: "claims-own", NOBODY: "claims-nobody"}
RUN = f"claims-{time.time_ns():x}"
AUTHORIZATION = {"Authorization": "Basic " + base64.b64encode(f"{RUN}:{RUN}".encode()).decode()}
# Seconds for a log line to reach the database, on a busy machine
TIMEOUT = 60

wrong: list[str] = []
sent = 0


def check(what: str, found: object, expected: object) -> None:
    """Compare, and record a difference."""
    if found != expected:
        wrong.append(f"{what}: {found!r}, expected {expected!r}")


@contextlib.contextmanager
def database() -> Iterator[sqlite3.Connection]:
    """Open the service's database, and commit at the end."""
    connection = sqlite3.connect(DATABASE, timeout=20)
    with connection:
        yield connection
    connection.close()


def wait(what: str, done: Callable[[], object]) -> None:
    """Wait until *done*."""
    end = time.monotonic() + TIMEOUT
    while not done():
        if time.monotonic() > end:
            raise SystemExit(f"not within {TIMEOUT} seconds: {what}")
        time.sleep(0.2)


def ask(method: str, path: str, source: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    """Send a request by HTTPS from an address of this machine; its user agent is unique, so that its log line can be found."""
    global sent
    sent += 1
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection(STATION, timeout=20, context=context, source_address=(source, 0))
    connection.putrequest(method, path, skip_accept_encoding=True)
    for name, value in {**headers, "User-Agent": f"{RUN}/{sent:04}.", "Content-Length": str(len(body or b""))}.items():
        connection.putheader(name, value)
    connection.endheaders(body)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content


def board(path: str, **body: object) -> Any:
    """Ask the API as an operator, from the machine without a lease."""
    headers = {**AUTHORIZATION, "Content-Type": "application/json"}
    _status, content = ask(
        "POST" if body else "GET", f"/api/{path}", ELSEWHERE, json.dumps(body).encode() if body else None, **headers
    )
    return json.loads(content)


def say(mac: str, source: str) -> None:
    """Log as a phone that it has applied its profile."""
    colons = ":".join(mac[place : place + 2] for place in range(0, 12, 2)).upper()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as log:
        log.bind((source, 0))
        log.sendto(f"<134>ATA192-MPP {colons} -- Successful resync https://{STATION}:443/device/{mac}.cfg".encode(), (STATION, 514))


def row(mac: str) -> tuple[Any, ...]:
    with database() as connection:
        return connection.execute("SELECT state, claimed, address, profile_hash FROM phones WHERE mac = ?", [mac]).fetchone()


def all_stored() -> bool:
    """Return whether the log lines of all requests are events."""
    with database() as connection:
        found = connection.execute("SELECT detail FROM events WHERE kind = 'http' AND detail LIKE ?", [f"%{RUN}%"]).fetchall()
    numbers = {int(re.search(rf"{RUN}/([0-9]+)", detail)[1]) for (detail,) in found}  # type: ignore[index]
    return len(numbers) == sent


def routes() -> Iterator[tuple[str, str]]:
    """Yield method and path of every route that the service has, about the phone that has this machine's address."""
    app = create_app({**SETTINGS, "DATABASE": "sqlite://", "SECRET_KEY": "x"})
    values = {"mac": OWN, "key": "0" * 8, "form": "json", "number": "1", "filename": "board.css"}
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", lambda match: values[match[1]], rule.rule)
        yield from ((method, path) for method in sorted({*rule.methods, "GET"}))  # type: ignore[misc]


def locations() -> Iterator[tuple[str, str]]:
    """Yield a request for every location of the web server's configuration, with the phone's MAC address in its path."""
    # nginx tries to listen, which it can in the station's network only
    command = ["nsenter", "--net=/proc/1/ns/net", "nginx", "-T"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for kind, place in re.findall(r'^\s*location (=|\^~|~\*?|) ?"?([^"\s@]\S*?)"? \{$', text, re.MULTILINE):
        if kind == "=":
            yield "GET", f"{place}?{OWN}"
        elif kind in ("^~", ""):
            yield "GET", f"{place}{OWN}.cfg"
    for path in (
        f"/board/phones/{OWN}.cfg",
        f"/device/..%2fapi/phones/{OWN}",
        f"/live/../api/phones/{OWN}",
        f"/{OWN}/../bench-ca.pem",
    ):
        yield "GET", path


def moves(path: str) -> bool:
    """Return whether a request may move a phone: for its profile, or with its report; a refusal makes it fail."""
    paths = [SETTINGS[name].replace("$MA", OWN) for name in ("PROFILE_PATH", "DEVICE_PATH", "REPORT_PATH")] + [f"/device/{OWN}.cfg"]
    return path.removesuffix(".aes128gcm") in paths


def look(address: str) -> None:
    """Ask for everything that is no profile, as an operator and as nobody; the phone stays where it was."""
    before = row(OWN)
    asked = [one for one in {*routes(), *locations()} if not moves(one[1]) and one[0] in ("GET", "HEAD", "OPTIONS")]
    # Nobody logs who asks for the health
    asked = [one for one in asked if not one[1].startswith(("/health", "/.health"))]
    found: dict[int, int] = {}
    for method, path in sorted(asked):
        for headers in (AUTHORIZATION, {}):
            status, _content = ask(method, path, address, **headers)
            found[status] = found.get(status, 0) + 1
    print(f"looked {sum(found.values())} times:", dict(sorted(found.items())))
    check("some looks are answered", found.get(200, 0) > 10, True)
    wait("the log lines of all looks are stored", all_stored)
    after = row(OWN)
    if after != before:
        with database() as connection:
            facts = connection.execute("SELECT facts FROM phones WHERE mac = ?", [OWN]).fetchone()[0]
        check(f"the phone after everybody has looked at it, by {facts}", after, before)


def claim() -> None:
    """Say of a phone what anybody could say: it is shown as a claim, and packed for a reason only."""
    status, _content = ask("GET", SETTINGS["PROFILE_PATH"].replace("$MA", NOBODY), ELSEWHERE)
    check("the profile of a phone that never came up", status, 200)
    wait("the request is stored", lambda: row(NOBODY)[0] == "profile")
    say(NOBODY, ELSEWHERE)
    wait("the log line is stored", lambda: row(NOBODY)[0] == "resynced")
    check("state, claimed and address by claims", row(NOBODY)[:3], ("resynced", 1, ""))
    shown = board(f"phones/{NOBODY}")
    check("the API", (shown["state"], shown["evidence"], shown["address"], shown["done"]), ("resynced", "claim", "", ""))
    check("packed without evidence", board("scan-out", unit=NOBODY, box=NOBODY)["verdict"], "unproven")
    check("packed for a reason", board("scan-out", unit=NOBODY, box=NOBODY, override=RUN)["verdict"], "packed")


def prove(address: str) -> None:
    """Do the same from the address that is leased to the phone."""
    # A forged line of another machine does not count beside the lease
    say(OWN, ELSEWHERE)
    check("packed before it came up", board("scan-out", unit=OWN, box=OWN)["verdict"], "refused")
    status, _content = ask("GET", SETTINGS["PROFILE_PATH"].replace("$MA", OWN), address)
    check("its own profile", status, 200)
    wait("the request is stored", lambda: row(OWN)[0] == "profile")
    say(OWN, address)
    wait("the log line is stored", lambda: row(OWN)[0] == "resynced")
    check("state, claimed and address", row(OWN)[:3], ("resynced", 0, address))
    check("the API", board(f"phones/{OWN}")["evidence"], "address")
    check("packed", board("scan-out", unit=OWN, box=OWN)["verdict"], "packed")
    listed = {item["name"]: (item["evidence"], item["override"]) for item in board("manifest.json")["phones"]}
    found = {name: listed.get(name) for name in NAMES.values()}
    check("the manifest", found, {"claims-own": ("address", ""), "claims-nobody": ("", RUN)})


def log_in_and_out() -> None:
    """Log in to the board, and use the cookie after the logout; then guess passwords at the same moment."""

    def visit(method: str, path: str, cookie: str = "", **form: str) -> tuple[int, str, str]:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(STATION, timeout=60, context=context, source_address=(ELSEWHERE, 0))
        headers = {"Content-Type": "application/x-www-form-urlencoded", **({"Cookie": cookie} if cookie else {})}
        connection.request(method, path, urlencode(form) if form else None, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text, (answer.headers.get("Set-Cookie") or cookie).partition(";")[0]

    def log_in(password: str, cookie: str, token: str) -> tuple[int, str]:
        status, _text, new = visit("POST", "/board/login", cookie, token=token, name=RUN, password=password)
        return status, new

    def token_in(text: str) -> str:
        return re.search(r'name="token" value="([^"]+)"', text)[1]  # type: ignore[index]

    _status, text, before = visit("GET", "/board/login")
    status, cookie = log_in(RUN, before, token_in(text))
    check("login", status, 303)
    status, page, _cookie = visit("GET", "/board/", cookie)
    check("the board with a session", status, 200)
    check("logout", visit("POST", "/board/logout", cookie, token=token_in(page))[0], 303)
    found = [visit("GET", path, cookie)[0] for path in ("/board/", "/api/summary")]
    check("board and API with the cookie from before the logout", found, [303, 401])
    with ThreadPoolExecutor(80) as pool:
        statuses = [*pool.map(lambda number: log_in(f"guess {number}", before, token_in(text))[0], range(80))]
    answers = {status: statuses.count(status) for status in sorted(set(statuses))}
    print("80 logins at the same moment:", answers)
    check("80 logins at the same moment", answers, {403: 5, 429: 75})


def add() -> None:
    with database() as connection:
        columns = [name for _number, name, *_rest in connection.execute("PRAGMA table_info(phones)")]
        given = {"state": "expected", "since": 0, "facts": "{}", "reason": "", "address": "", "profile_hash": "", "serial": ""}
        # With delivery by certificate, the template logs nothing on the bench
        given |= {"logs": 1, "done": 0, "claimed": 0, "source": "scan", "unit_file": "", "arrived": 0}
        given |= {"firmware": "", "redirect": ""}
        copied = connection.execute(f"SELECT {', '.join(columns)} FROM phones WHERE mac = ?", [TEMPLATE]).fetchone()  # noqa: S608
        for mac, name in NAMES.items():
            values = {**dict(zip(columns, copied, strict=True)), **given, "mac": mac, "name": name}
            for spelling in (TEMPLATE, ":".join(TEMPLATE[place : place + 2] for place in range(0, 12, 2))):
                other = mac if spelling == TEMPLATE else ":".join(mac[place : place + 2] for place in range(0, 12, 2))
                values["variables"] = values["variables"].replace(spelling, other)
            insertion = f"INSERT INTO phones ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})"  # noqa: S608
            connection.execute(insertion, [*values.values()])
        connection.execute("INSERT INTO operators VALUES (?, ?)", [RUN, generate_password_hash(RUN, "pbkdf2:sha256:1000")])


def remove() -> None:
    with database() as connection:
        for mac in NAMES:
            for table in ("phones", "shipments", "events", "leases"):
                connection.execute(f"DELETE FROM {table} WHERE mac = ?", [mac])  # noqa: S608
        connection.execute("DELETE FROM operators WHERE name = ?", [RUN])
        connection.execute("DELETE FROM login_failures WHERE name = ?", [RUN])


def main() -> None:
    """Run all checks."""
    found = subprocess.run(["ip", "-4", "-o", "address", "show", "dev", "eth0"], capture_output=True, text=True, check=True).stdout
    address = next(one for one in re.findall(r"inet ([0-9.]+)/", found) if one != ELSEWHERE)
    add()
    try:
        wait("the lease is stored", lambda: row(OWN)[0] == "leased")
        look(address)
        claim()
        prove(address)
        log_in_and_out()
    finally:
        remove()
    sys.exit("\n".join(wrong) or None)


main()
