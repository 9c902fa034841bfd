# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Phone: the typed, checked form of one phone's variables, wherever they come from.

A phone's parameters are merged in this order, later ones winning: the typed variables (phone_settings), the layers
``phone_parameters_<layer>`` in alphabetical order, ``phone_parameters``, and ``phone_lines``.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from .families import BUILTIN, Catalogue, Family, Model, ModelError
from .firmware import Wanted
from .keys import ProfileKeyError, check_key, check_previous_key, check_secret, derive_key
from .mac import Mac, MacError, parse_mac
from .parameter_names import check as check_names
from .phone_settings import TYPED, Reading, read_flag, read_typed
from .profile import Parameters, ProfileError, check_text, read_plain, read_setting
from .profile_formats import FORMATS
from .sealing import AES128GCM, OPENSSL, SEALINGS

Result = TypeVar("Result")

LAYER = "phone_parameters_"
STRUCTURED = ("phone_lines", "phone_parameters", *TYPED)
"""Variables that are lists or mappings, beside the layers."""
PLAIN = (
    *("phone_mac", "phone_model", "phone_serial", "phone_customer", "phone_site", "phone_address"),
    *("phone_profile_key", "phone_profile_key_previous", "phone_profile_template"),
    *("phone_sealing", "phone_sealing_previous"),
    *("phone_firmware", "phone_firmware_hold", "phone_firmware_share", "phone_hardware"),
)
"""Variables that are text."""
_KNOWN = frozenset([*STRUCTURED, *PLAIN])


class PhoneError(ValueError):
    """One or more phones cannot be made from their variables; one sentence a line, each naming phone and variable."""


@dataclass(frozen=True, slots=True)
class Phone:
    """One unit. Everything that holds secrets stays out of repr()."""

    name: str
    mac: Mac
    model: Model
    serial: str = ""
    customer: str = ""
    site: str = ""
    address: str = ""
    """Reserved IPv4 address on the bench, or empty."""
    parameters: Parameters = field(default_factory=dict, repr=False)
    key: str | None = field(default=None, repr=False)
    """Passphrase of this unit's sealed profiles."""
    previous_key: str | None = field(default=None, repr=False)
    """The passphrase that the unit still holds while it is led to the other."""
    sealing: str = OPENSSL
    previous_sealing: str = ""
    """How the profile is sealed that the unit still asks for, where that is another way."""
    template: str = ""
    """Name of the user's own template of the service profile, or empty."""
    lines: tuple[Mapping[str, str], ...] = field(default=(), repr=False)
    """The entries of phone_lines, for that template."""
    firmware: Wanted = field(default_factory=Wanted)
    ignored: tuple[str, ...] = ()
    """A sentence on each parameter that the unit would ignore."""

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


class PhoneReader:
    """Makes phones from variables. Values that many phones share, such as those of a group, are read once for each family.

    *shared*: the structured values that are the same objects in many phones' variables; they must live as long as the reader.
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
        self._masters = (master_key, previous_master_key)
        self._shared = {id(value) for value in shared}
        self._readings: dict[tuple[str, int, str, int], Reading] = {}
        self._merged: dict[tuple[Any, ...], Reading] = {}
        self._variables: dict[str, str] = {}
        self._line_paths: dict[tuple[str, int], tuple[dict[str, str], str]] = {}
        for option, key in (("master_key", master_key), ("previous_master_key", previous_master_key)):
            if key is not None:
                _at(option, check_secret, key, "master key")

    def read(self, name: str, variables: Mapping[str, Any]) -> Phone:
        """Make the Phone called *name*; raise PhoneError, naming the variable alone, on the first thing that is wrong."""
        _at("its name", check_text, name)
        mac = _at("phone_mac", parse_mac, _required(variables, "phone_mac"))
        model = _at("phone_model", self.catalogue.find_model, _required(variables, "phone_model"))
        key = self._key(variables, "phone_profile_key", 0, mac)
        previous = self._key(variables, "phone_profile_key_previous", 1, mac)
        lines = _lines(variables)
        template = _plain(variables, "phone_profile_template")
        merged = self._merge(_layers(variables), model.family, len(lines))
        own = _at("phone_lines", self._read_lines, lines, model.family)
        return Phone(
            name=name,
            mac=mac,
            model=model,
            serial=_plain(variables, "phone_serial"),
            customer=_plain(variables, "phone_customer"),
            site=_plain(variables, "phone_site"),
            address=_plain(variables, "phone_address"),
            parameters={**merged.parameters, **own.parameters} if own.parameters else merged.parameters,
            key=key,
            previous_key=previous if previous != key else None,
            sealing=_sealing(variables, "phone_sealing", model.family),
            previous_sealing=_sealing(variables, "phone_sealing_previous", model.family)
            if variables.get("phone_sealing_previous")
            else "",
            template=template,
            lines=tuple(
                {key: read_setting(value, key, model.family.yes_no).value for key, value in line.items() if value is not None}
                for line in lines
            )
            if template
            else (),
            firmware=_firmware(variables),
            ignored=(*merged.ignored, *own.ignored, *_unsaid_firmware(variables, model.family), *self._misspelt(variables)),
        )

    def origins(self, variables: Mapping[str, Any]) -> dict[str, str]:
        """Return path -> the variable that its value comes from, for all parameters of a phone that read() accepts."""
        family = self.catalogue.find_model(variables["phone_model"]).family
        lines = _lines(variables)
        origins: dict[str, str] = {}
        for variable, value in _layers(variables):
            origins.update(dict.fromkeys(self._read_layer(variable, value, family, len(lines)).parameters, variable))
        origins.update(dict.fromkeys(self._read_lines(lines, family).parameters, "phone_lines"))
        return origins

    def _misspelt(self, variables: Mapping[str, Any]) -> list[str]:
        """Return a sentence on each variable that looks like one of a phone's; others may be the user's own."""
        unknown = [name for name in variables if name not in _KNOWN and name.startswith("phone_") and not name.startswith(LAYER)]
        sentences = []
        for name in unknown:
            if name not in self._variables:
                near = difflib.get_close_matches(name, _KNOWN, n=1, cutoff=0.85)
                self._variables[name] = f"{name} is no variable of a phone, and is ignored; did you mean {near[0]}?" if near else ""
            if self._variables[name]:
                sentences.append(self._variables[name])
        return sentences

    def _key(self, variables: Mapping[str, Any], variable: str, age: int, mac: Mac) -> str | None:
        own = variables.get(variable)
        if own is not None:
            return _at(variable, check_previous_key if age else check_key, own)
        master = self._masters[age]
        # A phone with a key of its own has never had one of the master key before.
        if master is None or (age and variables.get("phone_profile_key") is not None):
            return None
        return derive_key(master, mac)

    def _merge(self, layers: list[tuple[str, Any]], family: Family, lines: int) -> Reading:
        identity = (family.name, lines, *(id(value) for _variable, value in layers))
        found = self._merged.get(identity)
        if found is None:
            found = _merge(self._read_layer(variable, value, family, lines) for variable, value in layers)
            if all(id(value) in self._shared for _variable, value in layers):
                self._merged[identity] = found
        return found

    def _read_layer(self, variable: str, value: Any, family: Family, lines: int) -> Reading:
        identity = (variable, id(value), family.name, lines)
        found = self._readings.get(identity)
        if found is None:
            found = _at(variable, _read_layer, variable, value, family, lines)
            if id(value) in self._shared:
                self._readings[identity] = found
        return found

    def _read_lines(self, lines: list[Mapping[str, Any]], family: Family) -> Reading:
        parameters: Parameters = {}
        ignored: dict[str, None] = {}
        for number, line in enumerate(lines, 1):
            found = self._line_paths.get((family.name, number))
            if found is None:
                found = self._line_paths[family.name, number] = _line_paths(family, number)
            paths, unknown = found
            if unknown:
                ignored[unknown] = None
            plain = read_plain(line.values())
            if plain is not None and len(plain) == len(line) and all(map(paths.get, line)):
                parameters.update(zip(map(paths.__getitem__, line), plain, strict=True))
                continue
            for key, value in line.items():
                if key not in paths:
                    near = difflib.get_close_matches(str(key), paths, n=1)
                    hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(paths) or 'none'}"
                    raise ProfileError(f"line {number} has the unknown key '{key}'; {hint}")
                if paths[key]:
                    if value is not None:
                        parameters[paths[key]] = read_setting(value, paths[key], family.yes_no)
                else:
                    ignored[f"phone_lines: {key} has no parameter in the family {family.name}, which would ignore it"] = None
        return Reading(parameters, (*ignored, *_unsaid("phone_lines", parameters, family)))


class Register:
    """What no two phones may share: take() notes each phone, problems() tells who shares what."""

    def __init__(self) -> None:
        self._first: dict[object, str] = {}
        self._shared: dict[object, list[str]] = {}

    def take(self, label: str, mac: Mac, name: str = "", serial: str = "", family: str = "") -> None:
        """Note the phone called *label*. A serial number is unique within a family alone."""
        self._note(mac, label)
        if name:
            self._note(name, label)
        if serial:
            self._note((family, serial), label)

    def _note(self, thing: object, label: str) -> None:
        first = self._first.setdefault(thing, label)
        if first is not label:
            self._shared.setdefault(thing, [first]).append(label)

    def problems(self) -> list[str]:
        """One sentence for each MAC, name and serial number that several phones have."""
        return [f"phones {' and '.join(labels)}: {_shared(thing)}" for thing, labels in self._shared.items()]


def _shared(thing: object) -> str:
    if isinstance(thing, Mac):
        return f"phone_mac: all have {thing}, and so the same file names; a MAC belongs to one phone"
    if isinstance(thing, tuple):
        return f"phone_serial: all have {thing[1]}; a serial number belongs to one phone"
    return f"all are called {thing}; a name belongs to one phone"


def read_phones(variables: Iterable[tuple[str, Mapping[str, Any]]], reader: PhoneReader | None = None) -> list[Phone]:
    """Make all phones; raise one PhoneError that lists every phone that is wrong, and every MAC and serial that phones share."""
    reader = reader or PhoneReader()
    phones: list[Phone] = []
    problems: list[str] = []
    register = Register()
    for name, values in variables:
        try:
            phone = reader.read(name, values)
        except PhoneError as error:
            problems.append(f"phone {name}: {error}")
        else:
            phones.append(phone)
            register.take(name, phone.mac, serial=phone.serial, family=phone.model.family.name)
    problems += register.problems()
    if problems:
        raise PhoneError("\n".join(problems))
    return phones


def _at(variable: str, read: Callable[..., Result], *arguments: Any) -> Result:
    """Return what *read* makes of its arguments; put the variable's name before its error."""
    try:
        return read(*arguments)
    except (MacError, ModelError, ProfileKeyError, ProfileError) as error:
        raise PhoneError(f"{variable}: {error}") from error


def _required(variables: Mapping[str, Any], variable: str) -> Any:
    value = variables.get(variable)
    if value is None or value == "":
        raise PhoneError(f"the variable {variable} is missing")
    return value


def _plain(variables: Mapping[str, Any], variable: str) -> str:
    value = variables.get(variable)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise PhoneError(f"{variable}: it is a {type(value).__name__}; write text, in quotes where YAML reads something else")
    return _at(variable, check_text, str(value))


def _sealing(variables: Mapping[str, Any], variable: str, family: Family) -> str:
    sealing = _plain(variables, variable) or family.sealing
    if sealing not in SEALINGS:
        raise PhoneError(f"{variable}: '{sealing}' is not known; use one of {', '.join(SEALINGS)}")
    if (sealing == AES128GCM and not family.ikm_parameter) or (sealing == OPENSSL and not family.digest):
        raise PhoneError(f"{variable}: the family {family.name} cannot decrypt {sealing}; it can be {family.sealing}")
    return sealing


def _firmware(variables: Mapping[str, Any]) -> Wanted:
    hold, share = variables.get("phone_firmware_hold"), _plain(variables, "phone_firmware_share") or "100"
    if not share.isdecimal() or not share.isascii() or int(share) > 100:
        raise PhoneError(f"phone_firmware_share: '{share}' is not a number of per cent from 0 to 100")
    return Wanted(
        version=_plain(variables, "phone_firmware"),
        hardware=_plain(variables, "phone_hardware"),
        # An empty cell of a row says nothing
        held=hold not in (None, "") and _at("phone_firmware_hold", read_flag, hold),
        share=int(share),
    )


def _unsaid_firmware(variables: Mapping[str, Any], family: Family) -> Iterator[str]:
    if not family.upgrade_rules:
        for variable in ("phone_firmware", "phone_firmware_hold"):
            if variables.get(variable):
                yield f"{variable}: the family {family.name} has no parameter for it, and keeps its firmware"


def _layers(variables: Mapping[str, Any]) -> list[tuple[str, Any]]:
    names = [name for name in TYPED if name in variables]
    names += sorted(name for name in variables if name.startswith(LAYER))
    if "phone_parameters" in variables:
        names.append("phone_parameters")
    return [(name, variables[name]) for name in names]


def _read_layer(variable: str, value: Any, family: Family, lines: int) -> Reading:
    if variable in TYPED:
        return read_typed(variable, value, family, lines)
    if not isinstance(value, Mapping):
        raise ProfileError(f"it is a {type(value).__name__}; write a mapping of parameter names and values")
    parameters = FORMATS[family.format].read(value, family.yes_no)
    ignored = [
        f"{variable}: the family {family.name} does not know {path}, and would ignore it"
        + (f"; did you mean {near}?" if near else "")
        for path, near in check_names(family.known_names, parameters)
    ]
    return Reading(parameters, (*ignored, *_unsaid(variable, parameters, family)))


def _unsaid(variable: str, parameters: Parameters, family: Family) -> Iterator[str]:
    kind = FORMATS[family.format]
    instead = f"; it can say {' and '.join(kind.access)}" if kind.access else ", and leaves it out"
    for path, access in kind.unsaid(parameters):
        yield f"{variable}: a profile of the family {family.name} cannot say ua '{access}' of {path}{instead}"


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
    unknown = len(used) == len(check_names(family.known_names, used)) > 0
    return paths, f"phone_lines: the family {family.name} has no line {number}, and would ignore it" if unknown else ""


def _lines(variables: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    lines = variables.get("phone_lines") or []
    if not isinstance(lines, list) or not all(isinstance(line, Mapping) for line in lines):
        raise PhoneError("phone_lines: it must be a list of mappings, one for each line")
    return lines
