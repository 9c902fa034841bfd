# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where DHCP leads a unit whose rule names no server: which option counts, and which files are asked for in which order.

Source: the MPP migration guide for the forms of an option (address, name, URL, two of them joined by ``;``) and the requests that
follow; provisioning guides for the order of DHCP_Option_To_Use. Guesses: of 43 and 125 the first part that reads as a URL or an
address counts, whatever its number; of 60 the same, since a server may echo a vendor class.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from .families import Family
from .macros import expand
from .phone_network import Lease
from .rules import RuleError, Target, parse_url

SECOND_FILE = "/Cisco/$PN/$MA.cfg"
"""What units that probe ask for beside the file of their rule."""

_ENTERPRISE = 4
_ADDRESS = r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}"
_PLACE = re.compile(rf"(?:(?:tftp|https?)://[!-~]+|{_ADDRESS})(?:;[!-~]+)?", re.IGNORECASE)
_PROBED = ("tftp", "http", "https")


class SourceError(Exception):
    """DHCP leads nowhere."""

    def __init__(self, message: str, option: int | None = None) -> None:
        super().__init__(message)
        self.option = option


def order(family: Family, parameters: Mapping[str, str]) -> tuple[int, ...]:
    """Return the options that can name a server, in their order; a parameter that cannot be read is ignored."""
    text = parameters.get(family.options_parameter, "") if family.options_parameter else ""
    listed = [part.strip() for part in text.split(",")]
    if all(re.fullmatch("[0-9]{1,3}", part) for part in listed):
        return tuple(map(int, listed))
    return family.dhcp_sources


def named_servers(lease: Lease, codes: tuple[int, ...]) -> Iterator[tuple[int, str]]:
    """Yield number and text of each option that names a server."""
    for code in codes:
        text = _text(lease, code)
        if text:
            yield code, text


def _text(lease: Lease, code: int) -> str:
    value = lease.options.get(code, "").strip()
    if code == 60:
        return value if _PLACE.fullmatch(value) else ""
    if code not in (43, 125):
        return value
    raw = lease.raw.get(code) or value.encode("latin-1", "replace")
    parts = [raw, *_parts(raw if code == 43 else b"".join(_of_makers(raw)))]
    texts = (part.decode("latin-1").strip("\0 \r\n") for part in parts)
    return next((text for text in texts if _PLACE.fullmatch(text)), "")


def _of_makers(raw: bytes) -> Iterator[bytes]:
    """Yield the data of each maker in option 125 (RFC 3925)."""
    while len(raw) > _ENTERPRISE:
        end = _ENTERPRISE + 1 + raw[_ENTERPRISE]
        yield raw[_ENTERPRISE + 1 : end]
        raw = raw[end:]


def _parts(raw: bytes) -> Iterator[bytes]:
    """Yield the values of encapsulated options (RFC 2132, 8.4)."""
    while len(raw) > 1:
        end = 2 + raw[1]
        yield raw[2:end]
        raw = raw[end:]


def targets(value: str, code: int, target: Target, family: Family, macros: Mapping[str, str]) -> list[Target]:
    """Return what is asked for, in order, when option *code* has this value and the rule leads to *target*; raise SourceError."""
    found: list[Target] = []
    for text in filter(None, re.split(r"[;\s]+", value)):
        try:
            found += _of_url(text, target, family, macros) if "://" in text else _of_host(text, target, family, macros)
        except RuleError as error:
            raise SourceError(f"DHCP option {code}: {error}", code) from error
        except _UrlError as error:
            raise SourceError(f"DHCP option {code} is the URL {text}; this family takes an address or a name", code) from error
    return found


class _UrlError(Exception):
    """The family reads no URLs."""


def _tails(target: Target, family: Family, macros: Mapping[str, str]) -> list[str]:
    return [target.path, *([expand(SECOND_FILE, macros)] if family.probes else [])]


def _of_url(text: str, target: Target, family: Family, macros: Mapping[str, str]) -> list[Target]:
    if not family.reads_urls:
        raise _UrlError
    base = parse_url(text if "/" in text.partition("://")[2] else f"{text}/")
    folder = base.path.rstrip("/")
    tails = [f"{folder}{tail}" for tail in _tails(target, family, macros)]
    return [Target(base.scheme, base.server, base.port, path) for path in ([base.path] if folder else []) + tails]


def _of_host(text: str, target: Target, family: Family, macros: Mapping[str, str]) -> list[Target]:
    schemes = _PROBED if family.probes and target.scheme == "tftp" else (target.scheme,)
    return [parse_url(f"{scheme}://{text}{tail}") for scheme in schemes for tail in _tails(target, family, macros)]
