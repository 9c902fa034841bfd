# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which group, host or row sets a variable of a phone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible.inventory.helpers import sort_groups
from ansible.vars.plugins import get_vars_from_inventory_sources, get_vars_from_path

from .phone_source import Entry, group_variables

ELSEWHERE = "the play or the command line"


def variable_origins(manager: Any, loader: Any, inventory: Any, name: str, variables: Iterable[str]) -> dict[str, str]:
    """Return variable -> ``group customer_example``, ``host desk-1`` or ELSEWHERE, by Ansible's precedence of variables."""
    host = inventory.get_host(name)
    given = manager.get_vars(host=host, include_hostvars=False)
    origins = {}
    for variable in variables:
        origins[variable] = ELSEWHERE
        for origin, values in _sources(loader, inventory, host):
            if variable in values and values[variable] == given.get(variable):
                origins[variable] = origin
    return origins


def _sources(loader: Any, inventory: Any, host: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the variables that each group and the host set, the strongest last (Ansible's default VARIABLE_PRECEDENCE)."""
    everything = inventory.groups["all"]
    groups = sort_groups([group for group in host.get_groups() if group.name != "all"])
    for group in (everything, *groups):
        yield f"group {group.name}", group.get_vars()
    for entities, kind in (([everything], "group"), (groups, "group"), ([host], "host")):
        if kind == "host":
            yield f"host {host.name}", host.vars
        for read, places in (
            (get_vars_from_inventory_sources, [inventory._sources]),
            (get_vars_from_path, [loader.get_basedir()]),
        ):
            for place in places:
                for entity in entities:
                    yield f"{kind} {entity.name}", read(loader, place, [entity], "task")


def row_origins(groups: Mapping[str, Any], entry: Entry) -> dict[str, str]:
    """Return variable -> group of rows, or file and line of the row itself."""
    given = list(group_variables(groups))
    return {
        variable: next((origin for origin, values in reversed(given) if values.get(variable) is value), entry.where)
        for variable, value in entry.variables.items()
    }
