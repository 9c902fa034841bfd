# SPDX-License-Identifier: GPL-3.0-or-later
"""<flat-profile>: what users may write, what is written for phones, and what phones read."""

from __future__ import annotations

import functools
import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.profiles.flat_profile import (
    ACCESS,
    ROUTER_SECTION,
    ProfileError,
    Setting,
    build,
    holds_text,
    parse,
    read_document,
    read_parameters,
    values,
)

NAME = "cannot name a parameter; letters, digits and _ . - are allowed (a space in a web page's name becomes _)"
HEAD = '<?xml version="1.0"?>\n<flat-profile>\n'
TAIL = "</flat-profile>\n"

# All that XML 1.0 carries, without the controls that a phone folds into spaces.
texts = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")).map(str.strip)
names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,10}", fullmatch=True)
paths = st.lists(names, min_size=1, max_size=3).map("/".join)
parameters = st.dictionaries(paths, st.builds(Setting, texts, st.sampled_from([None, *ACCESS])), max_size=6)


def profile(body: str) -> bytes:
    return f"<flat-profile>{body}</flat-profile>".encode()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text", {"X": Setting("text")}),
        ("", {"X": Setting("")}),
        ("two  words", {"X": Setting("two  words")}),
        (60, {"X": Setting("60")}),
        (True, {"X": Setting("Yes")}),
        (False, {"X": Setting("No")}),
        (None, {}),
        ({"value": "text", "ua": "na"}, {"X": Setting("text", "na")}),
        ({"value": 60}, {"X": Setting("60")}),
        ({"value": "", "ua": "rw"}, {"X": Setting("", "rw")}),
        ({"value": "text", "ua": None}, {"X": Setting("text")}),
        ({"Y": "text", "Z": {"A": 1}}, {"X/Y": Setting("text"), "X/Z/A": Setting("1")}),
        ({"value": "text", "Y": "text"}, {"X/value": Setting("text"), "X/Y": Setting("text")}),
        ({"Y": None}, {}),
        ({}, {}),
    ],
)
def test_reads_values_as_users_write_them(value, expected):
    assert read_parameters({"X": value}) == expected


@pytest.mark.parametrize(
    "name",
    ["Profile_Rule", "Line_Enable_1_", "Resync_At__HHmm_", "router-configuration", "TR_069", "TR-069", "_x", "a.b"],
)
def test_names(name):
    assert read_parameters({name: "x"}) == {name: Setting("x")}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        *(({name: "x"}, f"'{name}' {NAME}") for name in ["", "Profile Rule", "1st", "-x", "a/b", "a>b", "x\n", "é", 7]),
        ({"S": {"a b": 1}}, f"'S/a b' {NAME}"),
        ({"X": 1.5}, "X is a decimal fraction; write it in quotes, such as '1.10'"),
        ({"X": {"value": 1.5}}, "X is a decimal fraction; write it in quotes, such as '1.10'"),
        ({"X": date(2026, 1, 31)}, "X is a date; write it in quotes, such as '2026-01-31'"),
        ({"S": {"Password_1_": True}}, "S/Password_1_ is true or false; write it in quotes, such as 'on'"),
        ({"X": ["a"]}, "X is a list; a parameter takes text, a number, yes or no"),
        ({"S": {"X": b"a"}}, "S/X is a bytes; a parameter takes text, a number, yes or no"),
        ({"X": {"value": {"a": 1}}}, "X is a mapping; a parameter takes text, a number, yes or no"),
        ({"X": {"value": None}}, "X is empty; a parameter takes text, a number, yes or no"),
        ({"X": {"ua": "na"}}, "X has 'ua' but no 'value'"),
        ({"X": {"value": "a", "ua": "none"}}, "X has an unknown ua 'none'; expected one of na, ro, rw"),
        ({"X": {"value": "a", "ua": ""}}, "X has an unknown ua ''; expected one of na, ro, rw"),
        ({"X": "secret\0"}, "X holds the character U+0000 at position 7, which no profile can carry to a phone"),
        ({"X": "two\nlines"}, "X holds the character U+000A at position 4, which no profile can carry to a phone"),
        ({"X": "a\tb"}, "X holds the character U+0009 at position 2, which no profile can carry to a phone"),
        ({"X": "a\x85b"}, "X holds the character U+0085 at position 2, which no profile can carry to a phone"),
        ({"X": "\ud800"}, "X holds the character U+D800 at position 1, which no profile can carry to a phone"),
        ({"X": "\uffff"}, "X holds the character U+FFFF at position 1, which no profile can carry to a phone"),
        ({"X": " secret"}, "X begins or ends with white space, which the phone would drop"),
        ({"X": "secret "}, "X begins or ends with white space, which the phone would drop"),
        ({"X": "\u00a0secret"}, "X begins or ends with white space, which the phone would drop"),
    ],
)
def test_rejects_invalid_values(values, message):
    with pytest.raises(ProfileError, match=f"^{re.escape(message)}$"):
        read_parameters(values)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        *((f"{name}_1_", True) for name in ("User_ID", "Password", "Auth_ID", "Display_Name", "Extension", "Voice_Mail_Number")),
        *((name, True) for name in ("GPP_A", "GPP_SD", "Admin_Passwd", "S/WAN_PPPoE_User_Name", "S/Web_Login_Guest_Password")),
        *(
            (name, True)
            for name in ("account.1.user_name", "reg.1.displayName", "reg.1.auth.userId", "user_pass.1", "user_realname.2")
        ),
        *((f"{name}_1_", False) for name in ("Use_Auth_ID", "Line_Enable", "Reuse_CID_Number_As_Name", "Feature_Key_Sync")),
        *(
            (name, False)
            for name in ("Display_Password_Warnings", "Escape_Display_Name", "Multicast_Passthru", "SIP_Remote-Party-ID")
        ),
        *((name, False) for name in ("S/PPTP_Passthrough", "Proxy_Bypass", "GPP_Q", "Linksys_Key_System", "VLAN_ID", "P34")),
    ],
)
def test_tells_by_its_name_whether_a_parameter_holds_text(path, text):
    assert holds_text(path) is text


@pytest.mark.parametrize(("sections", "most"), [(0, 0), (1, 1), (3, 16), (16, 16)])
def test_sections_may_be_nested(sections, most):
    values = functools.reduce(lambda below, _level: {"S": below}, range(sections), {"X": "x"})
    assert read_parameters(values, max_sections=most) == {"S/" * sections + "X": Setting("x")}
    with pytest.raises(ProfileError, match=rf"^{'S/' * most}S is a mapping, but no section is possible here$"):
        read_parameters(functools.reduce(lambda below, _level: {"S": below}, range(3000), {}), max_sections=most)


def test_errors_name_the_place():
    with pytest.raises(ProfileError, match=r"^bootstrap_parameters: S/X is a list;"):
        read_parameters({"S": {"X": []}}, "bootstrap_parameters: ")


@pytest.mark.parametrize(
    ("values", "body"),
    [
        ({}, ""),
        ({"X": ""}, "<X></X>\n"),
        ({"X": {"value": "a", "ua": "ro"}}, '<X ua="ro">a</X>\n'),
        ({"X": "<&>\"'"}, "<X>&lt;&amp;&gt;&quot;&apos;</X>\n"),
        ({"X": "&amp;"}, "<X>&amp;amp;</X>\n"),
        ({"X": "Café \N{TELEPHONE RECEIVER}"}, "<X>Caf&#233; &#128222;</X>\n"),
        ({"X": "]]>"}, "<X>]]&gt;</X>\n"),
        ({"B": 1, "a": 2, "A": 3}, "<A>3</A>\n<B>1</B>\n<a>2</a>\n"),
        (
            {ROUTER_SECTION: {"SSH": {"Enable": "0"}, "Bonjour_Enable": "0"}, "zz": 1, "A": 2},
            "<A>2</A>\n<zz>1</zz>\n<router-configuration>\n<Bonjour_Enable>0</Bonjour_Enable>\n"
            "<SSH>\n<Enable>0</Enable>\n</SSH>\n</router-configuration>\n",
        ),
    ],
)
def test_writes_profiles(values, body):
    assert build(read_parameters(values)) == f"{HEAD}{body}{TAIL}".encode("ascii")


@given(parameters)
def test_parses_written_profiles(written):
    document = build(written)
    assert document.isascii()
    assert parse(document) == written


@given(parameters)
def test_order_of_parameters_does_not_matter(written):
    assert build(dict(reversed(written.items()))) == build(written)


@given(names, texts)
def test_every_valid_text_survives(name, text):
    assert values(parse(build(read_parameters({name: text})))) == {name: text}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (profile(""), {}),
        (b"\xef\xbb\xbf" + profile("<A>\xe9</A>"), {"A": Setting("é")}),
        (b'<?xml version="1.0" encoding="UTF-8"?>\n' + profile("<A>é</A>"), {"A": Setting("é")}),
        (profile("<!-- <A>0</A> --><A>1</A><?x y?>"), {"A": Setting("1")}),
        (profile("<A>1</A><B>2</B><A>3</A>"), {"A": Setting("3"), "B": Setting("2")}),
        (profile("<S><A>1</A><B>1</B></S><S><A>2</A></S>"), {"S/A": Setting("2"), "S/B": Setting("1")}),
        (profile("<a>1</a><A>2</A>"), {"a": Setting("1"), "A": Setting("2")}),
        (profile("<A/><B></B><C> \n </C>"), {"A": Setting(""), "B": Setting(""), "C": Setting("")}),
        (profile("<A>\n two\n lines\r\nand more \n</A>"), {"A": Setting("two  lines and more")}),
        (profile("<A>one&#13;&#10;two&#10;three&#13;four</A>"), {"A": Setting("one two three four")}),
        (profile("<A>a\u2028b\u00a0c</A>"), {"A": Setting("a\u2028b\u00a0c")}),
        (profile("<A>&lt;&amp;&gt;&apos;&quot;&#233;&#xE9;</A>"), {"A": Setting("<&>'\"éé")}),
        (profile("<A><![CDATA[<&>]]></A>"), {"A": Setting("<&>")}),
        (profile('<A ua="na" group="x/y">1</A>'), {"A": Setting("1", "na")}),
        (profile("<S>text<A>1</A>text</S>"), {"S/A": Setting("1")}),
    ],
)
def test_parses_profiles_like_a_phone(document, expected):
    assert parse(document) == expected


BOMB = (
    '<!DOCTYPE flat-profile [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    "<flat-profile><A>&b;&b;&b;&b;</A></flat-profile>"
)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (b"", "the profile is not well-formed XML: no element found"),
        (b"Salted__12345678", "the profile is not well-formed XML: syntax error"),
        (b"\x1f\x8b\x08\x08", "the profile is not UTF-8 text: byte 2 is invalid"),
        (profile("<A>")[:20], "the profile is not well-formed XML: unclosed token"),
        (profile("<A>1</B>"), "the profile is not well-formed XML: mismatched tag"),
        (profile("<A>&unknown;</A>"), "the profile is not well-formed XML: undefined entity"),
        (profile("<A>\x01</A>"), "the profile is not well-formed XML: not well-formed"),
        (profile("<A>1</A>") * 2, "the profile is not well-formed XML: junk after document element"),
        (b"<device></device>", "the profile's root element is <device>, not <flat-profile>"),
        (profile("<A>" * 5000 + "</A>" * 5000), "the profile's sections are nested too deeply"),
        (profile("<A>caf\u00e9</A>").decode().encode("latin-1"), "the profile is not UTF-8 text: byte 21 is invalid"),
        (BOMB.encode(), "the profile has a document type declaration, which no phone needs"),
        (BOMB.encode("utf-16"), "the profile is not UTF-8 text: it holds null bytes"),
        (BOMB.encode("utf-16-le"), "the profile is not UTF-8 text: it holds null bytes"),
        (b'<?xml version="1.0" encoding="cp037"?>' + BOMB.encode("cp037"), "the profile is not UTF-8 text: byte"),
    ],
)
def test_rejects_invalid_documents(document, message):
    with pytest.raises(ProfileError, match=f"^{re.escape(message)}"):
        parse(document)


@given(st.binary() | st.text().map(str.encode) | st.text().map(profile))
def test_any_bytes_raise_only_the_documented_error(document):
    try:
        parse(document)
    except ProfileError:
        return


def test_reads_a_profile_in_a_device():
    document = b"<device>\n<flat-profile><X>1</X><S><Y>2</Y></S></flat-profile>stray</device>"
    assert values(parse(document)) == {"X": "1", "S/Y": "2"}
    assert read_document(document).stray == ["stray"]
    with pytest.raises(ProfileError, match=r"^the profile's root element is <device>, not <flat-profile>$"):
        parse(b"<device><X>1</X></device>")


def test_reads_doubled_elements_and_stray_texts():
    document = read_document(b"<flat-profile>a<X>1</X> b\n<S>c<Y>2</Y></S><X ua='na'>3</X></flat-profile>")
    assert document.settings == [("X", Setting("1")), ("S/Y", Setting("2")), ("X", Setting("3", "na"))]
    assert document.stray == ["a", "b", "c"]
