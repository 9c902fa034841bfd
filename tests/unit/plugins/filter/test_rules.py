# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters that expand a phone's macros and parse profile rules."""

from __future__ import annotations

import re

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.voip.preprovision.plugins.filter.rules import expand_macros, parse_profile_rule


class Host(dict):
    """An inventory host whose other variables must not be looked up."""

    def __getitem__(self, name):
        assert name in ("phone_mac", "phone_model", "phone_serial"), name
        return super().__getitem__(name)


ATA = Host(phone_mac="0000.5E00.53AB", phone_model="ata192", phone_serial="FCH0000D001", phone_lines=7, vault=1)
BARE = {"phone_mac": "00:00:5e:00:53:ab", "phone_model": "SPA504G"}


@pytest.mark.parametrize(
    ("phone", "text", "expanded"),
    [
        (ATA, "$MA $MAU $MAC $PN $PSN $SN", "00005e0053ab 00005E0053AB 00:00:5e:00:53:ab ATA192-MPP 192 FCH0000D001"),
        (ATA, "$(MAU:8:2)/$(MA:1:3)$(PN).cfg", "53/000ATA192-MPP.cfg"),
        (BARE, "/spa$PSN.cfg?sn=$SN", "/spa504G.cfg?sn="),
        (BARE, "$$MA costs $5, $SWVER and $ma", "$MA costs $5, $SWVER and $ma"),
        (BARE, "", ""),
    ],
)
def test_expands_macros_of_a_phone(phone, text, expanded):
    assert expand_macros(text, phone) == expanded


def test_expands_additional_macros():
    additional = {"SWVER": "7.6.2", "A": "$MA", "PRVTMR": 7, "SN": "other"}
    assert expand_macros("$SWVER $A $PRVTMR $SN", ATA, additional) == "7.6.2 $MA 7 other"


def test_accepts_custom_families():
    families = {"own": {"based_on": "spa", "models": ["SPA999"]}}
    assert expand_macros("$PSN", {**BARE, "phone_model": "SPA999"}, families=families) == "999"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((7, BARE), "the text with macros must be text, not a number"),
        (("$MA", {}), "the variable phone_mac is missing"),
        (("$MA", {"phone_mac": "00:00:5e:00:53:ab"}), "the variable phone_model is missing"),
        (
            ("$MA", {**BARE, "phone_mac": "12"}),
            "phone_mac: '12' is not a MAC address; write twelve hexadecimal digits, such as 00:00:5e:00:53:01",
        ),
        (("$MA", {**BARE, "phone_model": "SPA504"}), "phone_model: unknown model 'SPA504'; did you mean 'SPA504G'?"),
        (
            ("$MA", BARE, {"$SWVER": "1"}),
            "'$SWVER' cannot name a macro; write capital letters and digits without a $, such as SWVER",
        ),
        (("$MA", BARE, {7: "1"}), "'7' cannot name a macro; write capital letters and digits without a $, such as SWVER"),
        (("$MA", BARE, {"A": ["secret"]}), "the macro A must be text, not a list"),
        (("$MA", BARE, {"A": True}), "the macro A must be text, not true or false"),
        (
            ("$MA", BARE, {}, {"own": {"based_on": "none"}}),
            "family own: based_on: unknown family 'none'; expected one of ata19x, spa, mpp",
        ),
    ],
)
def test_rejects_invalid_input_for_macros(arguments, sentence):
    with pytest.raises(AnsibleFilterError) as caught:
        expand_macros(*arguments)
    assert str(caught.value).startswith(sentence)


NOTHING = {"condition": [], "assignments": {}, "options": {}, "url": ""}


@pytest.mark.parametrize(
    ("text", "alternatives"),
    [
        ("", []),
        ("/ata$PSN.cfg", [NOTHING | {"url": "/ata$PSN.cfg"}]),
        (
            '[--key $SA --uid me --pwd "p w" --post a] https://prov.example.net/$MA.cfg',
            [
                NOTHING
                | {
                    "options": {"key": "$SA", "uid": "me", "pwd": "p w", "post": "a"},
                    "url": "https://prov.example.net/$MA.cfg",
                }
            ],
        ),
        (
            '($SWVER ge 7.5.2b and "$CCERT" = "Installed")? (Line_Enable_1_ = "No"; GPP_A="a;b";)! http://h/a'
            " | ($PRVST ne 1)? /b | /c",
            [
                NOTHING
                | {
                    "condition": [
                        {"left": "$SWVER", "operator": "ge", "right": "7.5.2b"},
                        {"left": '"$CCERT"', "operator": "eq", "right": '"Installed"'},
                    ],
                    "assignments": {"Line_Enable_1_": "No", "GPP_A": "a;b"},
                    "url": "http://h/a",
                },
                NOTHING | {"condition": [{"left": "$PRVST", "operator": "ne", "right": "1"}], "url": "/b"},
                NOTHING | {"url": "/c"},
            ],
        ),
        ('(GPP_A = "1";)!', [NOTHING | {"assignments": {"GPP_A": "1"}}]),
        ("[--srv] https://example.net/a", [NOTHING | {"options": {"srv": ""}, "url": "https://example.net/a"}]),
    ],
)
def test_parses_rules(text, alternatives):
    assert parse_profile_rule(text) == alternatives


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "the profile rule must be text, not empty"),
        ("/a | ", "the profile rule, column 4: the last alternative is empty; leave out the |"),
        ("[--key ] /a", "the profile rule, column 8: --key has no value"),
    ],
)
def test_rejects_invalid_rules(text, message):
    with pytest.raises(AnsibleFilterError, match=f"^{re.escape(message)}$"):
        parse_profile_rule(text)


def test_errors_show_no_secret():
    with pytest.raises(AnsibleFilterError) as caught:
        parse_profile_rule("[--key=TopSecretTopSecret] /a")
    assert "TopSecret" not in str(caught.value)
