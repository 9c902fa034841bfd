# SPDX-License-Identifier: GPL-3.0-or-later
"""What phones ask for and send: profiles, reports, and where they belong.

Who may have what: a device profile, which tells the phone its key, only the phone with its own certificate; a service profile that
is sealed with the phone's own key anybody, unless PROFILE_ACCESS asks for the certificate too; one that is not sealed, again only
the phone itself. A phone treats 404 as a file that is not there, and any other refusal as a failure that it retries.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, cast
from urllib.parse import parse_qs
from xml.parsers import expat

from flask import Blueprint, Flask, Response, current_app, request
from flask.blueprints import BlueprintSetupState
from sqlalchemy import delete, insert, select
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.http import HTTP_STATUS_CODES
from werkzeug.routing import BaseConverter

from .database import Report, engine_of
from .domain.mac import Mac, MacError, parse_mac
from .domain.macros import expand
from .domain.phone import Phone
from .domain.profile import shown_urls
from .domain.publication import KEY_ID, PREPROVISION, SERVICE
from .domain.sealing import (
    DIGESTS,
    SealingError,
    decompress,
    decrypt_content,
    is_compressed,
    is_sealed,
    unseal,
)
from .domain.web_access import OWNER_PATTERN
from .phones import Finder, Known, NotReady, Phones, Profile
from .web import Asking, asking

blueprint = Blueprint("provisioning", __name__)

CODING = ".aes128gcm"
_OWNER = re.compile(OWNER_PATTERN, re.IGNORECASE)
_MACRO = re.compile(r"\$MAU?(?![A-Z])|" + re.escape(KEY_ID))
_FORM = "application/x-www-form-urlencoded"
_MOST_FIELDS = 100
_HOUR = 3600
_encode = json.JSONEncoder().encode


class _MacConverter(BaseConverter):
    regex = "[0-9a-fA-F]{12}"

    def to_python(self, value: str) -> str:
        return value.lower()


class _KeyConverter(BaseConverter):
    regex = "[0-9a-f]{8}"


@blueprint.record
def _set_up(state: BlueprintSetupState) -> None:
    """Listen where the settings say."""
    app = cast(Flask, state.app)
    config = app.config
    app.url_map.converters.update(profile_mac=_MacConverter, profile_key=_KeyConverter)
    app.extensions["phones"] = Phones(int(config["CACHE_SIZE"]))
    app.extensions["engine"] = engine_of(app.extensions["sessions"])
    app.extensions["purged"] = 0.0
    app.extensions["delivery"] = app.wsgi_app = Delivery(app)  # type: ignore[method-assign]
    app.register_error_handler(SQLAlchemyError, _unanswered)
    both = ["POST", "PUT"]
    for number, rule in enumerate(_rules(str(config["PROFILE_PATH"]))):
        options: dict[str, Any] = {"defaults": {"coding": rule.endswith(CODING)}, "methods": both}
        app.add_url_rule(rule, f"provisioning.service{number}", _service, **options)
    for number, rule in enumerate(_rules(str(config["DEVICE_PATH"]))[:1]):
        app.add_url_rule(rule, f"provisioning.device{number}", _device, methods=both)
    app.add_url_rule(_rules(str(config["REPORT_PATH"]))[0], "provisioning.report", _report, methods=["POST", "PUT"])
    app.add_url_rule(str(config["CUSTOMIZATION_PATH"]), "provisioning.customization", _customization, methods=["GET", "POST"])


def _rules(path: str) -> list[str]:
    """Return the rules for a path with macros: as it is, and for RFC 8188, which phones find by the end of the name."""
    rule = _MACRO.sub(lambda match: "<profile_key:key>" if match[0] == KEY_ID else "<profile_mac:mac>", path)
    return [rule, rule + CODING]


# -- profiles


class Answer(NamedTuple):
    """What is answered to a phone that asks for a profile."""

    kind: str
    status: int
    headers: list[tuple[str, str]]
    body: bytes
    detail: dict[str, str]
    """What is told of it."""


class Delivery:
    """Answers GET and HEAD of profiles ahead of Flask, which takes three times as long; hands on everything else."""

    def __init__(self, app: Flask) -> None:
        config = app.config
        self._engine = app.extensions["engine"]
        self._phones: Phones = app.extensions["phones"]
        self._finder = Finder(self._engine)
        self._open = config["PROFILE_ACCESS"] == "sealed"
        self._redirect = int(config["REDIRECT_STATUS"])
        self._below = app.wsgi_app
        self._app = app
        patterns = ((PREPROVISION, str(config["DEVICE_PATH"])), (SERVICE, str(config["PROFILE_PATH"])))
        self._patterns = [(kind, _pattern(path, kind == SERVICE)) for kind, path in patterns]

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Be a WSGI application."""
        method = environ["REQUEST_METHOD"]
        if method in ("GET", "HEAD"):
            for kind, pattern in self._patterns:
                match = pattern.fullmatch(environ["PATH_INFO"])
                if match:
                    return self._get(environ, start_response, kind, match)
        answer: Iterable[bytes] = self._below(environ, start_response)
        return answer

    def _get(self, environ: dict[str, Any], start_response: Any, kind: str, match: re.Match[str]) -> Iterable[bytes]:
        found = match.groupdict()
        who = Asking(
            environ.get("HTTP_X_PREPROVISION_ADDRESS", ""),
            environ.get("HTTP_USER_AGENT", "")[:512],
            environ.get("HTTP_X_PREPROVISION_VERIFY", ""),
            environ.get("HTTP_X_PREPROVISION_SUBJECT", "")[:1024],
        )
        mac = found["mac"].lower()
        _purge_sometimes(self._app)
        answer = self.answer(who, mac, kind, found.get("key") or "", bool(found.get("coding")), environ["PATH_INFO"])
        status, headers, body = answer.status, answer.headers, answer.body
        if status == 200 and _has_it(environ.get("HTTP_IF_NONE_MATCH", ""), answer.detail["etag"]):
            status, body = 304, b""
        else:
            headers = [*headers, ("Content-Length", str(len(body)))]
        _tell(who, answer.kind, mac, environ["REQUEST_METHOD"], environ["PATH_INFO"], status, answer.detail)
        start_response(f"{status} {HTTP_STATUS_CODES[status]}", headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    def answer(self, who: Asking, mac: str, kind: str, key: str, coding: bool, path: str) -> Answer:
        """Return what *who* gets that asks for this profile of the phone *mac*."""
        owner = _owns(who, mac)
        if not owner and (kind == PREPROVISION or not self._open):
            # Before anything is looked up, so that nobody learns which phones there are
            return _refused(who)
        made: Profile | None = None
        reason = "it has no such profile"
        try:
            known = self._finder.find(mac)
        except SQLAlchemyError as error:
            return _no_database(error)
        if known is None:
            return Answer("profile", 404, [], b"", {"reason": "no such phone"})
        try:
            profiles = self._phones.kept(known, kind)
            if profiles is None:
                with self._engine.connect() as connection:
                    profiles = self._phones.profiles(connection, known, kind)
            made = _choose(profiles, key, coding)
        except NotReady as error:
            reason = str(error)
        except SQLAlchemyError as error:
            return _no_database(error)
        if made is None and not owner:
            return Answer("profile", 404, [], b"", {"reason": reason})
        if made is not None and not made.sealed and not owner:
            # What everybody could read is for the phone itself
            return _refused(who)
        if known.redirect:
            target = _target(known, path)
            return Answer("redirect", self._redirect, [("Location", target)], b"", {"location": shown_urls(target)})
        if made is None:
            # Not 404, which counts as a success where Resync_Fails_On_FNF is No
            return Answer("profile", 503, [], b"", {"reason": reason})
        headers = [("Content-Type", "application/octet-stream"), ("Cache-Control", "private, no-cache"), ("ETag", f'"{made.etag}"')]
        if made.coding:
            headers.append(("Content-Encoding", made.coding))
        return Answer("profile", 200, headers, made.content, {"what": kind, "etag": made.etag})


def _pattern(path: str, coded: bool) -> re.Pattern[str]:
    """Return what a path with macros looks like; *coded*: also for RFC 8188, which phones find by the end of the name."""
    parts = re.split(f"({_MACRO.pattern})", path)
    macros = {KEY_ID: f"(?P<key>{_KeyConverter.regex})"}
    text = "".join(
        macros.get(part, f"(?P<mac>{_MacConverter.regex})") if number % 2 else re.escape(part) for number, part in enumerate(parts)
    )
    return re.compile(text + (f"(?P<coding>{re.escape(CODING)})?" if coded else ""))


def _has_it(tags: str, etag: str) -> bool:
    """Tell whether a header If-None-Match names what there is."""
    return bool(tags) and (tags.strip() == "*" or f'"{etag}"' in [tag.strip().removeprefix("W/") for tag in tags.split(",")])


def _choose(fitting: Iterable[Profile], key: str, coding: bool) -> Profile | None:
    """Return what the path asks for. Without a key in it, that is what the phone still expects, which leads it to the new key."""
    if coding:
        fitting = [profile for profile in fitting if profile.coding]
    if key:
        fitting = [profile for profile in fitting if (profile.key or "0" * 8) == key]
    *_others, last = None, *fitting
    return last


def _target(known: Known, path: str) -> str:
    """Return the URL that a phone is sent to. One that ends with / gets the name of the file that was asked for."""
    mac = Mac(known.mac)
    target = expand(known.redirect, {"MA": mac.plain, "MAU": mac.upper, "MAC": mac.colon})
    return target + path.rpartition("/")[2] if target.endswith("/") else target


def _service(mac: str, coding: bool, key: str = "") -> Response:
    return _post(mac, SERVICE, key, coding)


def _device(mac: str, key: str = "") -> Response:
    return _post(mac, PREPROVISION, key, False)


def _post(mac: str, kind: str, key: str, coding: bool) -> Response:
    """Keep what a phone tells, and answer the profile if it has asked for that with POST (``--post``)."""
    who = asking()
    answer: Answer = current_app.extensions["delivery"].answer(who, mac, kind, key, coding, request.path)
    if answer.kind == "profile" and answer.status in (200, 503):
        with current_app.extensions["engine"].connect() as connection:
            known = current_app.extensions["phones"].find(connection, mac)
        refused = _take_report(who, known) if known else None
        # Who cannot prove to be the phone may ask with POST for what is sealed, but not tell anything
        if refused is not None and (request.method == "PUT" or refused.status_code != 403):
            return refused
        if request.method == "PUT":
            return Response(status=200)
    response = Response(answer.body, answer.status, answer.headers)
    # As it is: Flask would make what it takes for a relative address absolute
    response.autocorrect_location_header = False
    return _answer(who, answer.kind, mac, response, **answer.detail)


# -- reports


def _report(mac: str, key: str = "") -> Response:
    """Keep a report."""
    who = asking()
    _purge_sometimes(current_app)
    with current_app.extensions["engine"].connect() as connection:
        known = current_app.extensions["phones"].find(connection, mac)
    if known is None:
        if not _owns(who, mac):
            return _refuse(who, mac)
        return _answer(who, "report", mac, Response(status=404), reason="no such phone")
    return _take_report(who, known) or Response(status=200)


def _take_report(who: Asking, known: Known) -> Response | None:
    """Keep what was sent; return an answer that refuses it, if it is refused."""
    limit = int(current_app.config["REPORT_SIZE"])
    body = _body(limit)
    if body is None:
        return _answer(who, "report", known.mac, Response(status=413), reason=f"more than {limit} bytes")
    owner = _owns(who, known.mac)
    try:
        plain, sealed = _opened(body, known, limit)
        if not sealed and not owner and current_app.config["REPORT_ACCESS"] == "proved":
            return _refuse(who, known.mac)
        _check(plain, sealed)
    except (NotReady, SealingError, ValueError) as error:
        return _answer(who, "report", known.mac, Response(status=400), reason=str(error))
    with current_app.extensions["engine"].begin() as connection:
        connection.execute(
            insert(Report),
            {
                "mac": known.mac,
                "time": int(time.time() * 1000),
                "address": who.address,
                "agent": who.agent,
                "subject": who.subject if owner else "",
                "content_type": request.headers.get("Content-Type", "")[:255],
                "sealed": int(sealed),
                "body": plain,
            },
        )
        newest = select(Report.id).where(Report.mac == known.mac).order_by(Report.id.desc())
        oldest_kept = connection.scalar(newest.offset(int(current_app.config["REPORT_KEEP"]) - 1).limit(1))
        if oldest_kept is not None:
            connection.execute(delete(Report).where(Report.mac == known.mac, Report.id < oldest_kept))
    _answer(who, "report", known.mac, Response(status=200), sealed=sealed, bytes=len(plain))
    return None


def _body(limit: int) -> bytes | None:
    """Return what was sent, or nothing if that is too much."""
    if (request.content_length or 0) > limit:
        return None
    parts: list[bytes] = []
    size = 0
    while part := request.stream.read(min(65536, limit + 1 - size)):
        parts.append(part)
        size += len(part)
        if size > limit:
            return None
    return b"".join(parts)


def _opened(body: bytes, known: Known, limit: int) -> tuple[bytes, bool]:
    """Return what was sent in the clear, and whether it was sealed with the phone's key; raise SealingError or NotReady."""
    sealed = is_sealed(body) or request.headers.get("Content-Encoding", "") == CODING[1:]
    if sealed:
        with current_app.extensions["engine"].connect() as connection:
            phone = current_app.extensions["phones"].read(connection, known)
        plain = next(_attempts(body, phone), None)
        if plain is None:
            raise SealingError("it is sealed, but not with the phone's key")
        body = plain
    return (decompress(body, limit) if is_compressed(body) else body), sealed


def _attempts(body: bytes, phone: Phone) -> Iterator[bytes]:
    digests = dict.fromkeys((phone.model.family.digest or DIGESTS[-1], *DIGESTS))
    for key in (phone.key, phone.previous_key):
        if not key:
            continue
        ways = (
            [(unseal, (body, key, digest)) for digest in digests] if is_sealed(body) else [(decrypt_content, (body, key.encode()))]
        )
        for open_it, arguments in ways:
            try:
                plain: bytes = open_it(*arguments)
                # The older way of sealing is not authenticated: what a wrong key yields is no XML
                if is_sealed(body):
                    _check(decompress(plain) if is_compressed(plain) else plain, True)
            except (SealingError, ValueError):
                continue
            yield plain


def _check(plain: bytes, is_xml: bool) -> None:
    """Raise ValueError unless what was sent can be kept. XML must be well-formed, without a document type and so entities."""
    form = request.mimetype == _FORM
    if is_xml or plain.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        parser = expat.ParserCreate()
        parser.StartDoctypeDeclHandler = _refuse_doctype
        try:
            parser.Parse(plain, True)
        except expat.ExpatError as error:
            raise ValueError(f"it is not well-formed XML: {expat.ErrorString(error.code)}") from error
    elif form:
        try:
            parse_qs(plain.decode("ascii"), max_num_fields=_MOST_FIELDS)
        except ValueError as error:
            raise ValueError("it is no form that a phone sends") from error


def _refuse_doctype(*_declared: object) -> None:
    raise ValueError("it has a document type declaration, which no phone needs")


def purge(app: Flask) -> None:
    """Forget the reports that are too old."""
    before = int((time.time() - int(app.config["REPORT_DAYS"]) * 24 * _HOUR) * 1000)
    with engine_of(app.extensions["sessions"]).begin() as connection:
        connection.execute(delete(Report).where(Report.time < before))
    app.extensions["purged"] = time.monotonic()


def _purge_sometimes(app: Flask) -> None:
    last = app.extensions["purged"]
    if last and time.monotonic() - last < _HOUR:
        return
    app.extensions["purged"] = time.monotonic()
    try:
        purge(app)
    except SQLAlchemyError as error:
        app.logger.warning("old reports could not be taken away: %s", type(error).__name__)


# -- remote customization


def _customization() -> Response:
    """Answer the provisioning URL of the customer that a unit belongs to, or nothing, with 200 in either case."""
    who = asking()
    given = request.args.to_dict()
    if request.method == "POST" and request.mimetype == _FORM:
        body = _body(4096)
        if body is None:
            return _answer(who, "redirect", "", Response(status=413), reason="more than 4096 bytes")
        given.update({name: texts[-1] for name, texts in parse_qs(body.decode("ascii", "replace")).items()})
    lower = {name.lower(): text for name, text in given.items()}
    url = mac = reason = ""
    try:
        mac = parse_mac(lower.get("mac", "")).plain
    except MacError:
        return _answer(who, "redirect", "", Response(status=400), reason="mac is missing, or no MAC address")
    with current_app.extensions["engine"].connect() as connection:
        known = current_app.extensions["phones"].find(connection, mac)
    if known is None:
        reason = "no such phone"
    elif not _same_model(lower.get("model", ""), known.model):
        reason = f"it is a {known.model}"
    else:
        url = known.provisioning_url
        reason = "" if url else "its customer has no provisioning URL"
    response = Response(url, mimetype="text/plain")
    return _answer(who, "redirect", mac, response, reason=reason, location=shown_urls(url), model=lower.get("model", "")[:64])


def _same_model(given: str, model: str) -> bool:
    """Tell whether a unit's model is the one in the inventory; phones say it with and without maker and firmware line."""
    given, model = (re.sub(r"^CISCO[-/ ]?|^CP-|-(MPP|3PCC)$", "", text.strip().upper()) for text in (given, model))
    return re.sub(r"^CP-", "", given) == re.sub(r"^CP-", "", model)


# -- answers


def _owns(who: Asking, mac: str) -> bool:
    """Tell whether the certificate that nginx has verified is that of the phone."""
    return who.verify == "SUCCESS" and _OWNER.match(f"SUCCESS:/device/{mac}.cfg:{who.subject}") is not None


def _no_database(error: SQLAlchemyError) -> Answer:
    return Answer("profile", 503, [], b"", {"reason": f"the database does not answer: {type(error).__name__}"})


def _refused(who: Asking) -> Answer:
    reasons = {"": "not by HTTPS", "NONE": "no client certificate", "SUCCESS": "the client certificate of another phone"}
    return Answer("profile", 403, [], b"", {"reason": reasons.get(who.verify, "a client certificate that is not valid")})


def _refuse(who: Asking, mac: str) -> Response:
    """Refuse a report."""
    return _answer(who, "report", mac, Response(status=403), **_refused(who).detail)


def _answer(who: Asking, kind: str, mac: str, response: Response, **detail: object) -> Response:
    """Tell in one line what is answered to whom, and return it."""
    _tell(who, kind, mac, request.method, request.path, response.status_code, detail)
    return response


def _tell(who: Asking, kind: str, mac: str, method: str, path: str, status: int, detail: Mapping[str, object]) -> None:
    line = {
        "kind": kind,
        "time": int(time.time() * 1000),
        # Whoever is refused may name any phone
        "claim" if status in (403, 404) else "mac": mac,
        "address": who.address,
        "method": method,
        "path": path[:256],
        "status": status,
        "agent": who.agent,
        "verify": who.verify,
        "subject": who.subject,
    }
    line.update({name: value for name, value in detail.items() if value != ""})
    print(_encode(line), flush=True)


def _unanswered(error: SQLAlchemyError) -> Response:
    """Answer for a database that does not."""
    current_app.logger.error("the database does not answer: %s", type(error).__name__)
    return Response(status=503)
