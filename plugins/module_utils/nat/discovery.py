# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Discover the behaviour of the NAT between this host and a STUN server (RFC 5780), and what it means for a phone behind it.

Mapping decides whether STUN helps; filtering decides whose packets get in.
"""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol

from .stun import TRANSACTION_BYTES, Endpoint, Response, StunError, build_request, parse_response


class Dependence(StrEnum):
    """What a NAT's mapping or filtering depends on (RFC 4787 sections 4.1 and 5)."""

    INDEPENDENT = "independent"
    ADDRESS = "address_dependent"
    ADDRESS_AND_PORT = "address_and_port_dependent"
    UNKNOWN = "unknown"


class NatType(StrEnum):
    """The usual names of NATs."""

    NONE = "none"
    FULL_CONE = "full cone"
    RESTRICTED_CONE = "restricted cone"
    PORT_RESTRICTED_CONE = "port restricted cone"
    CONE = "cone"
    """Of unknown filtering."""
    SYMMETRIC = "symmetric"
    UNKNOWN = "unknown"


_CONES: Mapping[Dependence, NatType] = MappingProxyType(
    {
        Dependence.INDEPENDENT: NatType.FULL_CONE,
        Dependence.ADDRESS: NatType.RESTRICTED_CONE,
        Dependence.ADDRESS_AND_PORT: NatType.PORT_RESTRICTED_CONE,
        Dependence.UNKNOWN: NatType.CONE,
    }
)

_FIRST_WAIT = 0.25
_MAX_DATAGRAM_SIZE = 65535


class StunCheckError(Exception):
    """The check cannot be done; the message says why and what to do."""


class Asker(Protocol):
    """A UDP socket that sends requests to STUN servers."""

    local: Endpoint
    """The socket's address, as the server would see it without a NAT."""

    def ask(self, server: Endpoint, change_address: bool = False, change_port: bool = False) -> Response | None:
        """Return the server's response; None if none arrives."""


@dataclass(frozen=True)
class Behaviour:
    """The behaviour of a NAT."""

    server: Endpoint
    local: Endpoint
    mapped: Endpoint
    others: tuple[Endpoint, ...]
    """Mapped addresses that other servers and ports saw, in the order of the requests."""
    mapping: Dependence
    """What the outside port depends on; UNKNOWN without a second server or port."""
    filtering: Dependence
    """Who may send to the outside port: INDEPENDENT means everybody; UNKNOWN if the server has no second address."""

    @property
    def behind_nat(self) -> bool:
        return self.mapped != self.local

    @property
    def nat(self) -> NatType:
        """The usual name of this kind of NAT."""
        if not self.behind_nat:
            return NatType.NONE
        if self.mapping is Dependence.UNKNOWN:
            return NatType.UNKNOWN
        return _CONES[self.filtering] if self.mapping is Dependence.INDEPENDENT else NatType.SYMMETRIC

    @property
    def stun_helps(self) -> bool | None:
        """Whether a phone here can be reached at the address that it learns by STUN; None if unknown."""
        return None if self.nat is NatType.UNKNOWN else self.nat not in (NatType.NONE, NatType.SYMMETRIC)

    @property
    def tftp_passes(self) -> bool | None:
        """Whether TFTP works across the NAT: TFTP servers respond from another port than the one requested. None if unknown."""
        return None if self.filtering is Dependence.UNKNOWN else self.filtering is not Dependence.ADDRESS_AND_PORT

    def __str__(self) -> str:
        return " ".join(sentence for sentence in (self._seen(), self._advice(), self._tftp()) if sentence)

    def _seen(self) -> str:
        if not self.behind_nat:
            return f"{self.server} sees {self.mapped}, this host's own address: there is no NAT."
        kind = "a NAT" if self.nat is NatType.UNKNOWN else f"a {self.nat} NAT"
        return f"{self.server} sees {self.local} as {self.mapped}: there is {kind}."

    def _advice(self) -> str:
        if not self.behind_nat:
            return "A phone here needs no STUN."
        if self.mapping is Dependence.UNKNOWN:
            return (
                "Whether STUN helps is unknown, since the server has no second address and alternates is empty;"
                " name another port of the server in alternates."
            )
        if self.mapping is not Dependence.INDEPENDENT:
            seen = ", ".join(str(other) for other in self.others)
            return (
                f"Others see {seen}, so a phone cannot be reached at the address that it learns by STUN, and"
                " STUN will not help. Let the phone use an outbound proxy or session border controller that responds"
                " to the source of packets, with phone_nat: {keep_alive: true, symmetric_rtp: true};"
                " or have the router forward fixed ports, with phone_nat: {external_address: ..., external_rtp_port: ...};"
                " or replace the router."
            )
        keep = "" if self.filtering is Dependence.INDEPENDENT else ", keep_alive: true"
        who = "" if self.filtering is Dependence.INDEPENDENT else ", and keep-alive messages keep the mapping open"
        return f"STUN helps{who}: phone_nat: {{mapping: true, stun_server: {self.server}{keep}}}."

    def _tftp(self) -> str:
        if self.tftp_passes is not False:
            return ""
        return "Responses from another port do not get in, so TFTP does not pass; provision by HTTPS."


def discover(open_asker: Callable[[], Asker], server: Endpoint, alternates: Sequence[Endpoint] = ()) -> Behaviour:
    """Return the behaviour of the NAT on the way to *server*; *alternates*: further endpoints, used if the server announces none.

    *open_asker* opens a new socket each time, since a rejected packet may change a NAT's behaviour for its socket.
    """
    asker = open_asker()
    first = _answer(asker.ask(server), server)
    places = [Endpoint(first.other.address, server.port), first.other] if first.other else list(alternates)
    others = [(place, response.mapped) for place in places if (response := asker.ask(place)) and response.mapped]
    mapped = first.mapped or server
    return Behaviour(
        server,
        asker.local,
        mapped,
        tuple(seen for _place, seen in others),
        _mapping(server, mapped, others),
        _filtering(open_asker(), server) if first.other else Dependence.UNKNOWN,
    )


def _answer(response: Response | None, server: Endpoint) -> Response:
    if response is None:
        raise StunCheckError(
            f"{server} does not answer STUN requests by UDP; check the address and port, and that no firewall is in between"
        )
    if response.failure:
        raise StunCheckError(f"{server} refuses STUN requests ({response.failure}); use a server that requires no login")
    return response


def _mapping(server: Endpoint, mapped: Endpoint, others: Sequence[tuple[Endpoint, Endpoint]]) -> Dependence:
    if not others:
        return Dependence.UNKNOWN
    if all(seen == mapped for _place, seen in others):
        return Dependence.INDEPENDENT
    # If all ports of the other address see the same, the port does not matter
    elsewhere = [seen for place, seen in others if place.address != server.address]
    return Dependence.ADDRESS if len(elsewhere) > 1 and len(set(elsewhere)) == 1 else Dependence.ADDRESS_AND_PORT


def _filtering(asker: Asker, server: Endpoint) -> Dependence:
    asker.ask(server)
    if asker.ask(server, change_address=True, change_port=True):
        return Dependence.INDEPENDENT
    return Dependence.ADDRESS if asker.ask(server, change_port=True) else Dependence.ADDRESS_AND_PORT


class UdpAsker:
    """Sends requests from one UDP port of this host; use as a context manager."""

    def __init__(self, server: Endpoint, timeout: float) -> None:
        """*server*: the route to it selects the local address; *timeout*: seconds to wait for a response."""
        self._timeout = timeout
        self._server = server
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def __enter__(self) -> UdpAsker:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect(self._server)
            except OSError as error:
                raise StunCheckError(f"there is no route to {self._server}: {error.strerror}") from error
            address = probe.getsockname()[0]
        self._socket.bind((address, 0))
        self.local = Endpoint(*self._socket.getsockname())
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def ask(self, server: Endpoint, change_address: bool = False, change_port: bool = False) -> Response | None:
        """Repeat the request at doubling intervals (RFC 8489 section 6.2.1) until a response arrives or the timeout ends."""
        transaction = secrets.token_bytes(TRANSACTION_BYTES)
        request = build_request(transaction, change_address, change_port)
        end = time.monotonic() + self._timeout
        wait = _FIRST_WAIT
        while (now := time.monotonic()) < end:
            try:
                self._socket.sendto(request, server)
            except OSError:
                return None
            response = self._receive(transaction, None if change_address or change_port else server, min(end, now + wait))
            if response:
                return response
            wait *= 2
        return None

    def _receive(self, transaction: bytes, sender: Endpoint | None, end: float) -> Response | None:
        while (left := end - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                data, source = self._socket.recvfrom(_MAX_DATAGRAM_SIZE)
                response = parse_response(data)
            except TimeoutError:
                return None
            except (OSError, StunError):
                continue
            if response.transaction == transaction and sender in (None, source):
                return response
        return None
