# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators of the board: passwords, sessions, and protection against requests forged by other sites."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict

from flask import Response, current_app, request, session
from flask.sessions import SecureCookieSessionInterface
from sqlalchemy import and_, case, delete, func, or_, select, text
from sqlalchemy.orm import Session
from werkzeug.security import check_password_hash, generate_password_hash

from ..clock import MINUTE, now
from ..store.tables import BoardSession, LoginFailure, Operator
from ..store.turns import begin_to_write

METHOD = "pbkdf2:sha256:600000"
"""Every werkzeug since Debian 12 can check it."""

SHIFT = 12 * 60 * MINUTE
"""A login ends after this many milliseconds."""

MAX_SESSIONS = 20
"""An operator's sessions; one more ends the oldest."""

WINDOW = 10 * MINUTE
PER_NAME = 5
"""After so many wrong passwords for one name from one address within WINDOW, the name has to wait there."""
PER_ADDRESS = 20
"""The same for all names together."""

# HTTP Basic passwords that each worker remembers as right
_MAX_KNOWN = 64

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self';"
        " base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Headers of every response, unless it sets its own."""


class LoginRefused(Exception):
    """Wrong name or password, or too many attempts: *wait* is the number of seconds until the next one, or 0."""

    def __init__(self, wait: int = 0) -> None:
        super().__init__("too many wrong passwords; try again in a few minutes" if wait else "wrong name or password")
        self.wait = wait


class SessionInterface(SecureCookieSessionInterface):
    """Sessions whose cookie is only sent over HTTPS once it was set over HTTPS."""

    def get_cookie_secure(self, app: object) -> bool:
        """Return whether the cookie is marked as Secure."""
        return request.is_secure or bool(current_app.config["SESSION_COOKIE_SECURE"])


def hash_password(password: str) -> str:
    """Return the hash of *password* for the table of operators."""
    return generate_password_hash(password, method=METHOD, salt_length=16)


def log_in(database: Session, name: str, password: str, address: str) -> None:
    """Start a session for *name*, in place of the browser's earlier one; raise LoginRefused."""
    stored = check_login(database, name, password, address)
    moment, number = now(), secrets.token_urlsafe(32)
    ended = or_(BoardSession.id == _stored_id(), BoardSession.since <= moment - SHIFT, BoardSession.since > moment)
    database.execute(delete(BoardSession).where(ended))
    oldest_kept = select(BoardSession.since).where(BoardSession.operator == name).order_by(BoardSession.since.desc())
    too_old = database.scalar(oldest_kept.offset(MAX_SESSIONS - 1).limit(1))
    if too_old is not None:
        database.execute(delete(BoardSession).where(BoardSession.operator == name, BoardSession.since <= too_old))
    session.clear()
    session.update(id=number, token=secrets.token_urlsafe(24))
    database.add(BoardSession(id=_stored_id(), operator=name, since=moment, proof=_proof(stored)))
    database.commit()


def log_out(database: Session) -> None:
    """End the request's session; its cookie opens nothing any more."""
    database.execute(delete(BoardSession).where(BoardSession.id == _stored_id()))
    database.commit()
    session.clear()


def check_login(database: Session, name: str, password: str, address: str) -> str:
    """Return the stored hash that *password* matches; raise LoginRefused.

    An attempt counts as a wrong one until it has proved to be right, so that of many at once no more are checked than one by one.
    """
    attempt = _count_attempt(database, name[:64], address)
    stored = database.scalar(select(Operator.password).where(Operator.name == name))
    # Nobody waits for a transaction while the slow hash is computed
    database.rollback()
    if not check_password_hash(stored or _unknown_operator_hash(), password) or not stored:
        raise LoginRefused
    mine = and_(LoginFailure.address == address, LoginFailure.name == name[:64], LoginFailure.id <= attempt)
    database.execute(delete(LoginFailure).where(mine))
    database.commit()
    return str(stored)


def _count_attempt(database: Session, name: str, address: str) -> int:
    """Store an attempt, unless there were too many; return its number. One attempt is counted after the other, by all workers."""
    database.rollback()
    begin_to_write(database.connection())
    if database.connection().dialect.name != "sqlite":
        # Readers go on
        database.execute(text("LOCK TABLE login_failures IN SHARE ROW EXCLUSIVE MODE"))
    moment = now()
    # Those of a clock that was ahead count no longer either
    gone = or_(LoginFailure.time <= moment - WINDOW, LoginFailure.time > moment + WINDOW)
    database.execute(delete(LoginFailure).where(gone))
    by_name = func.coalesce(func.sum(case((LoginFailure.name == name, 1), else_=0)), 0)
    here, named = database.execute(select(func.count(), by_name).where(LoginFailure.address == address)).one()
    if here >= PER_ADDRESS or named >= PER_NAME:
        database.rollback()
        raise LoginRefused(WINDOW // 1000)
    attempt = LoginFailure(time=moment, address=address, name=name)
    database.add(attempt)
    database.flush()
    number = int(attempt.id)
    database.commit()
    return number


def from_session(database: Session) -> str:
    """Return the operator of the request's session, or an empty string.

    A session ends at logout, after SHIFT, and when the operator's password changes.
    """
    if "id" not in session:
        return ""
    columns = (BoardSession.operator, BoardSession.since, BoardSession.proof, Operator.password)
    found = database.execute(
        select(*columns).join(Operator, Operator.name == BoardSession.operator).where(BoardSession.id == _stored_id())
    ).first()
    if found is None or not 0 <= now() - found.since < SHIFT:
        return ""
    return str(found.operator) if hmac.compare_digest(found.proof, _proof(found.password)) else ""


def _stored_id() -> str:
    """Return the ID under which the request's session is stored: whoever reads the database cannot make a cookie of it."""
    return hashlib.sha256(str(session.get("id", "")).encode()).hexdigest()


def from_basic(database: Session, address: str) -> str:
    """Return the operator who is authenticated by HTTP Basic, or an empty string without it; raise LoginRefused."""
    given = request.authorization
    if given is None or given.type != "basic":
        return ""
    name, password = given.username or "", given.password or ""
    stored = database.scalar(select(Operator.password).where(Operator.name == name)) or ""
    # The hash is slow on purpose, so passwords that matched are remembered, as keyed digests
    known: OrderedDict[bytes, None] = current_app.extensions.setdefault("known_passwords", OrderedDict())
    mark = hmac.digest(_secret(), f"{name}\0{password}\0{stored}".encode(), hashlib.sha256)
    if not stored or mark not in known:
        check_login(database, name, password, address)
        known[mark] = None
        while len(known) > _MAX_KNOWN:
            known.popitem(last=False)
    return name


def is_insecure() -> bool:
    """Return whether the request came over plain HTTP although passwords and cookies need HTTPS."""
    return request.headers.get("X-Forwarded-Proto") == "http" and bool(current_app.config["SESSION_COOKIE_SECURE"])


def token() -> str:
    """Return the session's token, which forms must send back; create it if there is none yet."""
    if "token" not in session:
        session["token"] = secrets.token_urlsafe(24)
    return str(session["token"])


def is_valid_token(given: str) -> bool:
    """Return whether *given* is the session's token, which pages of other sites cannot know."""
    return hmac.compare_digest(given.encode(), session.get("token", "").encode()) and bool(given)


def protect(response: Response) -> Response:
    """Add HEADERS, so that a browser loads nothing from elsewhere."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _unknown_operator_hash() -> str:
    """Return a hash that no password matches, so that response times do not reveal which operators exist."""
    return f"{METHOD}$0123456789abcdef${'0' * 64}"


def _proof(stored: str) -> str:
    return hmac.new(_secret(), stored.encode(), hashlib.sha256).hexdigest()[:32]


def _secret() -> bytes:
    return str(current_app.config["SECRET_KEY"]).encode()
