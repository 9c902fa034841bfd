# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare the requests of phones with the events that the provisioning servers have stored of them; on the database's primary.

    events.py note
    events.py compare <RESYNCS

``note`` remembers how many events there are of each phone. ``compare`` reads what module emulated_phone returns as ``resyncs``,
waits until all events are there, a minute at most, and prints as JSON how many requests were answered, and how many events are lost
and doubled: nginx logs each request once, and the profile service each that nginx passes on. A request that nobody answered in time
may have events, and the service's alone if nginx lost its power before it could log.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

NOTES = Path("/run/fleet-events.json")
QUERY = """SELECT mac, count(*) FILTER (WHERE kind = 'http'), count(*) FILTER (WHERE kind = 'profile'),
    count(*) FILTER (WHERE kind = 'http' AND detail::json->>'what' = 'passed on') FROM events WHERE place = 'home' GROUP BY mac"""
WAIT_SECONDS = 60
QUIET_SECONDS = 4


class Counts(NamedTuple):
    """Events of one phone."""

    requests: int = 0
    profiles: int = 0
    passed_on: int = 0
    """Those of requests that were passed on to the profile service."""


def events() -> dict[str, Counts]:
    """Return how many events there are of each phone, by its MAC address."""
    psql = ["psql", "--no-psqlrc", "--tuples-only", "--no-align", f"--command={QUERY}", "preprovision"]
    told = subprocess.run(["runuser", "--user=postgres", "--", *psql], capture_output=True, text=True, timeout=60, check=True)
    rows = (line.split("|") for line in told.stdout.splitlines())
    return {mac: Counts(*map(int, counts)) for mac, *counts in rows}


def note() -> None:
    """Remember the events once no more come."""
    found = events()
    while True:
        time.sleep(QUIET_SECONDS)
        again = events()
        if again == found:
            break
        found = again
    NOTES.write_text(json.dumps(found))


def since(before: dict[str, list[int]], mac: str, now: dict[str, Counts]) -> Counts:
    """Return how many events of a phone have come since note()."""
    return Counts(*(new - old for new, old in zip(now.get(mac, Counts()), before.get(mac, Counts()), strict=True)))


def compare(resyncs: list[dict[str, Any]]) -> dict[str, int]:
    """Return what came of the requests since note()."""
    before = json.loads(NOTES.read_text())
    uses = {one["mac"].replace(":", ""): one["addresses"].values() for one in resyncs}
    answered = {mac: sum(use["answered"] for use in found) for mac, found in uses.items()}
    unanswered = {mac: sum(use["unanswered"] for use in found) for mac, found in uses.items()}
    end = time.time() + WAIT_SECONDS
    while True:
        now = events()
        stored = {mac: since(before, mac, now) for mac in answered}
        lost = sum(max(0, answered[mac] - one.requests) + max(0, one.passed_on - one.profiles) for mac, one in stored.items())
        if not lost or time.time() > end:
            break
        time.sleep(1)
    # Those that are one too many may come late
    time.sleep(QUIET_SECONDS)
    now = events()
    stored = {mac: since(before, mac, now) for mac in answered}
    doubled = sum(
        max(0, one.requests + max(0, one.profiles - one.passed_on) - answered[mac] - unanswered[mac]) for mac, one in stored.items()
    )
    return {"answered": sum(answered.values()), "lost": lost, "doubled": doubled}


if sys.argv[1] == "note":
    note()
else:
    print(json.dumps(compare(json.load(sys.stdin))))
