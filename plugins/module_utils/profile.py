# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The ``<flat-profile>`` document: build it from parameters, and parse it as a phone does.

Source: "Configuration profile formats" of the 78xx/88xx and ATA 191/192 guides: element = parameter, case-sensitive; the last of
two elements of one name wins; leading and trailing white space is dropped and a newline becomes a space; the firmware reads ASCII,
so everything else is written as a numeric character reference.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias
from xml.sax.saxutils import quoteattr

ROUTER_SECTION = "router-configuration"
"""Router part of ATA19x and SPA1xx profiles: one section inside <flat-profile>, at its end."""

ACCESS = ("na", "ro", "rw")
"""Values of the ``ua`` attribute: what the user's (not the administrator's) web account may do."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
# What XML 1.0 cannot carry, and the controls that it can but the phone folds into spaces.
_BAD_TEXT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_NEWLINE = re.compile(r"\r\n?|\n")
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;"})


class ProfileError(ValueError):
    """A parameter cannot be written, or a document is no profile; the message names the parameter, not a secret's value."""


@dataclass(frozen=True)
class Setting:
    """The value of one parameter and, optionally, the user account's access to it."""

    value: str
    access: str | None = None


Parameters: TypeAlias = "dict[str, Setting | Parameters]"
"""Parameter name -> Setting, or section name -> its own parameters."""


def read_parameters(values: Mapping[str, Any], where: str = "") -> Parameters:
    """Check parameters as users write them and give them the typed form.

    A value is text, a number, a boolean (Yes/No), ``{value: ..., ua: na|ro|rw}``, or a mapping of a section's parameters; None
    leaves the parameter out, and a section without any parameter is left out too. Raise ProfileError naming the parameter (with
    *where* before it).
    """
    parameters: Parameters = {}
    for name, value in values.items():
        path = f"{where}{name}"
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ProfileError(
                f"'{path}' cannot name a parameter; letters, digits and _ . - are allowed (a space in a web page's name becomes _)"
            )
        if value is None:
            continue
        if isinstance(value, Mapping) and not (value and {"value", "ua"} >= set(value)):
            section = read_parameters(value, f"{path}/")
            if section:
                parameters[name] = section
            continue
        access = None
        if isinstance(value, Mapping):
            access = value.get("ua")
            if "value" not in value:
                raise ProfileError(f"{path} has 'ua' but no 'value'")
            value = value["value"]
        if access is not None and access not in ACCESS:
            raise ProfileError(f"{path} has ua '{access}'; use one of {', '.join(ACCESS)}")
        parameters[name] = Setting(_text(value, path), access)
    return parameters


def _text(value: object, path: str) -> str:
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, int | float):
        return str(value)
    if not isinstance(value, str):
        raise ProfileError(f"{path} is a {type(value).__name__}; a parameter takes text, a number, yes or no")
    bad = _BAD_TEXT.search(value)
    if bad:
        raise ProfileError(
            f"{path} holds the character U+{ord(bad[0]):04X} at position {bad.start() + 1}, which no profile can carry to a phone"
        )
    if value != value.strip():
        raise ProfileError(f"{path} begins or ends with white space, which the phone would drop")
    # A plain str: Ansible hands over tagged subclasses, whose tags must not travel further.
    return str.__str__(value)


def build(parameters: Parameters) -> bytes:
    """Return the profile as ASCII bytes, parameters in alphabetical order and the router section last.

    The order has no meaning to a phone; a fixed one makes equal parameters equal bytes.
    """
    lines = ['<?xml version="1.0"?>', "<flat-profile>"]
    _write(parameters, lines)
    lines.append("</flat-profile>\n")
    return "\n".join(lines).encode("ascii", "xmlcharrefreplace")


def _write(parameters: Parameters, lines: list[str]) -> None:
    for name in sorted(parameters, key=lambda name: (name == ROUTER_SECTION, name)):
        entry = parameters[name]
        if isinstance(entry, Setting):
            access = f" ua={quoteattr(entry.access)}" if entry.access else ""
            lines.append(f"<{name}{access}>{entry.value.translate(_ESCAPES)}</{name}>")
        else:
            lines.append(f"<{name}>")
            _write(entry, lines)
            lines.append(f"</{name}>")


def parse(document: bytes) -> Parameters:
    """Read a profile as a phone does; raise ProfileError when it is corrupt.

    A document type is refused: no phone needs one, and entities are a way to exhaust memory. So is any encoding but UTF-8, in which
    a document type could hide.
    """
    if b"\0" in document:
        raise ProfileError("the profile is not UTF-8 text: it holds zero bytes")
    try:
        text = document.decode()
        if "<!DOCTYPE" in text:
            raise ProfileError("the profile has a document type declaration, which no phone needs")
        root = ET.fromstring(text)  # noqa: S314 - without a document type there is nothing to expand
    except UnicodeDecodeError as error:
        raise ProfileError(f"the profile is not UTF-8 text: byte {error.start + 1} does not fit") from error
    except ET.ParseError as error:
        raise ProfileError(f"the profile is not well-formed XML: {error}") from error
    if root.tag != "flat-profile":
        raise ProfileError(f"the profile's root element is <{root.tag}>, not <flat-profile>")
    try:
        return _read(root)
    except RecursionError as error:
        raise ProfileError("the profile's sections are nested too deep") from error


def _read(element: ET.Element) -> Parameters:
    parameters: Parameters = {}
    for child in element:
        if len(child):
            parameters[child.tag] = _read(child)
        else:
            text = _NEWLINE.sub(" ", child.text or "").strip()
            parameters[child.tag] = Setting(text, child.get("ua"))
    return parameters


def flatten(parameters: Parameters, where: str = "") -> dict[str, str]:
    """Return path -> value, sections joined with ``/``: ``router-configuration/SSH/Enable``."""
    flat: dict[str, str] = {}
    for name, entry in parameters.items():
        if isinstance(entry, Setting):
            flat[where + name] = entry.value
        else:
            flat.update(flatten(entry, f"{where}{name}/"))
    return flat


def merge(base: Parameters, over: Parameters) -> Parameters:
    """Return *base* with *over* laid on it; sections are merged, parameters replaced."""
    merged = dict(base)
    for name, entry in over.items():
        below = merged.get(name)
        merged[name] = merge(below, entry) if isinstance(entry, dict) and isinstance(below, dict) else entry
    return merged


def nest(path: str, value: str) -> Parameters:
    """Return the parameters that hold *value* at *path*, sections joined with ``/``."""
    name, _slash, rest = path.partition("/")
    return {name: nest(rest, value) if rest else Setting(value)}
