# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators are those of the playbook, and sessions survive."""

from __future__ import annotations

import pytest
from preprovision_service.cli.accounts import set_operators
from preprovision_service.store.tables import Operator
from sqlalchemy import select
from werkzeug.security import check_password_hash

FIRST = {"anna": "a password of hers", "ben": "a password of his"}


def stored(app):
    with app.extensions["sessions"]() as session:
        return dict(session.execute(select(Operator.name, Operator.password)).all())


@pytest.mark.usefixtures("slow_hashes")
def test_stores_passwords_as_slow_hashes(app):
    set_operators(app.extensions["sessions"], {"anna": FIRST["anna"]}, keep=False)
    hashed = stored(app)["anna"]
    assert hashed.startswith("pbkdf2:sha256:600000$")
    assert check_password_hash(hashed, FIRST["anna"])


def test_sets_the_operators(app):
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
