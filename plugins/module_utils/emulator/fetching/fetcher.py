# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""One file, fetched as an emulated phone fetches it: names, addresses, roots, certificates, redirections and logins.

Sources: "HTTP status code handling on resync" and "Redundant provisioning servers" of the in-house chapter of the ATA 191/192
guide, "Custom CA" of that guide. Guesses: at most five redirections; a redirected POST becomes a GET, as in web browsers;
credentials go to any server that asks for them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urljoin

from ...certificates.tls_facts import tls_facts
from ...events.causes.failure_codes import FailureCode
from ...profiles.macros import expand
from ...profiles.rules.model import RuleError, Target
from ...profiles.rules.urls import format_url, parse_url
from ..device.ports import Network, WireFailure, WireRequest, WireResponse
from ..device.state import PhoneState
from ..device.trace import Behaviour, Outcome, RequestRecord, ResyncError, StepName, Trace
from .http_auth import Credentials, authorization
from .profile_decoder import is_encrypted
from .server_verifier import ServerVerifier, validity_error

MAX_REDIRECTIONS = 5
MAX_LOGINS = 2
MAX_ADDRESSES = 10
"""A records that are tried in turn."""
MAX_REQUESTS = 200
"""Requests per resync: no profile needs as many."""
MAX_PROFILE_SIZE = 16 * 1024 * 1024
_MAX_ROOTS_SIZE = 1024 * 1024

_REDIRECTIONS = (301, 302)
_LOGINS: Mapping[int, tuple[str, str]] = {
    401: ("www-authenticate", "Authorization"),
    407: ("proxy-authenticate", "Proxy-Authorization"),
}
"""Status -> headers of challenge and answer."""
_NO_SERVER = (WireFailure.REFUSED, WireFailure.TIMEOUT, WireFailure.UNREACHABLE, WireFailure.CLOSED)
"""Failures after which the next address is tried: no server has responded. Guess: neither has one that closes the connection."""
_CERTIFICATE_FAILURES = (WireFailure.CHAIN, WireFailure.CERTIFICATE_TIME, WireFailure.CERTIFICATE)
_CODES: Mapping[WireFailure, FailureCode] = {
    WireFailure.REFUSED: FailureCode.REFUSED,
    WireFailure.TIMEOUT: FailureCode.TIMEOUT,
    WireFailure.TOO_LARGE: FailureCode.TOO_LARGE,
    WireFailure.CHAIN: FailureCode.CHAIN,
    WireFailure.CERTIFICATE_TIME: FailureCode.CERTIFICATE_TIME,
    WireFailure.CERTIFICATE: FailureCode.CHAIN,
    WireFailure.HANDSHAKE: FailureCode.HANDSHAKE,
    WireFailure.CLOSED: FailureCode.NO_ANSWER,
    WireFailure.PROTOCOL: FailureCode.NO_ANSWER,
    WireFailure.UNREACHABLE: FailureCode.NO_ANSWER,
    WireFailure.TFTP: FailureCode.FORBIDDEN,
}


def behaviour(status: int) -> Behaviour:
    """Return what an HTTP status means to a phone."""
    if 200 <= status < 300:
        return Behaviour.SUCCESS
    if status in _REDIRECTIONS:
        return Behaviour.REDIRECT
    if status in _LOGINS:
        return Behaviour.LOGIN
    return Behaviour.NOT_FOUND if status == 404 else Behaviour.FAILURE


@dataclass(frozen=True)
class FileRequest:
    """One file to fetch, or one report to send."""

    parameter: str
    """The parameter that names it."""
    credentials: Credentials | None = None
    body: bytes | None = field(default=None, repr=False)
    """What is sent; None for nothing."""
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    max_bytes: int = MAX_PROFILE_SIZE
    option: int | None = None
    """The DHCP option that names the server; None if a rule names it."""
    outcome_on_failure: Outcome = Outcome.FAILED
    """Outcome of the step when the file is not there."""


@dataclass
class _Exchange:
    """The requests for one file: where the next one goes, and what has been tried."""

    target: Target
    request: FileRequest
    redirections: int = 0
    logins: int = 0
    authorization: Mapping[str, str] = field(default_factory=dict, repr=False)
    address: str = ""
    """The address that has responded last."""

    @property
    def sends_body(self) -> bool:
        """Whether the next request sends the body."""
        tftp_get = self.target.scheme == "tftp" and self.request.method != "PUT"
        return self.request.body is not None and not self.redirections and not tftp_get

    @property
    def method(self) -> str:
        return self.request.method if self.sends_body else "GET"


class Fetcher:
    """Fetches the files of one phone."""

    def __init__(self, state: PhoneState, trace: Trace) -> None:
        self.state = state
        self.trace = trace
        self.requests_left = MAX_REQUESTS
        """How many requests this resync may still send."""

    def get(self, target: Target, request: FileRequest, network: Network) -> tuple[Target, WireResponse]:
        """Return the file, and the target that it was fetched from in the end; raise ResyncError."""
        exchange = _Exchange(target, request)
        while True:
            url = format_url(exchange.target)
            with self.trace.step(StepName.FETCH, url, request.outcome_on_failure) as entry:
                response = self._send(exchange, network)
                meaning = self._classify(exchange, response)
                entry.detail = f"status {response.status}, {len(response.content)} bytes"
            if meaning is Behaviour.SUCCESS:
                return exchange.target, response if response.status < 300 else WireResponse(response.status)
            if meaning is Behaviour.LOGIN:
                self._authenticate(exchange, response)
            else:
                self._redirect(exchange, response)

    def _classify(self, exchange: _Exchange, response: WireResponse) -> Behaviour:
        """Record the request, and return what follows from the response; raise ResyncError for a failure."""
        meaning = behaviour(response.status)
        if meaning is Behaviour.NOT_FOUND and self.state.is_no("Resync_Fails_On_FNF"):
            meaning = Behaviour.SUCCESS
        if meaning is Behaviour.REDIRECT and exchange.redirections >= MAX_REDIRECTIONS:
            meaning = Behaviour.FAILURE
        if meaning is Behaviour.LOGIN and (not exchange.request.credentials or exchange.logins >= MAX_LOGINS):
            meaning = Behaviour.FAILURE
        self._record_request(exchange, response, meaning)
        if meaning in (Behaviour.NOT_FOUND, Behaviour.FAILURE):
            code, reason = _reason(response, exchange)
            raise self._failed(code, reason, exchange, response)
        return meaning

    def _record_request(self, exchange: _Exchange, response: WireResponse, meaning: Behaviour) -> None:
        sealed = is_encrypted(response)
        request = RequestRecord(
            power_up=self.trace.power_up,
            parameter=exchange.request.parameter,
            url=format_url(exchange.target),
            protocol=exchange.target.scheme,
            status=response.status,
            bytes=len(response.content),
            sealed=sealed,
            behaviour=meaning,
            address=exchange.address,
            digest=hashlib.sha256(response.content).hexdigest() if sealed else "",
        )
        self.trace.requests.append(request)

    @staticmethod
    def _failed(code: FailureCode, reason: str, exchange: _Exchange, response: WireResponse, **more: object) -> ResyncError:
        url, target = format_url(exchange.target), exchange.target
        facts = {"url": url, "server": str(target.server), "path": target.path, "scheme": target.scheme, "status": response.status}
        if exchange.request.option is not None:
            more["option"] = exchange.request.option
        return ResyncError(code, f"{url}: {reason}", parameter=exchange.request.parameter, **facts, **more)

    def _authenticate(self, exchange: _Exchange, response: WireResponse) -> None:
        exchange.logins += 1
        challenge_header, answer_header = _LOGINS[response.status]
        with self.trace.step(StepName.LOGIN, format_url(exchange.target)) as entry:
            challenge = response.headers.get(challenge_header, "")
            value = ""
            if exchange.request.credentials:
                cnonce = f"{self.state.rng.getrandbits(64):016x}"
                value = authorization(challenge, exchange.request.credentials, exchange.method, exchange.target.path, cnonce)
            if not value:
                offered = challenge.partition(" ")[0] or "nothing"
                reason = f"the server offers {offered}, which the phone does not support"
                raise self._failed(FailureCode.LOGIN, reason, exchange, response)
            entry.detail = value.partition(" ")[0]
        exchange.authorization = {**exchange.authorization, answer_header: value}

    def _redirect(self, exchange: _Exchange, response: WireResponse) -> None:
        location = response.headers.get("location", "")
        try:
            target = parse_url(urljoin(format_url(exchange.target), location.partition("#")[0]))
        except ValueError as error:
            reason = f"redirects to an invalid URL: {error}"
            raise self._failed(FailureCode.REDIRECTS, reason, exchange, response, location=location) from error
        exchange.target = target
        exchange.redirections += 1
        exchange.authorization = {}

    # -- one request, to each address

    def _send(self, exchange: _Exchange, network: Network) -> WireResponse:
        """Send a request to each address in turn, until a server responds."""
        roots = self._trusted_roots(exchange, network)
        tried: list[str] = []
        exchange.address = ""
        response = WireResponse(0)
        for address in self._addresses(exchange, network):
            response = self._send_to(exchange, address, roots, network)
            if response.status or response.failure not in _NO_SERVER:
                exchange.address = address
                return response
            tried.append(f"{address}: {response.error or response.failure}")
            self.trace.record_skipped(StepName.FETCH, format_url(exchange.target), tried[-1])
        if len(tried) > 1:
            self._record_request(exchange, response, Behaviour.FAILURE)
            reason = f"none of its {len(tried)} addresses responds ({'; '.join(tried)})"
            raise self._failed(FailureCode.NO_ANSWER, reason, exchange, response, addresses=len(tried))
        return response

    def _addresses(self, exchange: _Exchange, network: Network) -> list[str]:
        name = str(exchange.target.server)
        with self.trace.step(StepName.NAME, name, exchange.request.outcome_on_failure) as entry:
            found = list(network.addresses(name))[:MAX_ADDRESSES]
            if not found:
                reason = f"the name {name} has no address"
                raise self._failed(FailureCode.NO_ADDRESS, reason, exchange, WireResponse(0), name=name)
            entry.detail = ", ".join(found)
            entry.outcome = Outcome.SKIPPED if found == [name.strip("[]")] else Outcome.OK
        return found

    def _send_to(self, exchange: _Exchange, address: str, roots: bytes, network: Network) -> WireResponse:
        self.requests_left -= 1
        if self.requests_left < 0:
            reason = f"the phone gives up after {MAX_REQUESTS} requests in one resync"
            raise self._failed(FailureCode.LOOP, reason, exchange, WireResponse(0))
        verifier = self._verifier(exchange.target, address, network)
        response = network.fetch(self._wire_request(exchange, address, roots, verifier))
        max_bytes = exchange.request.max_bytes
        if len(response.content) > max_bytes:
            response = WireResponse(0, failure=WireFailure.TOO_LARGE, error=f"larger than {max_bytes} bytes")
        if exchange.target.scheme == "https":
            self._check_certificate(exchange, response, verifier)
        return response

    def _wire_request(self, exchange: _Exchange, address: str, roots: bytes, verifier: ServerVerifier) -> WireRequest:
        target, request = exchange.target, exchange.request
        extra = request.headers if exchange.sends_body else {}
        headers = {"User-Agent": self.state.user_agent, **extra, **exchange.authorization}
        return WireRequest(
            target=target,
            address=address,
            method=exchange.method,
            headers={} if target.scheme == "tftp" else headers,
            body=(request.body or b"") if exchange.sends_body else b"",
            roots=roots,
            verify_certificate=verifier,
            max_bytes=request.max_bytes,
        )

    def _verifier(self, target: Target, address: str, network: Network) -> ServerVerifier:
        validates_name = not self.state.is_no("HTTPS_Name_Validate")
        return ServerVerifier(
            str(target.server).strip("[]"), address, tls_facts(self.state.family.name), validates_name, network.addresses
        )

    def _check_certificate(self, exchange: _Exchange, response: WireResponse, verifier: ServerVerifier) -> None:
        if response.failure is not None and response.failure not in _CERTIFICATE_FAILURES:
            return
        with self.trace.step(StepName.CERTIFICATE, verifier.name) as entry:
            entry.detail = verifier.found
            if response.failure is None:
                return
            late = validity_error(response.certificate, self.trace.clock.now()) if response.certificate else ""
            code = FailureCode.CERTIFICATE_TIME if late else verifier.code or _CODES[response.failure]
            self._record_request(exchange, response, Behaviour.FAILURE)
            reason = late or response.error or "the certificate was refused"
            is_new = not self.state.roots_url
            raise self._failed(code, reason, exchange, response, names=verifier.found, factory_roots=is_new)

    # -- root certificates

    def _trusted_roots(self, exchange: _Exchange, network: Network) -> bytes:
        """Return the roots to verify a server with: the factory's, and those that a parameter names, fetched when first needed."""
        parameter, target = exchange.request.parameter, exchange.target
        if target.scheme != "https":
            return b""
        state = self.state
        name = state.family.custom_ca
        url = expand(state.parameters.get(name, ""), state.macros()).strip() if name else ""
        if name and url and url != state.roots_url and parameter != name:
            state.add_roots(self._fetch_roots(name, url, network), url)
        if not state.roots:
            hint = f"; {name} names none" if name else ""
            message = f"{format_url(target)}: the phone has no root certificate to verify the server with{hint}"
            option = exchange.request.option
            raise ResyncError(FailureCode.NO_ROOT, message, parameter=name or "", url=format_url(target), option=option)
        return state.roots

    def _fetch_roots(self, name: str, url: str, network: Network) -> bytes:
        try:
            reached, response = self.get(parse_url(url), FileRequest(name, max_bytes=_MAX_ROOTS_SIZE), network)
        except RuleError as error:
            raise ResyncError(FailureCode.RULE, f"{name}: {error}", parameter=name) from error
        if b"-----BEGIN CERTIFICATE-----" not in response.content:
            message = f"{name}: {format_url(reached)}: the file contains no PEM certificate"
            raise ResyncError(FailureCode.NO_ROOT, message, parameter=name, url=format_url(reached))
        return response.content


def _reason(response: WireResponse, exchange: _Exchange) -> tuple[FailureCode, str]:
    """Return code and words for a response that ends the requests."""
    if not response.status:
        code = FailureCode.NO_ANSWER if response.failure is None else _CODES[response.failure]
        return code, response.error or "no answer"
    if response.status in _REDIRECTIONS:
        return FailureCode.REDIRECTS, f"more than {MAX_REDIRECTIONS} redirections"
    words = f"HTTP status {response.status}"
    if response.status in _LOGINS:
        return FailureCode.LOGIN, words if exchange.request.credentials else f"{words}, and the rule has no --uid"
    if response.status == 404:
        return FailureCode.NOT_FOUND, "file not found"
    return FailureCode.FORBIDDEN if response.status == 403 else FailureCode.HTTP_STATUS, words
