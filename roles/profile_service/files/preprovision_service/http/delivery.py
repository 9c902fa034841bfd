# SPDX-License-Identifier: GPL-3.0-or-later
"""GET and HEAD of profiles, answered ahead of Flask, which takes three times as long.

Access: a preprovision profile, which tells the phone its key, is only for the phone with its own certificate, and not here at all
for a phone that gets it by TFTP: otherwise its key could be fetched at any time. A service profile
that is sealed with the phone's own key is for anyone, unless PROFILE_ACCESS asks for the certificate too; one that is not sealed is
only for the phone itself. A phone treats 404 as a file that does not exist, and any other refusal as a failure to be retried.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from flask import Flask
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.http import HTTP_STATUS_CODES

from ..domain.common.mac import Mac
from ..domain.common.redaction import redact_urls
from ..domain.profiles.macros import expand
from ..domain.publishing.settings import ProfileKind
from ..live_rows import LiveRows
from ..profile_cache import KnownPhone, NotReady, PhoneFinder, Profile, ProfileCache
from ..store.connection import Reading
from ..store.faults import explain
from .access_log import Exchange, log_exchange
from .client import ClientIdentity
from .paths import profile_pattern
from .reports import purge_hourly

_NO_SUCH_PROFILE = "no such profile"
"""The phone has no profile of this kind here: it gets its preprovision profile by TFTP."""


class ProfileRequest(NamedTuple):
    """A request for one of a phone's profiles."""

    client: ClientIdentity
    method: str
    path: str
    mac: str
    kind: str
    key: str = ""
    """Key ID in the path, or empty."""
    coding: bool = False
    """Whether the path asks for RFC 8188."""


class Answer(NamedTuple):
    """An answer to a request for a profile."""

    kind: str
    """``profile`` or ``redirect``."""
    status: int
    headers: list[tuple[str, str]]
    body: bytes
    detail: dict[str, str]
    """What is logged of it."""


class Delivery:
    """A WSGI application that answers GET and HEAD of profiles, and passes everything else on to Flask."""

    def __init__(self, app: Flask) -> None:
        config = app.config
        self._reading: Reading = app.extensions["reading"]
        self._cache: ProfileCache = app.extensions["phones"]
        self._finder = PhoneFinder(self._reading.primary)
        self._open = config["PROFILE_ACCESS"] == "sealed"
        self._rows = LiveRows(config["ROWS"], self._reading.primary, self._cache) if config["ROWS"] else None
        self._redirect_status = int(config["REDIRECT_STATUS"])
        self._flask = app.wsgi_app
        self._app = app
        paths = ((ProfileKind.PREPROVISION, str(config["DEVICE_PATH"])), (ProfileKind.SERVICE, str(config["PROFILE_PATH"])))
        self._patterns = [(kind, profile_pattern(path, kind == ProfileKind.SERVICE)) for kind, path in paths]

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer a request."""
        if environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            for kind, pattern in self._patterns:
                match = pattern.fullmatch(environ["PATH_INFO"])
                if match:
                    return self._get(environ, start_response, kind, match)
        answer: Iterable[bytes] = self._flask(environ, start_response)
        return answer

    def _get(self, environ: dict[str, Any], start_response: Any, kind: str, match: re.Match[str]) -> Iterable[bytes]:
        found = match.groupdict()
        client = ClientIdentity.from_environ(environ)
        method, path, mac = environ["REQUEST_METHOD"], environ["PATH_INFO"], found["mac"].lower()
        purge_hourly(self._app)
        answer = self.answer(ProfileRequest(client, method, path, mac, kind, found.get("key") or "", bool(found.get("coding"))))
        status, headers, body = answer.status, answer.headers, answer.body
        if status == 200 and _matches(environ.get("HTTP_IF_NONE_MATCH", ""), answer.detail["etag"]):
            status, body = 304, b""
        else:
            headers = [*headers, ("Content-Length", str(len(body)))]
        log_exchange(client, Exchange(answer.kind, mac, method, path, status), answer.detail)
        start_response(f"{status} {HTTP_STATUS_CODES[status]}", headers)
        return [] if method == "HEAD" else [body]

    def shaped(self, wanted: ProfileRequest, known: KnownPhone, parameters: Mapping[str, Any]) -> Answer | None:
        """Return the answer to a phone that has proved itself, with *parameters* in its profile; None if that has no such file.

        Raise NotReady if the phone cannot have these parameters.
        """

        def make(engine: Engine) -> tuple[Profile, ...]:
            with engine.connect() as connection:
                return self._cache.shaped(connection, known, wanted.kind, parameters)

        profile = _choose(self._reading.read(make), wanted.key, wanted.coding)
        return _deliver(profile) if profile else None

    def answer(self, wanted: ProfileRequest) -> Answer:
        """Return the answer to a request, with the profile as of now."""
        owner = wanted.client.owns(wanted.mac)
        if not owner and (wanted.kind == ProfileKind.PREPROVISION or not self._open):
            # Before any lookup, so that a refusal does not reveal which phones exist
            return _error(403, wanted.client.refusal)
        try:
            known, profile, reason, problem = self._find(wanted)
        except SQLAlchemyError as error:
            return _error(503, explain(error, self._reading.primary).text)
        if known is None:
            return _error(404, "no such phone")
        if not owner and profile is None:
            return _error(404, reason)
        if not owner and profile is not None and not profile.sealed:
            # Anyone could read it, so it is only for the phone itself
            return _error(403, wanted.client.refusal)
        if known.redirect:
            target = _redirect_target(known, wanted.path)
            return Answer("redirect", self._redirect_status, [("Location", target)], b"", {"location": redact_urls(target)})
        if profile is None:
            # Not 404 if it should exist, since that counts as a success where Resync_Fails_On_FNF is No
            return _error(404 if reason == _NO_SUCH_PROFILE else 503, reason)
        answer = _deliver(profile)
        return answer._replace(detail={**answer.detail, "rows": problem}) if problem else answer

    def _find(self, wanted: ProfileRequest) -> tuple[KnownPhone | None, Profile | None, str, str]:
        """Return what _look_up() does, by the phone's row of now, and what is wrong with that, if anything."""
        known, profile, reason = self._reading.read(lambda engine: self._look_up(engine, wanted))
        # Whoever guesses names has the customer's database asked nothing; a standby cannot keep its answer
        if (
            self._rows is None
            or known is None
            or profile is None
            or wanted.kind != ProfileKind.SERVICE
            or self._reading.from_standby
        ):
            return known, profile, reason, ""
        asked = self._rows.refresh(known)
        if asked.problem:
            self._app.logger.warning("%s: %s", known.mac, asked.problem)
        if asked.changed:
            known, profile, reason = self._reading.read(lambda engine: self._look_up(engine, wanted))
        return known, profile, reason, asked.problem

    def _look_up(self, engine: Engine, wanted: ProfileRequest) -> tuple[KnownPhone | None, Profile | None, str]:
        """Return the phone and its profile, or None for what there is not, and the reason."""
        known = self._finder.find(wanted.mac, engine)
        return (known, *self._profile(engine, known, wanted)) if known else (None, None, "")

    def _profile(self, engine: Engine, known: KnownPhone, wanted: ProfileRequest) -> tuple[Profile | None, str]:
        """Return the profile that is asked for, or None and the reason why there is none."""
        try:
            profiles = self._cache.cached(known, wanted.kind)
            if profiles is None:
                with engine.connect() as connection:
                    profiles = self._cache.profiles(connection, known, wanted.kind)
        except NotReady as error:
            return None, str(error)
        return _choose(profiles, wanted.key, wanted.coding), "it has no such profile" if profiles else _NO_SUCH_PROFILE


def _error(status: int, reason: str) -> Answer:
    return Answer("profile", status, [], b"", {"reason": reason})


def _deliver(profile: Profile) -> Answer:
    headers = [
        ("Content-Type", "application/octet-stream"),
        ("Cache-Control", "private, no-cache"),
        ("ETag", f'"{profile.etag}"'),
        *([("Content-Encoding", profile.coding)] if profile.coding else []),
    ]
    return Answer("profile", 200, headers, profile.content, {"what": profile.kind, "etag": profile.etag})


def _matches(tags: str, etag: str) -> bool:
    """Return whether an If-None-Match header names the ETag."""
    return bool(tags) and (tags.strip() == "*" or f'"{etag}"' in [tag.strip().removeprefix("W/") for tag in tags.split(",")])


def _choose(profiles: Iterable[Profile], key: str, coding: bool) -> Profile | None:
    """Return the profile that a path names; without a key ID, the one with the old key, which leads the phone to the new one."""
    fitting = [profile for profile in profiles if (profile.coding or not coding) and (not key or (profile.key or "0" * 8) == key)]
    return fitting[-1] if fitting else None


def _redirect_target(known: KnownPhone, path: str) -> str:
    """Return the URL that a phone is redirected to; one that ends with / gets the requested file's name."""
    mac = Mac(known.mac)
    target = expand(known.redirect, {"MA": mac.plain, "MAU": mac.upper, "MAC": mac.colon})
    return target + path.rpartition("/")[2] if target.endswith("/") else target
