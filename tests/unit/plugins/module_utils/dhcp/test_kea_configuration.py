# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan as Kea's configuration: the bytes are those of the plan, and classes are those of dhcpd."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.dhcp.kea_configuration import (
    VERSIONS,
    kea_configuration,
    options_of,
)
from ansible_collections.voip.preprovision.plugins.module_utils.dhcp.options import OptionError
from ansible_collections.voip.preprovision.plugins.module_utils.dhcp.server_options import plan_dhcp

SETTINGS = {
    "address": "192.0.2.1/24",
    "interface": "bench0",
    "pool_size": 100,
    "lease_time": 3600,
    "unknown_lease_time": 300,
    "authoritative": False,
    "domain": "",
    "option_66": "",
    "option_150": [],
    "option_159": "",
    "option_160": "",
    "option_3": [],
    "option_42": [],
    "option_6": [],
    "option_43": [],
    "option_125": [],
    "option_132": 0,
    "option_132_type": "text",
    "custom_options": [],
    "reservations": [],
    "families": {},
}
X86 = "x86_64-linux-gnu"


def configure(version="2.6", **settings):
    plan = plan_dhcp({**SETTINGS, **settings})
    return plan, kea_configuration(plan, version, X86)["Dhcp4"]


def evaluate(test, packet):
    """Return what Kea's expression *test* is for a request, by Python's own and, or and not."""
    word, address = packet.get(60, b""), packet.get(50, b"")

    def bytes_of(text):
        return text[1:-1].encode("latin-1") if text.startswith("'") else bytes.fromhex(text[2:])

    text = re.sub(r"'(?:[^'])*'|\b0x[0-9a-f]+\b", lambda found: repr(bytes_of(found[0])), test)
    names = {
        "option[60].hex": "word",
        "option[50].hex": "address",
        "option[50].exists": "bool(address)",
        "option[54].exists": "(54 in packet)",
        "option[55].exists": "(55 in packet)",
        "pkt4.ciaddr == 0.0.0.0": "not ciaddr",
        "pkt4.ciaddr": "ciaddr",
        "pkt4.msgtype": "kind",
    }
    for name, value in names.items():
        text = text.replace(name, value)
    known = {
        "substring": lambda data, start, length: data[start : start + length],
        "lcase": bytes.lower,
        "word": word,
        "address": address,
        "packet": packet,
        "ciaddr": packet.get("ciaddr", b""),
        "kind": 3,
        "bool": bool,
    }
    return bool(eval(text, {"__builtins__": {}}, known))  # noqa: S307 - the text is the project's own


@pytest.mark.parametrize("version", VERSIONS)
def test_every_option_is_there_with_its_bytes(version):
    plan, server = configure(
        version,
        option_66="http://prov.example.net/a,b\\c;192.0.2.9",
        option_159="http://prov.example.net/",
        option_43=[{"type": "text", "value": "raw"}],
        option_132=20,
        custom_options=[{"code": 2, "type": "int32", "value": -3600}],
    )
    assert options_of({"Dhcp4": server}) == {option.code: option.data for option in plan.options}


@given(st.sampled_from(["spa", "Cisco SPA", "CISCO spa504", "cisco ata192", "x", ""]), st.text("aAcCiIsSoO pPxX5'", max_size=12))
def test_both_forms_of_the_class_test_agree_with_dhcpds(beginning, rest):
    """Without lcase(), letter by letter; dhcpd compares in lower case, and the longest beginning wins."""
    word = (beginning + rest).encode()
    families = {
        "acme": {"vendor_classes": ["Cisco SPA5", "x'"], "option_66": "192.0.2.7"},
        "spa": {"option_66": "192.0.2.8"},
        "ata19x": {"option_66": "192.0.2.9"},
    }
    plan, new = configure("2.6", families=families)
    _plan, old = configure("2.2", families=families)
    beginnings = {prefix.lower().encode(): family.family for family in plan.classes for prefix in family.prefixes}
    matching = [prefix for prefix in beginnings if word.lower().startswith(prefix)]
    owner = beginnings[max(matching, key=len)] if matching else ""
    for server in (new, old):
        tests = {entry["name"]: entry["test"] for entry in server["client-classes"] if entry["test"].startswith("(")}
        assert [name for name, test in tests.items() if evaluate(test, {60: word})] == (
            [f"family-{owner}"] if owner in families else []
        )


@given(st.integers(8, 30), st.ip_addresses(v=4), st.booleans())
def test_requests_for_addresses_of_other_networks_are_dropped_and_no_others(prefix, address, extends):
    plan, server = configure(address=f"10.77.130.5/{prefix}", pool_size=1)
    (test,) = (entry["test"] for entry in server["client-classes"] if entry["name"] == "DROP")
    asked = {"ciaddr": address.packed} if extends and int(address) else {50: address.packed}
    mask = int.from_bytes(bytes(map(int, plan.bench.netmask.split("."))), "big")
    network = int.from_bytes(bytes(map(int, plan.bench.network.split("."))), "big")
    assert evaluate(test, asked) == (int(address) & mask != network)
    assert not evaluate(test, {50: address.packed, 54: b"\xc0\0\2\1"})


def test_whoever_is_certainly_alone_refuses():
    _plan, server = configure(authoritative=True)
    assert "DROP" not in [entry["name"] for entry in server["client-classes"]]
    assert server["authoritative"]


def test_strangers_leases_are_short_and_known_phones_have_a_pool_of_their_own():
    phones = [{"name": "a", "mac": "00:00:5e:00:53:01", "address": "192.0.2.20"}, {"name": "b", "mac": "00:00:5e:00:53:02"}]
    for version in VERSIONS:
        _plan, server = configure(version, reservations=phones)
        (stranger,) = (entry for entry in server["client-classes"] if entry["test"] == "member('UNKNOWN')")
        assert stranger["valid-lifetime"] == stranger["max-valid-lifetime"] == 300
        (subnet,) = server["subnet4"]
        assert [entry.get("client-class") or entry.get("client-classes") for entry in subnet["pools"]] == [
            ["KNOWN"] if version == "3.0" else "KNOWN",
            None,
        ]
        assert [entry.get("ip-address") for entry in subnet["reservations"]] == ["192.0.2.20", None]
        # Kea 2.2 refuses a reservation of nothing
        assert ("option-data" in subnet["reservations"][1]) == (version == "2.2")


def test_an_unknown_release_is_one_sentence():
    with pytest.raises(
        OptionError, match=r"^Kea 1\.8 is not one of the releases that this collection configures: 2\.2, 2\.6, 3\.0$"
    ):
        kea_configuration(plan_dhcp(SETTINGS), "1.8", X86)
