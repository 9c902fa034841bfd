# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ask the station's daemons all the time whether they answer, write down what they say, and end those that hang.

    python3 -m preprovision.station.agents.health ADDRESS FILE

ADDRESS: the station's on the bench. FILE: replaced after each round, for the board and others; see State. systemd starts again what
is ended here, since every unit of a station has Restart=.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from ...common.notify import ALIVE, READY, notify
from ...common.services import HUNG, SERVICES
from .questions import NO_ANSWER, NOT_LISTENING, Answer, Target, ask_all, cpu_time, unfollowed_servers
from .units import read_units, silent_reporters

INTERVAL = 10
"""Seconds between two rounds of questions."""

SILENT_ROUNDS = 3
"""A daemon that was silent for so many rounds in a row is ended; a slow disk may hold one up for longer than a round."""

BUSY_ROUNDS = 12
"""The same for a daemon that computes meanwhile: it may only be slow."""

START_SECONDS = 30
"""A daemon that has just started may take so long until it answers."""

MAX_RESTARTS = 5
"""In REMEMBERED seconds; a daemon that hangs again and again is left alone, so that its state can be looked at."""

REMEMBERED = 3600

FOLLOW_SECONDS = 900
"""A time server may take so long until it follows one of its servers; it asks seldom, and a network may start late."""

_BUSY = 0.2
_WARNING = "<4>"
_ALERT = "<1>"


class Restart(TypedDict):
    """A daemon that was ended because it hung."""

    service: str
    time: int
    """Seconds since 1970."""
    answer: str


class State(TypedDict):
    """The content of the file."""

    time: int
    """Seconds since 1970, after the round."""
    services: dict[str, str]
    """As in StationFacts: systemd's state, or ``hung``."""
    answers: dict[str, str]
    restarts: list[Restart]
    unfollowed: list[str]
    """The time server's own servers if it has followed none of them for FOLLOW_SECONDS."""


@dataclass
class TimeSource:
    """For how long the time server has followed none of its servers."""

    _since: float = 0
    _unfollowed: bool = False

    def hear(self, servers: Sequence[str], now: float) -> list[str]:
        """Take the servers that it does not follow now, by the monotonic clock; return them if that goes on for long."""
        if not servers or not self._unfollowed:
            self._since, self._unfollowed = now, bool(servers)
        return list(servers) if servers and now - self._since >= FOLLOW_SECONDS else []


@dataclass
class Judge:
    """Which daemon is to be ended, from what all have answered in each round."""

    _silent: dict[str, int] = field(default_factory=dict)
    _restarts: deque[Restart] = field(default_factory=deque)
    _given_up: set[str] = field(default_factory=set)

    def hear(self, answers: Mapping[str, Answer], busy: Mapping[str, bool], ages: Mapping[str, float], now: int) -> str:
        """Take the answers of a round, by service; return the service to end, or an empty text. One at a time, in their order.

        *busy*: whether it has computed meanwhile. *ages*: seconds since it started.
        """
        # Those of a clock that was ahead count no longer either
        while self._restarts and not now - REMEMBERED < self._restarts[0]["time"] <= now:
            self._restarts.popleft()
        hangs = {name: is_silence(answer) and ages.get(name, 0) >= START_SECONDS for name, answer in answers.items()}
        # Behind a web server that hangs, nobody knows
        if hangs.get("web"):
            hangs["service"] = False
        self._silent = {name: self._silent.get(name, 0) + 1 for name, hung in hangs.items() if hung}
        due = (name for name in SERVICES if self._silent.get(name, 0) >= (BUSY_ROUNDS if busy.get(name) else SILENT_ROUNDS))
        chosen = next((name for name in due if self._restarts_of(name) < MAX_RESTARTS), "")
        if chosen:
            self._restarts.append({"service": chosen, "time": now, "answer": answers[chosen]})
            self._silent.pop(chosen)
        return chosen

    def given_up(self) -> list[str]:
        """Return the services that are ended no more, each once until that changes."""
        now = {name for name in self._silent if self._restarts_of(name) >= MAX_RESTARTS}
        new, self._given_up = now - self._given_up, now
        return sorted(new)

    def _restarts_of(self, name: str) -> int:
        return sum(restart["service"] == name for restart in self._restarts)

    @property
    def restarts(self) -> list[Restart]:
        """The latest restarts."""
        return list(self._restarts)


def is_silence(answer: Answer) -> bool:
    """Return whether a daemon is silent; one that says what is wrong is not helped by a restart."""
    return answer.startswith((NO_ANSWER, NOT_LISTENING))


def end_unit(target: Target, unit: str) -> int:
    """Send SIGKILL to all processes of a unit, which also ends stopped ones; return their number."""
    ended = 0
    for pid in _processes(target, unit):
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            # The number may belong to another process by now
            if pid in _processes(target, unit):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
                ended += 1
        except ProcessLookupError:
            pass
        finally:
            os.close(handle)
    return ended


def _processes(target: Target, unit: str) -> list[int]:
    try:
        return [int(line) for line in Path(target.control_groups, unit, "cgroup.procs").read_text().split()]
    except OSError:
        return []


def ask_round(target: Target, judge: Judge, source: TimeSource, say: Callable[[str], None]) -> State:
    """Ask all once, end at most one, and return what the file is to hold."""
    units = read_units()
    if not units:
        # Without its file, the board says that nobody asks
        raise SystemExit("systemd does not say how the services are; read 'systemctl status dbus.service'")
    services = {name: unit.state for name, unit in units.items()}
    answers = {name: unit.said for name, unit in units.items() if unit.state != "active" and unit.said}
    active = {name: SERVICES[name].unit for name, state in services.items() if state == "active"}
    begun, worked = time.monotonic(), {name: cpu_time(target, unit) for name, unit in active.items()}
    heard = ask_all(target, active)
    seconds = time.monotonic() - begun
    busy = {name: cpu_time(target, unit) - worked[name] > _BUSY * seconds * 1e6 for name, unit in active.items()}
    follows = unfollowed_servers(target) if "time" in active and not heard.get("time") else []
    unfollowed = source.hear(follows, time.monotonic())
    silent = {name: answer for name, answer in heard.items() if answer} | silent_reporters(units, time.monotonic())
    now = int(time.time())
    chosen = judge.hear(heard, busy, {name: units[name].age for name in active}, now)
    if chosen:
        end_unit(target, SERVICES[chosen].unit)
        say(f"{_ALERT}{SERVICES[chosen].called} {heard[chosen]}; it is ended, and systemd starts it again")
    for name in judge.given_up():
        say(
            f"{_ALERT}{SERVICES[name].called} {heard[name]}; it was started again {MAX_RESTARTS} times within an hour, and is left"
            f" alone now; read 'journalctl -u {SERVICES[name].unit}'"
        )
    services |= dict.fromkeys(silent, HUNG)
    return {
        "time": now,
        "services": services,
        "answers": answers | silent,
        "restarts": judge.restarts,
        "unfollowed": unfollowed,
    }


def write_state(path: Path, state: State) -> None:
    """Replace the file in one step; it lies in memory, so nothing is synchronised."""
    new = path.with_name(f".{path.name}.new")
    new.write_text(json.dumps(state))
    new.chmod(0o644)
    new.rename(path)


def main(arguments: Sequence[str]) -> int:
    """Ask until systemd ends it."""
    target, path, judge, source = Target(arguments[0]), Path(arguments[1]), Judge(), TimeSource()
    notify(READY)
    while True:
        write_state(path, ask_round(target, judge, source, _say))
        notify(ALIVE)
        time.sleep(INTERVAL)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
