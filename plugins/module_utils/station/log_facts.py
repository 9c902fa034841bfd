# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Log lines about one phone: those of the services in the journal, and those that the phone has sent."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ..common.redaction import redact
from ..events.logs.log_lines import UNITS, Event, Line, Writer, clean, journal_text, parse
from .commands import MAX_SECONDS, run_command

_MAX_LINES = 400
_MAX_SHOWN = 40
_MAX_LINE_LENGTH = 1000
_MAX_READ = 1 << 20
_LOGGED = re.compile(r"(\S{20,40}) (\S+) \S+ ?(.*)")


def any_spelling(mac: str) -> str:
    """Return a regular expression for *mac*, twelve hex digits, in any spelling."""
    return "[-:.]?".join(mac[number : number + 2] for number in range(0, 12, 2))


def read_journal(patterns: Sequence[str], since: int = 0) -> list[Event]:
    """Return events of phones from the services' journal lines that match one of *patterns*, the latest last.

    *since*: seconds since 1970; 0 for the last two weeks.
    """
    units = [word for unit in UNITS for word in ("--unit", unit)]
    # A pattern in lower case makes the search ignore case
    output = run_command(
        "journalctl",
        "--output=json",
        f"--lines={_MAX_LINES}",
        f"--since={f'@{since}' if since else '-14d'}",
        f"--grep={'|'.join(patterns)}",
        *units,
        seconds=2 * MAX_SECONDS,
    )
    events = []
    for line in output.splitlines():
        event = _parse_record(line)
        if event:
            events.append(event)
    return events


def _parse_record(text: str) -> Event | None:
    try:
        record = json.loads(text)
        writer = UNITS[record["_SYSTEMD_UNIT"]]
        message, time = journal_text(record["MESSAGE"]), int(record["__REALTIME_TIMESTAMP"]) // 1000
    except (ValueError, KeyError, TypeError):
        return None
    return None if message is None else parse(Line(writer, time, message, str(record.get("__CURSOR", ""))))


def read_phone_log(folder: str, addresses: Iterable[str], mac: str) -> list[str]:
    """Return the last lines that the phone has sent: those from its addresses that contain its MAC address."""
    wanted = re.compile(any_spelling(mac), re.IGNORECASE)
    lines = []
    for address in addresses:
        path = Path(folder, f"{address}.log")
        try:
            with path.open("rb") as file:
                file.seek(max(0, path.stat().st_size - _MAX_READ))
                text = file.read(_MAX_READ).decode("ascii", "replace")
        except OSError:
            continue
        lines += [clean(line, _MAX_LINE_LENGTH) for line in text.splitlines() if wanted.search(line)]
    return sorted(lines)[-_MAX_SHOWN:]


def parse_phone_log(lines: Iterable[str]) -> Iterator[tuple[str, int, Event | None]]:
    """Yield each line of read_phone_log(), without secrets in URLs and rules, with its time in milliseconds and its event."""
    for number, text in enumerate(lines):
        found = _LOGGED.fullmatch(text)
        try:
            moment = round(datetime.datetime.fromisoformat(found[1]).timestamp() * 1000) if found else 0
        except ValueError:
            continue
        yield redact(text), moment, parse(Line(Writer.PHONE, moment, found[3], f"{number:09}", found[2])) if found else None
