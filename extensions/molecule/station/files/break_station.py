# SPDX-License-Identifier: GPL-3.0-or-later
"""Break a station in one way, and repair it: ``python3 break_station.py break KIND MAC`` and ``... mend``.

``... list PREFIX`` prints the published files and all traces of phones whose MAC addresses begin with PREFIX.

Everything changed is saved first, and restored before the next break. MAC: twelve hex digits, of the emulated phone.
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
import time
from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

sys.path.insert(0, "/usr/local/lib/preprovision-service")
from preprovision_service.domain.profiles.sealing.compression import decompress, is_compressed
from preprovision_service.domain.profiles.sealing.model import SealingError
from preprovision_service.domain.profiles.sealing.openssl_enc import seal, unseal

SAVED = Path("/run/break-station")
CURRENT = Path("/srv/preprovision/current")
TFTP_ROOT = Path("/srv/preprovision/tftp")
DONE = Path("/var/lib/preprovision-arming/done")
CERTIFICATES = Path("/etc/preprovision/certificates")
DAY = datetime.timedelta(days=1)
KEA = "kea-dhcp4-server"
IS_KEA = Path("/etc/systemd/system", f"{KEA}.service").exists()
UNITS = {
    "dhcp": KEA if IS_KEA else "isc-dhcp-server",
    "tftp": "preprovision-tftp",
    "names": "unbound",
    "web": "nginx",
    "log": "preprovision-log",
    "events": "preprovision-events",
    "time": "chrony",
    "service": "preprovision-service",
    "health": "preprovision-health",
    "arming": "preprovision-arming.path",
    "links": "preprovision-arming.service",
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


def save(path: Path) -> None:
    """Save a copy of a file, with its owner."""
    SAVED.mkdir(exist_ok=True)
    shutil.copy2(path, SAVED / path.name)
    os.chown(SAVED / path.name, path.stat().st_uid, path.stat().st_gid)
    _note("file", str(path))


def replace(path: Path, content: bytes) -> None:
    """Replace a file; its hard links in other generations keep the old content."""
    save(path)
    new = path.with_name(f".{path.name}.broken")
    new.write_bytes(content)
    shutil.copystat(path, new)
    shutil.chown(new, path.stat().st_uid, path.stat().st_gid)
    new.rename(path)


def edit(path: Path, pattern: str, text: str = "") -> None:
    """Replace every match of a pattern in a file; there must be one."""
    changed, count = re.subn(pattern, text, path.read_text(), flags=re.MULTILINE)
    if not count:
        raise SystemExit(f"{path} contains no match for {pattern}")
    replace(path, changed.encode())


def stop(*names: str) -> None:
    for name in names:
        _note("start", UNITS[name])
    run("systemctl", "stop", *(UNITS[name] for name in names))


def restart(name: str) -> None:
    """Restart a unit; one that just recovers from the fault before may start by itself meanwhile, which cancels the job."""
    _note("restart", UNITS[name])
    for _attempt in range(30):
        done = subprocess.run(["systemctl", "restart", UNITS[name]], capture_output=True, text=True, check=False)
        if "canceled" not in done.stderr:
            break
        time.sleep(1)
    if done.returncode:
        raise SystemExit(done.stderr)


def reload() -> None:
    """Make the web server read its certificates again."""
    _note("reload", UNITS["web"])
    run("systemctl", "reload", UNITS["web"])


def _note(what: str, which: str) -> None:
    SAVED.mkdir(exist_ok=True)
    with (SAVED / "notes").open("a") as notes:
        notes.write(json.dumps([what, which]) + "\n")


# -- certificates


def sign(name: str, begins: datetime.datetime, ends: datetime.datetime, own: bool = False) -> None:
    """Install another server certificate, issued by the bench's CA or (*own*) by an unknown one."""
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


def no_roots() -> None:
    """Leave the web server no maker's root, only the bench's own."""
    replace(CERTIFICATES / "device-roots.pem", (CERTIFICATES / "bench-ca.pem").read_bytes())
    reload()


def other_roots() -> None:
    """Replace the trusted device roots with a CA that has issued no device certificate."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    made = _certificate("Another CA", _name("Another CA"), key.public_key(), NOW - DAY, NOW + DAY)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    replace(CERTIFICATES / "device-roots.pem", made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    reload()


# -- profiles


def unit_name(mac: str) -> str:
    return "-".join(re.findall("..", mac))


def own_file(mac: str) -> Path:
    """Return the phone's preprovision profile: in its unit's folder if that is delivered by TFTP."""
    of_unit = CURRENT / "units" / unit_name(mac) / "ata192.cfg"
    return of_unit if of_unit.exists() else CURRENT / "device" / f"{mac}.cfg"


def own_text(mac: str) -> str:
    content = own_file(mac).read_bytes()
    return (decompress(content) if is_compressed(content) else content).decode()


def reseal(mac: str, key: str = "") -> None:
    """Seal the service profile again: with another key, or with the digest that the phone's family does not support."""
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


def replace_rule(mac: str, url: str) -> None:
    """Replace the rule in the phone's profile."""
    changed, count = re.subn(r"<Profile_Rule( [^>]*)?>[^<]*<", f"<Profile_Rule>{url}<", own_text(mac))
    if count != 1:
        raise SystemExit(f"{own_file(mac)} does not contain exactly one Profile_Rule")
    replace(own_file(mac), changed.encode())


def unreadable(path: Path) -> None:
    replace(path, path.read_bytes())
    path.chmod(0o600)


def make_links() -> None:
    """Make the TFTP server's links right, now and after the repair."""
    _note("start", UNITS["links"])
    run("systemctl", "start", UNITS["links"])


def no_folder(mac: str) -> None:
    """Move the unit's folder away, as if it were not published."""
    folder = CURRENT / "units" / unit_name(mac)
    away = folder.with_name(".away")
    _note("rename", json.dumps([str(away), str(folder)]))
    folder.rename(away)
    make_links()


def done(mac: str) -> None:
    """Mark the unit as done; the unit that decides would remove the mark of a phone that it does not know."""
    stop("events")
    marker = DONE / unit_name(mac)
    _note("remove", str(marker))
    marker.touch()
    make_links()


def not_armed(mac: str) -> None:
    """Remove the link to the unit's folder, and stop what would make it again."""
    _note("start", UNITS["links"])
    stop("arming")
    (TFTP_ROOT / unit_name(mac)).unlink()


def wrong_name(mac: str) -> None:
    path = CURRENT / "units" / unit_name(mac) / "ata192.cfg"
    path = path if path.exists() else CURRENT / "open/ata192.cfg"
    save(path)
    _note("remove", str(path.with_name("ata-192.cfg")))
    path.rename(path.with_name("ata-192.cfg"))


def endless(_mac: str) -> None:
    """Resolve the server's name to another machine, which never finishes its answer."""
    edit(Path("/etc/unbound/unbound.conf"), r"(60 IN A) 192\.0\.2\.1", r"\1 192.0.2.2")
    restart("names")
    _note("address", "192.0.2.2/32")
    run("ip", "address", "add", "192.0.2.2/32", "dev", "bench0")
    _note("stop", "break-endless")
    run("systemd-run", "--quiet", "--unit=break-endless", "python3", "-c", ENDLESS)


def hang(*names: str) -> None:
    """Let services run, and never answer; nobody is to heal them meanwhile."""
    stop("health")
    for name in names:
        _note("continue", UNITS[name])
        run("systemctl", "kill", "--signal=STOP", UNITS[name])


def full() -> None:
    """Leave the DHCP server no space for its leases."""
    folder, owner = ("/var/lib/kea", "_kea") if IS_KEA else ("/var/lib/dhcp", "preprovision-dhcp")
    _note("restart", UNITS["dhcp"])
    _note("unmount", folder)
    run("mount", "-t", "tmpfs", "-o", "size=64k,mode=0775", "tmpfs", folder)
    shutil.chown(folder, owner if IS_KEA else None, owner)
    run("systemctl", "restart", UNITS["dhcp"])
    Path(folder, "fill").write_bytes(bytes(os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize))


def no_board() -> None:
    """Empty the file that tells the web server which paths belong to the profile service."""
    replace(Path("/etc/nginx/conf.d/preprovision-service.locations"), b"")
    reload()


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
KINDS: dict[str, Callable[[str], object]] = {
    "dhcp": lambda _mac: stop("dhcp"),
    "no link": no_link,
    "no option": no_option,
    "tftp": lambda _mac: stop("tftp"),
    "wrong name": wrong_name,
    "no folder": no_folder,
    "done": done,
    "not armed": not_armed,
    "no name": no_name,
    "web": lambda _mac: stop("web"),
    "endless": endless,
    "hang": lambda _mac: hang("web"),
    "hung": lambda _mac: (hang("log", "events", "time", "service"), full()),
    "no board": lambda _mac: no_board(),
    "expired": lambda _mac: sign(SERVER, NOW - 9 * DAY, NOW - DAY),
    "not yet": lambda _mac: sign(SERVER, NOW + 2 * DAY, NOW + 9 * DAY),
    "other name": lambda _mac: sign("www.example.org", NOW - DAY, NOW + 9 * DAY),
    "other signer": lambda _mac: sign(SERVER, NOW - DAY, NOW + 9 * DAY, own=True),
    "no roots": lambda _mac: no_roots(),
    "other roots": lambda _mac: other_roots(),
    "digest": reseal,
    "key": lambda mac: reseal(mac, key="not-the-key-of-this-phone"),
    "unreadable": lambda mac: unreadable(own_file(mac)),
    "corrupt": lambda mac: replace(own_file(mac), b"<flat-profile><Profile_Rule>"),
    "huge": lambda mac: replace(own_file(mac), b" " * 50_000_000),
    "loop": lambda mac: replace_rule(mac, "tftp://192.0.2.1/ata192.cfg"),
    "log": lambda _mac: stop("log"),
    "events": lambda _mac: stop("events"),
    "half up": lambda _mac: stop("names", "web", "log"),
    "none": lambda _mac: None,
}


def mend() -> None:
    """Undo everything: obstacles first, services last."""
    notes = [json.loads(line) for line in (SAVED / "notes").read_text().splitlines()] if (SAVED / "notes").exists() else []
    for what, which in sorted(notes, key=lambda note: note[0] in ("start", "restart", "reload")):
        if what == "file":
            new = Path(which).with_name(f".{Path(which).name}.mended")
            shutil.copy2(SAVED / Path(which).name, new)
            # copy2 does not copy the owner
            status = (SAVED / Path(which).name).stat()
            os.chown(new, status.st_uid, status.st_gid)
            new.rename(which)
        elif what == "rename":
            now, before = json.loads(which)
            Path(now).rename(before)
        elif what == "remove":
            Path(which).unlink()
        elif what == "continue":
            run("systemctl", "kill", "--signal=CONT", which)
        elif what == "unmount":
            # The DHCP server has files open there
            run("umount", "--lazy", which)
        elif what == "address":
            run("ip", "address", "delete", which, "dev", "bench0")
        elif what == "link":
            run("ip", "link", "set", which, "up")
        else:
            run("systemctl", what, which)
    shutil.rmtree(SAVED, ignore_errors=True)


def print_traces(prefix: str) -> None:
    """Print everything that a check might have left behind or changed."""
    for path in sorted(CURRENT.parent.rglob("*")):
        if path.parent == TFTP_ROOT and re.fullmatch("(..-){5}..", path.name) and not path.name.startswith(unit_name(prefix)):
            # The folders of other units come and go with their expectation
            continue
        status = path.lstat()
        # Some names end with a byte that no text can hold
        name, modified = os.fsencode(path), status.st_mtime_ns if path.is_file() else ""
        print(name, status.st_ino, oct(status.st_mode), status.st_uid, status.st_gid, modified)
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
        print_traces(sys.argv[2])
    else:
        mend()
        if sys.argv[1] == "break":
            KINDS[sys.argv[2]](sys.argv[3])
