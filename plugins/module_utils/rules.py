# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Profile_Rule: where a unit finds its profile, and with which key.

Source: "Profile rule" of the provisioning guides: ``[--opt value ...] [scheme://][server[:port]]/path``. Alternatives, conditions
and assignments are refused with a clear error rather than misread.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

PORTS: Mapping[str, int] = {"tftp": 69, "http": 80, "https": 443}
"""Scheme -> default port."""

_RULE = re.compile(r"(?:\[(?P<options>[^\]]*)\]\s*)?(?P<url>[^\s\[\]|]+)")
_OPTION = re.compile(r"--(?P<name>[a-z]+)(?:\s+(?P<value>\"[^\"]*\"|(?!--)\S+))?\s*")
_URL = re.compile(r"(?:(?P<scheme>[A-Za-z]+)://)?(?P<server>[A-Za-z0-9._$-]*)(?::(?P<port>[0-9]{1,5}))?(?P<path>/[^\s|]*)")
_CREDENTIALS = re.compile(r"//[^/]*@")
_KNOWN_OPTIONS = ("key", "uid", "pwd")


class RuleError(ValueError):
    """The rule cannot be followed; the message quotes no key."""


@dataclass(frozen=True)
class Target:
    """Where to fetch; server is None when the address comes from DHCP."""

    scheme: str
    server: str | None
    port: int
    path: str


@dataclass(frozen=True)
class Rule:
    """One rule: its target and the bracket options, name (without dashes) -> value."""

    target: Target
    options: Mapping[str, str]

    @property
    def key(self) -> str | None:
        """Passphrase of ``--key``."""
        return self.options.get("key")


def parse_rule(text: str) -> Rule:
    """Read a rule whose macros are already expanded; raise RuleError when it is not of the form above."""
    match = _RULE.fullmatch(text.strip())
    if not match:
        raise RuleError("the rule is not '[--key K] URL'; alternatives (|), conditions and assignments are not supported")
    options = _options(match["options"] or "")
    return Rule(parse_url(match["url"]), options)


def parse_url(url: str) -> Target:
    """Read ``[scheme://][server[:port]]/path``: tftp without scheme, the server of DHCP without server."""
    if _CREDENTIALS.search(url):
        raise RuleError("the URL holds a user name before @; credentials belong into --uid and --pwd")
    match = _URL.fullmatch(url)
    if not match:
        raise RuleError(f"'{url}' is not [scheme://][server[:port]]/path")
    scheme = (match["scheme"] or "tftp").lower()
    if scheme not in PORTS:
        raise RuleError(f"the scheme of '{url}' is not one of {', '.join(PORTS)}")
    port = int(match["port"] or PORTS[scheme])
    if not 1 <= port <= 65535:
        raise RuleError(f"the port of '{url}' is not between 1 and 65535")
    return Target(scheme, match["server"] or None, port, match["path"])


def _options(text: str) -> dict[str, str]:
    options: dict[str, str] = {}
    position = 0
    text = text.strip()
    while position < len(text):
        match = _OPTION.match(text, position)
        if not match or match["name"] not in _KNOWN_OPTIONS or match["value"] is None:
            raise RuleError(f"the options in brackets must be --key, --uid or --pwd, each with a value (position {position + 1})")
        options[match["name"]] = match["value"].strip('"')
        position = match.end()
    return options
