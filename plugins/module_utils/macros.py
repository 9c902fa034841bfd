# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Macro expansion as phones do it: ``$NAME``, ``$(NAME)``, ``$(NAME:p)``, ``$(NAME:p:q)`` and ``$$``, in one pass.

Source: "Macro expansion" of the ATA 191/192 and SPA2102 provisioning guides. Names that are not known stay as typed, and
what an expansion yields is not expanded again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_MACRO = re.compile(
    r"\$(?:(?P<dollar>\$)"
    r"|\((?P<quoted>[A-Z][A-Z0-9]*)(?::(?P<start>[0-9]{1,9})(?::(?P<length>[0-9]{1,9}))?)?\)"
    r"|(?P<bare>[A-Z][A-Z0-9]*))"
)


def expand(text: str, values: Mapping[str, str]) -> str:
    """Return *text* with the macros in *values* (name without ``$`` -> text) put in.

    Substrings are 0-based: ``$(MAU:8:2)`` of 000E08012345 is 23; what lies beyond the end is empty.
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
