# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a unit behaves from power-up to the end of its resync; the wire is a port, see phone_network.

Sources: "Profile rule", "HTTP status code handling on resync", "Custom CA" and "RFC 8188-based HTTP content encryption" of the
ATA 191/192, SPA and MPP provisioning guides; the MPP migration guide for what a phone makes of a DHCP option. Where they are silent
the habit is noted as a guess.

Not emulated: ``--alias``, ``--srv``, firmware upgrades and reports.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urljoin

from .http_login import Login, authorization
from .macros import KNOWN, SECRET, expand
from .messages import DEFAULTS, format_message
from .phone import Phone
from .phone_network import Answer, Ask, Lease, Network
from .profile import HIDDEN, ProfileError, is_secret, shown, shown_urls, values
from .profile_formats import FORMATS
from .rules import Choice, Destination, RuleError, Target, evaluate, format_url, parse_rule, parse_url
from .sealing import SealingError, decompress, decrypt_content, is_compressed, is_sealed, unseal
from .user_agent import format_user_agent

AES128GCM = "aes128gcm"
"""The one Content-Encoding that a unit understands."""
MOST_REDIRECTIONS = 5
MOST_LOGINS = 2
MOST_ADDRESSES = 10


_SHORTEST_SECRET = 4  # shorter ones would blot out half of every text and are no secrets
_NO = ("no", "0")
_HARDWARE = "1.0.0"


@dataclass(frozen=True)
class Request:
    """One file that was asked for."""

    power_up: int
    parameter: str
    """The parameter that named it: Profile_Rule, Custom_CA_URL ..."""
    url: str
    protocol: str
    status: int
    bytes: int
    sealed: bool
    behaviour: str
    """A success, B not found or corrupt, C any other failure; empty for a redirection or a login that is tried again."""


@dataclass(frozen=True)
class Message:
    """One syslog message."""

    server: str
    text: str
    sent: bool


class ResyncError(Exception):
    """A resync has failed; the message is what a unit would put into $ERR, with the URL where there is one."""


class Unit:
    """One unit, factory-new when made. Call power_up() once a power cycle, then report()."""

    def __init__(self, phone: Phone, roots: bytes = b"", has_certificate: bool = False) -> None:
        """*roots*: PEM roots from the factory; families that can be told of others by URL start without."""
        self._phone = phone
        self._family = phone.model.family
        self._roots = b"" if self._family.custom_ca else roots
        self._roots_url = ""
        self._has_certificate = has_certificate
        self._rules = self._family.profile_rules
        self._parameters = dict.fromkeys(self._rules[:1], self._family.factory_rule)
        self._keys: set[str] = set()
        self._lease: Lease | None = None
        self._power_ups = 0
        self._requests: list[Request] = []
        self._messages: list[Message] = []
        self.cause = ""
        """Why the unit is not preprovisioned, in one sentence; empty while nothing has failed."""

    def power_up(self, network: Network) -> None:
        """Get an address and follow the rules that hold now. A failure ends the resync, and is noted in ``cause``."""
        self._power_ups += 1
        self._lease = network.lease(self._phone.model.vendor_class)
        if self._lease is None:
            self.fail("no DHCP server gave it an address")
            return
        if self._is_no("Provision_Enable") or self._is_no("Resync_On_Reset"):
            self.fail("the unit does not resync, since Provision_Enable or Resync_On_Reset is No")
            return
        if not self._rules:
            self._ask_for_files(network)
            return
        for parameter in self._rules:
            try:
                # Read anew each time: the profile before may have set it.
                self._follow(parameter, self._parameters.get(parameter, ""), network)
            except ResyncError as error:
                self.fail(f"{parameter}: {error}")
                return

    def fail(self, why: str) -> None:
        """Note why this power-up did not succeed."""
        self.cause = self._hide(f"power-up {self._power_ups}: {why}")

    def report(self) -> dict[str, Any]:
        """Tell what happened. No secret is in it."""
        cause = self.cause or self._shortcoming()
        return {
            "name": self._phone.name,
            "mac": self._phone.mac.colon,
            "model": self._phone.model.name,
            "address": self._lease.address if self._lease else "",
            "dhcp_options": {str(code): value for code, value in sorted(self._lease.options.items())} if self._lease else {},
            "requests": [{**asdict(request), "url": self._hide(request.url)} for request in self._requests],
            "messages": [{**asdict(message), "text": self._hide(message.text)} for message in self._messages],
            "state": "failed" if cause else "preprovisioned",
            "cause": cause,
            "profile_rule": self._shown_rule(),
            "parameters": len(self._parameters),
        }

    def _ask_for_files(self, network: Network) -> None:
        """What families without rules do: fetch the model's file, if there is one, and then the unit's own."""
        try:
            for what, path in (("the model's file", self._family.factory_rule), ("the unit's file", self._family.own_file)):
                if path:
                    targets = self._targets(parse_url(expand(path, self._macros())))
                    reached, answer = self._first(what, Destination(targets[0]), targets, network)
                    if path == self._family.own_file:
                        self._parameters.update(self._open(reached, answer, None))
        except ResyncError as error:
            self.fail(str(error))

    # -- one rule

    def _follow(self, parameter: str, text: str, network: Network) -> None:
        # A profile may name another server, or none; this resync still belongs to the old one.
        server = self._syslog_server()
        targets: list[Target] = []
        try:
            choice = self._choose(text)
            if choice is None:
                return
            self._parameters.update(choice.assignments)
            if not choice.destinations:
                return
            destination = choice.destinations[0]
            targets = self._targets(destination.target)
            self._log(server, "request", network, targets[0])
            reached, answer = self._first(parameter, destination, targets, network)
            values = self._open(reached, answer, destination.options.get("key"))
        except ResyncError as error:
            self._log(server, "failure", network, targets[0] if targets else None, str(error))
            raise
        self._parameters.update(values)
        self._log(server, "success", network, reached)

    def _choose(self, text: str) -> Choice | None:
        secrets = {name: self._parameters.get(f"GPP_{name}", "") for name in SECRET}
        try:
            choice = evaluate(text, self._macros(), secrets)
        except RuleError as error:
            raise ResyncError(str(error)) from error
        for destination in choice.destinations if choice else ():
            self._keys.update(destination.options.get(name, "") for name in ("key", "pwd"))
            for name in ("alias", "srv"):
                if name in destination.options:
                    raise ResyncError(f"--{name} is beyond what an emulated unit can do")
        return choice

    def _targets(self, target: Target) -> list[Target]:
        """Where the rule leads, in the order in which the unit tries; a server that is missing comes from DHCP."""
        if target.server:
            return [target]
        options = self._lease.options if self._lease else {}
        source = next((code for code in self._family.dhcp_sources if options.get(code)), None)
        if source is None:
            wanted = " or ".join(str(code) for code in self._family.dhcp_sources)
            raise ResyncError(f"{target.path} names no server, and neither does DHCP (option {wanted})")
        return [place for value in re.split(r"[;\s]+", options[source]) for place in self._places(source, value, target)]

    def _places(self, source: int, value: str, target: Target) -> list[Target]:
        _scheme, separator, rest = value.partition("://")
        if separator and not self._family.reads_urls:
            raise ResyncError(f"DHCP option {source} is the URL {value}; this family takes an address or a name")
        tails = [target.path]
        if self._family.probes:
            tails.append(expand("/Cisco/$PN/$MA.cfg", self._phone.macros))
        try:
            if separator:
                base = parse_url(value if "/" in rest else f"{value}/")
                folder = base.path.rstrip("/")
                whole = [base] if folder else []
                return whole + [Target(base.scheme, base.server, base.port, folder + tail) for tail in tails]
            schemes = ("tftp", "http", "https") if self._family.probes and target.scheme == "tftp" else (target.scheme,)
            return [parse_url(f"{scheme}://{value}{tail}") for scheme in schemes for tail in tails]
        except RuleError as error:
            raise ResyncError(f"DHCP option {source}: {error}") from error

    def _first(self, parameter: str, destination: Destination, targets: list[Target], network: Network) -> tuple[Target, Answer]:
        """Return the first file that is there, and where it was in the end."""
        options = destination.options
        login = Login(options["uid"], options.get("pwd", "")) if "uid" in options else None
        body = expand(self._parameters.get(f"GPP_{options['post'].upper()}", ""), self._macros()) if "post" in options else None
        problems: list[str] = []
        for target in targets:
            try:
                return self._get(parameter, target, network, login, body)
            except ResyncError as error:
                problems.append(str(error))
        more = f" (and {len(problems) - 1} other places failed too)" if len(problems) > 1 else ""
        raise ResyncError(problems[0] + more)

    # -- one file

    def _get(
        self, parameter: str, target: Target, network: Network, login: Login | None = None, body: str | None = None
    ) -> tuple[Target, Answer]:
        logins = redirections = 0
        proof: dict[str, str] = {}
        while True:
            url = format_url(target)
            roots = self._trusted(parameter, target, network)
            # A redirected POST goes on as a GET, as web browsers do it: a guess.
            posted = None if redirections or target.scheme == "tftp" else body
            answer = self._ask(target, roots, proof, posted, network)
            step = behaviour(answer.status)
            if step == "B" and self._is_no("Resync_Fails_On_FNF"):
                step = "A"
            if step == "login":
                logins += 1
                proof = self._prove(login, target, answer, posted) if logins <= MOST_LOGINS else {}
                step = "" if proof else "C"
            if step == "follow":
                redirections += 1
                step = "" if redirections <= MOST_REDIRECTIONS else "C"
            self._note(parameter, target, answer, step)
            if step in ("B", "C"):
                reason = f"more than {MOST_REDIRECTIONS} redirections" if redirections > MOST_REDIRECTIONS else _reason(answer)
                raise ResyncError(f"{url}: {reason}")
            if step == "A":
                return target, answer if answer.status < 300 else Answer(answer.status)
            if answer.status in (301, 302):
                try:
                    target = parse_url(urljoin(url, answer.headers.get("location", "")))
                except RuleError as error:
                    raise ResyncError(f"{url}: redirects to what cannot be followed: {error}") from error

    def _ask(self, target: Target, roots: bytes, proof: dict[str, str], body: str | None, network: Network) -> Answer:
        """Ask the addresses of the server in turn, until one answers."""
        name = str(target.server)
        answer = Answer(0, failure="unreachable", error=f"the name {name} has no address")
        headers = {"User-Agent": format_user_agent(self._phone.model, self._phone.mac, self._phone.serial), **proof}
        method = "GET"
        if body is not None:
            method, headers = "POST", {"Content-Type": "application/x-www-form-urlencoded", **headers}
        for address in network.addresses(name)[:MOST_ADDRESSES]:
            answer = network.fetch(
                Ask(
                    target=target,
                    address=address,
                    method=method,
                    headers={} if target.scheme == "tftp" else headers,
                    body=(body or "").encode(),
                    roots=roots,
                )
            )
            if answer.status:
                break
        return answer

    @staticmethod
    def _prove(login: Login | None, target: Target, answer: Answer, body: str | None) -> dict[str, str]:
        """Return the header that answers a challenge; nothing when the unit cannot."""
        asked, answered = ("www", "Authorization") if answer.status == 401 else ("proxy", "Proxy-Authorization")
        challenge = answer.headers.get(f"{asked}-authenticate", "")
        method = "GET" if body is None else "POST"
        value = authorization(challenge, login, method, target.path, secrets.token_hex(8)) if login else ""
        return {answered: value} if value else {}

    def _open(self, target: Target, answer: Answer, key: str | None) -> dict[str, str]:
        if not answer.content and self._is_no("Resync_Fails_On_FNF"):
            return {}
        try:
            return values(FORMATS[self._family.format].parse(self._unpack(answer, key)))
        except (SealingError, ProfileError) as error:
            last = self._requests[-1]
            self._requests[-1] = Request(**{**asdict(last), "behaviour": "B"})
            raise ResyncError(f"{format_url(target)}: {error}") from error

    def _unpack(self, answer: Answer, key: str | None) -> bytes:
        """Decrypt and decompress; the header that says how counts before a key of the rule."""
        content = answer.content
        if answer.headers.get("content-encoding") == AES128GCM:
            content = decrypt_content(content, self._keying_material())
        elif key is not None:
            content = unseal(content, key, self._family.digest)
        elif is_sealed(content):
            raise SealingError("the file is encrypted, and the rule has no --key")
        return decompress(content) if is_compressed(content) else content

    def _keying_material(self) -> bytes:
        name = self._family.ikm_parameter
        if not name:
            raise SealingError(f"it came with Content-Encoding: {AES128GCM}, which the family {self._family.name} cannot decrypt")
        text = self._parameters.get(name, "")
        if not text:
            raise SealingError(f"it came with Content-Encoding: {AES128GCM}, and {name} is empty")
        if self._family.ikm_encoding != "base64url":
            return text.encode()
        try:
            return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as error:
            raise SealingError(f"{name} is not base64url, so that the file cannot be decrypted") from error

    def _trusted(self, parameter: str, target: Target, network: Network) -> bytes:
        """Return the roots to check *target* with; those that a parameter names are fetched when they are first needed."""
        name = self._family.custom_ca
        if target.scheme != "https":
            return b""
        url = expand(self._parameters.get(name, ""), self._macros()).strip() if name else ""
        if url and url != self._roots_url and parameter != name:
            try:
                reached, answer = self._get(str(name), parse_url(url), network)
            except RuleError as error:
                raise ResyncError(f"{name}: {error}") from error
            if b"-----BEGIN CERTIFICATE-----" not in answer.content:
                raise ResyncError(f"{name}: {format_url(reached)}: the file holds no PEM certificate")
            self._roots, self._roots_url = answer.content, url
        if not self._roots:
            hint = f"; {name} names none" if name else ""
            raise ResyncError(f"{format_url(target)}: the unit has no root certificate to check the server with{hint}")
        return self._roots

    def _note(self, parameter: str, target: Target, answer: Answer, step: str) -> None:
        request = Request(
            power_up=self._power_ups,
            parameter=parameter,
            url=format_url(target),
            protocol=target.scheme,
            status=answer.status,
            bytes=len(answer.content),
            sealed=is_sealed(answer.content) or answer.headers.get("content-encoding") == AES128GCM,
            behaviour=step,
        )
        self._requests.append(request)

    # -- syslog

    def _syslog_server(self) -> str:
        return next((value for name in self._family.paths("syslog.server") if (value := self._parameters.get(name))), "")

    def _template(self, event: str) -> str:
        names = self._family.paths(f"log_messages.resync_{event}")
        return next((self._parameters[name] for name in names if name in self._parameters), DEFAULTS[event])

    def _log(self, server: str, event: str, network: Network, target: Target | None, error: str = "") -> None:
        if not server:
            return
        macros = {**self._macros(), "ERR": error}
        if target:
            macros.update(
                SCHEME=target.scheme,
                METH=target.scheme,
                SERV=str(target.server),
                SERVIP=next(iter(network.addresses(str(target.server))), str(target.server)),
                PORT=str(target.port),
                PATH=target.path,
            )
        text = format_message(self._template(event), macros)
        if text:
            line = self._family.priority + text
            self._messages.append(Message(server, line, network.log(server, line)))

    # -- what the unit knows

    def _macros(self) -> dict[str, str]:
        """All macros of a rule. Timers are those of a unit that has just been switched on: a guess."""
        general = {letter: self._parameters.get(f"GPP_{letter}", "") for letter in "ABCDEFGHIJKLMNOP"}
        user = self._family.line_settings.get("user_id", "")
        lines = {name: name.removeprefix("UID") for name in KNOWN if name.startswith("UID")}
        users = {name: self._parameters.get(user.format(n=number), "") for name, number in lines.items()}
        return {
            **general,
            **users,
            **self._phone.macros,
            **dict.fromkeys(("PRVST", "UPGST", "PRVTMR", "UPGTMR", "REGTMR1", "REGTMR2"), "0"),
            **dict.fromkeys(("EXTIP", "UPGERR", "EMS"), ""),
            **dict.fromkeys(("ORIGTYPE", "AUTHSTATUS"), "none"),
            "CCERT": "Installed" if self._has_certificate else "Not Installed",
            "IP": self._lease.address if self._lease else "",
            "SWVER": self._family.software_version or self._family.firmware,
            "HWVER": _HARDWARE,
        }

    def _is_no(self, parameter: str) -> bool:
        return self._parameters.get(parameter, "").lower() in _NO

    def _shortcoming(self) -> str:
        """Why a unit whose resyncs all succeeded is not preprovisioned, or nothing."""
        if not self._requests:
            return "the unit asked for nothing"
        if not self._rules:
            return ""
        rule = self._parameters[self._rules[0]]
        if rule == self._family.factory_rule:
            return f"{self._rules[0]} is still the factory rule; no profile that was fetched sets it"
        try:
            alternatives = parse_rule(expand(rule, self._macros())).alternatives
        except RuleError as error:
            return f"{self._rules[0]} '{self._shown_rule()}' cannot be followed: {error}"
        own = (self._phone.mac.plain, self._phone.mac.colon, self._phone.serial.lower())
        urls = [place.url.lower() for alternative in alternatives for place in alternative.places]
        if not any(text and text in url for text in own for url in urls):
            return f"{self._rules[0]} '{self._shown_rule()}' names no file of this unit alone; put $MA into it"
        return ""

    def _shown_rule(self) -> str:
        # It may not have been followed yet, so that its key is not among those known.
        return self._hide(next((shown(name, self._parameters[name]) for name in self._rules[:1]), ""))

    def _hide(self, text: str) -> str:
        text = shown_urls(text)
        secrets = self._keys | {value for name, value in self._parameters.items() if is_secret(name)}
        for secret in sorted(secrets, key=len, reverse=True):
            if len(secret) >= _SHORTEST_SECRET:
                text = text.replace(secret, HIDDEN)
        return text


def behaviour(status: int) -> str:
    """Return A, B or C as in the vendor's table of HTTP status codes, ``follow`` or ``login``."""
    if 200 <= status < 300:
        return "A"
    if status in (301, 302):
        return "follow"
    if status in (401, 407):
        return "login"
    return "B" if status == 404 else "C"


def _reason(answer: Answer) -> str:
    if answer.status == 404:
        return "file not found"
    return f"HTTP status {answer.status}" if answer.status else answer.error or "no answer"
