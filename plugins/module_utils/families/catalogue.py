# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""All families and their models, by name; a user's inventory adds families or corrects them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from ..common.suggest import unknown
from .cisco import CISCO_FAMILIES
from .model import Family, FamilyError, Model, ModelError
from .other_vendors import OTHER_FAMILIES
from .overrides import override

_MIN_SIMILARITY = 0.5
# Makers as labels write them before a model, and Yealink's kind of phone
_MAKER = re.compile(r"^(?:(?:CISCO|LINKSYS|SIPURA|GRANDSTREAM|YEALINK|POLYCOM|POLY|SNOM)(?=[A-Z]))?(?:SIP(?=T\d))?")
_WITHOUT_3PCC = re.compile(r"(?i)(?:Cisco )?(?:CP-?|(?:Unified )?IP Phone )?(\d{4})(?:NR)?")


class Catalogue:
    """Families by name and models by name."""

    def __init__(self, families: Mapping[str, Family]) -> None:
        self.families = MappingProxyType(dict(families))
        models = {
            name: Model(name, family, family.product.format(model=name), _series(family, name))
            for family in families.values()
            for name in family.models
        }
        self.models = MappingProxyType(models)
        self._by_upper = {name.upper(): model for name, model in models.items()}
        self._by_plain: dict[str, Model | None] = {}
        for name, model in models.items():
            plain = _plain(name)
            self._by_plain[plain] = None if plain in self._by_plain else model

    def find_model(self, name: object) -> Model:
        """Return the model of that name, as look_up() finds it; raise ModelError naming the nearest known one."""
        model = self.look_up(str(name))
        if model is None:
            raise ModelError(self._enterprise(str(name)) or unknown("model", name, self.models, _MIN_SIMILARITY))
        return model

    def look_up(self, name: str) -> Model | None:
        """Return the model of that name in any case, as labels spell it: SPA-942, ATA 192, Linksys SPA942; or None."""
        return self._by_upper.get(name.strip().upper()) or self._by_plain.get(_plain(name))

    def _enterprise(self, name: str) -> str:
        """Return what to ask about a name that lacks 3PCC, or nothing: it is not the multiplatform phone of that number."""
        match = _WITHOUT_3PCC.fullmatch(name.strip())
        multiplatform = f"CP-{match[1]}-3PCC" if match else ""
        if multiplatform not in self.models:
            return ""
        return (
            f"'{name}' is a phone with enterprise firmware, which gets its files from a call manager and follows no profile rule;"
            f" if its label says 3PCC, write {multiplatform}"
        )

    def extended(self, changes: Mapping[str, Any]) -> Catalogue:
        """Return this catalogue with a user's families, see overrides.override(); raise FamilyError."""
        return Catalogue(override(self.families, changes))


def _plain(name: str) -> str:
    """Return a model's name without what labels spell in several ways."""
    return _MAKER.sub("", re.sub(r"[\s_-]+", "", name.upper()))


def _series(family: Family, model: str) -> str:
    match = re.fullmatch(family.series, model)
    if not match or not match[1]:
        raise FamilyError(f"family {family.name}: series '{family.series}' does not fit its model {model}")
    return match[1]


BUILTIN = Catalogue({family.name: family for family in (*CISCO_FAMILIES, *OTHER_FAMILIES)})
"""The families that the collection knows by itself."""
