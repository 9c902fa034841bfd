# SPDX-License-Identifier: GPL-3.0-or-later
"""Run where Ansible is: back stations up, let each become what another is, refuse what is no backup of it, and take that back.

Arguments: the inventories, and machines as STATION=MACHINE.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[4] / ".cache/collections"))
from ansible_collections.voip.preprovision.plugins.module_utils.backup import Backup, derive, write

PASSPHRASE = f"{os.urandom(8).hex()} and some words"
# What makes a station that one: files as they are, and all rows but those of what has happened since
ASK = """
import hashlib, json, os, sqlite3
found = {}
for folder, folders, names in os.walk("/etc/preprovision/certificates"):
    for name in names:
        path = os.path.join(folder, name)
        status = os.stat(path)
        with open(path, "rb") as file:
            found[path] = [hashlib.sha256(file.read()).hexdigest(), oct(status.st_mode), int(status.st_mtime)]
with open("/var/lib/preprovision-service/secret", "rb") as file:
    found["secret"] = hashlib.sha256(file.read()).hexdigest()
database = sqlite3.connect("file:/var/lib/preprovision-service/service.sqlite?mode=ro", uri=True)
tables = {
    "alembic_version": "*", "customers": "*", "operators": "*", "settings": "*", "reports": "*", "shipments": "*",
    "phones": "mac, name, serial, model, family, customer, source, variables, version, redirect",
}
for table, columns in tables.items():
    rows = database.execute(f"SELECT {columns} FROM {table} ORDER BY 1").fetchall()
    found[table] = [len(rows), hashlib.sha256(repr(rows).encode()).hexdigest()]
found["events"] = [row[0] for row in database.execute("SELECT key FROM events")]
with open("/var/lib/dhcp/dhcpd.leases") as file:
    found["leases"] = sorted({line.split()[1] for line in file if line.startswith("lease ")})
print(json.dumps(found))
"""
HOLDERS = ("nginx", "isc-dhcp-server", "preprovision-dhcp-watch", "preprovision-service", "preprovision-events")


class Machine:
    """A station's machine, looked at from outside."""

    def __init__(self, station: str, name: str) -> None:
        self.station = station
        self._init = Path(f"/run/preprovision-machine-{name}.pid").read_text().strip()

    def run(self, *command: str, text: str = "") -> str:
        """Run a command there; return what it prints."""
        argv = ["nsenter", "--target", self._init, "--all", "env", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", *command]
        return subprocess.run(argv, capture_output=True, check=True, input=text, text=True).stdout

    def state(self) -> dict[str, Any]:
        """Return what makes it this station."""
        found: dict[str, Any] = json.loads(self.run("python3", "-", text=ASK))
        return found

    @contextlib.contextmanager
    def full(self) -> Iterator[None]:
        """Where there is no space for keys."""
        folder = "/etc/preprovision"
        self.run("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder)
        try:
            yield
        finally:
            self.run("umount", folder)


class Judge:
    """Runs playbooks, and keeps what they print."""

    def __init__(self, inventories: list[str], folder: Path) -> None:
        self._inventories = inventories
        self.folder = folder
        self.printed = ""

    def play(self, name: str, station: str, wrong: str = "", /, **variables: str) -> None:
        """Run a playbook for one station, or for all; it must succeed, or fail with what is *wrong*."""
        given = self.folder / f"{name}-{station}-{hashlib.sha256(repr(variables).encode()).hexdigest()[:8]}.json"
        given.write_text(json.dumps({"backup_passphrase": PASSPHRASE, "backup_folder": str(self.folder), **variables}))
        command = ["ansible-playbook", "-v", "--diff", "--limit", station, f"--extra-vars=@{given}"]
        command += [f"--inventory={path}" for path in self._inventories]
        done = subprocess.run(
            [*command, f"voip.preprovision.{name}"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        self.printed += done.stdout
        said = " ".join(done.stdout.split())
        if (done.returncode != 0) != bool(wrong) or wrong not in said:
            raise SystemExit(f"{name} of {station} ended with {done.returncode}, expected was: {wrong or 'success'}\n{done.stdout}")

    def backup_of(self, station: str) -> Path:
        """Return the newest backup of a station."""
        return sorted(self.folder.glob(f"{station}-*.backup.tar"))[-1]


def differences(wanted: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """Return what of a station is not there."""
    parts = [
        name for name in wanted.keys() | found.keys() if name not in ("events", "leases") and wanted.get(name) != found.get(name)
    ]
    # The machine's own log lines go on to come in, and leases that have ended go
    return parts + [name for name in ("events",) if not set(wanted[name]) <= set(found[name])]


def expect(wanted: dict[str, Any], machine: Machine, when: str) -> None:
    """Stop unless a machine is what it should be, with all its services."""
    wrong = differences(wanted, machine.state())
    if wrong:
        raise SystemExit(f"{machine.station} {when}: {', '.join(sorted(wrong))} differ")
    machine.run("systemctl", "is-active", *HOLDERS)


def forged(backup: Path, folder: Path) -> Path:
    """Return a backup with the right passphrase, and a database in it that is none."""
    with Backup(str(backup)) as opened:
        keys = derive(PASSPHRASE, opened.header.salt)
        header = opened.header
        archive = opened.unseal(keys)
        inner = [(member, content(archive, member)) for member in archive]

    def fill(made: tarfile.TarFile) -> None:
        for member, kept in inner:
            replaced = b"no database" * 999 if member.name == "database" else kept
            member.size = len(replaced)
            made.addfile(member, io.BytesIO(replaced))

    path = folder / "forged.backup.tar"
    write(str(path), header, keys, fill)
    return path


def content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    """Return what is in one file of it."""
    file = archive.extractfile(member)
    return file.read() if file else b""


def opened_by_hand(backup: Path, folder: Path) -> list[str]:
    """Return what tar and openssl say is in it."""
    subprocess.run(["tar", "-xf", str(backup), "-C", str(folder)], check=True)
    command = "openssl enc -d -aes-256-cbc -md sha256 -pbkdf2 -iter 600000 -in backup.tar.gz.enc -pass stdin | tar -tz"
    return subprocess.run(
        ["sh", "-c", command], input=PASSPHRASE, cwd=folder, capture_output=True, check=True, text=True
    ).stdout.split()


def refuse(judge: Judge, machine: Machine, other: Machine) -> int:
    """What is no backup of this station is refused, and nothing has changed."""
    own, foreign = judge.backup_of(machine.station), judge.backup_of(other.station)
    whole = own.read_bytes()
    half = len(whole) // 2
    bad = {
        "is damaged": whole[:half] + bytes([whole[half] ^ 1]) + whole[half + 1 :],
        "is cut off": whole[:half],
        "is no backup of a station": os.urandom(4096),
    }
    before = machine.state()
    asked = [
        ("stations", "it would go to", {"backup_file": str(own)}),
        (machine.station, f"-e restore_station={other.station}", {"backup_file": str(foreign)}),
        (
            machine.station,
            "was sealed with another passphrase",
            {"backup_file": str(own), "backup_passphrase": "not that one at all"},
        ),
    ]
    for number, (sentence, damaged) in enumerate(bad.items()):
        path = judge.folder / f"bad-{number}"
        path.write_bytes(damaged)
        asked.append((machine.station, sentence, {"backup_file": str(path)}))
    # These are refused before anything reaches the station
    with ThreadPoolExecutor() as pool:
        done = [pool.submit(judge.play, "restore", station, sentence, **given) for station, sentence, given in asked]
    for one in done:
        one.result()
    with machine.full():
        judge.play("restore", machine.station, "nothing was changed", backup_file=str(own))
    expect(before, machine, "after what was refused")
    judge.play("restore", machine.station, "everything is as it was", backup_file=str(forged(own, judge.folder)))
    expect(before, machine, "after a restore that has failed")
    return len(asked) + 2


def restore(judge: Judge, machines: list[Machine], backups: list[Path]) -> None:
    """Give each machine what is in a backup, all at once."""
    with ThreadPoolExecutor() as pool:
        done = [
            pool.submit(
                judge.play, "restore", machine.station, backup_file=str(backup), restore_station=backup.name.rsplit("-", 1)[0]
            )
            for machine, backup in zip(machines, backups, strict=True)
        ]
    for one in done:
        one.result()


def main() -> None:
    """Judge."""
    machines = [Machine(*argument.split("=", 1)) for argument in sys.argv[1:] if "=" in argument]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        judge = Judge([argument for argument in sys.argv[1:] if "=" not in argument], folder)
        judge.play("backup", "stations")
        states = [machine.state() for machine in machines]
        backups = [judge.backup_of(machine.station) for machine in machines]
        listed = opened_by_hand(backups[0], folder)
        if not {"etc/preprovision/certificates/server.key", "database"} <= set(listed):
            raise SystemExit(f"the backup holds {listed}")
        print(f"{len(listed)} entries in {backups[0].stat().st_size} bytes, opened with openssl and tar")
        refused = refuse(judge, machines[0], machines[-1])
        print(f"{refused} times refused, with one sentence, and the station was as before")

        turned = [*zip(states[1:], backups[1:], strict=True), (states[0], backups[0])]
        restore(judge, machines, [backup for _state, backup in turned])
        for when in ("as another", "after site", "after phones came"):
            for machine, (state, _backup) in zip(machines, turned, strict=True):
                expect(state, machine, when)
            if when == "as another":
                judge.play("site", "stations")
            elif when == "after site":
                judge.play("check", "stations")
        restore(judge, machines, backups)
        for machine, state in zip(machines, states, strict=True):
            expect(state, machine, "as itself again")
        print(
            f"{len(machines)} stations exchanged; site found everything in its place, and phones came up with the keys of the other"
        )
    if PASSPHRASE in judge.printed:
        raise SystemExit("the passphrase was printed")


if __name__ == "__main__":
    main()
