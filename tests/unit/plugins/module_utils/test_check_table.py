# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of the playbook check: one row a step, and the likely cause of what failed."""

from __future__ import annotations

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.check_table import STEPS, failures, format_check, walk

MAC = "02:00:5e:00:53:00"
PLAIN = "02005e005300"
NONE = {"code": "", "step": "", "what": "", "facts": {}}


def request(url, behaviour="A", power_up=1, parameter="Profile_Rule", status=200, sealed=False):
    protocol = url.partition(":")[0]
    return {
        **{"url": url, "behaviour": behaviour, "power_up": power_up, "parameter": parameter, "status": status},
        **{"sealed": sealed, "protocol": protocol, "bytes": 10},
    }


BOOTSTRAP = request("tftp://192.0.2.1/ata192.cfg")
ROOT = request("http://prov.example.net/bench-ca.pem", parameter="Custom_CA_URL")
OWN = request(f"https://prov.example.net/device/{PLAIN}.cfg")
SERVICE = request(f"http://prov.example.net/service/{PLAIN}-0a1b2c3d.cfg", power_up=2, sealed=True)


def report(*requests, failure=None, messages=1, **more):
    failure = failure or NONE
    trips = {one["power_up"] for one in requests} or {1}
    return {
        **{"name": "test-ATA192", "mac": MAC, "model": "ATA192", "address": "192.0.2.20", "requests": list(requests)},
        "dhcp_options": {"66": "192.0.2.1", "51": "3600"},
        "messages": [{"server": "192.0.2.1", "text": "x", "sent": True}] * messages,
        "steps": [{"step": "fetch", "what": "", "detail": "", "power_up": trip} for trip in trips],
        "failure": failure,
        "cause": failure["what"],
        "state": "failed" if failure["code"] else "preprovisioned",
        **more,
    }


def seen(log=("line",), events=({"kind": "lease"},), database=True):
    phone = {"mac": PLAIN, "log": list(log), "database": {"events": list(events)} if database else None}
    return {"station": {"services": {}}, "phones": [phone]}


def failed(code, step="fetch", **facts):
    return {"code": code, "step": step, "what": "power-up 1: so it is", "facts": facts}


def results(one, told):
    return {step.name: step.result for step in walk(one, told)}


def test_a_good_phone_has_every_step():
    steps = walk(report(BOOTSTRAP, ROOT, OWN, SERVICE), seen())
    assert [step.name for step in steps] == list(STEPS)
    assert {step.result for step in steps} == {"ok"}
    assert {step.name: step.what for step in steps}["bootstrap"] == "TFTP /ata192.cfg, 10 bytes"


@pytest.mark.parametrize(
    ("one", "row", "not_reached"),
    [
        (report(failure=failed("no_lease", "lease"), address="", dhcp_options={}), "lease", "options"),
        (report(failure=failed("no_option", "options")), "options", "bootstrap"),
        (report(BOOTSTRAP, failure=failed("no_address", "name")), "name", "profile"),
        (report({**BOOTSTRAP, "behaviour": "B"}, failure=failed("not_found")), "bootstrap", "profile"),
        (report(BOOTSTRAP, {**ROOT, "behaviour": "C", "status": 0}, failure=failed("refused")), "profile", "second trip"),
        (report(BOOTSTRAP, {**OWN, "behaviour": "C"}, failure=failed("forbidden")), "profile", "second trip"),
        (report(BOOTSTRAP, {**OWN, "behaviour": "C", "status": 0}, failure=failed("chain")), "certificate", "profile"),
        (
            report(BOOTSTRAP, OWN, {**SERVICE, "behaviour": "B"}, failure=failed("digest_wrong", "open")),
            "decryption",
            "second trip",
        ),
        (report(BOOTSTRAP, OWN, {**SERVICE, "behaviour": "B"}, failure=failed("not_found")), "second trip", "decryption"),
    ],
)
def test_a_failure_is_in_the_row_where_it_happened(one, row, not_reached):
    found = results(one, seen())
    assert [name for name, result in found.items() if result == "failed"] == [row]
    assert found[not_reached] == "-"
    assert failures([one], seen())[0].startswith(f"test-ATA192, {row}: ")


@pytest.mark.parametrize(
    ("told", "row", "result"),
    [
        (seen(log=()), "syslog", "failed"),
        (seen(events=()), "event", "failed"),
        (seen(database=False), "event", "skipped"),
        ({}, "event", "skipped"),
        ({}, "syslog", "skipped"),
    ],
)
def test_the_station_is_asked_what_has_arrived(told, row, result):
    assert results(report(BOOTSTRAP, OWN, SERVICE), told)[row] == result


def test_of_many_phones_the_good_ones_take_one_line_each():
    good, bad = report(BOOTSTRAP, OWN, SERVICE), report({**BOOTSTRAP, "behaviour": "B"}, failure=failed("not_found"))
    lines = format_check([good] * 20 + [bad], {}).splitlines()
    assert [line.split()[2] for line in lines[2:23]] == ["all"] * 20 + ["lease"]
    assert len(format_check([good] * 20, {}).splitlines()) == 2 + 20 * len(STEPS)


def test_a_family_that_logs_nothing_has_nothing_to_arrive():
    assert results(report(BOOTSTRAP, OWN, SERVICE, messages=0), seen(log=()))["syslog"] == "skipped"


def test_the_address_that_a_name_led_to_is_part_of_the_cause():
    step = {"step": "name", "what": "prov.example.net", "detail": "192.0.2.9", "power_up": 1}
    one = report(BOOTSTRAP, failure=failed("timeout", server="prov.example.net"), steps=[step])
    told = {**seen(), "station": {"bridge": {"state": "up", "address": "192.0.2.1"}}}
    assert "leads to 192.0.2.9, which is not this station" in failures([one], told)[0]


def test_below_the_table_stand_all_causes_and_what_is_left():
    one = report({**BOOTSTRAP, "behaviour": "C", "status": 0}, failure=failed("timeout", scheme="tftp"))
    told = {**seen(), "station": {"services": {"tftp": "failed"}}}
    lines = format_check([one], told, ["a lease is left"]).splitlines()
    assert lines[2].startswith(f"test-ATA192 ({MAC})  lease")
    below = lines[len(STEPS) + 3 :]
    assert below[0].startswith(f"test-ATA192 ({MAC}), bootstrap: The TFTP server is failed.")
    assert below[1].startswith("  or: ")
    assert below[-1] == "not cleared away: a lease is left"
