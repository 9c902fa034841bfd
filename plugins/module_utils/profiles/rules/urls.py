# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""URLs of rules and of DHCP options: ``[scheme://][server[:port]]/path``, by tftp unless a scheme says otherwise.

An IPv6 address stands in brackets, as RFC 3986 has it; no guide shows one in a rule, and without a scheme the brackets are options.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from ipaddress import AddressValueError, IPv6Address
from types import MappingProxyType

from ...common.suggest import one_of, unknown_choice
from ..macros import names
from .model import RuleError, Target

PORTS: Mapping[str, int] = MappingProxyType({"tftp": 69, "http": 80, "https": 443})
"""Scheme -> default port."""

_URL = re.compile(r"(?:(?P<scheme>[^/:]*)://)?(?P<authority>(?P<literal>\[[0-9A-Fa-f:.]*\])?[^/]*)(?P<path>.*)", re.DOTALL)
_AUTHORITY = re.compile(r"(?P<server>\[[0-9A-Fa-f:.]*\]|(?:[A-Za-z0-9._$-]|\$\([A-Z0-9:]*\))*)(?::(?P<port>[^:]*))?")
_NOT_IN_URL = re.compile(r'[\s|"<>\[\]]')


def parse_url(url: str, column: int = 1) -> Target:
    """Read a URL that begins at *column* of a rule: tftp without scheme, the server of DHCP without server. Raise RuleError."""
    match = split_url(url, column)
    scheme = (match["scheme"] or "tftp").lower()
    at = column + match.start("authority")
    authority = _AUTHORITY.fullmatch(match["authority"])
    if scheme not in PORTS:
        raise RuleError(f"unknown scheme; {one_of(PORTS)}", column)
    if not match["path"]:
        raise RuleError("the URL has no path; write /FILE, or http://SERVER/FILE", at)
    if not authority or not _is_server(authority["server"]):
        raise RuleError("invalid server; write a name, an IPv4 address or [IPv6 address], followed by :PORT if needed", at)
    port = authority["port"]
    if port is not None and not (re.fullmatch("[0-9]{1,5}", port) and 1 <= int(port) <= 65535):
        raise RuleError("the port must be a number between 1 and 65535", at + authority.start("port"))
    return Target(scheme, authority["server"] or None, int(port or PORTS[scheme]), match["path"])


def _is_server(text: str) -> bool:
    if not text.startswith("["):
        return True
    try:
        IPv6Address(text[1:-1])
    except AddressValueError:
        return False
    return True


def split_url(url: str, column: int, more_schemes: Iterable[str] = ()) -> re.Match[str]:
    """Split a URL that begins at *column* into scheme, authority and path, and check what its macros cannot change."""
    match = _URL.match(url)
    start, end = match.span("literal") if match and match["literal"] else (0, 0)
    bad = _NOT_IN_URL.search(url, 0, start) or _NOT_IN_URL.search(url, end)
    if bad or match is None:
        raise RuleError("a URL cannot hold this character; encode it with a percent sign", column + (bad.start() if bad else 0))
    scheme = match["scheme"]
    known = (*PORTS, *more_schemes)
    if scheme is not None and scheme.lower() not in known and not names(scheme):
        # Anything but a word may be a secret
        raise RuleError(unknown_choice("scheme", scheme, known) if scheme.isalpha() else f"unknown scheme; {one_of(known)}", column)
    word, rest = match["authority"].partition(":")[::2]
    if scheme is None and word.lower() in known and not rest and (match["authority"] != word or match["path"].startswith("//")):
        raise RuleError(f"write {word}://, with a colon and two slashes", column)
    if "@" in match["authority"]:
        at = column + match.start("authority")
        raise RuleError("the URL holds a user name before @; write [--uid USER --pwd PASSWORD] before the URL instead", at)
    return match


def has_macro_server(match: re.Match[str]) -> bool:
    """Tell whether a split URL has macros in its scheme or authority: they may hold a whole URL, or any part of it."""
    return bool(names(match["scheme"] or "") or names(match["authority"]))


def format_url(target: Target) -> str:
    """Return the URL, with its port if that is not the scheme's own."""
    port = "" if target.port == PORTS[target.scheme] else f":{target.port}"
    return f"{target.scheme}://{target.server or ''}{port}{target.path}"
