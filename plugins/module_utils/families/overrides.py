# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""A user's families: read their attributes, and check that they go together."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..common.suggest import unknown, unknown_choice
from ..common.validate import ValidationError, kind_of, read_mapping, read_number, read_text, read_texts
from ..profiles.formats import FORMATS
from ..profiles.macros import expand
from ..profiles.sealing.model import Digest, Sealing
from .cisco import SETTINGS
from .model import FILE, UNIT_MACROS, BenchDelivery, Family, FamilyError, PasswordRule
from .parameter_names import KNOWN

_MAX_NUMBER = 999_999_999
_MODEL_MACROS = ("PN", "PSN")
_MACRO = re.compile("[A-Z][A-Z0-9]*")
_SCHEME = re.compile("[a-z][a-z0-9+.-]*")
_FIELDS: Mapping[str, tuple[str, ...]] = {
    "product": ("model",),
    "vendor_class": ("model", "product"),
    "user_agent": ("model", "product", "firmware", "mac", "MAC", "serial"),
}
"""Attribute -> fields that it may hold in braces."""


def override(families: Mapping[str, Family], changes: Mapping[str, Any]) -> dict[str, Family]:
    """Return the families with a user's: name -> attributes of Family, and ``based_on`` for the rest of them.

    A known name corrects that family, and adds to its models. A model belongs to the family that names it last. Raise FamilyError.
    """
    if not isinstance(changes, Mapping):
        raise FamilyError(f"the families are {kind_of(changes)}; write a mapping of names and attributes")
    result = dict(families)
    for key, attributes in changes.items():
        name = str(key)
        try:
            family = _read_family(name, read_mapping(attributes, "attributes"), result)
            _check_family(family)
        except ValidationError as error:
            raise FamilyError(f"family {name}: {error}") from error
        _take_models(result, family)
        result[name] = family
    return result


def _read_family(name: str, given: Mapping[Any, Any], families: Mapping[str, Family]) -> Family:
    base = str(given.get("based_on", name))
    if "based_on" in given and base not in families:
        raise ValidationError(f"based_on: {unknown('family', base, families)}")
    template = families.get(base, Family(name))
    if base != name:
        template = dataclasses.replace(template, models=())
    attributes = {str(key): value for key, value in given.items() if key != "based_on"}
    return dataclasses.replace(template, name=name, **_read_attributes(attributes, template))


def _take_models(families: dict[str, Family], family: Family) -> None:
    """Take the models of *family* from all others."""
    taken = {model.upper() for model in family.models}
    for other in families.values():
        left = tuple(model for model in other.models if model.upper() not in taken)
        families[other.name] = dataclasses.replace(other, models=left)


# -- attributes


def _read_attributes(given: Mapping[str, Any], template: Family) -> dict[str, Any]:
    present = {attribute.name: getattr(template, attribute.name) for attribute in dataclasses.fields(Family)}
    del present["name"]
    attributes: dict[str, Any] = {}
    for key, value in given.items():
        if key not in present:
            raise ValidationError(unknown("attribute", key, present))
        try:
            attributes[key] = _reader(key, present[key])(value, present[key])
        except ValidationError as error:
            raise ValidationError(f"{key}: {error}") from error
    return attributes


Reader = Callable[[Any, Any], Any]
"""Reads the value of an attribute; takes the present value too, which some add to. Raises ValidationError."""


def _reader(key: str, present: Any) -> Reader:
    """Return the reader of an attribute: its own, or that of its type."""
    if key in _READERS:
        return _READERS[key]
    return next(read for kind, read in _READERS_BY_TYPE.items() if isinstance(present, kind))


def _read_whole_number(value: Any, _present: Any = None) -> int:
    try:
        return read_number(value, 0, _MAX_NUMBER)
    except ValidationError as error:
        raise ValidationError(f"'{value}' {error}") from error


def _read_boolean(value: Any, _present: Any) -> bool:
    if not isinstance(value, bool):
        raise ValidationError(f"'{value}' must be true or false")
    return value


def _read_added(value: Any, present: tuple[str, ...]) -> tuple[str, ...]:
    """Read texts that add to the present ones."""
    return tuple(dict.fromkeys([*present, *read_texts(value)]))


def _extra(pattern: re.Pattern[str], what: str) -> Reader:
    """Return a reader of texts that fit *pattern*, and add to the present ones."""

    def read(value: Any, present: tuple[str, ...]) -> tuple[str, ...]:
        for text in read_texts(value):
            if not pattern.fullmatch(text):
                raise ValidationError(f"'{text}' is not {what}")
        return _read_added(value, present)

    return read


def _read_numbers(value: Any, _present: Any) -> tuple[int, ...]:
    return tuple(_read_whole_number(code) for code in (value if isinstance(value, list) else [value]))


def _read_settings(value: Any, present: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    return {**present, **{str(name): read_texts(paths) for name, paths in read_mapping(value, "settings and paths").items()}}


def _read_line_settings(value: Any, present: Mapping[str, str]) -> dict[str, str]:
    return {**present, **{str(name): read_text(path) for name, path in read_mapping(value, "keys and paths").items()}}


def _read_password_rule(value: Any, present: PasswordRule) -> PasswordRule:
    numbers = {str(name): _read_whole_number(number) for name, number in read_mapping(value, "numbers").items()}
    for name in numbers:
        if name not in present._fields:
            raise ValidationError(unknown("key", name, present._fields))
    return present._replace(**numbers)


def _read_yes_no(value: Any, _present: Any) -> tuple[str, ...]:
    words = read_texts(value)
    if len(set(words)) != 2:
        raise ValidationError("must be two different texts, for true and for false")
    return words


def _read_pattern(value: Any, _present: Any) -> str:
    """Read a regular expression with a group."""
    pattern = read_text(value)
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        raise ValidationError(f"'{pattern}' is not a regular expression: {error}") from error
    if groups < 1:
        raise ValidationError(f"'{pattern}' has no group in parentheses")
    return pattern


def _optional(read: Reader, empty: Any) -> Reader:
    """Return a reader that takes *empty* as it is."""
    return lambda value, present: value if value == empty else read(value, present)


def _choice(kind: Callable[[str], Any], choices: Iterable[str]) -> Reader:
    """Return a reader of one of *choices*, which turns the text into *kind*."""
    known = tuple(choices)

    def read(value: Any, _present: Any) -> Any:
        text = read_text(value)
        if text not in known:
            raise ValidationError(unknown_choice("value", text, known))
        return kind(text)

    return read


_READERS_BY_TYPE: Mapping[type, Reader] = {
    tuple: lambda value, _present: read_texts(value),
    bool: _read_boolean,
    int: _read_whole_number,
    str: lambda value, _present: read_text(value),
}
"""The first type that fits counts: a boolean is a number too."""

_READERS: Mapping[str, Reader] = {
    "models": _read_added,
    "extra_names": _read_added,
    "extra_macros": _extra(_MACRO, "a macro, such as MA: capital letters and digits, without $"),
    "extra_schemes": _extra(_SCHEME, "a scheme, such as https: small letters and digits"),
    "dhcp_sources": _read_numbers,
    "settings": _read_settings,
    "line_settings": _read_line_settings,
    "password_rule": _read_password_rule,
    "yes_no": _read_yes_no,
    "series": _read_pattern,
    "load_pattern": _optional(_read_pattern, ""),
    "block_size": _optional(_read_whole_number, None),
    "custom_ca": _optional(lambda value, _present: read_text(value), None),
    "bench_delivery": _choice(lambda text: BenchDelivery(text) if text else "", (*BenchDelivery, "")),
    "format": _choice(str, FORMATS),
    "digest": _choice(lambda text: Digest(text) if text else "", (*Digest, "")),
    "sealing": _choice(Sealing, Sealing),
    "ikm_encoding": _choice(str, ("base64url", "text")),
    "known_names": _choice(str, (*KNOWN, "")),
    "report_method": _choice(str, ("POST", "PUT")),
    "customization_aborted_by": _choice(str, ("profile", "option")),
}


# -- checks


def _check_family(family: Family) -> None:
    """Raise ValidationError for attributes that do not go together, or would fail where they are used."""
    _check_fields(family)
    _check_file_paths(family)
    for setting in family.settings:
        if setting not in SETTINGS:
            raise ValidationError(f"settings: {unknown('setting', setting, sorted(SETTINGS))}")
    takes = FORMATS[family.format].takes
    for path in family.all_paths | {*family.extra_names}:
        if not takes(path.replace("{n}", "1")):
            raise ValidationError(f"'{path}' cannot name a parameter of the format {family.format}")


def _check_fields(family: Family) -> None:
    for attribute, fields in _FIELDS.items():
        text = getattr(family, attribute)
        try:
            text.format(**dict.fromkeys(fields, ""))
        except (AttributeError, IndexError, KeyError, ValueError) as error:
            raise ValidationError(f"{attribute}: '{text}' cannot be filled in; braces may hold {', '.join(fields)}") from error


def _check_file_paths(family: Family) -> None:
    paths = [("factory_rule", family.factory_rule, _MODEL_MACROS), ("own_file", family.own_file, UNIT_MACROS)]
    paths += [("aliases", alias, _MODEL_MACROS) for alias in family.aliases]
    for attribute, path, macros in paths:
        if path and not FILE.fullmatch(expand(path, dict.fromkeys(macros, "x"))):
            raise ValidationError(
                f"{attribute}: '{path}' is not the path of a file, such as /NAME; macros in it can be ${', $'.join(macros)}"
            )
