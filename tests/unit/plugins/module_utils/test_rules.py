# SPDX-License-Identifier: GPL-3.0-or-later
"""The rule language: what is read, what is refused at which column and why, what a phone makes of it; no key in any message."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.rules import (
    OPERATORS,
    PORTS,
    Alternative,
    Choice,
    Comparison,
    Destination,
    Operand,
    Place,
    Rule,
    RuleError,
    Target,
    check_rule,
    check_trigger,
    evaluate,
    format_url,
    parse_rule,
    parse_url,
)

MACROS = {"MA": "00005e005301", "MAU": "00005E005301", "PN": "ATA192-MPP", "PSN": "192", "SN": "FCH0000D001"}
SECRETS = {"SA": "secret-of-SA", "SB": "secret-of-SB", "SC": "", "SD": "two words"}


def text(value):
    return Operand(value, quoted=True)


def bare(value):
    return Operand(value, quoted=False)


# -- URLs


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        # without scheme: tftp; without server: the one of DHCP; without port: the scheme's
        ("/ata192.cfg", Target("tftp", None, 69, "/ata192.cfg")),
        ("192.0.2.1/ata192.cfg", Target("tftp", "192.0.2.1", 69, "/ata192.cfg")),
        ("192.0.2.1:6969/ata192.cfg", Target("tftp", "192.0.2.1", 6969, "/ata192.cfg")),
        ("tftp://prov.example.net/a", Target("tftp", "prov.example.net", 69, "/a")),
        ("http://prov.example.net/a", Target("http", "prov.example.net", 80, "/a")),
        ("https://prov.example.net/a", Target("https", "prov.example.net", 443, "/a")),
        ("HTTPS://Prov.Example.net:8443/A/b", Target("https", "Prov.Example.net", 8443, "/A/b")),
        ("https:///a", Target("https", None, 443, "/a")),
        ("http://h:65535/a", Target("http", "h", 65535, "/a")),
        ("http://h/", Target("http", "h", 80, "/")),
        ("http://h/a/b.cfg?mac=00005e005301&u=a@b", Target("http", "h", 80, "/a/b.cfg?mac=00005e005301&u=a@b")),
        # macros that are not expanded yet
        ("https://$A.example.net/$MA(x)/$(MAU:8:2).cfg", Target("https", "$A.example.net", 443, "/$MA(x)/$(MAU:8:2).cfg")),
        ("https://$(A:1:3):8443/a", Target("https", "$(A:1:3)", 8443, "/a")),
    ],
)
def test_urls(url, expected):
    assert parse_url(url) == expected
    assert parse_rule(f" {url} ") == Rule((Alternative(places=(Place(url),)),))


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "column 1: the URL has no path; write /FILE, or http://SERVER/FILE"),
        ("http://h", "column 8: the URL has no path"),
        ("$A", "column 1: the URL has no path"),
        ("ata192.cfg", "column 1: the URL has no path"),
        ("http://h?x", "column 8: the URL has no path"),
        ("http://h:/a", "column 10: the port is not a number between 1 and 65535"),
        ("http://h:80x/a", "column 10: the port"),
        ("http://h:0/a", "column 10: the port"),
        ("http://h:65536/a", "column 10: the port"),
        (f"http://h:{'9' * 5000}/a", "column 10: the port"),
        ("tftp:/a", "column 6: the port"),
        ("http://h/a b", "column 11: a URL cannot hold this character; encode it with a percent sign"),
        ("http://h/a|http://h/b", "column 11: a URL cannot hold this character"),
        ("http://h/[a]", "column 10: a URL cannot hold this character"),
        ("http://h\u00f6/a", "column 8: this is no server; write a name or an IPv4 address, and :PORT after it if wanted"),
        ('("$A"eq"x")?http://h/a', "column 2: a URL cannot hold this character"),
        ("http://a b/x", "column 9: a URL cannot hold this character"),
        ("ftp://h/a", "column 1: the scheme ftp is not known; use tftp, http, https"),
        ("://h/a", "column 1: the scheme is not known"),
        ("$A://h/a", "column 1: the scheme is not known; use tftp, http, https"),
        (
            "https://user:secret@h/a",
            "column 9: the URL holds a user name before @; write [--uid USER --pwd PASSWORD] before the URL",
        ),
        ("user:secret@h/a", "column 1: the URL holds a user name before @"),
    ],
)
def test_urls_that_are_refused(url, message):
    with pytest.raises(RuleError, match=f"^{re.escape(message)}"):
        parse_url(url)


targets = st.builds(
    Target,
    scheme=st.sampled_from(list(PORTS)),
    server=st.none() | st.from_regex(r"[a-z0-9][a-z0-9.-]{0,9}", fullmatch=True),
    port=st.integers(1, 65535),
    path=st.from_regex(r"/[A-Za-z0-9/._?&=-]{0,9}", fullmatch=True),
)


@given(targets)
def test_formatting_and_parsing_a_url(target):
    assert parse_url(format_url(target)) == target


def test_a_usual_port_is_not_told():
    assert format_url(Target("https", "h", 443, "/a")) == "https://h/a"
    assert format_url(Target("http", "h", 443, "/a")) == "http://h:443/a"


# -- rules that are read


INSTALLED = Comparison(text("$CCERT"), "eq", text("Installed"))


@pytest.mark.parametrize(
    ("typed", "alternatives", "printed"),
    [
        ("", (), ""),
        (" \n", (), ""),
        (" # [--key K] http://h/a", (), ""),
        ("$A", [Alternative(places=(Place("$A"),))], None),
        ("[--key $SA] $(A)$B", [Alternative(places=(Place("$(A)$B", {"key": "$SA"}),))], '[--key "$SA"] $(A)$B'),
        # examples of the guides
        (
            '("$CCERT" eq "Installed")? https://h/config?\n| https://h/config?cisco$MAU',
            [
                Alternative((INSTALLED,), (), (Place("https://h/config?"),)),
                Alternative(places=(Place("https://h/config?cisco$MAU"),)),
            ],
            '("$CCERT" eq "Installed")? https://h/config? | https://h/config?cisco$MAU',
        ),
        (
            '("$A" ne "Provisioned")? (Line_Enable_1_ = "No";)! https://h/init | https://h/configs',
            [
                Alternative(
                    (Comparison(text("$A"), "ne", text("Provisioned")),), (("Line_Enable_1_", "No"),), (Place("https://h/init"),)
                ),
                Alternative(places=(Place("https://h/configs"),)),
            ],
            None,
        ),
        (
            "[--alias b] https://h/account/$PN$MA.xml",
            [Alternative(places=(Place("https://h/account/$PN$MA.xml", {"alias": "b"}),))],
            None,
        ),
        # as seen in public templates
        (
            "($SWVER lt 7.5.2b) ? http://h/b.bin|http://h/c.bin",
            [
                Alternative((Comparison(bare("$SWVER"), "lt", bare("7.5.2b")),), (), (Place("http://h/b.bin"),)),
                Alternative(places=(Place("http://h/c.bin"),)),
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
                    (Place("/a"),),
                )
            ],
            '($PRVTMR ge 600 and "$(A:0:1)" eq "x" and $SWVER ne 1.0.31(b) and $PRVST eq -1)? /a',
        ),
        ('(A="|)?";B = "";)!', [Alternative((), (("A", "|)?"), ("B", "")))], '(A = "|)?"; B = "";)!'),
        # an alternative that does nothing
        (
            "($PRVST eq 1)? | /a",
            [Alternative((Comparison(bare("$PRVST"), "eq", bare("1")),)), Alternative(places=(Place("/a"),))],
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
    assert rule.alternatives[0].places == (Place("http://h/a", expected),)
    assert str(rule) == f"{printed}http://h/a"


def test_a_report_rule_has_two_urls():
    rule = parse_rule("[--delta]http://h/a [--status --key K] http://h/b", "report")
    assert rule.alternatives[0].places == (Place("http://h/a", {"delta": ""}), Place("http://h/b", {"status": "", "key": "K"}))
    assert str(rule) == "[--delta] http://h/a [--status --key K] http://h/b"


def test_an_upgrade_rule_names_a_server():
    assert str(parse_rule("( $SWVER ne 2.0.6 )? http://h/spa.bin", "upgrade")) == "($SWVER ne 2.0.6)? http://h/spa.bin"
    assert parse_rule("$A", "upgrade") == parse_rule("$A")


# -- rules that are refused


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        # alternatives
        ("|", "column 1: an alternative is empty; leave out one |"),
        ("| /a", "column 1: an alternative is empty"),
        ("(1 eq 1)? /a || /b", "column 15: an alternative is empty"),
        ("(1 eq 1)? /a | ", "column 14: the last alternative is empty; leave out the |"),
        ("/a | /b", "column 1: this alternative has no condition, so that none after it is reached; begin it with (...)?"),
        ("(1 eq 1)? /a | /b | /c", "column 16: this alternative has no condition"),
        ('(A = "x";)! | /b', "column 1: this alternative has no condition"),
        # parentheses
        ("(1 eq 1) /a", "column 8: ? or ! is missing after the parenthesis; a condition is (...)? and assignments are (...)!"),
        ('(A = "x";) /a', "column 10: ? or ! is missing"),
        ("(1 eq 1", "column 1: the parenthesis is not closed"),
        ("/a (", "column 4: after a URL"),
        ('("$A eq 1)? /a', "column 2: the quotation mark is not closed"),
        ("((1 eq 1))? /a", "column 2: a parenthesis stands within a parenthesis; comparisons are joined by and alone"),
        ("(1 eq 1)? (2 eq 2)? /a", "column 11: an alternative has at most one (condition)? and then one (assignments)!"),
        ('(A = "x";)! (1 eq 1)? /a', "column 13: an alternative has at most one"),
        ('(A = "x";)! (B = "x";)! /a', "column 13: an alternative has at most one"),
        # conditions
        ("()? /a", "column 2: a value is missing here; a comparison is VALUE OPERATOR VALUE, as in $SWVER lt 2.0.6"),
        ("(! 1.0.33)? /a", "column 2: a value is missing here"),
        ("(lt 2.0.6)? /a", "column 2: a value is missing here"),
        ("(1 eq)? /a", "column 6: a value is missing here"),
        ("(1 eq and 2 eq 2)? /a", "column 7: a value is missing here"),
        ("(1 eq 1 and)? /a", "column 12: a value is missing here"),
        ("(1)? /a", "column 3: an operator is missing here: eq (=), ne (!=), lt (<), le (<=), gt (>), ge (>=)"),
        ("(1 is 1)? /a", "column 4: an operator is missing here"),
        ('(1 "eq" 1)? /a', "column 4: an operator is missing here"),
        ("(1 == 1)? /a", "column 4: == is no operator; write ="),
        ("(1 ! 2)? /a", "column 4: ! is no operator; write !="),
        ("(1 <> 2)? /a", "column 4: <> is no operator; write !="),
        ("(1 EQ 1)? /a", "column 4: EQ is no operator; write eq"),
        ("(1 eq 1 or 2 eq 2)? /a", "column 9: a condition has no or; write a further alternative after a |"),
        ("(1 eq 1 || 2 eq 2)? /a", "column 9: a condition has no or"),
        ("(1 eq 1 && 2 eq 2)? /a", "column 9: comparisons are joined by the word and"),
        ("(1 eq 1 2 eq 2)? /a", "column 9: the comparison ends before this; the next one is joined to it by and"),
        ('("$SWVER" lt "2.0.6")? /a', "column 2: lt compares numbers and versions, which stand without quotation marks"),
        (
            '("$SWVER" lt 2.0.6)? /a',
            "column 2: a quoted macro is a text; leave the quotation marks out to compare numbers or versions",
        ),
        ('(2.0.6 eq "$SWVER")? /a', "column 2: a quoted macro is a text"),
        ('($CCERT eq "Installed")? /a', "column 2: one side is quoted and the other is not; quote both for texts"),
        ("($CCERT eq Installed)? /a", "column 2: a side without quotation marks is neither a number nor a version"),
        ("($SWVER lt 7)? /a", "column 2: the sides are of two forms; a number goes with a number, 7.5.2b with 7.6.2"),
        ("(7.5.2 lt 11-0-1MPP-1)? /a", "column 2: the sides are of two forms"),
        ("(1 eq 1 and 2 eq 2.0.1)? /a", "column 13: the sides are of two forms"),
        # assignments
        ("()! /a", 'column 2: an assignment is written NAME = "VALUE";'),
        ("(A = x;)! /a", "column 2: an assignment is written"),
        ('(A b = "x";)! /a', "column 2: an assignment is written"),
        ('(A = "x"; B)! /a', "column 10: an assignment is written"),
        ('(A = "x")! /a', "column 8: a ; is missing after this assignment"),
        ('(A = "x" B = "y";)! /a', "column 9: a ; is missing after this assignment"),
        # options
        ("[--key SECRET http://h/a", "column 1: the bracket, or a quotation mark in it, is not closed"),
        ('[--key "SECRET] http://h/a', "column 1: the bracket, or a quotation mark in it, is not closed"),
        ("[--key SECRET]", "column 1: no URL follows these options"),
        ("(1 eq 1)? [--key SECRET] | /b", "column 11: no URL follows these options"),
        ("--key SECRET http://h/a", "column 1: options stand in brackets, as in [--key KEY] URL"),
        ("[--key SECRET] [--uid u] http://h/a", "column 16: all options of a URL share one pair of brackets"),
        ("[--key SECRET]] http://h/a", "column 15: a URL cannot hold this character"),
        ("[--key SEC[RET]http://h/a", "column 11: a blank is missing after the value of --key"),
        ('[--key SEC"RET"]http://h/a', "column 11: a blank is missing after the value of --key"),
        ("[--key=SECRET] http://h/a", "column 7: a blank belongs between --key and its value"),
        ('[--key"SECRET"] http://h/a', "column 7: a blank belongs between --key and its value"),
        ("[--keySECRET] http://h/a", "column 2: a blank belongs between an option and its value, as in --key KEY"),
        ("[--KEY SECRET] http://h/a", "column 2: a blank belongs between an option and its value, as in --key KEY"),
        ("[--key] SECRET", "column 7: --key has no value"),
        ("[--key ] http://h/a", "column 8: --key has no value"),
        ('[--key ""] http://h/a', "column 8: --key has no value"),
        ("[--key --uid SECRET] http://h/a", "column 8: --key has no value"),
        ("[--key K --key SECRET] http://h/a", "column 10: --key stands here twice"),
        ("[-key SECRET] http://h/a", "column 2: an option begins with --, and a value that holds blanks stands in quotation marks"),
        ("[SECRET] http://h/a", "column 2: an option begins with --"),
        ("[--key a SECRET] http://h/a", "column 10: an option begins with --"),
        ("[--kye SECRET] http://h/a", "column 2: --kye is no option of a Profile_Rule; did you mean --key?"),
        (
            "[--cipher SECRET] http://h/a",
            "column 2: this is no option of a Profile_Rule; known are --key, --uid, --pwd, --post, --alias",
        ),
        ("[--delta] http://h/a", "column 2: --delta is no option of a Profile_Rule; a Report_Rule takes it"),
        ("[--post A] http://h/a", "column 9: --post takes the letter of a general purpose parameter, from a to p"),
        ("[--post q] http://h/a", "column 9: --post takes the letter"),
        ("[--alias ab] http://h/a", "column 10: --alias takes the letter"),
        ("[--srv x] http://h/a", "column 8: an option begins with --"),
        ("[--srv=x] http://h/a", "column 7: --srv takes no value"),
        ("[--srv] tftp://h/a", "column 9: --srv looks for http and https servers alone; this URL is tftp"),
        ("[--srv] h/a", "column 9: --srv looks for http and https servers alone"),
        # URLs
        ("http://h/a b", "column 12: after a URL there is at most a | with a further alternative; a URL holds no blanks"),
        ("$SWVER lt 2.0.6 ? /a", "column 8: after a URL there is at most"),
        ("(1 eq 1)? ftp://$A/b", "column 11: the scheme ftp is not known"),
        ("(1 eq 1)? http://$A@h/b", "column 18: the URL holds a user name before @"),
        ("[--key K] http://h", "column 18: the URL has no path"),
        # characters
        (
            "http://h/\u00e9",
            "column 10: this is not printable ASCII; quotation marks must be straight, others written as %XX in a URL",
        ),
        ("[--key \u201cSECRET\u201d] http://h/a", "column 8: this is not printable ASCII"),
        ("/a\x00", "column 3: this is not printable ASCII"),
    ],
)
def test_rules_that_are_refused(typed, message):
    with pytest.raises(RuleError, match=f"^{re.escape(message)}") as caught:
        parse_rule(typed)
    assert caught.value.column == int(message.split(":")[0].removeprefix("column "))
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize(
    ("typed", "kind", "message"),
    [
        ("[--key SECRET] http://h/a", "upgrade", "column 1: an Upgrade_Rule takes no options in brackets"),
        ("/a.bin", "upgrade", "column 1: an Upgrade_Rule must name a server, as in http://SERVER/FILE; it takes none from DHCP"),
        ("(1 eq 1)? tftp:///a | http://h/a", "upgrade", "column 11: an Upgrade_Rule must name a server"),
        ("(1 eq 1)? | http://h/a", "upgrade", "column 1: an Upgrade_Rule names a URL in each alternative"),
        ("[--post a] http://h/a", "report", "column 2: --post is no option of a Report_Rule; a Profile_Rule takes it"),
        ("[--detla] http://h/a", "report", "column 2: --detla is no option of a Report_Rule; did you mean --delta?"),
        ("[--delta x] http://h/a", "report", "column 10: an option begins with --"),
        ("/a /b /c", "report", "column 7: a Report_Rule has at most two URLs"),
    ],
)
def test_kinds_of_rules(typed, kind, message):
    with pytest.raises(RuleError, match=f"^{re.escape(message)}") as caught:
        parse_rule(typed, kind)
    assert "SECRET" not in str(caught.value)


# -- properties

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
        st.builds(Comparison, side.map(bare), st.sampled_from(list(OPERATORS)), side.map(bare), **columns)
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


def places(kind):
    if kind == "upgrade":
        return st.builds(Place, served, st.just({}), **columns)
    plain = st.builds(Place, served | tftp, options(kind), **columns)
    if kind == "report":
        return plain
    return plain | st.builds(Place, served, options(kind).map(lambda found: {**found, "srv": ""}), **columns)


def alternatives(kind, fewest_comparisons):
    least = {"profile": 0, "report": 0, "upgrade": 1}[kind]
    most = {"profile": 1, "report": 2, "upgrade": 1}[kind]
    return st.builds(
        Alternative,
        st.lists(comparisons, min_size=fewest_comparisons, max_size=3).map(tuple),
        st.lists(assignments, max_size=2).map(tuple),
        st.lists(places(kind), min_size=least, max_size=most).map(tuple),
    ).filter(lambda alternative: alternative != Alternative())


def rules(kind):
    return st.builds(
        lambda first, last: Rule((*first, last)), st.lists(alternatives(kind, 1), max_size=2).map(tuple), alternatives(kind, 0)
    ) | st.just(Rule())


@pytest.mark.parametrize("kind", ["profile", "upgrade", "report"])
@given(data=st.data())
def test_printing_and_parsing_a_rule(kind, data):
    rule = data.draw(rules(kind))
    assert parse_rule(str(rule), kind) == rule


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
def test_whatever_is_read_can_be_printed_and_read_again(typed, kind):
    column = 1
    try:
        rule = parse_rule(typed, kind)
    except RuleError as error:
        column = error.column
    else:
        assert parse_rule(str(rule), kind) == rule
    assert 1 <= column <= len(typed) + 1


@given(pieces, st.sampled_from(["--key ", "--pwd ", '--key "', "--key $", "--key", "--pwd="]), pieces)
def test_no_message_and_no_repr_quotes_a_secret(before, option, after):
    typed = f"{before}[{option}SECRET{after}"
    for read in (
        parse_rule,
        lambda rule: check_rule(rule, "report", {}),
        check_trigger,
        lambda rule: evaluate(rule, MACROS, SECRETS),
    ):
        try:
            said = repr(read(typed))
        except RuleError as error:
            said = str(error)
        # A URL that follows the brackets is no secret.
        assert "SECRET" not in said.replace(f"url='{after}'", "")


# -- what a phone makes of a rule


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("", None),
        ("# /a", None),
        ("/$PSN.cfg", Choice({}, (Destination(Target("tftp", None, 69, "/192.cfg")),))),
        ("http://$A:$B/$MA", Choice({}, (Destination(Target("http", "prov.example.net", 8080, "/00005e005301")),))),
        # macros come before all else: they may hold a whole rule, and their own macros stay
        ("$C", Choice({}, (Destination(Target("https", "h", 443, "/$MA"), {"uid": "u"}),))),
        ("/$XYZ/$(XYZ)/$$MA", Choice({}, (Destination(Target("tftp", None, 69, "/$XYZ/$(XYZ)/$MA")),))),
        # the first that holds
        ("(1 eq 2)? /a | (1 eq 1)? /b | /c", Choice({}, (Destination(Target("tftp", None, 69, "/b")),))),
        ("(1 eq 2)? /a | /c", Choice({}, (Destination(Target("tftp", None, 69, "/c")),))),
        ("(1 eq 2)? /a", None),
        ("(1 eq 1)? | /c", Choice()),
        ('("$A" eq "x")? (P = "1";)! /a | (P = "$PSN"; Q = "";)!', Choice({"P": "192", "Q": ""})),
        ('(P = "1"; P = "2";)! /a', Choice({"P": "2"}, (Destination(Target("tftp", None, 69, "/a")),))),
        # secrets
        ("[--key $SA] /$SA", Choice({}, (Destination(Target("tftp", None, 69, "/$SA"), {"key": "secret-of-SA"}),))),
        ('[--key "$(SA:0:6)-$MA"] /a', Choice({}, (Destination(Target("tftp", None, 69, "/a"), {"key": "secret-00005e005301"}),))),
        (
            '[--uid $SA --pwd "$SD" --post a] /a',
            Choice({}, (Destination(Target("tftp", None, 69, "/a"), {"uid": "secret-of-SA", "pwd": "two words", "post": "a"}),)),
        ),
        ('("$SA" eq "secret-of-SA")? /a', None),
        ('(P = "[--key $SA] /a";)!', Choice({"P": "[--key $SA] /a"})),
        ("[--key $D] /a", Choice({}, (Destination(Target("tftp", None, 69, "/a"), {"key": "$SA"}),))),
        ("[--key $$SA] /a", Choice({}, (Destination(Target("tftp", None, 69, "/a"), {"key": "$SA"}),))),
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


def test_a_report_goes_to_two_places():
    choice = evaluate("[--delta] http://h/$MA [--status --key $SA] /s", MACROS, SECRETS, "report")
    assert choice == Choice(
        {},
        (
            Destination(Target("http", "h", 80, "/00005e005301"), {"delta": ""}),
            Destination(Target("tftp", None, 69, "/s"), {"status": "", "key": "secret-of-SA"}),
        ),
    )
    assert (choice.target, choice.options) == (Target("http", "h", 80, "/00005e005301"), {"delta": ""})
    assert (Choice().target, Choice().options) == (None, {})


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
def test_rules_that_a_phone_cannot_follow(rule, message):
    with pytest.raises(RuleError, match=f"^{re.escape(message)}"):
        evaluate(rule, {**MACROS, "A": ""}, SECRETS)


# -- what is checked before a phone gets it


@pytest.mark.parametrize(
    ("rule", "kind"),
    [
        ("", "profile"),
        ("[--key $SA] https://$A/$MA.cfg?$PN$(SN:0:3)", "profile"),
        ("[--key pa$word --uid $$x] /a", "profile"),
        ('($SWVER lt 11-3-2MPP0001-609 and "$CCERT" eq "Installed")? http://$A/a', "upgrade"),
        ("[--delta] http://h/$UID1 [--status] http://h/$REGTMR2", "report"),
        ("$B", "profile"),
        ("$C", "upgrade"),
    ],
)
def test_good_rules(rule, kind):
    check_rule(rule, kind, {**MACROS, "A": "prov.example.net:8080", "B": '("$CCERT" eq "Installed")? /a | /b', "C": "http://h/a"})


@pytest.mark.parametrize(
    ("rule", "kind", "message"),
    [
        ("# /a", "profile", "column 1: a phone skips a rule that begins with #; leave it empty instead"),
        ("  # /a", "profile", "column 3: a phone skips a rule that begins with #"),
        ("/$MAX.cfg", "profile", "column 2: the macro $MAX is not known, and a phone leaves it as it is; did you mean $MA"),
        ("/$SRVIP", "profile", "column 2: the macro $SRVIP is not known, and a phone leaves it as it is; did you mean $SERVIP?"),
        ("/$GPP_A", "profile", "column 2: the macro $GPP is not known"),
        (
            "/$QQQQQQ",
            "profile",
            "column 2: the macro $QQQQQQ is not known, and a phone leaves it as it is; a $ itself is written $$",
        ),
        (
            "/a/$ma.cfg",
            "profile",
            "column 4: this $ begins no macro; those are written $MA or $(MA:1:3), in capitals, and a $ itself $$",
        ),
        ("/a/$(MA:-1)", "profile", "column 4: this $ begins no macro"),
        ("/$SA", "profile", "column 2: $SA expands only as the value of --key, --uid or --pwd"),
        ("[--post $SA] /a", "profile", "column 9: $SA expands only"),
        ("[--key $SECRET] /a", "profile", "column 8: a $ in this value is followed by no known macro; write $$ for a dollar"),
        ("[--key SECRET /$MA", "profile", "column 1: the bracket"),
        # what the macros bring: the column of the text as typed where there is one
        ("http://h/$A", "profile", "column 14 of the expanded rule: after a URL there is at most a |"),
        ("$B", "upgrade", "column 1 of the expanded rule: an Upgrade_Rule must name a server"),
        ("$B $A", "profile", "column 4: after a URL there is at most"),
    ],
)
def test_bad_rules(rule, kind, message):
    with pytest.raises(RuleError, match=f"^{re.escape(message)}") as caught:
        check_rule(rule, kind, {**MACROS, "A": "one SECRET", "B": "/a"})
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize("trigger", ["", " ", "$UPGTMR gt 300 and $PRVTMR ge 600", '"$EXTIP" ne ""', "1 eq 2"])
def test_good_triggers(trigger):
    check_trigger(trigger)


@pytest.mark.parametrize(
    ("trigger", "message"),
    [
        ("($PRVTMR ge 600)?", "column 1: a trigger is a condition without parentheses and ?, as in $PRVTMR ge 600"),
        ("($PRVTMR ge 600)", "column 1: a trigger is a condition without parentheses"),
        ("$PRVTMR ge 600)?", "column 15: a parenthesis cannot stand here"),
        ("$PRVTMR ge 600 or 1 eq 1", "column 16: a condition has no or"),
        ('"$A', "column 1: the quotation mark is not closed"),
        ("$PRVTIMER ge 600", "column 1: the macro $PRVTIMER is not known, and a phone leaves it as it is; did you mean $PRVTMR?"),
        ('"$SA" eq "x"', "column 2: $SA expands only"),
        ("/a", "column 3: an operator is missing here"),
    ],
)
def test_bad_triggers(trigger, message):
    with pytest.raises(RuleError, match=f"^{re.escape(message)}"):
        check_trigger(trigger)
