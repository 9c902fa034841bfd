# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a unit behaves from power-up to the end of its resync; the wire is a port, see ``Network``.

Sources: "Profile rule", "HTTP status code handling on resync" and "Custom CA" of the ATA 191/192, SPA and MPP provisioning guides;
the MPP migration guide for what a phone makes of a DHCP option. Where they are silent the habit is noted as a guess.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol
from urllib.parse import urljoin

from .macros import expand
from .messages import DEFAULTS, format_message
from .phone import Phone
from .profile import ProfileError, flatten, parse
from .rules import PORTS, Rule, RuleError, Target, parse_rule, parse_url
from .sealing import SealingError, decompress, is_compressed, is_sealed, unseal

HIDDEN = "****"
RULES = ("Profile_Rule", "Profile_Rule_B", "Profile_Rule_C", "Profile_Rule_D")
MOST_REDIRECTIONS = 5
MOST_LOGINS = 2


@dataclass(frozen=True)
class Habits:
    """What a family does on the wire, beyond families.Family."""

    dhcp_sources: tuple[int, ...]
    """DHCP options that can name the provisioning server; the first that is there counts."""
    reads_urls: bool
    """Whether such an option may be a URL."""
    probes: bool
    """Whether a bare server is asked by tftp, http and https, each time for two files."""
    block_size: int | None
    """TFTP block size that is negotiated; None asks for none, as RFC 1350 clients do. No source: both kinds are exercised."""
    priority: str
    """What stands before a syslog message. No source: both kinds are exercised."""


HABITS: Mapping[str, Habits] = {
    "ata19x": Habits((66,), reads_urls=False, probes=False, block_size=None, priority="<134>"),
    "spa": Habits((66, 160, 159, 150), reads_urls=True, probes=False, block_size=None, priority=""),
    "mpp": Habits((66, 160, 159, 150), reads_urls=True, probes=True, block_size=1428, priority="<134>"),
}
"""Family name -> Habits."""

_OPTION_SECRET = re.compile(r"--(key|pwd)[\s=]*(?:\"[^\"]*\"|[^\s\]]*)")
_SECRET_NAME = re.compile(r"passw|pwd|secret|IKM_|GPP_S[A-D]$", re.IGNORECASE)
_SHORTEST_SECRET = 4  # shorter ones would blot out half of every text and are no secrets
_BRACKETS = re.compile(r"\s*\[[^\]]*\]")
_NO = ("no", "0")


@dataclass(frozen=True)
class Lease:
    """What DHCP gave: the address, and the options by number; lists are separated by spaces."""

    address: str
    options: Mapping[int, str]


@dataclass(frozen=True)
class Answer:
    """What a server answered.

    status is HTTP's; TFTP gives 200 for a file and 404 for "file not found". It is 0 when there was no answer; error says why.
    """

    status: int
    content: bytes = b""
    location: str = ""
    error: str = ""


class Network(Protocol):
    """The unit's way to the wire. Nothing here raises for what a server does or fails to do."""

    def lease(self, vendor_class: str) -> Lease | None:
        """Ask DHCP for an address; *vendor_class* is option 60. None: nobody answered."""

    def fetch(self, target: Target, roots: bytes, login: tuple[str, str] | None) -> Answer:
        """Get one file without following redirections; *roots* is PEM text, *login* user and password."""

    def resolve(self, name: str) -> str:
        """Return the first IPv4 address of *name*, or *name* itself when there is none."""

    def log(self, server: str, text: str) -> bool:
        """Send one syslog message; tell whether it left."""


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
        self._habits = HABITS[self._family.name]
        self._roots = b"" if self._family.custom_ca else roots
        self._roots_url = ""
        self._has_certificate = has_certificate
        self._parameters: dict[str, str] = {"Profile_Rule": self._family.factory_rule}
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
        for parameter in RULES:
            # Read anew each time: the profile before may have set it.
            text = self._parameters.get(parameter, "").strip()
            if not text:
                continue
            try:
                self._follow(parameter, text, network)
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

    # -- one rule

    def _follow(self, parameter: str, text: str, network: Network) -> None:
        # A profile may name another server, or none; this resync still belongs to the old one.
        server = self._syslog_server()
        targets: list[Target] = []
        try:
            rule = self._read_rule(text)
            targets = self._targets(rule.target)
            self._log(server, "request", network, targets[0])
            reached, content = self._first(parameter, rule, targets, network)
            values = self._open(parameter, reached, content, rule.key)
        except ResyncError as error:
            self._log(server, "failure", network, targets[0] if targets else None, str(error))
            raise
        self._parameters.update(values)
        self._log(server, "success", network, reached)

    def _read_rule(self, text: str) -> Rule:
        """Expand and parse; the secret macros expand inside the brackets alone."""
        macros = self._macros()
        brackets = _BRACKETS.match(text)
        end = brackets.end() if brackets else 0
        secrets = {name: self._parameters.get(f"GPP_{name}", "") for name in ("SA", "SB", "SC", "SD")}
        try:
            rule = parse_rule(expand(text[:end], {**macros, **secrets}) + expand(text[end:], macros))
        except RuleError as error:
            raise ResyncError(str(error)) from error
        self._keys.update(rule.options.get(name, "") for name in ("key", "pwd"))
        return rule

    def _targets(self, target: Target) -> list[Target]:
        """Where the rule leads, in the order in which the unit tries; a server that is missing comes from DHCP."""
        if target.server:
            return [target]
        options = self._lease.options if self._lease else {}
        source = next((code for code in self._habits.dhcp_sources if options.get(code)), None)
        if source is None:
            wanted = " or ".join(str(code) for code in self._habits.dhcp_sources)
            raise ResyncError(f"{target.path} names no server, and neither does DHCP (option {wanted})")
        return [place for value in re.split(r"[;\s]+", options[source]) for place in self._places(source, value, target)]

    def _places(self, source: int, value: str, target: Target) -> list[Target]:
        _scheme, separator, rest = value.partition("://")
        if separator and not self._habits.reads_urls:
            raise ResyncError(f"DHCP option {source} is the URL {value}; this family takes an address or a name")
        tails = [target.path]
        if self._habits.probes:
            tails.append(expand("/Cisco/$PN/$MA.cfg", self._phone.macros))
        try:
            if separator:
                base = parse_url(value if "/" in rest else f"{value}/")
                folder = base.path.rstrip("/")
                whole = [base] if folder else []
                return whole + [Target(base.scheme, base.server, base.port, folder + tail) for tail in tails]
            schemes = ("tftp", "http", "https") if self._habits.probes and target.scheme == "tftp" else (target.scheme,)
            return [parse_url(f"{scheme}://{value}{tail}") for scheme in schemes for tail in tails]
        except RuleError as error:
            raise ResyncError(f"DHCP option {source}: {error}") from error

    def _first(self, parameter: str, rule: Rule, targets: list[Target], network: Network) -> tuple[Target, bytes]:
        """Return the first file that is there, and where it was in the end."""
        login = (rule.options["uid"], rule.options.get("pwd", "")) if "uid" in rule.options else None
        problems: list[str] = []
        for target in targets:
            try:
                return self._get(parameter, target, network, login)
            except ResyncError as error:
                problems.append(str(error))
        more = f" (and {len(problems) - 1} other places failed too)" if len(problems) > 1 else ""
        raise ResyncError(problems[0] + more)

    # -- one file

    def _get(self, parameter: str, target: Target, network: Network, login: tuple[str, str] | None = None) -> tuple[Target, bytes]:
        logins = redirections = 0
        while True:
            url = format_url(target)
            roots = self._trusted(parameter, target, network)
            answer = network.fetch(target, roots, login if logins else None)
            step = behaviour(answer.status)
            if step == "B" and self._is_no("Resync_Fails_On_FNF"):
                step = "A"
            if step == "login":
                logins += 1
                step = "" if login and logins <= MOST_LOGINS else "C"
            if step == "follow":
                redirections += 1
                step = "" if redirections <= MOST_REDIRECTIONS else "C"
            self._note(parameter, target, answer, step)
            if step in ("B", "C"):
                reason = f"more than {MOST_REDIRECTIONS} redirections" if redirections > MOST_REDIRECTIONS else _reason(answer)
                raise ResyncError(f"{url}: {reason}")
            if step == "A":
                return target, answer.content if answer.status < 300 else b""
            if answer.status in (301, 302):
                try:
                    target = parse_url(urljoin(url, answer.location))
                except RuleError as error:
                    raise ResyncError(f"{url}: redirects to what cannot be followed: {error}") from error

    def _open(self, parameter: str, target: Target, content: bytes, key: str | None) -> dict[str, str]:
        if not content and self._is_no("Resync_Fails_On_FNF"):
            return {}
        try:
            return read_profile(content, key, self._family.digest)
        except (SealingError, ProfileError) as error:
            last = self._requests[-1]
            self._requests[-1] = Request(**{**asdict(last), "behaviour": "B"})
            raise ResyncError(f"{format_url(target)}: {error}") from error

    def _trusted(self, parameter: str, target: Target, network: Network) -> bytes:
        """Return the roots to check *target* with; those that a parameter names are fetched when they are first needed."""
        name = self._family.custom_ca
        if target.scheme != "https":
            return b""
        url = expand(self._parameters.get(name, ""), self._macros()).strip() if name else ""
        if url and url != self._roots_url and parameter != name:
            try:
                reached, content = self._get(str(name), parse_url(url), network)
            except RuleError as error:
                raise ResyncError(f"{name}: {error}") from error
            if b"-----BEGIN CERTIFICATE-----" not in content:
                raise ResyncError(f"{name}: {format_url(reached)}: the file holds no PEM certificate")
            self._roots, self._roots_url = content, url
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
            sealed=is_sealed(answer.content),
            behaviour=step,
        )
        self._requests.append(request)

    # -- syslog

    def _syslog_server(self) -> str:
        return next((value for name in self._family.syslog_servers if (value := self._parameters.get(name))), "")

    def _template(self, event: str) -> str:
        names = {
            "request": self._family.request_message,
            "success": self._family.success_message,
            "failure": self._family.failure_message,
        }
        return self._parameters.get(names[event], DEFAULTS[event])

    def _log(self, server: str, event: str, network: Network, target: Target | None, error: str = "") -> None:
        if not server:
            return
        macros = {**self._macros(), "ERR": error}
        if target:
            macros.update(
                SCHEME=target.scheme,
                METH=target.scheme,
                SERV=str(target.server),
                SERVIP=network.resolve(str(target.server)),
                PORT=str(target.port),
                PATH=target.path,
            )
        text = format_message(self._template(event), macros)
        if text:
            line = self._habits.priority + text
            self._messages.append(Message(server, line, network.log(server, line)))

    # -- what the unit knows

    def _macros(self) -> dict[str, str]:
        general = {letter: self._parameters.get(f"GPP_{letter}", "") for letter in "ABCDEFGHIJKLMNOP"}
        return {
            **general,
            **self._phone.macros,
            "CCERT": "Installed" if self._has_certificate else "Not Installed",
            "IP": self._lease.address if self._lease else "",
            "SWVER": self._family.firmware,
            "PRVST": "0",
        }

    def _is_no(self, parameter: str) -> bool:
        return self._parameters.get(parameter, "").lower() in _NO

    def _shortcoming(self) -> str:
        """Why a unit whose resyncs all succeeded is not preprovisioned, or nothing."""
        rule = self._parameters["Profile_Rule"]
        if not self._requests:
            return "the unit asked for nothing"
        if rule == self._family.factory_rule:
            return "Profile_Rule is still the factory rule; no profile that was fetched sets it"
        own = (self._phone.mac.plain, self._phone.mac.colon, self._phone.serial.lower())
        expanded = expand(rule, self._macros()).lower()
        if not any(text and text in expanded for text in own):
            return f"Profile_Rule '{self._shown_rule()}' names no file of this unit alone; put $MA into it"
        return ""

    def _shown_rule(self) -> str:
        # It may not have been followed yet, so that its key is not among those known.
        return self._hide(_OPTION_SECRET.sub(rf"--\1 {HIDDEN}", self._parameters["Profile_Rule"]))

    def _hide(self, text: str) -> str:
        secrets = self._keys | {value for name, value in self._parameters.items() if _SECRET_NAME.search(name)}
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


def read_profile(content: bytes, key: str | None, digest: str) -> dict[str, str]:
    """Unseal, unpack and parse a file as a unit does; raise SealingError or ProfileError when it is corrupt."""
    if key is not None:
        content = unseal(content, key, digest)
    elif is_sealed(content):
        raise SealingError("the file is encrypted, and the rule has no --key")
    if is_compressed(content):
        content = decompress(content)
    return flatten(parse(content))


def format_url(target: Target) -> str:
    """Return the URL, with its port where that is not the scheme's own."""
    port = "" if target.port == PORTS[target.scheme] else f":{target.port}"
    return f"{target.scheme}://{target.server}{port}{target.path}"


def _reason(answer: Answer) -> str:
    if answer.status == 404:
        return "file not found"
    return f"HTTP status {answer.status}" if answer.status else answer.error or "no answer"
