# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The customer's trip of an emulated phone: what of it cannot be walked on a bench, since its server is elsewhere.

A failure belongs to the bench if the server is one that the bench stands for: a name that the station serves or resolves, the
station itself, or another machine on the bench's wire. It also does if another server has delivered what the phone cannot use, or
shows a certificate that the phone can judge. Only what is left says nothing of the bench.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv4Network, NetmaskValueError
from typing import NamedTuple

from ..events.causes.causes import Clause, Diagnosis, diagnosis_of
from ..events.causes.failure_codes import FailureCode
from ..events.diagnosis.known_facts import FailureReport, StationFacts

_SILENT = frozenset({FailureCode.NO_ANSWER, FailureCode.REFUSED, FailureCode.TIMEOUT, FailureCode.UNREACHABLE})
_REFUSING = frozenset({FailureCode.NOT_FOUND, FailureCode.FORBIDDEN, FailureCode.HTTP_STATUS, FailureCode.LOGIN})
_WALK = "to walk it here,"


class Elsewhere(NamedTuple):
    """What cannot be walked on this bench."""

    what: str
    """For the table."""
    diagnosis: Diagnosis
    """Why, and what would be needed."""


@dataclass(frozen=True)
class Bench:
    """What a bench stands for."""

    names: frozenset[str]
    """Names that the station serves or resolves, in lower case."""
    address: str
    """The station's address."""
    network: IPv4Network | None
    """The bench's wire; None if it is not known."""
    resolves: bool
    """Whether its DNS server runs."""

    @classmethod
    def of(cls, names: Iterable[str], station: StationFacts, address: str, options: Mapping[str, str]) -> Bench:
        """Return the bench on which a phone has got this *address* with these DHCP *options*."""
        found = station.get("bridge", {}).get("address", "")
        try:
            network = IPv4Network((address, options.get("1", "")), strict=False)
        except (AddressValueError, NetmaskValueError, ValueError):
            network = None
        resolves = station.get("services", {}).get("names", "active") == "active"
        return cls(frozenset(name.lower().rstrip(".") for name in names), found, network, resolves)

    def stands_for(self, server: str, address: str) -> bool:
        """Return whether *server*, which resolves to *address* or to nothing, is the station, or one that it speaks for."""
        if server.lower().rstrip(".") in self.names or self.address in (server, address):
            return True
        try:
            return self.network is not None and IPv4Address(address or server) in self.network
        except AddressValueError:
            return False


def find_elsewhere(failure: FailureReport, bench: Bench) -> Elsewhere | None:
    """Return why a *failure* of the customer's trip says nothing of the bench; None if it is the bench's own."""
    facts = failure.get("facts", {})
    server, address = (str(facts.get(name) or "") for name in ("server", "address"))
    code = failure.get("code", "")
    clause = _explain(str(facts.get("reason") or "") if code == FailureCode.UPGRADE else code, facts, bench)
    if not server or clause is None or bench.stands_for(server, address):
        return None
    return Elsewhere(f"{server} is not this station", diagnosis_of(clause))


def _explain(code: str, facts: Mapping[str, object], bench: Bench) -> Clause | None:
    server, address = facts.get("server"), facts.get("address")
    if code == FailureCode.NO_ADDRESS and bench.resolves:
        return Clause(
            f"{server} has no address on this bench, and is none of the station's own names",
            f"{_WALK} add {server} to dns_server_records with the address of a server that has the phone's file, and run the"
            " playbook site",
        )
    if code in _SILENT:
        led = f" ({address})" if address and address != server else ""
        return Clause(
            f"{server}{led} does not answer on this bench, and is not this station",
            f"{_WALK} connect the bench with that server, or lead {server} to one on the bench with dns_server_records",
        )
    if code in _REFUSING:
        status = facts.get("status")
        return Clause(
            f"{server}, which is not this station, has no file for this phone (status {status})",
            f"{_WALK} check phones that {server} knows, by their names in check_phones",
        )
    # With a root that its profile names, the phone could tell
    if code == FailureCode.HANDSHAKE or (code == FailureCode.CHAIN and facts.get("factory_roots")):
        return Clause(
            f"an emulated phone has not the certificates of its maker, which {server} may need",
            f"check {server} with a real unit, or name the root that has signed its certificate in phone_profiles_remote_ca_url",
        )
    return None
