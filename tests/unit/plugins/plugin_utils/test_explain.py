# SPDX-License-Identifier: GPL-3.0-or-later
"""Where each parameter of a phone comes from, without a secret in it."""

from __future__ import annotations

import re

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.families.catalogue import BUILTIN
from ansible_collections.voip.preprovision.plugins.module_utils.phones.phone import PhoneError
from ansible_collections.voip.preprovision.plugins.module_utils.phones.reader import PhoneReader
from ansible_collections.voip.preprovision.plugins.module_utils.publishing.publisher import Publisher
from ansible_collections.voip.preprovision.plugins.module_utils.publishing.settings import KINDS, Settings
from ansible_collections.voip.preprovision.plugins.module_utils.publishing.templates import ProfileTemplate
from ansible_collections.voip.preprovision.plugins.plugin_utils.explain import explain
from ansible_collections.voip.preprovision.plugins.plugin_utils.phone_source import Entry

MASTER = "a master key for tests"
REQUIRED = {"phone_mac": "00005e005301", "phone_model": "ATA192"}
TEMPLATE = "<flat-profile><Proxy_1_>{{ parameters.Proxy_1_ }}</Proxy_1_><Password_2_>s3cret</Password_2_></flat-profile>"


def rows(origins=None, kinds=KINDS, plaintext_secrets=False, **variables):
    settings = Settings(
        bench_url="https://prov.example.net/device/$MA.cfg",
        bench_delivery="certificate",
        remote_url="http://prov.example.com/service/$MA-{key_id}.cfg",
        kinds=kinds,
        plaintext_secrets=plaintext_secrets,
    )
    publisher = Publisher(settings, {"own.j2": ProfileTemplate("own.j2", TEMPLATE)})
    entry = Entry("desk", {**REQUIRED, **variables}, "phones.csv line 2")
    return explain(entry, PhoneReader(BUILTIN, MASTER), publisher, origins or {})


def table(found):
    return [(row["kind"], row["parameter"], row["value"], row["variable"], row["origin"]) for row in found]


RULE = "[--key ****] http://prov.example.com/service/$MA-{}.cfg"


def test_explains_each_parameter_with_variable_and_origin():
    found = rows(
        {"phone_resync": "group all", "phone_lines": "host desk", "phone_parameters_site": "group site_north"},
        phone_resync={"periodic": 600},
        phone_parameters_site={"Proxy_1_": "sip.example.net"},
        phone_lines=[{"user_id": "1001", "password": "s3cret"}],
    )
    rule = next(row["value"] for row in found if row["parameter"] == "Profile_Rule")
    assert re.fullmatch(re.escape(RULE).replace(r"\{\}", "[0-9a-f]{8}"), rule)
    assert table(found) == [
        ("preprovision", "Profile_Rule", rule, "", "the publication"),
        ("preprovision", "Profile_Rule_B", "", "", "the publication"),
        ("preprovision", "Resync_Periodic", "600", "phone_resync", "group all"),
        ("service", "Password_1_", "****", "phone_lines", "host desk"),
        ("service", "Profile_Rule", rule, "", "the publication"),
        ("service", "Proxy_1_", "sip.example.net", "phone_parameters_site", "group site_north"),
        ("service", "Resync_Periodic", "600", "phone_resync", "group all"),
        ("service", "User_ID_1_", "1001", "phone_lines", "host desk"),
    ]


def test_firmware_rules_come_from_firmware_variables():
    found = rows({"phone_firmware_hold": "group all"}, ("service",), phone_firmware_hold=True)
    assert table(found)[1:] == [
        ("service", "Upgrade_Enable", "No", "phone_firmware_hold", "group all"),
        ("service", "Upgrade_Rule", "", "phone_firmware_hold", "group all"),
    ]
    own = rows(
        {"phone_parameters": "host desk"}, ("service",), phone_firmware_hold=True, phone_parameters={"Upgrade_Enable": "Yes"}
    )
    assert table(own)[1] == ("service", "Upgrade_Enable", "Yes", "phone_parameters", "host desk")


def test_phone_parameters_override_those_of_the_publication():
    found = rows({"phone_parameters": "host desk"}, ("preprovision",), phone_parameters={"Profile_Rule": "/own.cfg"})
    assert table(found)[0] == ("preprovision", "Profile_Rule", "/own.cfg", "phone_parameters", "host desk")


def test_marks_what_the_phone_ignores():
    found = rows(
        kinds=("service",), phone_parameters={"Time_Zone": "GMT", "Proxy_1_": "{{ proxy }}", "Proxy_2_": "sip.example.net"}
    )
    assert {row["parameter"]: row["ignored"] for row in found if row["parameter"] != "Profile_Rule"} == {
        "Time_Zone": "the family ata19x does not know Time_Zone and would ignore it; did you mean"
        " 'router-configuration/Time_Setup/Time_Zone'?",
        "Proxy_1_": "Proxy_1_ holds an expression of Jinja2, '{{', that nothing has rendered; phones take it as text",
        "Proxy_2_": "",
    }


def test_template_output_comes_from_the_template():
    variables = {"phone_profile_template": "own.j2", "phone_parameters": {"Proxy_1_": "sip.example.net", "Time_Zone": "GMT"}}
    assert table(rows({"phone_profile_template": "group all"}, ("service",), **variables)) == [
        ("service", "Password_2_", "****", "phone_profile_template", "group all"),
        ("service", "Proxy_1_", "sip.example.net", "phone_profile_template", "group all"),
    ]


def test_hides_known_secrets_in_template_output():
    elements = "<X>{{ parameters.Profile_Rule }}</X><Y>{{ lines[0].password }}!</Y><Z>{{ parameters.GPP_SA }}</Z>"
    text = f"<flat-profile>{elements}</flat-profile>"
    settings = Settings("https://prov.example.net/$MA.cfg", "http://prov.example.com/$MA.cfg", kinds=("service",))
    publisher = Publisher(settings, {"own.j2": ProfileTemplate("own.j2", text)})
    variables = {**REQUIRED, "phone_lines": [{"password": "s3cret"}], "phone_parameters": {"GPP_SA": "s3cret-2"}}
    entry = Entry("desk", {**variables, "phone_profile_template": "own.j2"})
    found = explain(entry, PhoneReader(BUILTIN, MASTER), publisher, {})
    rule = "[--key ****] http://prov.example.com/$MA.cfg"
    assert [(row["parameter"], row["value"]) for row in found] == [("X", rule), ("Y", "****"), ("Z", "****")]


@pytest.mark.parametrize(
    "variables",
    [
        {"phone_model": "HT802", "phone_sealing": "openssl"},
        {"phone_model": "HT802", "phone_parameters": {"P34": "s3cret"}},
        {"phone_model": "D345", "phone_lines": [{"password": "s3cret"}]},
        {"phone_model": "CP-8851-3PCC", "phone_sealing": "aes128gcm"},
        {"phone_parameters": {"Report_Rule": "[--pwd s3cret --uid u] http://x/y", "GPP_SA": "s3cret"}},
        {"phone_parameters": {"Custom_CA_URL": "http://u:s3cret@x/y"}},
    ],
)
def test_shows_no_secrets(variables):
    key = PhoneReader(BUILTIN, MASTER).read("desk", {**REQUIRED, **variables}).key
    shown = repr(rows(plaintext_secrets=True, **variables))
    assert "****" in shown
    assert "s3cret" not in shown
    assert str(key) not in shown


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (Entry("desk", {}, "phones.csv line 2", "it has 1 columns"), "phone desk (phones.csv line 2): it has 1 columns"),
        (Entry("desk", {"phone_model": "ATA192"}), "phone desk: the variable phone_mac is missing"),
        (Entry("desk", {**REQUIRED, "phone_parameters": {"Profile_Rule": "ftp://x/y"}}), "phone desk: Profile_Rule: column 1: "),
    ],
)
def test_rejects_invalid_phones(entry, message):
    publisher = Publisher(Settings("https://prov.example.net/$MA.cfg", "http://prov.example.com/$MA.cfg"))
    with pytest.raises(PhoneError, match=f"^{re.escape(message)}"):
        explain(entry, PhoneReader(BUILTIN, MASTER), publisher, {})
