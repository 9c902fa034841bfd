# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The variables of all roles, playbooks and phones, read from where each is specified."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from ansible.module_utils.common.yaml import yaml_load

from ..module_utils.common.variables import KnownNames
from ..module_utils.phones.phone import LAYER, PLAIN, STRUCTURED

_COLLECTION = Path(__file__).parents[2]
_SHARED = ("phone_", "firmware_", "certificates_", "dns_server_", "log_server_", "time_server_", "web_server_")
"""What variables of others begin with, too."""

Options = Mapping[str, Mapping[str, Any]]


class VariableSpecs(NamedTuple):
    """The variables that users can set, besides those of phones, and the names of all."""

    roles: Mapping[str, Options]
    """Role -> variable -> option, of all its entry points."""
    playbooks: Mapping[str, Options]
    names: KnownNames

    @property
    def options(self) -> Options:
        """Variable -> option, of all roles and playbooks; where both specify one, the role counts."""
        parts = [*self.playbooks.values(), *self.roles.values()]
        return {name: option for options in parts for name, option in options.items()}


@cache
def variable_specs() -> VariableSpecs:
    """Return the specifications; they are part of the collection, so an error in them is one of the collection."""
    entries = {path.parents[1].name: _read(path) for path in sorted(_COLLECTION.glob("roles/*/meta/argument_specs.yml"))}
    roles = {
        role: {name: option for entry in found.values() for name, option in _options(entry).items()}
        for role, found in entries.items()
    }
    playbooks = {name: _options(entry) for name, entry in _read(_COLLECTION / "playbooks/vars/argument_specs.yml").items()}
    known = {*STRUCTURED, *PLAIN, *(name for options in (*roles.values(), *playbooks.values()) for name in options)}
    # What a role leaves behind for whoever runs it
    known |= {name for role, found in entries.items() for name in re.findall(rf"C\(({role}_\w+)\)", str(found))}
    own = {f"{role}_": f"; ansible-doc -t role voip.preprovision.{role} lists the variables of that role" for role in roles}
    return VariableSpecs(roles, playbooks, KnownNames(known, own, _SHARED, [LAYER]))


def _read(path: Path) -> dict[str, dict[str, Any]]:
    entries: dict[str, dict[str, Any]] = yaml_load(path.read_text(encoding="utf-8"))["argument_specs"]
    return entries


def _options(entry: Mapping[str, Any]) -> Options:
    return entry.get("options") or {}


def role_variables(variables: Mapping[str, Any], others: Mapping[str, str] = MappingProxyType({})) -> Callable[[str], str]:
    """Return what puts the role's variables into messages of a module that name its options, for a task with these *variables*.

    *others*: option -> variable, where the name does not follow from that of the role. Outside of a role, users write the options.
    """
    role = str(variables.get("ansible_role_name", "")).removeprefix("voip.preprovision.")
    own = [name for name in variable_specs().roles.get(role, {}) if name.startswith(f"{role}_")]
    if not own:
        return str
    names = {**{name.removeprefix(f"{role}_"): name for name in own}, **others}
    words = "|".join(sorted(names, key=len, reverse=True))
    # A plain word is the name of an option only where a sentence begins with it
    option = re.compile(rf"(?<![\w.$'/-])(?=[a-z]+_)(?:{words})(?!\w)|^(?:{words})(?=: )", re.MULTILINE)
    return lambda sentence: option.sub(lambda found: names[found[0]], sentence)
