# SPDX-License-Identifier: GPL-3.0-or-later
"""Damage every file that the roles have laid down, or compare each with what it was.

    drift.py damage NUMBER    print a line for each damage, as site has to name it
    drift.py compare          end with an error that names what is not as it was

NUMBER: 0 to 3; each number damages each file in another way.

The files are found on the machine: those that name the collection, and all code of it.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

KEPT = Path("/root/drift.json")
MARK = b"Managed by Ansible (voip.preprovision."
FOLDERS = ("/etc", "/usr/local/lib")
# The role certificates makes these, which are damaged in ways of their own; see harm_certificates()
ELSEWHERE = ("/etc/preprovision/certificates", "/etc/ssl")
OTHERS = ("/etc/nginx/preprovision.passwords",)
CERTIFICATES = Path("/etc/preprovision/certificates")


def managed() -> Iterator[Path]:
    """Yield the files that roles have laid down, each once."""
    for top in FOLDERS:
        for folder, folders, names in os.walk(top):
            folders[:] = [
                name for name in folders if f"{folder}/{name}" not in ELSEWHERE and name not in (".releases", "__pycache__")
            ]
            yield from (path for name in sorted(names) if _is_marked(path := Path(folder, name)))
            yield from (path for link in sorted(folders) if Path(folder, link).is_symlink() for path in _code(Path(folder, link)))
    yield from map(Path, OTHERS)


def _is_marked(path: Path) -> bool:
    return path.is_file() and not path.is_symlink() and MARK in path.read_bytes()[:200]


def _code(link: Path) -> list[Path]:
    inside = str(link).startswith("/usr/local/lib/preprovision")
    return sorted(path for path in link.rglob("*.py")) if inside else []


def append(path: Path) -> None:
    """Add a line."""
    with path.open("a") as file:
        file.write("# drift\n")


def empty(path: Path) -> None:
    """Leave nothing in it."""
    path.write_text("")


DAMAGES: tuple[Callable[[Path], object], ...] = (
    append,
    empty,
    lambda path: path.chmod(0o666),
    lambda path: path.unlink(),
)


def state() -> dict[str, list[object]]:
    """Return content, owner, group and mode of each managed file."""
    found = {}
    for path in (*managed(), CERTIFICATES, *CERTIFICATES.rglob("*")):
        status = path.stat()
        found[str(path)] = [_identity(path), status.st_uid, status.st_gid, oct(status.st_mode)]
    return found


def _identity(path: Path) -> str:
    """Return what stays the same of a file, however it is repaired."""
    if path.is_dir() or path.name == "ledger":
        # It has the times of the others; that it is right, a further run of site says, which changes nothing
        return ""
    if path.suffix == ".pem" and path.with_suffix(".key").exists():
        command = ["openssl", "x509", "-noout", "-subject", "-pubkey", "-in", str(path)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return hashlib.sha256(path.read_bytes()).hexdigest()


def harm_certificates(number: int) -> None:
    """Damage what the role certificates has made, each file in another way than its neighbours.

    Nothing is lost that cannot be made again: keys, and the bench CA's own certificate, a copy of which phones may have.
    """
    # A copy of the request as it was fetched is made again by fetching it alone
    made = sorted(path for path in CERTIFICATES.rglob("*") if path.is_file() and path.suffix != ".sent")
    for position, path in enumerate(made, number):
        ways: list[Callable[[Path], object]] = [lambda path: path.chmod(0o666), lambda path: os.chown(path, 65534, 65534)]
        if path.suffix != ".key" and path.name != "bench-ca.pem":
            ways += [lambda path: path.unlink(), empty]
        ways[position % len(ways)](path)
    for folder in (CERTIFICATES, CERTIFICATES / "devices"):
        folder.chmod(0o777)
    (CERTIFICATES / "server.key").chmod(0o666)


def damage(first: str) -> None:
    """Damage everything, each file in another way than its neighbours."""
    KEPT.write_text(json.dumps(state()))
    paths = list(managed())
    if len(paths) < 100:
        sys.exit(f"only {len(paths)} files were found")
    trees = {str(link) for folder in Path("/usr/local/lib").glob("preprovision*") for link in folder.iterdir() if link.is_symlink()}
    for number, path in enumerate(paths, int(first)):
        harm = DAMAGES[number % len(DAMAGES)]
        # An empty file is not emptied, such as that of passwords on a station without any
        (harm if harm is not empty or path.stat().st_size else append)(path)
        if not any(str(path).startswith(f"{tree}/") for tree in trees):
            print(f"wrote {path}")
    for tree in sorted(trees):
        print(f"installed the code {tree}")
    harm_certificates(int(first))
    subprocess.run(["systemctl", "stop", "preprovision-arming.path"], check=True)
    print("started preprovision-arming.path")
    subprocess.run(["systemctl", "stop", "preprovision-log.service"], check=True)
    subprocess.run(["userdel", "preprovision-log"], check=True, capture_output=True)
    print("created the user preprovision-log")
    print("wrote /var/log/preprovision/phones")
    subprocess.run(["ip", "link", "delete", "dev", "bench0"], check=True)
    print("preprovision-bench.service: ")
    subprocess.run(["nft", "flush", "table", "inet", "preprovision"], check=True)
    print("preprovision-firewall.service: ")
    subprocess.run(["nft", "delete", "table", "arp", "preprovision_tftp"], check=True)


def compare() -> None:
    """Compare everything."""
    before, now = json.loads(KEPT.read_text()), state()
    KEPT.unlink()
    other = sorted(path for path in before.keys() | now.keys() if before.get(path) != now.get(path))
    for command in (["nft", "list", "table", "arp", "preprovision_tftp"], ["ip", "-4", "address", "show", "dev", "bench0"]):
        if not subprocess.run(command, check=False, capture_output=True, text=True).stdout:
            other.append(" ".join(command))
    if other:
        sys.exit(f"not as before: {', '.join(other)}")


if __name__ == "__main__":
    {"damage": damage, "compare": compare}[sys.argv[1]](*sys.argv[2:])
