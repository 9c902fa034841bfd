# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Published files: their paths, how they are protected, and which phones would share one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ..families.model import FILE, UNIT_MACROS
from ..phones.phone import Phone, PhoneError
from ..profiles.keys import key_id
from ..profiles.macros import expand
from ..profiles.rules.model import RuleError, Target
from ..profiles.rules.urls import parse_url
from ..profiles.sealing.aes128gcm import decrypt_content, encrypt_content
from ..profiles.sealing.compression import compress, decompress, is_compressed
from ..profiles.sealing.model import Sealing
from ..profiles.sealing.openssl_enc import seal, unseal
from .layout import DEVICE
from .settings import KEY_ID, PublicationError, Settings

CONTENT_ENCODING = ".aes128gcm"
"""Ends the names of files that are served with ``Content-Encoding: aes128gcm``."""

_NO_KEY_ID = "0" * 8
"""Replaces KEY_ID for a phone whose profile is not sealed."""

_IN_PATHS = f"a path may hold letters, digits, - . _ and the macros ${', $'.join(UNIT_MACROS)}"


class Seal(NamedTuple):
    """A way of sealing a service profile, and its key; the key is empty if the profile is not sealed or the phone has no key."""

    method: str
    key: str = ""


class Protection(NamedTuple):
    """How a file is compressed and sealed."""

    method: str = ""
    """Empty, Sealing.OPENSSL or Sealing.AES128GCM."""
    key: str = ""
    digest: str = ""
    packed: bool = False


@dataclass(frozen=True, slots=True)
class File:
    """One published file."""

    path: str
    """Below the published folder, such as ``open/ata192.cfg``."""
    owner: str
    """Phone or model that it is for."""
    kind: str
    format: str
    plain: bytes = field(repr=False)
    protection: Protection = field(default=Protection(), repr=False)

    def fingerprint(self, salt: bytes) -> str:
        """Return 24 hex digits that change with the content and the way it is sealed, and reveal nothing about either."""
        method, key, digest, packed = self.protection
        secret = hashlib.blake2b(f"{method} {key} {digest} {packed}".encode(), key=salt, digest_size=32).digest()
        return hashlib.blake2b(self.plain, key=secret, digest_size=12).hexdigest()

    def content(self) -> bytes:
        """Return the bytes that are served."""
        method, key, digest, packed = self.protection
        content = compress(self.plain) if packed else self.plain
        if method == Sealing.OPENSSL:
            return seal(content, key, digest)
        return encrypt_content(content, key.encode()) if method == Sealing.AES128GCM else content

    def opened(self, content: bytes) -> bytes:
        """Return the plain profile in bytes that were served at this file's path; raise SealingError if its key does not fit."""
        method, key, digest, _packed = self.protection
        if method == Sealing.OPENSSL:
            content = unseal(content, key, digest)
        elif method == Sealing.AES128GCM:
            content = decrypt_content(content, key.encode())
        return decompress(content) if is_compressed(content) else content


def seals_of(phone: Phone) -> list[Seal]:
    """Return how each file of the service profile is sealed: first as the phone should request it, then as it still does."""
    now = Seal(phone.sealing, phone.key or "") if phone.sealing != Sealing.NONE else Seal(Sealing.NONE)
    if not phone.previous_key and not phone.previous_sealing:
        return [now]
    method = phone.previous_sealing or phone.sealing
    before = Seal(method, phone.previous_key or phone.key or "") if method != Sealing.NONE else Seal(method)
    return [now] if before == now else [now, before]


def service_protection(seal: Seal, digest: str) -> Protection:
    """Return how a service profile with this seal is protected. *digest*: that of the family's keys."""
    if seal.method == Sealing.NONE:
        return Protection(packed=True)
    return Protection(seal.method, seal.key, digest if seal.method == Sealing.OPENSSL else "", packed=True)


def with_key_id(text: str, key: str) -> str:
    """Return *text* with the identifier of *key* in place of KEY_ID; an empty key has zeros."""
    return text.replace(KEY_ID, key_id(key) if key else _NO_KEY_ID)


def read_targets(settings: Settings) -> tuple[Target, Target]:
    """Return bench_url and remote_url, parsed; raise PublicationError for URLs that no phone could use or that would leak a key."""
    try:
        bench, remote = parse_url(settings.bench_url), parse_url(with_key_id(settings.remote_url, ""))
    except RuleError as error:
        raise PublicationError(f"bench_url and remote_url: {error}") from error
    if bench.scheme != "https":
        raise PublicationError(
            f"bench_url: '{settings.bench_url}' is not https; the preprovision profile holds the phone's key in the clear"
        )
    if not remote.server:
        raise PublicationError(f"remote_url: '{settings.remote_url}' names no server; a phone at the customer's needs its name")
    if remote.path.startswith(f"/{DEVICE}/"):
        raise PublicationError(f"remote_url: '{settings.remote_url}' lies in /{DEVICE}/, which is for preprovision profiles")
    for option, target in (("bench_url", bench), ("remote_url", remote)):
        if not FILE.fullmatch(expand(target.path, dict.fromkeys(UNIT_MACROS, "x"))):
            raise PublicationError(f"{option}: the path '{target.path}' cannot be a file; {_IN_PATHS}")
    return bench, parse_url(settings.remote_url)


def file_path(tree: str, template: str, macros: Mapping[str, str], kind: str) -> str:
    """Return the path of a file below the published folder; raise PhoneError if *template* expands to something else."""
    path = expand(template, macros)
    if not FILE.fullmatch(path):
        raise PhoneError(f"the {kind} profile's path '{path}' cannot be a file; {_IN_PATHS}")
    # The web server serves this tree under its own name
    return tree + (path.removeprefix(f"/{DEVICE}") if tree == DEVICE and path.startswith(f"/{DEVICE}/") else path)


class PathConflicts:
    """Finds phones that would share a file."""

    def __init__(self) -> None:
        self._owners: dict[str, str] = {}
        self._shared: dict[str, set[str]] = {}

    def add(self, path: str, owner: str) -> None:
        """Note one path; servers that fold case make no difference between ``A.cfg`` and ``a.cfg``."""
        first = self._owners.setdefault(path.lower(), owner)
        if first != owner:
            self._shared.setdefault(path.lower(), {first}).add(owner)

    def conflicts(self) -> list[str]:
        """Return one sentence for each path that several phones would share."""
        return [
            f"{' and '.join(sorted(owners))} would share the file {path}; put $MA into the URL that names it"
            for path, owners in self._shared.items()
        ]
