# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of single values that users write: text, numbers, flags, IP addresses and host names.

A message of ValidationError continues a sentence that begins with what holds the value: ``must be a list, not text``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from types import NoneType
from typing import Any

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.IGNORECASE)
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,18}")
_TRUE = ("yes", "true", "on", "1")
_FALSE = ("no", "false", "off", "0")
_KINDS: Mapping[str, tuple[type, ...]] = {
    "empty": (NoneType,),
    "true or false": (bool,),
    "a number": (int,),
    "a decimal fraction": (float,),
    "a date": (date,),
    "text": (str,),
    "a list": (list, tuple),
    "a mapping": (Mapping,),
}
"""The first that fits counts: a boolean is a number too."""
_QUOTED = {
    "true or false": "'on'",
    "a number": "'0123'",
    "a decimal fraction": "'1.10'",
    "a date": "'2026-01-31'",
}
"""What YAML 1.1 makes of text without quotes -> an example of how to write such text."""


class ValidationError(ValueError):
    """The value cannot be used; the message continues a sentence about it and says what would be right."""


def read_text(value: object) -> str:
    """Return a text; raise ValidationError for anything else."""
    if not isinstance(value, str):
        raise ValidationError(
            f"must be text, not {kind_of(value)}{quoting_hint(value) or '; quote it where YAML reads something else'}"
        )
    # Ansible hands over tagged subclasses, whose tags must not travel further
    return str.__str__(value)


def read_text_or_digits(value: object) -> str:
    """Return a text, or the digits of a whole number, as users write user IDs; raise ValidationError for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return int.__repr__(value)
    return read_text(value)


def read_texts(value: object) -> tuple[str, ...]:
    """Return the texts of a list, or the only one; raise ValidationError."""
    return tuple(map(read_text, value if isinstance(value, list | tuple) else [value]))


def read_mapping(value: object, of: str) -> Mapping[Any, Any]:
    """Return a mapping; raise ValidationError. *of*: what it holds, in the plural."""
    if not isinstance(value, Mapping):
        raise ValidationError(f"must be a mapping of {of}, not {kind_of(value)}")
    return value


def read_number(value: object, minimum: int, maximum: int, unit: str = "") -> int:
    """Return a whole number, which may be written as text; raise ValidationError for anything else or out of range."""
    if not isinstance(value, bool) and _WHOLE_NUMBER.fullmatch(str(value)) and minimum <= int(str(value)) <= maximum:
        return int(str(value))
    raise ValidationError(f"must be a whole number{unit and ' of '}{unit} between {minimum} and {maximum}")


def read_flag(value: object) -> bool:
    """Return true or false in any of their usual spellings; raise ValidationError."""
    if isinstance(value, bool):
        return value
    text = str(value).lower()
    if text not in (*_TRUE, *_FALSE):
        raise ValidationError("must be true or false")
    return text in _TRUE


def is_ipv4(value: object) -> bool:
    """Tell whether *value* is the text of an IPv4 address in four decimal parts without leading zeros."""
    if not isinstance(value, str):
        return False
    try:
        IPv4Address(value)
    except AddressValueError:
        return False
    return True


def is_ipv6(value: object) -> bool:
    """Tell whether *value* is the text of an IPv6 address in its shortest form (RFC 5952), without a zone or brackets."""
    if not isinstance(value, str):
        return False
    try:
        return str(IPv6Address(value)) == value and "%" not in value
    except AddressValueError:
        return False


def is_host_name(value: object) -> bool:
    """Tell whether *value* is the DNS name of a host (RFC 1123 section 2.1); one that reads as an address is not."""
    if not isinstance(value, str) or not 1 <= len(value) <= 253:
        return False
    labels = value.split(".")
    return all(_LABEL.fullmatch(label) for label in labels) and not labels[-1].isdigit()


def is_host(value: object) -> bool:
    """Tell whether *value* is an IPv4 address or a host name."""
    return is_ipv4(value) or is_host_name(value)


def quoting_hint(value: object) -> str:
    """Return what to do about a value that should be text, to follow a message, with an example that shows nothing of it.

    It is empty for what YAML does not make of a text without quotes.
    """
    example = _QUOTED.get(kind_of(value))
    return f"; write it in quotes, such as {example}" if example else ""


def kind_of(value: object) -> str:
    """Return what a value is, as messages call it: ``text``, ``a number``, ``a list``, ``empty``."""
    return next((words for words, kinds in _KINDS.items() if isinstance(value, kinds)), f"a {type(value).__name__}")
