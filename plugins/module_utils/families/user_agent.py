# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The User-Agent of a provisioning request: read what a phone says, and write what an emulated phone sends.

Sources: the vendor chapter's example of an ATA192-MPP and field captures of MPP, SPA5xx and SPA9xx phones (wazo-provd-plugins,
wazo_cisco_spa/common/common.py). ATA19x and old SPA units send their serial number, MPP phones their MAC address, SPA5xx both. The
names Sipura and PAP2T are known from SIP; that such phones send them by HTTP in the same form is inferred, and so is that 98xx
phones do as MPP phones. An SPA8000 sends nothing in parentheses; that others can do so too is inferred.

The chapter says that the User-Agent is configurable, without the parameter's name. MPP phones have HTTP_User_Agent_Name: exports of
the 8811 to 8865 (FusionPBX) have ``$VERSION ($MA)`` in it, which is the usual User-Agent if $VERSION is all before its parentheses.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ..common.mac import Mac, MacError, parse_mac
from ..profiles.macros import expand
from .model import Model

# A request is not to be trusted: only visible ASCII
_FIRMWARE = r"(?P<firmware>[!-~]+)"
_MAC = r"\((?P<mac>[0-9A-Fa-f]{12})\)"
_SERIAL = r"\((?P<serial>[0-9A-Za-z]+)\)"
_PATTERNS = (
    re.compile(rf"(?P<vendor>Cisco)/(?P<model>ATA[0-9]{{3}})-MPP-{_FIRMWARE}(?: {_SERIAL})?"),
    re.compile(rf"(?P<vendor>Cisco)-(?P<model>CP-[0-9]{{4}}-3PCC|DP-98[0-9]{{2}})/{_FIRMWARE}(?: {_MAC})?"),
    re.compile(
        r"(?P<vendor>Cisco|Linksys|Sipura)/(?P<model>SPA-?[0-9]{3,4}[A-Z]?[0-9]?|PAP2T?)"
        rf"-{_FIRMWARE}(?: (?:{_MAC})?{_SERIAL})?"
    ),
)


@dataclass(frozen=True)
class UserAgent:
    """What a phone says about itself; mac and serial are None if it does not send them."""

    vendor: str
    model: str
    firmware: str
    mac: Mac | None
    serial: str | None


def parse_user_agent(text: str) -> UserAgent | None:
    """Return what *text* says, or None if no phone of a known family sends it."""
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
    """Return the header that a phone sends; *firmware* defaults to the family's example version."""
    family = model.family
    return family.user_agent.format(
        model=model.name,
        product=model.product,
        firmware=firmware or family.firmware,
        mac=mac.plain,
        MAC=mac.upper,
        serial=serial,
    )


def configured_user_agent(text: str, usual: str, macros: Mapping[str, str]) -> str:
    """Return the header that a phone sends if *text* is configured, with its *macros*; *usual*: what it sends otherwise.

    Guess: what a header cannot hold becomes a question mark.
    """
    expanded = expand(text, {**macros, "VERSION": usual.partition(" (")[0]}).strip()
    return re.sub("[^ -~]", "?", expanded) or usual
