# SPDX-License-Identifier: GPL-3.0-or-later
"""Run on a station, from a machine on its bench: what phones get from and tell the profile service, with curl and openssl.

Arguments: station's address and name, folder of its certificates, address on the bench of somebody who guesses.
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

STATION, NAME, FOLDER, GUESSER = sys.argv[1], sys.argv[2], Path(sys.argv[3]), sys.argv[4]
OWN, OTHER, UNKNOWN = "00005e005301", "00005e005303", "00005e0053ff"
TREE = Path("/srv/preprovision/current")
DATABASE = "/var/lib/preprovision-service/service.sqlite"
DEVICE = (TREE / "device" / f"{OWN}.cfg").read_bytes()
KEY = re.search(rb"\[--key (\S+)\] ", gzip.decompress(DEVICE))[1]  # type: ignore[index]
PROFILE = f"/live/{OWN}.cfg"
REPORT = f"/report/{OWN}.xml"
XML = b"<flat-profile><Product_Name>ATA192</Product_Name></flat-profile>"
BOMB = b'<!DOCTYPE a [<!ENTITY b "' + b"b" * 1000 + b'"><!ENTITY c "' + b"&b;" * 1000 + b'">]><a>' + b"&c;" * 1000 + b"</a>"

wrong: list[str] = []


def judge(what: str, found: object, expected: object) -> None:
    """Note what is not as it must be."""
    if found != expected:
        wrong.append(f"{what}: {found!r}, not {expected!r}")


def certificate(folder: Path, mac: str, days: int) -> list[str]:
    """Return curl's arguments that show a certificate of the phone *mac*, which ends in *days*."""
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
    """What curl has got."""

    def __init__(self, url: str, *arguments: str, data: bytes | None = None) -> None:
        if url.startswith("/"):
            url = f"https://{NAME}{url}" if "--cert" in arguments else f"http://{STATION}{url}"
        command = ["curl", "--silent", "--include", "--max-time", "20", "--cacert", str(FOLDER / "bench-ca.pem")]
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
    """Seal or open as a phone does."""
    command = ["openssl", "enc", "-aes-256-cbc", "-md", "md5", "-k", KEY.decode(), *arguments]
    return subprocess.run(command, input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout


@contextlib.contextmanager
def database() -> Iterator[sqlite3.Connection]:
    """Look into the service's database, or change it."""
    connection = sqlite3.connect(DATABASE, timeout=20)
    with connection:
        yield connection
    connection.close()


def profiles(own: list[str], other: list[str], expired: list[str]) -> None:
    """Ask for profiles."""
    whole = Answer(PROFILE)
    published = next((TREE / "open" / "service").glob(f"{OWN}-*.cfg")).read_bytes()
    judge("sealed profile", (whole.status, whole.body == published), ("200", True))
    judge("opened by openssl", b"<User_ID_1_>1001</User_ID_1_>" in gzip.decompress(openssl(whole.body, "-d")), True)
    judge("Content-Length", whole.headers.get("content-length"), str(len(whole.body)))
    old = Answer(PROFILE, "--http1.0")
    judge("HTTP/1.0", (old.status, old.body == published, old.headers.get("content-length")), ("200", True, str(len(published))))
    head = Answer(PROFILE, "--head")
    judge("HEAD", (head.status, head.body, head.headers.get("content-length")), ("200", b"", str(len(published))))
    etag = whole.headers.get("etag", "none")
    judge("304", (Answer(PROFILE, "--header", f"If-None-Match: {etag}").status), "304")
    judge("another ETag", (Answer(PROFILE, "--header", 'If-None-Match: "another"').status), "200")
    form = Answer(PROFILE, data=b"mac=00005e005301&version=1")
    judge("POST", (form.status, form.body == published), ("200", True))
    coded = Answer(f"/live/{OTHER}.cfg")
    judge("another phone", coded.status, "200")
    for kind, shown in (("own", own), ("expired", expired)):
        judge(f"sealed, {kind} certificate", Answer(PROFILE, *shown).status, "200")
    device = f"/live/device/{OWN}.cfg"
    forged = ["--header", "X-Preprovision-Verify: SUCCESS", "--header", f"X-Preprovision-Subject: SN={OWN}"]
    underlined = [text.replace("X-Preprovision-", "X_Preprovision_") for text in forged]
    mine = Answer(device, *own)
    judge("device profile, own certificate", (mine.status, mine.body == DEVICE), ("200", True))
    for kind, shown in {
        "neighbour's certificate": other,
        "expired certificate": expired,
        "no certificate": [],
        "forged headers": forged,
        "forged headers, underlined": underlined,
        "neighbour's certificate, forged headers": [*other, *forged],
    }.items():
        refused = Answer(device, *shown)
        judge(f"device profile, {kind}", (refused.status, KEY in refused.body), ("403", False))
    judge("no certificate by HTTPS", Answer(f"https://{NAME}{device}").status, "403")
    for path in (f"/live/{UNKNOWN}.cfg", f"/live/{OWN}.cfg.aes128gcm", "/live/nothing", "/live/"):
        judge(path, Answer(path).status, "404")
    judge("DELETE", Answer(PROFILE, "--request", "DELETE").status, "405")
    judge("POST of a file", Answer("/spa504G.cfg", data=b"x").status, "405")


def reports(own: list[str], other: list[str], expired: list[str]) -> None:
    """Tell things."""
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
        ("POST of some size, no certificate", [], b"<a>" + b" " * 5000 + b"</a>", "403"),
        ("POST, sealed otherwise", [], openssl(XML, "-e", "-k", "another key"), "400"),
        ("a bomb", own, BOMB, "400"),
        ("a sealed bomb", [], openssl(BOMB, "-e"), "400"),
        ("too large", own, large, "413"),
        ("too large in chunks", own + chunks, large, "413"),
        ("too large unpacked", own, gzip.compress(large), "400"),
        ("no XML", own, b"<a><b></a>", "400"),
    ):
        answer = Answer(REPORT, *arguments, data=data)
        judge(f"report, {what}", answer.status, status)
    with database() as connection:
        kept = connection.execute("SELECT body, sealed, address, subject FROM reports WHERE mac = ? ORDER BY id", [OWN]).fetchall()
        # The profile asked for with POST proves nothing, and so tells nothing
        source = STATION.rpartition(".")[0] + ".9"
        judge("reports kept", kept, [(XML, 0, source, f"SN={OWN}")] * 3 + [(XML, 1, source, "")] * 2)
        connection.execute("DELETE FROM reports WHERE mac = ?", [OWN])


def elsewhere() -> None:
    """Be sent to other servers."""
    asked = "mac=00:00:5E:00:53:01&model=ATA192-MPP"
    url = "https://elsewhere.example.com/$MA.cfg"
    with database() as connection:
        ((customer, before),) = connection.execute("SELECT customer, redirect FROM phones WHERE mac = ?", [OWN])
        connection.execute("UPDATE phones SET redirect = 'https://elsewhere.example.com/phones/' WHERE mac = ?", [OWN])
        there = connection.execute("SELECT name, provisioning_url, redirect FROM customers WHERE name = ?", [customer]).fetchall()
        connection.execute("INSERT OR REPLACE INTO customers VALUES (?, ?, '')", [customer, url])
    try:
        sent = Answer(PROFILE)
        target = f"https://elsewhere.example.com/phones/{OWN}.cfg"
        judge("redirection", (sent.status, sent.headers.get("location")), ("302", target))
        judge("redirection of another", Answer(f"/live/{OTHER}.cfg").status, "200")
        judge("customization by GET", Answer(f"/customization?{asked}").body, url.encode())
        judge("customization by POST", Answer("/customization", data=asked.encode()).body, url.encode())
        nothing = Answer(f"/customization?mac={UNKNOWN}&model=ATA192")
        judge("customization of an unknown phone", (nothing.status, nothing.body), ("200", b""))
        judge("customization of another model", Answer(f"/customization?mac={OWN}&model=SPA504G").body, b"")
    finally:
        with database() as connection:
            connection.execute("UPDATE phones SET redirect = ? WHERE mac = ?", [before, OWN])
            connection.execute("DELETE FROM customers WHERE name = ?", [customer])
            connection.executemany("INSERT INTO customers VALUES (?, ?, ?)", there)
    judge("redirection taken back", Answer(PROFILE).status, "200")


def outages() -> None:
    """Ask while the service restarts, is reloaded, is killed, and is not there."""
    for verb in (["restart"], ["reload"], ["kill", "--signal=KILL", "--kill-whom=all"]):
        with subprocess.Popen(["systemctl", *verb, "preprovision-service.service"]) as process:
            found = collections.Counter(Answer(PROFILE).status for _number in range(30))
            judge(f"while systemctl {verb[0]} runs", process.wait(), 0)
        # What is being answered when a process is killed is lost, and a phone that is told so comes again
        judge(f"answers during {verb[0]}", set(found) - ({"503"} if verb[0] == "kill" else set()), {"200"})
    units = ["preprovision-service.socket", "preprovision-service.service"]
    subprocess.run(["systemctl", "stop", *units], check=True)
    try:
        gone = Answer(PROFILE)
        judge("no service", (gone.status, gone.headers.get("retry-after")), ("503", "5"))
        judge("files without the service", Answer("/spa504G.cfg").status, "200")
    finally:
        subprocess.run(["systemctl", "start", *units], check=True)
    judge("after it", Answer(PROFILE).status, "200")


def overload() -> None:
    """Ask for more at once than is answered, while nothing is answered at all."""
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
    judge("answers above the limit", (set(refused), len(refused)), ({b"503"}, 300 - 256))
    late = {one.recv(12)[9:] for one in waiting if one not in answered}
    judge("answers to those that have waited", late, {b"200"})
    for one in waiting:
        one.close()


def guessing() -> None:
    """Guess names until nothing is answered any more."""
    connection = http.client.HTTPConnection(STATION, timeout=20, source_address=(GUESSER, 0))
    found: collections.Counter[int] = collections.Counter()
    for number in range(1200):
        connection.request("GET", f"/live/00005e00{number:04x}.cfg")
        answer = connection.getresponse()
        answer.read()
        found[answer.status] += 1
    print("1200 names guessed:", dict(found))
    judge("what a guesser gets", set(found), {404, 429})
    judge("others meanwhile", Answer(PROFILE).status, "200")


def memory() -> None:
    """Add up what the processes hold, what they share counted once."""
    command = ["systemctl", "show", "--value", "--property=MainPID", "preprovision-service.service"]
    main = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.decode().strip()
    processes = [main, *Path(f"/proc/{main}/task/{main}/children").read_text().split()]
    texts = [Path(f"/proc/{process}/smaps_rollup").read_text() for process in processes]
    size = sum(int(text.partition("\nPss:")[2].split()[0]) for text in texts) // 1024
    print(f"memory: {size} MiB in {len(processes)} processes")
    judge("memory", len(processes) == 3 and 10 < size < 150, True)


def told(since: str) -> None:
    """Read what the service has told of all this."""
    command = ["journalctl", "--unit=preprovision-service.service", f"--since=@{since}", "--output=cat", "--quiet"]
    text = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.decode()
    judge("a key in the journal", KEY.decode() in text, False)
    kinds: collections.Counter[tuple[str, int]] = collections.Counter()
    for line in text.splitlines():
        if line.startswith("{"):
            record = json.loads(line)
            kinds[record["kind"], record["status"]] += 1
    print("told:", dict(sorted(kinds.items())))
    for expected in (("profile", 200), ("profile", 304), ("profile", 403), ("report", 200), ("report", 400), ("redirect", 302)):
        judge(f"lines on {expected}", kinds[expected] > 0, True)


def main() -> None:
    """Judge all of it."""
    start = str(int(datetime.datetime.now().timestamp()))
    judge("health", Answer("/health").body, b"ok\n")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shown = [certificate(folder, mac, days) for mac, days in ((OWN, 9), (OTHER, 9), (OWN, -1))]
        profiles(*shown)
        reports(*shown)
    elsewhere()
    outages()
    overload()
    guessing()
    memory()
    told(start)
    sys.exit("\n".join(wrong) or None)


main()
