# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators are as the playbook says, and who is logged in stays so."""

from __future__ import annotations

from preprovision_service.accounts import set_operators
from preprovision_service.database import Operator
from sqlalchemy import select
from werkzeug.security import check_password_hash

FIRST = {"anna": "a password of hers", "ben": "a password of his"}


def stored(app):
    with app.extensions["sessions"]() as session:
        return dict(session.execute(select(Operator.name, Operator.password)).all())


def test_operators_are_what_is_wanted(app):
    sessions = app.extensions["sessions"]
    assert set_operators(sessions, FIRST, keep=True)
    assert stored(app) == {}
    assert set_operators(sessions, FIRST, keep=False)
    before = stored(app)
    assert all(check_password_hash(before[name], password) for name, password in FIRST.items())
    assert not set_operators(sessions, FIRST, keep=False)
    assert stored(app) == before
    assert set_operators(sessions, {"anna": FIRST["anna"], "carl": "a third password"}, keep=False)
    after = stored(app)
    assert set(after) == {"anna", "carl"}
    assert after["anna"] == before["anna"]
    assert set_operators(sessions, {"anna": "another password"}, keep=False)
    assert stored(app)["anna"] != before["anna"]
    assert set_operators(sessions, {}, keep=False)
    assert stored(app) == {}
