# SPDX-License-Identifier: GPL-3.0-or-later
"""Let a role's daemons run with other files than the role's, let the role die while it mends that, and see what runs in the end.

lost_restarts.py sabotage ROLE NUMBER    change every file of ROLE, restart its units, and let the NUMBERth call of systemctl that
                                         changes something kill its caller instead
lost_restarts.py killed                  print whether that has happened, and let systemctl work again
lost_restarts.py judge ROLE              end with an error that names each unit that does not run as its files say
lost_restarts.py ask SECONDS URL         ask until /run/lost-restarts-stop exists; print how many requests were answered and lost
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

UNITS = Path("/etc/systemd/system")
# Before the real one in the path
WRAPPER = Path("/usr/local/sbin/systemctl")
LEFT = Path("/run/lost-restarts-left")
NOTED = Path("/run/lost-restarts-noted")
STOP = Path("/run/lost-restarts-stop")
SCRIPT = f"""#!/bin/sh
case " $* " in
    *" daemon-reload "* | *" restart "* | *" start "* | *" reload "* | *" enable "*)
        left=$(($(cat {LEFT}) - 1))
        echo $left >{LEFT}
        if test $left = 0; then
            kill -9 $PPID
            exit 1
        fi;;
esac
exec /usr/bin/systemctl "$@"
"""
DRIFT = "\n# drift\n"
# Those of the machine, and what a reload brings up to date
NOT_STARTED = ("nftables.service", "NetworkManager.service", "preprovision-firewall.service")
# A reload is enough for what this role adds to that unit
RELOADED = {"profile_service": "nginx.service"}


def files(role: str) -> list[Path]:
    """Return the text files of a role in which a line with # is a comment."""
    mark = f"Managed by Ansible (voip.preprovision.{role})".encode()
    found = (
        path
        for path in Path("/etc").rglob("*")
        if path.is_file() and not path.is_symlink() and path.suffix not in (".json", ".pem")
    )
    return sorted(path for path in found if path.read_bytes()[:200].startswith(b"# " + mark))


def units(role: str) -> list[str]:
    """Return the services and sockets that a role's files are about and that are active."""
    own = (path for path in files(role) if path.is_relative_to(UNITS))
    names = {path.parent.name.removesuffix(".d") if path.parent != UNITS else path.name for path in own}
    names = {name for name in names if name.endswith((".service", ".socket")) and name not in NOT_STARTED}
    return sorted(name for name in names if show(name, "ActiveState") == "active")


def show(unit: str, name: str) -> str:
    """Return a property of a unit."""
    return subprocess.run(
        ["/usr/bin/systemctl", "show", f"--property={name}", "--value", unit], check=True, text=True, stdout=-1
    ).stdout.strip()


def run_of(role: str, unit: str) -> str:
    """Return what differs once a unit has started again, or where that is enough, reloaded: the children of its main process."""
    if RELOADED.get(role) != unit:
        return show(unit, "InvocationID")
    main = show(unit, "MainPID")
    return Path(f"/proc/{main}/task/{main}/children").read_text()


def sabotage(role: str, number: str) -> None:
    """Let everything run with other files, and set the trap."""
    for path in files(role):
        with path.open("a") as file:
            file.write(DRIFT)
    subprocess.run(["/usr/bin/systemctl", "daemon-reload"], check=True)
    names = units(role)
    if names:
        subprocess.run(["/usr/bin/systemctl", "restart", *names], check=True)
    NOTED.write_text(json.dumps({name: run_of(role, name) for name in names}))
    LEFT.write_text(number)
    WRAPPER.write_text(SCRIPT)
    WRAPPER.chmod(0o755)


def killed() -> None:
    """Take the trap away."""
    WRAPPER.unlink()
    print("killed" if int(LEFT.read_text()) <= 0 else "ended by itself")


def judge(role: str) -> None:
    """Compare what runs with what it ran with, by systemd's own number for each start, or by processes."""
    wrong = [f"{path} is not repaired" for path in files(role) if DRIFT.strip() in path.read_text().splitlines()]
    for name, earlier in json.loads(NOTED.read_text()).items():
        if show(name, "ActiveState") != "active":
            wrong.append(f"{name} does not run")
        elif show(name, "NeedDaemonReload") != "no":
            wrong.append(f"systemd has not read {name}")
        elif run_of(role, name) == earlier:
            wrong.append(f"{name} runs with other files")
        elif (process := show(name, "MainPID") if name.endswith(".service") else "0") != "0":
            status = Path(f"/proc/{process}/status").read_text()
            wrong += [f"{name}: not {line}" for line in ("NoNewPrivs:\t1", "Seccomp:\t2") if line not in status]
    if wrong:
        sys.exit("; ".join(wrong))


def ask(seconds: str, url: str) -> None:
    """Send requests, each by a connection of its own."""
    answered = lost = 0
    where = urlsplit(url)
    ends = time.monotonic() + float(seconds)
    while not STOP.exists() and time.monotonic() < ends:
        client = http.client.HTTPConnection(where.hostname or "", timeout=30)
        try:
            client.request("GET", where.path)
            client.getresponse().read()
            answered += 1
        except (OSError, http.client.HTTPException):
            lost += 1
        finally:
            client.close()
        time.sleep(0.002)
    STOP.unlink(missing_ok=True)
    print(f"{answered} answered, {lost} lost")


if __name__ == "__main__":
    verbs = {function.__name__: function for function in (sabotage, killed, judge, ask)}
    verbs[sys.argv[1]](*sys.argv[2:])
