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
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs
from xml.parsers import expat

from flask import Blueprint, Flask, Response, current_app, request
from flask.blueprints import BlueprintSetupState
from sqlalchemy import delete, insert, select
from sqlalchemy.exc import SQLAlchemyError
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
from .phones import Known, NotReady, Phones, Profile
from .web import Asking, asking

blueprint = Blueprint("provisioning", __name__)

CODING = ".aes128gcm"
_OWNER = re.compile(OWNER_PATTERN, re.IGNORECASE)
_MACRO = re.compile(r"\$MAU?(?![A-Z])|" + re.escape(KEY_ID))
_FORM = "application/x-www-form-urlencoded"
_MOST_FIELDS = 100
_HOUR = 3600


class _MacConverter(BaseConverter):
    regex = "[0-9a-fA-F]{12}"

    def to_python(self, value: str) -> str:
        return value.lower()


class _KeyConverter(BaseConverter):
    regex = "[0-9a-f]{8}"


@blueprint.record
def _set_up(state: BlueprintSetupState) -> None:
    """Listen where the settings say."""
    app = state.app
    config = app.config
    app.url_map.converters.update(profile_mac=_MacConverter, profile_key=_KeyConverter)
    app.extensions["phones"] = Phones(int(config["CACHE_SIZE"]))
    app.extensions["engine"] = engine_of(app.extensions["sessions"])
    app.extensions["purged"] = 0.0
    both = ["GET", "POST", "PUT"]
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


def _service(mac: str, coding: bool, key: str = "") -> Response:
    who = asking()
    if current_app.config["PROFILE_ACCESS"] != "sealed" and not _owns(who, mac):
        return _refuse(who, mac)
    return _profile(who, mac, SERVICE, key, coding)


def _device(mac: str, key: str = "") -> Response:
    who = asking()
    # Before anything is looked up, so that nobody learns which phones there are
    return _profile(who, mac, PREPROVISION, key, False) if _owns(who, mac) else _refuse(who, mac)


def _profile(who: Asking, mac: str, kind: str, key: str, coding: bool) -> Response:
    """Answer with a profile, and keep what a phone has sent along (``--post``)."""
    phones: Phones = current_app.extensions["phones"]
    _purge_sometimes()
    with current_app.extensions["engine"].connect() as connection:
        known = phones.find(connection, mac)
        if known is None:
            return _answer(who, "profile", mac, Response(status=404), reason="no such phone")
        try:
            made = _choose(phones.profiles(connection, known), kind, key, coding)
        except NotReady as error:
            made, reason = None, str(error)
        else:
            reason = "" if made else "it has no such profile"
    if (made is None or not made.sealed) and not _owns(who, mac):
        # A phone whose file is not there, or not sealed, has to show who it is
        return _answer(who, "profile", mac, Response(status=404), reason=reason) if made is None else _refuse(who, mac)
    if known.redirect:
        return _answer(who, "redirect", mac, _sent_on(known), location=shown_urls(known.redirect))
    if request.method in ("POST", "PUT"):
        refused = _take_report(who, known)
        # Who cannot prove to be the phone may ask with POST for what is sealed, but not tell anything
        if refused is not None and (request.method == "PUT" or refused.status_code != 403):
            return refused
        if request.method == "PUT":
            return Response(status=200)
    if made is None:
        # Not 404, which counts as a success where Resync_Fails_On_FNF is No
        return _answer(who, "profile", mac, Response(status=503), reason=reason)
    response = Response(made.content, mimetype="application/octet-stream")
    response.headers["Cache-Control"] = "private, no-cache"
    if made.coding:
        response.headers["Content-Encoding"] = made.coding
    response.set_etag(made.etag)
    if request.if_none_match and request.method != "POST":
        response.make_conditional(request)
    return _answer(who, "profile", mac, response, what=kind, etag=made.etag)


def _choose(profiles: tuple[Profile, ...], kind: str, key: str, coding: bool) -> Profile | None:
    """Return what the path asks for. Without a key in it, that is what the phone still expects, which leads it to the new key."""
    fitting = [profile for profile in profiles if profile.kind == kind]
    if coding:
        fitting = [profile for profile in fitting if profile.coding]
    if key:
        fitting = [profile for profile in fitting if (profile.key or "0" * 8) == key]
    return fitting[-1] if fitting else None


def _sent_on(known: Known) -> Response:
    """Send the phone to another server. A URL that ends with / gets the name of the file that was asked for."""
    mac = Mac(known.mac)
    target = expand(known.redirect, {"MA": mac.plain, "MAU": mac.upper, "MAC": mac.colon})
    if target.endswith("/"):
        target += request.path.rpartition("/")[2]
    response = Response(status=int(current_app.config["REDIRECT_STATUS"]))
    # As it is: Flask would make what it takes for a relative address absolute
    response.autocorrect_location_header = False
    response.headers["Location"] = target
    return response


# -- reports


def _report(mac: str, key: str = "") -> Response:
    """Keep a report."""
    who = asking()
    _purge_sometimes()
    with current_app.extensions["engine"].connect() as connection:
        known = current_app.extensions["phones"].find(connection, mac)
    if known is None:
        if not _owns(who, mac):
            return _refuse(who, mac, "report")
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
            return _refuse(who, known.mac, "report")
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


def _purge_sometimes() -> None:
    app = current_app
    last = app.extensions["purged"]
    if last and time.monotonic() - last < _HOUR:
        return
    app.extensions["purged"] = time.monotonic()
    try:
        purge(app._get_current_object())  # type: ignore[attr-defined]
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


def _refuse(who: Asking, mac: str, kind: str = "profile") -> Response:
    reasons = {"": "not by HTTPS", "NONE": "no client certificate", "SUCCESS": "the client certificate of another phone"}
    return _answer(who, kind, mac, Response(status=403), reason=reasons.get(who.verify, "a client certificate that is not valid"))


def _answer(who: Asking, kind: str, mac: str, response: Response, **detail: object) -> Response:
    """Tell in one line what is answered to whom, and return it."""
    line = {
        "kind": kind,
        "time": int(time.time() * 1000),
        # Whoever is refused may name any phone
        "claim" if response.status_code in (403, 404) else "mac": mac,
        "address": who.address,
        "method": request.method,
        "path": request.path[:256],
        "status": response.status_code,
        "agent": who.agent,
        "verify": who.verify,
        "subject": who.subject,
        **{name: value for name, value in detail.items() if value != ""},
    }
    print(json.dumps(line), flush=True)
    return response
