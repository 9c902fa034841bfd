# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of the server and its phones for Prometheus. They name no phone; nginx lets only private addresses ask for them.

Format: https://prometheus.io/docs/instrumenting/exposition_formats/. Everything is read anew at each request, so all workers
say the same. While the database is away, only what it holds is missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from flask import Flask, Response, current_app
from sqlalchemy import case, func, select
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from ..clock import now
from ..domain.certificates.chain import read_certificates
from ..domain.certificates.requests import CertificateError
from ..domain.events.logs.log_lines import EventKind
from ..store.connection import Reading
from ..store.faults import fault_of_revision
from ..store.filters import Filter
from ..store.queries import count_phones
from ..store.tables import Event, Phone

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PREFIX = "preprovision_"
CONTACT_SECONDS = (3600, 86_400, 604_800, 2_592_000)
"""Ages of the last call home by which phones are counted: an hour, a day, a week, 30 days."""
REFUSED_SECONDS = 3600
REFUSED_STATUS = (403, 404, 429, 503)
NEWEST_EVENTS = 10_000
"""Only so many are searched for refusals, so that a request costs the same however many there are."""

QUEUE = Path("/var/lib/preprovision-events/events.qi")
"""Where rsyslogd notes its queue after each line. The queue's own file stays until it is full, whatever was stored of it."""
PUBLISHED = Path("/srv/preprovision/current")
CERTIFICATE = Path("/etc/preprovision/certificates/server.pem")
DRAINED = {"draining": Path("/run/preprovision-web/drain"), "closed": Path("/run/preprovision-web/closed")}
"""State -> the file that nginx looks for."""
CHANGING = {"changing": Path("/run/preprovision-web/changing")}

_OF_REQUESTS = (EventKind.HTTP.value, EventKind.PROFILE.value, EventKind.REPORT.value, EventKind.REDIRECT.value)
_MILLISECONDS = 1000
# rsyslog's own form: name, type, length and value
_QUEUED = re.compile(r"^\+iQueueSize:\d+:\d+:(\d+):$", re.MULTILINE)


class Metric(NamedTuple):
    """A gauge, with one value for each set of labels."""

    name: str
    text: str
    samples: Mapping[tuple[tuple[str, str], ...], float]

    def lines(self) -> Iterator[str]:
        """Yield its lines. No label of ours needs escapes."""
        yield f"# HELP {PREFIX}{self.name} {self.text}"
        yield f"# TYPE {PREFIX}{self.name} gauge"
        for labels, value in self.samples.items():
            named = ",".join(f'{name}="{of}"' for name, of in labels)
            yield f"{PREFIX}{self.name}{{{named}}} {value:.10g}" if named else f"{PREFIX}{self.name} {value:.10g}"


def set_up(app: Flask) -> None:
    """Answer ``/metrics``."""
    app.add_url_rule("/metrics", "metrics", _metrics)


def _metrics() -> Response:
    found = [*_of_machine(), *_of_database()]
    return Response("".join(f"{line}\n" for metric in found for line in metric.lines()), content_type=CONTENT_TYPE)


def _plain(name: str, text: str, value: float) -> Metric:
    return Metric(name, text, {(): value})


def _labelled(name: str, text: str, label: str, values: Mapping[str, float] | Mapping[int, float]) -> Metric:
    return Metric(name, text, {((label, str(of)),): value for of, value in values.items()})


def _of_machine() -> Iterator[Metric]:
    states = {**DRAINED, **CHANGING}
    # The last that is there, as nginx has it
    here = next((state for state, path in reversed(states.items()) if path.exists()), "serving")
    yield _labelled(
        "state",
        "Whether phones are served: 1 for the state that counts.",
        "state",
        {of: float(of == here) for of in ("serving", *states)},
    )
    with suppress(OSError):
        queued = _QUEUED.search(QUEUE.read_text("ascii", "replace"))
        if queued:
            yield _plain("events_queued", "Log lines that wait for the database.", int(queued[1]))
    with suppress(OSError):
        yield _plain("publication_timestamp_seconds", "When the published files changed last.", PUBLISHED.lstat().st_mtime)
    with suppress(OSError, CertificateError):
        first = read_certificates(CERTIFICATE.read_text("ascii", "replace"), str(CERTIFICATE))[0]
        yield _plain("certificate_end_timestamp_seconds", "When the server's certificate ends.", first.not_after.timestamp())


def _of_database() -> Iterator[Metric]:
    sessions = current_app.extensions["sessions"]
    reading: Reading = current_app.extensions["reading"]
    primary, found = 0.0, []
    with suppress(SQLAlchemyError), sessions() as session:
        if fault_of_revision(session.connection()) is None:
            found = [*_of_phones(session)]
            primary = 1.0
    if not primary:
        with suppress(SQLAlchemyError):
            found = reading.read(_of_phones_by)
    yield _plain("database_up", "Whether the database can be read, if need be from a standby.", float(bool(found)))
    yield _plain("database_primary_up", "Whether the database can be written.", primary)
    yield from found


def _of_phones_by(engine: Engine) -> list[Metric]:
    with Session(engine) as session:
        return [*_of_phones(session)]


def _of_phones(session: Session) -> Iterator[Metric]:
    counts, moment = count_phones(session, Filter()), now()
    yield _labelled("phones", "Phones by how far they are.", "state", counts.states)
    yield _plain("phones_stuck", "Phones on the bench that have not advanced for long.", counts.stuck)
    yield _plain("phones_silent", "Phones that should have called home, and have not.", counts.silent)
    yield _plain("phones_claimed", "Phones whose state rests on what anybody could have sent.", counts.claimed)
    within = [func.sum(case((Phone.contact > moment - age * _MILLISECONDS, 1), else_=0)) for age in CONTACT_SECONDS]
    newest, *called = session.execute(select(func.max(Phone.contact), *within)).one()
    ages = dict(zip(CONTACT_SECONDS, (float(number or 0) for number in called), strict=True))
    yield _labelled("phones_called_home", "Phones that certainly called home within so many seconds.", "within", ages)
    if newest:
        yield _plain("last_contact_timestamp_seconds", "When a phone certainly called home last.", newest / _MILLISECONDS)
    last = session.scalar(select(func.max(Event.id))) or 0
    recent = Event.id > last - NEWEST_EVENTS
    event = session.scalar(select(func.max(Event.time)).where(recent))
    if event:
        yield _plain("newest_event_timestamp_seconds", "Time of the newest event that is stored.", event / _MILLISECONDS)
    # As the collector writes it, see ingest.collector
    refused = [func.sum(case((Event.detail.like(f'%"status":{status}%'), 1), else_=0)) for status in REFUSED_STATUS]
    since = Event.time > moment - REFUSED_SECONDS * _MILLISECONDS
    numbers = session.execute(select(*refused).where(recent, since, Event.kind.in_(_OF_REQUESTS))).one()
    yield _labelled(
        "requests_refused",
        f"Requests of phones within the last hour, among the newest {NEWEST_EVENTS} events of all servers, by status.",
        "status",
        dict(zip(REFUSED_STATUS, (float(number or 0) for number in numbers), strict=True)),
    )
