# SPDX-License-Identifier: GPL-3.0-or-later
"""The customer's own database, asked for a phone's row when the phone asks for its profile.

Its last good answer is the phone's record in our database, so that all servers go on with it while the customer's database is away,
slow, or says something that no profile can be made of. The next publication finds the record as it would write it itself.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Mapping
from threading import local
from typing import Any, NamedTuple

from sqlalchemy import update
from sqlalchemy.engine import Engine
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from .domain.common.mac import Mac
from .domain.phones.row_database import RowDatabase, RowDatabaseError
from .profile_cache import KnownPhone, NotReady, ProfileCache
from .store.faults import explain
from .store.sync import COLUMNS, INVENTORY
from .store.tables import Phone

ANSWER_SECONDS = 2.0
"""How long a phone waits for the customer's database, besides as long again for a new connection."""
PAUSE_SECONDS = 30.0
"""For so long, a database that did not answer is not asked again: other phones need not wait, too."""


class Asked(NamedTuple):
    """What came of asking."""

    changed: bool = False
    """Whether the phone's record is another one now."""
    problem: str = ""
    """A sentence on why the last good answer counts; empty if nothing is wrong."""


class LiveRows:
    """Keeps phones' records as the customer's database has them."""

    def __init__(self, settings: Mapping[str, Any], engine: Engine, cache: ProfileCache) -> None:
        """*settings*: url, query and password of the customer's database; raise RowDatabaseError. *engine*: of our own."""
        self._settings = settings
        self._engine = engine
        self._cache = cache
        self._local = local()
        self._again = 0.0
        # Whatever is wrong with the settings is said when the service starts
        self._open()

    def refresh(self, known: KnownPhone) -> Asked:
        """Ask for the row of a phone, and store what it says."""
        if time.monotonic() < self._again:
            return Asked()
        try:
            if not hasattr(self._local, "database"):
                self._local.database = self._open()
            table = self._local.database.find(Mac(known.mac))
        except RowDatabaseError as error:
            self._again = time.monotonic() + PAUSE_SECONDS
            return Asked(problem=f"the phones' database is not asked for {PAUSE_SECONDS:.0f} seconds: {error}")
        try:
            with self._engine.connect() as connection:
                record = self._cache.record(connection, known, table)
        except NotReady as error:
            return Asked(problem=f"its row in the phones' database cannot be used: {error}")
        except SQLAlchemyError as error:
            return Asked(problem=f"the phones' database was asked in vain: {explain(error, self._engine).text}")
        if record is None:
            return Asked(problem="the phones' database has no row of it; it keeps its profile until profiles are published")
        if record["version"] == known.version:
            return Asked()
        return self._store(known, {column: record[column] for column in COLUMNS})  # type: ignore[literal-required]

    def _store(self, known: KnownPhone, values: Mapping[str, Any]) -> Asked:
        # Only over what was compared: the playbook may have written another record meanwhile
        statement = update(Phone).where(Phone.mac == known.mac, Phone.version == known.version, Phone.source == INVENTORY)
        try:
            with self._engine.begin() as connection:
                return Asked(changed=connection.execute(statement.values(values)).rowcount == 1)
        except IntegrityError:
            return Asked(problem="its row in the phones' database cannot be used: another phone has its name")
        except SQLAlchemyError as error:
            return Asked(problem=f"its row in the phones' database cannot be stored: {explain(error, self._engine).text}")

    def _open(self) -> RowDatabase:
        """Return the database for one thread."""
        given = self._settings
        more = {}
        if given["url"].startswith("postgresql"):
            # The driver is installed only where a database is on a server
            patient = importlib.import_module(".store.patience", __package__)
            more["connection_factory"] = patient.connection_class(ANSWER_SECONDS)
        return RowDatabase(given["url"], given.get("query", ""), given.get("password", ""), ANSWER_SECONDS, more)
