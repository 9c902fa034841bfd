# SPDX-License-Identifier: GPL-3.0-or-later
"""Run on a station: check how services are confined, by systemd's exposure figure and by what an attacker inside each could do.

Each process of a unit is represented by a stand-in with the same mount namespace, control group and user, but no capabilities.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

# Mounted read-only for services, even for root
READ_ONLY = ("/etc", "/usr", "/opt", "/boot", "/srv/preprovision/current/", "/usr/local/lib")
HIDDEN = ("/etc/shadow", "/etc/gshadow", "/srv/preprovision/current/manifest.jsonl")
KEYS = Path("/etc/preprovision/certificates")
# Folders of files for single phones, of which a station has those of its deliveries
PHONES_FILES = {name: Path("/srv/preprovision/current", name) for name in ("device", "units")}
OUTSIDE = "198.51.100.99"
PASSWORDS = "/etc/nginx/preprovision.passwords"
SERVICE = "/run/preprovision-service.sock"
CONNECT = f"import socket; socket.socket(socket.AF_UNIX).connect({SERVICE!r})"
SEND = f"import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'', ('{OUTSIDE}', 9))"

# Bits of capabilities(7)
CAPABILITIES = {"KILL": 5, "SETGID": 6, "SETUID": 7, "NET_BIND_SERVICE": 10, "NET_RAW": 13}


@dataclass(frozen=True)
class Unit:
    """Describe what a unit may do."""

    limit: int
    """Highest exposure according to systemd-analyze, times ten, rounded up."""
    capabilities: str | None = None
    """Capabilities of its processes; None for units without a lasting process."""
    goes_out: bool = False
    """Whether it communicates beyond the bench."""
    serves: str = ""
    """The folder of phones' files that it serves."""


KEA = "kea-dhcp4-server.service"
DHCP_SERVER = KEA if Path("/etc/systemd/system", KEA).exists() else "isc-dhcp-server.service"
UNITS = {
    "nginx.service": Unit(20, "NET_BIND_SERVICE SETUID SETGID", serves="device"),
    DHCP_SERVER: Unit(20, "NET_RAW NET_BIND_SERVICE"),
    "unbound.service": Unit(20, "NET_BIND_SERVICE"),
    "chrony.service": Unit(20, "NET_BIND_SERVICE", goes_out=True),
    "preprovision-log.service": Unit(14, "NET_BIND_SERVICE"),
    "preprovision-log-bound.service": Unit(10),
    "preprovision-tftp.service": Unit(25, "NET_BIND_SERVICE", serves="units"),
    "preprovision-arming.service": Unit(10),
    "preprovision-arming-trigger.service": Unit(10),
    "preprovision-service.service": Unit(10, ""),
    "preprovision-database.service": Unit(10),
    "preprovision-database-heal.service": Unit(10),
    "preprovision-events.service": Unit(10, ""),
    "preprovision-firewall-alerts.service": Unit(10, ""),
    "preprovision-dhcp-watch.service": Unit(10, ""),
    "preprovision-address-watch.service": Unit(13, "NET_RAW"),
    "preprovision-health.service": Unit(14, "KILL"),
    # Units that change the machine's network cannot get below this
    "preprovision-bench.service": Unit(11),
    "preprovision-bench-ports.service": Unit(11),
    "preprovision-firewall.service": Unit(11),
    "preprovision-tftp-neighbours.service": Unit(11),
}
# Checked only if named on the command line, by the scenarios that enable them
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


def run_like_process(name: str, pid: int, command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command in a process's namespaces and control group, as its user."""
    facts = status(pid)
    groups = facts["Groups"].split()
    become = ["setpriv", "--reuid", facts["Uid"].split()[1], "--regid", facts["Gid"].split()[1]]
    become += ["--groups", ",".join(groups)] if groups else ["--clear-groups"]
    become += ["--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]
    join = ["sh", "-c", f'echo $$ >/sys/fs/cgroup/system.slice/{name}/cgroup.procs && exec "$@"', "sh"]
    return run([*join, "nsenter", f"--target={pid}", "--mount", f"--net=/proc/{pid}/ns/net", *become, *command])


def check_read_only(pid: int) -> list[str]:
    wrong = []
    for folder in READ_ONLY:
        made = run(["nsenter", f"--target={pid}", "--mount", "touch", f"{folder.rstrip('/')}/.probe"])
        if "Read-only file system" not in made.stderr:
            wrong.append(f"{folder} is not read-only: {made.stderr.strip() or 'written'}")
            Path(folder, ".probe").unlink(missing_ok=True)
    return wrong


def phones_files(folder: Path) -> set[str]:
    """Return the files for single phones in a folder; links in it lead to open files."""
    return {str(path) for path in folder.rglob("*") if path.is_file() and not path.is_symlink()}


def check_process(name: str, unit: Unit, pid: int) -> list[str]:
    """Return everything a process could do but should not."""
    wrong, facts = [], status(pid)
    if facts["NoNewPrivs"] != "1" or facts["Seccomp"] != "2":
        wrong.append("it may gain privileges or make arbitrary system calls")
    granted = sum(1 << CAPABILITIES[capability] for capability in unit.capabilities.split())
    if int(facts["CapBnd"], 16) & ~granted:
        wrong.append(f"it may have the capabilities {facts['CapBnd']}")
    wrong += check_read_only(pid)
    # nginx's master process runs as root to read the key
    if facts["Uid"].split()[1] == "0":
        return wrong if unit.serves == "device" else [*wrong, "it runs as root"]
    of_phones = {name: phones_files(folder) for name, folder in PHONES_FILES.items()}
    served = of_phones.get(unit.serves, set())
    hidden = [*HIDDEN, *map(str, KEYS.rglob("*.key")), *of_phones["device"], *of_phones["units"]]
    shown = run_like_process(
        name, pid, ["sh", "-c", 'for file; do cat "$file" >/dev/null 2>&1 && echo "$file"; done', "sh", *hidden]
    )
    wrong += [f"it reads {path}" for path in sorted(set(shown.stdout.splitlines()) - served)]
    if not served <= set(shown.stdout.splitlines()):
        wrong.append("it cannot read the files that it serves")
    if not unit.goes_out:
        sent = run_like_process(name, pid, ["python3", "-c", SEND])
        if "Operation not permitted" not in sent.stderr and "Network is unreachable" not in sent.stderr:
            wrong.append(f"it sends to {OUTSIDE}: {sent.stderr.strip()[-100:] or 'sent'}")
    return wrong


def check_processes(name: str, unit: Unit) -> tuple[list[str], list[str]]:
    """Return the users of a unit's processes, and everything these could do but should not."""
    for _attempt in range(5):
        pids = [int(pid) for pid in Path(f"/sys/fs/cgroup/system.slice/{name}/cgroup.procs").read_text().split()]
        try:
            wrong = sorted({line for pid in pids for line in check_process(name, unit, pid)})
            return [status(pid)["Uid"].split()[1] for pid in pids], wrong
        except (FileNotFoundError, ProcessLookupError):
            # It has ended meanwhile, such as one that systemd starts before the unit's own
            continue
    return [], ["its processes end again and again"]


def check(name: str, unit: Unit) -> list[str]:
    measured = run(["systemd-analyze", "security", "--no-pager", f"--threshold={unit.limit}", name])
    exposure = measured.stdout.rpartition(": ")[2].split(" ")[0]
    wrong = [f"exposure is above {unit.limit / 10}"] if measured.returncode else []
    processes = "no process"
    if unit.capabilities is not None:
        run(["systemctl", "start", name])
        users, found = check_processes(name, unit)
        wrong += found
        processes = f"{len(users)} processes of the users {', '.join(sorted({*users}))}"
    print(f"{name}: exposure {exposure}; {processes}:", "; ".join(wrong) or "confined")
    return wrong


def check_namesake() -> list[str]:
    """Return everything that a process of nginx's user, but not of its unit, could do."""
    outside = ["setpriv", "--reuid=www-data", "--regid=www-data", "--init-groups", "--"]
    files = [PASSWORDS, *(path for folder in PHONES_FILES.values() for path in phones_files(folder))]
    pids = [int(pid) for pid in Path("/sys/fs/cgroup/system.slice/nginx.service/cgroup.procs").read_text().split()]
    workers = [f"/proc/{pid}/maps" for pid in pids if status(pid)["Uid"].split()[1] != "0"]
    shown = run([*outside, "sh", "-c", 'for file; do cat "$file" >/dev/null 2>&1 && echo "$file"; done', "sh", *files, *workers])
    wrong = [f"it reads {path}" for path in shown.stdout.splitlines()] + ([] if workers else ["nginx has no worker to trace"])
    if "PermissionError" not in run([*outside, "python3", "-c", CONNECT]).stderr:
        wrong.append(f"it connects to {SERVICE}")
    print("www-data outside nginx:", "; ".join(wrong) or "confined")
    return wrong


def main() -> None:
    if not any(map(phones_files, PHONES_FILES.values())):
        sys.exit("there are no files of single phones")
    units = {name: OFF_BY_DEFAULT[name] for name in sys.argv[1:]} or UNITS
    wrong = [line for name, unit in units.items() for line in check(name, unit)]
    sys.exit(1 if wrong + ([] if sys.argv[1:] else check_namesake()) else 0)


main()
