# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Read phones from their variables.

A phone's parameters are merged in this order, later ones winning: the typed variables (typed_variables), the layers
``phone_parameters_<layer>`` in alphabetical order, ``phone_parameters``, and ``phone_lines``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..common.mac import Mac, MacError, parse_mac
from ..common.suggest import unknown, unknown_choice
from ..common.validate import ValidationError, kind_of, quoting_hint, read_flag, read_text_or_digits
from ..families.catalogue import BUILTIN, Catalogue
from ..families.ignored import ignored_access, ignored_names, unknown_names, unrendered
from ..families.model import LINE_TEXTS, BenchDelivery, Family, Model, ModelError
from ..firmware.policy import FirmwarePolicy
from ..profiles.flat_profile import Parameters, ProfileError, Setting, check_text, read_plain, read_setting
from ..profiles.formats import FORMATS
from ..profiles.keys import ProfileKeyError, check_key, check_previous_key, check_secret, derive_key
from ..profiles.sealing.model import Sealing
from .phone import LAYER, Phone, PhoneError
from .serial_numbers import normalize_serial
from .typed_variables import TYPED, Reading, read_typed, text_keys
from .uniqueness import UniquenessChecker

_SEALINGS = {sealing.value: sealing for sealing in Sealing}
_DELIVERIES = {delivery.value: delivery for delivery in BenchDelivery}


class PhoneReader:
    """Reads phones from variables. Values shared by many phones, such as those of a group, are read once per family.

    *shared*: structured values that are the same objects in many phones' variables; they must live as long as the reader.
    """

    def __init__(
        self,
        catalogue: Catalogue = BUILTIN,
        master_key: str | None = None,
        previous_master_key: str | None = None,
        shared: Iterable[object] = (),
    ) -> None:
        """Raise PhoneError when a master key cannot be used."""
        self.catalogue = catalogue
        self._master_key = master_key
        self._previous_master_key = previous_master_key
        self._shared = {id(value) for value in shared}
        self._readings: dict[tuple[str, int, str, int], Reading] = {}
        self._merged: dict[tuple[object, ...], Reading] = {}
        self._line_paths: dict[tuple[str, int], tuple[dict[str, str], str]] = {}
        self._text_paths: dict[str, re.Pattern[str]] = {}
        for option, key in (("master_key", master_key), ("previous_master_key", previous_master_key)):
            if key is not None:
                try:
                    check_secret(key, "master key")
                except ProfileKeyError as error:
                    raise PhoneError(f"{option}: {error}") from error

    def read(self, name: str, variables: Mapping[str, Any]) -> Phone:
        """Return the Phone called *name*; raise PhoneError with the first error, which names the variable but not the phone."""
        mac, model = self._identity(name, variables)
        family = model.family
        key = self._key(variables, mac)
        previous_key = self._previous_key(variables, mac)
        lines = _lines(variables)
        template = _plain(variables, "phone_profile_template")
        previous_sealing = _plain(variables, "phone_sealing_previous")
        merged = self._merge(_layers(variables), family, len(lines))
        try:
            own = self._read_lines(lines, family)
        except ProfileError as error:
            raise PhoneError(f"phone_lines: {error}") from error
        return Phone(
            name=name,
            mac=mac,
            model=model,
            serial=_serial(variables),
            customer=_plain(variables, "phone_customer"),
            site=_plain(variables, "phone_site"),
            address=_plain(variables, "phone_address"),
            parameters={**merged.parameters, **own.parameters} if own.parameters else merged.parameters,
            key=key,
            previous_key=previous_key if previous_key != key else None,
            bench_delivery=_bench_delivery(_plain(variables, "phone_bench_delivery")),
            sealing=_sealing("phone_sealing", _plain(variables, "phone_sealing") or family.sealing, family),
            previous_sealing=_sealing("phone_sealing_previous", previous_sealing, family) if previous_sealing else None,
            template=template,
            lines=_template_lines(lines, family) if template else (),
            firmware=_firmware(variables),
            ignored=(*merged.ignored, *own.ignored, *_ignored_firmware(variables, family)),
        )

    def origins(self, variables: Mapping[str, Any]) -> dict[str, str]:
        """Return parameter path -> the variable that sets it, for variables that read() accepts."""
        family = self.catalogue.find_model(variables["phone_model"]).family
        lines = _lines(variables)
        origins: dict[str, str] = {}
        for variable, value in _layers(variables):
            origins.update(dict.fromkeys(self._read_layer(variable, value, family, len(lines)).parameters, variable))
        origins.update(dict.fromkeys(self._read_lines(lines, family).parameters, "phone_lines"))
        return origins

    def _identity(self, name: str, variables: Mapping[str, Any]) -> tuple[Mac, Model]:
        variable = "its name"
        try:
            check_text(name)
            variable = "phone_mac"
            mac = parse_mac(_required(variables, variable))
            variable = "phone_model"
            return mac, self.catalogue.find_model(read_text_or_digits(_required(variables, variable)))
        except (MacError, ModelError, ProfileError, ValidationError) as error:
            raise PhoneError(f"{variable}: {error}") from error

    def _key(self, variables: Mapping[str, Any], mac: Mac) -> str | None:
        own = variables.get("phone_profile_key")
        if own is not None:
            try:
                return check_key(own)
            except ProfileKeyError as error:
                raise PhoneError(f"phone_profile_key: {error}") from error
        return None if self._master_key is None else derive_key(self._master_key, mac)

    def _previous_key(self, variables: Mapping[str, Any], mac: Mac) -> str | None:
        own = variables.get("phone_profile_key_previous")
        if own is not None:
            try:
                return check_previous_key(own)
            except ProfileKeyError as error:
                raise PhoneError(f"phone_profile_key_previous: {error}") from error
        # A phone with its own key never used one derived from the master key
        if self._previous_master_key is None or variables.get("phone_profile_key") is not None:
            return None
        return derive_key(self._previous_master_key, mac)

    def _merge(self, layers: list[tuple[str, Any]], family: Family, lines: int) -> Reading:
        identity = (family.name, lines, *(id(value) for _variable, value in layers))
        found = self._merged.get(identity)
        if found is None:
            found = _merge(self._read_layer(variable, value, family, lines) for variable, value in layers)
            if all(id(value) in self._shared for _variable, value in layers):
                self._merged[identity] = found
        return found

    def _read_layer(self, variable: str, value: object, family: Family, lines: int) -> Reading:
        identity = (variable, id(value), family.name, lines)
        found = self._readings.get(identity)
        if found is None:
            try:
                found = _read_layer(variable, value, family, lines)
                if variable not in TYPED and isinstance(value, Mapping):
                    _refuse_flags(value, self._texts_of(family))
            except ProfileError as error:
                raise PhoneError(f"{variable}: {error}") from error
            if id(value) in self._shared:
                self._readings[identity] = found
        return found

    def _read_lines(self, lines: list[Mapping[str, Any]], family: Family) -> Reading:
        parameters: Parameters = {}
        ignored: dict[str, None] = {}
        for number, line in enumerate(lines, 1):
            paths, unknown_line = self._paths_of_line(family, number)
            if unknown_line:
                ignored[unknown_line] = None
            plain = read_plain(line.values())
            if plain is not None and len(plain) == len(line) and all(map(paths.get, line)):
                parameters.update(zip(map(paths.__getitem__, line), plain, strict=True))
                continue
            for key, value in line.items():
                if key not in paths:
                    raise ProfileError(f"line {number}: {unknown('key', key, paths)}")
                if not paths[key]:
                    ignored[f"phone_lines: {key} has no parameter in the family {family.name}, which would ignore it"] = None
                elif value is not None:
                    try:
                        parameters[paths[key]] = _read_line_value(value, paths[key], key, family)
                    except ProfileError as error:
                        # Users write the key, and may not know the parameter
                        raise ProfileError(f"line {number}: {key}{str(error).removeprefix(paths[key])}") from error
        return Reading(parameters, (*ignored, *_ignored_values("phone_lines", parameters, family)))

    def _texts_of(self, family: Family) -> re.Pattern[str]:
        found = self._text_paths.get(family.name)
        if found is None:
            found = self._text_paths[family.name] = _text_paths(family)
        return found

    def _paths_of_line(self, family: Family, number: int) -> tuple[dict[str, str], str]:
        found = self._line_paths.get((family.name, number))
        if found is None:
            found = self._line_paths[family.name, number] = _line_paths(family, number)
        return found


def read_phones(variables: Iterable[tuple[str, Mapping[str, Any]]], reader: PhoneReader | None = None) -> list[Phone]:
    """Read all phones; raise one PhoneError that lists every invalid phone, and every MAC address and serial number used twice."""
    reader = reader or PhoneReader()
    phones: list[Phone] = []
    problems: list[str] = []
    checker = UniquenessChecker()
    for name, values in variables:
        try:
            phone = reader.read(name, values)
        except PhoneError as error:
            problems.append(f"phone {name}: {error}")
        else:
            phones.append(phone)
            checker.add(name, phone.mac, serial=phone.serial, family=phone.model.family.name)
    problems += checker.conflicts()
    if problems:
        raise PhoneError("\n".join(problems))
    return phones


def _required(variables: Mapping[str, Any], variable: str) -> Any:
    value = variables.get(variable)
    if value is None or value == "":
        raise PhoneError(f"the variable {variable} is missing")
    return value


def _plain(variables: Mapping[str, Any], variable: str) -> str:
    value = variables.get(variable)
    if value is None:
        return ""
    try:
        return check_text(read_text_or_digits(value))
    except (ProfileError, ValidationError) as error:
        raise PhoneError(f"{variable}: {error}") from error


def _serial(variables: Mapping[str, Any]) -> str:
    given = variables.get("phone_serial")
    if not isinstance(given, str):
        return _plain(variables, "phone_serial")
    serial = _plain({"phone_serial": normalize_serial(given)}, "phone_serial")
    if given.strip() and not serial:
        raise PhoneError(f"phone_serial: '{given}' is only a label; write the serial number after it")
    return serial


def _sealing(variable: str, value: str, family: Family) -> Sealing:
    sealing = _SEALINGS.get(value)
    if sealing is None:
        raise PhoneError(f"{variable}: {unknown_choice('sealing', value, Sealing)}")
    if (sealing is Sealing.AES128GCM and not family.ikm_parameter) or (sealing is Sealing.OPENSSL and not family.digest):
        raise PhoneError(f"{variable}: the family {family.name} cannot decrypt {sealing}; use {family.sealing}")
    return sealing


def _bench_delivery(value: str) -> BenchDelivery | None:
    if value and value not in _DELIVERIES:
        raise PhoneError(f"phone_bench_delivery: {unknown_choice('delivery', value, BenchDelivery)}")
    return _DELIVERIES.get(value)


def _firmware(variables: Mapping[str, Any]) -> FirmwarePolicy:
    hold = variables.get("phone_firmware_hold")
    percent = _plain(variables, "phone_firmware_rollout_percent") or "100"
    if not percent.isdecimal() or not percent.isascii() or int(percent) > 100:
        raise PhoneError(f"phone_firmware_rollout_percent: '{percent}' must be a percentage between 0 and 100")
    try:
        # An empty cell of a table sets nothing
        held = hold not in (None, "") and read_flag(hold)
    except ValidationError as error:
        raise PhoneError(f"phone_firmware_hold: {error}") from error
    return FirmwarePolicy(
        version=_plain(variables, "phone_firmware"),
        hardware=_plain(variables, "phone_hardware"),
        held=held,
        rollout_percent=int(percent),
    )


def _ignored_firmware(variables: Mapping[str, Any], family: Family) -> Iterator[str]:
    if not family.upgrade_rules:
        for variable in ("phone_firmware", "phone_firmware_hold"):
            if variables.get(variable):
                yield f"{variable}: the family {family.name} has no parameter for it, so the phone keeps its firmware"


def _layers(variables: Mapping[str, Any]) -> list[tuple[str, Any]]:
    names = [name for name in TYPED if name in variables]
    names += sorted(name for name in variables if name.startswith(LAYER))
    if "phone_parameters" in variables:
        names.append("phone_parameters")
    return [(name, variables[name]) for name in names]


def _read_layer(variable: str, value: object, family: Family, lines: int) -> Reading:
    if variable in TYPED:
        return read_typed(variable, value, family, lines)
    if not isinstance(value, Mapping):
        raise ProfileError(f"it is {kind_of(value)}; write a mapping of parameter names and values")
    parameters = FORMATS[family.format].read(value, family.yes_no)
    names = (f"{variable}: {clause}" for _path, clause in ignored_names(family, parameters))
    return Reading(parameters, (*names, *_ignored_values(variable, parameters, family)))


def _ignored_values(variable: str, parameters: Parameters, family: Family) -> Iterator[str]:
    for found in (ignored_access(family, parameters), unrendered(family, parameters)):
        yield from (f"{variable}: {clause}" for _path, clause in found)


def _merge(readings: Iterable[Reading]) -> Reading:
    parameters: Parameters = {}
    ignored: list[str] = []
    for reading in readings:
        parameters.update(reading.parameters)
        ignored += reading.ignored
    return Reading(parameters, tuple(ignored))


def _line_paths(family: Family, number: int) -> tuple[dict[str, str], str]:
    """Return the paths of a line's parameters, and a sentence if the family knows none of them."""
    paths = {key: path.format(n=number) for key, path in family.line_settings.items()}
    used = [path for path in paths.values() if path]
    all_unknown = len(used) == len(unknown_names(family, used)) > 0
    return paths, f"phone_lines: the family {family.name} has no line {number} and would ignore it" if all_unknown else ""


def _text_paths(family: Family) -> re.Pattern[str]:
    """Return what matches the paths of parameters that the family has for text, numbers and rules."""
    typed = [f"{variable.removeprefix('phone_')}.{key}" for variable in TYPED for key in text_keys(variable)]
    paths = [path for setting in typed for path in family.paths(setting)]
    paths += [family.line_settings[key] for key in LINE_TEXTS if key in family.line_settings]
    paths += [*family.profile_rules, *family.upgrade_rules, *family.report_rules, *family.triggers, *family.hidden]
    paths += [family.custom_ca or "", family.key_parameter, family.ikm_parameter]
    return re.compile("|".join(re.escape(path).replace(r"\{n\}", "[0-9]+") for path in sorted({*paths} - {""})) or "(?!)")


def _refuse_flags(values: Mapping[str, Any], texts: re.Pattern[str], section: str = "") -> None:
    """Raise ProfileError for a parameter among *texts* that is true or false; *values* are known to be readable."""
    for name, value in values.items():
        path = f"{section}{name}"
        inner = value.get("value") if isinstance(value, Mapping) else value
        if isinstance(inner, bool) and texts.fullmatch(path):
            raise ProfileError(f"{path} is {kind_of(inner)}{quoting_hint(inner)}")
        if isinstance(value, Mapping):
            _refuse_flags(value, texts, f"{path}/")


def _read_line_value(value: Any, path: str, key: str, family: Family) -> Setting:
    return read_setting(value, path, () if key in LINE_TEXTS else family.yes_no)


def _lines(variables: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    lines = variables.get("phone_lines") or []
    if not isinstance(lines, list) or not all(isinstance(line, Mapping) for line in lines):
        raise PhoneError("phone_lines: it must be a list of mappings, one for each line")
    return lines


def _template_lines(lines: list[Mapping[str, Any]], family: Family) -> tuple[Mapping[str, str], ...]:
    return tuple(
        {key: _read_line_value(value, key, key, family).value for key, value in line.items() if value is not None} for line in lines
    )
