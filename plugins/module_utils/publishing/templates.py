# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""A user's own Jinja2 template of a service profile: compiled once, rendered for each phone.

In an XML format every value is escaped, so that none can break out of its element. What a phone would make of the output is for
template_checks; here is how a template is read, and which of its lines writes an element.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping

from ..families.model import Family
from ..phones.phone import Phone
from ..profiles.flat_profile import Document, ProfileError
from ..profiles.formats import FORMATS
from ..profiles.leftovers import leftover
from .written_names import WrittenNames

_UNDEFINED = re.compile(r"(?:.* has no (?:attribute|element) )?'?(.*?)'?(?: is undefined)?", re.DOTALL)

try:
    import jinja2
except ImportError as error:
    MISSING: ImportError | None = error
else:
    MISSING = None


class TemplateError(ValueError):
    """The template cannot be used; the message names it and, where there is one, the line, and shows no value."""


class ProfileTemplate:
    """One template.

    It sees ``phone`` (name, mac, model, serial, customer, site), ``lines`` (the entries of phone_lines), ``parameters`` (path ->
    value, with everything that the profile would have without the template) and ``macros`` (MA, MAU, MAC, PN, PSN, SN).
    """

    def __init__(self, name: str, text: str) -> None:
        """*name* is for messages. Raise TemplateError if the text is not a valid template."""
        if MISSING is not None:
            raise TemplateError("the Python package 'jinja2' is missing (Debian: python3-jinja2)") from MISSING
        self.name = name
        self.text = text
        self._written: dict[str, WrittenNames] = {}
        try:
            self._compiled = {xml: _environment(xml).from_string(text) for xml in (True, False)}
        except jinja2.TemplateSyntaxError as error:
            raise TemplateError(f"{name} line {error.lineno}: {error.message}") from error

    def render(self, phone: Phone, parameters: Mapping[str, str]) -> bytes:
        """Return the profile of *phone*, which read() must still accept; raise TemplateError."""
        kind = FORMATS[phone.model.family.format]
        try:
            text = self._compiled[kind.xml].render(
                phone={
                    "name": phone.name,
                    "mac": phone.mac.colon,
                    "model": phone.model.name,
                    "serial": phone.serial,
                    "customer": phone.customer,
                    "site": phone.site,
                },
                lines=phone.lines,
                parameters=parameters,
                macros=phone.macros,
            )
            return text.encode("ascii", "xmlcharrefreplace") if kind.xml else text.encode()
        except jinja2.UndefinedError as error:
            raise TemplateError(f"{self.name}: {self._undefined(error)}") from None
        except Exception as error:
            # The user's expressions may raise anything, and the message could quote a value
            raise TemplateError(f"{self.name}: it fails with {type(error).__name__}") from None

    def read(self, family: Family, plain: bytes) -> Document:
        """Return what render() has made for a phone of *family*; raise TemplateError if it is not a profile."""
        try:
            return FORMATS[family.format].read_document(plain)
        except ProfileError as error:
            hint = self._unrendered(error, plain)
            raise TemplateError(f"{self.name}: its output is not a profile: {error}{hint}") from error

    def where(self, family: Family, path: str, plain: bytes) -> str:
        """Return the template's name and the lines that write a parameter; they are those of *plain*, its output, if none fits."""
        kind = FORMATS[family.format]
        if family.format not in self._written:
            self._written[family.format] = WrittenNames(self.text, kind)
        lines = self._written[family.format].lines_of(path)
        if lines:
            return f"{self.name} {_format_lines(lines)}"
        return f"{self.name}, {_format_lines(WrittenNames(plain.decode(), kind).lines_of(path))} of its output"

    def where_text(self, text: str) -> str:
        """Return the template's name and the line in which it says *text* itself; without a line if it computes that."""
        lines = self.text.split("\n")
        found = [number for number, line in enumerate(lines, 1) if line.strip() == text]
        found = found or [number for number, line in enumerate(lines, 1) if text in line]
        return f"{self.name} line {found[0]}" if found else self.name

    def _unrendered(self, error: ProfileError, plain: bytes) -> str:
        """Return which expression of another template language stands where the output is no XML, or nothing."""
        cause = error.__cause__
        if not isinstance(cause, ET.ParseError):
            return ""
        line = [*plain.decode().split("\n"), ""][cause.position[0] - 1]
        opening, language = leftover(line)
        written = opening and opening in self.text
        return f"; the line holds an expression of {language}, '{opening}', that nothing has rendered" if written else ""

    def _undefined(self, error: jinja2.UndefinedError) -> str:
        """Return what is undefined, unless the template has computed its name, which could be a value."""
        message = str(error.message)
        match = _UNDEFINED.fullmatch(message)
        if not match or not re.search(rf"\b{re.escape(match[1])}\b", self.text):
            return "it uses something that is not defined"
        return message


def _format_lines(lines: list[int]) -> str:
    return f"line{'s' if len(lines) > 1 else ''} {', '.join(map(str, lines))}"


def _environment(xml: bool) -> jinja2.Environment:
    # Escaping is for XML; a text format has nothing to escape, and its values hold no line ends
    return jinja2.Environment(autoescape=xml, undefined=jinja2.StrictUndefined, keep_trailing_newline=True)  # noqa: S701
