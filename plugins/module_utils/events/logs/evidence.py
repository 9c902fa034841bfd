# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a server knows that an event is about a phone, and where it was seen.

Anybody can name a phone: in a path, in a header, in a log line by UDP. Such events are claims.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Place(StrEnum):
    """Where a server answers phones. The database stores these values with each event."""

    BENCH = "bench"
    """A station: whose address it is is known from DHCP, and the wire is closed."""
    HOME = "home"
    """A provisioning server, which phones call from the premises of customers, through any network and from any address."""


class Evidence(StrEnum):
    """Who says that an event is about a phone. The database stores these values, and board, API and manifests show them."""

    NONE = ""
    """The station's own doing, or an event that an earlier release stored."""
    CLAIM = "claim"
    """The client named the phone, which anybody can do."""
    NAME = "name"
    """At home: it asked for a file by a name that contains the ID of the phone's key. No stranger guesses it, but it is sent in the
    clear with plain HTTP, so it is a claim that is likely to be true."""
    KEY = "key"
    """What it sent was sealed with the phone's key. Whoever has overheard it can send it again."""
    ADDRESS = "address"
    """It came from the address that DHCP had leased to the phone."""
    TFTP = "tftp"
    """The TFTP server chose the phone's own folder, by the MAC address of the client."""
    CERTIFICATE = "certificate"
    """The client showed the phone's own certificate."""


PROOFS: Mapping[str, str] = MappingProxyType(
    {
        Evidence.ADDRESS: "from the address that is leased to it",
        Evidence.TFTP: "by TFTP from the folder of its MAC address",
        Evidence.CERTIFICATE: "with its own certificate",
    }
)
"""What only the unit itself can give, and how a sentence says it; a unit is packed by nothing less."""

CONTACTS: Mapping[str, str] = MappingProxyType(
    {
        Evidence.CLAIM: "named by whoever asked, which anybody can do",
        Evidence.NAME: "by the name of its file, which whoever has overheard it knows too",
        Evidence.KEY: "with a report that is sealed with its key",
        Evidence.CERTIFICATE: "with its own certificate",
    }
)
"""How a phone called home, and how a sentence says it."""

CLAIMS = (Evidence.CLAIM, Evidence.NAME)
"""What moves no phone at home."""

_STORED = frozenset(Evidence)


def evidence_of(detail: Mapping[str, object]) -> Evidence:
    """Return the evidence in a stored event's *detail*; ``claimed`` is how earlier releases marked claims."""
    stored = str(detail.get("evidence", ""))
    if detail.get("claimed"):
        return Evidence.CLAIM
    return Evidence(stored) if stored in _STORED else Evidence.NONE
