# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure the response times of the board's pages and of its API's lists.

    PYTHONPATH=FOLDER python3 tests/benchmarks/board.py [PHONES [EVENTS]]

FOLDER contains the package preprovision_service, as build/service does after `make types`.
The database is SQLite in a temporary folder: 10,000 phones by default, all booted within 8 hours, with 30 events each that
the collector has stored; all were packed once, and a few are scanned in. The application is called in this process, without
nginx and gunicorn.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from preprovision_service.app import create_app
from preprovision_service.cli import migrate
from preprovision_service.http import auth
from preprovision_service.ingest.collector import Collector
from preprovision_service.receiving.arrivals import scan_in
from preprovision_service.store import sync
from preprovision_service.store.connection import engine_of
from preprovision_service.store.tables import Operator, Shipment
from sqlalchemy import insert

PHONES = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
EVENTS = int(sys.argv[2]) if len(sys.argv) > 2 else 30 * PHONES
SPAN = 8 * 3600
TURNS = 15
SCANNED = 20
BATCH = 1000
CUSTOMERS, MODELS = 20, ("ATA192", "SPA504G", "CP-8851-3PCC")
MAC = "00005e1{:05x}"

PAGES = (
    *("/board/", "/board/?page=150", "/board/?state=stuck", "/board/?customer=customer-7&model=ATA192"),
    *("/board/?text=00:00:5e:10:1", "/board/phones/00005e100001"),
    *("/board/batch", "/board/batch?hours=168", "/board/batch?customer=customer-7"),
    *("/board/scan-in", "/board/scan-out", "/board/find?code=nobody", "/board/manifest.csv"),
    *("/api/summary", "/api/phones", "/api/phones?size=500", "/api/phones/00005e100001/events", "/api/manifest.json"),
)


def rows() -> Iterator[dict[str, str]]:
    parameters = {f"GPP_{letter}": f"a parameter of some length, number {letter}" for letter in "ABCDEFGHIJKLMNOP"}
    for number in range(PHONES):
        mac, model, customer = MAC.format(number), MODELS[number % len(MODELS)], f"customer-{number % CUSTOMERS}"
        lines = [{"user_id": f"{number}", "password": f"secret-{number}", "display_name": f"Phone {number}"}]
        variables = {"phone_mac": mac, "phone_model": model, "phone_lines": lines, "phone_parameters": parameters}
        known = {"mac": mac, "name": f"phone-{number}", "model": model, "family": "mpp", "customer": customer, "version": "1"}
        yield {**dict.fromkeys(sync.COLUMNS, ""), **known, "variables": json.dumps(variables)}


def shipments() -> list[dict[str, object]]:
    empty = {column.name: "" for column in Shipment.__table__.columns if column.name != "id"} | {"arrived": 1, "returned": 0}
    return [{**empty, "mac": MAC.format(number), "time": 1 + number, "fetched": 1} for number in range(PHONES)]


def lines() -> Iterator[str]:
    """Yield log lines of phones that boot one after the other: a lease, a fetched profile, then repeated messages of success."""
    start = time.time() - SPAN
    for number in range(EVENTS):
        phone, step = number % PHONES, number // PHONES
        mac = MAC.format(phone)
        colons = ":".join(mac[place : place + 2] for place in range(0, 12, 2))
        address = f"198.18.{phone // 250}.{phone % 250 + 1}"
        now = start + SPAN * number / EVENTS
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{number % 1_000_000:06}+00:00"
        record: dict[str, str] = {"unit": "nginx.service", "time": stamp, "process": "1", "offset": ""}
        if step == 0:
            record |= {"unit": "isc-dhcp-server.service", "msg": f"DHCPACK on {address} to {colons} via bench0"}
        elif step == 1:
            request = {"address": address, "method": "GET", "uri": f"/device/{mac}.cfg", "status": 200, "etag": f'"{number:x}"'}
            request |= {"verify": "SUCCESS", "subject": f"CN={colons}", "agent": "Cisco/ATA192-MPP-11-1-0MPP-16"}
            record["msg"] = json.dumps(request)
        else:
            said = f"ATA192-MPP {colons} -- Successful resync https://192.0.2.1:443/device/{mac}.cfg"
            record |= {"unit": "", "offset": str(number + 1), "msg": f"{stamp} {address} local0.info {said}"}
        yield json.dumps(record)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        app = create_app({"DATABASE": f"sqlite:///{folder}/service.sqlite", "SECRET_KEY": "for this benchmark only" * 2})
        sessions = app.extensions["sessions"]
        migrate.upgrade(engine_of(sessions))
        sync.sync(sessions, rows(), [])
        with sessions.begin() as session:
            session.add(Operator(name="anna", password=auth.hash_password("a password")))
            session.execute(insert(Shipment.__table__), shipments())
        with sessions() as session:
            for number in range(SCANNED):
                scan_in(session, MAC.format(number), "anna")
        begun = time.monotonic()
        collector, batch = Collector(sessions), []
        for line in lines():
            batch.append(line)
            if len(batch) == BATCH:
                collector.store_lines(batch)
                batch = []
        collector.store_lines(batch)
        took = time.monotonic() - begun
        size = Path(folder, "service.sqlite").stat().st_size / 1e6
        print(f"{PHONES} phones and {EVENTS} events; {took / EVENTS * 1e6:.0f} us to store an event; {size:.0f} MB")
        client = app.test_client()
        client.environ_base["wsgi.url_scheme"] = "https"
        login = client.get("/board/login").text
        token = login.partition('name="token" value="')[2].partition('"')[0]
        assert client.post("/board/login", data={"token": token, "name": "anna", "password": "a password"}).status_code == 303
        print("| page | median ms | longest ms |\n| --- | ---: | ---: |")
        for page in PAGES:
            times = []
            for _turn in range(TURNS):
                start = time.perf_counter()
                status = client.get(page).status_code
                times.append((time.perf_counter() - start) * 1000)
                assert status in (200, 303), (page, status)
            print(f"| `{page}` | {statistics.median(times):.0f} | {max(times):.0f} |", flush=True)


if __name__ == "__main__":
    main()
