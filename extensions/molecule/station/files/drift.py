# SPDX-License-Identifier: GPL-3.0-or-later
"""Damage every file that the roles have laid down, or compare each with what it was.

    drift.py damage NUMBER    print a line for each damage, as site has to name it
    drift.py compare          end with an error that names what is not as it was

NUMBER: 0 to 3; each number damages each file in another way. 1 and 3 take the bench CA's key away.

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
CA = CERTIFICATES / "bench-ca.key"
# The bench's port, if there is one
PORT = "drift0"
LIVE, LINKS = Path("/srv/preprovision/current"), Path("/srv/preprovision/tftp")


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


def give_to_all(path: Path) -> None:
    """Let everybody read and write it."""
    path.chmod(0o666)


def delete(path: Path) -> None:
    """Delete it."""
    path.unlink()


DAMAGES: tuple[Callable[[Path], object], ...] = (append, empty, give_to_all, delete)
WHAT = {append: "edited", empty: "edited", give_to_all: "mode or owner", delete: "missing"}


def state() -> dict[str, list[object]]:
    """Return content, owner, group and mode of each managed file."""
    found = {}
    for path in (*managed(), CERTIFICATES, *CERTIFICATES.rglob("*"), *published(), *LINKS.iterdir()):
        status = path.lstat()
        found[str(path)] = [_identity(path), status.st_uid, status.st_gid, oct(status.st_mode)]
    return found


def _identity(path: Path) -> str:
    """Return what stays the same of a file, however it is repaired."""
    if path.is_symlink():
        return os.readlink(path)
    if path.is_dir() or path.name == "ledger":
        # It has the times of the others; that it is right, a further run of site says, which changes nothing
        return ""
    if path.name == "device-roots.pem":
        # The bench CA's certificate is in it
        return str(path.read_text().count("BEGIN CERTIFICATE"))
    if path.suffix == ".pem" and path.with_suffix(".key").exists():
        command = ["openssl", "x509", "-noout", "-subject", "-pubkey", "-in", str(path)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return hashlib.sha256(path.read_bytes()).hexdigest()


def harm_certificates(number: int) -> list[str]:
    """Damage what the role certificates has made, each file in another way than its neighbours; return the names of lost keys.

    Prints each damage, and what is made again because of it. An edited ledger says nothing of the others, so only its mode changes.
    """
    # A copy of the request as it was fetched is made again by fetching it alone
    made = [path for path in sorted(CERTIFICATES.rglob("*")) if path.is_file() and path.suffix != ".sent"]
    wrong = {CERTIFICATES / "devices": "mode or owner"}
    for position, path in enumerate(made, number):
        # Without its key, the bench CA is another one, and all certificates are new: not in each run
        harm = DAMAGES[(number if path == CA else position) % len(DAMAGES)] if path.name != "ledger" else give_to_all
        harm(path)
        wrong[path] = WHAT[harm]
    for folder in (CERTIFICATES, CERTIFICATES / "devices"):
        folder.chmod(0o777)
    own = {path for path in made if path.suffix == ".key" and (path.name != "server.key" or is_made_here())}
    lost = {path for path in own if not path.exists() or not path.stat().st_size}
    for key in lost:
        wrong |= dict.fromkeys((key.with_suffix(".csr"), key.with_suffix(".pem")), "of a new key")
    if CA in lost:
        wrong |= dict.fromkeys((key.with_suffix(".pem") for key in own), "of a new key")
    if wrong[CA.with_suffix(".pem")] != "mode or owner":
        wrong[CERTIFICATES / "device-roots.pem"] = "of a new certificate of the bench CA"
    for path, what in wrong.items():
        print(f"{path}: {what}")
    return [str(path.with_suffix("")) for path in (own if CA in lost else lost)]


def is_made_here() -> bool:
    """Say whether the server's key is from this machine: one from the controller comes with a certificate signed elsewhere."""
    return "server" in json.loads(KEPT.read_text())["own"]


def own_certificates() -> list[str]:
    """Return the names of certificates that the bench CA has signed."""
    names = [path.relative_to(CERTIFICATES) for path in CERTIFICATES.rglob("*.pem") if path.with_suffix(".key").exists()]
    verify = ["openssl", "verify", "-CAfile", str(CERTIFICATES / "bench-ca.pem")]
    return [
        str(name.with_suffix(""))
        for name in names
        if subprocess.run([*verify, str(CERTIFICATES / name)], check=False, capture_output=True).returncode == 0
    ]


def published() -> list[Path]:
    """Return the files that are published, by their generation."""
    found = (path for top in ("device", "open", "units") for path in (LIVE / top).rglob("*"))
    return sorted(path for path in found if path.is_file() and not path.is_symlink())


def harm_published(number: int) -> None:
    """Damage each published file, in another way than its neighbours, and each link of the TFTP server's folder, in three ways.

    Check mode does not name the links, since the code that compares them is damaged as well.
    """
    files = published()
    for position, path in enumerate(files, number):
        DAMAGES[position % len(DAMAGES)](path)
    print(f"sent: {len(files)}")
    for position, link in enumerate(sorted(LINKS.iterdir(), key=os.fsencode), number):
        link.unlink()
        if position % 3 == 1:
            link.symlink_to("/etc/passwd")
        elif position % 3 == 2:
            link.write_text("drift")


def damage(first: str) -> None:
    """Damage everything, each file in another way than its neighbours."""
    KEPT.write_text(json.dumps({"own": own_certificates(), "files": state()}))
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
    subprocess.run(["systemctl", "stop", "preprovision-arming.path"], check=True)
    harm_published(int(first))
    KEPT.write_text(json.dumps(json.loads(KEPT.read_text()) | {"lost": harm_certificates(int(first))}))
    print("started preprovision-arming.path")
    subprocess.run(["systemctl", "stop", "preprovision-log.service"], check=True)
    subprocess.run(["userdel", "preprovision-log"], check=True, capture_output=True)
    print("created the user preprovision-log")
    print("wrote /var/log/preprovision/phones")
    if Path("/sys/class/net", PORT).exists():
        subprocess.run(["ip", "link", "delete", "dev", PORT], check=True)
        subprocess.run(["ip", "link", "add", PORT, "type", "veth", "peer", "name", "drift1"], check=True)
        subprocess.run(["ip", "link", "set", "dev", "drift1", "up"], check=True)
        print("preprovision-bench-ports.service: ")
    else:
        subprocess.run(["ip", "link", "delete", "dev", "bench0"], check=True)
        print("preprovision-bench.service: ")
    subprocess.run(["nft", "flush", "table", "inet", "preprovision"], check=True)
    print("preprovision-firewall.service: ")
    subprocess.run(["nft", "delete", "table", "arp", "preprovision_tftp"], check=True)


def compare() -> None:
    """Compare everything."""
    kept, now = json.loads(KEPT.read_text()), state()
    KEPT.unlink()
    before: dict[str, list[object]] = kept["files"]
    for name in kept["lost"]:
        for path in (f"{name}.key", f"{name}.csr", f"{name}.pem"):
            # Another one, with the same owner and mode
            before[path][0] = now.get(path, [None])[0]
    other = sorted(path for path in before.keys() | now.keys() if before.get(path) != now.get(path))
    if own_certificates() != kept["own"]:
        other.append(f"not signed by the bench CA: {sorted({*kept['own']} - {*own_certificates()})}")
    looks = [["nft", "list", "table", "arp", "preprovision_tftp"], ["ip", "-4", "address", "show", "dev", "bench0"]]
    if Path("/sys/class/net", PORT).exists():
        looks.append(["ip", "link", "show", "dev", PORT, "up", "master", "bench0"])
    for command in looks:
        if not subprocess.run(command, check=False, capture_output=True, text=True).stdout:
            other.append(" ".join(command))
    if other:
        sys.exit(f"not as before: {', '.join(other)}")


if __name__ == "__main__":
    {"damage": damage, "compare": compare}[sys.argv[1]](*sys.argv[2:])
