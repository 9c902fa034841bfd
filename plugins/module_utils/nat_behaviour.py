# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""How the NAT between here and a STUN server behaves (RFC 5780), and what that means for a phone behind it.

A NAT is judged by its mapping, which tells whether STUN helps, and by its filtering, which tells who gets in.
"""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from .stun_packets import TRANSACTION_BYTES, Endpoint, Response, StunError, build_request, parse_response

INDEPENDENT = "independent"
ADDRESS = "address_dependent"
ADDRESS_AND_PORT = "address_and_port_dependent"
UNKNOWN = "unknown"

_FIRST_WAIT = 0.25
_LARGEST_DATAGRAM = 65535


class StunCheckError(Exception):
    """Nothing can be found out; the message says why and what to do."""


class Asker(Protocol):
    """One UDP socket that asks STUN servers."""

    local: Endpoint
    """Its own address, as the server would see it without a NAT."""

    def ask(self, server: Endpoint, change_address: bool = False, change_port: bool = False) -> Response | None:
        """Return what the server answers; None if nothing arrives."""


@dataclass(frozen=True)
class Behaviour:
    """What was found out."""

    server: Endpoint
    local: Endpoint
    mapped: Endpoint
    others: tuple[Endpoint, ...]
    """What other addresses and ports have seen, one after the other."""
    mapping: str
    """On what the outside port depends: INDEPENDENT, ADDRESS, ADDRESS_AND_PORT; UNKNOWN without a second place to ask."""
    filtering: str
    """Who may send to it: INDEPENDENT is everybody; UNKNOWN where the server has no second address."""

    @property
    def behind_nat(self) -> bool:
        return self.mapped != self.local

    @property
    def nat(self) -> str:
        """The usual name of such a NAT."""
        if not self.behind_nat:
            return "none"
        if self.mapping == UNKNOWN:
            return UNKNOWN
        if self.mapping != INDEPENDENT:
            return "symmetric"
        names = {INDEPENDENT: "full cone", ADDRESS: "restricted cone", ADDRESS_AND_PORT: "port restricted cone"}
        return names.get(self.filtering, "cone")

    @property
    def stun_helps(self) -> bool | None:
        """Whether a phone here can be reached at what STUN tells it; None if that is not known."""
        return None if self.nat == UNKNOWN else self.nat not in ("none", "symmetric")

    @property
    def tftp_passes(self) -> bool | None:
        """Whether TFTP works across it, whose servers answer from another port than the one that was asked."""
        return None if self.filtering == UNKNOWN else self.filtering != ADDRESS_AND_PORT

    def __str__(self) -> str:
        return " ".join(sentence for sentence in (self._seen(), self._advice(), self._tftp()) if sentence)

    def _seen(self) -> str:
        if not self.behind_nat:
            return f"{self.server} sees {self.mapped}, the machine's own address: there is no NAT."
        kind = "a NAT" if self.nat == UNKNOWN else f"a {self.nat} NAT"
        return f"{self.server} sees {self.local} as {self.mapped}: there is {kind}."

    def _advice(self) -> str:
        if not self.behind_nat:
            return "A phone here needs no STUN."
        if self.mapping == UNKNOWN:
            return (
                "Whether STUN helps is not known, since the server has no second address and none is named in alternates;"
                " name another port of the server there."
            )
        if self.mapping != INDEPENDENT:
            seen = ", ".join(str(other) for other in self.others)
            return (
                f"Others see {seen}, so that what STUN tells a phone is of no use to those that shall reach it, and"
                " STUN will not help. Let the phone speak through an outbound proxy or session border controller that answers"
                " to where packets come from, with phone_nat: {keep_alive: true, symmetric_rtp: true};"
                " or have the router forward fixed ports, with phone_nat: {external_address: ..., external_rtp_port: ...};"
                " or replace the router."
            )
        keep = "" if self.filtering == INDEPENDENT else ", keep_alive: true"
        who = "" if self.filtering == INDEPENDENT else ", and keep-alive messages keep the way in open"
        return f"STUN helps{who}: phone_nat: {{mapping: true, stun_server: {self.server}{keep}}}."

    def _tftp(self) -> str:
        if self.tftp_passes is not False:
            return ""
        return "Answers from another port do not get in, so that TFTP does not pass; provision by HTTPS."


def discover(open_asker: Callable[[], Asker], server: Endpoint, alternates: Sequence[Endpoint] = ()) -> Behaviour:
    """Find out how the NAT on the way to *server* behaves; *alternates*: further places that answer, where it tells of none itself.

    *open_asker* gives a new socket each time, since what was refused once may change what a NAT does next.
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
        _filtering(open_asker(), server) if first.other else UNKNOWN,
    )


def _answer(response: Response | None, server: Endpoint) -> Response:
    if response is None:
        raise StunCheckError(
            f"{server} does not answer STUN requests by UDP; check the address and the port, and that no firewall stands between"
        )
    if response.failure:
        raise StunCheckError(f"{server} refuses STUN requests ({response.failure}); ask a server that wants no login")
    return response


def _mapping(server: Endpoint, mapped: Endpoint, others: Sequence[tuple[Endpoint, Endpoint]]) -> str:
    if not others:
        return UNKNOWN
    if all(seen == mapped for _place, seen in others):
        return INDEPENDENT
    # Where all of one other address see the same, its port does not matter
    elsewhere = [seen for place, seen in others if place.address != server.address]
    return ADDRESS if len(elsewhere) > 1 and len(set(elsewhere)) == 1 else ADDRESS_AND_PORT


def _filtering(asker: Asker, server: Endpoint) -> str:
    asker.ask(server)
    if asker.ask(server, change_address=True, change_port=True):
        return INDEPENDENT
    return ADDRESS if asker.ask(server, change_port=True) else ADDRESS_AND_PORT


class UdpAsker:
    """Asks from one UDP port of this machine; use as a context manager."""

    def __init__(self, server: Endpoint, timeout: float) -> None:
        """*server*: the way there tells which address is used; *timeout*: seconds until there is no answer."""
        self._timeout = timeout
        self._server = server
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def __enter__(self) -> UdpAsker:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect(self._server)
            except OSError as error:
                raise StunCheckError(f"there is no way to {self._server}: {error.strerror}") from error
            address = probe.getsockname()[0]
        self._socket.bind((address, 0))
        self.local = Endpoint(*self._socket.getsockname())
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def ask(self, server: Endpoint, change_address: bool = False, change_port: bool = False) -> Response | None:
        """Ask again and again, each time after twice as long (RFC 8489 section 6.2.1), until something arrives or time is over."""
        transaction = secrets.token_bytes(TRANSACTION_BYTES)
        request = build_request(transaction, change_address, change_port)
        end = time.monotonic() + self._timeout
        wait = _FIRST_WAIT
        while (now := time.monotonic()) < end:
            try:
                self._socket.sendto(request, server)
            except OSError:
                return None
            response = self._hear(transaction, None if change_address or change_port else server, min(end, now + wait))
            if response:
                return response
            wait *= 2
        return None

    def _hear(self, transaction: bytes, sender: Endpoint | None, end: float) -> Response | None:
        while (left := end - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                data, source = self._socket.recvfrom(_LARGEST_DATAGRAM)
                response = parse_response(data)
            except TimeoutError:
                return None
            except (OSError, StunError):
                continue
            if response.transaction == transaction and sender in (None, source):
                return response
        return None
