# SPDX-License-Identifier: GPL-3.0-or-later
"""What phones request and send: profiles, reports and remote customization, at the paths that the settings name."""

from __future__ import annotations

from typing import cast

from flask import Blueprint, Flask, Response, current_app, request
from flask.blueprints import BlueprintSetupState
from sqlalchemy.exc import SQLAlchemyError

from ..domain.publishing.files import CONTENT_ENCODING
from ..domain.publishing.post_rules import parameters_for, read_fields, read_post_rules
from ..domain.publishing.settings import ProfileKind
from ..profile_cache import KnownPhone, NotReady, ProfileCache
from ..store.connection import engine_of
from ..store.faults import explain
from .access_log import logged
from .client import client_identity
from .customization import customization
from .delivery import Answer, Delivery, ProfileRequest
from .paths import CONVERTERS, flask_rule
from .reports import FORM, StoredReport, find_phone, report, store_report

blueprint = Blueprint("provisioning", __name__)

_UPLOADS = ["POST", "PUT"]


@blueprint.record
def _set_up(state: BlueprintSetupState) -> None:
    """Listen at the paths that the settings name."""
    app = cast(Flask, state.app)
    config = app.config
    app.url_map.converters.update(CONVERTERS)
    app.extensions["phones"] = ProfileCache(int(config["CACHE_SIZE"]))
    app.extensions["engine"] = engine_of(app.extensions["sessions"])
    app.extensions["purged"] = 0.0
    app.extensions["post_rules"] = read_post_rules(config["POST_RULES"])
    app.extensions["delivery"] = app.wsgi_app = Delivery(app)  # type: ignore[method-assign]
    app.register_error_handler(SQLAlchemyError, _database_error)
    service = flask_rule(str(config["PROFILE_PATH"]))
    app.add_url_rule(service, "provisioning.service", _service, defaults={"coding": False}, methods=_UPLOADS)
    coded = service + CONTENT_ENCODING
    app.add_url_rule(coded, "provisioning.service_coded", _service, defaults={"coding": True}, methods=_UPLOADS)
    app.add_url_rule(flask_rule(str(config["DEVICE_PATH"])), "provisioning.device", _device, methods=_UPLOADS)
    app.add_url_rule(flask_rule(str(config["REPORT_PATH"])), "provisioning.report", report, methods=_UPLOADS)
    app.add_url_rule(str(config["CUSTOMIZATION_PATH"]), "provisioning.customization", customization, methods=["GET", "POST"])


def _service(mac: str, coding: bool, key: str = "") -> Response:
    return _post(mac, ProfileKind.SERVICE, key, coding)


def _device(mac: str, key: str = "") -> Response:
    return _post(mac, ProfileKind.PREPROVISION, key, False)


def _post(mac: str, kind: str, key: str, coding: bool) -> Response:
    """Store the body as a report, and answer the profile if POST asked for it (``--post``)."""
    client = client_identity()
    wanted = ProfileRequest(client, request.method, request.path, mac, kind, key, coding)
    answer: Answer = current_app.extensions["delivery"].answer(wanted)
    if answer.kind == "profile" and answer.status in (200, 503):
        known = find_phone(mac)
        stored = store_report(client, mac, known) if known else None
        # A client without proof may ask for a sealed profile with POST, but may not report
        if isinstance(stored, Response) and (request.method == "PUT" or stored.status_code != 403):
            return stored
        if request.method == "PUT":
            return Response(status=200)
        if known and isinstance(stored, StoredReport) and stored.proved and answer.status == 200:
            answer = _shaped(answer, wanted, known, stored.plain)
    response = Response(answer.body, answer.status, answer.headers)
    # Flask would make a Location absolute that it takes for a relative one
    response.autocorrect_location_header = False
    return logged(client, answer.kind, mac, response, **answer.detail)


def _shaped(answer: Answer, wanted: ProfileRequest, known: KnownPhone, body: bytes) -> Answer:
    """Return *answer* with the parameters that the phone gets by what it says in *body*; unchanged if there are none."""
    rules = current_app.extensions["post_rules"]
    if not rules or wanted.kind != ProfileKind.SERVICE:
        return answer
    parameters = parameters_for(rules, read_fields(body, request.mimetype == FORM))
    if not parameters:
        return answer
    try:
        shaped: Answer | None = current_app.extensions["delivery"].shaped(wanted, known, parameters)
    except NotReady as error:
        # A profile without them is better than none
        return answer._replace(detail={**answer.detail, "reason": f"profile_service_post_rules: {error}"})
    return shaped._replace(detail={**shaped.detail, "shaped": ", ".join(parameters)}) if shaped else answer


def _database_error(error: SQLAlchemyError) -> Response:
    current_app.logger.error("%s", explain(error, current_app.extensions["engine"]).text)
    return Response(status=503)
