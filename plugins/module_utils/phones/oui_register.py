# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Makers of phones in the IEEE's register of MAC addresses, which netaddr contains."""

from __future__ import annotations

import functools
import re

from ..common.mac import Mac, MacError, parse_mac

try:
    import netaddr
except ImportError:
    netaddr = None

_CISCO = r"cisco|linksys|sipura"
# By family, a pattern of the owners in the register; families that are missing here are not checked
_MAKERS = {
    "ata19x": _CISCO,
    "spa": _CISCO,
    "pap2t": _CISCO,
    "mpp": _CISCO,
    "phoneos": _CISCO,
    "grandstream": r"grandstream",
    "yealink": r"yealink",
    "poly": r"\bpoly(com)?\b|plantronics",
    "snom": r"\bsnom\b",
}
_ANY_MAKER = "|".join(_MAKERS.values())
# RFC 7042: addresses for documentation, which examples of every model use
_DOCUMENTATION = "00005e0053"


def is_installed() -> bool:
    """Tell whether netaddr is installed."""
    return netaddr is not None


def oui_owner(mac: Mac) -> str:
    """Return the owner of the first half of *mac* in the register; empty if it has none or the register cannot be used."""
    return _owner(mac.plain[:6])


def is_phone_maker(mac: Mac) -> bool:
    """Tell whether *mac* belongs to a maker of phones."""
    return _is_owned_by(mac, _ANY_MAKER)


def is_phone_address(text: str) -> bool:
    """Tell whether *text* is a MAC address that belongs to a maker of phones."""
    try:
        return is_phone_maker(parse_mac(text))
    except MacError:
        return False


def fits_family(mac: Mac, family: str) -> bool:
    """Tell whether *mac* belongs to the family's maker; True where the maker or the register is not known."""
    pattern = _MAKERS.get(family)
    return pattern is None or not _is_register_correct() or _is_owned_by(mac, pattern)


def _is_owned_by(mac: Mac, pattern: str) -> bool:
    return mac.plain.startswith(_DOCUMENTATION) or bool(re.search(pattern, oui_owner(mac), re.IGNORECASE))


@functools.cache
def _is_register_correct() -> bool:
    """Tell whether netaddr finds the right owners; Debian 12's reads the register with the index of an older one."""
    try:
        return "cisco" in netaddr.OUI(0x00000C).registration().org.lower()
    # The index may point into the middle of a record, which raises anything
    except Exception:
        return False


@functools.cache
def _owner(oui: str) -> str:
    if not _is_register_correct():
        return ""
    try:
        entry = netaddr.OUI(int(oui, 16))
    except netaddr.NotRegisteredError:
        return ""
    return ", ".join(entry.registration(index).org for index in range(entry.reg_count))
