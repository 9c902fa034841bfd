# SPDX-License-Identifier: GPL-3.0-or-later
"""Upgrade the database's tables before the service starts: ``python3 -m preprovision_service.cli.migrate``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError

from ..app import application
from ..http.reports import purge
from ..settings import read_settings
from ..store.connection import Reading, engine_of, is_away, open_database
from ..store.copies import ask_for_healing
from ..store.faults import HEALING, explain, explained, fault_of_revision, file_of, is_newer, is_usable

MIGRATIONS = Path(__file__).parents[1] / "store" / "migrations"


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Upgrade the tables to *revision*, in one transaction."""
    with engine.connect() as connection:
        command.upgrade(configuration(connection), revision)


def configuration(connection: object) -> Config:
    """Return alembic's configuration for a connection."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def main() -> None:
    """Upgrade the tables, and delete old reports."""
    url = str(read_settings()["DATABASE"])
    engine = engine_of(open_database(url, create=True))
    path = file_of(engine)
    if path and (not os.path.exists(path) or not os.path.getsize(path)) and ask_for_healing(path):
        # An empty one would hide that it was deleted
        sys.exit(f"the database {path} was deleted or emptied. {HEALING}")
    with explained(engine):
        try:
            prepare(engine)
        except DBAPIError as error:
            if not is_away(error) or not Reading(engine, url).read(is_usable):
                raise
            sys.stderr.write(f"starts with a standby: {explain(error, engine).text}\n")
        else:
            purge(application())


def prepare(engine: Engine) -> None:
    """Upgrade the tables. Leave newer ones that this version can use, and end with a sentence if it cannot."""
    with engine.connect() as connection:
        newer = is_newer(connection)
        fault = fault_of_revision(connection) if newer else None
    if fault:
        sys.exit(fault.text)
    if not newer:
        upgrade(engine)


if __name__ == "__main__":
    main()
