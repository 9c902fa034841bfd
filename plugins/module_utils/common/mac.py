# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""MAC addresses: read and write every spelling that labels, scanners and tools use.

Sources: macro tables of the ATA 191/192, SPA and MPP guides (``$MA``, ``$MAU``, ``$MAC``); RFC 7042 section 2.1 for the group bit.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

# Six pairs, three quads or two halves with one kind of separator, or twelve digits without any
_SPELLING = re.compile(
    r"[0-9a-f]{12}"
    r"|[0-9a-f]{2}(?P<pair>[:\-. ])[0-9a-f]{2}(?:(?P=pair)[0-9a-f]{2}){4}"
    r"|[0-9a-f]{4}(?P<quad>[.:\-])[0-9a-f]{4}(?P=quad)[0-9a-f]{4}"
    r"|[0-9a-f]{6}[:\-][0-9a-f]{6}",
    re.IGNORECASE,
)
_NOT_HEX = re.compile(r"[^0-9a-f]")


class MacError(ValueError):
    """The text is not a MAC address that a phone can have; the message says why."""


@dataclass(frozen=True, order=True)
class Mac:
    """One unicast MAC address; the attributes are its spellings."""

    plain: str
    """``00005e005301``: what ``$MA`` expands to and what files are named after."""

    @property
    def upper(self) -> str:
        """``00005E005301``: what ``$MAU`` expands to."""
        return self.plain.upper()

    @property
    def colon(self) -> str:
        """``00:00:5e:00:53:01``: what ``$MAC`` expands to."""
        return ":".join(self._groups(2))

    @property
    def dash(self) -> str:
        """``00-00-5e-00-53-01``."""
        return "-".join(self._groups(2))

    @property
    def dot(self) -> str:
        """``0000.5e00.5301``."""
        return ".".join(self._groups(4))

    def _groups(self, size: int) -> list[str]:
        return [self.plain[i : i + size] for i in range(0, 12, size)]

    def __str__(self) -> str:
        return self.colon


STYLES: Mapping[str, Callable[[Mac], str]] = MappingProxyType(
    {
        "bare": lambda mac: mac.plain,
        "bare_upper": lambda mac: mac.upper,
        "colon": lambda mac: mac.colon,
        "hyphen": lambda mac: mac.dash,
        "cisco": lambda mac: mac.dot,
    }
)
"""Names of the spellings, for users."""


def format_mac(mac: Mac, style: str) -> str:
    """Return *mac* in one of STYLES; raise MacError if there is no such style."""
    if style not in STYLES:
        raise MacError(f"unknown style '{style}'; expected one of {', '.join(STYLES)}")
    return STYLES[style](mac)


def parse_mac(text: object) -> Mac:
    """Read a MAC address in any usual spelling; raise MacError with a complete sentence otherwise.

    YAML reads an unquoted ``00:00:5e:...`` made of decimal digits as a base-60 number, so only text is accepted.
    """
    if not isinstance(text, str):
        raise MacError(f"the MAC address {text!r} is not text; quote it, such as '00:00:5e:00:53:01'")
    spelling = text.strip()
    if not _SPELLING.fullmatch(spelling):
        raise MacError(f"'{text}' is not a MAC address; write twelve hexadecimal digits, such as 00:00:5e:00:53:01")
    plain = _NOT_HEX.sub("", spelling.lower())
    if int(plain[:2], 16) & 1:
        raise MacError(f"'{text}' is a group (multicast) address, which no phone has; check the first two digits")
    if plain == "000000000000":
        raise MacError(f"'{text}' is the all-zero address, which no phone has; check the label")
    return Mac(plain)
