# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask before an older version is installed: ``python3 -m preprovision_service.cli.usable REVISION``.

REVISION is the newest that the older version knows. Prints a sentence, and ends with status 3, if the tables are too new for it.
A database that does not answer says nothing about that.
"""

from __future__ import annotations

import sys

from sqlalchemy.exc import SQLAlchemyError

from ..settings import read_settings
from ..store.connection import engine_of, open_database
from ..store.faults import REVISIONS, fault_of_revision, is_newer

TOO_NEW = 3


def main() -> None:
    """Ask the database."""
    newest = sys.argv[1]
    known = [revision for revision in REVISIONS if revision <= newest]
    try:
        with engine_of(open_database(str(read_settings()["DATABASE"]))).connect() as connection:
            fault = fault_of_revision(connection, known) if is_newer(connection, known) else None
    except SQLAlchemyError:
        return
    if fault:
        print(fault.text)
        sys.exit(TOO_NEW)


if __name__ == "__main__":
    main()
