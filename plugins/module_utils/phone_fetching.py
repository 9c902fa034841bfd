# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""How an emulated unit gets one file: names, addresses, roots, certificates, redirections, logins; and how it logs.

Sources: "HTTP status code handling on resync" and "Redundant provisioning servers" of the in-house chapter of the ATA 191/192
guide, "Custom CA" of that guide. Guesses: five redirections at most; a redirected POST goes on as a GET, as web browsers do it;
credentials go to whoever asks for them; --srv falls back to the A records of the name, since nothing here can ask for SRV records.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin

from .certificate_rules import TlsFacts, tls_facts
from .http_login import Login, authorization
from .macros import expand
from .messages import DEFAULTS, format_message
from .phone_diary import SKIPPED, Diary, Message, Request, ResyncError
from .phone_memory import Memory
from .phone_network import Answer, Ask, Network
from .profile_opening import is_encrypted
from .rules import RuleError, Target, format_url, parse_url
from .server_judge import ServerJudge, out_of_time

MOST_REDIRECTIONS = 5
MOST_LOGINS = 2
MOST_ADDRESSES = 10
"""A records that are tried in turn."""
MOST_REQUESTS = 200
"""Requests of one resync: no profile needs so many."""
MOST_PROFILE = 16 * 1024 * 1024
_MOST_ROOTS = 1024 * 1024

_FOLLOWED = (301, 302)
_LOGINS: Mapping[int, tuple[str, str]] = {
    401: ("www-authenticate", "Authorization"),
    407: ("proxy-authenticate", "Proxy-Authorization"),
}
_NO_SERVER = ("refused", "timeout", "unreachable")
"""Failures after which the next address is tried."""
_CODES: Mapping[str, str] = {"protocol": "no_answer", "unreachable": "no_answer", "tftp": "forbidden", "certificate": "chain"}
"""Failure of an answer -> code of a report, where that is another word."""


def behaviour(status: int) -> str:
    """Return A, B or C as in the vendor's table of HTTP status codes, ``follow`` or ``login``."""
    if 200 <= status < 300:
        return "A"
    if status in _FOLLOWED:
        return "follow"
    if status in _LOGINS:
        return "login"
    return "B" if status == 404 else "C"


@dataclass(frozen=True)
class Wish:
    """One file, or one report, and how it is asked for."""

    parameter: str
    """What named it."""
    login: Login | None = None
    body: bytes | None = field(default=None, repr=False)
    """What is sent; None for nothing."""
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    most: int = MOST_PROFILE
    otherwise: str = "failed"
    """Outcome of the step when the file is not there."""


@dataclass
class _Exchange:
    """Where the requests for one file have got to."""

    target: Target
    wish: Wish
    redirections: int = 0
    logins: int = 0
    proof: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def sends(self) -> bool:
        """Whether the next request sends the body."""
        tftp_get = self.target.scheme == "tftp" and self.wish.method != "PUT"
        return self.wish.body is not None and not self.redirections and not tftp_get

    @property
    def method(self) -> str:
        return self.wish.method if self.sends else "GET"


class Fetcher:
    """Gets files over a network."""

    def __init__(self, memory: Memory, diary: Diary) -> None:
        self.memory = memory
        self.diary = diary
        self.left = MOST_REQUESTS
        """How many requests this resync has left."""

    def get(self, target: Target, wish: Wish, network: Network) -> tuple[Target, Answer]:
        """Return the file, and where it was in the end; raise ResyncError."""
        exchange = _Exchange(target, wish)
        while True:
            with self.diary.step("fetch", format_url(exchange.target), wish.otherwise) as note:
                answer = self._ask(exchange, network)
                step = self._judge(exchange, answer)
                note.detail = f"status {answer.status}, {len(answer.content)} bytes"
            if step == "A":
                return exchange.target, answer if answer.status < 300 else Answer(answer.status)
            if answer.status in _LOGINS:
                self._log_in(exchange, answer)
            else:
                self._redirect(exchange, answer)

    def _judge(self, exchange: _Exchange, answer: Answer) -> str:
        """Return A, or ``login`` or ``follow`` when another request is to be made; raise ResyncError for a failure."""
        step = behaviour(answer.status)
        if step == "B" and self.memory.is_no("Resync_Fails_On_FNF"):
            step = "A"
        if step == "follow" and exchange.redirections >= MOST_REDIRECTIONS:
            step = "C"
        if step == "login" and (not exchange.wish.login or exchange.logins >= MOST_LOGINS):
            step = "C"
        self._note(exchange, answer, step if step in "ABC" else "")
        if step in ("B", "C"):
            code, reason = _reason(answer, exchange)
            raise self._failed(code, reason, exchange, answer)
        return step

    def _note(self, exchange: _Exchange, answer: Answer, step: str) -> None:
        request = Request(
            power_up=self.diary.power_up,
            parameter=exchange.wish.parameter,
            url=format_url(exchange.target),
            protocol=exchange.target.scheme,
            status=answer.status,
            bytes=len(answer.content),
            sealed=is_encrypted(answer),
            behaviour=step,
        )
        self.diary.requests.append(request)

    @staticmethod
    def _failed(code: str, reason: str, exchange: _Exchange, answer: Answer, **more: Any) -> ResyncError:
        url, target = format_url(exchange.target), exchange.target
        facts = {"url": url, "server": str(target.server), "path": target.path, "scheme": target.scheme, "status": answer.status}
        return ResyncError(code, f"{url}: {reason}", parameter=exchange.wish.parameter, **facts, **more)

    def _log_in(self, exchange: _Exchange, answer: Answer) -> None:
        exchange.logins += 1
        asked, answered = _LOGINS[answer.status]
        url = format_url(exchange.target)
        with self.diary.step("login", url) as note:
            challenge = answer.headers.get(asked, "")
            value = ""
            if exchange.wish.login:
                cnonce = f"{self.memory.chance.getrandbits(64):016x}"
                value = authorization(challenge, exchange.wish.login, exchange.method, exchange.target.path, cnonce)
            if not value:
                offered = challenge.partition(" ")[0] or "nothing"
                raise self._failed("login", f"the server offers {offered}, which the unit cannot answer", exchange, answer)
            note.detail = value.partition(" ")[0]
        exchange.proof = {**exchange.proof, answered: value}

    def _redirect(self, exchange: _Exchange, answer: Answer) -> None:
        url = format_url(exchange.target)
        location = answer.headers.get("location", "")
        try:
            target = parse_url(urljoin(url, location.partition("#")[0]))
        except ValueError as error:
            reason = f"redirects to what cannot be followed: {error}"
            raise self._failed("redirects", reason, exchange, answer, location=location) from error
        exchange.target = target
        exchange.redirections += 1
        exchange.proof = {}

    # -- one request, to each address

    def _ask(self, exchange: _Exchange, network: Network) -> Answer:
        target = exchange.target
        roots = self._trusted(exchange.wish.parameter, target, network)
        tried: list[str] = []
        answer = Answer(0)
        for address in self._addresses(exchange, network):
            answer = self._ask_one(exchange, address, roots, network)
            if answer.status or answer.failure not in _NO_SERVER:
                return answer
            tried.append(f"{address}: {answer.error or answer.failure}")
        if len(tried) > 1:
            self._note(exchange, answer, "C")
            told = f"none of its {len(tried)} addresses answers ({'; '.join(tried)})"
            raise self._failed("no_answer", told, exchange, answer, addresses=len(tried))
        return answer

    def _addresses(self, exchange: _Exchange, network: Network) -> list[str]:
        name = str(exchange.target.server)
        with self.diary.step("name", name, exchange.wish.otherwise) as note:
            found = list(network.addresses(name))[:MOST_ADDRESSES]
            if not found:
                raise self._failed("no_address", f"the name {name} has no address", exchange, Answer(0), name=name)
            note.detail = ", ".join(found)
            note.outcome = SKIPPED if found == [name] else note.outcome
        return found

    def _ask_one(self, exchange: _Exchange, address: str, roots: bytes, network: Network) -> Answer:
        self.left -= 1
        if self.left < 0:
            reason = f"the unit gives up after {MOST_REQUESTS} requests in one resync"
            raise self._failed("loop", reason, exchange, Answer(0))
        target, wish = exchange.target, exchange.wish
        judge = ServerJudge(
            str(target.server), address, self._facts(), not self.memory.is_no("HTTPS_Name_Validate"), network.addresses
        )
        headers = {"User-Agent": self.memory.user_agent, **(wish.headers if exchange.sends else {}), **exchange.proof}
        body = (wish.body or b"") if exchange.sends else b""
        answer = network.fetch(
            Ask(
                target=target,
                address=address,
                method=exchange.method,
                headers={} if target.scheme == "tftp" else headers,
                body=body,
                roots=roots,
                judge=judge,
                most=wish.most,
            )
        )
        if len(answer.content) > wish.most:
            answer = Answer(0, failure="too_large", error=f"more than {wish.most} bytes")
        if target.scheme == "https":
            self._check_certificate(exchange, answer, judge)
        return answer

    def _facts(self) -> TlsFacts:
        return tls_facts(self.memory.family.name)

    def _check_certificate(self, exchange: _Exchange, answer: Answer, judge: ServerJudge) -> None:
        if answer.failure not in ("chain", "certificate", ""):
            return
        with self.diary.step("certificate", judge.name) as note:
            note.detail = judge.found
            if not answer.failure:
                return
            late = out_of_time(answer.certificate, self.diary.clock.now()) if answer.certificate else ""
            expired = any(word in answer.error for word in ("expired", "not yet valid"))
            code = "certificate_time" if late or expired else judge.code or "chain"
            self._note(exchange, answer, "C")
            reason = late or answer.error or "the certificate is not accepted"
            raise self._failed(code, reason, exchange, answer, names=judge.found)

    def _trusted(self, parameter: str, target: Target, network: Network) -> bytes:
        """Return the roots to check *target* with; those that a parameter names are fetched when they are first needed."""
        if target.scheme != "https":
            return b""
        memory = self.memory
        name = memory.family.custom_ca
        url = expand(memory.parameters.get(name, ""), memory.macros()).strip() if name else ""
        if name and url and url != memory.roots_url and parameter != name:
            memory.roots, memory.roots_url = self._fetch_roots(name, url, network), url
        if not memory.roots:
            hint = f"; {name} names none" if name else ""
            message = f"{format_url(target)}: the unit has no root certificate to check the server with{hint}"
            raise ResyncError("no_root", message, parameter=name or "", url=format_url(target))
        return memory.roots

    def _fetch_roots(self, name: str, url: str, network: Network) -> bytes:
        try:
            reached, answer = self.get(parse_url(url), Wish(name, most=_MOST_ROOTS), network)
        except RuleError as error:
            raise ResyncError("rule", f"{name}: {error}", parameter=name) from error
        if b"-----BEGIN CERTIFICATE-----" not in answer.content:
            message = f"{name}: {format_url(reached)}: the file holds no PEM certificate"
            raise ResyncError("no_root", message, parameter=name, url=format_url(reached))
        return answer.content

    # -- syslog

    def log(self, server: str, event: str, network: Network, target: Target | None, error: str = "") -> None:
        """Send the message of an event of messages.DEFAULTS, unless its template is cleared, or there is no server."""
        if not server:
            return
        setting = f"log_messages.{event.replace(' ', '_') if event.startswith('upgrade') else f'resync_{event}'}"
        macros = {**self.memory.macros(), "ERR": error}
        if target:
            name = str(target.server)
            macros.update(
                SCHEME=target.scheme,
                METH=target.scheme,
                SERV=name,
                SERVIP=next(iter(network.addresses(name)), name),
                PORT=str(target.port),
                PATH=target.path,
            )
        text = format_message(self.memory.get(setting, DEFAULTS[event]), macros)
        if text:
            line = self.memory.family.priority + text
            with self.diary.step("log", server) as note:
                note.detail = event
                sent = network.log(server, line)
                note.outcome = note.outcome if sent else "failed"
            self.diary.messages.append(Message(server, line, sent))


def _reason(answer: Answer, exchange: _Exchange) -> tuple[str, str]:
    """Return code and words for an answer that ends the requests."""
    if not answer.status:
        return _CODES.get(answer.failure, answer.failure) or "no_answer", answer.error or "no answer"
    if answer.status in _FOLLOWED:
        return "redirects", f"more than {MOST_REDIRECTIONS} redirections"
    told = f"HTTP status {answer.status}"
    if answer.status in _LOGINS:
        return "login", told if exchange.wish.login else f"{told}, and the rule has no --uid"
    if answer.status == 404:
        return "not_found", "file not found"
    return "forbidden" if answer.status == 403 else "http_status", told
