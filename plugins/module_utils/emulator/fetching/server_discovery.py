# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Server discovery by DHCP, for a rule that names no server: which option counts, and which files are requested in which order.

Source: the MPP migration guide for the forms of an option (address, name, URL, two of them joined by ``;``) and the requests that
follow; provisioning guides for the order of DHCP_Option_To_Use. Guesses: of 43 and 125 the first part that reads as a URL or an
address counts, whatever its number; the same for 60, since a server may echo a vendor class.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ...families.model import Family
from ...profiles.macros import expand
from ...profiles.rules.model import RuleError, Target
from ...profiles.rules.urls import parse_url
from ..device.ports import Lease

SECOND_FILE = "/Cisco/$PN/$MA.cfg"
"""The file that probing phones request in addition to their rule's."""

_ENTERPRISE = 4
_ADDRESS = r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}"
_SERVER = re.compile(rf"(?:(?:tftp|https?)://[!-~]+|{_ADDRESS})(?:;[!-~]+)?", re.IGNORECASE)
_PROBED = ("tftp", "http", "https")


class ServerDiscoveryError(Exception):
    """No usable server in a DHCP option."""

    def __init__(self, message: str, option: int | None = None) -> None:
        super().__init__(message)
        self.option = option


def option_order(family: Family, parameters: Mapping[str, str]) -> tuple[int, ...]:
    """Return the options that can name a server, in order; an invalid DHCP_Option_To_Use is ignored."""
    text = parameters.get(family.options_parameter, "") if family.options_parameter else ""
    listed = [part.strip() for part in text.split(",")]
    if all(re.fullmatch("[0-9]{1,3}", part) for part in listed):
        return tuple(map(int, listed))
    return family.dhcp_sources


def server_options(lease: Lease, codes: tuple[int, ...]) -> Iterator[tuple[int, str]]:
    """Yield number and value of each option that names a server."""
    for code in codes:
        text = _option_text(lease, code)
        if text:
            yield code, text


def _option_text(lease: Lease, code: int) -> str:
    value = lease.options.get(code, "").strip()
    if code == 60:
        return value if _SERVER.fullmatch(value) else ""
    if code not in (43, 125):
        return value
    raw = lease.raw.get(code) or value.encode("latin-1", "replace")
    parts = [raw, *_suboptions(raw if code == 43 else b"".join(_vendor_data(raw)))]
    texts = (part.decode("latin-1").strip("\0 \r\n") for part in parts)
    return next((text for text in texts if _SERVER.fullmatch(text)), "")


def _vendor_data(raw: bytes) -> Iterator[bytes]:
    """Yield the data of each vendor in option 125 (RFC 3925)."""
    while len(raw) > _ENTERPRISE:
        end = _ENTERPRISE + 1 + raw[_ENTERPRISE]
        yield raw[_ENTERPRISE + 1 : end]
        raw = raw[end:]


def _suboptions(raw: bytes) -> Iterator[bytes]:
    """Yield the values of encapsulated options (RFC 2132, section 8.4)."""
    while len(raw) > 1:
        end = 2 + raw[1]
        yield raw[2:end]
        raw = raw[end:]


def candidate_targets(value: str, code: int, target: Target, family: Family, macros: Mapping[str, str]) -> list[Target]:
    """Return the targets to request, in order, for the *value* of option *code* and a rule that leads to *target*.

    Raise ServerDiscoveryError.
    """
    found: list[Target] = []
    for text in filter(None, re.split(r"[;\s]+", value)):
        try:
            found += (
                _targets_of_url(text, target, family, macros) if "://" in text else _targets_of_host(text, target, family, macros)
            )
        except RuleError as error:
            raise ServerDiscoveryError(f"DHCP option {code}: {error}", code) from error
        except _UrlError as error:
            raise ServerDiscoveryError(
                f"DHCP option {code} is the URL {text}; this family expects an address or a host name", code
            ) from error
    return found


def server_name(value: str) -> str:
    """Return the name or address of the first server in an option's value; empty when there is none. Raise RuleError."""
    first = next(filter(None, re.split(r"[;\s]+", value)), "")
    host = first.partition("://")[2].partition("/")[0] if "://" in first else first
    return parse_url(f"tftp://{host}/").server or ""


class _UrlError(Exception):
    """The family does not support URLs."""


def _paths(target: Target, family: Family, macros: Mapping[str, str]) -> list[str]:
    return [target.path, *([expand(SECOND_FILE, macros)] if family.probes else [])]


def _targets_of_url(text: str, target: Target, family: Family, macros: Mapping[str, str]) -> list[Target]:
    if not family.reads_urls:
        raise _UrlError
    base = parse_url(text if "/" in text.partition("://")[2] else f"{text}/")
    folder = base.path.rstrip("/")
    paths = [f"{folder}{path}" for path in _paths(target, family, macros)]
    return [Target(base.scheme, base.server, base.port, path) for path in ([base.path] if folder else []) + paths]


def _targets_of_host(text: str, target: Target, family: Family, macros: Mapping[str, str]) -> list[Target]:
    schemes = _PROBED if family.probes and target.scheme == "tftp" else (target.scheme,)
    return [parse_url(f"{scheme}://{text}{path}") for scheme in schemes for path in _paths(target, family, macros)]
