# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The plan of a DHCP server in the words of ISC DHCP's dhcpd.conf.

Sources: dhcpd.conf(5), dhcp-options(5), dhcp-eval(5). dhcpd sends a client what its request list (option 55) names, or all options
if it has no list; to send more, the list is extended. A value reaches dhcpd.conf as hexadecimal digits, as addresses, or as quoted
printable ASCII.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from .options import Option, OptionError, OptionType, addresses

_PRINTABLE = re.compile(r"[\x20-\x7e]*")

_BUILT_IN: Mapping[int, str] = MappingProxyType(
    {
        3: "routers",
        6: "domain-name-servers",
        15: "domain-name",
        42: "ntp-servers",
        43: "vendor-encapsulated-options",
        66: "tftp-server-name",
        125: "vivso",
    }
)
"""Options by dhcpd's own names. All others are declared, whether dhcpd knows them or not, so that their bytes are ours."""

_DECLARED: Mapping[int, str] = MappingProxyType(
    {132: "preprovision-vlan", 150: "preprovision-tftp-servers", 159: "preprovision-url-159", 160: "preprovision-url"}
)
_ADDRESSES = (3, 6, 42, 150)
"""Options that dhcpd takes as addresses; all others it takes as text or bytes."""


class Declaration(NamedTuple):
    """An option that dhcpd.conf must declare before it uses it."""

    name: str
    code: int
    type: str


def declarations(options: Iterable[Option]) -> list[Declaration]:
    """Return the declarations that the options need, by number."""
    codes = sorted({option.code for option in options} - set(_BUILT_IN))
    return [Declaration(option_name(code), code, "array of ip-address" if code in _ADDRESSES else "string") for code in codes]


def option_name(code: int) -> str:
    """Return an option's name in dhcpd.conf."""
    return _BUILT_IN.get(code) or _DECLARED.get(code) or f"preprovision-{code}"


def option_value(option: Option) -> str:
    """Return an option's value as dhcpd.conf has it."""
    if option.code in _ADDRESSES:
        return ", ".join(addresses(option))
    return quote(option.data.decode("ascii")) if option.type is OptionType.TEXT else option.data.hex(":")


def unrequested(options: Iterable[Option]) -> str:
    """Return the codes of the options that are sent unrequested, in hexadecimal digits; empty if there are none."""
    return bytes(sorted({option.code for option in options if option.always})).hex(":")


def quote(text: str) -> str:
    """Return the text as a string of dhcpd.conf; raise OptionError unless it is printable ASCII."""
    if not _PRINTABLE.fullmatch(text):
        raise OptionError(f"{text!r} contains characters other than printable ASCII, which dhcpd.conf cannot contain")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def vendor_class_condition(prefixes: Sequence[str], others: Sequence[str] = ()) -> str:
    """Return dhcpd's expression for "option 60 begins with one of these, in any case, and with no longer one of the *others*"."""
    terms = []
    for prefix in (prefix.lower() for prefix in prefixes):
        term = f"lcase(substring(option vendor-class-identifier, 0, {len(prefix)})) = {quote(prefix)}"
        longer = [other for other in others if other.startswith(prefix)]
        terms.append(f"({term} and not ({vendor_class_condition(longer)}))" if longer else term)
    return " or ".join(terms)
