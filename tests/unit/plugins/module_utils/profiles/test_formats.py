# SPDX-License-Identifier: GPL-3.0-or-later
"""Profile formats: what each writes and reads, escaping, and invalid documents."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.profiles.flat_profile import ACCESS, ProfileError, Setting, values
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.formats import FLAT_PROFILE, FORMATS

MAC = "00005e005301"
XML = '<?xml version="1.0"?>\n'
OTHERS = ("grandstream", "yealink", "poly", "snom")
NAMES = {
    FLAT_PROFILE: "(?:[A-Za-z_][A-Za-z0-9_.-]{0,5}/){0,3}[A-Za-z_][A-Za-z0-9_.-]{0,10}",
    **dict.fromkeys(OTHERS, "[A-Za-z_][A-Za-z0-9_.-]{0,10}"),
    "snom": r"[A-Za-z_][A-Za-z0-9_-]{0,10}(?:\.(?:0|[1-9][0-9]{0,2}))?",
}
# All that read_setting() lets through
texts = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")).map(str.strip)
# What ends an element, an attribute or a line, or begins another
SIGNS = (
    "<",
    ">",
    "&",
    '"',
    "'",
    "=",
    "#",
    "]]>",
    "<!--",
    "-->",
    "/>",
    "&#10;",
    "&amp;",
    "\\",
    "\\n",
    "\u2028",
    "%0a",
    "${x}",
    "{{ x }}",
)
hostile = st.lists(st.sampled_from(SIGNS) | st.text("ab =\u2028\u00a0", max_size=3)).map("".join).map(str.strip)


def parameters(name: str, *, accesses: st.SearchStrategy[str | None] = st.none()):  # noqa: B008 - it has no state
    paths = st.from_regex(NAMES[name], fullmatch=True).filter(FORMATS[name].takes)
    return st.dictionaries(paths, st.builds(Setting, texts | hostile, accesses), max_size=6)


@pytest.mark.parametrize(
    ("name", "written", "document"),
    [
        (FLAT_PROFILE, {"X": "a<b", "S/Y": ""}, f"{XML}<flat-profile>\n<S>\n<Y></Y>\n</S>\n<X>a&lt;b</X>\n</flat-profile>\n"),
        (
            "grandstream",
            {"P47": "a&b", "P271": "1"},
            f'{XML}<gs_provision version="1">\n<mac>{MAC}</mac>\n<config version="1">\n<P271>1</P271>\n<P47>a&amp;b</P47>\n'
            "</config>\n</gs_provision>\n",
        ),
        (
            "yealink",
            {"account.1.label": "Büro = #1", "account.1.enable": "1", "account.1.password": ""},
            "#!version:1.0.0.1\naccount.1.enable = 1\naccount.1.label = Büro = #1\naccount.1.password =\n",
        ),
        (
            "poly",
            {"reg.1.address": '"a"', "reg.1.auth.password": "<"},
            f'{XML}<PHONE_CONFIG>\n<ALL\n  reg.1.address="&quot;a&quot;"\n  reg.1.auth.password="&lt;"\n/>\n</PHONE_CONFIG>\n',
        ),
        (
            "snom",
            {"user_name.1": "1001", "language": "Café"},
            f'{XML}<settings>\n<phone-settings e="2">\n<language perm="">Caf&#233;</language>\n'
            '<user_name idx="1" perm="">1001</user_name>\n</phone-settings>\n</settings>\n',
        ),
    ],
)
def test_writes_profiles(name, written, document):
    settings = {path: Setting(value) for path, value in written.items()}
    assert FORMATS[name].build(settings, MAC).decode() == document
    assert FORMATS[name].parse(document.encode()) == settings


def test_shared_profiles_contain_no_mac():
    assert b"<mac>" not in FORMATS["grandstream"].build({}, "")
    for name in FORMATS:
        assert FORMATS[name].parse(FORMATS[name].build({}, "")) == {}


def test_each_format_has_a_pattern():
    assert set(NAMES) == set(FORMATS)


@pytest.mark.parametrize("name", OTHERS)
@given(st.data())
def test_reads_what_it_writes(name, data):
    written = data.draw(parameters(name))
    document = FORMATS[name].build(written, MAC)
    assert FORMATS[name].parse(document) == written
    assert FORMATS[name].build(dict(reversed(written.items())), MAC) == document


@given(parameters(FLAT_PROFILE, accesses=st.sampled_from([None, *ACCESS])))
def test_reads_written_access_rights(written):
    assert FORMATS[FLAT_PROFILE].parse(FORMATS[FLAT_PROFILE].build(written, MAC)) == written


@given(parameters("snom", accesses=st.sampled_from([None, "ro", "rw"])))
def test_writes_snom_permissions(written):
    assert FORMATS["snom"].parse(FORMATS["snom"].build(written, MAC)) == written


@pytest.mark.parametrize(
    ("access", "permission"),
    # nothing can be hidden from the user
    [(None, ""), ("na", "R"), ("ro", "R"), ("rw", "RW")],
)
def test_writes_snom_access(access, permission):
    assert f'<X perm="{permission}">a</X>\n' in FORMATS["snom"].build({"X": Setting("a", access)}, "").decode()


@pytest.mark.parametrize(
    ("attribute", "access"),
    [
        ("", None),
        (' perm=""', None),
        (' perm=" "', "ro"),
        (' perm="R"', "ro"),
        (' perm="&amp;"', "ro"),
        (' perm="RW"', "rw"),
        (' perm="$"', "rw"),
        (' perm="!"', "rw"),
        (' perm="other"', None),
    ],
)
def test_reads_snom_access(attribute, access):
    document = f"<settings><phone-settings><X{attribute}>a</X></phone-settings></settings>"
    assert FORMATS["snom"].parse(document.encode()) == {"X": Setting("a", access)}


@pytest.mark.parametrize("name", FORMATS)
@given(hostile)
def test_escapes_values(name, value):
    """For any value, the document has as many lines, elements and attributes as for a plain one."""
    around = {"A": Setting("before"), "Z": Setting("after")}
    plain = FORMATS[name].build({**around, "M": Setting("plain")}, MAC).decode()
    document = FORMATS[name].build({**around, "M": Setting(value)}, MAC).decode()
    before, after = plain.split("plain")
    # An empty value ends a line in yealink's format
    assert document.startswith(before.rstrip(" "))
    assert document.endswith(after)
    assert values(FORMATS[name].parse(document.encode())) == {"A": "before", "M": value, "Z": "after"}


@pytest.mark.parametrize("name", [name for name in FORMATS if FORMATS[name].xml])
@given(texts | hostile)
def test_xml_is_ascii(name, value):
    assert FORMATS[name].build({"X": Setting(value)}, MAC).isascii()


@pytest.mark.parametrize(
    ("name", "document", "expected"),
    [
        # the last of two of one name counts, in every format
        (FLAT_PROFILE, "<flat-profile><A>1</A><A>2</A></flat-profile>", {"A": "2"}),
        ("grandstream", "<gs_provision><config><P1>1</P1><P1>2</P1></config></gs_provision>", {"P1": "2"}),
        ("yealink", "#!version:1.0.0.1\na = 1\na = 2\n", {"a": "2"}),
        ("poly", '<PHONE_CONFIG><ALL a="1"/><OTHER a="2" b="3"/></PHONE_CONFIG>', {"a": "2", "b": "3"}),
        (
            "snom",
            '<settings><phone-settings><a idx="1">1</a><a idx="1">2</a><a>3</a></phone-settings></settings>',
            {"a.1": "2", "a": "3"},
        ),
        # what others write
        ("grandstream", "<gs_provision><mac>0</mac><config><P1/></config></gs_provision>", {"P1": ""}),
        (
            "grandstream",
            '<gs_provision><config version="2"><item name="a.1.b">1</item><item name="a.2.b">2</item></config></gs_provision>',
            {"a.1.b": "1", "a.2.b": "2"},
        ),
        (
            "grandstream",
            "<gs_provision><config><item>1</item><P1 name='x'>2</P1></config></gs_provision>",
            {"item": "1", "P1": "2"},
        ),
        ("yealink", "#!version:1.0.0.1\na\t=\t1", {"a": "1"}),
        ("poly", '<PHONE_CONFIG a="1"><reg b="2"><reg.1 c="3"/></reg></PHONE_CONFIG>', {"a": "1", "b": "2", "c": "3"}),
        (
            "poly",
            '<polycomConfig xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="polycomConfig.xsd"'
            ' a="1"><reg b="2"/></polycomConfig>',
            {"a": "1", "b": "2"},
        ),
        (
            "snom",
            '<settings><functionKeys><b/></functionKeys><phone-settings e="2"><a idx="">1</a></phone-settings></settings>',
            {"a": "1"},
        ),
        ("yealink", "#!version:1.0.0.1 \r\n# a comment\r\n\r\n a.b=1 2 \r\nc =\r\n", {"a.b": "1 2", "c": ""}),
        ("yealink", "#!version:1.0.0.1", {}),
        ("snom", "<settings><phone-settings/></settings>", {}),
    ],
)
def test_reads_profiles(name, document, expected):
    assert values(FORMATS[name].parse(document.encode())) == expected


ROOTS = {FLAT_PROFILE: "flat-profile", "grandstream": "gs_provision", "poly": "PHONE_CONFIG", "snom": "settings"}


@pytest.mark.parametrize("name", ROOTS)
@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("", "the profile is not well-formed XML: no element found"),
        ("<{root}>", "the profile is not well-formed XML: no element found"),
        ("<other/>", "the profile's root element is <other>, not <{root}>"),
        ('<!DOCTYPE {root} [<!ENTITY a "b">]><{root}/>', "the profile has a document type declaration, which no phone needs"),
        ("<!-- <!DOCTYPE x> --><{root}/>", "the profile has a document type declaration, which no phone needs"),
        ("<{root}>&unknown;</{root}>", "the profile is not well-formed XML: undefined entity"),
        ('<{root} a="1" a="2"/>', "the profile is not well-formed XML: duplicate attribute"),
        ("<{root}/>\0", "the profile is not UTF-8 text: it holds null bytes"),
        ("<{root}/>\udcff", "the profile is not UTF-8 text: byte "),
    ],
)
def test_rejects_invalid_xml(name, document, message):
    root = ROOTS[name]
    also = {"poly": "> or <polycomConfig"}.get(name, "")
    with pytest.raises(ProfileError, match=f"^{re.escape(message.replace('{root}', root + also))}"):
        FORMATS[name].parse(document.replace("{root}", root).encode(errors="surrogateescape"))


@pytest.mark.parametrize(
    ("name", "document", "message"),
    [
        ("grandstream", "<gs_provision/>", "the profile has no <config>"),
        ("snom", "<settings/>", "the profile has no <phone-settings>"),
        ("yealink", "", "the profile does not begin with #!version:1.0.0.1"),
        ("yealink", "a = 1", "the profile does not begin with #!version:1.0.0.1"),
        ("yealink", "#!version:1.0.0.1\nsecret", "line 2 of the profile is not 'name = value'"),
        ("yealink", "#!version:1.0.0.1\n\n= secret", "line 3 of the profile is not 'name = value'"),
        ("yealink", "#!version:1.0.0.1\n\udcff", "the profile is not UTF-8 text: byte 19 is invalid"),
    ],
)
def test_rejects_invalid_documents(name, document, message):
    with pytest.raises(ProfileError, match=f"^{re.escape(message)}$"):
        FORMATS[name].parse(document.encode(errors="surrogateescape"))


@pytest.mark.parametrize("name", FORMATS)
@given(st.binary() | texts.map(str.encode))
def test_any_bytes_raise_only_the_documented_error(name, document):
    for head in (b"", b"#!version:1.0.0.1\n", f"<{ROOTS.get(name, '')}>".encode()):
        try:
            FORMATS[name].parse(head + document)
        except ProfileError:
            continue


@pytest.mark.parametrize(
    ("name", "path", "fits"),
    [
        *((name, path, True) for name in FORMATS for path in ("X", "X_1_", "_x-y")),
        *((name, path, False) for name in FORMATS for path in ("", "1x", "a b", "<x>", "a=b", "x\n", "/x", "x/", "a//b", "é")),
        (FLAT_PROFILE, "S/T/X", True),
        (FLAT_PROFILE, f"{'S/' * 16}X", True),
        (FLAT_PROFILE, f"{'S/' * 17}X", False),
        *((name, "S/X", False) for name in OTHERS),
        *((name, "a.b.c", name != "snom") for name in FORMATS),
        ("snom", "user_name.12", True),
        ("snom", "user_name.0", True),
        ("snom", "user_name.999", True),
        *(("snom", f"user_name.{identity}", False) for identity in ("", "1234", "01", "1a", "1.1", "\u0661")),
        # a declaration, not an attribute
        ("poly", "xmlns", False),
    ],
)
def test_validates_parameter_names(name, path, fits):
    assert FORMATS[name].takes(path) == fits


@pytest.mark.parametrize("name", OTHERS)
def test_only_flat_profiles_have_sections(name):
    with pytest.raises(ProfileError, match=r"^S is a mapping, but no section is possible here$"):
        FORMATS[name].read({"S": {"X": "x"}}, ("1", "0"))
    assert FORMATS[name].read({"X": {"value": True}, "Y": False}, ("1", "0")) == {"X": Setting("1"), "Y": Setting("0")}
