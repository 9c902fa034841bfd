# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the live files were made of: a fingerprint of each phone's inputs, so that only phones with other inputs are rendered.

Fingerprints are keyed hashes under a key derived from the master key, so nobody can guess a password by trying, not even with the
salt of the published folder. A phone's fingerprint covers its row or host variables. What many phones share is compared apart: the
variables of its groups, the templates, and as *context* all the rest: settings, families, code, keys, and the form of the rows.

A phone also has tokens, one for each value that no other phone may share (MAC address, name, serial number, paths), and a class,
which is what a publication must know of a phone that it does not read.
"""

from __future__ import annotations

import hashlib
import json
import sys
from array import array
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Any, NamedTuple

from ..profiles.keys import hkdf

_VERSION = 1
_SIZE = 12
"""Bytes of a phone's fingerprint; two of a million phones share one by accident in one of 10^17 publications."""
_MAX_COUNT = 255


class InputsError(ValueError):
    """Packed inputs are damaged, or were made by another version of this collection."""


class InputKey:
    """Makes keyed hashes of inputs."""

    def __init__(self, master_key: str) -> None:
        self._key = hkdf(master_key.encode(), b"voip.preprovision", b"fingerprints of inputs")

    def shared(self, value: object) -> str:
        """Return 32 hex digits for what phones share: plain lists, mappings, texts and numbers."""
        return hashlib.blake2b(repr(value).encode("utf-8", "surrogatepass"), key=self._key, digest_size=16).hexdigest()

    def row_key(self, form: str) -> bytes:
        """Return the key of the fingerprints of rows whose meaning depends on *form*."""
        return hashlib.blake2b(f"row {form}".encode("utf-8", "surrogatepass"), key=self._key, digest_size=32).digest()

    def token(self, kind: str, value: str) -> int:
        """Return 64 bits for a value that no two phones may share."""
        text = f"token {kind} {value}".encode("utf-8", "surrogatepass")
        return int.from_bytes(hashlib.blake2b(text, key=self._key, digest_size=8).digest(), "little")


def row_print(key: bytes, text: str) -> bytes:
    """Return the fingerprint of one phone's own inputs."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), key=key, digest_size=_SIZE).digest()


class PhoneClass(NamedTuple):
    """What a publication must know of a phone that it does not read."""

    shared: str
    """Hash of the variables of its groups."""
    model: str
    template: str
    by_certificate: bool
    has_password: bool
    """Whether a phone that is delivered by certificate has a password of the web server."""
    ignored: tuple[str, ...]
    """Sentences on what it would ignore."""
    unknown: tuple[str, ...]
    """Sentences on variables that may be the user's own."""


class Common(NamedTuple):
    """What all phones of a publication share, as hashes."""

    context: str
    groups: str
    templates: tuple[tuple[str, str], ...]
    """Name and hash of each template that a phone uses."""
    bootstraps: int
    """Number of bootstrap profiles."""


class Inputs:
    """The inputs of all phones of a publication, in the order of the phones."""

    def __init__(self, common: Common, classes: list[PhoneClass]) -> None:
        self.common = common
        self.classes = classes
        self.names: list[str] = []
        self.prints: list[bytes] = []
        self.class_of = array("I")
        self.files = array("B")
        """Number of files of each phone."""
        self._token_counts = array("B")
        self._tokens = array("Q")
        self._starts: list[int] = []

    def tokens_of(self, number: int) -> array[int]:
        """Return the tokens of a phone."""
        if len(self._starts) <= len(self.names):
            self._starts = [*accumulate(self._token_counts, initial=0)]
        return self._tokens[self._starts[number] : self._starts[number + 1]]

    def templates(self) -> list[str]:
        """Return the names of the templates that the phones use."""
        return [name for name, _hash in self.common.templates]

    def all_tokens(self) -> Iterable[int]:
        """Return the tokens of all phones."""
        return self._tokens

    def positions(self) -> dict[bytes, int]:
        """Return fingerprint -> number of the phone."""
        return {value: number for number, value in enumerate(self.prints)}

    def add(self, name: str, value: bytes, number: int, files: int, tokens: Iterable[int]) -> None:
        """Add a phone of class *number*; raise OverflowError for one with more files or tokens than a byte counts."""
        added = array("Q", tokens)
        if max(files, len(added)) > _MAX_COUNT:
            raise OverflowError
        self.names.append(name)
        self.prints.append(value)
        self.class_of.append(number)
        self.files.append(files)
        self._token_counts.append(len(added))
        self._tokens += added

    def pack(self) -> bytes:
        """Return them as bytes for read_inputs()."""
        names = "\0".join(self.names).encode("utf-8", "surrogatepass")
        shared = [_VERSION, sys.byteorder, self.common, self.classes, len(self.names), len(names)]
        head = json.dumps(shared, separators=(",", ":")).encode() + b"\n"
        arrays = (self.class_of, self.files, self._token_counts, self._tokens)
        return b"".join([head, names, *self.prints, *(part.tobytes() for part in arrays)])


def read_common(packed: bytes) -> Common:
    """Return what all phones of packed inputs share; raise InputsError."""
    return _read_head(packed)[0].common


def read_inputs(packed: bytes) -> Inputs:
    """Return what Inputs.pack() packed; raise InputsError."""
    inputs, count, size, at = _read_head(packed)
    view = memoryview(packed)
    try:
        inputs.names = bytes(view[at : at + size]).decode("utf-8", "surrogatepass").split("\0") if count else []
        at += size
        inputs.prints = [packed[place : place + _SIZE] for place in range(at, at + _SIZE * count, _SIZE)]
        at += _SIZE * count
        for part in (inputs.class_of, inputs.files, inputs._token_counts):
            part.frombytes(view[at : at + part.itemsize * count])
            at += part.itemsize * count
        inputs._tokens.frombytes(view[at:])
    except ValueError as error:
        raise InputsError("the inputs of the live files are damaged") from error
    sizes = {len(inputs.names), len(inputs.class_of), len(inputs.files), len(inputs._token_counts)}
    whole = sizes == {count} and len(inputs._tokens) == sum(inputs._token_counts)
    if not whole or max(inputs.class_of, default=-1) >= len(inputs.classes):
        raise InputsError("the inputs of the live files are damaged")
    return inputs


def _read_head(packed: bytes) -> tuple[Inputs, int, int, int]:
    """Return the inputs without phones, the number of phones, the size of their names, and where these begin."""
    end = packed.find(b"\n") + 1
    try:
        match json.loads(packed[:end]):
            case [int(version), str(order), list(common), list(classes), int(count), int(size)] if version == _VERSION:
                if order != sys.byteorder:
                    raise InputsError("the inputs of the live files come from another kind of machine")
                context, groups, templates, bootstraps = common
                known = Common(context, groups, tuple((name, value) for name, value in templates), bootstraps)
                return Inputs(known, [*_read_classes(classes)]), count, size, end
    except (ValueError, TypeError, RecursionError) as error:
        raise InputsError("the inputs of the live files are damaged") from error
    raise InputsError("the inputs of the live files were made by another version of this collection")


def _read_classes(lines: list[Any]) -> Iterator[PhoneClass]:
    for shared, model, template, by_certificate, has_password, ignored, unknown in lines:
        yield PhoneClass(shared, model, template, by_certificate, has_password, tuple(ignored), tuple(unknown))
