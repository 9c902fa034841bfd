# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of several phones on a simulated LAN."""

from __future__ import annotations

import dataclasses
from contextlib import contextmanager
from dataclasses import replace

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.emulator.device.habits import Habit
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.device.ports import Lease, WireResponse
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.load.options import (
    LoadTestError,
    LoadTestOptions,
    load_phones,
    synthetic_phones,
)
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.load.samples import SampleKind
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.wire import load_test
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.wire.load_test import LoadTest, read_files
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.flat_profile import build, read_parameters

FACTORY = build(read_parameters({"Profile_Rule": "http://192.0.2.1/$MA.cfg"}))


class Link:
    """One phone's network: the server has the factory file, and each phone's own unless it is *broken*."""

    def __init__(self, mac, broken, requests):
        self._mac = mac
        self._broken = broken
        self._requests = requests

    def lease(self, _vendor_class):
        return Lease(f"192.0.2.{int(self._mac.plain[-2:], 16)}", {66: "192.0.2.1"})

    def addresses(self, name):
        return (name,)

    def fetch(self, request):
        self._requests.append(request)
        if request.target.path == "/ata192.cfg":
            return WireResponse(200, FACTORY)
        return WireResponse(404 if self._mac.plain in self._broken else 200, FACTORY)

    def log(self, _server, _text):
        return True


class Lan:
    def __init__(self, broken=()):
        self.connected = []
        self.requests = []
        self._broken = broken

    @contextmanager
    def connect(self, identity):
        self.connected.append(identity)
        yield Link(identity.mac, self._broken, self.requests)


def options(count=3, certificates=None, **values):
    defaults = {
        **{
            "families": {},
            "bridge": "bench0",
            "roots": None,
            "power_cycles": 2,
            "lifetime": 0.0,
            "speed": 1.0,
            "customization": "",
        },
        **{"checksums": {}, "timeout": 1, "parallel": 2, "ramp": 0.0, "think_time": 0.0, "reports": 100, "plot": None},
    }
    phones = tuple(synthetic_phones(count, "ATA192", "00:00:5e:00:53:01", certificates))
    return LoadTestOptions(phones=phones, **{**defaults, **values})


@pytest.fixture(autouse=True)
def _limits(monkeypatch):
    """Leave this process's limit of open files alone."""
    monkeypatch.setattr(load_test, "max_parallel", lambda wanted: wanted)


def run(lan, chosen):
    test = LoadTest(lan, {None: b""}, chosen)
    return test.run(load_phones(chosen)), test.samples


def test_returns_the_reports_in_the_order_of_the_phones():
    lan = Lan()
    reports, samples = run(lan, options())
    assert [report["name"] for report in reports] == ["phone-1", "phone-2", "phone-3"]
    assert [report["address"] for report in reports] == ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
    assert {report["cause"] for report in reports} == {""}
    assert [len(report["requests"]) for report in reports] == [2, 2, 2]
    trips = [sample for sample in samples if sample.kind is SampleKind.TRIP]
    assert (len(trips), len(lan.connected)) == (6, 6)
    assert all(trip.answered and trip.seconds >= 0 for trip in trips)


def test_does_not_switch_a_failed_phone_on_again():
    lan = Lan(broken={"00005e005302"})
    reports, samples = run(lan, options(power_cycles=3))
    assert [report["failure"]["code"] for report in reports] == ["", "not_found", ""]
    assert sorted(identity.mac.plain[-2:] for identity in lan.connected) == ["01"] * 3 + ["02"] * 2 + ["03"] * 3
    assert sum(not sample.answered for sample in samples if sample.kind is SampleKind.TRIP) == 1


def test_switches_a_phone_on_again_whose_upgrade_failed():
    lan = Lan()
    chosen = options(count=1)
    phone = replace(chosen.phones[0], parameters={"Upgrade_Rule": "ftp://192.0.2.1/ATA19X.12-0-1.img"})
    (report,), _samples = run(lan, replace(chosen, phones=(phone,)))
    assert (report["failure"]["code"], len(lan.connected), len(report["requests"])) == ("upgrade", 2, 2)


def test_switches_phones_on_within_the_ramp():
    _reports, samples = run(Lan(), options(power_cycles=1, parallel=3, ramp=0.3))
    starts = sorted(sample.power_on for sample in samples if sample.kind is SampleKind.TRIP)
    assert all(start >= earliest for start, earliest in zip(starts, (0.0, 0.09, 0.19), strict=True))


def test_leaves_phones_on_for_their_lifetime():
    reports, _samples = run(Lan(), options(count=1, power_cycles=1, lifetime=7200.0, speed=36000.0))
    assert len(reports[0]["requests"]) > 1
    assert reports[0]["next_resync"]["timer"] == "Resync_Periodic"


def test_phones_start_with_what_their_options_say():
    chosen = options(count=1, power_cycles=1)
    habits = frozenset({Habit.NO_VENDOR_CLASS})
    parameters = {"Profile_Rule": "http://198.51.100.9/$MA.cfg"}
    phone = replace(chosen.phones[0], parameters=parameters, habits=habits, user_agent="Example $MA")
    lan = Lan(broken={"00005e005301"})
    (report,), _samples = run(lan, replace(chosen, phones=(phone,)))
    assert [request["url"] for request in report["requests"]] == ["http://198.51.100.9/00005e005301.cfg"]
    assert report["failure"]["code"] == "not_found"
    assert lan.connected[0].habits == habits
    assert [request.headers["User-Agent"] for request in lan.requests] == ["Example 00005e005301"]


def test_reads_the_roots_and_checks_that_certificates_can_be_read(tmp_path):
    for name in ("roots.pem", "00005e005301.pem", "key.pem"):
        (tmp_path / name).write_text(name)
    common, own = str(tmp_path / "roots.pem"), str(tmp_path / "key.pem")
    chosen = options(1, str(tmp_path), roots=common)
    assert read_files(chosen) == {None: b"", common: b"roots.pem"}
    assert read_files(options(1)) == {None: b""}
    phones = (dataclasses.replace(chosen.phones[0], roots=own),)
    assert read_files(dataclasses.replace(chosen, phones=phones)) == {None: b"", common: b"roots.pem", own: b"key.pem"}
    with pytest.raises(LoadTestError, match="phone phone-1: roots: cannot read /nonexistent on the target: No such file"):
        read_files(dataclasses.replace(chosen, phones=(dataclasses.replace(chosen.phones[0], roots="/nonexistent"),)))
    with pytest.raises(LoadTestError, match=r"phone phone-2: certificate: cannot read .*00005e005302\.pem on the target"):
        read_files(options(2, str(tmp_path)))
    with pytest.raises(LoadTestError, match="roots: cannot read /nonexistent on the target: No such file"):
        read_files(options(1, roots="/nonexistent"))
