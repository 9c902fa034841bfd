# SPDX-License-Identifier: GPL-3.0-or-later
"""What a phone makes of a rule."""

from __future__ import annotations

import re

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.profiles.rules.evaluate import evaluate
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.rules.model import (
    Destination,
    Resolution,
    RuleError,
    RuleKind,
    Target,
)
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.rules.parser import parse_rule

MACROS = {"MA": "00005e005301", "MAU": "00005E005301", "PN": "ATA192-MPP", "PSN": "192", "SN": "FCH0000D001"}
SECRETS = {"SA": "secret-of-SA", "SB": "secret-of-SB", "SC": "", "SD": "two words"}


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("", None),
        ("# /a", None),
        ("/$PSN.cfg", Resolution({}, (Destination(Target("tftp", None, 69, "/192.cfg")),))),
        ("http://$A:$B/$MA", Resolution({}, (Destination(Target("http", "prov.example.net", 8080, "/00005e005301")),))),
        # macros come before all else: they may hold a whole rule, and their own macros stay
        ("$C", Resolution({}, (Destination(Target("https", "h", 443, "/$MA"), {"uid": "u"}),))),
        ("/$XYZ/$(XYZ)/$$MA", Resolution({}, (Destination(Target("tftp", None, 69, "/$XYZ/$(XYZ)/$MA")),))),
        # the first that holds
        ("(1 eq 2)? /a | (1 eq 1)? /b | /c", Resolution({}, (Destination(Target("tftp", None, 69, "/b")),))),
        ("(1 eq 2)? /a | /c", Resolution({}, (Destination(Target("tftp", None, 69, "/c")),))),
        ("(1 eq 2)? /a", None),
        ("(1 eq 1)? | /c", Resolution()),
        ('("$A" eq "x")? (P = "1";)! /a | (P = "$PSN"; Q = "";)!', Resolution({"P": "192", "Q": ""})),
        ('(P = "1"; P = "2";)! /a', Resolution({"P": "2"}, (Destination(Target("tftp", None, 69, "/a")),))),
        # secrets
        ("[--key $SA] /$SA", Resolution({}, (Destination(Target("tftp", None, 69, "/$SA"), {"key": "secret-of-SA"}),))),
        (
            '[--key "$(SA:0:6)-$MA"] /a',
            Resolution({}, (Destination(Target("tftp", None, 69, "/a"), {"key": "secret-00005e005301"}),)),
        ),
        (
            '[--uid $SA --pwd "$SD" --post a] /a',
            Resolution(
                {}, (Destination(Target("tftp", None, 69, "/a"), {"uid": "secret-of-SA", "pwd": "two words", "post": "a"}),)
            ),
        ),
        ('("$SA" eq "secret-of-SA")? /a', None),
        ('(P = "[--key $SA] /a";)!', Resolution({"P": "[--key $SA] /a"})),
        ("[--key $D] /a", Resolution({}, (Destination(Target("tftp", None, 69, "/a"), {"key": "$SA"}),))),
        ("[--key $$SA] /a", Resolution({}, (Destination(Target("tftp", None, 69, "/a"), {"key": "$SA"}),))),
    ],
)
def test_choices(rule, expected):
    known = {**MACROS, "A": "prov.example.net", "B": "8080", "C": "[--uid u] https://h/$MA", "D": "$SA"}
    assert evaluate(rule, known, SECRETS) == expected
    if "$$" not in rule:
        assert evaluate(parse_rule(rule), known, SECRETS) == expected


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        *(
            ("5 eq 5", True),
            ("5 eq 05", True),
            ("5 ne 5", False),
            ("4 lt 5", True),
            ("5 lt 5", False),
            ("5 le 5", True),
            ("6 le 5", False),
        ),
        *(("6 gt 5", True), ("5 gt 5", False), ("5 ge 5", True), ("4 ge 5", False), ("$PRVST eq 0", True), ("$PRVST gt -1", True)),
        *(('"a" eq "a"', True), ('"a" eq "A"', False), ('"a" ne "b"', True), ('"05" eq "5"', False), ('"" eq ""', True)),
        *(("$SWVER ge 11-1-0MPP-16", True), ("$SWVER lt 11-1-0MPP-16", False), ("$SWVER lt sip88xx.11-3-2MPP0001-609", True)),
        *(("$HWVER = 1.0.0(a)", True), ("$HWVER < 1.0.1", True), ("$HWVER != 1.0.0", True)),
        *(
            ("1 eq 1 and 2 eq 2", True),
            ("1 eq 1 and 2 eq 3", False),
            ("1 eq 2 and 2 eq 2", False),
            ('"$CCERT" ne "Installed"', False),
        ),
    ],
)
def test_conditions(condition, holds):
    known = {"PRVST": "0", "SWVER": "11-1-0MPP-19", "HWVER": "1.0.0(a)", "CCERT": "Installed"}
    assert (evaluate(f"({condition})? /a", known, {}) is not None) is holds


def test_a_report_goes_to_two_destinations():
    choice = evaluate("[--delta] http://h/$MA [--status --key $SA] /s", MACROS, SECRETS, RuleKind.REPORT)
    assert choice == Resolution(
        {},
        (
            Destination(Target("http", "h", 80, "/00005e005301"), {"delta": ""}),
            Destination(Target("tftp", None, 69, "/s"), {"status": "", "key": "secret-of-SA"}),
        ),
    )
    assert (choice.target, choice.options) == (Target("http", "h", 80, "/00005e005301"), {"delta": ""})
    assert (Resolution().target, Resolution().options) == (None, {})


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        # columns are those of the expanded rule
        ("$MA ($A", "column 1: the URL has no path"),
        ("($SWVER lt 2.0.6)? /a", "column 2: a side without quotation marks is neither a number nor a version"),
        ("($PN eq 5)? /a", "column 2: a side without quotation marks is neither"),
        ("($A eq 5)? /a", "column 3: a value is missing here"),
        ("[--key $SC] /a", "column 8: --key has no value"),
        ('[--key "$SC"] /a', "column 8: --key has no value"),
        ("[--key $SD] /a", "column 12: an option begins with --"),
        ("http://$XYZ", "column 8: the URL has no path"),
    ],
)
def test_rejects_rules_that_a_phone_cannot_follow(rule, message):
    with pytest.raises(RuleError, match=f"^{re.escape(message)}"):
        evaluate(rule, {**MACROS, "A": ""}, SECRETS)
