# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of the playbook check: one row per step, and the likely cause of each failure."""

from __future__ import annotations

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.reports.check_report import (
    CheckStep,
    check_rows,
    failures,
    format_check,
    station_rows,
)

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


def results(one, facts):
    return {row.step: row.result for row in check_rows(one, facts)}


def test_shows_the_options_that_lead_a_phone():
    offered = {"3": "192.0.2.254", "6": "192.0.2.1", "43": "0101", "66": "192.0.2.1", "132": "20", "159": "http://h/", "51": "60"}
    rows = {row.step: row.what for row in check_rows(report(BOOTSTRAP, dhcp_options=offered), seen())}
    assert rows[CheckStep.OPTIONS] == "66: 192.0.2.1, 159: http://h/, 43: 0101, 132: 20, 3: 192.0.2.254, 6: 192.0.2.1"


def test_a_good_phone_has_every_step():
    steps = check_rows(report(BOOTSTRAP, ROOT, OWN, SERVICE), seen())
    assert [row.step for row in steps] == list(CheckStep)
    assert [step.step for step in steps if step.result != "ok"] == ["upgrade"]
    assert {row.step: row.what for row in steps}["bootstrap"] == "TFTP /ata192.cfg, 10 bytes"


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
def test_shows_a_failure_in_the_row_of_its_step(one, row, not_reached):
    found = results(one, seen())
    assert [name for name, result in found.items() if result == "failed"] == [row]
    assert found[not_reached] == "-"
    assert failures([one], seen())[0].startswith(f"test-ATA192, {row}: ")


@pytest.mark.parametrize(
    ("facts", "row", "result"),
    [
        (seen(log=()), "syslog", "failed"),
        (seen(events=()), "event", "failed"),
        (seen(database=False), "event", "skipped"),
        ({}, "event", "skipped"),
        ({}, "syslog", "skipped"),
    ],
)
def test_compares_with_what_arrived_at_the_station(facts, row, result):
    assert results(report(BOOTSTRAP, OWN, SERVICE), facts)[row] == result


def test_shows_each_good_phone_of_many_in_one_line():
    good, bad = report(BOOTSTRAP, OWN, SERVICE), report({**BOOTSTRAP, "behaviour": "B"}, failure=failed("not_found"))
    lines = format_check([good] * 20 + [bad], {}).splitlines()
    assert [line.split()[2] for line in lines[2:23]] == ["all"] * 20 + ["lease"]
    assert len(format_check([good] * 20, {}).splitlines()) == 2 + 20 * len(CheckStep)


def test_skips_the_log_of_a_family_that_logs_nothing():
    assert results(report(BOOTSTRAP, OWN, SERVICE, messages=0), seen(log=()))["syslog"] == "skipped"


def test_names_the_resolved_address_in_the_cause():
    step = {"step": "name", "what": "prov.example.net", "outcome": "ok", "detail": "192.0.2.9", "power_up": 1}
    one = report(BOOTSTRAP, failure=failed("timeout", server="prov.example.net"), steps=[step])
    facts = {**seen(), "station": {"bridge": {"state": "up", "address": "192.0.2.1"}}}
    assert "leads to 192.0.2.9, which is not this station" in failures([one], facts)[0]


def test_lists_all_causes_and_remains_below_the_table():
    one = report({**BOOTSTRAP, "behaviour": "C", "status": 0}, failure=failed("timeout", scheme="tftp"))
    facts = {**seen(), "station": {"services": {"tftp": "failed"}}}
    lines = format_check([one], facts, ["a lease is left"]).splitlines()
    assert lines[2].startswith(f"test-ATA192 ({MAC})  lease")
    assert lines[len(CheckStep) + 2].split() == ["station", "tftp", "failed", "failed"]
    below = lines[len(CheckStep) + 4 :]
    assert below[0].startswith("test-ATA192, bootstrap: The TFTP server is failed.")
    assert below[1].startswith("  or: ")
    assert below[-1] == "not removed: a lease is left"


YEARS = "The station's clock is 1825 days behind the controller's."


@pytest.mark.parametrize(
    ("off", "what", "cause"),
    [
        (-5 * 365 * 86400, "1825 days behind the controller's", YEARS),
        (3600, "1 hour ahead of the controller's", "The station's clock is 1 hour ahead of the controller's."),
    ],
)
@pytest.mark.parametrize("failure", [None, failed("chain")])
def test_a_wrong_clock_is_named_first_whether_or_not_a_phone_failed_by_it(off, what, cause, failure):
    one = report(BOOTSTRAP, OWN, SERVICE, failure=failure)
    facts = {**seen(), "station": {"services": {"tftp": "failed"}, "clock_off": off}}
    lines = failures([one], facts)
    assert lines[0].startswith(f"station, clock: {cause} If the controller's is right, set it with 'date --set=")
    by_phone = [f"test-ATA192, certificate: {lines[0].removeprefix('station, clock: ')}"] if failure else []
    assert lines[1:-1] == by_phone
    assert lines[-1].startswith("station, tftp: The TFTP server is failed.")
    table = format_check([one], facts).splitlines()
    assert table[2].split(maxsplit=3) == ["station", "clock", "failed", what]
    assert sum("station, clock:" in line for line in table) == 1
    assert table[table.index("") + 1] == lines[0]


def test_a_clock_that_is_right_again_is_a_row_of_the_station():
    facts = {**seen(), "station": {"services": {"tftp": "active"}, "clock_off": 3}}
    one = report(BOOTSTRAP, OWN, SERVICE)
    assert failures([one], facts) == []
    assert format_check([one], facts).splitlines()[len(CheckStep) + 2].split(maxsplit=3) == [
        *("station", "clock", "ok"),
        "the same as the controller's",
    ]
    assert "clock" not in format_check([one], seen())


def of_station(**facts):
    return [(row.step, row.result, row.what) for row in station_rows(facts)]


def test_shows_what_the_station_answers():
    services = {"bench": "active", "dhcp": "active", "names": "hung", "log": "failed"}
    assert of_station(services=services, answers={"names": "does not answer"}) == [
        ("bench", "ok", "runs"),
        ("dhcp", "ok", "answers"),
        ("names", "failed", "hung"),
        ("log", "failed", "failed"),
    ]


@pytest.mark.parametrize(
    ("ports", "rows", "note"),
    [
        ({"enp2s0": "up", "enp3s0": "up"}, [("ports", "ok", "enp2s0, enp3s0: up")], ""),
        ({"enp2s0": "no carrier"}, [("enp2s0", "warning", "enp2s0 has no carrier")], "station, enp2s0: enp2s0 has no carrier. "),
        (
            {},
            [("bench0", "warning", "bench0 has no port, so only emulated phones can reach it")],
            "station, bench0: bench0 has no port, so only emulated phones can reach it. For real phones, name the NIC",
        ),
    ],
)
def test_a_bench_that_no_real_phone_can_reach_is_named_and_does_not_fail(ports, rows, note):
    bridge = {"name": "bench0", "ports": ports}
    assert of_station(bridge=bridge) == rows
    known = {"station": {"bridge": bridge}}
    assert failures([], known) == []
    notes = [line for line in format_check([], known).splitlines() if line.startswith("station, ")]
    assert [line.startswith(note) for line in notes] == ([True] if note else [])


def test_a_page_that_is_not_served_fails():
    pages = {"/board/login": "is not reached through the web server (404), whose files in /etc/nginx/conf.d were changed"}
    assert of_station(pages=pages) == [("/board/login", "failed", pages["/board/login"])]
    [line] = failures([], {"station": {"pages": pages}})
    assert line.startswith("station, /board/login: /board/login is not reached through the web server (404), whose files")
    assert line.endswith("reload it with 'systemctl reload nginx.service'.")
    assert of_station(pages={"/board/login": ""}) == [("/board/login", "ok", "is served")]


def test_a_full_disk_fails():
    assert of_station(full_folders=["/var/lib/dhcp", "/run"]) == [("disk", "failed", "full: /var/lib/dhcp, /run")]
    [line] = failures([], {"station": {"full_folders": ["/run"]}})
    assert line.startswith("station, disk: No space is left in /run. Find what fills it with 'df -h'")


def test_what_a_phone_has_failed_for_is_told_once():
    one = report({**BOOTSTRAP, "behaviour": "C", "status": 0}, failure=failed("timeout", scheme="tftp"))
    facts = {**seen(), "station": {"services": {"tftp": "failed", "names": "failed"}}}
    assert [line.partition(":")[0] for line in failures([one], facts)] == ["test-ATA192, bootstrap", "station, names"]


def test_what_may_be_the_cause_of_a_phones_failure_is_told_of_the_station_too():
    known = seen()
    known["phones"][0]["database"] = {"phone": {}, "events": []}
    known["station"] = {"services": {"events": "active", "service": "hung"}}
    lines = format_check([report(BOOTSTRAP)], known).splitlines()
    assert [line.partition(":")[0] for line in lines if "profile service runs, but does not answer" in line] == [
        "  or",
        "station, service",
    ]


def test_complaints_are_shown_and_fail_only_if_the_station_is_at_fault():
    harmless = {"service": "tftp", "priority": 3, "text": "file x not found"}
    full = {"service": "dhcp", "priority": 3, "text": "write_lease: No space left on device"}
    assert of_station(complaints=[harmless]) == [("journal", "ok", "preprovision-tftp.service: file x not found")]
    assert failures([], {"station": {"complaints": [harmless]}}) == []
    assert of_station(complaints=[harmless, full]) == [
        ("journal", "failed", "preprovision-tftp.service: file x not found"),
        ("", "", "isc-dhcp-server.service: write_lease: No space left on device"),
    ]
    [line] = failures([], {"station": {"complaints": [harmless, full]}})
    assert line.startswith("station, journal: The DHCP server has no space left on its disk: write_lease: No space left on device.")


@pytest.mark.parametrize(
    ("kinds", "result"),
    [
        (["lease", "tftp", "resync"], "ok"),
        (["lease", "tftp"], "failed"),
        # An operator has scanned it meanwhile
        (["scan_in"], "failed"),
        ([], "failed"),
    ],
)
def test_only_events_that_came_from_logs_count_and_those_of_the_phone_must_be_there(kinds, result):
    known = seen()
    known["phones"][0]["database"] = {"phone": {}, "events": [{"kind": kind} for kind in kinds]}
    messages = [{"server": "192.0.2.1", "text": "Successful resync", "sent": True}]
    rows = {row.step: row for row in check_rows({**report(BOOTSTRAP), "messages": messages}, known)}
    assert rows[CheckStep.EVENT].result == result


BY_TFTP = {"deliveries": {PLAIN: "tftp"}}
MISSING = ["Family ata19x has no maker.", "Set certificates_device_roots."]


def test_a_phone_by_tftp_needs_neither_bootstrap_profile_nor_certificate():
    steps = {row.step: row for row in check_rows(report(BOOTSTRAP, SERVICE), seen(), BY_TFTP)}
    assert [(step, row.what) for step, row in steps.items() if row.result == "skipped"] == [
        ("bootstrap", "the first file is its own profile"),
        ("certificate", "delivery by TFTP needs none"),
        ("upgrade", "its profile asks for none"),
    ]
    assert (steps["profile"].result, steps["profile"].what) == ("ok", "TFTP /ata192.cfg, 10 bytes")


@pytest.mark.parametrize("code", ["not_found", "no_own_file", "timeout", "forbidden"])
def test_the_first_file_by_tftp_is_the_profile_when_it_fails_too(code):
    one = report({**BOOTSTRAP, "behaviour": "B"}, failure=failed(code))
    found = {row.step: row.result for row in check_rows(one, seen(), BY_TFTP)}
    assert [name for name, result in found.items() if result == "failed"] == ["profile"]


@pytest.mark.parametrize("failure", [None, failed("forbidden")])
def test_names_what_a_real_unit_would_lack_although_the_emulated_one_passes(failure):
    one = report(BOOTSTRAP, OWN, SERVICE, failure=failure)
    lines = failures([one], seen(), (), {"deliveries": {PLAIN: "certificate"}, "missing": {PLAIN: MISSING}})
    assert f"test-ATA192, certificate: {' '.join(MISSING)}" in lines
    assert len(lines) == (2 if failure else 1)


def test_a_unit_that_is_done_gets_no_file_of_its_own():
    one = report(BOOTSTRAP, failure=failed("no_own_file", "apply"))
    known = seen()
    known["phones"][0] |= {"own": [{"path": "units/02-00-5e-00-53-00/ata192.cfg"}], "armed": False}
    assert "it is done" in failures([one], known, (), BY_TFTP)[0]
    known["phones"][0] |= {"armed": True, "events": [{"kind": "tftp", "detail": {"what": "sent", "path": "/ata192.cfg"}}]}
    assert "for units that are not expected" in failures([one], known, (), BY_TFTP)[0]
