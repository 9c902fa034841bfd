# SPDX-License-Identifier: GPL-3.0-or-later
"""Upgrade the database's tables before the service starts: ``python3 -m preprovision_service.cli.migrate``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy.engine import Engine

from ..app import application
from ..domain.common.database_faults import Case
from ..http.reports import purge
from ..settings import read_settings
from ..store.copies import ask_for_healing
from ..store.faults import HEALING, explained, fault_of_revision, file_of
from ..store.tables import engine_of, open_database

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
    engine = engine_of(open_database(str(read_settings()["DATABASE"]), create=True))
    path = file_of(engine)
    if path and (not os.path.exists(path) or not os.path.getsize(path)) and ask_for_healing(path):
        # An empty one would hide that it was deleted
        sys.exit(f"the database {path} was deleted or emptied. {HEALING}")
    with explained(engine):
        refuse_newer(engine)
        upgrade(engine)
        purge(application())


def refuse_newer(engine: Engine) -> None:
    """End with a sentence if the tables are of a revision that this version does not know: alembic would not say what to do."""
    with engine.connect() as connection:
        fault = fault_of_revision(connection)
    if fault and fault.case is Case.TOO_NEW:
        sys.exit(fault.text)


if __name__ == "__main__":
    main()
