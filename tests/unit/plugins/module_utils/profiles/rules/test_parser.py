# SPDX-License-Identifier: GPL-3.0-or-later
"""The rule language: valid and invalid rules, and the columns of errors; no key in any message."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.profiles.rules.checks import check_rule, check_trigger
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.rules.evaluate import evaluate
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.rules.model import (
    Alternative,
    Comparison,
    Operand,
    Operator,
    Rule,
    RuleError,
    RuleKind,
    RuleTarget,
)
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.rules.parser import parse_rule

MACROS = {"MA": "00005e005301", "MAU": "00005E005301", "PN": "ATA192-MPP", "PSN": "192", "SN": "FCH0000D001"}
SECRETS = {"SA": "secret-of-SA", "SB": "secret-of-SB", "SC": "", "SD": "two words"}


def text(value):
    return Operand(value, quoted=True)


def bare(value):
    return Operand(value, quoted=False)


INSTALLED = Comparison(text("$CCERT"), "eq", text("Installed"))


@pytest.mark.parametrize(
    ("typed", "alternatives", "printed"),
    [
        ("", (), ""),
        (" \n", (), ""),
        (" # [--key K] http://h/a", (), ""),
        ("$A", [Alternative(targets=(RuleTarget("$A"),))], None),
        ("[--key $SA] $(A)$B", [Alternative(targets=(RuleTarget("$(A)$B", {"key": "$SA"}),))], '[--key "$SA"] $(A)$B'),
        # examples of the guides
        (
            '("$CCERT" eq "Installed")? https://h/config?\n| https://h/config?cisco$MAU',
            [
                Alternative((INSTALLED,), (), (RuleTarget("https://h/config?"),)),
                Alternative(targets=(RuleTarget("https://h/config?cisco$MAU"),)),
            ],
            '("$CCERT" eq "Installed")? https://h/config? | https://h/config?cisco$MAU',
        ),
        (
            '("$A" ne "Provisioned")? (Line_Enable_1_ = "No";)! https://h/init | https://h/configs',
            [
                Alternative(
                    (Comparison(text("$A"), "ne", text("Provisioned")),),
                    (("Line_Enable_1_", "No"),),
                    (RuleTarget("https://h/init"),),
                ),
                Alternative(targets=(RuleTarget("https://h/configs"),)),
            ],
            None,
        ),
        (
            "[--alias b] https://h/account/$PN$MA.xml",
            [Alternative(targets=(RuleTarget("https://h/account/$PN$MA.xml", {"alias": "b"}),))],
            None,
        ),
        # as seen in public templates
        (
            "($SWVER lt 7.5.2b) ? http://h/b.bin|http://h/c.bin",
            [
                Alternative((Comparison(bare("$SWVER"), "lt", bare("7.5.2b")),), (), (RuleTarget("http://h/b.bin"),)),
                Alternative(targets=(RuleTarget("http://h/c.bin"),)),
            ],
            "($SWVER lt 7.5.2b)? http://h/b.bin | http://h/c.bin",
        ),
        # signs, blanks and parentheses
        (
            '($PRVTMR>=600 AND"$(A:0:1)"="x"and $SWVER != 1.0.31(b) and $PRVST eq -1)? /a',
            [
                Alternative(
                    (
                        Comparison(bare("$PRVTMR"), "ge", bare("600")),
                        Comparison(text("$(A:0:1)"), "eq", text("x")),
                        Comparison(bare("$SWVER"), "ne", bare("1.0.31(b)")),
                        Comparison(bare("$PRVST"), "eq", bare("-1")),
                    ),
                    (),
                    (RuleTarget("/a"),),
                )
            ],
            '($PRVTMR ge 600 and "$(A:0:1)" eq "x" and $SWVER ne 1.0.31(b) and $PRVST eq -1)? /a',
        ),
        ('(A="|)?";B = "";)!', [Alternative((), (("A", "|)?"), ("B", "")))], '(A = "|)?"; B = "";)!'),
        # an alternative that does nothing
        (
            "($PRVST eq 1)? | /a",
            [Alternative((Comparison(bare("$PRVST"), "eq", bare("1")),)), Alternative(targets=(RuleTarget("/a"),))],
            None,
        ),
    ],
)
def test_rules(typed, alternatives, printed):
    rule = Rule(tuple(alternatives))
    assert parse_rule(typed) == rule
    assert str(rule) == (typed if printed is None else printed)


@pytest.mark.parametrize(
    ("options", "expected", "printed"),
    [
        ("", {}, ""),
        ("[]", {}, ""),
        ("[ ]", {}, ""),
        ("[--key K]", {"key": "K"}, "[--key K] "),
        ("[ --key  K ] ", {"key": "K"}, "[--key K] "),
        ('[--key "a key"]', {"key": "a key"}, '[--key "a key"] '),
        ('[--key "K"]', {"key": "K"}, "[--key K] "),
        ("[--key K|L;(M)=]", {"key": "K|L;(M)="}, "[--key K|L;(M)=] "),
        ("[--uid u --pwd p --key K]", {"uid": "u", "pwd": "p", "key": "K"}, "[--uid u --pwd p --key K] "),
        ('[--uid "u" --pwd "--[p]"]', {"uid": "u", "pwd": "--[p]"}, '[--uid u --pwd "--[p]"] '),
        ("[--post a --alias p --srv]", {"post": "a", "alias": "p", "srv": ""}, "[--post a --alias p --srv] "),
        ("[--post $A]", {"post": "$A"}, '[--post "$A"] '),
    ],
)
def test_options(options, expected, printed):
    rule = parse_rule(f"{options}http://h/a")
    assert rule.alternatives[0].targets == (RuleTarget("http://h/a", expected),)
    assert str(rule) == f"{printed}http://h/a"


def test_a_report_rule_has_two_urls():
    rule = parse_rule("[--delta]http://h/a [--status --key K] http://h/b", RuleKind.REPORT)
    assert rule.alternatives[0].targets == (
        RuleTarget("http://h/a", {"delta": ""}),
        RuleTarget("http://h/b", {"status": "", "key": "K"}),
    )
    assert str(rule) == "[--delta] http://h/a [--status --key K] http://h/b"


def test_an_upgrade_rule_names_a_server():
    assert str(parse_rule("( $SWVER ne 2.0.6 )? http://h/spa.bin", RuleKind.UPGRADE)) == "($SWVER ne 2.0.6)? http://h/spa.bin"
    assert parse_rule("$A", RuleKind.UPGRADE) == parse_rule("$A")


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        # alternatives
        ("|", "column 1: an alternative is empty; leave out one |"),
        ("| /a", "column 1: an alternative is empty"),
        ("(1 eq 1)? /a || /b", "column 15: an alternative is empty"),
        ("(1 eq 1)? /a | ", "column 14: the last alternative is empty; leave out the |"),
        ("/a | /b", "column 1: this alternative has no condition, so none after it is ever reached; begin it with (...)?"),
        ("(1 eq 1)? /a | /b | /c", "column 16: this alternative has no condition"),
        ('(A = "x";)! | /b', "column 1: this alternative has no condition"),
        # parentheses
        ("(1 eq 1) /a", "column 8: ? or ! is missing after the parenthesis; a condition is (...)? and assignments are (...)!"),
        ('(A = "x";) /a', "column 10: ? or ! is missing"),
        ("(1 eq 1", "column 1: the parenthesis is not closed"),
        ("/a (", "column 4: only a | with"),
        ('("$A eq 1)? /a', "column 2: the quotation mark is not closed"),
        ("((1 eq 1))? /a", "column 2: parentheses cannot be nested; join comparisons only by and"),
        ("(1 eq 1)? (2 eq 2)? /a", "column 11: an alternative has at most one (condition)? and then one (assignments)!"),
        ('(A = "x";)! (1 eq 1)? /a', "column 13: an alternative has at most one"),
        ('(A = "x";)! (B = "x";)! /a', "column 13: an alternative has at most one"),
        # conditions
        ("()? /a", "column 2: a value is missing here; a comparison is VALUE OPERATOR VALUE, such as $SWVER lt 2.0.6"),
        ("(! 1.0.33)? /a", "column 2: a value is missing here"),
        ("(lt 2.0.6)? /a", "column 2: a value is missing here"),
        ("(1 eq)? /a", "column 6: a value is missing here"),
        ("(1 eq and 2 eq 2)? /a", "column 7: a value is missing here"),
        ("(1 eq 1 and)? /a", "column 12: a value is missing here"),
        ("(1)? /a", "column 3: an operator is missing here; expected one of eq (=), ne (!=), lt (<), le (<=), gt (>), ge (>=)"),
        ("(1 is 1)? /a", "column 4: an operator is missing here"),
        ('(1 "eq" 1)? /a', "column 4: an operator is missing here"),
        ("(1 == 1)? /a", "column 4: unknown operator ==; write ="),
        ("(1 ! 2)? /a", "column 4: unknown operator !; write !="),
        ("(1 <> 2)? /a", "column 4: unknown operator <>; write !="),
        ("(1 EQ 1)? /a", "column 4: unknown operator EQ; write eq"),
        ("(1 eq 1 or 2 eq 2)? /a", "column 9: a condition has no or; write another alternative after a |"),
        ("(1 eq 1 || 2 eq 2)? /a", "column 9: a condition has no or"),
        ("(1 eq 1 && 2 eq 2)? /a", "column 9: join comparisons by the word and"),
        ("(1 eq 1 2 eq 2)? /a", "column 9: the comparison ends before this; join the next one to it by and"),
        ('("$SWVER" lt "2.0.6")? /a', "column 2: lt compares only numbers and versions, which have no quotation marks"),
        (
            '("$SWVER" lt 2.0.6)? /a',
            "column 2: a quoted macro is a text; leave the quotation marks out to compare numbers or versions",
        ),
        ('(2.0.6 eq "$SWVER")? /a', "column 2: a quoted macro is a text"),
        ('($CCERT eq "Installed")? /a', "column 2: one side is quoted and the other is not; quote both for texts"),
        ("($CCERT eq Installed)? /a", "column 2: a side without quotation marks is neither a number nor a version"),
        ("($SWVER lt 7)? /a", "column 2: the sides have different forms; compare numbers with numbers, 7.5.2b with 7.6.2"),
        ("(7.5.2 lt 11-0-1MPP-1)? /a", "column 2: the sides have different forms"),
        ("(1 eq 1 and 2 eq 2.0.1)? /a", "column 13: the sides have different forms"),
        # assignments
        ("()! /a", 'column 2: invalid assignment; write NAME = "VALUE";'),
        ("(A = x;)! /a", "column 2: invalid assignment; write"),
        ('(A b = "x";)! /a', "column 2: invalid assignment; write"),
        ('(A = "x"; B)! /a', "column 10: invalid assignment; write"),
        ('(A = "x")! /a', "column 8: a ; is missing after this assignment"),
        ('(A = "x" B = "y";)! /a', "column 9: a ; is missing after this assignment"),
        # options
        ("[--key SECRET http://h/a", "column 1: the bracket, or a quotation mark in it, is not closed"),
        ('[--key "SECRET] http://h/a', "column 1: the bracket, or a quotation mark in it, is not closed"),
        ("[--key SECRET]", "column 1: no URL follows these options"),
        ("(1 eq 1)? [--key SECRET] | /b", "column 11: no URL follows these options"),
        ("--key SECRET http://h/a", "column 1: write options in brackets, such as [--key KEY] URL"),
        ("[--key SECRET] [--uid u] http://h/a", "column 16: write all options of a URL in one pair of brackets"),
        ("[--key SECRET]] http://h/a", "column 15: a URL cannot hold this character"),
        ("[--key SEC[RET]http://h/a", "column 11: a blank is missing after the value of --key"),
        ('[--key SEC"RET"]http://h/a', "column 11: a blank is missing after the value of --key"),
        ("[--key=SECRET] http://h/a", "column 7: put a blank between --key and its value"),
        ('[--key"SECRET"] http://h/a', "column 7: put a blank between --key and its value"),
        ("[--keySECRET] http://h/a", "column 2: put a blank between an option and its value, such as --key KEY"),
        ("[--KEY SECRET] http://h/a", "column 2: put a blank between an option and its value, such as --key KEY"),
        ("[--key] SECRET", "column 7: --key has no value"),
        ("[--key ] http://h/a", "column 8: --key has no value"),
        ('[--key ""] http://h/a', "column 8: --key has no value"),
        ("[--key --uid SECRET] http://h/a", "column 8: --key has no value"),
        ("[--key K --key SECRET] http://h/a", "column 10: --key is given twice"),
        ("[-key SECRET] http://h/a", "column 2: an option begins with --; quote a value that holds blanks"),
        ("[SECRET] http://h/a", "column 2: an option begins with --"),
        ("[--key a SECRET] http://h/a", "column 10: an option begins with --"),
        ("[--kye SECRET] http://h/a", "column 2: unknown option '--kye' of a Profile_Rule; did you mean '--key'?"),
        (
            "[--cipher SECRET] http://h/a",
            "column 2: unknown option of a Profile_Rule; expected one of --key, --uid, --pwd, --post, --alias",
        ),
        ("[--delta] http://h/a", "column 2: unknown option '--delta' of a Profile_Rule; a Report_Rule takes it"),
        ("[--post A] http://h/a", "column 9: --post takes the letter of a general purpose parameter, from a to p"),
        ("[--post q] http://h/a", "column 9: --post takes the letter"),
        ("[--alias ab] http://h/a", "column 10: --alias takes the letter"),
        ("[--srv x] http://h/a", "column 8: an option begins with --"),
        ("[--srv=x] http://h/a", "column 7: --srv takes no value"),
        ("[--srv] tftp://h/a", "column 9: --srv looks only for http and https servers; this URL is tftp"),
        ("[--srv] h/a", "column 9: --srv looks only for http and https servers"),
        # URLs
        ("http://h/a b", "column 12: only a | with another alternative may follow a URL; a URL contains no blanks"),
        ("$SWVER lt 2.0.6 ? /a", "column 8: only a | with another alternative may follow"),
        ("(1 eq 1)? ftp://$A/b", "column 11: unknown scheme 'ftp'"),
        ("(1 eq 1)? http://$A@h/b", "column 18: the URL holds a user name before @"),
        ("[--key K] http://h", "column 18: the URL has no path"),
        # characters
        (
            "http://h/\u00e9",
            "column 10: not printable ASCII; use straight quotation marks, and write other characters as %XX in a URL",
        ),
        ("[--key \u201cSECRET\u201d] http://h/a", "column 8: not printable ASCII"),
        ("/a\x00", "column 3: not printable ASCII"),
    ],
)
def test_rejects_invalid_rules(typed, message):
    with pytest.raises(RuleError, match=f"^{re.escape(message)}") as caught:
        parse_rule(typed)
    assert caught.value.column == int(message.split(":")[0].removeprefix("column "))
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize(
    ("typed", "kind", "message"),
    [
        ("[--key SECRET] http://h/a", "upgrade", "column 1: an Upgrade_Rule takes no options in brackets"),
        ("/a.bin", "upgrade", "column 1: an Upgrade_Rule must name a server, such as http://SERVER/FILE; it takes none from DHCP"),
        ("(1 eq 1)? tftp:///a | http://h/a", "upgrade", "column 11: an Upgrade_Rule must name a server"),
        ("(1 eq 1)? | http://h/a", "upgrade", "column 1: each alternative of an Upgrade_Rule needs a URL"),
        ("[--post a] http://h/a", "report", "column 2: unknown option '--post' of a Report_Rule; a Profile_Rule takes it"),
        ("[--detla] http://h/a", "report", "column 2: unknown option '--detla' of a Report_Rule; did you mean '--delta'?"),
        ("[--delta x] http://h/a", "report", "column 10: an option begins with --"),
        ("/a /b /c", "report", "column 7: a Report_Rule has at most two URLs"),
    ],
)
def test_kinds_of_rules(typed, kind, message):
    with pytest.raises(RuleError, match=f"^{re.escape(message)}") as caught:
        parse_rule(typed, RuleKind(kind))
    assert "SECRET" not in str(caught.value)


printable = st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters='"')
quotable = st.text(printable, max_size=8)
macros = st.sampled_from(["$A", "$(MAU:8:2)", "$PRVTMR", "$(B)"])
numbers = st.integers(-(10**9), 10**9).map(str)
dotted = st.sampled_from(["2.0.6", "1.0.31(b)", "7.6.2.a"])
dashed = st.sampled_from(["sip88xx.11-3-2MPP0001-609", "11-1-0MPP-19"])
versions = st.sampled_from(["$SWVER", "$(HWVER)"])
columns = {"column": st.just(1)}
comparisons = st.one_of(
    st.builds(Comparison, quotable.map(text), st.sampled_from(["eq", "ne"]), quotable.map(text), **columns),
    *(
        st.builds(Comparison, side.map(bare), st.sampled_from(list(Operator)), side.map(bare), **columns)
        for side in (macros | numbers, macros | versions | dotted, macros | versions | dashed)
    ),
)
values = st.text(printable, min_size=1, max_size=8)
letters = st.sampled_from("abcdefghijklmnop")
assignments = st.tuples(st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True), quotable)
served = st.from_regex(r"https?://([a-z0-9.]{1,6}|\$[A-P])(:[1-9][0-9]{0,3})?/[!#-;=?-Z^-{}~]{0,8}", fullmatch=True).filter(
    lambda url: "@" not in url
)
tftp = st.from_regex(r"(tftp://h)?/[a-z$.?]{1,8}", fullmatch=True)


def options(kind):
    common = {"key": values, "uid": values, "pwd": values}
    more = {"post": letters, "alias": letters} if kind == "profile" else {"delta": st.just(""), "status": st.just("")}
    return st.fixed_dictionaries({}, optional={**common, **more})


def targets(kind):
    if kind == "upgrade":
        return st.builds(RuleTarget, served, st.just({}), **columns)
    plain = st.builds(RuleTarget, served | tftp, options(kind), **columns)
    if kind == "report":
        return plain
    return plain | st.builds(RuleTarget, served, options(kind).map(lambda found: {**found, "srv": ""}), **columns)


def alternatives(kind, fewest_comparisons):
    least = {"profile": 0, "report": 0, "upgrade": 1}[kind]
    most = {"profile": 1, "report": 2, "upgrade": 1}[kind]
    return st.builds(
        Alternative,
        st.lists(comparisons, min_size=fewest_comparisons, max_size=3).map(tuple),
        st.lists(assignments, max_size=2).map(tuple),
        st.lists(targets(kind), min_size=least, max_size=most).map(tuple),
    ).filter(lambda alternative: alternative != Alternative())


def rules(kind):
    return st.builds(
        lambda first, last: Rule((*first, last)), st.lists(alternatives(kind, 1), max_size=2).map(tuple), alternatives(kind, 0)
    ) | st.just(Rule())


@pytest.mark.parametrize("kind", ["profile", "upgrade", "report"])
@given(data=st.data())
def test_parses_printed_rules(kind, data):
    rule = data.draw(rules(kind))
    assert parse_rule(str(rule), RuleKind(kind)) == rule


PIECES = [
    *(
        "(",
        ")",
        ")?",
        ")!",
        "[",
        "]",
        "|",
        '"',
        " ",
        "--",
        "--key ",
        "--pwd ",
        "--uid u",
        "--srv",
        "=",
        ";",
        "and ",
        "or ",
        "eq ",
        "lt ",
    ),
    *("$A", "$(MA:1)", "$SA", "$$", "$", "1", "2.0.6(b)", "x", "http://h/a", "/a", "ftp://", "@", ":", "#", "\u201c", "\n"),
]
pieces = st.lists(st.sampled_from(PIECES), max_size=8).map("".join)


@given(pieces, st.sampled_from(["profile", "upgrade", "report"]))
def test_parsed_rules_can_be_printed_and_parsed_again(typed, kind):
    column = 1
    try:
        rule = parse_rule(typed, RuleKind(kind))
    except RuleError as error:
        column = error.column
    else:
        assert parse_rule(str(rule), RuleKind(kind)) == rule
    assert 1 <= column <= len(typed) + 1


@given(pieces, st.sampled_from(["--key ", "--pwd ", '--key "', "--key $", "--key", "--pwd="]), pieces)
def test_messages_and_reprs_contain_no_secrets(before, option, after):
    typed = f"{before}[{option}SECRET{after}"
    for read in (
        parse_rule,
        lambda rule: check_rule(rule, RuleKind.REPORT, {}),
        check_trigger,
        lambda rule: evaluate(rule, MACROS, SECRETS),
    ):
        try:
            said = repr(read(typed))
        except RuleError as error:
            said = str(error)
        # A URL that follows the brackets is no secret.
        assert "SECRET" not in said.replace(f"url='{after}'", "")
