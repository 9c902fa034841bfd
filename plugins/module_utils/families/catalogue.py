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

    def find_model(self, name: object) -> Model:
        """Return the model of that name, in any case; raise ModelError naming the nearest known one."""
        model = self._by_upper.get(str(name).strip().upper())
        if model is None:
            raise ModelError(unknown("model", name, self.models, _MIN_SIMILARITY))
        return model

    def extended(self, changes: Mapping[str, Any]) -> Catalogue:
        """Return this catalogue with a user's families, see overrides.override(); raise FamilyError."""
        return Catalogue(override(self.families, changes))


def _series(family: Family, model: str) -> str:
    match = re.fullmatch(family.series, model)
    if not match or not match[1]:
        raise FamilyError(f"family {family.name}: series '{family.series}' does not fit its model {model}")
    return match[1]


BUILTIN = Catalogue({family.name: family for family in (*CISCO_FAMILIES, *OTHER_FAMILIES)})
"""The families that the collection knows by itself."""
