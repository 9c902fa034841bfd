# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of rules and triggers before publishing."""

from __future__ import annotations

import re

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.profiles.rules.checks import check_rule, check_trigger
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.rules.model import (
    Additions,
    RuleError,
    RuleKind,
)

MACROS = {"MA": "00005e005301", "MAU": "00005E005301", "PN": "ATA192-MPP", "PSN": "192", "SN": "FCH0000D001"}


@pytest.mark.parametrize(
    ("rule", "kind"),
    [
        ("", "profile"),
        ("[--key $SA] https://$A/$MA.cfg?$PN$(SN:0:3)", "profile"),
        ("[--key pa$word --uid $$x] /a", "profile"),
        ('($SWVER lt 11-3-2MPP0001-609 and "$CCERT" eq "Installed")? http://$A/a', "upgrade"),
        ("[--delta] http://h/$UID1 [--status] http://h/$REGTMR2", "report"),
        (
            '("$EMS" eq "mobile" and "$MUID" ne "")? [--uid $MUID$PDOM --pwd $MPWD] http://$A/a | [--uid $PUID --pwd $PPWD] /a',
            "profile",
        ),
        ("[--key $SA] https://[2001:db8::1]:8443/$MA.cfg", "profile"),
        ("$B", "profile"),
        ("$C", "upgrade"),
    ],
)
def test_accepts_valid_rules(rule, kind):
    check_rule(
        rule, RuleKind(kind), {**MACROS, "A": "prov.example.net:8080", "B": '("$CCERT" eq "Installed")? /a | /b', "C": "http://h/a"}
    )


@pytest.mark.parametrize(
    ("rule", "kind", "message"),
    [
        ("# /a", "profile", "column 1: a phone skips a rule that begins with #; leave it empty instead"),
        ("  # /a", "profile", "column 3: a phone skips a rule that begins with #"),
        ("/$MAX.cfg", "profile", "column 2: unknown macro '$MAX', which a phone leaves as it is; did you mean '$MA"),
        ("/$SRVIP", "profile", "column 2: unknown macro '$SRVIP', which a phone leaves as it is; did you mean '$SERVIP'?"),
        ("/$GPP_A", "profile", "column 2: unknown macro '$GPP'"),
        (
            "/$QQQQQQ",
            "profile",
            "column 2: unknown macro '$QQQQQQ', which a phone leaves as it is; write $$ for a dollar sign",
        ),
        (
            "/a/$ma.cfg",
            "profile",
            "column 4: this $ begins no macro; write $MA or $(MA:1:3) in capitals, and $$ for a dollar sign",
        ),
        ("/a/$MA:8:2.cfg", "profile", "column 4: a part of a macro stands in parentheses: write $(MA:8:2)"),
        ("/a/$(MA:-1)", "profile", "column 4: this $ begins no macro"),
        ("/$SA", "profile", "column 2: $SA expands only as the value of --key, --uid or --pwd"),
        ("[--post $SA] /a", "profile", "column 9: $SA expands only"),
        ("[--key $SECRET] /a", "profile", "column 8: no known macro follows a $ in this value; write $$ for a dollar sign"),
        ("[--key SECRET /$MA", "profile", "column 1: the bracket"),
        # what the macros bring: the column of the text as typed where there is one
        ("http://h/$A", "profile", "column 14 of the expanded rule: only a | with another alternative may follow a URL"),
        ("$B", "upgrade", "column 1 of the expanded rule: an Upgrade_Rule must name a server"),
        ("$B $A", "profile", "column 4: only a | with another alternative may follow"),
    ],
)
def test_reports_invalid_rules(rule, kind, message):
    with pytest.raises(RuleError, match=f"^{re.escape(message)}") as caught:
        check_rule(rule, RuleKind(kind), {**MACROS, "A": "one SECRET", "B": "/a"})
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize("trigger", ["", " ", "$UPGTMR gt 300 and $PRVTMR ge 600", '"$EXTIP" ne ""', "1 eq 2"])
def test_accepts_valid_triggers(trigger):
    check_trigger(trigger)


@pytest.mark.parametrize(
    ("trigger", "message"),
    [
        ("($PRVTMR ge 600)?", "column 1: a trigger is a condition without parentheses and ?, such as $PRVTMR ge 600"),
        ("($PRVTMR ge 600)", "column 1: a trigger is a condition without parentheses"),
        ("$PRVTMR ge 600)?", "column 15: unexpected parenthesis"),
        ("$PRVTMR ge 600 or 1 eq 1", "column 16: a condition has no or"),
        ('"$A', "column 1: the quotation mark is not closed"),
        ("$PRVTIMER ge 600", "column 1: unknown macro '$PRVTIMER', which a phone leaves as it is; did you mean '$PRVTMR'?"),
        ('"$SA" eq "x"', "column 2: $SA expands only"),
        ("/a", "column 3: an operator is missing here"),
    ],
)
def test_rejects_invalid_triggers(trigger, message):
    with pytest.raises(RuleError, match=f"^{re.escape(message)}"):
        check_trigger(trigger)


MORE = Additions(macros=("ISCUST", "TOKEN"), schemes=("gds",))


@pytest.mark.parametrize(
    "rule", ["($ISCUST ne 1)? gds:// | https://h/$(TOKEN:0:4).cfg", "GDS://1234567812345678", "[--key $TOKEN] https://h/a", "$A"]
)
def test_accepts_what_a_family_adds(rule):
    macros = {**MACROS, "A": "gds://x"}
    check_rule(rule, RuleKind.PROFILE, macros, MORE)
    with pytest.raises(RuleError):
        check_rule(rule, RuleKind.PROFILE, macros)
    check_trigger("$ISCUST eq 1", MORE)
    with pytest.raises(RuleError):
        check_trigger("$ISCUST eq 1")


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("http://h/$TOKE", "column 10: unknown macro '$TOKE', which a phone leaves as it is; did you mean '$TOKEN'?"),
        ("http://h/$SRVIP", "column 10: unknown macro '$SRVIP', which a phone leaves as it is; did you mean '$SERVIP'?"),
        ("gd://x/y", "column 1: unknown scheme 'gd'; expected one of tftp, http, https, gds"),
        ("gds://x[y", "column 8: a URL cannot hold this character"),
        ("gds://user@x", "column 7: the URL holds a user name before @"),
    ],
)
def test_misspellings_of_additions_stay_errors(rule, message):
    with pytest.raises(RuleError, match=f"^{re.escape(message)}"):
        check_rule(rule, RuleKind.PROFILE, MACROS, MORE)
