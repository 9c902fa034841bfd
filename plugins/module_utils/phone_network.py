# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What stands between a unit and the wire: one request and its answer, and the two ports, the network and the clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from .rules import Target

FAILURES = ("refused", "timeout", "too_large", "chain", "certificate", "handshake", "protocol", "unreachable", "tftp")
"""Why there was no answer, see Answer.failure."""


def accept(_certificate: bytes) -> str:
    """Refuse no certificate."""
    return ""


@dataclass(frozen=True)
class Lease:
    """What DHCP gave."""

    address: str
    options: Mapping[int, str]
    """Number -> value as text; lists are separated by spaces."""
    raw: Mapping[int, bytes] = field(default_factory=dict)
    """The same as they came, as far as they are known."""


@dataclass(frozen=True)
class Ask:
    """One request for one file, to one address."""

    target: Target
    """The server's name is as the rule has it."""
    address: str
    """IPv4 address to connect to."""
    method: str = "GET"
    """GET, POST or PUT; by TFTP GET is a read request, and PUT a write request."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Of HTTP and HTTPS alone; Host, Content-Length and Connection are the wire's."""
    body: bytes = field(default=b"", repr=False)
    roots: bytes = field(default=b"", repr=False)
    """PEM, for HTTPS."""
    judge: Callable[[bytes], str] = field(default=accept, repr=False)
    """HTTPS: called with the server's certificate, in DER, once its chain leads to the roots, and before anything is asked. What it
    returns is why the unit hangs up; nothing when it goes on."""
    most: int = 16 * 1024 * 1024
    """How many bytes of content are read."""


@dataclass(frozen=True)
class Answer:
    """What a server answered."""

    status: int
    """HTTP's; TFTP gives 200 for a file and 404 for "file not found". 0: no answer, see failure."""
    content: bytes = b""
    """Without the transfer's chunks; a Content-Encoding is not decoded."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in small letters; several headers of one name are joined by commas."""
    failure: str = ""
    """One of FAILURES. ``timeout`` is also an answer that never ends, ``certificate`` what the judge refused."""
    error: str = ""
    """The same in words."""
    certificate: bytes = b""
    """The server's certificate, in DER, also when it was refused."""


class Network(Protocol):
    """The unit's way to the wire. Nothing here raises for what a server does or fails to do."""

    def lease(self, vendor_class: str) -> Lease | None:
        """Ask DHCP for an address; *vendor_class* is option 60. None: nobody answered."""

    def addresses(self, name: str) -> Sequence[str]:
        """Return the A records of *name* in the answer's order; an IPv4 address is its own. Empty when there is none."""

    def fetch(self, ask: Ask) -> Answer:
        """Get, or send, one file; redirections are not followed, and logins not tried again."""

    def log(self, server: str, text: str) -> bool:
        """Send one syslog message; tell whether it left."""


class Clock(Protocol):
    """Time as a unit has it."""

    def now(self) -> float:
        """Return the seconds since 1970, UTC."""

    def sleep(self, seconds: float) -> None:
        """Let this time pass."""


class SystemClock:
    """The machine's clock; *speed* lets a unit's waits pass so many times faster."""

    def __init__(self, speed: float = 1.0) -> None:
        self._speed = speed
        self._start = time.time()
        self._begun = time.monotonic()

    def now(self) -> float:
        """See Clock."""
        return self._start + (time.monotonic() - self._begun) * self._speed

    def sleep(self, seconds: float) -> None:
        """See Clock."""
        time.sleep(seconds / self._speed)
