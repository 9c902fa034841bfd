# SPDX-License-Identifier: GPL-3.0-or-later
"""Run on the controller: back up stations, restore each from another's backup and then from its own, and try bad backups.

Arguments: the inventories, and machines in the form STATION=MACHINE.
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
from ansible_collections.voip.preprovision.plugins.module_utils.station.backup.archive import Backup, derive, write

PASSPHRASE = f"{os.urandom(8).hex()} and some words"
# A station's identity: its files, and all rows except the records of later events
STATE_SCRIPT = """
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
    # Whoever asks for the health has the service write
    rows = [row for row in database.execute(f"SELECT {columns} FROM {table} ORDER BY 1") if row[0] != "health"]
    found[table] = [len(rows), hashlib.sha256(repr(rows).encode()).hexdigest()]
found["events"] = [row[0] for row in database.execute("SELECT key FROM events")]
if os.path.exists("/etc/systemd/system/kea-dhcp4-server.service"):
    found["DHCP server"] = "kea-dhcp4-server"
    with open("/var/lib/kea/kea-leases4.csv") as file:
        found["leases"] = sorted({line.split(",")[0] for line in file if line[:1].isdigit()})
else:
    found["DHCP server"] = "isc-dhcp-server"
    with open("/var/lib/dhcp/dhcpd.leases") as file:
        found["leases"] = sorted({line.split()[1] for line in file if line.startswith("lease ")})
print(json.dumps(found))
"""
# Settings by which the stations differ, with their defaults: a station that is restored from another's backup gets the other's
SETTINGS: dict[str, object] = {
    "phone_profiles_bench_delivery": "tftp",
    "certificates_device_roots": [],
    "certificates_signed": "",
    "certificates_key": "",
    "phone_families": {},
}
SERVICES = ("nginx", "preprovision-dhcp-watch", "preprovision-service", "preprovision-events")


class Machine:
    """Run commands on a station's machine, from outside it."""

    def __init__(self, station: str, name: str) -> None:
        self.station = station
        self._init = Path(f"/run/preprovision-machine-{name}.pid").read_text().strip()

    def run(self, *command: str, text: str = "") -> str:
        """Run a command on the machine; return what it prints."""
        argv = ["nsenter", "--target", self._init, "--all", "env", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", *command]
        return subprocess.run(argv, capture_output=True, check=True, input=text, text=True).stdout

    def state(self) -> dict[str, Any]:
        """Return everything that identifies the station."""
        found: dict[str, Any] = json.loads(self.run("python3", "-", text=STATE_SCRIPT))
        return found

    @contextlib.contextmanager
    def without_space(self) -> Iterator[None]:
        """Leave no space for keys while the context lasts."""
        folder = "/etc/preprovision"
        self.run("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder)
        try:
            yield
        finally:
            self.run("umount", folder)


class PlaybookRunner:
    """Run playbooks and keep their output."""

    def __init__(self, inventories: list[str], folder: Path) -> None:
        self.inventories = inventories
        self.folder = folder
        self.printed = ""

    def play(self, name: str, station: str, wrong: str = "", /, **variables: str) -> None:
        """Run a playbook for one station or for all; it must succeed, or fail with the message *wrong*."""
        given = self.folder / f"{name}-{station}-{hashlib.sha256(repr(variables).encode()).hexdigest()[:8]}.json"
        given.write_text(json.dumps({"backup_passphrase": PASSPHRASE, "backup_folder": str(self.folder), **variables}))
        command = ["ansible-playbook", "-v", "--diff", "--limit", station, f"--extra-vars=@{given}"]
        command += [f"--inventory={path}" for path in self.inventories]
        done = subprocess.run(
            [*command, f"voip.preprovision.{name}"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        self.printed += done.stdout
        printed = " ".join(done.stdout.split())
        if (done.returncode != 0) != bool(wrong) or wrong not in printed:
            raise SystemExit(f"{name} of {station} ended with {done.returncode}; expected: {wrong or 'success'}\n{done.stdout}")

    def write_exchanged(self, machines: list[Machine], others: list[Machine]) -> str:
        """Write an inventory in which each station has the settings of another one; return its path."""
        hosts = {}
        for machine, other in zip(machines, others, strict=True):
            command = ["ansible-inventory", f"--host={other.station}", *(f"--inventory={path}" for path in self.inventories)]
            found = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
            hosts[machine.station] = {name: found.get(name, default) for name, default in SETTINGS.items()}
        path = self.folder / "exchanged.yml"
        path.write_text(json.dumps({"stations": {"hosts": hosts}}))
        return str(path)

    def backup_of(self, station: str) -> Path:
        """Return the newest backup of a station."""
        return sorted(self.folder.glob(f"{station}-*.backup.tar"))[-1]


def differences(wanted: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """Return the parts of a station that differ."""
    parts = [
        name for name in wanted.keys() | found.keys() if name not in ("events", "leases") and wanted.get(name) != found.get(name)
    ]
    # The machine's own log lines keep coming in, and expired leases disappear
    return parts + [name for name in ("events",) if not set(wanted[name]) <= set(found[name])]


def expect(wanted: dict[str, Any], machine: Machine, when: str) -> None:
    """Exit unless a machine is in the wanted state, with all services active."""
    found = machine.state()
    wrong = differences(wanted, found)
    if wrong:
        raise SystemExit(f"{machine.station} {when}: {', '.join(sorted(wrong))} differ")
    machine.run("systemctl", "is-active", found["DHCP server"], *SERVICES)


def forged_backup(backup: Path, folder: Path) -> Path:
    """Return a backup that has the right passphrase and an invalid database."""
    with Backup(str(backup)) as opened:
        keys = derive(PASSPHRASE, opened.header.salt)
        header = opened.header
        archive = opened.unseal(keys)
        inner = [(member, content_of(archive, member)) for member in archive]

    def fill(made: tarfile.TarFile) -> None:
        for member, kept in inner:
            replaced = b"no database" * 999 if member.name == "database" else kept
            member.size = len(replaced)
            made.addfile(member, io.BytesIO(replaced))

    path = folder / "forged.backup.tar"
    write(str(path), header, keys, fill)
    return path


def content_of(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    """Return the content of one file in an archive."""
    file = archive.extractfile(member)
    return file.read() if file else b""


def list_with_openssl(backup: Path, folder: Path) -> list[str]:
    """Return the names in a backup, as listed by tar and openssl."""
    subprocess.run(["tar", "-xf", str(backup), "-C", str(folder)], check=True)
    command = "openssl enc -d -aes-256-cbc -md sha256 -pbkdf2 -iter 600000 -in backup.tar.gz.enc -pass stdin | tar -tz"
    return subprocess.run(
        ["sh", "-c", command], input=PASSPHRASE, cwd=folder, capture_output=True, check=True, text=True
    ).stdout.split()


def try_bad_backups(runner: PlaybookRunner, machine: Machine, other: Machine) -> int:
    """Check that backups that are damaged or another station's are refused and change nothing; return the number of refusals."""
    own, foreign = runner.backup_of(machine.station), runner.backup_of(other.station)
    whole = own.read_bytes()
    half = len(whole) // 2
    bad = {
        "is damaged": whole[:half] + bytes([whole[half] ^ 1]) + whole[half + 1 :],
        "is cut off": whole[:half],
        "is not a backup of a station": os.urandom(4096),
    }
    before = machine.state()
    attempts = [
        ("stations", "it would go to", {"backup_file": str(own)}),
        (machine.station, f"-e restore_station={other.station}", {"backup_file": str(foreign)}),
        (
            machine.station,
            "was sealed with a passphrase other than backup_passphrase",
            {"backup_file": str(own), "backup_passphrase": "not that one at all"},
        ),
    ]
    for number, (sentence, damaged) in enumerate(bad.items()):
        path = runner.folder / f"bad-{number}"
        path.write_bytes(damaged)
        attempts.append((machine.station, sentence, {"backup_file": str(path)}))
    # Refused before anything reaches the station
    with ThreadPoolExecutor() as pool:
        done = [pool.submit(runner.play, "restore", station, sentence, **given) for station, sentence, given in attempts]
    for one in done:
        one.result()
    with machine.without_space():
        runner.play("restore", machine.station, "nothing was changed", backup_file=str(own))
    expect(before, machine, "after the refusals")
    runner.play("restore", machine.station, "everything is as it was", backup_file=str(forged_backup(own, runner.folder)))
    expect(before, machine, "after a failed restore")
    return len(attempts) + 2


def restore(runner: PlaybookRunner, machines: list[Machine], backups: list[Path]) -> None:
    """Restore each machine from a backup, all at once."""
    with ThreadPoolExecutor() as pool:
        done = [
            pool.submit(
                runner.play, "restore", machine.station, backup_file=str(backup), restore_station=backup.name.rsplit("-", 1)[0]
            )
            for machine, backup in zip(machines, backups, strict=True)
        ]
    for one in done:
        one.result()


def main() -> None:
    """Run all checks and print figures."""
    machines = [Machine(*argument.split("=", 1)) for argument in sys.argv[1:] if "=" in argument]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        runner = PlaybookRunner([argument for argument in sys.argv[1:] if "=" not in argument], folder)
        # Earlier plays may have published with variables of their own
        runner.play("profiles", "stations")
        runner.play("backup", "stations")
        states = [machine.state() for machine in machines]
        backups = [runner.backup_of(machine.station) for machine in machines]
        listed = list_with_openssl(backups[0], folder)
        if not {"etc/preprovision/certificates/server.key", "database"} <= set(listed):
            raise SystemExit(f"the server key or the database is missing in the backup; it contains {listed}")
        print(f"{len(listed)} entries in {backups[0].stat().st_size} bytes, opened with openssl and tar")
        refused = try_bad_backups(runner, machines[0], machines[-1])
        print(f"{refused} restores refused, each with one sentence; the station was unchanged")

        swapped = [*zip(states[1:], backups[1:], strict=True), (states[0], backups[0])]
        restore(runner, machines, [backup for _state, backup in swapped])
        runner.inventories.append(runner.write_exchanged(machines, [*machines[1:], machines[0]]))
        for when in ("as another", "after site", "after phones came"):
            for machine, (state, _backup) in zip(machines, swapped, strict=True):
                expect(state, machine, when)
            if when == "as another":
                runner.play("site", "stations")
            elif when == "after site":
                runner.play("check", "stations")
        runner.inventories.pop()
        restore(runner, machines, backups)
        for machine, state in zip(machines, states, strict=True):
            expect(state, machine, "as itself again")
        # A backup has no profiles: those of the other station's settings are still published
        runner.play("profiles", "stations")
        print(f"{len(machines)} stations exchanged; site changed nothing, and phones booted with the other station's keys")
    if PASSPHRASE in runner.printed:
        raise SystemExit("the passphrase was printed")


if __name__ == "__main__":
    main()
