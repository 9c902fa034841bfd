# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the phones of a publication are made of, recorded while they are read."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import jinja2

from ..module_utils.phones.phone import Phone
from ..module_utils.publishing.inputs import Common, InputKey, Inputs, PhoneClass
from .phone_source import Entry

_COLLECTION = Path(__file__).parents[2]
_CODE = (
    "plugins/module_utils/**/*.py",
    "plugins/plugin_utils/*.py",
    "plugins/action/*.py",
    "roles/*/meta/argument_specs.yml",
    "playbooks/vars/argument_specs.yml",
)
"""Files of the collection on which profiles and what is said about phones depend."""


@cache
def code_version() -> str:
    """Return 32 hex digits that change with the code that makes profiles."""
    digest = hashlib.blake2b(f"{sys.version} {jinja2.__version__}".encode(), digest_size=16)
    for pattern in _CODE:
        for path in sorted(_COLLECTION.glob(pattern)):
            content = path.read_bytes()
            digest.update(f"{path.relative_to(_COLLECTION)} {len(content)} ".encode())
            digest.update(content)
    return digest.hexdigest()


class InputsRecorder:
    """Records the inputs of phones, in their order."""

    def __init__(self, key: InputKey, context: str, groups: str) -> None:
        """*context* and *groups*: see Common."""
        self.key = key
        self.context, self.groups = context, groups
        self._inputs = Inputs(Common(context, groups, (), 0), [])
        self._classes: dict[PhoneClass, int] = {}
        self._shared: dict[int, str] = {}
        self._is_complete = True
        self.tokens_read: set[int] = set()
        """Tokens of the phones that were read."""

    def shared_of(self, entry: Entry) -> str:
        """Return the hash of the variables of an entry's groups."""
        found = self._shared.get(id(entry.shared))
        if found is None:
            # The rows keep it, so no other object gets its identity
            found = self._shared[id(entry.shared)] = self.key.shared(entry.shared)
        return found

    def add(
        self,
        entry: Entry,
        phone: Phone,
        paths: Iterable[str],
        by_certificate: bool,
        has_password: bool,
        ignored: Iterable[str],
        unknown: Iterable[str],
    ) -> None:
        """Record a phone that was read. *paths*: of its files; for the others see PhoneClass."""
        places = [*paths]
        token = self.key.token
        tokens = [token("mac", phone.mac.plain), *(token("path", path.lower()) for path in places)]
        if entry.where:
            tokens.append(token("name", entry.name))
        if phone.serial:
            tokens.append(token("serial", f"{phone.model.family.name} {phone.serial}"))
        known = PhoneClass(
            self.shared_of(entry), phone.model.name, phone.template, by_certificate, has_password, tuple(ignored), tuple(unknown)
        )
        self.tokens_read.update(tokens)
        self._add(entry.name, entry.fingerprint, known, len(places), tokens)

    def keep(self, before: Inputs, number: int) -> None:
        """Record a phone that is as it was *before*."""
        known = before.classes[before.class_of[number]]
        self._add(before.names[number], before.prints[number], known, before.files[number], before.tokens_of(number))

    def _add(self, name: str, fingerprint: bytes, known: PhoneClass, files: int, tokens: Iterable[int]) -> None:
        number = self._classes.setdefault(known, len(self._classes))
        if not fingerprint or "\0" in name:
            self._is_complete = False
        if self._is_complete:
            try:
                self._inputs.add(name, fingerprint, number, files, tokens)
            except OverflowError:
                self._is_complete = False

    def templates(self) -> list[str]:
        """Return the names of the templates that the phones use."""
        return sorted({known.template for known in self._classes} - {""})

    def finish(self, bootstraps: int, templates: Mapping[str, str]) -> Inputs | None:
        """Return the inputs of all phones; None if they cannot be recorded.

        *bootstraps*: number of bootstrap profiles; *templates*: name -> text of each template that was used.
        """
        if not self._is_complete:
            return None
        hashes = tuple((name, self.key.shared(templates[name])) for name in self.templates())
        self._inputs.common = Common(self.context, self.groups, hashes, bootstraps)
        self._inputs.classes = [*self._classes]
        return self._inputs
