# SPDX-License-Identifier: GPL-3.0-or-later
"""Simulate phones at home that resync to provisioning servers: how long it takes until all have an answer, and what it costs.

    .venv/bin/python tests/benchmarks/fleet_simulation.py [--cost 0.0015] [--cores 2] ...

A phone resyncs after a random part of Resync_Random_Delay, then by Resync_At or Resync_Periodic, and after a failure by
Resync_Error_Retry_Delay. It asks the addresses of the name in random order: the next one if nothing answers in time, none after a
503. Phones ignore Retry-After. A server handles requests in the order in which they came, each with the CPU time that home.py
measures, and refuses those beyond its limit. A request whose phone has given up still costs CPU time.

There are two models of the same. simulate_phones() follows each phone with a heap of events and a seeded generator, for up to some
10^5 phones; simulate_counts() moves expected numbers of phones from time step to time step, and takes as long for 10^7 phones as
for 10^3. A test compares them. All servers of a fleet are alike, so the second one follows one of them.
"""

from __future__ import annotations

import argparse
import heapq
import math
import random
import sys
from array import array
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / ".cache/collections"))

from ansible_collections.voip.preprovision.plugins.module_utils.emulator.resync.timers import (
    MIN_AT_RANDOM_DELAY,
    MIN_TIMER_SECONDS,
    Delay,
    parse_delays,
)
from ansible_collections.voip.preprovision.plugins.module_utils.publishing.resync_timers import propose_timers

DAY = 86400.0
SHARES = (0.5, 0.99, 1.0)
_LEAST = 1e-9
"""Numbers of phones below this are none."""


@dataclass(frozen=True)
class Timers:
    """The timers of all phones, as their parameters set them."""

    random_delay: float = 40.0
    """Longest delay of the first contact, in seconds: Resync_Random_Delay times its unit."""
    periodic: tuple[Delay, ...] = (Delay(86400),)
    error_retry: tuple[Delay, ...] = (Delay(3600),)
    at: float | None = None
    """Resync_At, in seconds since the start of the simulation; every day."""
    at_random_delay: float = MIN_AT_RANDOM_DELAY
    timeout: float = 10.0
    """Seconds until a phone asks the next address; no document says how many."""

    @classmethod
    def of_parameters(cls, random_delay: int, periodic: str, error_retry: str, timeout: float = 10.0, unit: int = 20) -> Timers:
        """Read the timers as profiles have them."""
        return cls(float(random_delay * unit), parse_delays(periodic, ""), parse_delays(error_retry, ""), timeout=timeout)


@dataclass(frozen=True)
class Servers:
    """Servers behind one name, all alike, and addresses at which nothing answers."""

    count: int = 1
    silent: int = 0
    """Further addresses of the name where packets are dropped."""
    cores: float = 2.0
    """CPU seconds per second of one server."""
    cost: float = 0.0015
    """CPU seconds of an answered resync."""
    refusal_cost: float = 0.0015
    """CPU seconds of a 503: by HTTPS it costs the same handshake."""
    abandoned_cost: float = 0.001
    """CPU seconds of a request whose phone gives up. The second half of a handshake needs the phone; it may still be there."""
    limit: float = math.inf
    """Requests that one server holds at a time; it answers 503 to others."""
    closed_until: float = 0.0
    """Seconds after the start until which all of them drop packets."""
    draining_until: float = 0.0
    """Seconds after the start until which all of them answer 503."""

    @property
    def capacity(self) -> float:
        """Resyncs per second of all servers."""
        return self.count * self.cores / self.cost


@dataclass
class Result:
    """What happened until the end of the simulation. Numbers are expected values in simulate_counts()."""

    phones: int
    answered: float = 0
    refused: float = 0
    unanswered: float = 0
    """Requests to one address that got no answer in time."""
    failed: float = 0
    """Resyncs that ended without an answer from any address, or with a 503."""
    cpu: float = 0
    """CPU seconds of all servers."""
    peak: float = 0
    """Most requests per second, over a second."""
    done: dict[float, float] = field(default_factory=dict)
    """Share of the phones -> seconds until they had their first answer; inf if fewer had."""

    @property
    def requests(self) -> float:
        return self.answered + self.refused + self.unanswered


# -- each phone for itself


class ServerQueue:
    """One server, which handles requests in the order of their arrival."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._free_at = 0.0
        self._leaving: deque[float] = deque()
        self.cpu = 0.0

    def request(self, now: float, timeout: float) -> tuple[str, float]:
        """Return "answered", "refused" or "unanswered", and when the phone knows."""
        servers = self._servers
        if now < servers.closed_until:
            return "unanswered", now + timeout
        while self._leaving and self._leaving[0] <= now:
            self._leaving.popleft()
        refused = now < servers.draining_until or len(self._leaving) >= servers.limit
        cost = servers.refusal_cost if refused else servers.cost
        start = max(now, self._free_at)
        late = start + cost / servers.cores > now + timeout
        if late:
            cost = servers.abandoned_cost
        self._free_at = start + cost / servers.cores
        self.cpu += cost
        self._leaving.append(self._free_at)
        if late:
            return "unanswered", now + timeout
        return ("refused" if refused else "answered"), self._free_at


class _Phone:
    __slots__ = ("failures", "order", "successes")

    def __init__(self) -> None:
        self.successes = self.failures = 0
        self.order: list[int] = []
        """Addresses that this resync has still to try, the last one first."""


def simulate_phones(phones: int, timers: Timers, servers: Servers, until: float, seed: int = 1) -> Result:
    """Follow each phone until *until* seconds."""
    rng = random.Random(seed)  # noqa: S311 - no secret
    queues = [ServerQueue(servers) for _number in range(servers.count)]
    addresses = [*range(servers.count + servers.silent)]
    result = Result(phones)
    events = [(rng.uniform(0, timers.random_delay), number) for number in range(phones)]
    heapq.heapify(events)
    states = [_Phone() for _number in range(phones)]
    firsts: list[float] = []
    seconds: dict[int, int] = {}
    while events:
        now, number = heapq.heappop(events)
        if now > until:
            break
        phone = states[number]
        if not phone.order:
            phone.order = rng.sample(addresses, len(addresses))
        address = phone.order.pop()
        seconds[int(now)] = seconds.get(int(now), 0) + 1
        what, known = (
            queues[address].request(now, timers.timeout) if address < servers.count else ("unanswered", now + timers.timeout)
        )
        setattr(result, what, getattr(result, what) + 1)
        if what == "answered":
            if not phone.successes:
                firsts.append(known)
            due = known + _after_success(timers, phone.successes, known, rng)
            phone.successes, phone.failures, phone.order = phone.successes + 1, 0, []
        elif what == "unanswered" and phone.order:
            due = known
        else:
            due = known + _wait(timers.error_retry, phone.failures, rng)
            phone.failures, phone.order = phone.failures + 1, []
            result.failed += 1
        heapq.heappush(events, (due, number))
    result.cpu = sum(queue.cpu for queue in queues)
    result.peak = max(seconds.values(), default=0)
    firsts.sort()
    result.done = {share: _ranked(firsts, share * phones) for share in SHARES}
    return result


def _ranked(ordered: Sequence[float], rank: float) -> float:
    index = max(0, math.ceil(rank) - 1)
    return ordered[index] if index < len(ordered) else math.inf


def _wait(delays: Sequence[Delay], turn: int, rng: random.Random) -> float:
    """Return the seconds of the delay of that *turn*; infinite when it is 0, which turns the timer off."""
    delay = delays[min(turn, len(delays) - 1)]
    return max(delay.seconds + rng.uniform(0, delay.max_extra), MIN_TIMER_SECONDS) if delay.seconds else math.inf


def _after_success(timers: Timers, turn: int, now: float, rng: random.Random) -> float:
    if timers.at is None:
        return _wait(timers.periodic, turn, rng)
    return _next_at(timers.at, now) - now + rng.uniform(0, max(timers.at_random_delay, MIN_AT_RANDOM_DELAY))


def _next_at(at: float, now: float) -> float:
    due = now - now % DAY + at % DAY
    return due if due > now else due + DAY


# -- expected numbers


class _State(NamedTuple):
    """Phones that are alike: successes and failures, as far as timers look at them, and what this resync has tried in vain."""

    successes: int = 0
    failures: int = 0
    tried: int = 0
    tried_silent: int = 0


class _Calendar:
    """Numbers of phones that will ask, for each step and state."""

    def __init__(self, steps: int, step: float) -> None:
        self._steps, self._step = steps, step
        self._changes: dict[_State, array[float]] = {}
        self._spread: dict[_State, float] = {}

    def add(self, state: _State, number: float, earliest: float, latest: float) -> None:
        """Let phones ask at times that are spread evenly from *earliest* to *latest*."""
        if number <= _LEAST or math.isinf(earliest):
            return
        first = int(earliest / self._step)
        length = max(1, round((latest - earliest) / self._step))
        changes = self._changes.get(state)
        if changes is None:
            changes = self._changes[state] = array("d", bytes(8 * (self._steps + 2)))
            self._spread[state] = 0.0
        if first <= self._steps:
            changes[first] += number / length
            changes[min(first + length, self._steps + 1)] -= number / length

    def take(self, index: int) -> list[tuple[_State, float]]:
        """Return the phones that ask in this step."""
        asking = []
        for state, changes in self._changes.items():
            number = self._spread[state] = self._spread[state] + changes[index]
            if number > _LEAST:
                asking.append((state, number))
        return asking


class _Counts:
    """A run of simulate_counts()."""

    def __init__(self, phones: int, timers: Timers, servers: Servers, until: float, step: float) -> None:
        self._timers, self._servers, self._step = timers, servers, step
        self._steps = math.ceil(until / step)
        self._calendar = _Calendar(self._steps, step)
        self._calendar.add(_State(), float(phones), 0.0, timers.random_delay)
        self._result = Result(phones)
        self._work = self._held = 0.0
        """CPU seconds of work, and requests, that wait at each server."""
        self._firsts: list[tuple[float, float]] = []

    def run(self) -> Result:
        result, recent = self._result, deque[float](maxlen=max(1, round(1 / self._step)))
        for index in range(self._steps):
            before = result.requests
            self._take_step(index * self._step, self._calendar.take(index))
            recent.append(result.requests - before)
            result.peak = max(result.peak, sum(recent) / (len(recent) * self._step))
        self._find_shares()
        return result

    def _take_step(self, now: float, asking: list[tuple[_State, float]]) -> None:
        servers = self._servers
        arriving: list[tuple[_State, float]] = []
        for state, number in asking:
            live, silent = servers.count - state.tried, servers.silent - state.tried_silent
            share = live / (live + silent)
            if silent:
                self._next_address(state._replace(tried_silent=state.tried_silent + 1), number * (1 - share), now)
            if now < servers.closed_until:
                self._next_address(state._replace(tried=state.tried + 1), number * share, now)
            elif live:
                arriving.append((state, number * share))
        self._serve(now, arriving)

    def _serve(self, now: float, arriving: list[tuple[_State, float]]) -> None:
        """Put requests into the queue of each server, and let time pass."""
        servers, timeout = self._servers, self._timers.timeout
        total = sum(number for _state, number in arriving)
        each = total / servers.count
        waiting = self._work / servers.cores
        accepted = min(each, max(0.0, servers.limit - self._held + self._step * servers.cores / servers.cost))
        share = accepted / each if each else 1.0
        if now < servers.draining_until:
            share = 0.0
        # Half of what comes in this step is before a request; half of the step has passed
        wait = max(0.0, waiting + each * servers.cost / servers.cores / 2 - self._step / 2)
        late = wait + servers.cost / servers.cores > timeout
        cost = servers.abandoned_cost if late else share * servers.cost + (1 - share) * servers.refusal_cost
        self._result.cpu += total * cost
        self._advance(each, each * cost)
        known = now + self._step / 2 + wait + servers.cost / servers.cores
        for state, number in arriving:
            if late:
                self._next_address(state._replace(tried=state.tried + 1), number, now)
            else:
                self._answer(state, number * share, known)
                self._refuse(state, number * (1 - share), known)

    def _advance(self, requests: float, work: float) -> None:
        held, total = self._held + requests, self._work + work
        self._work = max(0.0, total - self._step * self._servers.cores)
        self._held = held * self._work / total if total else 0.0

    def _answer(self, state: _State, number: float, known: float) -> None:
        self._result.answered += number
        if not state.successes:
            self._firsts.append((known, number))
        timers = self._timers
        after = _State(min(state.successes + 1, len(timers.periodic) + 1))
        if timers.at is None:
            self._later(after, number, known, timers.periodic, state.successes)
        else:
            due = _next_at(timers.at, known)
            self._calendar.add(after, number, due, due + max(timers.at_random_delay, MIN_AT_RANDOM_DELAY))

    def _refuse(self, state: _State, number: float, known: float) -> None:
        self._result.refused += number
        self._fail(state, number, known)

    def _next_address(self, state: _State, number: float, now: float) -> None:
        """Record requests without an answer; *state* has counted the address."""
        self._result.unanswered += number
        known = now + self._timers.timeout
        if state.tried + state.tried_silent < self._servers.count + self._servers.silent:
            self._calendar.add(state, number, known, known)
        else:
            self._fail(state, number, known)

    def _fail(self, state: _State, number: float, known: float) -> None:
        self._result.failed += number
        retry = self._timers.error_retry
        self._later(_State(state.successes, min(state.failures + 1, len(retry))), number, known, retry, state.failures)

    def _later(self, state: _State, number: float, known: float, delays: Sequence[Delay], turn: int) -> None:
        delay = delays[min(turn, len(delays) - 1)]
        if delay.seconds:
            self._calendar.add(state, number, known + delay.seconds, known + delay.seconds + delay.max_extra)

    def _find_shares(self) -> None:
        result = self._result
        so_far, shares = 0.0, [*SHARES]
        result.done = dict.fromkeys(SHARES, math.inf)
        for known, number in sorted(self._firsts):
            so_far += number
            # The last phone of all is one that expected numbers split
            while shares and so_far >= min(shares[0] * result.phones, result.phones - 0.5):
                result.done[shares.pop(0)] = known


def simulate_counts(phones: int, timers: Timers, servers: Servers, until: float, step: float = 0.5) -> Result:
    """Move expected numbers of phones until *until* seconds, in steps that must be much shorter than the timeout."""
    if step > timers.timeout / 4:
        raise ValueError(f"the step of {step} s is longer than a quarter of the timeout of {timers.timeout} s")
    return _Counts(phones, timers, servers, until, step).run()


# -- how many servers a fleet needs

FLEETS = (10**4, 10**5, 10**6, 10**7)
TARGETS = (900, 3600)
"""Seconds within which all phones must have an answer after a power cut, with one server down."""
FACTORY = Timers.of_parameters(2, "86400", "3600")
"""What preprovision profiles set, and factory-new phones of most families have."""
COLUMNS = (
    "phones",
    "all answered within, s",
    "servers, one of them down",
    "Resync_Random_Delay",
    "all answered after, s",
    "failed resyncs",
    "most per second and server",
    "of each server, daily",
    "default timers: 99 % answered after, s",
    "failed resyncs",
)


def proposed(phones: int, servers: int, rate: int) -> tuple[int, Timers]:
    """Return Resync_Random_Delay, and all timers that the role proposes."""
    timers = propose_timers(phones, servers, rate)
    return timers.random_delay, Timers.of_parameters(timers.random_delay, timers.periodic, timers.error_retry_delay)


def least_servers(phones: int, target: float, servers: Servers) -> tuple[int, Result]:
    """Return how many servers are enough, with the first one down, and what happens then."""
    rate = int(servers.cores / servers.cost)
    # Half of what the others can do, see propose_timers(), is the most that a herd may need
    count = 1 + max(1, math.floor(phones / (rate * target)))
    while True:
        _delay, timers = proposed(phones, count, rate)
        result = simulate_counts(phones, timers, replace(servers, count=count - 1, silent=1), 2 * target)
        if result.done[1.0] <= target and result.failed < 1:
            return count, result
        count += 1


def plan(cost: float, cores: float = 2.0) -> Iterator[str]:
    """Yield a table of the servers that fleets need. *cost*: CPU seconds of a resync, whatever comes of it."""
    server = Servers(cores=cores, cost=cost, refusal_cost=cost, abandoned_cost=cost)
    yield f"\nOne server of {cores:g} cores: {cores / cost:.0f} resyncs per second at {1000 * cost:.2f} ms of CPU time each\n"
    yield f"| {' | '.join(COLUMNS)} |"
    yield "| ---: " * len(COLUMNS) + "|"
    for phones in FLEETS:
        for target in TARGETS:
            count, result = least_servers(phones, target, server)
            others = replace(server, count=count - 1, silent=1)
            default = simulate_counts(phones, FACTORY, others, 12 * 3600.0, 1.0)
            cells = (
                f"{phones:,}",
                f"{target}",
                f"{count}",
                f"{proposed(phones, count, int(cores / cost))[0]}",
                f"{result.done[1.0]:.0f}",
                f"{result.failed:.0f}",
                f"{result.peak / count:.0f}",
                f"{100 * phones / DAY * cost / cores / (count - 1):.1f} %",
                _seconds(default.done[0.99]),
                f"{default.failed:,.0f}",
            )
            yield f"| {' | '.join(cells)} |"


def _seconds(value: float) -> str:
    return "not within 12 hours" if math.isinf(value) else f"{value:,.0f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--cost", type=float, default=2.1, help="CPU milliseconds of a resync, as home.py measures them")
    parser.add_argument("--cores", type=float, default=2.0, help="cores of a server")
    options = parser.parse_args()
    for line in plan(options.cost / 1000, options.cores):
        print(line, flush=True)


if __name__ == "__main__":
    main()
