# SPDX-License-Identifier: GPL-3.0-or-later
"""Phones of the database and their profiles, generated on demand; the profiles that were asked for last are kept in memory."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from threading import Lock, local
from typing import Any, NamedTuple

from sqlalchemy import bindparam, literal_column, select
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import OperationalError

from .domain.families.catalogue import BUILTIN
from .domain.families.model import FamilyError
from .domain.phones.phone import Phone, PhoneError
from .domain.phones.reader import PhoneReader
from .domain.phones.row_database import Table
from .domain.phones.rows import RowsError, SingleRows
from .domain.profiles.flat_profile import ProfileError
from .domain.profiles.keys import key_id
from .domain.profiles.sealing.model import Sealing, SealingError
from .domain.publishing.files import File
from .domain.publishing.layout import UNITS
from .domain.publishing.phone_record import KEYS, PhoneRecord, record_of
from .domain.publishing.publisher import Publisher
from .domain.publishing.settings import ProfileKind, PublicationError, read_settings
from .domain.publishing.templates import ProfileTemplate, TemplateError
from .store.connection import identity_of
from .store.faults import file_of
from .store.tables import Customer, Setting
from .store.tables import Phone as PhoneRow

_MMAP_SIZE = 1 << 28
_OVERHEAD = 500
"""Bytes that a cached profile takes besides its content."""

_QUERY = (
    select(
        PhoneRow.mac,
        PhoneRow.version,
        PhoneRow.model,
        PhoneRow.redirect,
        Customer.redirect.label("customer_redirect"),
        Customer.provisioning_url,
        Setting.value.label("settings"),
    )
    .select_from(PhoneRow)
    .outerjoin(Customer, Customer.name == PhoneRow.customer)
    .outerjoin(Setting, Setting.name == literal_column("'version'"))
    .where(PhoneRow.mac == bindparam("mac"))
)


class NotReady(Exception):
    """A known phone has no such profile; the message says why, and contains no secret."""


class KnownPhone(NamedTuple):
    """What every request of a phone needs."""

    mac: str
    version: str
    model: str
    redirect: str
    """URL that the phone is redirected to, or empty."""
    provisioning_url: str
    """Answer of remote customization, or empty."""
    settings: str
    """Version of the settings that all phones share."""


class Profile(NamedTuple):
    """One file of a phone, as it is served."""

    kind: str
    key: str
    """ID of the key that it is sealed with; empty for a file that is not sealed."""
    coding: str
    """``aes128gcm``, or empty."""
    content: bytes
    etag: str

    @property
    def sealed(self) -> bool:
        """Whether it takes the phone's key to read it."""
        return bool(self.key)


class _Entry(NamedTuple):
    """Profiles in the cache."""

    version: tuple[str, str]
    """Versions of the phone and of the settings."""
    profiles: tuple[Profile, ...]
    size: int


class ProfileCache:
    """Finds phones and generates their profiles, and keeps those that were asked for last."""

    def __init__(self, size: int) -> None:
        """*size*: at most so many bytes are kept."""
        self._free = size
        self._entries: OrderedDict[tuple[str, str], _Entry] = OrderedDict()
        self._maker: tuple[str, ProfileMaker] | None = None
        self._lock = Lock()

    @staticmethod
    def find(connection: Connection, mac: str) -> KnownPhone | None:
        """Return the phone with this MAC address, or None."""
        row = connection.execute(_QUERY, {"mac": mac}).first()
        return _known_phone(tuple(row)) if row else None

    @staticmethod
    def any_phone(connection: Connection) -> KnownPhone | None:
        """Return some phone, or None if there is none."""
        mac = connection.scalar(select(PhoneRow.mac).limit(1))
        return ProfileCache.find(connection, mac) if mac else None

    def cached(self, known: KnownPhone, kind: str = "") -> tuple[Profile, ...] | None:
        """Return the phone's profiles, all or of one kind, if they are in the cache and current."""
        version = (known.version, known.settings)
        with self._lock:
            entry = self._entries.get((known.mac, kind))
            if entry is None or entry.version != version or not all(version):
                return None
            self._entries.move_to_end((known.mac, kind))
            return entry.profiles

    def profiles(self, connection: Connection, known: KnownPhone, kind: str = "") -> tuple[Profile, ...]:
        """Return the phone's profiles as of now, all or of one kind; raise NotReady."""
        cached = self.cached(known, kind)
        if cached is not None:
            return cached
        made = self._current_maker(connection, known.settings).make(connection, known.mac)
        if kind:
            made = tuple(profile for profile in made if profile.kind == kind)
        size = sum(_OVERHEAD + len(profile.content) for profile in made)
        with self._lock:
            replaced = self._entries.pop((known.mac, kind), None)
            self._free += replaced.size if replaced else 0
            self._entries[known.mac, kind] = _Entry((known.version, known.settings), made, size)
            self._free -= size
            while self._free < 0 and self._entries:
                _key, oldest = self._entries.popitem(last=False)
                self._free += oldest.size
        return made

    def read(self, connection: Connection, known: KnownPhone) -> Phone:
        """Return the phone itself, with its keys; raise NotReady."""
        return self._current_maker(connection, known.settings).read(connection, known.mac)

    def shaped(self, connection: Connection, known: KnownPhone, kind: str, parameters: Mapping[str, Any]) -> tuple[Profile, ...]:
        """Return the phone's profiles of one kind with further *parameters*, which are not kept; raise NotReady."""
        made = self._current_maker(connection, known.settings).make(connection, known.mac, parameters)
        return tuple(profile for profile in made if profile.kind == kind)

    def record(self, connection: Connection, known: KnownPhone, table: Table) -> PhoneRecord | None:
        """Return the phone's record by what the customer's database has found of it; None if it has no row. Raise NotReady."""
        return self._current_maker(connection, known.settings).record(connection, known.mac, table)

    def remote_url(self, connection: Connection, known: KnownPhone) -> str:
        """Return the URL from which the phone fetches its service profile at home, or an empty string; raise NotReady."""
        return self._current_maker(connection, known.settings).remote_url(connection, known.mac)

    def _current_maker(self, connection: Connection, version: str) -> ProfileMaker:
        maker = self._maker
        if maker is None or maker[0] != version or not version:
            maker = self._maker = (version, ProfileMaker(connection))
        return maker[1]


def _known_phone(row: Sequence[Any]) -> KnownPhone:
    mac, version, model, redirect, customer_redirect, provisioning_url, settings = row
    return KnownPhone(mac, version, model, redirect or customer_redirect or "", provisioning_url or "", settings or "")


class PhoneFinder:
    """Finds phones for many threads, each with its own connection to SQLite, which takes a tenth of the time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._local = local() if engine.dialect.name == "sqlite" else None
        self._file = file_of(engine)
        self._query = str(_QUERY.compile(dialect=engine.dialect))

    def find(self, mac: str, engine: Engine) -> KnownPhone | None:
        """Return the phone with this MAC address, or None; raise SQLAlchemyError. *engine*: of the server to ask, if it is one."""
        if self._local is None:
            with engine.connect() as connection:
                return ProfileCache.find(connection, mac)
        try:
            here = identity_of(self._file)
            if getattr(self._local, "file", here) != here:
                # Deleted or replaced; see open_database()
                self._local.__dict__.clear()
            if not hasattr(self._local, "connection"):
                self._local.file = here
                own = self._engine.raw_connection()
                # For good: it does not go back to the pool
                own.detach()
                # Ten thousand phones do not fit into SQLite's own page cache
                own.cursor().execute(f"PRAGMA mmap_size={_MMAP_SIZE}")
                self._local.connection = own
            # All rows, so that the statement ends and no writer has to wait for it
            rows = self._local.connection.cursor().execute(self._query, (mac,)).fetchall()
        except sqlite3.Error as error:
            self._local.__dict__.clear()
            raise OperationalError(self._query, None, error) from error
        return _known_phone(rows[0]) if rows else None


class ProfileMaker:
    """Generates profiles with the settings that the database holds."""

    def __init__(self, connection: Connection) -> None:
        given = {
            name: json.loads(value) for name, value in connection.execute(select(Setting.name, Setting.value)) if name in _SETTINGS
        }
        if "publication" not in given:
            raise NotReady("the database contains no phones yet")
        self._salt = str(given.get("salt", ""))
        try:
            self._reader = PhoneReader(BUILTIN.extended(given.get("families", {})))
            settings = read_settings(given["publication"], (ProfileKind.PREPROVISION, ProfileKind.SERVICE))
            templates = {name: ProfileTemplate(name, text) for name, text in given.get("templates", {}).items()}
            self._publisher = Publisher(settings, templates)
            self._rows = SingleRows(given.get("groups", {}))
        except (FamilyError, ProfileError, PublicationError, RowsError, TemplateError, TypeError) as error:
            raise NotReady(f"invalid settings: {error}") from error

    def read(self, connection: Connection, mac: str, parameters: Mapping[str, Any] | None = None) -> Phone:
        """Return a phone from its row, with further *parameters*; raise NotReady."""
        row = connection.execute(select(PhoneRow.name, PhoneRow.variables).where(PhoneRow.mac == mac)).first()
        if row is None:
            raise NotReady("it was removed just now")
        try:
            variables = json.loads(row.variables)
            if parameters:
                variables["phone_parameters"] = {**(variables.get("phone_parameters") or {}), **parameters}
            return self._reader.read(row.name, variables)
        except PhoneError as error:
            raise NotReady(str(error)) from error

    def remote_url(self, connection: Connection, mac: str) -> str:
        """Return the URL of a phone's service profile at home, or an empty string; raise NotReady."""
        return self._publisher.remote_url(self.read(connection, mac))

    def record(self, connection: Connection, mac: str, table: Table) -> PhoneRecord | None:
        """Return a phone's record by what the customer's database has found of it; None if it has no row. Raise NotReady.

        The phone keeps the keys of its record, since whatever they are derived from is only on the controller.
        """
        rows = [*table.rows]
        if not rows:
            return None
        stored = connection.execute(select(PhoneRow.variables, PhoneRow.redirect).where(PhoneRow.mac == mac)).first()
        if stored is None:
            raise NotReady("it was removed just now")
        if len(rows) > 1:
            raise NotReady("there is more than one row of it")
        keys = {name: key for name, key in json.loads(stored.variables).items() if name in KEYS}
        try:
            row = self._rows.read(table.columns, rows[0])
            if row.problem:
                raise NotReady(row.problem)
            variables = row.variables if KEYS[0] in row.variables else {**row.variables, **keys}
            phone = self._reader.read(row.name, variables)
            problems = self._publisher.check(phone)
        except (PhoneError, RowsError) as error:
            raise NotReady(str(error)) from error
        if problems:
            raise NotReady("; ".join(problems))
        return record_of(variables, phone, self._publisher, stored.redirect, self._salt)

    def make(self, connection: Connection, mac: str, parameters: Mapping[str, Any] | None = None) -> tuple[Profile, ...]:
        """Generate all profiles of a phone, with further *parameters*; raise NotReady."""
        phone = self.read(connection, mac, parameters)
        try:
            problems = self._publisher.check(phone)
            if problems:
                raise NotReady("; ".join(problems))
            return tuple(self._profile(file) for file in _live_files(self._publisher.files(phone)))
        except (PhoneError, SealingError) as error:
            raise NotReady(str(error)) from error

    def _profile(self, file: File) -> Profile:
        content = file.content()
        # Keyed, since the preprovision profile's content is secret and its ETag appears in logs
        etag = hashlib.blake2b(content, key=self._salt.encode(), digest_size=16).hexdigest()
        method, key, _digest, _packed = file.protection
        encoding = Sealing.AES128GCM.value if method == Sealing.AES128GCM else ""
        return Profile(file.kind, key_id(key) if key else "", encoding, content, etag)


def _live_files(files: Sequence[File]) -> Sequence[File]:
    """Return the files of a phone that the service makes: not those that only the unit itself is shown by TFTP.

    If a phone has no others, the first is its profile, and the rest are for its model.
    """
    return [file for file in files if not file.path.startswith(f"{UNITS}/")] or files[:1]


_SETTINGS = ("publication", "families", "templates", "salt", "groups")
"""Settings that profiles depend on: Publisher's Settings, the user's own families, templates by name, the salt of ETags, and what
rows of a customer's database share.
"""
