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
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any, NamedTuple, TypeAlias

from ..common.suggest import unknown_choice
from ..common.validate import kind_of, quoting_hint

ROUTER_SECTION = "router-configuration"
"""Router part of ATA19x and SPA1xx profiles: one section at the end of <flat-profile>."""

ACCESS = ("na", "ro", "rw")
"""Values of the ``ua`` attribute: what the user account of the web page (not the administrator) may do."""

YES_NO = ("Yes", "No")

_TEXT_NAME = re.compile(
    r"(?:(?:^|[_./])pass|passw(?:or)?d|passphrase|pwd|secret|private_?key|(?:user|auth|login)_?id|name|number|extension|label"
    r"|dest(?:ination)?|community|^GPP_S?[A-P])(?:[_.]?[0-9]+)?_?$",
    re.IGNORECASE,
)
# Use_Auth_ID_1_, Reuse_CID_Number_As_Name_1_, Escape_Display_Name: whether something is done with a text
_FLAG_NAME = re.compile(r"(?:.*/)?(?:use|reuse|escape|enable|block)_", re.IGNORECASE)

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
"""Names of parameters and sections in a flat profile."""

MAX_SECTIONS = 16
"""How deep sections of a flat profile may be nested; phones use three levels."""

# What XML 1.0 cannot carry, and the controls that it can but the phone folds into spaces
_BAD_TEXT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
# Most texts match this, and need no closer look
_PLAIN = "(?:[!-~](?:[ -~]*[!-~])?)?"
_PLAIN_TEXT = re.compile(_PLAIN)
_PLAIN_LINES = re.compile(f"{_PLAIN}(?:\n{_PLAIN})*")
_NEWLINE = re.compile(r"\r\n?|\n")
_SPECIAL = re.compile("[&<>\"']")
# & first, since the other references contain it
_ESCAPES = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&apos;"))


class ProfileError(ValueError):
    """A parameter cannot be written, or a document is not a profile; the message names the parameter and shows no secret value."""


class Setting(NamedTuple):
    """The value of one parameter and, optionally, the user account's access to it."""

    value: str
    access: str | None = None


Parameters: TypeAlias = "dict[str, Setting]"
"""Path -> Setting. A path is the parameter's name, with its sections before it: ``router-configuration/SSH/Enable``."""


class Document(NamedTuple):
    """A profile as it was read, with what a phone makes nothing of."""

    settings: list[tuple[str, Setting]]
    """Path and setting of each element in its order; a path that stands twice is here twice."""
    stray: list[str]
    """Texts outside the elements that hold values."""


def read_parameters(
    values: Mapping[str, Any],
    where: str = "",
    pattern: re.Pattern[str] = NAME,
    yes_no: tuple[str, ...] = YES_NO,
    max_sections: int = MAX_SECTIONS,
) -> Parameters:
    """Return the typed form of parameters as users write them.

    A value is what read_setting() takes, or a mapping of a section's parameters; None leaves the parameter out. *pattern*: the
    format's names; *yes_no*: how true and false are written; *max_sections*: how deep sections may be nested. Raise ProfileError
    that names the parameter (with *where* before it).
    """
    return dict(_read_section(values, where, "", pattern, yes_no, max_sections))


def _read_section(
    values: Mapping[str, Any], where: str, section: str, pattern: re.Pattern[str], yes_no: tuple[str, ...], below: int
) -> Iterator[tuple[str, Setting]]:
    for name, value in values.items():
        if not isinstance(name, str) or not pattern.fullmatch(name):
            raise ProfileError(
                f"'{where}{section}{name}' cannot name a parameter; letters, digits and _ . - are allowed "
                "(a space in a web page's name becomes _)"
            )
        # Ansible passes tagged subclasses of str, whose tags must not travel further
        path = section + str.__str__(name)
        if value is None:
            continue
        if isinstance(value, Mapping) and not (value and {"value", "ua"} >= set(value)):
            if not below:
                raise ProfileError(f"{where}{path} is a mapping, but no section is possible here")
            yield from _read_section(value, where, f"{path}/", pattern, yes_no, below - 1)
        else:
            yield path, read_setting(value, where + path, yes_no)


def read_setting(value: Any, path: str, yes_no: tuple[str, ...] = YES_NO) -> Setting:
    """Read one value: text, a whole number, a boolean, or ``{value: ..., ua: na|ro|rw}``; raise ProfileError naming *path*.

    *yes_no*: how true and false are written; empty if the parameter holds text. What YAML may have read differently from what was
    written is refused: 1.10 as 1.1, and ``on`` as true where a name says that the parameter holds text.
    """
    if isinstance(value, str):
        return Setting(str.__str__(value) if _PLAIN_TEXT.fullmatch(value) else _checked(value, path))
    access = None
    if isinstance(value, Mapping):
        if "value" not in value:
            raise ProfileError(f"{path} has 'ua' but no 'value'")
        access = value.get("ua")
        if access is not None and access not in ACCESS:
            raise ProfileError(f"{path} has an {unknown_choice('ua', access, ACCESS)}")
        access = access and str.__str__(access)
        value = value["value"]
    if isinstance(value, bool) and yes_no and not holds_text(path):
        return Setting(yes_no[not value], access)
    if isinstance(value, bool | float | date):
        raise ProfileError(f"{path} is {kind_of(value)}{quoting_hint(value)}")
    if isinstance(value, int):
        return Setting(int.__repr__(value), access)
    if not isinstance(value, str):
        raise ProfileError(f"{path} is {kind_of(value)}; a parameter takes text, a number, yes or no")
    return Setting(_checked(value, path), access)


def holds_text(path: str) -> bool:
    """Tell by its name whether a parameter holds a name, a number to dial, a password or other text, and never yes or no."""
    return _TEXT_NAME.search(path) is not None and _FLAG_NAME.match(path) is None


def read_plain(values: Iterable[Any]) -> list[Setting] | None:
    """Read several texts at once if all are plain, as most are; return None if read_setting() must look at each."""
    try:
        joined = "\n".join(values)
    except TypeError:
        return None
    return [Setting(value) for value in joined.split("\n")] if _PLAIN_LINES.fullmatch(joined) else None


def _checked(value: str, path: str) -> str:
    try:
        return check_text(value)
    except ProfileError as error:
        raise ProfileError(f"{path} {error}") from error


def check_text(value: str) -> str:
    """Return *value* as a plain str; raise ProfileError, to follow the parameter's name, if the phone would read otherwise."""
    bad = _BAD_TEXT.search(value)
    if bad:
        raise ProfileError(
            f"holds the character U+{ord(bad[0]):04X} at position {bad.start() + 1}, which no profile can carry to a phone"
        )
    if value != value.strip():
        raise ProfileError("begins or ends with white space, which the phone would drop")
    # Ansible passes tagged subclasses of str, whose tags must not travel further
    return str.__str__(value)


def escape(value: str) -> str:
    """Return *value* as it is written in an element or between quotes."""
    # Faster than str.translate()
    if _SPECIAL.search(value):
        for character, reference in _ESCAPES:
            value = value.replace(character, reference)
    return value


def build(parameters: Parameters) -> bytes:
    """Return the profile as ASCII bytes, parameters in alphabetical order and the router section last.

    The order has no meaning to a phone; a fixed one makes equal parameters equal bytes.
    """
    paths = sorted(parameters)
    # Paths of one section follow each other, since they have the same beginning
    first, last = (bisect_left(paths, f"{ROUTER_SECTION}{end}") for end in "/0")
    paths = paths[:first] + paths[last:] + paths[first:last]
    texts = _escape_all([parameters[path].value for path in paths])
    lines = ['<?xml version="1.0"?>', "<flat-profile>"]
    if "/" in "".join(paths) or any(setting.access for setting in parameters.values()):
        _write(parameters, paths, texts, lines)
    else:
        lines += [f"<{name}>{value}</{name}>" for name, value in zip(paths, texts, strict=True)]
    lines.append("</flat-profile>\n")
    return "\n".join(lines).encode("ascii", "xmlcharrefreplace")


def _escape_all(texts: list[str]) -> list[str]:
    """Escape many texts at once, which is much faster than one by one; none of them holds a line end."""
    joined = "\n".join(texts)
    escaped = escape(joined).split("\n") if texts else []
    return escaped if len(escaped) == len(texts) else [escape(text) for text in texts]


def _write(parameters: Parameters, paths: list[str], texts: list[str], lines: list[str]) -> None:
    """Write parameters in sections or with access attributes."""
    sections: list[str] = []
    for path, value in zip(paths, texts, strict=True):
        *wanted, name = path.split("/")
        _change_section(sections, wanted, lines)
        access = parameters[path].access
        lines.append(f'<{name} ua="{access}">{value}</{name}>' if access else f"<{name}>{value}</{name}>")
    _change_section(sections, [], lines)


def _change_section(sections: list[str], wanted: list[str], lines: list[str]) -> None:
    """Close and open elements so that *wanted* are the open sections."""
    while sections != wanted[: len(sections)]:
        lines.append(f"</{sections.pop()}>")
    for name in wanted[len(sections) :]:
        lines.append(f"<{name}>")
        sections.append(name)


def parse(document: bytes) -> Parameters:
    """Read a flat profile as a phone does; raise ProfileError if it is corrupt."""
    return dict(_read_all(_inner(parse_xml(document))))


def read_document(document: bytes) -> Document:
    """Read a flat profile, doubled elements and stray texts included; raise ProfileError if it is corrupt."""
    root = parse_xml(document)
    return Document(_read_all(_inner(root)), stray_texts(root))


def _inner(root: ET.Element) -> ET.Element:
    """Return the flat profile, which may stand in a <device>: MPP phones are said to export it so, without a public source."""
    inner = root.find("flat-profile") if root.tag == "device" else None
    if inner is not None:
        return inner
    _check_root(root, "flat-profile")
    return root


def stray_texts(root: ET.Element) -> list[str]:
    """Return the texts in a document that stand beside elements instead of in one."""
    texts = (text for element in root.iter() if len(element) for text in (element.text, *(child.tail for child in element)))
    return [text.strip() for text in texts if text and not text.isspace()]


def _read_all(root: ET.Element) -> list[tuple[str, Setting]]:
    try:
        return [*_read(root, "")]
    except RecursionError as error:
        raise ProfileError("the profile's sections are nested too deeply") from error


def parse_xml(document: bytes, *roots: str) -> ET.Element:
    """Return the root element of a profile, which must be one of *roots* if any are given; raise ProfileError.

    Document types are refused: no phone needs one, and entities can exhaust memory. So is any encoding except UTF-8, in which a
    document type could hide.
    """
    if b"\0" in document:
        raise ProfileError("the profile is not UTF-8 text: it holds null bytes")
    try:
        text = document.decode()
        if "<!DOCTYPE" in text:
            raise ProfileError("the profile has a document type declaration, which no phone needs")
        element = ET.fromstring(text)  # noqa: S314 - without a document type there is nothing to expand
    except UnicodeDecodeError as error:
        raise ProfileError(f"the profile is not UTF-8 text: byte {error.start + 1} is invalid") from error
    except ET.ParseError as error:
        raise ProfileError(f"the profile is not well-formed XML: {error}") from error
    if roots:
        _check_root(element, *roots)
    return element


def _check_root(element: ET.Element, *roots: str) -> None:
    if element.tag not in roots:
        raise ProfileError(f"the profile's root element is <{element.tag}>, not <{'> or <'.join(roots)}>")


def _read(element: ET.Element, section: str) -> Iterator[tuple[str, Setting]]:
    for child in element:
        if len(child):
            yield from _read(child, f"{section}{child.tag}/")
        else:
            text = _NEWLINE.sub(" ", child.text or "").strip()
            yield section + child.tag, Setting(text, child.get("ua"))


def values(parameters: Parameters) -> dict[str, str]:
    """Return path -> value."""
    return {path: setting.value for path, setting in parameters.items()}
