# SPDX-License-Identifier: GPL-3.0-or-later
"""Log lines of the station's services and of phones, and what strangers may write into them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.events.logs.log_lines import (
    UNITS,
    EventKind,
    Line,
    Writer,
    clean,
    decode,
    journal_text,
    mac_inside,
    mac_of_subject,
    parse,
    read_line,
)

STAMP = "2026-11-24T12:42:57.777539+00:00"
MILLISECONDS = 1795524177778
WRITERS = (*UNITS.values(), "phone")
ATA, SPA, MPP = "00005e005301", "00005e005302", "00005e005303"


def handed_over(unit, message):
    return json.dumps({"unit": unit, "time": STAMP, "process": "2549", "msg": message})


def of_writer(writer, message, address="192.0.2.20"):
    return parse(Line(Writer(writer), MILLISECONDS, message, "k", address))


def web(**fields):
    record = {
        "address": "192.0.2.20",
        "scheme": "https",
        "method": "GET",
        "uri": f"/device/{ATA}.cfg",
        "status": 200,
        "bytes": 328,
        "agent": "Cisco/ATA192-MPP-11-1-0MPP-16 (FCH0000D001)",
        "verify": "SUCCESS",
        "subject": f"SN={ATA},L=FCH0000D001,OU=ATA192",
        "refused": "",
        "file": str(fields.get("uri", f"/device/{ATA}.cfg")).partition("?")[0],
        "upstream": "",
    }
    return of_writer("web", json.dumps({**record, **fields}))


KEA = "cid=[no info], tid=0x5e005301"
LONG = f"cid=[{':'.join(['ff'] * 255)}], tid=0xffffffff"


@pytest.mark.parametrize(
    ("writer", "text", "kind", "mac", "address", "claim", "detail"),
    [
        ("dhcp", "DHCPACK on 192.0.2.20 to 00:00:5e:00:53:01 via bench0", "lease", ATA, "192.0.2.20", "", {"what": "ack"}),
        ("dhcp", "DHCPACK on 192.0.2.20 to 00:00:5e:00:53:01 (x) via bench0", "lease", ATA, "192.0.2.20", "", {"what": "ack"}),
        ("dhcp", "DHCPDISCOVER from 00:00:5e:00:53:02 via bench0", "lease", SPA, "", "", {"what": "discover"}),
        (
            "dhcp",
            "DHCPDISCOVER from 00:00:5e:00:53:02 via bench0: network 192.0.2.0/24: no free leases",
            "lease",
            SPA,
            "",
            "",
            {"what": "none free"},
        ),
        # what a client calls itself
        (
            "dhcp",
            "DHCPDISCOVER from 00:00:5e:00:53:02 (: no free leases) via bench0",
            "lease",
            SPA,
            "",
            "",
            {"what": "discover"},
        ),
        ("dhcp", "DHCPNAK on 192.0.2.20 to 00:00:5e:00:53:01 via bench0", "lease", ATA, "192.0.2.20", "", {"what": "nak"}),
        (
            "dhcp",
            "DHCPRELEASE of 192.0.2.20 from 00:00:5e:00:53:01 via bench0 (not found)",
            "lease",
            ATA,
            "192.0.2.20",
            "",
            {"what": "release"},
        ),
        (
            "kea",
            f"INFO  [kea-dhcp4.leases] DHCP4_LEASE_ALLOC [hwtype=1 00:00:5e:00:53:01], {KEA}: lease 192.0.2.20 has been"
            " allocated for 3600 seconds",
            "lease",
            ATA,
            "192.0.2.20",
            "",
            {"what": "ack"},
        ),
        # Kea 2.2, and since 2.6
        *(
            (
                "kea",
                f"INFO  [kea-dhcp4.leases] DHCP4_LEASE_{what} [hwtype=1 00:00:5e:00:53:02], {KEA}: lease 192.0.2.155 will be",
                "lease",
                SPA,
                "",
                "",
                {"what": "discover"},
            )
            for what in ("ADVERT", "OFFER")
        ),
        (
            "kea",
            f"DEBUG [kea-dhcp4.bad-packets] DHCP4_PACKET_NAK_0003 [hwtype=1 00:00:5e:00:53:02], {KEA}: failed to"
            " advertise a lease, client sent ciaddr 0.0.0.0, requested-ip-address (no address)",
            "lease",
            SPA,
            "",
            "",
            {"what": "none free"},
        ),
        (
            "kea",
            f"DEBUG [kea-dhcp4.bad-packets] DHCP4_PACKET_NAK_0002 [hwtype=1 00:00:5e:00:53:01], {KEA}: invalid"
            " address 192.0.2.20 requested by INIT-REBOOT",
            "lease",
            ATA,
            "192.0.2.20",
            "",
            {"what": "nak"},
        ),
        (
            "kea",
            f"INFO  [kea-dhcp4.leases] DHCP4_DECLINE_LEASE Received DHCPDECLINE for addr 192.0.2.20 from client"
            f" [hwtype=1 00:00:5e:00:53:01], {KEA}. The lease will be unavailable for 120 seconds.",
            "lease",
            ATA,
            "192.0.2.20",
            "",
            {"what": "decline"},
        ),
        (
            "kea",
            f"INFO  [kea-dhcp4.leases] DHCP4_RELEASE [hwtype=1 00:00:5e:00:53:01], {LONG}: address 192.0.2.20 was released"
            " properly.",
            "lease",
            ATA,
            "192.0.2.20",
            "",
            {"what": "release"},
        ),
        (
            "tftp",
            "sent /run/tftp/ata192.cfg to 192.0.2.20",
            "tftp",
            "",
            "192.0.2.20",
            "",
            {"what": "sent", "path": "/ata192.cfg"},
        ),
        # the station chose the folder by the requester's MAC address
        (
            "tftp",
            "sent /run/tftp/00-00-5e-00-53-01/ata192.cfg to 192.0.2.20",
            "tftp",
            ATA,
            "192.0.2.20",
            ATA,
            {"what": "sent", "path": "/00-00-5e-00-53-01/ata192.cfg"},
        ),
        # the name in a unit's folder is the requester's own
        (
            "tftp",
            "sent /run/tftp/00-00-5e-00-53-01/00005e005302.cfg to 192.0.2.20",
            "tftp",
            ATA,
            "192.0.2.20",
            ATA,
            {"what": "sent", "path": "/00-00-5e-00-53-01/00005e005302.cfg"},
        ),
        (
            "tftp",
            "file /run/tftp/00-00-5e-00-53-01/xmldefault.cnf.xml not found for 192.0.2.20",
            "tftp",
            "",
            "192.0.2.20",
            ATA,
            {"what": "missing", "path": "/00-00-5e-00-53-01/xmldefault.cnf.xml"},
        ),
        (
            "tftp",
            "failed sending /run/tftp/00-00-5e-00-53-01/ata192.cfg to 192.0.2.20",
            "tftp",
            "",
            "192.0.2.20",
            ATA,
            {"what": "failed", "path": "/00-00-5e-00-53-01/ata192.cfg"},
        ),
        # a folder that is not at the beginning, of a group address, or without a file
        (
            "tftp",
            "sent /run/tftp/x/00-00-5e-00-53-01/a to 192.0.2.20",
            "tftp",
            "",
            "192.0.2.20",
            ATA,
            {"what": "sent", "path": "/x/00-00-5e-00-53-01/a"},
        ),
        (
            "tftp",
            "sent /run/tftp/01-00-5e-00-53-01/a to 192.0.2.20",
            "tftp",
            "",
            "192.0.2.20",
            "",
            {"what": "sent", "path": "/01-00-5e-00-53-01/a"},
        ),
        (
            "tftp",
            "sent /run/tftp/00-00-5e-00-53-01 to 192.0.2.20",
            "tftp",
            "",
            "192.0.2.20",
            ATA,
            {"what": "sent", "path": "/00-00-5e-00-53-01"},
        ),
        ("arming", "armed 00-00-5e-00-53-01", "arming", ATA, "", "", {"what": "armed"}),
        ("arming", "disarmed 00-00-5e-00-53-01", "arming", ATA, "", "", {"what": "disarmed"}),
        (
            "tftp",
            "file /run/tftp/00005e005301.cfg not found for 192.0.2.1",
            "tftp",
            "",
            "192.0.2.1",
            ATA,
            {"what": "missing", "path": "/00005e005301.cfg"},
        ),
        # a name that looks like the end of a line
        ("tftp", "sent /x to 192.0.2.9 to 192.0.2.20", "tftp", "", "192.0.2.20", "", {"what": "sent", "path": "/x to 192.0.2.9"}),
        (
            "phone",
            "ATA192-MPP 00:00:5e:00:53:01 -- Requesting resync https://192.0.2.1:443/device/00005e005301.cfg",
            "resync",
            "",
            "192.0.2.20",
            ATA,
            {"what": "request", "text": "https://192.0.2.1:443/device/00005e005301.cfg", "product": "ATA192-MPP"},
        ),
        (
            "phone",
            "<14>x CP-88xx-3PCC 00:00:5e:00:53:03 -- Upgrade failed: http_get failed",
            "upgrade",
            "",
            "192.0.2.20",
            MPP,
            {"what": "failure", "text": "http_get failed", "product": "CP-88xx-3PCC"},
        ),
        (
            "service",
            json.dumps({"kind": "report", "mac": ATA, "address": "192.0.2.20", "status": 200, "sealed": True}),
            "report",
            ATA,
            "192.0.2.20",
            ATA,
            {"status": 200, "sealed": True},
        ),
    ],
)
def test_parses_lines(writer, text, kind, mac, address, claim, detail):
    event = of_writer(writer, text)
    assert (event.kind, event.mac, event.address, event.claim, event.detail) == (kind, mac, address, claim, detail)


@pytest.mark.parametrize(
    ("writer", "text"),
    [
        ("dhcp", "DHCPREQUEST for 192.0.2.155 (192.0.2.1) from 00:00:5e:00:53:02 via bench0"),
        ("dhcp", "DHCPACK on 192.0.2.20 to ff:ff:ff:ff:ff:ff via bench0"),
        ("dhcp", "uid lease 192.0.2.20 for client 00:00:5e:00:53:01 is duplicate"),
        ("kea", f"INFO  [kea-dhcp4.leases] DHCP4_LEASE_ALLOC [hwtype=6 00:00:5e:00:53:01], {KEA}: lease 192.0.2.20 has been"),
        (
            "kea",
            f"INFO  [kea-dhcp4.leases] DHCP4_INIT_REBOOT [hwtype=1 00:00:5e:00:53:01], {KEA}: client is in INIT-REBOOT state and",
        ),
        ("kea", "WARN  [kea-dhcp4.alloc-engine] ALLOC_ENGINE_V4_ALLOC_FAIL_CLASSES [hwtype=1 00:00:5e:00:53:01]"),
        ("tftp", "cannot access /srv/preprovision/current/open/../etc/passwd: Permission denied"),
        ("web", "2026/11/24 12:45:22 [error] 2549#2549: *10 access forbidden by rule, client: 192.0.2.1"),
        # what no request was
        ("web", '{"address":"192.0.2.1","scheme":"http","method":"","uri":"","status":400,"agent":"","verify":"","subject":""}'),
        ("web", "[" * 5000),
        ("web", "{" + '"a":{' * 5000),
        ("service", '{"kind": "lease", "mac": "00005e005301"}'),
        ("service", '{"kind": "report", "mac": 5}'),
        ("service", "Starting gunicorn 20.1.0"),
        ("phone", "SIP/2.0 200 OK"),
    ],
)
def test_ignores_other_lines(writer, text):
    assert of_writer(writer, text) is None


def test_reads_all_that_nginx_logs_of_a_request():
    event = web()
    assert (event.kind, event.mac, event.claim) == ("http", ATA, ATA)
    assert event.evidence == "certificate"
    assert event.detail == {
        "what": "file",
        "method": "GET",
        "path": "/device/00005e005301.cfg",
        "status": 200,
        "scheme": "https",
        "agent": "Cisco/ATA192-MPP-11-1-0MPP-16 (FCH0000D001)",
        "firmware": "11-1-0MPP-16",
        "subject": "SN=00005e005301,L=FCH0000D001,OU=ATA192",
    }


@pytest.mark.parametrize("verify", ["", "NONE", "FAILED:unable to verify the first certificate"])
def test_trusts_only_a_verified_certificate(verify):
    event = web(verify=verify)
    assert (event.mac, event.claim) == ("", ATA)
    assert "subject" not in event.detail


INVALID = "a client certificate that is not valid"


@pytest.mark.parametrize(
    ("refused", "verify", "found"),
    [
        (INVALID, "FAILED:certificate has expired", f"{INVALID}: certificate has expired"),
        (INVALID, "FAILED", INVALID),
        (INVALID, "", INVALID),
        ("no client certificate", "FAILED:certificate has expired", "no client certificate"),
    ],
)
def test_says_what_is_wrong_with_a_certificate(refused, verify, found):
    assert web(status=403, refused=refused, verify=verify).detail["refused"] == found
    of_service = of_writer(
        "service", json.dumps({"kind": "profile", "mac": ATA, "status": 403, "reason": refused, "verify": verify})
    )
    assert of_service.detail["reason"] == found


def test_prefers_the_path_to_the_user_agent():
    agent = "Cisco-CP-8851-3PCC/11.3.2 (00005e005303)"
    assert web(verify="", agent=agent).claim == ATA
    assert web(verify="", agent=agent, uri="/8851-3PCC.xml").claim == MPP
    # A query is no place
    assert web(verify="", uri=f"/x.cfg?{ATA}").claim == ""
    assert web(verify="", uri=f"/apis/{ATA}.cfg").claim == ATA


@pytest.mark.parametrize("path", [f"/board/phones/{ATA}", f"/api/phones/{ATA}", f"/bench-ca.pem/../api/{ATA}.cfg", f"/x/{ATA}.cfg"])
def test_a_request_of_a_location_without_files_is_about_no_phone(path):
    event = web(verify="", uri=path, file="", agent="Cisco-CP-8851-3PCC/11.3.2 (00005e005303)")
    assert (event.mac, event.claim, event.detail["path"], event.detail.get("what")) == ("", "", path, None)


@pytest.mark.parametrize(("upstream", "what"), [("", "file"), ("200", "passed on"), ("502, 502, 502", "passed on")])
def test_says_who_answered_a_request_for_a_file(upstream, what):
    # nginx has understood the path otherwise than a reader would
    event = web(verify="", uri=f"/live/{SPA}.cfg/../{ATA}.cfg", file=f"/live/{ATA}.cfg", upstream=upstream)
    assert (event.claim, event.detail["path"], event.detail["what"]) == (ATA, f"/live/{ATA}.cfg", what)


@pytest.mark.parametrize(
    ("subject", "mac"),
    [
        ("SN=00005e005301,L=FCH0000D001,OU=ATA192", ATA),
        # a serial number that looks like one
        ("OU=SPA-962,L=88012BA01234,SN=00005e005301", ATA),
        ("L=88012BA01234,OU=SPA-962", ""),
        ("CN=ATA192 00:00:5E:00:53:01", ATA),
        ("CN=00005e005301,SN=00005e005302", ""),
        (r"CN=x\,L=y 00005e005301", ATA),
        ("OU=cisco.com,L=ciscogeneric,SN=ciscogeneric", ""),
    ],
)
def test_finds_the_mac_address_in_subjects(subject, mac):
    assert mac_of_subject(subject) == mac


@pytest.mark.parametrize(
    ("fields", "mac"),
    [
        ({"verify": "SUCCESS", "subject": f"SN={ATA}", "status": 200}, ATA),
        ({"verify": "SUCCESS", "subject": f"SN={SPA}", "status": 403}, ""),
        ({"verify": "NONE", "subject": f"SN={ATA}", "status": 200}, ""),
        ({"status": 200}, ""),
    ],
)
def test_distinguishes_the_owner_of_a_file_from_its_requester(fields, mac):
    event = of_writer("service", json.dumps({"kind": "profile", "mac": ATA, "etag": "abc", **fields}))
    assert (event.mac, event.claim, event.detail["etag"]) == (mac, ATA, "abc")
    assert event.evidence == ("certificate" if mac else "")


@pytest.mark.parametrize(
    ("fields", "mac", "evidence"),
    [
        ({"status": 200, "sealed": True}, ATA, "key"),
        ({"status": 200, "sealed": False, "verify": "SUCCESS", "subject": f"SN={ATA}"}, ATA, "certificate"),
        # profile_service_report_access: anybody
        ({"status": 200, "sealed": False}, "", ""),
        ({"status": 400, "sealed": True}, "", ""),
    ],
)
def test_a_report_proves_who_sent_it_by_key_or_certificate(fields, mac, evidence):
    event = of_writer("service", json.dumps({"kind": "report", "mac": ATA, **fields}))
    assert (event.mac, event.claim, event.evidence) == (mac, ATA, evidence)


def test_finds_no_address_among_several():
    assert mac_inside(f"/{ATA}/{SPA}.cfg") == ""
    assert mac_inside(f"/{ATA}/{ATA.upper()}.cfg") == ATA


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("[--key Geheim7] http://prov.example.net/x", "Geheim7"),
        ('[--uid a --pwd "Geheim7"] http://prov.example.net/x', "Geheim7"),
        ("https://user:Geheim7@prov.example.net/x", "Geheim7"),
        ("/x.cfg?token=Geheim7&mac=1", "Geheim7"),
    ],
)
def test_keeps_no_secret(text, hidden):
    message = of_writer("phone", f"ATA192-MPP 00:00:5e:00:53:01 -- Resync failed: {text}")
    request = web(uri="/" + text, agent=text, refused=text)
    of_service = of_writer("service", json.dumps({"kind": "profile", "mac": ATA, "path": text}))
    for event in (message, request, of_service):
        assert "****" in repr(event)
        assert hidden not in repr(event)


def test_escapes_unprintable_characters():
    event = web(agent="a\tb\x1b[31m\x00\ud800<script>")
    assert event.detail["agent"] == r"a\tb\x1b[31m\x00\ud800<script>"


@pytest.mark.parametrize(
    ("data", "path"),
    [
        (b"/ata192.cfg\xff", r"/ata192.cfg\xff"),
        (b"/ata192.cfg\xc3\xa4\xc3", "/ata192.cfg\u00e4\\xc3"),
        (b"/\xf0\x9f/x.cfg", r"/\xf0\x9f/x.cfg"),
    ],
)
def test_shows_bytes_that_are_no_text(data, path):
    line = b'{"address":"192.0.2.20","method":"GET","uri":"%b","status":404,"file":"%b"}' % (data, data)
    for text in (decode(line), journal_text(list(line))):
        event = of_writer("web", text)
        assert (event.detail["path"], event.detail["status"]) == (path, 404)


@pytest.mark.parametrize("message", [None, 5, [256], [-1], ["x", "y"], [[1]], {"x": 1}])
def test_an_entry_of_the_journal_may_have_no_message(message):
    assert journal_text(message) is None


def test_reads_the_journal():
    line = read_line(handed_over("nginx.service", "hello"))
    assert (line.writer, line.time, line.text) == ("web", MILLISECONDS, "hello")
    assert read_line(handed_over("evil.service", "hello")) is None


def test_reads_a_phones_log():
    text = "SPA504G 00:00:5e:00:53:02 -- Resync failed: x"
    line = read_line(json.dumps({"offset": "77", "msg": f"{STAMP} 192.0.2.155 user.notice {text}"}))
    assert (line.writer, line.time, line.address, line.text) == ("phone", MILLISECONDS, "192.0.2.155", text)


def test_identifies_each_line_by_its_key():
    record = {"unit": "nginx.service", "time": STAMP, "process": "1", "msg": "x"}
    changes = [{}, {"unit": "preprovision-tftp.service"}, {"time": STAMP.replace("539", "540")}, {"process": "2"}, {"msg": "y"}]
    lines = [read_line(json.dumps({**record, **change})) for change in changes]
    assert len({line.key for line in lines}) == len(changes)
    assert lines[0] == read_line(json.dumps(record))
    said = f"{STAMP} 192.0.2.155 user.notice x"
    assert read_line(json.dumps({"offset": "1", "msg": said})).key != read_line(json.dumps({"offset": "2", "msg": said})).key


@pytest.mark.parametrize("text", ["", "x", "[]", "{", "null", '{"msg": 1}', '{"msg": "x", "unit": ["nginx.service"]}', "{" * 40000])
def test_ignores_what_rsyslog_never_sends(text):
    assert read_line(text) is None


@pytest.mark.parametrize("stamp", ["", "x", "2026-11-24", "2026-11-24T12:42:57", "0001-01-01T00:00:00+23:59"])
def test_rejects_invalid_times(stamp):
    assert read_line(json.dumps({"unit": "nginx.service", "time": stamp, "process": "1", "msg": "x"})) is None


FIELDS = ("address", "scheme", "method", "uri", "status", "agent", "verify", "subject", "refused", "kind", "mac", "etag")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.sampled_from(WRITERS), st.text() | st.dictionaries(st.text(), VALUES).map(json.dumps), st.text())
def test_any_text_is_parsed(writer, text, address):
    event = of_writer(writer, text, address)
    assert event is None or isinstance(event.kind, EventKind)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            name: st.text() | VALUES
            for name in [
                "address",
                "scheme",
                "method",
                "uri",
                "status",
                "agent",
                "verify",
                "subject",
                "refused",
                "kind",
                "mac",
                "etag",
                "file",
                "upstream",
                "sealed",
            ]
        },
    )
)
def test_any_record_is_parsed_and_kept_in_printable_form(fields):
    for event in (web(**fields), of_writer("service", json.dumps({"kind": "report", "mac": ATA, **fields}))):
        if event:
            json.dumps(event.detail).encode("ascii")
            assert all(isinstance(value, int) or value.isprintable() for value in event.detail.values())
            assert event.address.isascii()


@given(st.text())
def test_any_line_is_read(text):
    read_line(text)


@given(st.text())
def test_cleaning_twice_reveals_nothing(text):
    assert clean(text).isprintable()


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize(
    "text",
    [
        "0:" * 160_000,
        "sent " + " to 1" * 60_000,
        "DHCPACK on " + "1" * 300_000,
        '{"uri":"/?' + "key" * 100_000 + '","status":200,"address":"192.0.2.1"}',
        "a 00:00:5e:00:53:01 " * 16_000,
        "A 00:00:5e:00:53:01 -- Resync failed: " + "?key" * 70_000,
        '{"uri":"/x","status":200,"address":"192.0.2.1","verify":"SUCCESS","subject":"' + "a=\\\\," * 50_000 + '"}',
    ],
)
def test_parses_any_line_quickly(writer, text, stop_when_hung):
    # Milliseconds; what grows with the square takes minutes
    of_writer(writer, text)
