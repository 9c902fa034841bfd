# SPDX-License-Identifier: GPL-3.0-or-later
"""From rows to profiles: what is in the database about a phone, and its files as of now."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import OrderedDict
from collections.abc import Mapping
from threading import Lock, local
from typing import Any, NamedTuple

from sqlalchemy import bindparam, literal_column, select
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import OperationalError

from .database import Customer, Phone, Setting
from .domain.families import BUILTIN, FamilyError
from .domain.keys import key_id
from .domain.phone import Phone as DomainPhone
from .domain.phone import PhoneError, PhoneReader
from .domain.profile import ProfileError, read_parameters
from .domain.profile_template import ProfileTemplate, TemplateError
from .domain.publication import PREPROVISION, SERVICE, File, PublicationError, Publisher, Settings
from .domain.sealing import AES128GCM, SealingError

_PARAMETERS = ("bootstrap_parameters", "preprovision_parameters")
_MAPPED = 1 << 28
_OVERHEAD = 500
"""Bytes that a kept profile takes beside its content."""

_KNOWN = (
    select(
        Phone.mac,
        Phone.version,
        Phone.model,
        Phone.redirect,
        Customer.redirect.label("customer_redirect"),
        Customer.provisioning_url,
        Setting.value.label("settings"),
    )
    .select_from(Phone)
    .outerjoin(Customer, Customer.name == Phone.customer)
    .outerjoin(Setting, Setting.name == literal_column("'version'"))
    .where(Phone.mac == bindparam("mac"))
)


class NotReady(Exception):
    """The phone is known, but has no such profile; the message says why, and holds no secret."""


class Known(NamedTuple):
    """What every request of a phone needs."""

    mac: str
    version: str
    model: str
    redirect: str
    """URL that the phone is sent to instead, or empty."""
    provisioning_url: str
    """What remote customization answers, or empty."""
    settings: str
    """Changes when what is said of all phones does."""


class Profile(NamedTuple):
    """One file of a phone, as it is served."""

    kind: str
    key: str
    """Tells one key from another; empty for a file that is not sealed."""
    coding: str
    """``aes128gcm``, or empty."""
    content: bytes
    etag: str

    @property
    def sealed(self) -> bool:
        """Whether only who has the phone's key can read it."""
        return bool(self.key)


class Phones:
    """Finds phones and makes their profiles, and keeps those that were asked for last."""

    def __init__(self, cache_size: int) -> None:
        """*cache_size*: bytes that may be kept."""
        self._room = cache_size
        self._kept: OrderedDict[tuple[str, str], tuple[tuple[str, str], tuple[Profile, ...], int]] = OrderedDict()
        self._makers: tuple[str, _Maker] | None = None
        self._lock = Lock()

    @staticmethod
    def find(connection: Connection, mac: str) -> Known | None:
        """Return what is known of the phone with this MAC address, or nothing."""
        row = connection.execute(_KNOWN, {"mac": mac}).first()
        return _known(*row) if row else None

    def kept(self, known: Known, kind: str = "") -> tuple[Profile, ...] | None:
        """Return the phone's profiles, all or of one kind, if they are kept, and are those of now."""
        current = (known.version, known.settings)
        with self._lock:
            kept = self._kept.get((known.mac, kind))
            if kept is None or kept[0] != current or not all(current):
                return None
            self._kept.move_to_end((known.mac, kind))
            return kept[1]

    def profiles(self, connection: Connection, known: Known, kind: str = "") -> tuple[Profile, ...]:
        """Return the phone's profiles as of now, all or of one kind; raise NotReady."""
        kept = self.kept(known, kind)
        if kept is not None:
            return kept
        current = (known.version, known.settings)
        made = self._maker(connection, known.settings).make(connection, known.mac)
        if kind:
            made = tuple(profile for profile in made if profile.kind == kind)
        size = sum(_OVERHEAD + len(profile.content) for profile in made)
        with self._lock:
            before = self._kept.pop((known.mac, kind), None)
            self._room += before[2] if before else 0
            self._kept[known.mac, kind] = (current, made, size)
            self._room -= size
            while self._room < 0 and self._kept:
                _which, (_current, _made, freed) = self._kept.popitem(last=False)
                self._room += freed
        return made

    def read(self, connection: Connection, known: Known) -> DomainPhone:
        """Return the phone itself, with its keys; raise NotReady."""
        return self._maker(connection, known.settings).read(connection, known.mac)[0]

    def _maker(self, connection: Connection, version: str) -> _Maker:
        makers = self._makers
        if makers is None or makers[0] != version or not version:
            makers = self._makers = (version, _Maker(connection))
        return makers[1]


def _known(mac: str, version: str, model: str, own: str, customers: str | None, url: str | None, settings: str | None) -> Known:
    return Known(mac, version, model, own or customers or "", url or "", settings or "")


class Finder:
    """Finds phones for many threads, each with a connection of its own to SQLite, which takes a tenth of the time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._own = local() if engine.dialect.name == "sqlite" else None
        self._query = str(_KNOWN.compile(dialect=engine.dialect))

    def find(self, mac: str) -> Known | None:
        """Return what is known of the phone with this MAC address, or nothing; raise SQLAlchemyError."""
        if self._own is None:
            with self._engine.connect() as connection:
                return Phones.find(connection, mac)
        try:
            if not hasattr(self._own, "connection"):
                connected = self._engine.raw_connection()
                # For good, so it is none of those that are lent
                connected.detach()
                # Ten thousand phones are more than its own memory for pages
                connected.cursor().execute(f"PRAGMA mmap_size={_MAPPED}")
                self._own.connection = connected
            # All rows, so that none is waited for
            rows = self._own.connection.cursor().execute(self._query, (mac,)).fetchall()
        except sqlite3.Error as error:
            self._own.__dict__.pop("connection", None)
            raise OperationalError(self._query, None, error) from error
        return _known(*rows[0]) if rows else None


class _Maker:
    """Makes profiles with the settings that the database holds."""

    def __init__(self, connection: Connection) -> None:
        given = {
            name: json.loads(value) for name, value in connection.execute(select(Setting.name, Setting.value)) if name in _NAMES
        }
        if "publication" not in given:
            raise NotReady("no phones were put in yet")
        publication: dict[str, Any] = dict(given["publication"])
        self._salt = str(given.get("salt", "")).encode()
        try:
            self._reader = PhoneReader(BUILTIN.extended(given.get("families", {})))
            for name in _PARAMETERS:
                publication[name] = read_parameters(publication.get(name) or {}, f"{name}: ")
            publication["complete"] = tuple(publication.get("complete", (SERVICE,)))
            publication["kinds"] = (PREPROVISION, SERVICE)
            templates = {name: ProfileTemplate(name, text) for name, text in given.get("templates", {}).items()}
            self._publisher = Publisher(Settings(**publication), templates)
        except (FamilyError, ProfileError, PublicationError, TemplateError, TypeError) as error:
            raise NotReady(f"the settings cannot be: {error}") from error

    def read(self, connection: Connection, mac: str) -> tuple[DomainPhone, Mapping[str, Any]]:
        row = connection.execute(select(Phone.name, Phone.variables).where(Phone.mac == mac)).first()
        if row is None:
            raise NotReady("it was taken away just now")
        try:
            variables = json.loads(row.variables)
            return self._reader.read(row.name, variables), variables
        except PhoneError as error:
            raise NotReady(str(error)) from error

    def make(self, connection: Connection, mac: str) -> tuple[Profile, ...]:
        phone, _variables = self.read(connection, mac)
        try:
            problems = self._publisher.check(phone)
            if problems:
                raise NotReady("; ".join(problems))
            return tuple(self._profile(file) for file in self._publisher.files(phone))
        except (PhoneError, SealingError) as error:
            raise NotReady(str(error)) from error

    def _profile(self, file: File) -> Profile:
        content = file.content()
        # Keyed, since the device profile's content is secret and its ETag is told in logs
        etag = hashlib.blake2b(content, key=self._salt, digest_size=16).hexdigest()
        method, key, _digest, _packed = file.protection
        return Profile(file.kind, key_id(key) if key else "", AES128GCM if method == AES128GCM else "", content, etag)


_NAMES = ("publication", "families", "templates", "salt")
"""Settings that make profiles: what Publisher's Settings take, families of the user's own, templates by name, and a salt."""
