# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The two ports of an emulated phone, network and clock, and the values that cross them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from ...profiles.rules.model import Target


class WireFailure(StrEnum):
    """Why a request got no response."""

    REFUSED = "refused"
    """Nothing listens on the port."""
    TIMEOUT = "timeout"
    """No response, or one that never ends."""
    TOO_LARGE = "too_large"
    CHAIN = "chain"
    """The server's certificate does not lead to a trusted root."""
    CERTIFICATE_TIME = "certificate_time"
    """The server's certificate has expired or is not yet valid."""
    CERTIFICATE = "certificate"
    """Refused by WireRequest.verify_certificate."""
    HANDSHAKE = "handshake"
    CLOSED = "closed"
    """The server closed the connection before the first byte of a response."""
    PROTOCOL = "protocol"
    """The response is not HTTP, or ends too early."""
    UNREACHABLE = "unreachable"
    TFTP = "tftp"
    """The server sent a TFTP error other than "file not found", or broke the protocol."""


def accept_any_certificate(_certificate: bytes) -> str:
    """Accept every certificate, see WireRequest.verify_certificate."""
    return ""


@dataclass(frozen=True)
class Lease:
    """What the DHCP server assigned."""

    address: str
    options: Mapping[int, str]
    """Number -> value as text; list items are separated by spaces."""
    raw: Mapping[int, bytes] = field(default_factory=dict)
    """Number -> value as received, as far as known."""


@dataclass(frozen=True)
class Renewal:
    """What came of a request to extend a lease; without an answer there is no lease, and it is not refused."""

    lease: Lease | None = None
    """The extended lease, of the same address."""
    refused: bool = False
    """Whether a server says that the phone must not use the address any more (DHCPNAK)."""


@dataclass(frozen=True)
class WireRequest:
    """One request for one file, to one address."""

    target: Target
    """The server's name is written as in the rule."""
    address: str
    """IPv4 or IPv6 address to connect to, without brackets."""
    method: str = "GET"
    """GET, POST or PUT; with TFTP, GET is a read request and PUT a write request."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """HTTP and HTTPS only; the network adds Host, Content-Length and Connection."""
    body: bytes = field(default=b"", repr=False)
    roots: bytes = field(default=b"", repr=False)
    """PEM root certificates, for HTTPS."""
    verify_certificate: Callable[[bytes], str] = field(default=accept_any_certificate, repr=False)
    """HTTPS: called with the server's certificate (DER) once its chain leads to a root, before the request is sent. Returns why the
    phone closes the connection; empty to go on."""
    max_bytes: int = 16 * 1024 * 1024
    """Largest content that is read."""


@dataclass(frozen=True)
class WireResponse:
    """What a server sent back."""

    status: int
    """HTTP status; TFTP yields 200 for a file and 404 for "file not found". 0: no response, see failure."""
    content: bytes = b""
    """Without chunk framing; a Content-Encoding is not decoded."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case; headers of the same name are joined by commas."""
    failure: WireFailure | None = None
    error: str = ""
    """The failure in words."""
    certificate: bytes = b""
    """The server's certificate (DER), also when it was refused."""


class Network(Protocol):
    """A phone's network. No method raises for what a server does or fails to do."""

    def lease(self, vendor_class: str) -> Lease | None:
        """Request an address by DHCP with option 60 set to *vendor_class*, or without it; None when no server assigns one.

        A lease that the phone still has is released before.
        """

    def renew(self, any_server: bool) -> Renewal:
        """Ask once to extend the lease: the server that assigned it, or *any_server* by broadcast."""

    def give_up_lease(self) -> None:
        """Stop using the address without a word to the server, as after its lease has ended."""

    def addresses(self, name: str) -> Sequence[str]:
        """Return the A records of *name*, and AAAA records where the phone uses IPv6, in the order received; maybe none.

        An address resolves to itself; one of IPv6 may be in brackets.
        """

    def fetch(self, request: WireRequest) -> WireResponse:
        """Read or send one file, without following redirections or repeating logins."""

    def log(self, server: str, text: str) -> bool:
        """Send one syslog message; return whether it was sent."""


class SwitchedOffError(Exception):
    """The phone is switched off while it waits."""


class Clock(Protocol):
    """A phone's clock."""

    def now(self) -> float:
        """Return the seconds since 1970, UTC; never less than before."""

    def sleep(self, seconds: float) -> None:
        """Wait; raise SwitchedOffError if the phone is switched off meanwhile."""


class StoppedClock:
    """The clock of a phone that has never been switched on: time stands still."""

    def now(self) -> float:
        """Return 0."""
        return 0.0

    def sleep(self, seconds: float) -> None:
        """Return at once."""
