# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What phones of a family would ignore, or take as text, among parameters, whoever wrote them: variables or templates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..common.suggest import did_you_mean
from ..profiles.flat_profile import Parameters
from ..profiles.formats import FORMATS
from ..profiles.leftovers import has_leftover, leftover
from .model import Family
from .parameter_names import STATUS
from .parameter_names import check as check_names


def unknown_names(family: Family, paths: Iterable[str]) -> list[tuple[str, str | None]]:
    """Return each of *paths* that the family does not know, with the nearest known name."""
    return check_names(family.known_names, paths, family.extra_names)


def ignored_names(family: Family, paths: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield each of *paths* that the family does not know, and a clause on it."""
    for path, near in unknown_names(family, paths):
        if family.known_names in STATUS and STATUS[family.known_names].knows(path):
            yield path, f"phones of the family {family.name} only show {path}, and ignore it in a profile; leave it out"
        else:
            yield path, f"the family {family.name} does not know {path} and would ignore it{did_you_mean(near)}"


def ignored_access(family: Family, parameters: Parameters) -> Iterator[tuple[str, str]]:
    """Yield the path of each parameter with an access that the family's profiles cannot express, and a clause on it."""
    kind = FORMATS[family.format]
    instead = f"; use {' or '.join(kind.access)}" if kind.access else ", so it is left out"
    for path, access in kind.inexpressible_access(parameters):
        yield path, f"profiles of the family {family.name} cannot express ua '{access}' of {path}{instead}"


def unrendered(family: Family, parameters: Parameters) -> Iterator[tuple[str, str]]:
    """Yield the path of each parameter with an expression that nothing has rendered, and a clause on it, which shows no value."""
    if not has_leftover("\n".join([setting.value for setting in parameters.values()])):
        return
    for path, (value, _access) in parameters.items():
        opening, language = leftover(value, secret=family.redact(path, value) != value)
        if opening:
            yield path, f"{path} holds an expression of {language}, '{opening}', that nothing has rendered; phones take it as text"
