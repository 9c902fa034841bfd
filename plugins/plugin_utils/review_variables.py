# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Check the variables of a host by the specifications of roles and playbooks, before a play or a role does anything."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping
from typing import Any, NamedTuple

from ansible.errors import AnsibleError, AnsibleUndefinedVariable

from ..module_utils.common.suggest import unknown
from ..module_utils.common.validate import ValidationError, read_flag
from ..module_utils.common.variables import TEXTS, NameFault, VariableError, kind_faults, option_fault
from .number_spelling import NumberSpelling
from .origins import ELSEWHERE, variable_origins
from .variable_specs import Options, variable_specs

_VAULTED = re.compile(r"\bvault_\w+")
_NOT_OURS = ("_", "ansible_")
_STRUCTURED = ("list", "dict")
_OPERATORS = "profile_service_operators"
_BENCH_ADDRESS = "bench_address"
_HOME_ADDRESSES = "provisioning_server_addresses"
_DERIVED = r"\b{name} \| default\(''\)"
"""What defaults of roles contain that are derived from the variable *name*."""


class Review(NamedTuple):
    """A sentence on each mistake, and on each variable that may be one."""

    errors: list[str]
    warnings: list[str]


class VariableReview:
    """The variables of one host in one play."""

    def __init__(self, manager: Any, loader: Any, templar: Any, variables: Mapping[str, Any]) -> None:
        """*manager*, *loader*, *templar*: those of the task, as are the *variables*, which are not templated yet."""
        self._manager, self._loader, self._variables = manager, loader, variables
        self._host = str(variables.get("inventory_hostname"))
        self._command_line: Mapping[str, Any] = manager.extra_vars
        self._specs = variable_specs()
        self._values = _Values(variables, templar, NumberSpelling(loader))

    def check(self, playbook: str) -> Review:
        """Return what is wrong; raise VariableError for an unknown playbook."""
        if playbook not in self._specs.playbooks:
            raise VariableError(f"check_variables: {unknown('playbook', playbook, self._specs.playbooks)}")
        errors: list[str] = []
        warnings: list[str] = []
        for name, fault in self._misnamed(playbook):
            (errors if fault.is_error else warnings).append(f"{self._origin(name)}{fault.sentence}")
        errors += [*self._missing(playbook), *self._values.faults(self._specs.options, self._command_line)]
        if playbook in ("site", "station") and self._variables.get(_OPERATORS) == {}:
            warnings.append(f"{self._host}: nobody can log in to the board; name an operator in {_OPERATORS}")
        return Review(errors, warnings)

    def check_role(self, role: str) -> Review:
        """Return what is wrong with the variables of one role; raise VariableError for an unknown role."""
        if role not in self._specs.roles:
            raise VariableError(f"check_variables: {unknown('role', role, self._specs.roles)}")
        named = (name for name in _written(self._manager, self._variables) if name.startswith(f"{role}_"))
        faults = (self._specs.names.fault(name) for name in named)
        errors = [fault.sentence for fault in faults if fault and fault.is_error]
        return Review([*errors, *self._values.faults(self._specs.roles[role]), *self._underived(role)], [])

    def _underived(self, role: str) -> Iterator[str]:
        """Yield a sentence on each variable that is not set and from which defaults of the role are derived."""
        if not self._values.flag(f"{role}_enabled", True):
            return
        needed = {name: option for options in self._specs.playbooks.values() for name, option in options.items()}
        for name in self._specs.roles[role]:
            if name not in needed or not self._is_lacking(name):
                continue
            derived = re.compile(_DERIVED.format(name=name))
            lacking = [
                option for option in self._specs.roles[role] if any(map(derived.search, _texts(self._variables.get(option))))
            ]
            if lacking:
                what, instead = _what_for(needed[name]), _enumerated(lacking)
                yield f"{name} is missing; set it in the inventory ({what}), or set {instead}"

    def _is_lacking(self, name: str) -> bool:
        """Return whether a variable that is needed is not set; a provisioning server has no bench."""
        if name == _BENCH_ADDRESS and self._variables.get(_HOME_ADDRESSES):
            return False
        return self._variables.get(name) in (None, "")

    def _misnamed(self, playbook: str) -> Iterator[tuple[str, NameFault]]:
        for name in _written(self._manager, self._variables):
            fault = self._specs.names.fault(name)
            if not fault and name in self._command_line and name not in self._specs.names:
                fault = option_fault(name, playbook, self._specs.playbooks[playbook])
            if fault:
                yield name, fault

    def _origin(self, name: str) -> str:
        """Return the beginning of a message: where the variable is set."""
        if name in self._command_line:
            return "command line: "
        origin = variable_origins(self._manager, self._loader, self._manager._inventory, self._host, [name])[name]
        return "" if origin == ELSEWHERE else f"{origin}: "

    def _missing(self, playbook: str) -> Iterator[str]:
        for name, option in self._specs.playbooks[playbook].items():
            if option.get("required") and self._is_lacking(name):
                what = _what_for(option)
                yield f"{name} is missing; set it in the inventory, such as in group_vars/all/main.yml: {what}"


def _what_for(option: Mapping[str, Any]) -> str:
    """Return the first sentence of an option's description, to go on with after a colon or in brackets."""
    what = str(option["description"]).split(". ", maxsplit=1)[0].rstrip(".")
    return f"{what[:1].lower()}{what[1:]}"


def _enumerated(names: list[str]) -> str:
    """Return ``a, b and c``."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


class _Values:
    """The values of variables, which are templated where their kind depends on it."""

    def __init__(self, variables: Mapping[str, Any], templar: Any, spelling: NumberSpelling) -> None:
        self._variables, self._templar, self._spelling = variables, templar, spelling

    def faults(self, options: Options, command_line: Container[str] = ()) -> Iterator[str]:
        """Yield a sentence on each value of another kind than its option wants, or that needs a vault."""
        for name, option in options.items():
            if name not in self._variables:
                continue
            value = self._variables[name]
            if missing := self._missing_in_vault(value):
                used = " and ".join(missing)
                verb, them = ("is", "it") if len(missing) == 1 else ("are", "them")
                yield f"{name} uses {used}, which {verb} not defined; define {them} in a vault such as group_vars/all/vault.yml"
                continue
            if _is_templated(value):
                if option["type"] not in _STRUCTURED:
                    continue
                try:
                    value = self._templar.template(value)
                except AnsibleError:
                    # It may need facts that are not gathered yet
                    continue
            yield from kind_faults(name, value, option, name in command_line)
            if option["type"] in TEXTS or option.get("elements") in TEXTS:
                problem = self._spelling.problem(name, value)
                yield from [problem] if problem else []

    def flag(self, name: str, default: bool) -> bool:
        """Return the value of a variable that is true or false; *default* if it is not set or is neither."""
        try:
            return read_flag(self._templar.template(self._variables.get(name, default)))
        except (AnsibleError, ValidationError):
            return default

    def _missing_in_vault(self, value: object) -> list[str]:
        """Return the names of variables of a vault that *value* uses and that are not defined, unless it has a default for them."""
        missing: set[str] = set()
        for text in _texts(value):
            names = {name for name in _VAULTED.findall(text) if name not in self._variables}
            if names:
                try:
                    self._templar.template(text)
                except AnsibleUndefinedVariable:
                    missing |= names
        return sorted(missing)


def _written(manager: Any, variables: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of *variables* that users have written: not those of Ansible, and not what set_fact and register have set."""
    # No other interface tells them apart
    facts = manager._nonpersistent_fact_cache.get(str(variables.get("inventory_hostname")), {})
    for name in sorted(variables):
        if not name.startswith(_NOT_OURS) and (name not in facts or name in manager.extra_vars):
            yield name


def _is_templated(value: object) -> bool:
    return any("{{" in text or "{%" in text for text in _texts(value))


def _texts(value: object) -> Iterator[str]:
    """Yield all texts in a value, at any depth."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for below in value.values():
            yield from _texts(below)
    elif isinstance(value, list | tuple):
        for below in value:
            yield from _texts(below)
