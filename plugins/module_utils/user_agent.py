# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The User-Agent of a provisioning request: who is asking, and how an emulated unit introduces itself.

Sources: the vendor chapter's example of an ATA192-MPP and field captures of MPP, SPA5xx and SPA9xx units (wazo-provd-plugins,
wazo_cisco_spa/common/common.py). ATA19x and old SPA units send their serial number, MPP phones their MAC address, SPA5xx both. The
names Sipura and PAP2T are known from what such units say by SIP; that they say it by HTTP in the form of the others is inferred.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .families import Model
from .mac import Mac, MacError, parse_mac

# What a request says is not to be trusted: visible ASCII alone.
_FIRMWARE = r"(?P<firmware>[!-~]+)"
_MAC = r"\((?P<mac>[0-9A-Fa-f]{12})\)"
_SERIAL = r"\((?P<serial>[0-9A-Za-z]+)\)"
_PATTERNS = (
    re.compile(rf"(?P<vendor>Cisco)/(?P<model>ATA[0-9]{{3}})-MPP-{_FIRMWARE} {_SERIAL}"),
    re.compile(rf"(?P<vendor>Cisco)-(?P<model>CP-[0-9]{{4}}-3PCC)/{_FIRMWARE} {_MAC}"),
    re.compile(
        r"(?P<vendor>Cisco|Linksys|Sipura)/(?P<model>SPA-?[0-9]{3,4}[A-Z]?[0-9]?|PAP2T?)"
        rf"-{_FIRMWARE} (?:{_MAC})?{_SERIAL}"
    ),
)


@dataclass(frozen=True)
class UserAgent:
    """What a unit says of itself; mac and serial are None where the family does not send them."""

    vendor: str
    model: str
    firmware: str
    mac: Mac | None
    serial: str | None


def parse_user_agent(text: str) -> UserAgent | None:
    """Return what *text* says, or None when no unit of a known family wrote it."""
    for pattern in _PATTERNS:
        match = pattern.fullmatch(text)
        if match:
            fields = match.groupdict()
            return UserAgent(
                vendor=fields["vendor"],
                model=fields["model"].replace("SPA-", "SPA"),
                firmware=fields["firmware"],
                mac=_mac(fields.get("mac")),
                serial=fields.get("serial"),
            )
    return None


def _mac(digits: str | None) -> Mac | None:
    try:
        return parse_mac(digits) if digits else None
    except MacError:
        return None


def format_user_agent(model: Model, mac: Mac, serial: str, firmware: str | None = None) -> str:
    """Return the header that a unit sends; *firmware* defaults to the family's example version."""
    family = model.family
    return family.user_agent.format(
        model=model.name,
        product=model.product,
        firmware=firmware or family.firmware,
        mac=mac.plain,
        MAC=mac.upper,
        serial=serial,
    )
