# SPDX-License-Identifier: GPL-3.0-or-later
"""Deployed phones that resync from several addresses of one name: real servers on the loopback interface."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from ansible_collections.voip.preprovision.plugins.module_utils.emulator.load.options import (
    HomeOptions,
    LoadTestOptions,
    PhoneOptions,
    load_phones,
)
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.load.resyncs import ResyncTally, format_totals, total
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.load.samples import Sample, SampleKind
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.wire.home import Home
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.wire.load_test import LoadTest
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.flat_profile import build, read_parameters

PROFILE = build(read_parameters({"Resync_Periodic": "3600", "Resync_Error_Retry_Delay": "600"}))
REFUSED, SILENT, GOOD, BUSY, CLOSING = "127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5", "127.0.0.6"
MODELS = ("ATA192", "SPA504G", "CP-8851-3PCC")
DEFAULTS = {
    **{"families": {}, "bridge": "", "roots": None, "power_cycles": 1, "lifetime": 0.0, "speed": 1.0, "customization": ""},
    **{"checksums": {}, "timeout": 1, "parallel": 10, "ramp": 0.0, "think_time": 0.0, "reports": 100, "plot": None},
}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        status = 503 if self.server.server_address[0] == BUSY else 200
        self.send_response(status)
        self.send_header("Content-Length", str(len(PROFILE)))
        self.send_header("Retry-After", "120")
        self.end_headers()
        self.wfile.write(PROFILE)

    def log_message(self, *_arguments):
        """Say nothing."""


@contextmanager
def servers():
    """Serve profiles at GOOD, 503 at BUSY and nothing at SILENT; yield the port."""
    with ThreadingHTTPServer((GOOD, 0), Handler) as good:
        port = good.server_address[1]
        with ThreadingHTTPServer((BUSY, port), Handler) as busy, socket.create_server((SILENT, port)):
            threads = [threading.Thread(target=server.serve_forever, daemon=True) for server in (good, busy)]
            for thread in threads:
                thread.start()
            yield port
            good.shutdown()
            busy.shutdown()


def run(port, addresses, **values):
    home = HomeOptions(records={"prov.example.net": addresses})
    rule = f"http://prov.example.net:{port}/$MA.cfg"
    phones = tuple(
        PhoneOptions(name=model, mac=f"00:00:5e:00:53:0{number}", model=model, parameters={"Profile_Rule": rule})
        for number, model in enumerate(MODELS)
    )
    chosen = LoadTestOptions(phones=phones, home=home, **{**DEFAULTS, **values})
    with Home(home, chosen.timeout) as network:
        test = LoadTest(network, {None: b""}, chosen)
        return test.run(load_phones(chosen)), sorted(test.resyncs, key=lambda one: one["mac"])


def test_a_phone_that_tries_the_next_address_has_not_failed():
    with servers() as port:
        reports, resyncs = run(port, (REFUSED, SILENT, GOOD))
    assert {report["cause"] for report in reports} == {""}
    assert [(one["name"], one["tried"], one["failed"]) for one in resyncs] == [(model, 1, 0) for model in MODELS]
    use = {"answered": 0, "unanswered": 1}
    assert resyncs[0]["addresses"] == {REFUSED: use, SILENT: use, GOOD: {"answered": 1, "unanswered": 0}}
    assert all(1 <= one["longest"] < 3 for one in resyncs)
    skipped = [step["detail"] for step in reports[0]["steps"] if step["step"] == "fetch" and step["outcome"] == "skipped"]
    assert skipped == [f"{REFUSED}: nothing listens on port {port}", f"{SILENT}: no complete answer in time"]


def test_goes_on_when_a_server_dies_before_it_responds():
    def accept_and_close(listener):
        with suppress(OSError):
            while True:
                listener.accept()[0].close()

    with servers() as port, socket.create_server((CLOSING, port)) as listener:
        thread = threading.Thread(target=accept_and_close, args=(listener,), daemon=True)
        thread.start()
        reports, resyncs = run(port, (CLOSING, GOOD))
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)
    assert {report["cause"] for report in reports} == {""}
    assert [(one["failed"], one["addresses"][CLOSING]["unanswered"]) for one in resyncs] == [(0, 1)] * 3


def test_a_server_that_answers_503_is_not_gone_round():
    with servers() as port:
        reports, resyncs = run(port, (BUSY, GOOD))
    assert {report["failure"]["code"] for report in reports} == {"http_status"}
    assert {request["behaviour"] for report in reports for request in report["requests"]} == {"C"}
    assert [one["failed"] for one in resyncs] == [1, 1, 1]
    assert {*resyncs[0]["addresses"]} == {BUSY}


def test_tries_ten_addresses():
    with servers() as port:
        reports, _resyncs = run(port, (*(f"127.0.1.{number}" for number in range(9)), GOOD))
        assert {report["cause"] for report in reports} == {""}
        reports, _resyncs = run(port, (*(f"127.0.1.{number}" for number in range(10)), GOOD))
    assert {report["failure"]["code"] for report in reports} == {"no_answer"}


def test_resyncs_by_its_timers_until_it_is_switched_off(tmp_path):
    stop = tmp_path / "stop"
    with servers() as port:
        timer = threading.Timer(1.5, stop.touch)
        timer.start()
        # Two resyncs in each second; by the phones' clocks this would last a month
        reports, resyncs = run(port, (GOOD,), lifetime=30 * 86400.0, speed=7200.0, stop_file=str(stop))
        timer.cancel()
    assert {report["cause"] for report in reports} == {""}
    assert all(2 <= one["tried"] <= 6 and not one["failed"] for one in resyncs)
    totals = total(resyncs)
    assert totals["tried"] == sum(one["tried"] for one in resyncs) == totals["addresses"][GOOD]["answered"]


class Clock:
    def __init__(self, *times):
        self._times = iter(times)

    def now(self):
        return next(self._times)


def test_counts_and_sums_resyncs():
    tally = ResyncTally(Clock(1000.0, 1002.5, 2000.0, 2001.0))
    tally.begin()
    tally.add(Sample(SampleKind.HTTPS, 2.0, False, address="203.0.113.1"))
    tally.add(Sample(SampleKind.HTTPS, 0.5, True, address="203.0.113.2"))
    tally.add(Sample(SampleKind.DHCP, 0.5, True))
    tally.end("", "")
    tally.begin()
    tally.end("http_status", "HTTP status 503")
    one = tally.report("desk", "00:00:5e:00:53:01", "ATA192")
    assert one == {
        "name": "desk",
        "mac": "00:00:5e:00:53:01",
        "model": "ATA192",
        "tried": 2,
        "failed": 1,
        "longest": 2.5,
        "addresses": {"203.0.113.1": {"answered": 0, "unanswered": 1}, "203.0.113.2": {"answered": 1, "unanswered": 0}},
        "failures": [{"at": 2001.0, "seconds": 1.0, "code": "http_status", "cause": "HTTP status 503"}],
    }
    totals = total([one, one])
    assert totals == {
        "tried": 4,
        "failed": 2,
        "phones_failed": 2,
        "longest": 2.5,
        "addresses": {"203.0.113.1": {"answered": 0, "unanswered": 2}, "203.0.113.2": {"answered": 2, "unanswered": 0}},
        "codes": {"http_status": 2},
    }
    assert format_totals([("server 1 killed", totals)]).splitlines()[2].split() == [
        *("server", "1", "killed", "4", "2", "2.5", "203.0.113.1:", "2", "(2),", "203.0.113.2:", "2")
    ]


def test_sums_nothing():
    assert total([]) == {"tried": 0, "failed": 0, "phones_failed": 0, "longest": 0.0, "addresses": {}, "codes": {}}
