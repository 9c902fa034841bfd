# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts about a station and its phones, from its files and its services' log lines."""

from __future__ import annotations

import json
import sys

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.station import facts as station_facts
from ansible_collections.voip.preprovision.plugins.module_utils.station import log_facts
from ansible_collections.voip.preprovision.plugins.module_utils.station.dhcp_facts import (
    read_leases,
    read_offered,
    read_reservation,
)
from ansible_collections.voip.preprovision.plugins.module_utils.station.facts import (
    find_mac,
    read_bridge,
    read_phone,
)
from ansible_collections.voip.preprovision.plugins.module_utils.station.published_facts import read_files

MAC = "00005e005301"
LEASES = """
lease 192.0.2.101 {
  starts 2 2026/11/24 16:00:00;
  ends 2 2026/11/24 17:00:00;
  binding state active;
  hardware ethernet 00:00:5e:00:53:01;
  set vendor-class-identifier = "CISCO ATA192";
}
lease 192.0.2.102 {
  binding state active;
  hardware ethernet 00:00:5e:00:53:02;
}
lease 192.0.2.101 {
  starts 2 2026/11/24 16:05:00;
  ends 2 2026/11/24 16:06:00;
  binding state free;
  hardware ethernet 00:00:5e:00:53:01;
}
"""
CONFIGURATION = """
class "ata" {
  option tftp-server-name "other";
}

shared-network bench {
  subnet 192.0.2.0 netmask 255.255.255.0 {
    option tftp-server-name "192.0.2.1";
    pool { range 192.0.2.100 192.0.2.199; }
  }
}

host desk-1 { hardware ethernet 00:00:5e:00:53:01; fixed-address 192.0.2.20; }
host desk-2 { hardware ethernet 00:00:5e:00:53:02; }
"""
LINES = [
    ("isc-dhcp-server.service", 1, "DHCPACK on 192.0.2.101 to 00:00:5e:00:53:01 via bench0"),
    ("preprovision-tftp.service", 2, "sent /run/tftp/ata192.cfg to 192.0.2.101"),
    ("isc-dhcp-server.service", 3, "DHCPACK on 192.0.2.101 to 00:00:5e:00:53:02 via bench0"),
    ("preprovision-tftp.service", 4, "sent /run/tftp/spa504G.cfg to 192.0.2.101"),
    ("unheard.service", 5, "sent nothing to 192.0.2.101"),
]


@pytest.fixture
def parameters(tmp_path):
    """Where everything is, with a phone that has logged and one generation."""
    (tmp_path / "leases").write_text(LEASES)
    (tmp_path / "dhcpd.conf").write_text(CONFIGURATION)
    folder = tmp_path / "generations" / "000007"
    for path in (f"device/{MAC}.cfg", "open/ata192.cfg", f"open/service/{MAC}-0a.cfg"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch(0o644)
    entries = [
        ["device/00005e005301.cfg", "d", "f00", "desk-1", "preprovision"],
        ["device/gone-desk-1.cfg", "d", "f", "desk-1", "x"],
    ]
    (folder / "manifest.jsonl").write_text("\n".join(map(json.dumps, [{"salt": "", "base": ""}, *entries])))
    (tmp_path / "current").symlink_to("generations/000007")
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "192.0.2.101.log").write_text(
        "2026-11-24T16:00:01+00:00 192.0.2.101 local0.info ATA192 00:00:5e:00:53:01 -- Requesting resync http://192.0.2.1/x\n"
        "2026-11-24T16:00:02+00:00 192.0.2.101 local0.info ATA192 00:00:5e:00:53:02 -- of another\n"
    )
    places = {"leases": "leases", "dhcp_configuration": "dhcpd.conf", "logs": "logs", "path": ""}
    return {"since": 0, **{name: str(tmp_path / place) for name, place in places.items()}}


@pytest.fixture
def journal(monkeypatch):
    """What journalctl says."""

    def run(*_command, **_options):
        records = [
            {"_SYSTEMD_UNIT": unit, "__REALTIME_TIMESTAMP": str(second * 10**6), "MESSAGE": text, "__CURSOR": str(second)}
            for unit, second, text in LINES
        ]
        return "\n".join([*map(json.dumps, records), "no json", "{}"])

    monkeypatch.setattr(log_facts, "run_command", run)


def test_uses_the_last_entry_of_a_lease(parameters):
    first, second = read_leases(parameters["leases"])
    assert (first["address"], first["mac"], first["state"], first["ends"]) == ("192.0.2.101", MAC, "free", "2026/11/24 16:06:00")
    assert (second["state"], second["class"]) == ("active", "")


@pytest.mark.parametrize(
    ("mac", "found"),
    [
        (MAC, {"name": "desk-1", "address": "192.0.2.20"}),
        ("00005e005302", {"name": "desk-2", "address": ""}),
        ("00005e005303", {}),
    ],
)
def test_a_reservation_may_have_no_address(parameters, mac, found):
    assert read_reservation(parameters["dhcp_configuration"], mac) == found


def test_returns_options_for_all_phones(parameters):
    assert read_offered(parameters["dhcp_configuration"]) == {"tftp-server-name": '"192.0.2.1"'}


@pytest.mark.parametrize(
    ("who", "kept", "mac"),
    [
        ("00-00-5E-00-53-09", None, "00005e005309"),
        ("S1", {"phone": {"mac": MAC}}, MAC),
        ("desk-2", {"phone": {}}, "00005e005302"),
        ("nobody", None, ""),
    ],
)
def test_finds_a_phone_in_any_source(parameters, who, kept, mac):
    assert find_mac(who, kept, parameters) == mac


def test_returns_a_phones_files_with_their_manifest_entries(parameters):
    facts = read_files(parameters["path"], [MAC, "desk-1"])
    assert facts["generation"] == "000007"
    assert facts["files"] == ["/ata192.cfg"]
    assert [(file["path"], file["kind"], file.get("missing", False)) for file in facts["own"]] == [
        (f"device/{MAC}.cfg", "preprovision", False),
        (f"open/service/{MAC}-0a.cfg", "", False),
        ("device/gone-desk-1.cfg", "x", True),
    ]


def test_assigns_events_to_the_phone_that_had_the_address_then(parameters, journal):
    facts = read_phone(MAC, "desk-1", parameters, None, read_leases(parameters["leases"]))
    assert [(event["kind"], event["detail"].get("what")) for event in facts["events"]] == [
        ("lease", "ack"),
        ("tftp", "sent"),
        ("resync", "request"),
    ]
    assert {event["mac"] for event in facts["events"][:2]} == {MAC}
    assert [line.split()[-2] for line in facts["log"]] == ["resync"]
    assert facts["lease"]["state"] == "free"


def test_the_holder_of_the_address_counts_before_the_certificate(parameters, journal, monkeypatch):
    line = {
        "address": "192.0.2.102",
        "method": "GET",
        "uri": f"/device/{MAC}.cfg",
        "status": 403,
        "verify": "SUCCESS",
        "subject": f"SN={MAC}",
    }
    monkeypatch.setattr(sys.modules[__name__], "LINES", [("nginx.service", 9, json.dumps(line))])
    leases = read_leases(parameters["leases"])
    assert [event["kind"] for event in read_phone(MAC, "", parameters, None, leases)["events"]] == ["resync"]
    assert [event["kind"] for event in read_phone("00005e005302", "", parameters, None, leases)["events"]] == ["http"]


def test_omits_earlier_events(parameters, journal):
    kept = {"phone": {}, "events": [{"time": 1000, "address": ""}, {"time": 9 * 10**12, "address": ""}]}
    facts = read_phone(MAC, "", {**parameters, "since": 2}, kept, [])
    assert [event["kind"] for event in facts["events"]] == ["tftp", "resync"]
    assert len(facts["database"]["events"]) == 1


def test_returns_empty_facts_of_an_empty_station(tmp_path, monkeypatch):
    monkeypatch.setattr(station_facts, "run_command", lambda *_command, **_options: "")
    assert read_leases(str(tmp_path / "none")) == []
    assert read_files(str(tmp_path), ["x"]) == {"generation": "", "files": [], "own": [], "armed": False}
    assert read_bridge("nosuchbridge") == {"name": "nosuchbridge", "state": "missing", "address": ""}


def test_shows_no_token_of_a_url_that_a_phone_logs():
    line = "2026-11-30T08:39:19.461446+00:00 192.0.2.20 user.notice ATA192 00:00:5e:00:53:01 -- Requesting resync http://a.example/?token=Kq1"
    [(shown, _moment, event)] = log_facts.parse_phone_log([line])
    assert shown.endswith("http://a.example/?token=****")
    assert event is not None
    assert "Kq1" not in str(event)


KEA = {
    "Dhcp4": {
        "option-data": [
            {"code": 66, "data": b"192.0.2.1".hex()},
            {"code": 150, "data": "c0000201"},
            {"code": 42, "data": "c0000201c0000202"},
        ],
        "hooks-libraries": [],
        "subnet4": [
            {
                "reservations": [
                    {"hw-address": "00:00:5e:00:53:01", "ip-address": "192.0.2.20", "user-context": {"name": "desk-1"}},
                    {"hw-address": "00:00:5e:00:53:02", "user-context": {"name": "desk-2"}},
                ]
            }
        ],
    }
}


def test_kea_s_configuration_says_the_same(tmp_path):
    path = tmp_path / "kea-dhcp4.conf"
    path.write_text(json.dumps(KEA))
    assert read_reservation(str(path), MAC) == {"name": "desk-1", "address": "192.0.2.20"}
    assert read_reservation(str(path), "00005e005302") == {"name": "desk-2", "address": ""}
    assert read_offered(str(path)) == {
        "tftp-server-name": '"192.0.2.1"',
        "preprovision-tftp-servers": "192.0.2.1",
        "ntp-servers": "192.0.2.1, 192.0.2.2",
    }
    path.write_text("{damaged")
    assert (read_reservation(str(path), MAC), read_offered(str(path))) == ({}, {})
