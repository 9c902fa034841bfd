# SPDX-License-Identifier: GPL-3.0-or-later
"""Server discovery by DHCP: which option counts, its forms, and the requests that follow."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.dhcp.options import identified_vendor_option, vendor_option
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.device.ports import Lease
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.fetching.server_discovery import (
    ServerDiscoveryError,
    candidate_targets,
    option_order,
    server_options,
)
from ansible_collections.voip.preprovision.plugins.module_utils.families.catalogue import BUILTIN
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.rules.model import Target
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.rules.urls import format_url, parse_url

ATA, SPA, MPP = (BUILTIN.families[name] for name in ("ata19x", "spa", "mpp"))
MACROS = {"PN": "CP-8851-3PCC", "PSN": "8851-3PCC", "MA": "001234ab45de"}
RULE = Target("tftp", None, 69, "/8851-3PCC.xml")
TAILS = ("/8851-3PCC.xml", "/Cisco/CP-8851-3PCC/001234ab45de.cfg")


@pytest.mark.parametrize(
    ("value", "urls"),
    [
        # The migration guide's own three rows
        ("https://h/path", ["https://h/path", *(f"https://h/path{tail}" for tail in TAILS)]),
        ("https://h", [f"https://h{tail}" for tail in TAILS]),
        ("10.23.45.67", [f"{scheme}://10.23.45.67{tail}" for scheme in ("tftp", "http", "https") for tail in TAILS]),
        ("prov.example.net", [f"{scheme}://prov.example.net{tail}" for scheme in ("tftp", "http", "https") for tail in TAILS]),
        ("http://h:8080/a/b/", ["http://h:8080/a/b/", *(f"http://h:8080/a/b{tail}" for tail in TAILS)]),
        ("tftp://h", [f"tftp://h{tail}" for tail in TAILS]),
        (
            "https://v/p;http://w",
            ["https://v/p", *(f"https://v/p{tail}" for tail in TAILS), *(f"http://w{tail}" for tail in TAILS)],
        ),
        ("192.0.2.8 192.0.2.9", [f"{s}://192.0.2.{n}{tail}" for n in (8, 9) for s in ("tftp", "http", "https") for tail in TAILS]),
        (";http://w;", [f"http://w{tail}" for tail in TAILS]),
    ],
)
def test_multiplatform_phones(value, urls):
    assert [format_url(target) for target in candidate_targets(value, 66, RULE, MPP, MACROS)] == urls


@pytest.mark.parametrize(
    ("family", "value", "urls"),
    [
        (ATA, "192.0.2.1", ["tftp://192.0.2.1/8851-3PCC.xml"]),
        (ATA, "prov.example.net", ["tftp://prov.example.net/8851-3PCC.xml"]),
        (SPA, "192.0.2.1;192.0.2.2", ["tftp://192.0.2.1/8851-3PCC.xml", "tftp://192.0.2.2/8851-3PCC.xml"]),
        (SPA, "http://h/a", ["http://h/a", "http://h/a/8851-3PCC.xml"]),
    ],
)
def test_other_families(family, value, urls):
    assert [format_url(target) for target in candidate_targets(value, 66, RULE, family, MACROS)] == urls


def test_probes_only_the_scheme_that_a_rule_names():
    rule = Target("http", None, 80, "/x.xml")
    assert format_url(candidate_targets("192.0.2.1", 66, rule, MPP, MACROS)[0]) == "http://192.0.2.1/x.xml"


@pytest.mark.parametrize(
    ("family", "value", "why"),
    [
        (ATA, "http://h/", "option 66 is the URL http://h/; this family expects an address or a host name"),
        (MPP, "ftp://h/", "option 66: column 1: unknown scheme 'ftp'"),
        (MPP, "http://h:0/", "option 66: column"),
        (MPP, "user@host", "option 66: column"),
    ],
)
def test_rejects_values_that_cannot_be_used(family, value, why):
    with pytest.raises(ServerDiscoveryError, match="option 66") as error:
        candidate_targets(value, 66, RULE, family, MACROS)
    assert why in str(error.value)
    assert error.value.option == 66


# -- which option

URL = b"http://h/x"
CISCO = (9).to_bytes(4, "big")


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        ("", (66, 160, 159, 150, 60, 43, 125)),
        ("160,66", (160, 66)),
        (" 150 , 43", (150, 43)),
        ("66;160", (66, 160, 159, 150, 60, 43, 125)),
        ("any", (66, 160, 159, 150, 60, 43, 125)),
    ],
)
def test_reads_the_order_of_options(parameter, expected):
    assert option_order(MPP, {"DHCP_Option_To_Use": parameter}) == expected


def test_uses_the_familys_order_without_the_parameter():
    assert option_order(ATA, {"DHCP_Option_To_Use": "160", "": "160"}) == (66,)
    assert option_order(SPA, {}) == (66, 160, 159, 150)


@pytest.mark.parametrize(
    ("options", "raw", "found"),
    [
        ({66: "192.0.2.1", 160: "http://h/", 150: "192.0.2.9"}, {}, [(66, "192.0.2.1"), (160, "http://h/"), (150, "192.0.2.9")]),
        ({66: "", 159: "h"}, {}, [(159, "h")]),
        ({60: "http://h/x"}, {}, [(60, "http://h/x")]),
        ({60: "192.0.2.1"}, {}, [(60, "192.0.2.1")]),
        ({60: "PXEClient"}, {}, []),
        ({60: "CP-8851-3PCC"}, {}, []),
        ({}, {43: URL}, [(43, "http://h/x")]),
        ({43: "http://h/x"}, {}, [(43, "http://h/x")]),
        ({}, {43: b"\x01\x0a" + URL}, [(43, "http://h/x")]),
        ({}, {43: b"\x05\x01\x00\x01\x0a" + URL + b"\x00"}, [(43, "http://h/x")]),
        ({}, {43: b"\x01\xff" + URL}, [(43, "http://h/x")]),
        ({}, {43: b"\x01\x04\xc0\x00\x02\x01"}, []),
        ({}, {125: CISCO + b"\x0c\x01\x0a" + URL}, [(125, "http://h/x")]),
        ({}, {125: CISCO + b"\x03\x01\x01a" + CISCO + b"\x0c\x02\x0a" + URL}, [(125, "http://h/x")]),
        ({}, {125: b"\x00"}, []),
    ],
)
def test_options_that_name_a_server(options, raw, found):
    assert list(server_options(Lease("192.0.2.20", options, raw), option_order(MPP, {}))) == found


@pytest.mark.parametrize("code", [1, 3, 254])
def test_reads_the_vendors_options_that_our_server_sends(code):
    entries = [{"code": 2, "type": "uint16", "value": 20}, {"code": code, "type": "text", "value": URL.decode()}]
    vendors = [{"enterprise": 9, "options": entries[:1]}, {"enterprise": 3561, "options": entries}]
    options = [vendor_option(43, entries, "43"), identified_vendor_option(125, vendors, "125")]
    lease = Lease("192.0.2.20", {}, {option.code: option.data for option in options})
    assert list(server_options(lease, (43, 125))) == [(43, "http://h/x"), (125, "http://h/x")]


@given(st.binary(max_size=300), st.binary(max_size=300), st.text(max_size=40))
def test_reads_any_vendor_data(vendor, makers, text):
    lease = Lease("192.0.2.20", {60: text}, {43: vendor, 125: makers})
    for code, value in server_options(lease, (60, 43, 125)):
        assert code in (60, 43, 125)
        assert value


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=255))
def test_any_value_yields_a_limited_list_or_is_rejected(value):
    try:
        found = candidate_targets(value, 66, RULE, dataclasses.replace(MPP, probes=True), MACROS)
    except ServerDiscoveryError:
        return
    assert len(found) <= 6 * (value.count(";") + 1)
    assert all(parse_url(format_url(target)) == target for target in found)
