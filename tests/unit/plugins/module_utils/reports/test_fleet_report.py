# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of fleet_check, from walks as emulated_phone reports them."""

from __future__ import annotations

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.reports.fleet_report import (
    Fleet,
    certificate_rows,
    fleet_rows,
    format_fleet,
    read_walks,
    summarise_fleet,
)

FIRST, SECOND = "203.0.113.1", "203.0.113.2"
FLEET = Fleet("prov.example.net", {FIRST: "home-1", SECOND: "home-2"})
URL = "http://prov.example.net/service/00005e005301-00000001.cfg"


def request(address=FIRST, digest="d1", **values):
    return {
        **{"url": URL, "protocol": "http", "status": 200, "bytes": 272, "behaviour": "A", "address": address, "digest": digest},
        **values,
    }


def phone(*requests, code="", what="", names=(), **facts):
    cause = f"power-up 1: {what or code}" if code else ""
    step = {"step": "name", "what": "prov.example.net", "outcome": "ok", "detail": ", ".join(names)}
    return {
        **{"name": "desk-1", "model": "ATA192", "requests": [*requests], "steps": [step] if names else [], "seconds": 0.5},
        **{"cause": cause, "failure": {"code": code, "what": cause, "facts": facts}},
    }


def walk(address, *phones, **values):
    return {"address": address, "phones": [*phones], **values}


GOOD = [walk(FIRST, phone(request())), walk(SECOND, phone(request(SECOND)))]


def notes(walks, fleet=FLEET):
    return [f"{row.diagnosis.cause} {row.diagnosis.remedy}" for row in fleet_rows(walks, fleet) if row.diagnosis]


def test_shows_each_phone_at_each_address():
    rows = fleet_rows([walk("", phone(request(), names=(SECOND, FIRST))), *GOOD], FLEET)
    assert format_fleet(rows).splitlines() == [
        "address      phone            result  what",
        "-----------  ---------------  ------  ---------------------------------------------------------",
        "name         all              ok      203.0.113.2, 203.0.113.1",
        "203.0.113.1  desk-1 (ATA192)  ok      HTTP /service/00005e005301-00000001.cfg, 272 bytes, 0.5 s",
        "203.0.113.2  desk-1 (ATA192)  ok      HTTP /service/00005e005301-00000001.cfg, 272 bytes, 0.5 s",
    ]
    assert summarise_fleet(rows) == ""


@pytest.mark.parametrize(
    ("failing", "note"),
    [
        (
            phone(code="refused"),
            "203.0.113.1 (home-1) does not answer. Start its web server, or take it back into service with -e drain=false if"
            " it was drained with closed ports; until it answers, take 203.0.113.1 out of the zone of prov.example.net.",
        ),
        (
            phone(code="not_found", path="/service/x.cfg"),
            "203.0.113.1 (home-1) has no file /service/x.cfg for this phone. Run the playbook provisioning_server for home-1, which"
            " publishes the phones there.",
        ),
        (
            phone(code="http_status", status=503),
            "203.0.113.1 (home-1) answers 503: it is drained, or its service or database is down and there is no sealed file of"
            " this phone. Let it serve again with -e drain=false, and read its journal.",
        ),
        (
            phone(code="http_status", what="HTTP status 500", status=500),
            "At 203.0.113.1 (home-1): HTTP status 500. Read what the web server of home-1 has logged.",
        ),
        (
            phone(code="certificate_time", what="the certificate expired on 2026-01-01 00:00 UTC"),
            "203.0.113.1 (home-1) shows a certificate out of its time: the certificate expired on 2026-01-01 00:00 UTC. Install the"
            " renewed certificate on home-1.",
        ),
        (
            phone(code="forbidden", what="HTTP status 403", path="/service/x.cfg"),
            "203.0.113.1 (home-1) refuses /service/x.cfg: HTTP status 403. Run the playbook provisioning_server for home-1, which"
            " repairs modes and groups of files.",
        ),
        (
            phone(code="corrupt", what="the encrypted file is cut off"),
            "203.0.113.1 (home-1) serves a damaged file: the encrypted file is cut off. Publish the phones on home-1 again, and"
            " look for what has changed the file.",
        ),
        (
            phone(code="no_root"),
            "Phones of this family have no root to verify prov.example.net with. Name the file of their maker's roots in"
            " fleet_check_roots, or the URL of the server's root in phone_profiles_remote_ca_url.",
        ),
        (
            phone(code="chain", what="self-signed"),
            "Phones refuse the certificate of 203.0.113.1 (home-1): self-signed. Install the certificate that the other servers of"
            " prov.example.net have, with its chain, on home-1.",
        ),
        (
            phone(code="key_wrong", what="the key does not fit"),
            "203.0.113.1 (home-1) serves a file that the phone's key does not open: the key does not fit. Publish the phones on all"
            " servers with the same phone_profiles_master_key.",
        ),
    ],
)
def test_explains_failures(failing, note):
    walks = [walk(FIRST, failing), GOOD[1]]
    assert notes(walks) == [note]
    assert summarise_fleet(fleet_rows(walks, FLEET)) == ("failed: 203.0.113.1. The lines below the table say why, and what to do.")


def test_tells_a_dead_first_record_from_another():
    named = walk("", phone(request(SECOND), names=(FIRST, SECOND)))
    dead = [named, walk(FIRST, phone(code="timeout")), GOOD[1]]
    assert notes(dead)[0].startswith(
        "203.0.113.1 (home-1) does not answer; prov.example.net leads phones there first, and each phone waits for it before it"
        " tries the next."
    )
    dead = [named, GOOD[0], walk(SECOND, phone(code="timeout"))]
    assert notes(dead)[0].startswith("203.0.113.2 (home-2) does not answer; prov.example.net leads phones there. Start")


@pytest.mark.parametrize(
    ("names", "result", "note"),
    [
        ((FIRST, SECOND, "203.0.113.9"), "failed", "prov.example.net leads to 203.0.113.9, which no server of the inventory has."),
        ((FIRST,), "warning", "prov.example.net does not lead to 203.0.113.2 of home-2, so that no phone calls it."),
        ((), "failed", "The name prov.example.net has no address where the phones run."),
    ],
)
def test_compares_the_names_records_with_the_inventory(names, result, note):
    rows = fleet_rows([walk("", phone(request(), names=names)), *GOOD], FLEET)
    (row,) = [row for row in rows if row.diagnosis]
    assert (row.address, row.result) == ("name", result)
    assert row.diagnosis.cause == note


@pytest.mark.parametrize("other", [{"digest": "d2"}, {"bytes": 273, "digest": ""}])
def test_finds_a_server_with_other_bytes(other):
    walks = [GOOD[0], walk(SECOND, phone(request(SECOND, **{"digest": "d1", **other})))]
    (note,) = notes(walks)
    assert note.startswith(f"203.0.113.2 (home-2) serves other bytes of {URL} than 203.0.113.1. Publish the phones on all servers")
    assert [row.what for row in fleet_rows(walks, FLEET) if row.diagnosis] == ["other bytes than 203.0.113.1"]


def test_a_walk_that_was_not_possible_fails():
    results = [{"item": "", "msg": "no python3-cryptography", "failed": True}, {"item": FIRST, "msg": "no python3-cryptography"}]
    rows = fleet_rows(read_walks(results), FLEET)
    assert [(row.address, row.result, row.what) for row in rows] == [
        ("name", "failed", "no python3-cryptography"),
        (FIRST, "failed", "no python3-cryptography"),
    ]
    assert summarise_fleet(rows).startswith("failed: name, 203.0.113.1.")


def test_names_servers_that_the_inventory_does_not_know():
    assert notes([walk("203.0.113.9", phone(code="refused"))])[0].startswith(
        "203.0.113.9 (a server that is not in the inventory) does not answer."
    )


def test_addresses_are_compared_in_any_spelling():
    fleet = Fleet.of("prov.example.net", {"home-1": ["203.0.113.1", "2001:DB8:0::1"]})
    assert fleet.servers == {"203.0.113.1": "home-1", "2001:db8::1": "home-1"}
    assert read_walks([{"item": "2001:DB8:0::1", "msg": ""}])[0]["address"] == "2001:db8::1"


def test_a_failure_by_the_name_alone_names_no_address():
    named = walk("", phone(code="http_status", what="HTTP status 500", names=(FIRST, SECOND), status=500))
    assert notes([named, *GOOD]) == [
        "At prov.example.net: HTTP status 500. Read what the web server of prov.example.net has logged."
    ]


@pytest.mark.parametrize(
    ("checked", "expected"),
    [
        ({"skipped": True}, []),
        ({"findings": [{"code": "no_roots", "what": "unknown", "remedy": "x"}]}, []),
        (
            {"findings": [{"code": "keys_differ", "what": "they differ", "remedy": "install one"}]},
            [("warning", "they differ", "They differ.", "Install one.")],
        ),
        (
            {"msg": "openssl is missing"},
            [
                (
                    *("warning", "openssl is missing"),
                    "The servers' certificates were not compared: openssl is missing.",
                    "Mend that, and run the playbook again.",
                )
            ],
        ),
    ],
)
def test_shows_what_phones_do_not_notice(checked, expected):
    assert [(row.result, row.what, *row.diagnosis) for row in certificate_rows(checked)] == expected
