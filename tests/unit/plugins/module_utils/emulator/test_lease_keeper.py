# SPDX-License-Identifier: GPL-3.0-or-later
"""Leases of phones that stay on, on a clock that jumps; times are those of RFC 2131 section 4.4.5."""

from __future__ import annotations

import random

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.common.mac import Mac
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.device.ports import Lease, Renewal, WireResponse
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.lease_keeper import LeaseTimes, lease_times
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.phone import EmulatedPhone
from ansible_collections.voip.preprovision.plugins.module_utils.families.catalogue import BUILTIN
from ansible_collections.voip.preprovision.plugins.module_utils.phones.phone import Phone
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.flat_profile import build, read_parameters

# Without the timers of resyncs, only those of the lease are left
PROFILE = build(read_parameters({"Profile_Rule": "http://192.0.2.1/$MA.cfg", "Resync_Periodic": "0"}))
DAY = 86400


def lease(seconds, address="192.0.2.20", **raw):
    options = {51: seconds, **{int(name[1:]): value for name, value in raw.items()}}
    return Lease(address, {66: "192.0.2.1"}, {code: value.to_bytes(4, "big") for code, value in options.items()})


class Clock:
    def __init__(self):
        self.time = 0.0

    def now(self):
        return self.time

    def sleep(self, seconds):
        self.time += seconds


class RestlessClock(Clock):
    """Moves on each time it is read, as a real one does, and cannot sleep for less than no time."""

    def now(self):
        self.time += 0.001
        return self.time

    def sleep(self, seconds):
        assert seconds >= 0
        super().sleep(seconds)


class Bench:
    """Answers renewals from a list, the last one again and again; records when what happened."""

    def __init__(self, clock, leases, answers):
        self.clock, self.leases, self.answers = clock, list(leases), list(answers)
        self.happened = []

    def _next(self, values):
        return values.pop(0) if len(values) > 1 else values[0]

    def _record(self, what):
        self.happened.append((self.clock.now(), what))

    def lease(self, _vendor_class):
        self._record("lease")
        return self._next(self.leases)

    def renew(self, any_server):
        self._record("broadcast" if any_server else "unicast")
        return self._next(self.answers)

    def give_up_lease(self):
        self._record("gone")

    def addresses(self, name):
        return (name,)

    def fetch(self, _request):
        return WireResponse(200, PROFILE)

    def log(self, _server, _text):
        return True


def live(leases, answers, seconds=DAY):
    bench = Bench(Clock(), leases, answers)
    return bench.happened, stay_on(bench, seconds)


def stay_on(bench, seconds):
    phone = EmulatedPhone(Phone("desk", Mac("00005e005301"), BUILTIN.find_model("ATA192")), rng=random.Random(1))  # noqa: S311
    # The delay of the first contact would move all times
    phone.set_up_by_hand({"Resync_Random_Delay": "0"})
    phone.run(bench, bench.clock, seconds)
    return phone.report()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (lease(3600), LeaseTimes(1800, 3150, 3600)),
        (lease(3600, o58=600, o59=1200), LeaseTimes(600, 1200, 3600)),
        (lease(3600, o58=3000, o59=1200), LeaseTimes(1800, 3150, 3600)),
        (lease(3600, o59=7200), LeaseTimes(1800, 3150, 3600)),
        (lease(0xFFFFFFFF), None),
        (lease(0), None),
        (Lease("192.0.2.20", {}, {51: b"\1"}), None),
        (Lease("192.0.2.20", {}), None),
    ],
)
def test_times_of_a_lease(given, expected):
    assert lease_times(given) == expected


@pytest.mark.parametrize(
    ("age", "expected"), [(0, 1800), (1800, 2475), (3060, 3120), (3120, 3150), (3150, 3375), (3540, 3600), (3599, 3600)]
)
def test_asks_again_after_half_of_the_time_that_is_left_but_not_within_a_minute(age, expected):
    assert LeaseTimes(1800, 3150, 3600).next_attempt(age) == expected


def test_extends_its_lease_at_half_time_for_as_long_as_it_is_on():
    happened, report = live([lease(3600)], [Renewal(lease(3600))], 7200)
    assert happened == [(0, "lease"), (1800, "unicast"), (3600, "unicast"), (5400, "unicast"), (7200, "unicast")]
    assert (report["address"], report["cause"]) == ("192.0.2.20", "")
    assert [step["detail"] for step in report["steps"] if step["step"] == "lease"] == ["192.0.2.20", *["192.0.2.20 renewed"] * 4]


def test_the_extended_lease_counts_from_the_request_and_brings_its_own_options():
    happened, report = live([lease(3600)], [Renewal(Lease("192.0.2.20", {66: "192.0.2.2"}, {51: b"\0\0\1\0"}))], 2000)
    assert happened[:3] == [(0, "lease"), (1800, "unicast"), (1800 + 128, "unicast")]
    assert report["dhcp_options"] == {"66": "192.0.2.2"}


def test_asks_any_server_before_the_lease_ends_and_then_starts_over():
    happened, report = live([lease(3600), lease(3600, "192.0.2.21")], [Renewal()], 3700)
    assert happened == [
        (0, "lease"),
        *[(when, "unicast") for when in (1800, 2475, 2812.5, 2981.25, 3065.625, 3125.625)],
        *[(when, "broadcast") for when in (3150, 3375, 3487.5, 3547.5)],
        (3600, "gone"),
        (3600, "lease"),
    ]
    assert report["address"] == "192.0.2.21"
    details = [(step["outcome"], step["detail"]) for step in report["steps"] if step["step"] == "lease"]
    assert details[1] == ("failed", "192.0.2.20 not renewed: no answer")
    assert details[-2:] == [("failed", "the lease of 192.0.2.20 has ended"), ("ok", "192.0.2.21")]


def test_survives_a_timer_that_is_overdue():
    clock = RestlessClock()
    bench = Bench(clock, [lease(600)], [])

    def answer_too_late(any_server):
        clock.time += 1000
        return Renewal()

    bench.renew = answer_too_late
    stay_on(bench, 2000)
    assert [what for _when, what in bench.happened][:3] == ["lease", "gone", "lease"]


def test_starts_over_at_once_when_a_server_refuses():
    happened, report = live([lease(3600), lease(DAY, "192.0.2.21")], [Renewal(refused=True)], 4000)
    assert happened == [(0, "lease"), (1800, "unicast"), (1800, "gone"), (1800, "lease")]
    assert (report["address"], report["cause"]) == ("192.0.2.21", "")
    assert len(report["requests"]) == 2


def test_tries_again_later_when_no_server_assigns_an_address_after_a_refusal():
    happened, report = live([lease(3600), None, lease(DAY)], [Renewal(refused=True)], 6000)
    assert happened == [(0, "lease"), (1800, "unicast"), (1800, "gone"), (1800, "lease"), (5400, "lease")]
    assert report["cause"] == ""


def test_does_not_extend_a_lease_without_end():
    assert live([lease(0xFFFFFFFF)], [Renewal()])[0] == [(0, "lease")]
