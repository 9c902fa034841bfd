# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings the database's tables up to date before the service starts: ``python3 -m preprovision_service.migrate``."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy.engine import Engine

from .database import engine_of
from .provisioning import purge
from .web import application


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring the tables to *revision*. One transaction: what is interrupted has not begun."""
    with engine.connect() as connection:
        command.upgrade(configuration(connection), revision)


def configuration(connection: object) -> Config:
    """Return alembic's settings for a connection."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    config.attributes["connection"] = connection
    return config


def main() -> None:
    """Migrate, and forget the reports that are too old."""
    app = application()
    upgrade(engine_of(app.extensions["sessions"]))
    purge(app)


if __name__ == "__main__":
    main()
