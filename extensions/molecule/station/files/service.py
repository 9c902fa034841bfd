# SPDX-License-Identifier: GPL-3.0-or-later
"""Run on a station, from a machine on its bench: fetch from the profile service and report to it, with curl and openssl.

Arguments: the station's address and name, the folder of its certificates, the root of its own, bench addresses of two guessers.
"""

from __future__ import annotations

import collections
import contextlib
import datetime
import gzip
import http.client
import json
import re
import select
import socket
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

STATION, NAME, FOLDER, ROOT, GUESSER, SECOND_GUESSER = *sys.argv[1:3], Path(sys.argv[3]), *sys.argv[4:]
OWN, OTHER, UNKNOWN = "00005e005301", "00005e005303", "00005e0053ff"
TREE = Path("/srv/preprovision/current")
DATABASE = "/var/lib/preprovision-service/service.sqlite"
# With delivery by TFTP, nobody gets it here
BY_CERTIFICATE = (TREE / "device" / f"{OWN}.cfg").exists()
DEVICE = (TREE / (f"device/{OWN}.cfg" if BY_CERTIFICATE else "units/00-00-5e-00-53-01/ata192.cfg")).read_bytes()
KEY = re.search(rb"\[--key (\S+)\] ", gzip.decompress(DEVICE))[1]  # type: ignore[index]
PROFILE = f"/live/{OWN}.cfg"
REPORT = f"/report/{OWN}.xml"
XML = b"<flat-profile><Product_Name>ATA192</Product_Name></flat-profile>"
BOMB = b'<!DOCTYPE a [<!ENTITY b "' + b"b" * 1000 + b'"><!ENTITY c "' + b"&b;" * 1000 + b'">]><a>' + b"&c;" * 1000 + b"</a>"

wrong: list[str] = []


def check(what: str, found: object, expected: object) -> None:
    """Compare, and record a difference."""
    if found != expected:
        wrong.append(f"{what}: {found!r}, expected {expected!r}")


def certificate(folder: Path, mac: str, days: int) -> list[str]:
    """Return the curl arguments that present a certificate of the phone *mac*, which expires in *days*."""
    key = ec.generate_private_key(ec.SECP256R1())
    authority = x509.load_pem_x509_certificate((FOLDER / "bench-ca.pem").read_bytes())
    signing = serialization.load_pem_private_key((FOLDER / "bench-ca.key").read_bytes(), None)
    now = datetime.datetime.now(datetime.UTC)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.SURNAME, mac)])
    end = now + datetime.timedelta(days=days)
    builder = x509.CertificateBuilder(authority.subject, subject, key.public_key(), 7, now - datetime.timedelta(days=9), end)
    paths = folder / f"{mac}{days}.pem", folder / f"{mac}{days}.key"
    paths[0].write_bytes(builder.sign(signing, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))  # type: ignore[arg-type]
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return ["--cert", str(paths[0]), "--key", str(paths[1])]


class Answer:
    """Send a request with curl and parse the response."""

    def __init__(self, url: str, *arguments: str, data: bytes | None = None) -> None:
        if url.startswith("/"):
            url = f"https://{NAME}{url}" if "--cert" in arguments else f"http://{STATION}{url}"
        command = ["curl", "--silent", "--include", "--max-time", "40", "--cacert", ROOT]
        command += ["--resolve", f"{NAME}:443:{STATION}", *arguments]
        command += [] if data is None else ["--data-binary", "@-", "--header", "Expect:"]
        got = subprocess.run([*command, url], input=data, stdout=subprocess.PIPE, check=False).stdout
        while got.startswith(b"HTTP/1.1 100"):
            got = got.partition(b"\r\n\r\n")[2]
        head, _empty, self.body = got.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        self.version, self.status = [*first.split(" "), "", "none"][:2]
        self.headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines if ": " in line)}


def openssl(data: bytes, *arguments: str) -> bytes:
    """Encrypt (-e) or decrypt (-d) with the phone's key, like a phone."""
    command = ["openssl", "enc", "-aes-256-cbc", "-md", "md5", "-k", KEY.decode(), *arguments]
    return subprocess.run(command, input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout


@contextlib.contextmanager
def database() -> Iterator[sqlite3.Connection]:
    """Open the service's database, and commit at the end."""
    connection = sqlite3.connect(DATABASE, timeout=20)
    with connection:
        yield connection
    connection.close()


def fetch_profiles(own: list[str], other: list[str], expired: list[str]) -> None:
    """Fetch profiles with and without certificates."""
    whole = Answer(PROFILE)
    published = next((TREE / "open" / "service").glob(f"{OWN}-*.cfg")).read_bytes()
    check("sealed profile", (whole.status, whole.body == published), ("200", True))
    check("opened by openssl", b"<User_ID_1_>1001</User_ID_1_>" in gzip.decompress(openssl(whole.body, "-d")), True)
    check("Content-Length", whole.headers.get("content-length"), str(len(whole.body)))
    old = Answer(PROFILE, "--http1.0")
    check("HTTP/1.0", (old.status, old.body == published, old.headers.get("content-length")), ("200", True, str(len(published))))
    head = Answer(PROFILE, "--head")
    check("HEAD", (head.status, head.body, head.headers.get("content-length")), ("200", b"", str(len(published))))
    etag = whole.headers.get("etag", "none")
    check("304", (Answer(PROFILE, "--header", f"If-None-Match: {etag}").status), "304")
    check("another ETag", (Answer(PROFILE, "--header", 'If-None-Match: "another"').status), "200")
    form = Answer(PROFILE, data=b"mac=00005e005301&version=1")
    check("POST", (form.status, form.body == published), ("200", True))
    coded = Answer(f"/live/{OTHER}.cfg")
    check("another phone", coded.status, "200")
    for kind, shown in (("own", own), ("expired", expired)):
        check(f"sealed, {kind} certificate", Answer(PROFILE, *shown).status, "200")
    device = f"/live/device/{OWN}.cfg"
    forged = ["--header", "X-Preprovision-Verify: SUCCESS", "--header", f"X-Preprovision-Subject: SN={OWN}"]
    underlined = [text.replace("X-Preprovision-", "X_Preprovision_") for text in forged]
    mine = Answer(device, *own)
    found = (mine.status, mine.body == DEVICE, KEY in mine.body)
    check("device profile, own certificate", found, ("200", True, False) if BY_CERTIFICATE else ("404", False, False))
    for kind, shown in {
        "neighbour's certificate": other,
        "expired certificate": expired,
        "no certificate": [],
        "forged headers": forged,
        "forged headers, underlined": underlined,
        "neighbour's certificate, forged headers": [*other, *forged],
    }.items():
        refused = Answer(device, *shown)
        check(f"device profile, {kind}", (refused.status, KEY in refused.body), ("403", False))
    check("no certificate by HTTPS", Answer(f"https://{NAME}{device}").status, "403")
    for path in (f"/live/{UNKNOWN}.cfg", f"/live/{OWN}.cfg.aes128gcm", "/live/nothing", "/live/"):
        check(path, Answer(path).status, "404")
    for method, path, allowed in (
        ("DELETE", PROFILE, "GET, HEAD, POST, PUT"),
        ("POST", "/spa504G.cfg", "GET, HEAD"),
        ("PUT", "/customization", "GET, HEAD, POST"),
        ("PATCH", "/device/x.cfg", "GET, HEAD"),
    ):
        refused = Answer(path, "--request", method)
        check(f"{method} {path}", (refused.status, refused.headers.get("allow")), ("405", allowed))
    for method in ("DELETE", "PROPFIND", "TRACE"):
        refused = Answer(f"https://{NAME}/api/phones", "--request", method)
        check(f"{method} of the API", (refused.status, "GET" in refused.headers.get("allow", "")), ("405", True))


def send_reports(own: list[str], other: list[str], expired: list[str]) -> None:
    """Send valid and invalid reports."""
    put, chunks = ["--request", "PUT"], ["--header", "Transfer-Encoding: chunked"]
    large = b"<a>" + b" " * 262_144 + b"</a>"
    for what, arguments, data, status in (
        ("POST, own certificate", own, XML, "200"),
        ("PUT, own certificate", own + put, XML, "200"),
        ("PUT in chunks", own + put + chunks, XML, "200"),
        ("PUT, sealed", put, openssl(gzip.compress(XML), "-e"), "200"),
        ("POST, sealed", ["--http1.0"], openssl(XML, "-e"), "200"),
        ("PUT, neighbour's certificate", other + put, XML, "403"),
        ("PUT, expired certificate", expired + put, XML, "403"),
        ("POST, no certificate", [], XML, "403"),
        ("POST of 5 kB, no certificate", [], b"<a>" + b" " * 5000 + b"</a>", "403"),
        ("POST, sealed with another key", [], openssl(XML, "-e", "-k", "another key"), "403"),
        ("POST, own certificate, sealed with another key", own, openssl(XML, "-e", "-k", "another key"), "400"),
        ("a bomb", own, BOMB, "400"),
        ("a sealed bomb", [], openssl(BOMB, "-e"), "403"),
        ("too large", own, large, "413"),
        ("too large in chunks", own + chunks, large, "413"),
        ("too large unpacked", own, gzip.compress(large), "400"),
        ("not XML", own, b"<a><b></a>", "400"),
    ):
        answer = Answer(REPORT, *arguments, data=data)
        check(f"report, {what}", answer.status, status)
    with database() as connection:
        kept = connection.execute("SELECT body, sealed, address, subject FROM reports WHERE mac = ? ORDER BY id", [OWN]).fetchall()
        # The POST request for a profile proves nothing, so it is not kept as a report
        source = STATION.rpartition(".")[0] + ".9"
        check("reports kept", kept, [(XML, 0, source, f"SN={OWN}")] * 3 + [(XML, 1, source, "")] * 2)
        connection.execute("DELETE FROM reports WHERE mac = ?", [OWN])


def compare_refusals() -> None:
    """Send what anybody can, for a phone that exists and for one that does not: the answers are the same."""
    large = b"x" * 262_145
    for what, data in {
        "nothing": b"",
        "XML": XML,
        "no gzip": b"\x1f\x8b rubbish",
        "sealed with another key": openssl(XML, "-e", "-k", "another key"),
        "sealed and cut off": openssl(XML, "-e")[:-3],
        "too large": large,
    }.items():
        for arguments in ([], ["--request", "PUT"], ["--header", "Content-Encoding: aes128gcm"]):
            found = [Answer(f"/report/{mac}.xml", *arguments, data=data) for mac in (OWN, UNKNOWN)]
            seen = [(one.status, one.body, sorted({*one.headers} - {"date"})) for one in found]
            check(f"report of a phone that exists, {what} {arguments}", seen[0], seen[1])


def redirect_to_itself() -> None:
    """Ask by plain HTTP for the board, with the Host header of another: the answer leads to this station."""
    for host, expected in ((NAME, NAME), (STATION, STATION), ("evil.example.com", STATION), ("evil.example.com:80", STATION)):
        sent = Answer("/board/login", "--header", f"Host: {host}")
        check(f"to the board, for {host}", (sent.status, sent.headers.get("location")), ("308", f"https://{expected}/board/login"))
    for path in ("/board", "/service", "/firmware"):
        sent = Answer(path, "--header", "Host: evil.example.com")
        check(f"evil host at {path}", "evil" in str(sent.headers), False)


def follow_redirects() -> None:
    """Check redirection and customization to other servers."""
    query = "mac=00:00:5E:00:53:01&model=ATA192-MPP"
    url = "https://elsewhere.example.com/$MA.cfg"
    with database() as connection:
        ((customer, before),) = connection.execute("SELECT customer, redirect FROM phones WHERE mac = ?", [OWN])
        connection.execute("UPDATE phones SET redirect = 'https://elsewhere.example.com/phones/' WHERE mac = ?", [OWN])
        there = connection.execute("SELECT name, provisioning_url, redirect FROM customers WHERE name = ?", [customer]).fetchall()
        connection.execute("INSERT OR REPLACE INTO customers VALUES (?, ?, '')", [customer, url])
    try:
        sent = Answer(PROFILE)
        target = f"https://elsewhere.example.com/phones/{OWN}.cfg"
        check("redirection", (sent.status, sent.headers.get("location")), ("302", target))
        check("no redirection of another phone", Answer(f"/live/{OTHER}.cfg").status, "200")
        check("customization by GET", Answer(f"/customization?{query}").body, url.encode())
        check("customization by POST", Answer("/customization", data=query.encode()).body, url.encode())
        nothing = Answer(f"/customization?mac={UNKNOWN}&model=ATA192")
        check("customization of an unknown phone", (nothing.status, nothing.body), ("200", b""))
        check("customization of another model", Answer(f"/customization?mac={OWN}&model=SPA504G").body, b"")
    finally:
        with database() as connection:
            connection.execute("UPDATE phones SET redirect = ? WHERE mac = ?", [before, OWN])
            connection.execute("DELETE FROM customers WHERE name = ?", [customer])
            connection.executemany("INSERT INTO customers VALUES (?, ?, ?)", there)
    check("redirection removed", Answer(PROFILE).status, "200")


def check_outages() -> None:
    """Fetch while the service restarts, reloads, is killed, and is stopped."""
    for verb in (["restart"], ["reload"], ["kill", "--signal=KILL", "--kill-whom=all"]):
        with subprocess.Popen(["systemctl", *verb, "preprovision-service.service"]) as process:
            found = collections.Counter(Answer(PROFILE).status for _number in range(30))
            check(f"while systemctl {verb[0]} runs", process.wait(), 0)
        # A kill loses the requests in progress; a phone tries again after the error
        check(f"answers during {verb[0]}", set(found) - ({"503"} if verb[0] == "kill" else set()), {"200"})
    units = ["preprovision-service.socket", "preprovision-service.service"]
    subprocess.run(["systemctl", "stop", *units], check=True)
    try:
        gone = Answer(PROFILE)
        check("no service", (gone.status, gone.headers.get("retry-after")), ("503", "5"))
        check("files without the service", Answer("/spa504G.cfg").status, "200")
    finally:
        subprocess.run(["systemctl", "start", *units], check=True)
    check("after the outages", Answer(PROFILE).status, "200")


def check_overload() -> None:
    """Open more connections than the limit while the service answers none."""
    # It would start the service again
    subprocess.run(["systemctl", "stop", "preprovision-health.service"], check=True)
    signals = ["systemctl", "kill", "--kill-whom=all", "preprovision-service.service"]
    subprocess.run([*signals, "--signal=STOP"], check=True)
    waiting = []
    try:
        for _number in range(300):
            waiting.append(socket.create_connection((STATION, 80)))
            waiting[-1].sendall(f"GET {PROFILE} HTTP/1.0\r\n\r\n".encode())
        answered = set()
        while ready := {*select.select([one for one in waiting if one not in answered], [], [], 1)[0]}:
            answered |= ready
        refused = [one.recv(12)[9:] for one in answered]
    finally:
        subprocess.run([*signals, "--signal=CONT"], check=True)
        subprocess.run(["systemctl", "start", "preprovision-health.service"], check=True)
    check("answers above the limit", (set(refused), len(refused)), ({b"503"}, 300 - 256))
    late = {one.recv(12)[9:] for one in waiting if one not in answered}
    check("answers to waiting requests", late, {b"200"})
    for one in waiting:
        one.close()


def guess_names() -> None:
    """Guess names until the guesser is cut off."""
    connection = http.client.HTTPConnection(STATION, timeout=20, source_address=(GUESSER, 0))
    found: collections.Counter[int] = collections.Counter()
    for number in range(1200):
        connection.request("GET", f"/live/00005e00{number:04x}.cfg")
        answer = connection.getresponse()
        answer.read()
        found[answer.status] += 1
    print("1200 names guessed:", dict(found))
    check("answers to the guesser", set(found), {404, 429})
    check("answer to another client", Answer(PROFILE).status, "200")


def guess_customers() -> None:
    """Guess whose phone it is at the customization service, from another address, until that is cut off."""
    connection = http.client.HTTPConnection(STATION, timeout=20, source_address=(SECOND_GUESSER, 0))
    found: collections.Counter[tuple[int, bytes]] = collections.Counter()
    for number in range(1200):
        connection.request("GET", f"/customization?mac=00005e00{number:04x}&model=ATA192")
        answer = connection.getresponse()
        found[answer.status, answer.read()[:9]] += 1
    print("1200 customers guessed:", dict(found))
    check("answers to the guesser", {status for status, _body in found}, {200, 429})
    check("what they contain", {body for status, body in found if status == 200}, {b""})


def check_memory() -> None:
    """Add up the processes' memory; shared pages count once."""
    command = ["systemctl", "show", "--value", "--property=MainPID", "preprovision-service.service"]
    main = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.decode().strip()
    processes = [main, *Path(f"/proc/{main}/task/{main}/children").read_text().split()]
    texts = [Path(f"/proc/{process}/smaps_rollup").read_text() for process in processes]
    size = sum(int(text.partition("\nPss:")[2].split()[0]) for text in texts) // 1024
    print(f"memory: {size} MiB in {len(processes)} processes")
    check("memory", len(processes) == 3 and 10 < size < 150, True)


def check_journal(since: str) -> None:
    """Check the service's journal: lines for every kind of request, and no key."""
    command = ["journalctl", "--unit=preprovision-service.service", f"--since=@{since}", "--output=cat", "--quiet"]
    text = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.decode()
    check("a key in the journal", KEY.decode() in text, False)
    kinds: collections.Counter[tuple[str, int]] = collections.Counter()
    for line in text.splitlines():
        if line.startswith("{"):
            record = json.loads(line)
            kinds[record["kind"], record["status"]] += 1
    print("journal:", dict(sorted(kinds.items())))
    for expected in (("profile", 200), ("profile", 304), ("profile", 403), ("report", 200), ("report", 400), ("redirect", 302)):
        check(f"journal lines for {expected}", kinds[expected] > 0, True)


def main() -> None:
    """Run all checks."""
    start = str(int(datetime.datetime.now().timestamp()))
    check("health", Answer("/health").body, b"ok\n")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shown = [certificate(folder, mac, days) for mac, days in ((OWN, 9), (OTHER, 9), (OWN, -1))]
        fetch_profiles(*shown)
        send_reports(*shown)
    compare_refusals()
    redirect_to_itself()
    follow_redirects()
    check_outages()
    check_overload()
    guess_names()
    guess_customers()
    check_memory()
    check_journal(start)
    sys.exit("\n".join(wrong) or None)


main()
