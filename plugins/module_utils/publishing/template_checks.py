# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a phone would skip, ignore or take as text in the profile that a user's own template makes.

Only what differs from the profile without the template is looked at; phones.reader has seen the rest.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from ..common.suggest import unknown_choice
from ..families.ignored import ignored_names, unrendered
from ..families.model import Family
from ..profiles.flat_profile import Document, Parameters, ProfileError, check_text
from ..profiles.formats import FORMATS
from .templates import ProfileTemplate

_FOLDED = re.compile(r"[\t\r\n]")
_COMMENT = re.compile(rb"<!--.*?-->", re.DOTALL)
_INSTRUCTION = re.compile(rb"<\?(?!xml\s)[^\s?>]*")
_MAX_SHOWN = 40


class TemplateOutput:
    """The profile that a template has made for a phone."""

    def __init__(self, template: ProfileTemplate, family: Family, plain: bytes, before: Parameters) -> None:
        """*before*: the parameters that the profile would have without it. Raise TemplateError if *plain* is not a profile."""
        self._template, self._family, self._plain, self._before = template, family, plain, before
        self._document: Document = template.read(family, plain)
        self.parameters: Parameters = dict(self._document.settings)
        """All of them."""
        self.own: Parameters = {
            path: setting for path, setting in self.parameters.items() if path not in before or before[path].value != setting.value
        }
        """Those that the template sets, or changes."""

    def sentence(self, path: str, clause: str) -> str:
        """Return a sentence on a parameter that names the template and its line."""
        return f"phone_profile_template: {self._template.where(self._family, path, self._plain)}: {clause}"

    def invalid(self) -> Iterator[str]:
        """Yield a sentence on each value that the format cannot carry."""
        for path, (value, _access) in self.own.items():
            try:
                check_text(_FOLDED.sub(" ", value).strip())
            except ProfileError as error:
                yield self.sentence(path, f"{path} {error}")

    def ignored(self) -> Iterator[str]:
        """Yield a sentence on everything else that the phone would ignore or take as text."""
        for path, clause in self._clauses():
            yield self.sentence(path, clause)
        for text in self._document.stray:
            first = text.partition("\n")[0]
            where = self._template.where_text(first)
            # What the template does not say itself could be a secret
            shown = f" '{first[:_MAX_SHOWN]}'" if where != self._template.name else ""
            yield f"phone_profile_template: {where}: the text{shown} stands outside all elements, and the phone skips it"
        if FORMATS[self._family.format].xml:
            for instruction in dict.fromkeys(_INSTRUCTION.findall(_COMMENT.sub(b"", self._plain))):
                text = instruction.decode()
                where = self._template.where_text(text)
                yield f"phone_profile_template: {where}: the phone skips '{text}', a processing instruction"

    def _clauses(self) -> Iterator[tuple[str, str]]:
        family, kind = self._family, FORMATS[self._family.format]
        new = [path for path in self.own if path not in self._before]
        yield from ignored_names(family, new)
        if not family.known_names:
            yield from ((path, f"{path} cannot name a parameter of {family.name}") for path in new if not kind.takes(path))
        for path, (_value, access) in self.own.items():
            if access is not None and access not in kind.access:
                yield path, f"{path} has an {unknown_choice('ua', access, kind.access)}"
        yield from unrendered(family, self.own)
        if len(self.parameters) < len(self._document.settings):
            for path, count in Counter(path for path, _setting in self._document.settings).items():
                # Rules are lists, whose entries have the same elements
                if count > 1 and "/Rule/" not in path:
                    yield path, f"{path} is set {count} times, and only one of them counts"
