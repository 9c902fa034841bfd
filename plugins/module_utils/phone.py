# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Phone: the typed, checked form of one phone's variables, wherever they come from.

Variables: phone_mac, phone_model, phone_serial, phone_customer, phone_address, phone_lines, phone_profile_key, phone_parameters and
phone_parameters_<layer>. Layers are merged in the alphabetical order of their names; phone_parameters comes last and wins.
"""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .families import Model, ModelError, find_model
from .keys import ProfileKeyError, check_key, check_secret, derive_key
from .mac import Mac, MacError, parse_mac
from .profile import Parameters, ProfileError, merge, read_parameters

LINE_PARAMETERS: Mapping[str, str] = {
    "enable": "Line_Enable",
    "proxy": "Proxy",
    "outbound_proxy": "Outbound_Proxy",
    "use_outbound_proxy": "Use_Outbound_Proxy",
    "register": "Register",
    "register_expires": "Register_Expires",
    "display_name": "Display_Name",
    "user_id": "User_ID",
    "password": "Password",
    "use_auth_id": "Use_Auth_ID",
    "auth_id": "Auth_ID",
    "dial_plan": "Dial_Plan",
}
"""Key of an entry of phone_lines -> parameter, to which ``_n_`` is appended (source: voice parameters of the ATA 191/192 guide)."""

_LAYER = "phone_parameters_"


class PhoneError(ValueError):
    """One or more phones cannot be made from their variables; one sentence a line, each naming phone and variable."""


@dataclass(frozen=True)
class Phone:
    """One unit. Everything that holds secrets stays out of repr()."""

    name: str
    mac: Mac
    model: Model
    serial: str = ""
    customer: str = ""
    address: str = ""
    """Reserved IPv4 address on the bench, or empty."""
    parameters: Parameters = field(default_factory=dict, repr=False)
    lines: Parameters = field(default_factory=dict, repr=False)
    """Parameters of phone_lines, ``_n_`` appended."""
    key: str | None = field(default=None, repr=False)
    """Passphrase of this unit's sealed profiles."""

    @property
    def macros(self) -> dict[str, str]:
        """The macros that are known before the unit is unpacked."""
        return {
            "MA": self.mac.plain,
            "MAU": self.mac.upper,
            "MAC": self.mac.colon,
            "PN": self.model.product,
            "PSN": self.model.series,
            "SN": self.serial,
        }


def read_phone(name: str, variables: Mapping[str, Any], master_key: str | None = None) -> Phone:
    """Make the Phone called *name* from its variables; raise PhoneError on the first thing that is wrong.

    Without phone_profile_key the key is derived from *master_key*; without that there is none.
    """

    def required(variable: str) -> Any:
        value = variables.get(variable)
        if value is None or value == "":
            raise PhoneError(f"phone {name}: the variable {variable} is missing")
        return value

    variable = "phone_mac"
    try:
        mac = parse_mac(required(variable))
        variable = "phone_model"
        model = find_model(required(variable))
        variable = "phone_profile_key"
        key = variables.get(variable)
        if key is not None:
            key = check_key(key)
        elif master_key is not None:
            key = derive_key(master_key, mac)
        parameters: Parameters = {}
        for variable in _layers(variables):
            parameters = merge(parameters, read_parameters(_mapping(variables[variable])))
        variable = "phone_lines"
        lines = _read_lines(variables.get(variable) or [])
    except (MacError, ModelError, ProfileKeyError, ProfileError) as error:
        raise PhoneError(f"phone {name}: {variable}: {error}") from error
    return Phone(
        name=name,
        mac=mac,
        model=model,
        serial=str(variables.get("phone_serial") or ""),
        customer=str(variables.get("phone_customer") or ""),
        address=str(variables.get("phone_address") or ""),
        parameters=parameters,
        lines=lines,
        key=key,
    )


def read_phones(variables: Iterable[tuple[str, Mapping[str, Any]]], master_key: str | None = None) -> list[Phone]:
    """Make all phones; raise one PhoneError that lists every phone that is wrong, and every MAC that two phones share."""
    if master_key is not None:
        try:
            check_secret(master_key, "master key")
        except ProfileKeyError as error:
            raise PhoneError(str(error)) from error
    phones: list[Phone] = []
    problems: list[str] = []
    for name, values in variables:
        try:
            phones.append(read_phone(name, values, master_key))
        except PhoneError as error:
            problems.append(str(error))
    by_mac: defaultdict[Mac, list[str]] = defaultdict(list)
    for phone in phones:
        by_mac[phone.mac].append(phone.name)
    problems += [
        f"phones {' and '.join(names)}: phone_mac: all have {mac}, and so the same file names; a MAC belongs to one phone"
        for mac, names in by_mac.items()
        if len(names) > 1
    ]
    if problems:
        raise PhoneError("\n".join(problems))
    return phones


def _layers(variables: Mapping[str, Any]) -> list[str]:
    layers = sorted(name for name in variables if name.startswith(_LAYER))
    return layers + ["phone_parameters"] * ("phone_parameters" in variables)


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ProfileError(f"it is a {type(value).__name__}; write a mapping of parameter names and values")
    return value


def _read_lines(lines: object) -> Parameters:
    if not isinstance(lines, list) or not all(isinstance(line, Mapping) for line in lines):
        raise ProfileError("it must be a list of mappings, one for each line")
    values: dict[str, Any] = {}
    for number, line in enumerate(lines, 1):
        for key, value in line.items():
            if key not in LINE_PARAMETERS:
                near = difflib.get_close_matches(str(key), LINE_PARAMETERS, n=1)
                hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(LINE_PARAMETERS)}"
                raise ProfileError(f"line {number} has the unknown key '{key}'; {hint}")
            values[f"{LINE_PARAMETERS[key]}_{number}_"] = value
    return read_parameters(values)
