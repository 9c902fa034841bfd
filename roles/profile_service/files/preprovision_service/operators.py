# SPDX-License-Identifier: GPL-3.0-or-later
"""Who works with the board: passwords, sessions, and what keeps others' pages from acting in an operator's name."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict

from flask import Response, current_app, request, session
from flask.sessions import SecureCookieSessionInterface
from sqlalchemy import case, delete, func, select
from sqlalchemy.orm import Session
from werkzeug.security import check_password_hash, generate_password_hash

from .clock import MINUTE, now
from .database import LoginFailure, Operator

METHOD = "pbkdf2:sha256:600000"
"""The one that every werkzeug can check, from that of Debian 12 on."""

SHIFT = 12 * 60 * MINUTE
"""How long a login holds."""

WINDOW = 10 * MINUTE
PER_NAME = 5
"""Wrong passwords for one name from one address within WINDOW, after which the name waits there."""
PER_ADDRESS = 20
"""The same for all names from one address."""

_NOBODY = f"{METHOD}$0123456789abcdef${'0' * 64}"
# What is checked where there is no such operator, so that the time of an answer does not tell names
_KNOWN = 64
# Passwords of HTTP Basic that each worker remembers as right

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
"""What every answer carries that does not say otherwise."""


class LoginRefused(Exception):
    """The password is wrong, or it is too early to try again: *wait* says for how many seconds."""

    def __init__(self, wait: int = 0) -> None:
        super().__init__("too many wrong passwords; wait some minutes" if wait else "the name or the password is wrong")
        self.wait = wait


class SessionInterface(SecureCookieSessionInterface):
    """Cookies that go by HTTPS alone once they came by HTTPS."""

    def get_cookie_secure(self, app: object) -> bool:
        """Tell whether the cookie is marked as for HTTPS alone."""
        return request.is_secure or bool(current_app.config["SESSION_COOKIE_SECURE"])


def hash_password(password: str) -> str:
    """Return what the table of operators holds for *password*."""
    return generate_password_hash(password, method=METHOD, salt_length=16)


def log_in(database: Session, name: str, password: str, address: str) -> None:
    """Begin a session for *name*; raise LoginRefused."""
    stored = check_login(database, name, password, address)
    session.clear()
    session.update(operator=name, since=now(), proof=_proof(stored), token=secrets.token_urlsafe(24))


def check_login(database: Session, name: str, password: str, address: str) -> str:
    """Return the hash that *password* fits; raise LoginRefused, and count it."""
    moment = now()
    mine = LoginFailure.name == name[:64]
    failed = database.execute(
        select(func.count(), func.sum(case((mine, 1), else_=0))).where(
            LoginFailure.address == address, LoginFailure.time > moment - WINDOW
        )
    ).one()
    if failed[0] >= PER_ADDRESS or (failed[1] or 0) >= PER_NAME:
        raise LoginRefused(WINDOW // 1000)
    stored = database.scalar(select(Operator.password).where(Operator.name == name))
    if check_password_hash(stored or _NOBODY, password) and stored:
        if failed[1]:
            database.execute(delete(LoginFailure).where(LoginFailure.address == address, mine))
            database.commit()
        return str(stored)
    database.execute(delete(LoginFailure).where(LoginFailure.time <= moment - WINDOW))
    database.add(LoginFailure(time=moment, address=address, name=name[:64]))
    database.commit()
    raise LoginRefused


def from_session(database: Session) -> str:
    """Return the operator whose session the request belongs to; empty for none. A changed password ends it."""
    name = session.get("operator")
    if not name or not 0 <= now() - session.get("since", 0) < SHIFT:
        return ""
    stored = database.scalar(select(Operator.password).where(Operator.name == name))
    return name if stored and hmac.compare_digest(session.get("proof", ""), _proof(stored)) else ""


def from_basic(database: Session, address: str) -> str:
    """Return the operator whose password the request carries by HTTP Basic; empty for none. Raise LoginRefused."""
    given = request.authorization
    if given is None or given.type != "basic":
        return ""
    name, password = given.username or "", given.password or ""
    stored = database.scalar(select(Operator.password).where(Operator.name == name)) or ""
    # The hash is slow on purpose; what it has found right is remembered in a form that nobody can reverse either
    known: OrderedDict[bytes, None] = current_app.extensions.setdefault("known_passwords", OrderedDict())
    mark = hmac.digest(_secret(), f"{name}\0{password}\0{stored}".encode(), hashlib.sha256)
    if not stored or mark not in known:
        check_login(database, name, password, address)
        known[mark] = None
        while len(known) > _KNOWN:
            known.popitem(last=False)
    return name


def came_in_clear() -> bool:
    """Tell whether nginx says that the request did not come by HTTPS, though passwords and cookies must."""
    return request.headers.get("X-Forwarded-Proto") == "http" and bool(current_app.config["SESSION_COOKIE_SECURE"])


def token() -> str:
    """Return what forms must send back, made where the session has none yet."""
    if "token" not in session:
        session["token"] = secrets.token_urlsafe(24)
    return str(session["token"])


def is_own_form(given: str) -> bool:
    """Tell whether *given* is the session's token, which pages of others cannot know."""
    return hmac.compare_digest(given.encode(), session.get("token", "").encode()) and bool(given)


def protect(response: Response) -> Response:
    """Say what a browser may do with the answer: nothing that it does not hold itself."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _proof(stored: str) -> str:
    return hmac.new(_secret(), stored.encode(), hashlib.sha256).hexdigest()[:32]


def _secret() -> bytes:
    return str(current_app.config["SECRET_KEY"]).encode()
