# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings and phones that cannot be published."""

from __future__ import annotations

import dataclasses
import re

import pytest
from sample_publication import FIRMWARE, MASTER, REQUIRED, SETTINGS, other_family, phone_of

from ansible_collections.voip.preprovision.plugins.module_utils.families.catalogue import BUILTIN
from ansible_collections.voip.preprovision.plugins.module_utils.phones.reader import PhoneReader
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.flat_profile import Setting
from ansible_collections.voip.preprovision.plugins.module_utils.publishing.files import PathConflicts
from ansible_collections.voip.preprovision.plugins.module_utils.publishing.publisher import Publisher
from ansible_collections.voip.preprovision.plugins.module_utils.publishing.settings import PublicationError


@pytest.mark.parametrize(
    ("before", "after", "url", "problem"),
    [
        ("openssl", "aes128gcm", "http://x.example.com/$MA.cfg", None),
        ("aes128gcm", "openssl", "http://x.example.com/$MA.cfg", None),
        (
            "openssl",
            "none",
            "http://x.example.com/$MA.cfg",
            "phone_sealing_previous: both ways would share one file; put {key_id} into remote_url",
        ),
        ("aes128gcm", "openssl", "tftp://x.example.com/$MA.cfg", "phone_sealing: aes128gcm needs HTTP, and remote_url is TFTP"),
        (
            "none",
            "openssl",
            "http://x.example.com/$MA-{key_id}.cfg",
            "Profile_Rule would be in a file that anybody can read; remove phone_sealing_previous, or set"
            " plaintext_secrets if the bench is closed",
        ),
    ],
)
def test_rejects_sealings_that_cannot_follow_each_other(before, after, url, problem):
    phone = phone_of("CP-8851-3PCC", phone_sealing=after, phone_sealing_previous=before)
    assert Publisher(dataclasses.replace(SETTINGS, remote_url=url)).check(phone) == ([problem] if problem else [])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"bench_url": "http://prov.example.net/$MA.cfg"},
            "bench_url: 'http://prov.example.net/$MA.cfg' is not https;"
            " the preprovision profile holds the phone's key in the clear",
        ),
        (
            {"remote_url": "/service/$MA.cfg"},
            "remote_url: '/service/$MA.cfg' names no server; a phone at the customer's needs its name",
        ),
        ({"remote_url": "gopher://prov/x"}, "bench_url and remote_url: "),
        (
            {"remote_url": "http://prov.example.com/device/$MA.cfg"},
            "remote_url: 'http://prov.example.com/device/$MA.cfg' lies in /device/, which is for preprovision profiles",
        ),
        *(
            (
                {option: f"https://prov.example.com{path}"},
                f"{option}: the path '{path}' cannot be a file; a path may hold letters, digits, - . _ and the macros $MA, ",
            )
            for option in ("bench_url", "remote_url")
            for path in (
                "/x//$MA.cfg",
                "/./$MA",
                "/../$MA",
                "/$MA/",
                "/$SWVER-$MA",
                "/$FOO$MA",
                "/$$MA",
                "/$MA?x=1",
                "/$MA#x",
                "/%41$MA",
            )
        ),
        ({"bench_url": "https://prov.example.com/ä$MA"}, "bench_url: the path '/ä$MA' cannot be a file; "),
        ({"bench_url": "https://prov.example.com/{key_id}$MA"}, "bench_url: the path '/{key_id}$MA' cannot be a file; "),
        ({"ca_url": "http://x/y\n"}, "ca_url: holds the character U+000A at position 11, which no profile can carry to a phone"),
        ({"remote_ca_url": "a\x01"}, "remote_ca_url: holds the character U+0001 at position 2, "),
        ({"syslog_server": "a\x01"}, "syslog_server: holds the character U+0001 at position 2, "),
        ({"remote_syslog_server": " a"}, "remote_syslog_server: begins or ends with white space, "),
        (
            {"bootstrap_parameters": {"Admin_Passwd": Setting("s3cret")}},
            "bootstrap_parameters: Admin_Passwd is secret, and anybody can read bootstrap profiles",
        ),
        (
            {"bootstrap_parameters": {"Report_Rule": Setting("[--key s3cret] http://x/y")}},
            "bootstrap_parameters: Report_Rule is secret, and anybody can read bootstrap profiles",
        ),
    ],
)
def test_rejects_invalid_settings(change, message):
    with pytest.raises(PublicationError, match=f"^{re.escape(message)}"):
        Publisher(dataclasses.replace(SETTINGS, **change))


def test_reports_paths_that_phones_would_share():
    paths = PathConflicts()
    for path, owner in (("open/All.cfg", "a"), ("open/all.cfg", "b"), ("open/a.cfg", "a"), ("open/a.cfg", "a")):
        paths.add(path, owner)
    assert paths.conflicts() == ["a and b would share the file open/all.cfg; put $MA into the URL that names it"]


@pytest.mark.parametrize(
    ("variables", "settings", "message"),
    [
        ({"phone_parameters": {"Profile_Rule": "ftp://x/y"}}, {}, "Profile_Rule: "),
        ({"phone_parameters": {"Profile_Rule_C": "(1 eq 1 http://x/y"}}, {}, "Profile_Rule_C: "),
        ({"phone_parameters": {"Upgrade_Rule": "/x.img"}}, {}, "Upgrade_Rule: "),
        ({"phone_parameters": {"Report_Rule": "[--alias a] http://x/y"}}, {}, "Report_Rule: "),
        ({"phone_parameters": {"Resync_Trigger_1": "($PRVTMR gt 3)"}}, {}, "Resync_Trigger_1: "),
        ({}, {"bootstrap_parameters": {"Upgrade_Rule": Setting("/x.img")}}, "bootstrap_parameters: Upgrade_Rule: "),
        ({}, {"preprovision_parameters": {"Report_Rule": Setting("ftp://x/y")}}, "preprovision_parameters: Report_Rule: "),
        (
            {"phone_profile_key_previous": "0123456789abcdef"},
            {"remote_url": "http://prov.example.com/$MA.cfg"},
            "phone_profile_key_previous: both keys would share one file; put {key_id} into remote_url",
        ),
        (
            {"phone_sealing": "none", "phone_lines": [{"password": "s3cret"}]},
            {},
            "Password_1_ would be in a file that anybody can read; seal it with phone_sealing where the family ata19x can decrypt,"
            " or set plaintext_secrets if the bench is closed",
        ),
        *(
            ({"phone_sealing": "none", **variables}, {}, f"{secret} would be in a file that anybody can read; ")
            for variables, secret in (
                ({"phone_parameters": {"Report_Rule": "[--key s3cret] http://x/y"}}, "Report_Rule"),
                ({"phone_parameters": {"Upgrade_Rule": "http://x/y.img", "GPP_SA": "s3cret"}}, "GPP_SA"),
                ({"phone_web": {"admin_password": "s3cret-s3cret"}}, "router-configuration/Web_Login_Admin_Password"),
                ({"phone_lines": [{"password": "s3cret"}], "phone_profile_template": "x"}, "Password_1_"),
            )
        ),
    ],
)
def test_rejects_invalid_phones(variables, settings, message):
    problems = Publisher(dataclasses.replace(SETTINGS, **settings)).check(phone_of(**variables))
    assert [problem.startswith(message) for problem in problems] == [True], problems


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"phone_parameters": {"Profile_Rule": "[--key $A] https://x/$MA.xml", "GPP_A": "0123456789abcdef"}},
        {"phone_parameters": {"Profile_Rule": "$A", "GPP_A": "https://prov.example.com/$MA.cfg"}},
        {"phone_parameters": {"Upgrade_Rule": "($SWVER lt 11-2-1)? http://prov.example.com/x.img"}},
        {"phone_parameters": {"Resync_Trigger_1": "$PRVTMR gt 3600"}},
    ],
)
def test_accepts_valid_phones(variables):
    assert Publisher(SETTINGS).check(phone_of(**variables)) == []


def test_rejects_a_template_that_puts_passwords_in_plaintext():
    variables = {"phone_mac": "00005e005304", "phone_model": "HT802", "phone_profile_template": "own.j2"}
    phone = PhoneReader().read("adapter", {**variables, "phone_lines": [{"password": "s3cret"}]})
    (problem,) = Publisher(SETTINGS).check(phone)
    assert problem.startswith("password of phone_lines would be in a file that anybody can read; ")


@pytest.mark.parametrize(
    ("settings", "count"), [({"kinds": ("bootstrap",)}, 0), ({"complete": ()}, 0), ({"plaintext_secrets": True}, 0), ({}, 1)]
)
def test_reports_secrets_only_where_they_are_published(settings, count):
    phone = phone_of(phone_sealing="none", phone_lines=[{"password": "s3cret"}])
    assert len(Publisher(dataclasses.replace(SETTINGS, **settings)).check(phone)) == count


def test_rejects_a_family_that_requests_no_file():
    catalogue = BUILTIN.extended({"acme": {"models": ["ACME1"], "sealing": "none"}})
    phone = PhoneReader(catalogue).read("desk", {"phone_mac": "00005e005301", "phone_model": "ACME1"})
    assert Publisher(SETTINGS).check(phone) == ["phone_model: the family acme requests no file; give it profile_rules or own_file"]


def test_accepts_rules_with_what_the_family_adds():
    added = {"extra_macros": ["TOKEN"], "extra_schemes": ["gds"], "models": ["ACME1"]}
    reader = PhoneReader(other_family(**added), MASTER)
    rules = {"Profile_Rule": "gds://$TOKEN", "Resync_Trigger_1": "$TOKEN eq 1"}
    variables = {**REQUIRED["SPA504G"], "phone_parameters": rules, "phone_log_messages": {"resync_request": "$TOKEN"}}
    publisher = Publisher(SETTINGS)
    assert publisher.check(reader.read("desk", {**variables, "phone_model": "ACME1"})) == []
    # The same text for another family is still an error
    variables["phone_log_messages"] = {}
    assert len(publisher.check(reader.read("desk", variables))) == 2


def test_checks_a_rule_again_when_its_macros_differ():
    publisher = Publisher(SETTINGS)
    rule = {"Profile_Rule": "http://prov.example.com/$A$SN.cfg"}
    right = {"phone_serial": "FCH2118DGQP", "phone_parameters": {**rule, "GPP_A": "x"}}
    for variables, count in (
        (right, 0),
        ({**right, "phone_parameters": {**rule, "GPP_A": "x y"}}, 1),
        ({**right, "phone_parameters": {**rule, "GPP_A": "x", "GPP_B": "x y"}}, 0),
        ({**right, "phone_serial": "FCH]2118"}, 1),
        (right, 0),
    ):
        assert len(publisher.check(phone_of(**variables))) == count
    # The same text in another parameter is another macro
    rule = {"Profile_Rule": "http://$A/x.cfg"}
    assert publisher.check(phone_of(phone_parameters={**rule, "GPP_B": "a b"})) == []
    assert len(publisher.check(phone_of(phone_parameters={**rule, "GPP_A": "a b"}))) == 1


def test_reports_publication_parameters_unknown_to_families():
    settings = dataclasses.replace(
        SETTINGS,
        bootstrap_parameters={"Resync_Perodic": Setting("60"), "Custom_CA_Rule": Setting("x")},
        preprovision_parameters={"Xyzzy": Setting("1"), "Resync_Periodic": Setting("60")},
    )
    ata, mpp, yealink = (BUILTIN.families[name] for name in ("ata19x", "mpp", "yealink"))
    near = "bootstrap_parameters: Resync_Perodic is known to none of the phones' families, which would ignore it; did you mean "
    other = "preprovision_parameters: Xyzzy is known to none of the phones' families, which would ignore it"
    assert Publisher(settings).ignored([ata, mpp]) == [f"{near}'Resync_Periodic'?", other]
    assert len(Publisher(settings).ignored([ata])) == 3
    unrendered = dataclasses.replace(settings, bootstrap_parameters={"GPP_A": Setting("${SITE}")}, preprovision_parameters={})
    assert Publisher(unrendered).ignored([ata, mpp]) == [
        "bootstrap_parameters: GPP_A holds an expression of the shell, '${', that nothing has rendered; phones take it as text"
    ]
    assert Publisher(settings).ignored([yealink]) == Publisher(settings).ignored([]) == []
    assert Publisher(dataclasses.replace(settings, kinds=("preprovision",))).ignored([mpp]) == [other]
    # Nobody knows what a family without a list of names knows
    assert Publisher(settings).ignored([ata, other_family(known_names="").families["acme"]]) == []


def test_reports_unknown_service_parameters_and_checks_their_rules():
    settings = dataclasses.replace(SETTINGS, service_parameters={"Xyzzy": Setting("1"), "Report_Rule": Setting("ftp://x/y")})
    publisher = Publisher(settings)
    unknown = "service_parameters: Xyzzy is known to none of the phones' families, which would ignore it"
    assert publisher.ignored([BUILTIN.families["ata19x"]]) == [unknown]
    (problem,) = publisher.check(phone_of())
    assert problem.startswith("service_parameters: Report_Rule: ")
    assert Publisher(dataclasses.replace(settings, kinds=("preprovision",))).ignored([BUILTIN.families["ata19x"]]) == []


def test_a_secret_service_parameter_is_not_published_in_the_clear():
    settings = dataclasses.replace(SETTINGS, service_parameters={"Admin_Password": Setting("planted")})
    (problem,) = Publisher(settings).check(phone_of("CP-8851-3PCC", phone_sealing="none"))
    assert problem.startswith("Admin_Password would be in a file that anybody can read; ")


def test_rejects_invalid_firmware_urls():
    for option in ("firmware_url", "remote_firmware_url"):
        with pytest.raises(PublicationError, match=f"{option}: .* is not a folder"):
            Publisher(dataclasses.replace(FIRMWARE, **{option: "http://prov.example.net/firmware"}))
