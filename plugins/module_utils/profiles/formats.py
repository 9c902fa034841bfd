# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The formats of profiles: Cisco's flat profile and those of other vendors, each with a builder and a parser.

Sources: grandstream, "XML Provisioning Schema and Example File" of Grandstream's SIP device provisioning guide (``<gs_provision>``,
an element for each P value; alias names in items where ``<config>`` has version 2); snom, "<phone-settings> tag" and "Flags" of
Snom's wiki (an element for each parameter, ``idx`` for the identity, ``perm`` for the user's rights); the others as public
templates write them: yealink lines of ``name = value`` below ``#!version:1.0.0.1``, poly elements with parameters as attributes
(below ``<polycomConfig>`` too: base.tpl of wazo-provd-plugins, exten.php of polycomphones).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from .flat_profile import (
    ACCESS,
    MAX_SECTIONS,
    NAME,
    Document,
    Parameters,
    ProfileError,
    Setting,
    build,
    escape,
    parse_xml,
    read_document,
    read_parameters,
    stray_texts,
)

FLAT_PROFILE = "flat-profile"

_IDENTITY = re.compile(r"([A-Za-z_][A-Za-z0-9_-]*)(?:\.(0|[1-9][0-9]{0,2}))?")
_PERMISSIONS: Mapping[str | None, str] = {None: "", "na": "R", "ro": "R", "rw": "RW"}
"""The user account's access -> Snom's ``perm``, which cannot hide a parameter."""
_ACCESS_OF = {"R": "ro", "&": "ro", " ": "ro", "RW": "rw", "$": "rw", "!": "rw"}
"""``perm`` -> access."""
# An attribute named xmlns would be a declaration
_ATTRIBUTE = re.compile(rf"(?!xmlns$){NAME.pattern}")
_POLY_ROOTS = ("PHONE_CONFIG", "polycomConfig")
_YEALINK_HEAD = "#!version:1.0.0.1"
_YEALINK_LINE = re.compile(rf"({NAME.pattern})[ \t]*=[ \t]*(.*)")


class Format(NamedTuple):
    """How a family's profiles are written. *build* takes the parameters and the MAC as 12 hex digits, empty for many phones."""

    build: Callable[[Parameters, str], bytes]
    read_document: Callable[[bytes], Document]
    names: re.Pattern[str]
    """Names that a parameter can have."""
    xml: bool
    """Whether values must be escaped as in XML."""
    sections: int = 0
    """How deep sections can be nested."""
    access: tuple[str, ...] = ()
    """Which access of the user account the format can express."""
    before_name: str = "<"
    """Regular expression of what stands before a parameter's name."""
    identities: bool = False
    """Whether a number after a dot is an identity, which is not part of the name as it is written."""

    def parse(self, document: bytes) -> Parameters:
        """Return the parameters of a profile, the last of two with one name; raise ProfileError if it is corrupt."""
        return dict(self.read_document(document).settings)

    def takes(self, path: str) -> bool:
        """Tell whether *path*, which begins with the names of sections, can name a parameter."""
        names = path.split("/")
        return len(names) - 1 <= self.sections and all(map(self.names.fullmatch, names))

    def element(self, path: str) -> str:
        """Return the name that a profile writes for *path*."""
        name = path.rpartition("/")[2]
        return name.partition(".")[0] if self.identities else name

    def inexpressible_access(self, parameters: Parameters) -> Iterator[tuple[str, str]]:
        """Yield path and access of each parameter with an access that the format cannot express."""
        if self.access != ACCESS:
            for path, (_value, access) in parameters.items():
                if access and access not in self.access:
                    yield path, access

    def read(self, values: Mapping[str, Any], yes_no: tuple[str, ...]) -> Parameters:
        """Return the typed form of parameters as users write them; see flat_profile.read_parameters()."""
        return read_parameters(values, "", self.names, yes_no, self.sections)


def _build_grandstream(parameters: Parameters, mac: str) -> bytes:
    return _document(
        [
            '<gs_provision version="1">',
            *([f"<mac>{mac}</mac>"] if mac else []),
            '<config version="1">',
            *(f"<{name}>{escape(parameters[name].value)}</{name}>" for name in sorted(parameters)),
            "</config>",
            "</gs_provision>",
        ]
    )


def _read_grandstream(document: bytes) -> Document:
    root = parse_xml(document, "gs_provision")
    config = root.find("config")
    if config is None:
        raise ProfileError("the profile has no <config>")
    named = (((child.get("name") if child.tag == "item" else None) or child.tag, child.text) for child in config)
    return Document([(name, Setting(text or "")) for name, text in named], stray_texts(root))


def _build_yealink(parameters: Parameters, _mac: str) -> bytes:
    return "".join(f"{line}\n" for line in _yealink_lines(parameters)).encode()


def _yealink_lines(parameters: Parameters) -> Iterator[str]:
    yield _YEALINK_HEAD
    for name in sorted(parameters):
        yield f"{name} = {parameters[name].value}".rstrip(" ")


def _read_yealink(document: bytes) -> Document:
    try:
        head, *lines = document.decode().split("\n")
    except UnicodeDecodeError as error:
        raise ProfileError(f"the profile is not UTF-8 text: byte {error.start + 1} is invalid") from error
    if head.strip() != _YEALINK_HEAD:
        raise ProfileError(f"the profile does not begin with {_YEALINK_HEAD}")
    settings: list[tuple[str, Setting]] = []
    for number, line in enumerate(lines, 2):
        text = line.strip()
        if text and not text.startswith("#"):
            match = _YEALINK_LINE.fullmatch(text)
            if not match:
                raise ProfileError(f"line {number} of the profile is not 'name = value'")
            settings.append((match[1], Setting(match[2])))
    return Document(settings, [])


def _build_poly(parameters: Parameters, _mac: str) -> bytes:
    attributes = [f'  {name}="{escape(parameters[name].value)}"' for name in sorted(parameters)]
    return _document(["<PHONE_CONFIG>", "<ALL", *attributes, "/>", "</PHONE_CONFIG>"])


def _read_poly(document: bytes) -> Document:
    root = parse_xml(document, *_POLY_ROOTS)
    attributes = (item for element in root.iter() for item in element.items())
    # An attribute with a namespace names the schema
    settings = [(name, Setting(value)) for name, value in attributes if not name.startswith("{")]
    return Document(settings, [text.strip() for text in root.itertext() if not text.isspace()])


def _build_snom(parameters: Parameters, _mac: str) -> bytes:
    # Without e="2" the phone knows no character references above 255
    return _document(["<settings>", '<phone-settings e="2">', *_snom_lines(parameters), "</phone-settings>", "</settings>"])


def _snom_lines(parameters: Parameters) -> Iterator[str]:
    for path in sorted(parameters):
        name, _dot, identity = path.partition(".")
        index = f' idx="{identity}"' if identity else ""
        value, access = parameters[path]
        yield f'<{name}{index} perm="{_PERMISSIONS[access]}">{escape(value)}</{name}>'


def _read_snom(document: bytes) -> Document:
    root = parse_xml(document, "settings")
    settings = root.find("phone-settings")
    if settings is None:
        raise ProfileError("the profile has no <phone-settings>")
    found = [
        (".".join(filter(None, [child.tag, child.get("idx")])), Setting(child.text or "", _ACCESS_OF.get(child.get("perm", ""))))
        for child in settings
    ]
    return Document(found, stray_texts(root))


def _document(lines: list[str]) -> bytes:
    return "\n".join(['<?xml version="1.0"?>', *lines, ""]).encode("ascii", "xmlcharrefreplace")


FORMATS: dict[str, Format] = {
    FLAT_PROFILE: Format(
        lambda parameters, _mac: build(parameters), read_document, NAME, xml=True, sections=MAX_SECTIONS, access=ACCESS
    ),
    "grandstream": Format(_build_grandstream, _read_grandstream, NAME, xml=True, before_name='<(?:item name=")?'),
    "yealink": Format(_build_yealink, _read_yealink, NAME, xml=False, before_name=r"(?m:^)[ \t]*"),
    "poly": Format(_build_poly, _read_poly, _ATTRIBUTE, xml=True, before_name=r"\s"),
    "snom": Format(_build_snom, _read_snom, _IDENTITY, xml=True, access=("ro", "rw"), identities=True),
}
"""Name -> format."""
