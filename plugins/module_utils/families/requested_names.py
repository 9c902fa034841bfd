# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The names of files that units request by themselves: those that a station serves, and those that it does not."""

from __future__ import annotations

import re
from collections.abc import Iterable

from .model import Family

_PART = re.compile(r"\$MAU|\$MA|\$PN|\?")


def served_names(family: Family) -> tuple[str, ...]:
    """Return the names that a station serves to the family's units, with macros, in the order in which they are requested."""
    return tuple(name for name in (family.factory_rule, *family.aliases, family.own_file) if name)


def in_vain_pattern(families: Iterable[Family]) -> re.Pattern[str]:
    """Return a pattern of the names, in any folder and case, that a station need not have for any of these *families*.

    What one family tries in vain and another one is served is not among them.
    """
    families = [*families]
    # What contains the series is tried in vain by nobody
    served = [_expression(family, name) for family in families for name in served_names(family) if "$PSN" not in name]
    names = [_expression(family, name) for family in families for name in family.tried_in_vain]
    return re.compile(f"(?:.*/)?(?!(?:{_either(served)})$)(?:{_either(names)})", re.IGNORECASE)


def _either(expressions: Iterable[str]) -> str:
    return "|".join(dict.fromkeys(expressions))


def _expression(family: Family, name: str) -> str:
    products = "|".join(re.escape(family.product.format(model=model)) for model in family.models)
    found = {"$MA": "[0-9a-f]{12}", "$MAU": "[0-9a-f]{12}", "$PN": f"(?:{products})", "?": "[0-9]"}
    texts, parts = _PART.split(name.removeprefix("/")), _PART.findall(name)
    return "".join(re.escape(text) + found.get(part, "") for text, part in zip(texts, [*parts, ""], strict=True))
