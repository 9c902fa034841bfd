# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of the bench's DHCP server: options for all phones and for families, which phone belongs to which, addresses."""

from __future__ import annotations

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.bench.network import BenchError
from ansible_collections.voip.preprovision.plugins.module_utils.dhcp.options import Option, OptionError, OptionType
from ansible_collections.voip.preprovision.plugins.module_utils.dhcp.server_options import plan_classes, plan_dhcp
from ansible_collections.voip.preprovision.plugins.module_utils.families.catalogue import BUILTIN

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
    "partner": "",
}
STATION = bytes([192, 0, 2, 1])


def test_known_families_are_classes_by_default():
    classes = plan_classes({})
    assert [family.family for family in classes] == [
        "ata19x",
        "grandstream",
        "mpp",
        "pap2t",
        "phoneos",
        "poly",
        "snom",
        "spa",
        "yealink",
    ]
    assert all(family.prefixes and not family.options for family in classes)


def test_families_with_their_own_options():
    classes = {
        family.family: family
        for family in plan_classes(
            {
                "spa": {"option_66": "spa.example.net", "option_160": ""},
                "mpp": {"vendor_classes": ["CP-8"]},
                "acme": {"vendor_classes": ["Acme"], "option_150": ["192.0.2.9"], "option_6": ["192.0.2.8"]},
            }
        )
    }
    assert classes["spa"].options == (Option(66, OptionType.TEXT, b"spa.example.net"),)
    assert classes["spa"].prefixes == next(family.prefixes for family in plan_classes({}) if family.family == "spa")
    assert classes["mpp"].prefixes == ("CP-8",)
    assert [option.code for option in classes["acme"].options] == [6, 150]


def test_families_of_the_catalogue():
    catalogue = BUILTIN.extended(
        {
            "acme": {"vendor_classes": "Acme VP", "models": "VP1"},
            "cp6": {"based_on": "mpp", "vendor_classes": ["CP-6", "CP-68"]},
            "spb": {"based_on": "spa"},
            "mpp": {"vendor_classes": ["CP-7", "CP-8"]},
            "no vendor class": {},
        }
    )
    classes = plan_classes({"acme": {"option_66": "acme.example.net"}}, catalogue=catalogue)
    names = [plan.family for plan in classes]
    # The prefix that spb shares with spa does not decide between them
    assert names == ["acme", "ata19x", "cp6", "grandstream", "mpp", "pap2t", "phoneos", "poly", "snom", "spa", "yealink"]
    assert classes[0].options == (Option(66, OptionType.TEXT, b"acme.example.net"),)


@pytest.mark.parametrize(
    ("families", "sentence"),
    [
        ({"a b": {"vendor_classes": "x"}}, "phone_families: 'a b' is not a valid name of a class of DHCP clients; use letters,"),
        ({"acme": {"vendor_classes": "é"}}, "phone_families: acme: vendor_classes is ['é']; it must be a list of texts"),
    ],
)
def test_rejects_invalid_catalogue_families(families, sentence):
    with pytest.raises(OptionError) as raised:
        plan_classes({}, catalogue=BUILTIN.extended(families))
    assert str(raised.value).startswith(sentence)


@pytest.mark.parametrize(
    ("families", "sentence"),
    [
        ({"a b": {}}, "families: 'a b' is not a family name"),
        ({"spa": []}, "families: spa: the settings are []; they must be a mapping"),
        ({"spa": {"option66": "x"}}, "families: spa: unknown key 'option66'; did you mean 'option_66'?"),
        ({"spa": {"zzz": 1}}, "families: spa: unknown key 'zzz'; expected one of vendor_classes, option_66,"),
        ({"acme": {"option_66": "x"}}, "families: acme: vendor_classes is None; it must be a list of texts"),
        ({"acme": {"vendor_classes": "Acme"}}, "families: acme: vendor_classes is 'Acme'; it must be a list of texts"),
        ({"acme": {"vendor_classes": [""]}}, "families: acme: vendor_classes is ['']; it must be a list of texts"),
        ({"acme": {"vendor_classes": ["é"]}}, "families: acme: vendor_classes is ['é']; it must be a list of texts"),
        ({"acme": {"vendor_classes": ["A" * 256]}}, "families: acme: vendor_classes is ['AAA"),
        ({"spa": {"option_66": "a b"}}, "families: spa: option_66 is 'a b', and 'a b' is not an IPv4 address"),
        (
            {"spa": {"option_132": 4095}},
            "families: spa: option_132 is 4095; it must be a whole number between 1 and 4094, such as 20",
        ),
        (
            {"spa": {"option_132": 1, "option_132_type": "int"}},
            "families: spa: option_132_type: unknown type 'int'; expected one of",
        ),
        (
            {"spa": {"option_132_type": "uint16"}},
            "families: spa: option_132_type is 'uint16', but there is no number of a VLAN; set",
        ),
        ({"spa": {"option_43": "01"}}, "families: spa: option_43 is text; it must be a list, such as [{code: 1, type: text,"),
        (
            {"spa": {"custom_options": [{"code": 66, "type": "text", "value": "x"}]}},
            "families: spa: custom_options: option 66 has a setting of its own; set option_66 instead",
        ),
        (
            {"spa": {"custom_options": [{"code": 15, "type": "text", "value": "x"}]}},
            "families: spa: custom_options: option 15 has a setting of its own; set the domain of all families instead",
        ),
        ({"spa": {"option_150": "x"}}, "families: spa: option_150 is 'x'; it must be a list of IPv4 addresses"),
        (
            {"a": {"vendor_classes": ["x"]}, "b": {"vendor_classes": ["X"]}},
            "families: a phone whose vendor class begins with 'x' would belong to the families a and b; give each its own",
        ),
        (
            {"acme": {"vendor_classes": ["cp-8"]}},
            "families: a phone whose vendor class begins with 'cp-8' would belong to the families acme and mpp; give each its own",
        ),
    ],
)
def test_rejects_invalid_families(families, sentence):
    with pytest.raises(OptionError) as raised:
        plan_classes(families, "families")
    assert str(raised.value).startswith(sentence)


def test_empty_settings_default_to_the_station():
    plan = plan_dhcp(SETTINGS)
    assert [(option.code, option.data) for option in plan.options] == [
        (6, STATION),
        (42, STATION),
        (66, b"192.0.2.1"),
        (150, STATION),
    ]


def test_keeps_given_settings():
    plan = plan_dhcp(
        SETTINGS
        | {
            "option_6": ["192.0.2.6"],
            "option_42": ["192.0.2.42"],
            "option_66": "prov.example.net",
            "option_150": ["192.0.2.15"],
            "option_159": "http://prov.example.net/a",
            "option_160": "https://prov.example.net",
            "option_3": ["192.0.2.254"],
            "option_43": [{"code": 1, "type": "text", "value": "http"}],
            "option_125": [{"enterprise": 3561, "options": [{"code": 11, "type": "text", "value": "x"}]}],
            "option_132": "20",
            "custom_options": [{"code": 2, "type": "int32", "value": -3600}],
            "domain": "bench.example.net",
            "lease_time": "600",
            "authoritative": True,
            "reservations": [{"name": "a", "mac": "00:00:5e:00:53:01", "address": "192.0.2.21"}],
        }
    )
    assert [(option.code, option.data) for option in plan.options] == [
        (2, bytes.fromhex("fffff1f0")),
        (3, bytes([192, 0, 2, 254])),
        (6, bytes([192, 0, 2, 6])),
        (15, b"bench.example.net"),
        (42, bytes([192, 0, 2, 42])),
        (43, b"\1\4http"),
        (66, b"prov.example.net"),
        (125, b"\0\0\x0d\xe9\3\x0b\1x"),
        (132, b"20"),
        (150, bytes([192, 0, 2, 15])),
        (159, b"http://prov.example.net/a"),
        (160, b"https://prov.example.net"),
    ]
    # What phones may read without a request
    assert [option.code for option in plan.options if option.always] == [2, 43, 125, 132]
    assert (plan.lease_time, plan.unknown_lease_time) == (600, 300)
    assert (plan.authoritative, plan.reservations[0].address) == (True, "192.0.2.21")


def test_a_stranger_never_has_a_longer_lease_than_a_known_phone():
    assert plan_dhcp(SETTINGS | {"lease_time": 120}).unknown_lease_time == 120


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("address", "192.0.2.0/24"),
        ("interface", "bench0 eth0"),
        ("interface", "bench0\nX=1"),
        ("interface", "-cf"),
        ("pool_size", 254),
        ("lease_time", 59),
        ("unknown_lease_time", 59),
        ("domain", "a b"),
        ("option_66", "a b"),
        ("option_150", ["x"]),
        ("option_159", "a b"),
        ("option_160", "a b"),
        ("option_3", ["x"]),
        ("option_3", ["198.51.100.1"]),
        ("option_3", ["192.0.2.255"]),
        ("option_43", ["x"]),
        ("option_125", ["x"]),
        ("option_132", 4095),
        ("custom_options", ["x"]),
        ("custom_options", [{"code": 51, "type": "uint32", "value": 1}]),
        ("option_42", ["x"]),
        ("option_6", ["x"]),
        ("reservations", [{"name": "a", "mac": "x"}]),
        ("families", {"acme": {}}),
        ("partner", "192.0.2.1"),
        ("partner", "198.51.100.2"),
        ("partner", "second"),
    ],
)
def test_errors_name_the_variable(key, value):
    with pytest.raises((BenchError, OptionError)) as raised:
        plan_dhcp(SETTINGS | {key: value})
    assert str(raised.value).startswith(f"dhcp_server_{key}")


def test_a_family_may_read_the_vlan_in_another_form():
    families = {
        "snom": {"option_132_type": "uint16"},
        "spa": {"option_132": 30},
        "poly": {"option_132": 40, "option_132_type": "text"},
    }
    plan = plan_dhcp(SETTINGS | {"option_132": 20, "option_132_type": "uint32", "families": families})
    found = {family.family: [option.data for option in family.options] for family in plan.classes if family.options}
    assert found == {"snom": [b"\0\x14"], "spa": [b"\0\0\0\x1e"], "poly": [b"40"]}
    assert [option.data for option in plan.options if option.code == 132] == [b"\0\0\0\x14"]


def test_routers_of_a_family_are_on_the_bench():
    with pytest.raises(
        OptionError, match=r"^dhcp_server_families: spa: option_3 contains 198.51.100.1, which is not an address of"
    ):
        plan_dhcp(SETTINGS | {"families": {"spa": {"option_3": ["198.51.100.1"]}}})


def test_a_custom_option_of_a_family_may_differ_from_that_of_all():
    entry = {"code": 224, "type": "text", "value": "a"}
    plan = plan_dhcp(SETTINGS | {"custom_options": [entry], "families": {"spa": {"custom_options": [entry | {"value": "b"}]}}})
    assert [(option.code, option.data) for option in plan.all_options if option.code == 224] == [(224, b"a"), (224, b"b")]


def test_settings_of_their_own_are_named():
    for code, variable in {3: "option_3", 15: "domain", 132: "option_132", 160: "option_160"}.items():
        with pytest.raises(OptionError) as raised:
            plan_dhcp(SETTINGS | {"custom_options": [{"code": code, "type": "hex", "value": "00"}]})
        sentence = f"dhcp_server_custom_options: option {code} has a setting of its own; set dhcp_server_{variable} instead"
        assert str(raised.value) == sentence


def test_no_phone_gets_a_routers_address():
    settings = {"option_3": ["192.0.2.254"], "families": {"spa": {"option_3": ["192.0.2.252"]}}, "pool_size": 3}
    assert [str(part) for part in plan_dhcp(SETTINGS | settings).pool] == [
        "192.0.2.250 to 192.0.2.251",
        "192.0.2.253 to 192.0.2.253",
    ]
    with pytest.raises(
        BenchError, match=r"^dhcp_server_pool_size is 252, but 192.0.2.0/24 has room for 251 phones beside the station and"
    ):
        plan_dhcp(SETTINGS | settings | {"pool_size": 252})


@pytest.mark.parametrize("nothing", [0, "0", ""])
def test_no_vlan_by_default(nothing):
    assert 132 not in [option.code for option in plan_dhcp(SETTINGS | {"option_132": nothing}).options]


def test_phones_learn_of_both_stations_of_a_pair():
    plan = plan_dhcp(SETTINGS | {"partner": "192.0.2.200"})
    options = {option.code: option.data for option in plan.options}
    both = STATION + bytes([192, 0, 2, 200])
    assert (options[6], options[42], options[150], options[66]) == (both, both, both, b"192.0.2.1")
    assert not any(200 + (192 << 24 | 2 << 8) in part for part in plan.pool)


def test_no_phone_has_the_partners_address():
    reserved = [{"name": "a", "mac": "00:00:5e:00:53:01", "address": "192.0.2.2"}]
    with pytest.raises(BenchError, match=r"phone 'a' has the address 192\.0\.2\.2, which is the partner's"):
        plan_dhcp(SETTINGS | {"partner": "192.0.2.2", "reservations": reserved})
