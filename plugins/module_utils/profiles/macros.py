# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Macro expansion as phones do it: ``$NAME``, ``$(NAME)``, ``$(NAME:p)``, ``$(NAME:p:q)`` and ``$$``, in one pass.

Sources: "Macro expansion" and "Macro expansion variables" of the ATA 191/192, SPA and MPP provisioning guides. Unknown names stay
as typed (the guides' ``$STRANGE$MAU.cfg``), and the result of an expansion is not expanded again.

The macros of extension mobility (PDOM, MUID, MPWD, PUID, PPWD) are in its guide for the SPA942 and in an example of the MPP
administration guides, ``[--uid $MUID$PDOM --pwd $MPWD]``; the tables of macros have only EMS.

Only examples show where a name without parentheses ends (``$MA.cfg``, ``$PN$MA.xml``, ``$PSN.xml``, ``$MAC -- ``): here it
is the longest run of capital letters and digits, so that ``$MAU`` is never ``$MA`` and a ``U``, and ``$MA_x`` and ``$MAx`` are
``$MA`` and a text. For an unknown run that begins with a known name, such as ``$MAX`` or ``$MA2``, no guide says whether a phone
leaves it or expands its beginning: it is left as typed. Parentheses, ``$(MA)2``, avoid the question.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

_MACRO = re.compile(
    r"\$(?:(?P<dollar>\$)"
    r"|\((?P<quoted>[A-Z][A-Z0-9]*)(?::(?P<start>[0-9]{1,9})(?::(?P<length>[0-9]{1,9}))?)?\)"
    r"|(?P<bare>[A-Z][A-Z0-9]*))"
)

SECRET = ("SA", "SB", "SC", "SD")
"""Macros that expand only where a rule takes a key, a user or a password."""

_MAX_LINES = 16

KNOWN: Mapping[str, str] = MappingProxyType(
    {
        **{letter: f"parameter GPP_{letter}" for letter in "ABCDEFGHIJKLMNOP"},
        **{name: f"parameter GPP_{name}, only as value of --key, --uid and --pwd" for name in SECRET},
        "MA": "MAC address: 000e08aabbcc",
        "MAU": "MAC address: 000E08AABBCC",
        "MAC": "MAC address: 00:0e:08:aa:bb:cc",
        "PN": "product name: ATA192-MPP, CP-8851-3PCC, SPA504G",
        "PSN": "product series: 192, 8851-3PCC, 504G",
        "SN": "serial number",
        "CCERT": "client certificate: Installed or Not Installed",
        "IP": "local IP address",
        "EXTIP": "IP address as seen from outside",
        "SWVER": "firmware version",
        "HWVER": "hardware version",
        "PRVST": "why it resyncs: -1 on request, 0 power-up, 1 periodic, 2 retry after a failure",
        "UPGST": "why it upgrades: 1 first attempt, 2 retry after a failure",
        "UPGERR": "result of the last upgrade",
        "PRVTMR": "seconds since the last resync",
        "UPGTMR": "seconds since the last upgrade attempt",
        "REGTMR1": "seconds since line 1 lost its registration",
        "REGTMR2": "seconds since line 2 lost its registration",
        "UPGCOND": "always true since firmware 2.0.6",
        "SCHEME": "scheme of the URL: tftp, http, https",
        "METH": "old name of SCHEME",
        "SERV": "server of the URL",
        "SERVIP": "IP address of that server",
        "PORT": "port of the URL",
        "PATH": "path of the URL",
        "ERR": "result of a resync or an upgrade",
        **{f"UID{number}": f"user ID of line {number}" for number in range(1, _MAX_LINES + 1)},
        "EMS": "state of extension mobility",
        "PDOM": "parameter EM_User_Domain",
        "MUID": "user ID that was entered for extension mobility",
        "MPWD": "password that was entered for extension mobility",
        "PUID": "user ID of the phone itself for extension mobility",
        "PPWD": "password of the phone itself for extension mobility",
        "ORIGTYPE": "original type: orig_ent, orig_mpp, none",
        "AUTHSTATUS": "authentication: classic, wxc, none",
    }
)
"""Name -> meaning. SCHEME to ERR belong to log messages, and come from the rule that is followed."""


def expand(text: str, values: Mapping[str, str]) -> str:
    """Return *text* with the macros in *values* (name without ``$`` -> text) expanded.

    Substrings count from 0: ``$(MAU:8:2)`` of 000E08012345 is 23; beyond the end they are empty.
    """

    def replace(match: re.Match[str]) -> str:
        if match["dollar"]:
            return "$"
        value = values.get(match["quoted"] or match["bare"])
        if value is None:
            return match[0]
        start = int(match["start"] or 0)
        end = start + int(match["length"]) if match["length"] else None
        return value[start:end]

    return _MACRO.sub(replace, text)


def names(text: str) -> list[tuple[str, int]]:
    """Return the names of the macros in *text*, known or not, each with the column (from 1) of its ``$``; ``$$`` is not a macro."""
    return [(match["quoted"] or match["bare"], match.start() + 1) for match in _MACRO.finditer(text) if not match["dollar"]]


def stray_dollars(text: str) -> list[int]:
    """Return the columns (from 1) of each ``$`` that is neither ``$$`` nor begins a macro, such as ``$ma`` or ``$(MA:-1)``."""
    covered = {column for match in _MACRO.finditer(text) for column in range(*match.span())}
    return [column + 1 for column, letter in enumerate(text) if letter == "$" and column not in covered]
