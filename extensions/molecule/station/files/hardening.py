# SPDX-License-Identifier: GPL-3.0-or-later
"""Run on a station: how services are confined, by what systemd counts and by what a stranger who has taken one over could do.

Each process of a unit is stood in for by one in its mount namespace and its control group, as its user, without capabilities.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

# Where nobody writes; the file system itself says so, to root too
READ_ONLY = ("/etc", "/usr", "/opt", "/boot", "/srv/preprovision/current/", "/usr/local/lib/preprovision")
HIDDEN = ("/etc/shadow", "/etc/gshadow", "/srv/preprovision/current/manifest.jsonl")
KEYS = Path("/etc/preprovision/certificates")
DEVICES = Path("/srv/preprovision/current/device")
OUTSIDE = "198.51.100.99"
SEND = f"import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'', ('{OUTSIDE}', 9))"

# Bits of capabilities(7)
CAPABILITIES = {"SETGID": 6, "SETUID": 7, "NET_BIND_SERVICE": 10, "NET_RAW": 13}


@dataclass(frozen=True)
class Unit:
    """What one may do."""

    limit: int
    """Exposure as systemd-analyze counts it, ten times and rounded up."""
    capabilities: str | None = None
    """Of its processes; None when it has none that stay."""
    goes_out: bool = False
    """Whether it speaks with others than the bench."""
    serves_devices: bool = False


UNITS = {
    "nginx.service": Unit(20, "NET_BIND_SERVICE SETUID SETGID", serves_devices=True),
    "isc-dhcp-server.service": Unit(20, "NET_RAW NET_BIND_SERVICE"),
    "unbound.service": Unit(20, "NET_BIND_SERVICE"),
    "chrony.service": Unit(20, "NET_BIND_SERVICE", goes_out=True),
    "preprovision-log.service": Unit(14, "NET_BIND_SERVICE"),
    "preprovision-tftp.service": Unit(25, "NET_BIND_SERVICE"),
    "preprovision-service.service": Unit(10, ""),
    "preprovision-events.service": Unit(10, ""),
    "preprovision-fence-report.service": Unit(10, ""),
    "preprovision-dhcp-watch.service": Unit(10, ""),
    "preprovision-dhcp-stop.service": Unit(10),
    # What changes the machine's network cannot get below
    "preprovision-bench.service": Unit(11),
    "preprovision-bench-ports.service": Unit(11),
    "preprovision-fence.service": Unit(11),
}
# Judged when named, by those who switch them on
OFF_BY_DEFAULT = {
    "preprovision-stun.service": Unit(13, ""),
    "preprovision-capture.service": Unit(13, "NET_RAW"),
}


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    environment = {"LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin"}
    return subprocess.run(command, capture_output=True, encoding="latin-1", check=False, env=environment)


def status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _colon, value in (line.partition(":") for line in lines)}


def as_user(name: str, pid: int, command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command where this process is, as its user."""
    facts = status(pid)
    groups = facts["Groups"].split()
    become = ["setpriv", "--reuid", facts["Uid"].split()[1], "--regid", facts["Gid"].split()[1]]
    become += ["--groups", ",".join(groups)] if groups else ["--clear-groups"]
    become += ["--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]
    join = ["sh", "-c", f'echo $$ >/sys/fs/cgroup/system.slice/{name}/cgroup.procs && exec "$@"', "sh"]
    return run([*join, "nsenter", f"--target={pid}", "--mount", f"--net=/proc/{pid}/ns/net", *become, *command])


def read_only(pid: int) -> list[str]:
    wrong = []
    for folder in READ_ONLY:
        made = run(["nsenter", f"--target={pid}", "--mount", "touch", f"{folder.rstrip('/')}/.probe"])
        if "Read-only file system" not in made.stderr:
            wrong.append(f"{folder} is not read-only for it: {made.stderr.strip() or 'written'}")
            Path(folder, ".probe").unlink(missing_ok=True)
    return wrong


def judge_process(name: str, unit: Unit, pid: int) -> list[str]:
    """Say what this process could do that it should not."""
    wrong, facts = [], status(pid)
    if facts["NoNewPrivs"] != "1" or facts["Seccomp"] != "2":
        wrong.append("it may gain privileges or make any system call")
    granted = sum(1 << CAPABILITIES[capability] for capability in unit.capabilities.split())
    if int(facts["CapBnd"], 16) & ~granted:
        wrong.append(f"it may have the capabilities {facts['CapBnd']}")
    wrong += read_only(pid)
    # nginx's first process is root's, to read the key
    if facts["Uid"].split()[1] == "0":
        return wrong if unit.serves_devices else [*wrong, "it is root"]
    devices = [str(path) for path in DEVICES.iterdir()]
    hidden = [*HIDDEN, *map(str, KEYS.rglob("*.key")), *devices]
    shown = as_user(name, pid, ["sh", "-c", 'for file; do cat "$file" >/dev/null 2>&1 && echo "$file"; done', "sh", *hidden])
    wrong += [f"it reads {path}" for path in sorted(set(shown.stdout.splitlines()) - set(devices if unit.serves_devices else []))]
    if unit.serves_devices and not set(devices) <= set(shown.stdout.splitlines()):
        wrong.append("it cannot read what it serves")
    if not unit.goes_out:
        sent = as_user(name, pid, ["python3", "-c", SEND])
        if "Operation not permitted" not in sent.stderr and "Network is unreachable" not in sent.stderr:
            wrong.append(f"it sends to {OUTSIDE}: {sent.stderr.strip()[-100:] or 'sent'}")
    return wrong


def judge(name: str, unit: Unit) -> list[str]:
    measured = run(["systemd-analyze", "security", "--no-pager", f"--threshold={unit.limit}", name])
    exposure = measured.stdout.rpartition(": ")[2].split(" ")[0]
    wrong = [f"that is more than {unit.limit / 10}"] if measured.returncode else []
    told = "no process"
    if unit.capabilities is not None:
        run(["systemctl", "start", name])
        pids = [int(pid) for pid in Path(f"/sys/fs/cgroup/system.slice/{name}/cgroup.procs").read_text().split()]
        wrong += sorted({line for pid in pids for line in judge_process(name, unit, pid)})
        told = f"{len(pids)} of the users {', '.join(sorted({status(pid)['Uid'].split()[1] for pid in pids}))}"
    print(f"{name}: exposure {exposure}; {told}:", "; ".join(wrong) or "confined")
    return wrong


def main() -> None:
    units = {name: OFF_BY_DEFAULT[name] for name in sys.argv[1:]} or UNITS
    sys.exit(1 if [line for name, unit in units.items() for line in judge(name, unit)] else 0)


main()
