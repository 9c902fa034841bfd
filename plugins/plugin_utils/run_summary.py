# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a play did, in few lines: one for each role, the tasks that changed something below it, and what they changed below them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

MAX_DETAILS = 8
"""Lines that a task may have below it; a first run writes many files."""
_WIDTH = 16


@dataclass
class Section:
    """A role of a play, or a task outside of its roles."""

    title: str
    is_role: bool
    has_run: bool = False
    """Whether any task was not skipped."""
    failed: list[str] = field(default_factory=list)
    """Hosts on which a task failed."""
    changed: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    """Hosts by what a task changed, by the task's name; an empty text stands for the task itself."""

    def add_change(self, task: str, host: str, details: Iterable[str]) -> None:
        """Record that *task* changed *host*; *details*: a line for each thing that it changed, as modules return them."""
        hosts = self.changed.setdefault(task, {})
        for detail in ("", *details):
            hosts.setdefault(detail, []).append(host)


def describe_section(section: Section, hosts: Collection[str]) -> Iterator[str]:
    """Yield the lines of *section*; *hosts*: those of the play, which are named only where they differ."""
    if section.is_role:
        yield f"  {section.title:{_WIDTH}} {_state(section, hosts)}"
    for task, changes in section.changed.items():
        on = _named(changes[""], hosts)
        yield f"    {task}{on}" if section.is_role else f"  {task}: changed{on}"
        details = [(text, found) for text, found in changes.items() if text]
        for text, found in islice(details, MAX_DETAILS):
            yield f"      {text.splitlines()[0]}{_named(found, hosts) if found != changes[''] else ''}"
        if len(details) > MAX_DETAILS:
            yield f"      and {len(details) - MAX_DETAILS} more; -v shows all"


def describe_changes(changed: Iterable[str], is_prediction: bool) -> str:
    """Return one line that names the sections with changes; *is_prediction*: of a run in check mode."""
    names = ", ".join(dict.fromkeys(changed))
    if is_prediction:
        return f"Would change: {names}" if names else "Nothing would change."
    return f"Changed: {names}" if names else "Nothing changed."


def _state(section: Section, hosts: Collection[str]) -> str:
    if section.failed:
        return f"failed{_named(section.failed, hosts)}"
    if section.changed:
        return f"{len(section.changed)} changed"
    return "ok" if section.has_run else "skipped"


def _named(some: Iterable[str], hosts: Collection[str]) -> str:
    """Return *some* of the hosts in brackets, or an empty text if they are all."""
    names = list(dict.fromkeys(some))
    return "" if len(names) >= len(hosts) else f" ({', '.join(names)})"
