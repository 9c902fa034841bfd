# SPDX-License-Identifier: GPL-3.0-or-later
"""Run on a station: plug a machine into the bench, and let Debian's clients ask for all that a phone asks for.

Arguments: station's address and name. The machine is a network namespace, which knows no more than what DHCP tells it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

STATION, NAME = sys.argv[1:]
NETWORK = STATION.rpartition(".")[0]
KNOWN, STRANGER = "00:00:5e:00:53:01", "00:00:5e:00:53:c1"
KNOWN_ADDRESS = f"{NETWORK}.20"
OPEN = Path("/srv/preprovision/current/open")
CERTIFICATES = Path("/etc/preprovision/certificates")
LOGS = Path("/var/log/preprovision/phones")
RESOLVER = Path("/etc/netns/client/resolv.conf")
INSIDE = ("ip", "netns", "exec", "client")
# Sizes at which the last block is none, a full one (an empty one must follow), and a short one after many
SIZES = (0, 1024, 100_000)
failures: list[str] = []
judged = 0


def judge(what: str, found: object, right: object) -> None:
    """Compare, and go on."""
    global judged
    judged += 1
    if found != right:
        failures.append(f"{what}: {found!r}, not {right!r}")


def run(*argv: str, limit: float = 10) -> tuple[int, bytes]:
    """Run a client on the machine; return its exit status and what it printed."""
    try:
        done = subprocess.run([*INSIDE, *argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=limit, check=False)
    except subprocess.TimeoutExpired as error:
        return -1, error.stdout or b""
    return done.returncode, done.stdout


def ip(*argv: str) -> None:
    subprocess.run(["ip", *argv], check=True)


@contextlib.contextmanager
def machine(mac: str) -> Iterator[None]:
    """A machine on the bench, without an address."""
    ip("netns", "add", "client")
    try:
        ip("link", "add", "client0", "type", "veth", "peer", "name", "eth0", "address", mac, "netns", "client")
        ip("link", "set", "client0", "master", "bench0", "up")
        ip("-n", "client", "link", "set", "lo", "up")
        ip("-n", "client", "link", "set", "eth0", "up")
        yield
    finally:
        # A namespace that is deleted takes its interfaces along, but later
        subprocess.run(["ip", "link", "delete", "client0"], check=False)
        ip("netns", "delete", "client")


def udhcpc(folder: Path, vendor_class: str, *more: str) -> dict[str, str]:
    """What udhcpc hands to its script when it has a lease."""
    script = folder / "script"
    script.write_text('#!/bin/sh\n[ "$1" = bound ] && env >"${0%/*}/lease"\nexit 0\n')
    script.chmod(0o755)
    (folder / "lease").unlink(missing_ok=True)
    wanted = [part for code in ("6", "42", "66", "150", "160") for part in ("-O", code)]
    command = ["udhcpc", "-i", "eth0", "-f", "-q", "-n", "-t", "5", "-T", "2", "-V", vendor_class, *wanted, *more]
    status, text = run(*command, "-s", str(script))
    if status:
        failures.append(f"udhcpc: {text.decode(errors='replace')}")
        return {}
    return dict(line.split("=", 1) for line in (folder / "lease").read_text().splitlines() if "=" in line)


def addresses(hexadecimal: str) -> list[str]:
    data = bytes.fromhex(hexadecimal)
    return [".".join(map(str, data[place : place + 4])) for place in range(0, len(data), 4)]


def text_of(lease: dict[str, str], code: int, name: str) -> str:
    """A text option, which udhcpc gives by its name where it knows one, and else in hexadecimal."""
    return lease.get(name) or bytes.fromhex(lease.get(f"opt{code}", "")).decode()


def judge_options(what: str, lease: dict[str, str], server: str, url: str) -> None:
    judge(f"{what}: mask", lease.get("subnet"), "255.255.255.0")
    judge(f"{what}: server", lease.get("serverid"), STATION)
    judge(f"{what}: option 6", lease.get("dns"), STATION)
    judge(f"{what}: option 42", lease.get("ntpsrv"), STATION)
    judge(f"{what}: option 66", text_of(lease, 66, "tftp"), server)
    judge(f"{what}: option 150", addresses(lease.get("opt150", "")), [STATION])
    judge(f"{what}: option 160", text_of(lease, 160, "opt_160"), url)
    # A bench leads nowhere
    judge(f"{what}: router", lease.get("router"), None)


def ask_for_addresses(folder: Path) -> None:
    """Who gets which address and options, by udhcpc and by dhclient."""
    # udhcpc takes a URL in option 66 for a bad name, and says so instead of giving it
    name, url, urls = "boxes.example.net", f"http://{NAME}/spa/", f"https://{NAME}/boxes/;{NAME}"
    with machine(STRANGER):
        lease = udhcpc(folder, "CP-8851-3PCC")
        judge_options("udhcpc, a stranger", lease, STATION, "")
        judge("udhcpc, a stranger: from the pool", 155 <= int(lease.get("ip", "0.0").rpartition(".")[2]) <= 254, True)
        judge("udhcpc, by broadcast: the same", udhcpc(folder, "CP-8851-3PCC", "-B").get("ip"), lease.get("ip"))
        # What fits no class gets what fits all
        judge_options("udhcpc, no phone", udhcpc(folder, "udhcp 1.35"), STATION, "")
        other = udhcpc(folder, "CISCO ata192", "-x", "0x3d:01aabbccddeeff")
        judge_options("udhcpc, another family, in capitals", other, name, urls)
        judge("udhcpc, another client identifier: the same", other.get("ip"), lease.get("ip"))

        config, leases = folder / "dhclient.conf", folder / "leases"
        config.write_text(
            "option phone-servers code 150 = array of ip-address;\noption phone-url code 160 = text;\ntimeout 10;\n"
            'send vendor-class-identifier "Cisco SPA504G";\n'
            "request subnet-mask, domain-name-servers, ntp-servers, tftp-server-name, phone-servers, phone-url;\n"
        )
        client = ["dhclient", "-4", "-cf", str(config), "-lf", str(leases), "-pf", str(folder / "pid"), "-sf", "/bin/true"]
        status, words = run(*client, "-1", "-v", "eth0")
        judge(f"dhclient: {words!r}", status, 0)
        options = dict(re.findall(r"^  (?:option )?([a-z-]+) (.+);$", leases.read_text(), re.MULTILINE))
        judge("dhclient: the same address", options.get("fixed-address"), lease.get("ip"))
        judge("dhclient: option 66", options.get("tftp-server-name"), f'"{url}"')
        judge("dhclient: option 150", options.get("phone-servers"), STATION)
        judge("dhclient: option 160", options.get("phone-url"), f'"{urls}"')
        judge("dhclient: option 6", options.get("domain-name-servers"), STATION)
        judge("dhclient: option 42", options.get("ntp-servers"), STATION)
        # The rest of the lease that the MAC address had already
        judge("dhclient: lease time", 2600 < int(options.get("dhcp-lease-time", 0)) <= 3600, True)
        status, words = run(*client, "-r", "-v", "eth0")
        judge("dhclient: address given back", (status, b"DHCPRELEASE" in words), (0, True))


def fetch_by_tftp(folder: Path, server: str) -> None:
    """tftp-hpa knows no options, atftp asks for them; files of awkward lengths arrive whole."""
    names = [f"clients-{size}.bin" for size in SIZES]
    made = [OPEN / name for name in names]
    for path, size in zip(made, SIZES, strict=True):
        path.write_bytes(hashlib.shake_128(path.name.encode()).digest(size))
        path.chmod(0o644)
    target = folder / "fetched"
    options = (
        ["--option", "blksize 1428", "--option", "tsize 0"],
        ["--option", "blksize 8"],
        ["--option", "windowsize 4"],
        ["--option", "disable blksize", "--option", "disable tsize", "--option", "disable timeout"],
    )
    try:
        for name in (*names, "spa504G.cfg"):
            right = (OPEN / name).read_bytes()
            ways = [("tftp-hpa", ["tftp", "-m", "binary", server, "-c", "get", name, str(target)])]
            # A block of 8 bytes would take long for a long file
            ways += [
                (f"atftp {' '.join(more)}", ["atftp", *more, "--get", "--remote-file", name, "--local-file", str(target), server])
                for more in options
                if "blksize 8" not in more or len(right) < 2000
            ]
            for what, argv in ways:
                target.unlink(missing_ok=True)
                status, words = run(*argv)
                found = target.read_bytes() if target.exists() else None
                judge(f"{what}, {name}: {words!r}", (status, found == right), (0, True))
        for what, argv in (
            ("tftp-hpa", ["tftp", "-m", "binary", server, "-c", "get", "nothing.cfg", str(target)]),
            ("atftp", ["atftp", "--get", "--remote-file", "nothing.cfg", "--local-file", str(target), server]),
        ):
            target.unlink(missing_ok=True)
            _status, words = run(*argv)
            judge(f"{what}, no such file: {words!r}", b"not found" in words.lower(), True)
            judge(f"{what}, no such file: nothing kept", target.exists() and target.stat().st_size > 0, False)
    finally:
        for path in made:
            path.unlink()


def fetch_by_http(folder: Path) -> None:
    """curl finds the station by the name server that DHCP told of, and trusts it by the root that the station gives away."""
    body, head, root = folder / "body", folder / "head", folder / "root.pem"
    config = (OPEN / "spa504G.cfg").read_bytes()
    size = len(config)
    own = CERTIFICATES / "devices" / KNOWN.replace(":", "")
    secret = Path("/srv/preprovision/current/device", f"{own.name}.cfg").read_bytes()
    shown = ["--cacert", str(root), "--cert", f"{own}.pem", "--key", f"{own}.key"]

    def curl(*argv: str) -> tuple[str, bytes, dict[str, str]]:
        body.write_bytes(b"")
        status = run("curl", "--silent", "--output", str(body), "--dump-header", str(head), "--write-out", "%{http_code}", *argv)
        headers = dict(re.findall(r"^([A-Za-z-]+): (.*?)\r?$", head.read_text(), re.MULTILINE)) if head.exists() else {}
        return status[1].decode(), body.read_bytes(), {name.lower(): value for name, value in headers.items()}

    url = f"http://{NAME}/spa504G.cfg"
    status, found, headers = curl(url)
    judge("curl, HTTP 1.1", (status, found, headers.get("content-length")), ("200", config, str(size)))
    judge("curl, nothing in between", headers.get("content-encoding"), None)
    judge("curl, HTTP 1.0", curl("--http1.0", url)[:2], ("200", config))
    judge(
        "curl, HTTP 1.0 without Host", curl("--http1.0", "--header", "Host:", f"http://{STATION}/spa504G.cfg")[:2], ("200", config)
    )
    judge("curl, one that takes gzip", curl("--header", "Accept-Encoding: gzip", url)[:2], ("200", config))
    status, found, answer = curl("--head", url)
    judge("curl, HEAD", (status, answer.get("content-length"), answer.get("etag")), ("200", str(size), headers.get("etag")))
    status, found, answer = curl("--range", "10-99", url)
    judge("curl, a part", (status, found, answer.get("content-range")), ("206", config[10:100], f"bytes 10-99/{size}"))
    judge("curl, a part from behind", curl("--range", "-7", url)[:2], ("206", config[-7:]))
    judge("curl, a part that is not there", curl("--range", f"{size + 1}-", url)[0], "416")
    judge("curl, what it has already", curl("--header", f"If-None-Match: {headers.get('etag')}", url)[:2], ("304", b""))
    judge("curl, not newer", curl("--header", f"If-Modified-Since: {headers.get('last-modified')}", url)[:2], ("304", b""))
    judge("curl, no such file", curl(f"http://{NAME}/nothing.cfg")[0], "404")

    status, found, _headers = curl(f"http://{NAME}/bench-ca.pem")
    judge("curl, the root", (status, found.startswith(b"-----BEGIN CERTIFICATE-----")), ("200", True))
    root.write_bytes(found)
    device = f"https://{NAME}/device/{own.name}.cfg"
    for version in ("1.2", "1.3"):
        status, found, _headers = curl(*shown, f"--tlsv{version}", "--tls-max", version, device)
        judge(f"curl, its own file, TLS {version}", (status, found), ("200", secret))
    status, found, _headers = curl(*shown, "--range", "16-47", device)
    judge("curl, a part of its own file", (status, found), ("206", secret[16:48]))
    status, found, _headers = curl("--cacert", str(root), device)
    judge("curl, without its certificate", (status, secret in found), ("403", False))
    judge("curl, by HTTPS without a root", curl(device)[0], "000")
    judge(
        "curl, a name that is not its own",
        curl("--cacert", str(root), "--resolve", f"x.example.net:443:{STATION}", "https://x.example.net/")[0],
        "000",
    )


def ask_for_names_and_time(dns: str, ntp: str) -> None:
    for more in ((), ("+tcp",), ("+noedns",), ("+bufsize=4096", "+dnssec")):
        status, words = run("dig", f"@{dns}", "+short", "+tries=2", "+time=3", *more, NAME, "A")
        judge(f"dig {' '.join(more)}", (status, words.decode().split()), (0, [STATION]))
    judge("dig, in capitals", run("dig", f"@{dns}", "+short", NAME.upper(), "A")[1].decode().split(), [STATION])
    words = run("dig", f"@{dns}", NAME, "AAAA")[1].decode()
    judge("dig, no such type", ("status: NOERROR" in words, "ANSWER: 0" in words), (True, True))
    judge("getent", run("getent", "ahostsv4", NAME)[1].decode().split()[:1], [STATION])

    status, words = run("ntpdig", "--json", "--samples", "2", "--timeout", "3", ntp)
    judge(f"ntpdig: {words!r}", status, 0)
    for line in words.decode().splitlines():
        if line.startswith("{"):
            told = json.loads(line)
            judge(f"ntpdig: {line}", (abs(float(told["offset"])) < 1, 1 <= told["stratum"] <= 15), (True, True))
            return
    failures.append(f"ntpdig printed no answer: {words!r}")


def log(server: str, address: str) -> None:
    """Each line of logger is kept once, under the address that it came from."""
    mark = f"mark{time.time_ns()}"
    ways = {
        "RFC 3164": ["--udp", "--rfc3164"],
        "RFC 5424": ["--udp", "--rfc5424"],
        "TCP": ["--tcp", "--rfc5424", "--octet-count"],
        "TCP, a line each": ["--tcp", "--rfc3164"],
    }
    for number, (what, more) in enumerate(ways.items()):
        status, words = run(
            "logger", "--server", server, "--port", "514", "--priority", "local0.notice", *more, f"{mark} line {number} of four"
        )
        judge(f"logger, {what}: {words!r}", status, 0)
    path = LOGS / f"{address}.log"
    for _attempt in range(50):
        lines = [line for line in path.read_text(errors="replace").splitlines() if mark in line] if path.exists() else []
        if len(lines) >= len(ways):
            break
        time.sleep(0.1)
    for number, what in enumerate(ways):
        judge(f"logger, {what}: kept", sum(f"{mark} line {number} of four" in line for line in lines), 1)
    judge("logger: severity kept", all(" local0.notice " in line for line in lines), True)


def main() -> None:
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    try:
        ask_for_addresses(folder)
        with machine(KNOWN):
            lease = udhcpc(folder, "SPA504G")
            judge("udhcpc, a known phone: its address", lease.get("ip"), KNOWN_ADDRESS)
            judge_options("udhcpc, a known phone", lease, STATION, "")
            ip("-n", "client", "address", "add", f"{lease['ip']}/{lease['mask']}", "dev", "eth0")
            RESOLVER.parent.mkdir(parents=True, exist_ok=True)
            RESOLVER.write_text(f"nameserver {lease['dns']}\n")
            fetch_by_tftp(folder, text_of(lease, 66, "tftp"))
            fetch_by_http(folder)
            ask_for_names_and_time(lease["dns"], lease["ntpsrv"])
            log(STATION, lease["ip"])
    finally:
        shutil.rmtree(folder)
        shutil.rmtree(RESOLVER.parent, ignore_errors=True)
    print(f"{judged} answers judged")
    if failures:
        raise SystemExit("\n".join(failures))


main()
