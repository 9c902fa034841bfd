# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may work with the board, as the playbook says: ``python3 -m preprovision_service.accounts [--check]``.

Reads JSON from standard input, name -> password; says ``changed`` when operators were (with --check: would be) added, removed or
given another password.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping

from sqlalchemy import delete, select
from sqlalchemy.orm import Session, sessionmaker
from werkzeug.security import check_password_hash

from .database import Operator, open_database
from .operators import hash_password
from .web import read_config


def set_operators(sessions: sessionmaker[Session], wanted: Mapping[str, str], keep: bool) -> bool:
    """Make *wanted*, name -> password, the operators; with *keep* change nothing. Return whether anything differs.

    A password that is right already keeps its hash, and so whoever is logged in with it.
    """
    with sessions() as session:
        stored = {row.name: str(row.password) for row in session.execute(select(Operator.name, Operator.password))}
        changed = [name for name, text in wanted.items() if name not in stored or not check_password_hash(stored[name], text)]
        gone = [name for name in stored if name not in wanted]
        if not keep:
            session.execute(delete(Operator).where(Operator.name.in_([*gone, *changed])))
            session.add_all(Operator(name=name, password=hash_password(wanted[name])) for name in changed)
            session.commit()
    return bool(changed or gone)


if __name__ == "__main__":
    config = read_config()
    if set_operators(open_database(str(config["DATABASE"])), json.load(sys.stdin), "--check" in sys.argv[1:]):
        sys.stdout.write("changed\n")
