# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What services complain of in the journal: faults of the station itself, which fail a check, and what phones may cause."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ...common.services import SERVICES
from ..causes.causes import Clause
from .known_facts import Complaint

_FAULTS = tuple(
    (re.compile(rf"(?:^|[\s:(])(?:{words})[.]?$|\(\d+: (?:{words})\)"), cause, remedy)
    for words, cause, remedy in (
        (
            r"No space left on device|Disk quota exceeded",
            "has no space left on its disk",
            "find what fills it with 'df -h' and 'df -i', and free some",
        ),
        (r"Read-only file system", "may not write to its disk", "find out with 'dmesg' why the disk is read-only, and replace it"),
        (r"Input/output error", "cannot read or write its disk", "read 'dmesg', and replace the disk"),
        (
            r"Too many open files(?: in system)?|Cannot allocate memory|Out of memory",
            "has no memory or no file handles left",
            "find what uses them up with 'systemd-cgtop', and restart it",
        ),
        (r"Permission denied|Operation not permitted", "may not use one of its files", "run the playbook site, which repairs them"),
    )
)
"""The system's own words for faults that no phone can cause (errno(3)), with cause and remedy.

They count at the end of a line, or in nginx's brackets: what a phone writes, such as the name of a file, stands elsewhere.
"""


def read_faults(complaints: Iterable[Complaint]) -> Iterator[tuple[str, Clause]]:
    """Yield service and clause of each kind of fault that a service has complained of, once."""
    seen = set()
    for one in complaints:
        for pattern, cause, remedy in _FAULTS:
            if pattern.search(one["text"]) and (one["service"], cause) not in seen:
                seen.add((one["service"], cause))
                unit, called = SERVICES[one["service"]]
                yield (
                    one["service"],
                    Clause(f"{called} {cause}: {one['text'].rstrip('.')}", f"{remedy}; see 'journalctl -u {unit}'"),
                )
