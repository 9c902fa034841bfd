# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether the station's services run and answer, and what they have complained of. Changes nothing."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator
from typing import TypedDict

from ..common.redaction import redact
from ..common.services import HUNG, SERVICES
from ..events.diagnosis.known_facts import Complaint
from ..events.logs.log_lines import clean, journal_text
from .agents.questions import PAGES, Target, ask_all, ask_page
from .agents.units import read_units, silent_reporters
from .commands import MAX_SECONDS, run_command

_WARNING = 4
_MAX_COMPLAINTS = 200
_MAX_LINE_LENGTH = 300


FOLDERS = (
    "/var/lib/dhcp",
    "/var/lib/kea",
    "/var/lib/preprovision-service",
    "/var/lib/preprovision-events",
    "/var/log/preprovision",
    "/var/log/journal",
    "/srv/preprovision",
    "/run",
)
"""Folders that a station writes to all the time."""

MIN_FREE_BYTES = 1 << 20
MIN_FREE_FILES = 100


class ServiceFacts(TypedDict):
    """The services, as in StationFacts."""

    services: dict[str, str]
    answers: dict[str, str]
    pages: dict[str, str]


def read_services(address: str) -> ServiceFacts:
    """Return systemd's state of each installed service; ask those that are active whether they answer on *address*."""
    units = read_units()
    services = {name: unit.state for name, unit in units.items()}
    said = {name: unit.said for name, unit in units.items() if unit.said}
    active = {name: SERVICES[name].unit for name, state in services.items() if state == "active"}
    silent = silent_reporters(units, time.monotonic())
    pages = {}
    if address:
        target = Target(address)
        silent |= {name: answer for name, answer in ask_all(target, active).items() if answer}
        if active.keys() >= {"web", "service"} and not silent.keys() & {"web", "service"}:
            pages = {path: ask_page(target, path) for path in PAGES}
    services |= dict.fromkeys(silent, HUNG)
    return {
        "services": services,
        "answers": {name: answer for name, answer in (said | silent).items() if services[name] != "active"},
        "pages": pages,
    }


def read_complaints(since: int) -> list[Complaint]:
    """Return the warnings and worse of the services since *since*, in seconds since 1970, each text once."""
    words = [word for service in SERVICES.values() for word in ("--unit", service.unit)]
    output = run_command(
        "journalctl",
        "--output=json",
        f"--priority={_WARNING}",
        f"--lines={_MAX_COMPLAINTS}",
        f"--since=@{since}",
        *words,
        seconds=2 * MAX_SECONDS,
    )
    found = {(one["service"], one["text"]): one for one in parse_complaints(output)}
    return list(found.values())


def parse_complaints(output: str) -> Iterator[Complaint]:
    """Yield the complaints in the *output* of journalctl, in JSON."""
    names = {service.unit: name for name, service in SERVICES.items()}
    for line in output.splitlines():
        try:
            record = json.loads(line)
            name = names[record.get("UNIT") or record["_SYSTEMD_UNIT"]]
            priority, message = int(record["PRIORITY"]), journal_text(record["MESSAGE"])
        except (ValueError, KeyError, TypeError):
            continue
        if message is None:
            continue
        yield {"service": name, "priority": priority, "text": redact(clean(message, _MAX_LINE_LENGTH))}


def read_full_folders(folders: Iterable[str] = FOLDERS) -> list[str]:
    """Return those of *folders* whose file system has no room for another megabyte or another hundred files."""
    full = []
    for folder in folders:
        try:
            found = os.statvfs(folder)
        except OSError:
            continue
        # Some file systems have no fixed number of files
        if found.f_bavail * found.f_frsize < MIN_FREE_BYTES or (found.f_files and found.f_favail < MIN_FREE_FILES):
            full.append(folder)
    return full
