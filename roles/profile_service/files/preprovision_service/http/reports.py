# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports that phones send by POST or PUT: as they are, sealed with the phone's key, or as a form."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import parse_qs
from xml.parsers import expat

from flask import Flask, Response, current_app, request
from sqlalchemy import delete, insert, select
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from ..clock import now
from ..domain.phones.phone import Phone
from ..domain.profiles.sealing.aes128gcm import decrypt_content
from ..domain.profiles.sealing.compression import decompress, is_compressed
from ..domain.profiles.sealing.model import Digest, Sealing, SealingError
from ..domain.profiles.sealing.openssl_enc import is_sealed, unseal
from ..profile_cache import KnownPhone, NotReady, ProfileCache
from ..store.connection import Reading
from ..store.faults import explain
from ..store.tables import Report
from .access_log import logged, refuse
from .client import ClientIdentity, client_identity

FORM = "application/x-www-form-urlencoded"
_MAX_FIELDS = 100
_HOUR = 3600


def report(mac: str, key: str = "") -> Response:
    """Store a report."""
    purge_hourly(current_app)
    stored = store_report(client_identity(), mac, find_phone(mac))
    return Response(status=200) if isinstance(stored, StoredReport) else stored


def find_phone(mac: str) -> KnownPhone | None:
    """Return the phone with this MAC address, or None."""
    phones: ProfileCache = current_app.extensions["phones"]
    reading: Reading = current_app.extensions["reading"]

    def find(engine: Engine) -> KnownPhone | None:
        with engine.connect() as connection:
            return phones.find(connection, mac)

    return reading.read(find)


class StoredReport(NamedTuple):
    """A report that was stored."""

    plain: bytes
    proved: bool
    """Whether the phone's certificate or its key says that it is the phone's."""


def store_report(client: ClientIdentity, mac: str, known: KnownPhone | None) -> Response | StoredReport:
    """Store the request's body as a report of the phone *mac*; return it, or the answer that refuses it.

    Without certificate or key, the answer does not tell whether the phone exists, and neither does the work that it takes.
    """
    limit = int(current_app.config["REPORT_SIZE"])
    body = read_body(limit)
    if body is None:
        return logged(client, "report", mac, Response(status=413), reason=f"more than {limit} bytes")
    owner = client.owns(mac)
    try:
        plain, sealed = _unsealed(body, known)
    except (NotReady, SealingError, ValueError) as error:
        return _reject(client, mac, 400 if owner and known else 403, str(error))
    if not sealed and not owner and (known is None or current_app.config["REPORT_ACCESS"] == "proved"):
        return refuse(client, mac)
    if known is None:
        return logged(client, "report", mac, Response(status=404), reason="no such phone")
    try:
        plain = decompress(plain, limit) if is_compressed(plain) else plain
        _check(plain, sealed)
    except (SealingError, ValueError) as error:
        return _reject(client, mac, 400, str(error))
    _insert(client, mac, owner, plain, sealed)
    logged(client, "report", mac, Response(status=200), sealed=sealed, bytes=len(plain))
    return StoredReport(plain, sealed or owner)


def _reject(client: ClientIdentity, mac: str, status: int, reason: str) -> Response:
    return logged(client, "report", mac, Response(status=status), reason=reason)


def _insert(client: ClientIdentity, mac: str, owner: bool, plain: bytes, sealed: bool) -> None:
    """Store a report, and delete the phone's oldest beyond REPORT_KEEP."""
    row = {
        "mac": mac,
        "time": now(),
        "address": client.address,
        "agent": client.agent,
        "subject": client.subject if owner else "",
        "content_type": request.headers.get("Content-Type", "")[:255],
        "sealed": int(sealed),
        "body": plain,
    }
    with current_app.extensions["engine"].begin() as connection:
        connection.execute(insert(Report), row)
        newest = select(Report.id).where(Report.mac == mac).order_by(Report.id.desc())
        oldest_kept = connection.scalar(newest.offset(int(current_app.config["REPORT_KEEP"]) - 1).limit(1))
        if oldest_kept is not None:
            connection.execute(delete(Report).where(Report.mac == mac, Report.id < oldest_kept))


def read_body(limit: int) -> bytes | None:
    """Return the request's body, or None if it has more than *limit* bytes."""
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


def _unsealed(body: bytes, known: KnownPhone | None) -> tuple[bytes, bool]:
    """Return the report as it was before it was sealed with the phone's key, and whether it was; raise SealingError or NotReady."""
    if not is_sealed(body) and request.headers.get("Content-Encoding", "") != Sealing.AES128GCM:
        return body, False
    cache = current_app.extensions["phones"]
    with current_app.extensions["engine"].connect() as connection:
        # Another phone's keys are tried in vain for an unknown one, so that both take as long
        tried = known or cache.any_phone(connection)
        phone = cache.read(connection, tried) if tried else None
    plain = next(_attempts(body, phone), None) if phone else None
    if plain is None or known is None:
        raise SealingError("it is sealed, but not with the phone's key")
    return plain, True


def _attempts(body: bytes, phone: Phone) -> Iterator[bytes]:
    """Yield what the phone's keys unseal of *body*."""
    digests = dict.fromkeys((phone.model.family.digest or Digest.SHA256, *Digest))
    for key in filter(None, (phone.key, phone.previous_key)):
        if not is_sealed(body):
            with suppress(SealingError, ValueError):
                yield decrypt_content(body, key.encode())
            continue
        for digest in digests:
            try:
                plain = unseal(body, key, digest)
                # The older way of sealing is not authenticated: a wrong key yields rubbish, not XML
                _check(decompress(plain) if is_compressed(plain) else plain, True)
            except (SealingError, ValueError):
                continue
            yield plain


def _check(plain: bytes, is_xml: bool) -> None:
    """Raise ValueError unless a report can be stored. XML must be well-formed, without a document type and so without entities."""
    if is_xml or plain.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        parser = expat.ParserCreate()
        parser.StartDoctypeDeclHandler = _refuse_doctype
        try:
            parser.Parse(plain, True)
        except expat.ExpatError as error:
            raise ValueError(f"it is not well-formed XML: {expat.ErrorString(error.code)}") from error
    elif request.mimetype == FORM:
        try:
            parse_qs(plain.decode("ascii"), max_num_fields=_MAX_FIELDS)
        except ValueError as error:
            raise ValueError(f"it is not a form in ASCII with at most {_MAX_FIELDS} fields") from error


def _refuse_doctype(*_declared: object) -> None:
    raise ValueError("it has a document type declaration, which no phone needs")


def purge(app: Flask) -> None:
    """Delete the reports that are older than REPORT_DAYS."""
    before = int((time.time() - int(app.config["REPORT_DAYS"]) * 24 * _HOUR) * 1000)
    with app.extensions["engine"].begin() as connection:
        connection.execute(delete(Report).where(Report.time < before))
    app.extensions["purged"] = time.monotonic()


def purge_hourly(app: Flask) -> None:
    """Delete old reports, unless that was done within the last hour."""
    last = app.extensions["purged"]
    if last and time.monotonic() - last < _HOUR:
        return
    app.extensions["purged"] = time.monotonic()
    try:
        purge(app)
    except SQLAlchemyError as error:
        app.logger.warning("cannot delete old reports: %s", explain(error, app.extensions["engine"]).text)
