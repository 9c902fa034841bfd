# SPDX-License-Identifier: GPL-3.0-or-later
"""Habits of some real units: their names, and what a phone with them requests."""

from __future__ import annotations

import random

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.common.mac import Mac
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.device.habits import (
    Habit,
    HabitError,
    read_habits,
    vendor_class,
)
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.device.ports import (
    Lease,
    StoppedClock,
    WireFailure,
    WireResponse,
)
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.phone import EmulatedPhone
from ansible_collections.voip.preprovision.plugins.module_utils.families.catalogue import BUILTIN
from ansible_collections.voip.preprovision.plugins.module_utils.phones.phone import Phone
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.flat_profile import build, read_parameters

PROFILE = build(read_parameters({"Profile_Rule": "http://192.0.2.1/$MA.cfg"}))
OTHERS = ["/SEP00005E005301.cnf.xml", "/XMLDefault.cnf.xml"]


@pytest.mark.parametrize(
    ("names", "expected"),
    [([], set()), (["asks_twice", "asks_twice"], {Habit.ASKS_TWICE}), (["no_vendor_class"], {Habit.NO_VENDOR_CLASS})],
)
def test_reads_habits(names, expected):
    assert read_habits(names) == expected


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ["asks"],
            "unknown habit 'asks'; expected some of vendor_class_nul, no_vendor_class, tftp_name_ff, other_names, asks_twice",
        ),
        (["vendor_class_nul", "no_vendor_class"], "vendor_class_nul and no_vendor_class exclude each other"),
    ],
)
def test_rejects_habits(names, message):
    with pytest.raises(HabitError) as caught:
        read_habits(names)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("habits", "sent"), [((), "CISCO"), ((Habit.VENDOR_CLASS_NUL,), "CISCO\0"), ((Habit.NO_VENDOR_CLASS,), "")]
)
def test_vendor_class(habits, sent):
    assert vendor_class("CISCO", habits) == sent


class Bench:
    """A bench that serves the model's file, and answers anything else with *missing*."""

    def __init__(self, options, missing):
        self.options, self.missing = options, missing
        self.vendor_classes, self.requested = [], []

    def lease(self, vendor_class):
        self.vendor_classes.append(vendor_class)
        return Lease("192.0.2.20", self.options)

    def addresses(self, name):
        return (name,)

    def fetch(self, request):
        target = request.target
        self.requested.append((target.scheme, target.server, target.path))
        return WireResponse(200, PROFILE) if target.path in ("/8851-3PCC.xml", "/00005e005301.cfg") else self.missing

    def log(self, _server, _text):
        return True


def boot(options, missing, *habits):
    bench = Bench(options, missing)
    model = BUILTIN.find_model("CP-8851-3PCC")
    phone = EmulatedPhone(Phone("desk", Mac("00005e005301"), model), habits=habits, rng=random.Random(1))  # noqa: S311
    phone.power_up(bench, StoppedClock())
    return bench, phone.report()


@pytest.mark.parametrize(
    ("options", "scheme"),
    [({66: "192.0.2.1"}, "tftp"), ({160: "http://192.0.2.1"}, "http"), ({66: "192.0.2.1;192.0.2.9"}, "tftp")],
)
@pytest.mark.parametrize(
    "missing", [WireResponse(404), WireResponse(0, failure=WireFailure.TIMEOUT), WireResponse(200, b"<device/>")]
)
def test_requests_the_names_of_another_firmware_before_its_own(options, scheme, missing):
    bench, report = boot(options, missing, Habit.OTHER_NAMES)
    others = [("tftp", "192.0.2.1", path) for path in OTHERS]
    assert bench.requested[:3] == [*others, (scheme, "192.0.2.1", "/8851-3PCC.xml")]
    assert (report["cause"], report["profile_rule"]) == ("", "http://192.0.2.1/$MA.cfg")
    assert {step["outcome"] for step in report["steps"]} <= {"ok", "skipped"}


def test_requests_no_other_names_by_itself_or_without_a_server():
    bench, _report = boot({66: "192.0.2.1"}, WireResponse(404))
    assert [path for _scheme, _server, path in bench.requested if path in OTHERS] == []
    bench, report = boot({}, WireResponse(404), Habit.OTHER_NAMES)
    assert (bench.requested, report["failure"]["code"]) == ([], "no_option")


def test_sends_its_own_vendor_class():
    bench, _report = boot({66: "192.0.2.1"}, WireResponse(404), Habit.VENDOR_CLASS_NUL)
    assert bench.vendor_classes == ["CP-8851-3PCC\0"]
