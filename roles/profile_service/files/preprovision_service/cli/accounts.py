# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the board's operators those in the playbook: ``python3 -m preprovision_service.cli.accounts [--check]``.

Reads JSON from standard input, name -> password; prints ``changed`` if operators were (with --check: would be) added, removed or
given another password.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session, sessionmaker
from werkzeug.security import check_password_hash

from ..http.auth import hash_password
from ..settings import read_settings
from ..store.connection import engine_of, open_database
from ..store.faults import explained
from ..store.tables import Operator
from ..store.turns import take_turn


def set_operators(sessions: sessionmaker[Session], wanted: Mapping[str, str], keep: bool) -> bool:
    """Make *wanted*, name -> password, the operators; with *keep* change nothing. Return whether anything differs.

    A password that is right already keeps its hash, so its operator stays logged in.
    """
    with sessions() as session:
        stored = {row.name: str(row.password) for row in session.execute(select(Operator.name, Operator.password))}
        changed = [name for name, text in wanted.items() if name not in stored or not check_password_hash(stored[name], text)]
        gone = [name for name in stored if name not in wanted]
        if (changed or gone) and not keep:
            # Hashes are slow on purpose, so nobody waits for them
            new = [Operator(name=name, password=hash_password(wanted[name])) for name in changed]
            session.rollback()
            take_turn(session.connection())
            session.execute(delete(Operator).where(or_(Operator.name.in_(changed), Operator.name.not_in(list(wanted)))))
            session.add_all(new)
            session.commit()
    return bool(changed or gone)


def main() -> None:
    """Set the operators, and print whether anything changed."""
    sessions = open_database(str(read_settings()["DATABASE"]))
    with explained(engine_of(sessions)):
        if set_operators(sessions, json.load(sys.stdin), "--check" in sys.argv[1:]):
            sys.stdout.write("changed\n")


if __name__ == "__main__":
    main()
