# SPDX-License-Identifier: GPL-3.0-or-later
"""Breaks a station in one way, and mends it again: ``python3 break_station.py break KIND MAC`` and ``... mend``.

``... list PREFIX`` says what is published, and what there is of phones whose MAC addresses begin so.

What is changed is kept beside, and put back as it was before the next is broken. MAC: twelve hex digits of the phone that walks.
"""

from __future__ import annotations

import datetime
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

sys.path.insert(0, "/usr/local/lib/preprovision-service")
from preprovision_service.domain.sealing import SealingError, decompress, is_compressed, seal, unseal

KEPT = Path("/run/break-station")
CURRENT = Path("/srv/preprovision/current")
CERTIFICATES = Path("/etc/preprovision/certificates")
DAY = datetime.timedelta(days=1)
UNITS = {
    "dhcp": "isc-dhcp-server",
    "tftp": "preprovision-tftp",
    "names": "unbound",
    "web": "nginx",
    "log": "preprovision-log",
    "events": "preprovision-events",
}
COUNTS = (
    "select count(*) from phones where mac like ?",
    "select count(*) from events where mac like ?",
    "select count(*) from leases where mac like ?",
)
ENDLESS = """
import socket, sys, time
server = socket.create_server(("192.0.2.2", 80))
while True:
    client, _peer = server.accept()
    client.recv(65536)
    client.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Type: text/plain\\r\\n\\r\\n")
    for _number in range(600):
        client.sendall(b"x")
        time.sleep(0.1)
"""


def run(*command: str) -> None:
    subprocess.run(command, check=True)


def keep(path: Path) -> None:
    """Remember how a file is."""
    KEPT.mkdir(exist_ok=True)
    shutil.copy2(path, KEPT / path.name)
    os.chown(KEPT / path.name, path.stat().st_uid, path.stat().st_gid)
    _note("file", str(path))


def replace(path: Path, content: bytes) -> None:
    """Change a file in a way that its links in other generations do not notice."""
    keep(path)
    new = path.with_name(f".{path.name}.broken")
    new.write_bytes(content)
    shutil.copystat(path, new)
    shutil.chown(new, path.stat().st_uid, path.stat().st_gid)
    new.rename(path)


def edit(path: Path, pattern: str, text: str = "") -> None:
    """Change what a pattern finds; it must be there."""
    changed, count = re.subn(pattern, text, path.read_text(), flags=re.MULTILINE)
    if not count:
        raise SystemExit(f"{path} holds no {pattern}")
    replace(path, changed.encode())


def stop(*names: str) -> None:
    for name in names:
        _note("start", UNITS[name])
    run("systemctl", "stop", *(UNITS[name] for name in names))


def restart(name: str) -> None:
    _note("restart", UNITS[name])
    run("systemctl", "restart", UNITS[name])


def reload() -> None:
    """Let the web server read its certificates again."""
    _note("reload", UNITS["web"])
    run("systemctl", "reload", UNITS["web"])


def _note(what: str, which: str) -> None:
    KEPT.mkdir(exist_ok=True)
    with (KEPT / "notes").open("a") as notes:
        notes.write(json.dumps([what, which]) + "\n")


# -- certificates


def sign(name: str, begins: datetime.datetime, ends: datetime.datetime, own: bool = False) -> None:
    """Give the server another certificate: by the bench's CA, or by one that nobody knows."""
    key = serialization.load_pem_private_key((CERTIFICATES / "server.key").read_bytes(), None)
    root = x509.load_pem_x509_certificate((CERTIFICATES / "bench-ca.pem").read_bytes())
    signer = serialization.load_pem_private_key((CERTIFICATES / "bench-ca.key").read_bytes(), None)
    issuer = root.subject
    if own:
        signer, issuer = rsa.generate_private_key(public_exponent=65537, key_size=2048), _name("Another CA")
    made = _certificate(name, issuer, key.public_key(), begins, ends)
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    replace(CERTIFICATES / "server.pem", made.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    reload()


def _certificate(name, issuer, key, begins, ends):
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def other_roots() -> None:
    """Trust the devices of a CA that has none."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    made = _certificate("Another CA", _name("Another CA"), key.public_key(), NOW - DAY, NOW + DAY)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    replace(CERTIFICATES / "device-roots.pem", made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    reload()


# -- profiles


def own_file(mac: str) -> Path:
    return CURRENT / "device" / f"{mac}.cfg"


def own_text(mac: str) -> str:
    content = own_file(mac).read_bytes()
    return (decompress(content) if is_compressed(content) else content).decode()


def reseal(mac: str, key: str = "") -> None:
    """Seal the service profile again: with another key, or with the digest that its family does not take."""
    path = next((CURRENT / "open/service").glob(f"{mac}-*.cfg"))
    right = re.search(r"--key (\S+?)\]", own_text(mac))[1]
    sealed = path.read_bytes()
    now = next(one for one in ("sha256", "md5") if _opens(sealed, right, one))
    other = {"sha256": "md5", "md5": "sha256"}[now]
    replace(path, seal(unseal(sealed, right, now), key or right, now if key else other))


def _opens(sealed: bytes, key: str, digest: str) -> bool:
    try:
        return unseal(sealed, key, digest)[:1] in (b"<", b"\x1f")
    except SealingError:
        return False


def rule(mac: str, url: str) -> None:
    """Give the phone another rule than one of its own."""
    changed, count = re.subn(r"<Profile_Rule( [^>]*)?>[^<]*<", f"<Profile_Rule>{url}<", own_text(mac))
    if count != 1:
        raise SystemExit("there is no Profile_Rule")
    replace(own_file(mac), changed.encode())


def unreadable(path: Path) -> None:
    replace(path, path.read_bytes())
    path.chmod(0o600)


def wrong_name(_mac: str) -> None:
    path = CURRENT / "open/ata192.cfg"
    keep(path)
    _note("remove", str(path.with_name("ata-192.cfg")))
    path.rename(path.with_name("ata-192.cfg"))


def endless(_mac: str) -> None:
    """Let the server's name lead to another machine, which never ends what it says."""
    edit(Path("/etc/unbound/unbound.conf"), r"(60 IN A) 192\.0\.2\.1", r"\1 192.0.2.2")
    restart("names")
    _note("address", "192.0.2.2/32")
    run("ip", "address", "add", "192.0.2.2/32", "dev", "bench0")
    _note("stop", "break-endless")
    run("systemd-run", "--quiet", "--unit=break-endless", "python3", "-c", ENDLESS)


def hang(_mac: str) -> None:
    """Take connections, and never say anything."""
    _note("continue", UNITS["web"])
    run("systemctl", "kill", "--signal=STOP", UNITS["web"])


def no_link(_mac: str) -> None:
    _note("link", "bench0")
    run("ip", "link", "set", "bench0", "down")


def no_option(_mac: str) -> None:
    edit(Path("/etc/dhcp/dhcpd.conf"), r"^ *option (tftp-server-name|preprovision-tftp-servers|preprovision-url) .*;$")
    restart("dhcp")


def no_name(_mac: str) -> None:
    edit(Path("/etc/unbound/unbound.conf"), r"prov\.example\.net", "other.example.net")
    restart("names")


NOW = datetime.datetime.now(datetime.UTC)
SERVER = "prov.example.net"
KINDS: dict[str, Callable[[str], None]] = {
    "dhcp": lambda _mac: stop("dhcp"),
    "no link": no_link,
    "no option": no_option,
    "tftp": lambda _mac: stop("tftp"),
    "wrong name": wrong_name,
    "no name": no_name,
    "web": lambda _mac: stop("web"),
    "endless": endless,
    "hang": hang,
    "expired": lambda _mac: sign(SERVER, NOW - 9 * DAY, NOW - DAY),
    "not yet": lambda _mac: sign(SERVER, NOW + 2 * DAY, NOW + 9 * DAY),
    "other name": lambda _mac: sign("www.example.org", NOW - DAY, NOW + 9 * DAY),
    "other signer": lambda _mac: sign(SERVER, NOW - DAY, NOW + 9 * DAY, own=True),
    "other roots": lambda _mac: other_roots(),
    "digest": reseal,
    "key": lambda mac: reseal(mac, key="not-the-key-of-this-phone"),
    "unreadable": lambda mac: unreadable(own_file(mac)),
    "corrupt": lambda mac: replace(own_file(mac), b"<flat-profile><Profile_Rule>"),
    "huge": lambda mac: replace(own_file(mac), b" " * 50_000_000),
    "loop": lambda mac: rule(mac, "tftp://192.0.2.1/ata192.cfg"),
    "log": lambda _mac: stop("log"),
    "events": lambda _mac: stop("events"),
    "half up": lambda _mac: stop("names", "web", "log"),
    "none": lambda _mac: None,
}


def mend() -> None:
    """Undo everything: what was put in the way first, services last."""
    notes = [json.loads(line) for line in (KEPT / "notes").read_text().splitlines()] if (KEPT / "notes").exists() else []
    for what, which in sorted(notes, key=lambda note: note[0] in ("start", "restart", "reload")):
        if what == "file":
            new = Path(which).with_name(f".{Path(which).name}.mended")
            shutil.copy2(KEPT / Path(which).name, new)
            # copy2 leaves out whose it is
            kept = (KEPT / Path(which).name).stat()
            os.chown(new, kept.st_uid, kept.st_gid)
            new.rename(which)
        elif what == "remove":
            Path(which).unlink()
        elif what == "continue":
            run("systemctl", "kill", "--signal=CONT", which)
        elif what == "address":
            run("ip", "address", "delete", which, "dev", "bench0")
        elif what == "link":
            run("ip", "link", "set", which, "up")
        else:
            run("systemctl", what, which)
    shutil.rmtree(KEPT, ignore_errors=True)


def tell(prefix: str) -> None:
    """Print what a check might have left or changed."""
    for path in sorted(CURRENT.parent.rglob("*")):
        status = path.lstat()
        print(path, status.st_ino, oct(status.st_mode), status.st_uid, status.st_gid, status.st_mtime_ns if path.is_file() else "")
    leases = dict(re.findall(r"^lease (\S+) \{(.*?)^\}", Path("/var/lib/dhcp/dhcpd.leases").read_text(), re.MULTILINE | re.DOTALL))
    for address, lease in leases.items():
        if f"ethernet {':'.join(re.findall('..', prefix))}" in lease and "\n  binding state free;" not in lease:
            print("lease", address)
    with sqlite3.connect("file:/var/lib/preprovision-service/service.sqlite?mode=ro", uri=True) as database:
        for query in COUNTS:
            print(query, database.execute(query, (f"{prefix}%",)).fetchone()[0])
    print("certificates", Path("/run/preprovision-check").exists())


if __name__ == "__main__":
    if sys.argv[1] == "list":
        tell(sys.argv[2])
    else:
        mend()
        if sys.argv[1] == "break":
            KINDS[sys.argv[2]](sys.argv[3])
