# SPDX-License-Identifier: GPL-3.0-or-later
"""Break a cluster of database servers in every way while phones resync, and show that nothing is lost.

    database_faults.py MACHINE SERVICE_MACHINE SERVICE_ADDRESS MEMBER=MEMBER_MACHINE...

MACHINE: path of tests/machines/machine. The members and the provisioning server are such machines; members have names of
their own. Prints for each fault: resyncs tried and failed, the longest, events lost and doubled, and the primary before and after.
Ends with an error if a resync failed, an event was lost or doubled, or what only a cut-off primary had written is found afterwards.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

CLIENTS = Path(__file__).with_name("database_clients.py")
SECONDS, THREADS = 60, 4
BEFORE = 8
"""Seconds of resyncs before the fault."""
WAIT_SECONDS = 120
"""Seconds in which the cluster must have healed."""
CUT_OFF = """
table inet cut_off {
    chain input { type filter hook input priority -300; iifname != "lo" drop; }
    chain output { type filter hook output priority -300; oifname != "lo" drop; }
}
"""


class Cluster:
    """The machines of the test."""

    def __init__(self, machine: str, service: str, address: str, members: dict[str, str]) -> None:
        """*machine*: the script; *service*, *address*: of the provisioning server; *members*: machines by member."""
        self.machine, self.service, self.address, self.members = machine, service, address, members

    def argv(self, machine: str, *command: str) -> list[str]:
        """Return how to run a command on a machine."""
        return [self.machine, "run", "podman", "exec", "--interactive", machine, *command]

    def run(self, name: str, *command: str, text: str = "", seconds: float = 60) -> str:
        """Run a command on a member; return what it prints, or an empty string if it fails or takes too long."""
        argv = self.argv(self.members[name], *command)
        try:
            done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=seconds, check=False)
        except subprocess.TimeoutExpired:
            return ""
        return done.stdout.strip() if not done.returncode else ""

    def must(self, name: str, *command: str, text: str = "") -> None:
        """Run a command that has to succeed: a fault that does not happen proves nothing."""
        subprocess.run(self.argv(self.members[name], *command), input=text, text=True, timeout=60, check=True)

    def sql(self, name: str, statement: str, seconds: float = 20) -> str:
        """Ask a member's own PostgreSQL, as its superuser."""
        psql = ("psql", "--no-psqlrc", "--tuples-only", "--no-align", f"--command={statement}", "preprovision")
        return self.run(name, "timeout", str(seconds), "runuser", "--user=postgres", "--", *psql, seconds=seconds + 10)

    def states(self) -> dict[str, str]:
        """Return each member's role and state, as a member that can says."""
        for name in self.members:
            told = self.run(name, "patronictl", "-c", "/etc/preprovision-database/patroni.yml", "list", "--format=json", seconds=20)
            if told:
                return {one["Member"]: f"{one['Role']} {one['State']}" for one in json.loads(told)}
        return {}

    def primary(self) -> str:
        """Return the name of the primary, once there is one."""
        end = time.time() + WAIT_SECONDS
        while time.time() < end:
            for name, state in self.states().items():
                if state == "Leader running":
                    return name
            time.sleep(1)
        sys.exit(f"no primary within {WAIT_SECONDS} s: {self.states()}")

    def wait(self) -> dict[str, str]:
        """Wait until there is one primary that all others follow, one of them in step with it."""
        end = time.time() + WAIT_SECONDS
        while time.time() < end:
            states = self.states()
            good = sorted(states.values())
            led = len(good) == len(self.members) and good[0] == "Leader running" and good[-1].startswith("Sync Standby")
            if led and all(state.endswith((" running", " streaming")) for state in good):
                return states
            time.sleep(1)
        sys.exit(f"the cluster did not heal within {WAIT_SECONDS} s: {self.states()}")

    def events(self) -> tuple[int, int]:
        """Return how many events of profiles are stored, and how many different ones."""
        told = ""
        while not told:
            told = self.sql(self.primary(), "SELECT count(*), count(DISTINCT key) FROM events WHERE kind = 'profile'")
        stored, different = told.split("|")
        return int(stored), int(different)

    def quiet_events(self) -> tuple[int, int]:
        """Return the same once no more events come."""
        found = self.events()
        while True:
            time.sleep(8)
            again = self.events()
            if again == found:
                return found
            found = again


def kill_primary(cluster: Cluster, name: str) -> None:
    """Kill Patroni and PostgreSQL, which systemd starts again."""
    cluster.must(name, "systemctl", "kill", "--kill-whom=all", "--signal=KILL", "patroni.service")


def cut_off(cluster: Cluster, name: str) -> None:
    """Drop all packets from and to the primary."""
    cluster.must(name, "nft", "-f", "-", text=CUT_OFF)


def bring_back(cluster: Cluster, _name: str) -> None:
    """Let packets pass again on all members."""
    for member in cluster.members:
        cluster.run(member, "nft", "delete", "table", "inet", "cut_off")


def stop_voter(cluster: Cluster, name: str) -> None:
    """Stop etcd on a standby."""
    other = next(member for member in cluster.members if member != name)
    cluster.must(other, "systemctl", "stop", "etcd.service")


def start_voter(cluster: Cluster, _name: str) -> None:
    """Start it again."""
    for member in cluster.members:
        cluster.run(member, "systemctl", "start", "etcd.service")


def freeze(cluster: Cluster, name: str) -> None:
    """Let the primary's processes hang for half a minute, longer than its time as a leader."""
    cluster.must(name, "systemctl", "kill", "--kill-whom=all", "--signal=STOP", "patroni.service")


def thaw(cluster: Cluster, _name: str) -> None:
    """Let them go on."""
    for member in cluster.members:
        cluster.run(member, "systemctl", "kill", "--kill-whom=all", "--signal=CONT", "patroni.service")


def nothing(_cluster: Cluster, _name: str) -> None:
    """Break nothing, as the measure of all else."""


FAULTS: list[tuple[str, Callable[[Cluster, str], None], Callable[[Cluster, str], None]]] = [
    ("nothing", nothing, nothing),
    ("the primary is killed", kill_primary, nothing),
    ("the primary is cut off, and comes back", cut_off, bring_back),
    ("the primary hangs, and goes on", freeze, thaw),
    ("a voter of etcd stops", stop_voter, start_voter),
]


def judge(cluster: Cluster, what: str, do: Callable[[Cluster, str], None], undo: Callable[[Cluster, str], None]) -> list[str]:
    """Cause a fault while phones resync; print a line about it, and return what was wrong."""
    cluster.wait()
    before, stored = cluster.primary(), cluster.quiet_events()
    argv = cluster.argv(cluster.service, "python3", "-", cluster.address, str(SECONDS), str(THREADS))
    with CLIENTS.open() as program:
        clients = subprocess.Popen(argv, stdin=program, stdout=subprocess.PIPE, text=True)
    time.sleep(BEFORE)
    do(cluster, before)
    problems = second_truth(cluster, before) if do is cut_off else []
    time.sleep(SECONDS * 2 // 3 - BEFORE)
    undo(cluster, before)
    told: dict[str, Any] = json.loads(clients.communicate()[0])
    cluster.wait()
    tried = sum(told["answers"].values())
    failed = tried - told["answers"].get("200", 0)
    lost, doubled = settle(cluster, stored, tried)
    found = cluster.sql(cluster.primary(), "SELECT count(*) FROM customers WHERE name = 'second truth'")
    problems += [f"{failed} resyncs failed: {told['failures']}"] if failed else []
    problems += [f"only {tried} resyncs, which prove nothing"] if tried < SECONDS else []
    problems += [f"{lost} events lost, {doubled} doubled"] if lost or doubled else []
    problems += ["what only the old primary had written is there"] if found != "0" else []
    row = f"{what:40} tried {tried:5}, failed {failed:2}, longest {told['longest']:5.1f} s, events lost {lost}, doubled {doubled}"
    print(f"{row}, primary {before} -> {cluster.primary()}", flush=True)
    return [f"{what}: {problem}" for problem in problems]


def second_truth(cluster: Cluster, name: str) -> list[str]:
    """Try to write on a primary that is cut off; return what is wrong if it confirms that."""
    written = cluster.sql(
        name, "INSERT INTO customers (name, provisioning_url, redirect) VALUES ('second truth', '', '')", seconds=15
    )
    return ["the primary confirmed a write that no standby had"] if written else []


def settle(cluster: Cluster, stored: tuple[int, int], tried: int) -> tuple[int, int]:
    """Wait for the events of all resyncs; return how many are lost and doubled."""
    end = time.time() + 60
    while True:
        total, different = cluster.events()
        lost, doubled = tried - (different - stored[1]), (total - stored[0]) - (different - stored[1])
        if not lost or time.time() > end:
            return lost, doubled
        time.sleep(1)


def main() -> None:
    """Cause one fault after the other."""
    machine, service, address, *members = sys.argv[1:]
    cluster = Cluster(machine, service, address, dict(member.split("=", 1) for member in members))
    problems = [problem for fault in FAULTS for problem in judge(cluster, *fault)]
    sys.exit("\n".join(problems) or 0)


if __name__ == "__main__":
    main()
