# SPDX-License-Identifier: GPL-3.0-or-later
"""Custom templates: their variables, escaping, and errors that show no values."""

from __future__ import annotations

import re
import traceback

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.phones.phone import Phone
from ansible_collections.voip.preprovision.plugins.module_utils.phones.reader import PhoneReader
from ansible_collections.voip.preprovision.plugins.module_utils.phones.serial_numbers import normalize_serial
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.flat_profile import parse, values
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.formats import FORMATS
from ansible_collections.voip.preprovision.plugins.module_utils.publishing import templates as profile_template
from ansible_collections.voip.preprovision.plugins.module_utils.publishing.templates import ProfileTemplate, TemplateError

SECRET, NUMBER = "s3cret-4711", "98765"
texts = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")).map(str.strip)


def phone_of(model="ATA192", **variables) -> Phone:
    given = {"phone_mac": "00005e005301", "phone_model": model, "phone_profile_template": "own.j2", **variables}
    return PhoneReader().read("desk", given)


def render(text: str, model="ATA192", parameters=None, **variables) -> bytes:
    template, phone = ProfileTemplate("own.j2", text), phone_of(model, **variables)
    plain = template.render(phone, parameters or {})
    template.read(phone.model.family, plain)
    return plain


def element(expression: str) -> str:
    return f"<flat-profile><X>{expression}</X></flat-profile>"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("{{ phone.name }} {{ phone.mac }} {{ phone.model }}", "desk 00:00:5e:00:53:01 ATA192"),
        ("{{ phone.serial }} {{ phone.customer }} {{ phone.site }}", "FCH2118DGQP example north"),
        ("{{ lines | length }} {{ lines[0].user_id }} {{ lines[1].enable }}", "2 1001 Yes"),
        ("{{ 'password' in lines[0] }}", "False"),
        ("{{ parameters.Time_Zone }} {{ parameters['S/Y'] }}", "GMT 1"),
        ("{{ macros.MA }} {{ macros.MAU }} {{ macros.MAC }}", "00005e005301 00005E005301 00:00:5e:00:53:01"),
        ("{{ macros.PN }} {{ macros.PSN }} {{ macros.SN }}", "ATA192-MPP 192 FCH2118DGQP"),
        ("{% for line in lines %}{{ loop.index }}{% endfor %}", "12"),
        ("{{ parameters.Nothing | default('none') }}", "none"),
        ("{{ '<' }}", "<"),
    ],
)
def test_variables_of_templates(expression, expected):
    document = render(
        element(expression),
        parameters={"Time_Zone": "GMT", "S/Y": "1"},
        phone_serial="FCH2118DGQP",
        phone_customer="example",
        phone_site="north",
        phone_lines=[{"user_id": 1001, "password": None}, {"enable": True}],
    )
    assert values(parse(document)) == {"X": expected}


@given(texts)
def test_no_value_breaks_out_of_its_element(value):
    document = render(element("{{ lines[0].user_id }}") + "\n", phone_lines=[{"user_id": value}])
    assert document.isascii()
    assert document.endswith(b"</X></flat-profile>\n")
    assert values(parse(document)) == {"X": value}


@pytest.mark.parametrize("variable", ["phone_serial", "phone_customer", "phone_site"])
@given(texts)
def test_no_value_breaks_out_of_its_line(variable, value):
    text = f"#!version:1.0.0.1\na = {{{{ phone.{variable.removeprefix('phone_')} }}}}\nb = 1\n"
    expected = normalize_serial(value) if variable == "phone_serial" else value
    assume(bool(expected) == bool(value))
    assert values(FORMATS["yealink"].parse(render(text, "T46U", **{variable: value}))) == {"a": expected, "b": "1"}


def test_does_not_escape_text_formats():
    assert render("#!version:1.0.0.1\na = {{ lines[0].user_id }} ä", "T46U", phone_lines=[{"user_id": "<&>"}]).decode() == (
        "#!version:1.0.0.1\na = <&> ä"
    )


FAILING = [
    ("{{ lines[5].password }}", "tuple object has no element 5"),
    ("{{ parameters.Nothing }}", "'dict object' has no attribute 'Nothing'"),
    ("{{ nothing }}", "'nothing' is undefined"),
    ("{{ phone.nothing.at_all }}", "'dict object' has no attribute 'nothing'"),
    # the requested name is a value
    ("{{ parameters[lines[0].password] }}", "it uses something that is not defined"),
    ("{{ lines[lines[0].user_id | int] }}", "it uses something that is not defined"),
    ("{{ lines[0].password.encode().decode('utf-16') }}", "it fails with UnicodeDecodeError"),
    ("{{ lines[0].password.decode() }}", "'str object' has no attribute 'decode'"),
    ("{{ 1 / 0 }}", "it fails with ZeroDivisionError"),
    # the error quotes the value
    ("{{ 'x'.encode(lines[0].password) }}", "it fails with LookupError"),
    ("{% include lines[0].password %}", "it fails with TypeError"),
    ("{{ lines[0].password }}", "its output is not a profile: the profile is not well-formed XML: "),
    ("<flat-profile><X>{{ lines[0].password | safe }}", "its output is not a profile: the profile is not well-formed XML: "),
    ("<device/>", "its output is not a profile: the profile's root element is <device>, not <flat-profile>"),
    ("<!DOCTYPE x><flat-profile/>", "its output is not a profile: the profile has a document type declaration, "),
    (element("{{ '\\ud800' }}"), "its output is not a profile: the profile is not well-formed XML: reference to invalid character"),
    ("", "its output is not a profile: the profile is not well-formed XML: no element found"),
]


@pytest.mark.parametrize(("text", "message"), FAILING)
def test_template_errors_show_no_values(text, message):
    with pytest.raises(TemplateError, match=f"^{re.escape(f'own.j2: {message}')}") as caught:
        render(text, phone_lines=[{"user_id": NUMBER, "password": SECRET}])
    shown = "".join(traceback.format_exception(caught.value))
    assert SECRET not in shown
    assert NUMBER not in shown


def test_rejects_values_that_a_text_format_cannot_hold():
    with pytest.raises(TemplateError, match=r"^own.j2: it fails with UnicodeEncodeError$"):
        render("#!version:1.0.0.1\na = {{ '\\ud800' }}", "T46U")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ lines", "own.j2 line 1: "),
        ("<flat-profile>\n{% for line in lines %}", "own.j2 line 2: "),
        ("{{ x | nothing }}", "own.j2 line 1: No filter named 'nothing'."),
    ],
)
def test_rejects_invalid_templates(text, message):
    with pytest.raises(TemplateError, match=f"^{re.escape(message)}"):
        ProfileTemplate("own.j2", text)


def test_reports_missing_jinja2(monkeypatch):
    monkeypatch.setattr(profile_template, "MISSING", ImportError("no"))
    with pytest.raises(TemplateError, match=r"^the Python package 'jinja2' is missing \(Debian: python3-jinja2\)$"):
        ProfileTemplate("own.j2", "")
