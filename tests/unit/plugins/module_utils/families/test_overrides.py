# SPDX-License-Identifier: GPL-3.0-or-later
"""Custom families, and corrections of built-in ones."""

from __future__ import annotations

import re

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.families.catalogue import BUILTIN
from ansible_collections.voip.preprovision.plugins.module_utils.families.model import FamilyError

ACME = {"based_on": "spa", "models": ["ACME1"], "series": r"ACME(\d)"}


def acme(**attributes):
    return BUILTIN.extended({"acme": {**ACME, **attributes}})


def test_a_custom_family_inherits_from_its_base():
    family, spa = acme(digest="sha256", settings={"web.enable": "Web"}).families["acme"], BUILTIN.families["spa"]
    assert (family.models, family.digest, family.paths("web.enable")) == (("ACME1",), "sha256", ("Web",))
    assert (family.paths("resync.periodic"), family.profile_rules) == (spa.paths("resync.periodic"), spa.profile_rules)
    assert family.known_names == "spa"
    assert BUILTIN.families["spa"] is spa


@pytest.mark.parametrize("name", BUILTIN.families)
def test_built_in_families_pass_the_checks_of_custom_ones(name):
    assert BUILTIN.extended({name: {}}).families[name] == BUILTIN.families[name]


def test_overrides_of_a_known_family_keep_its_models():
    families = BUILTIN.extended({"spa": {"models": ["SPA500S", "SPA504G"], "factory_rule": "/$PN.cfg"}}).families
    assert families["spa"].models == (*BUILTIN.families["spa"].models, "SPA500S")
    assert families["spa"].factory_rule == "/$PN.cfg"


def test_what_a_family_adds_to_the_guides_adds_up():
    changes = {"spa": {"extra_names": "Own_{n}_", "extra_macros": ["TOKEN"]}, "acme": {**ACME, "extra_macros": ["ISCUST", "TOKEN"]}}
    family = BUILTIN.extended(changes).families["acme"]
    assert (family.extra_names, family.extra_macros, family.extra_schemes) == (("Own_{n}_",), ("TOKEN", "ISCUST"), ())


@pytest.mark.parametrize("model", ["ATA192", "ata192"])
def test_a_model_belongs_to_the_family_that_names_it_last(model):
    catalogue = BUILTIN.extended({"acme": {"based_on": "spa", "models": [model], "series": "(?i)ATA(.*)"}})
    assert catalogue.families["ata19x"].models == ("ATA191",)
    assert [name for name in catalogue.models if name.upper() == "ATA192"] == [model]
    assert catalogue.find_model("ATA192").family.name == "acme"


NO_TEXT = "; quote it where YAML reads something else"
NO_DIGITS = "; write it in quotes, such as '0123'"


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"modles": ["X"]}, "unknown attribute 'modles'; did you mean 'models'?"),
        ({"name": "x"}, "unknown attribute 'name'; expected one of "),
        ({"based_on": "spaa"}, "based_on: unknown family 'spaa'; did you mean 'spa'?"),
        ({"models": None}, f"models: must be text, not empty{NO_TEXT}"),
        ({"models": [192]}, f"models: must be text, not a number{NO_DIGITS}"),
        ({"series": "("}, "series: '(' is not a regular expression: "),
        ({"series": "ACME1"}, "series: 'ACME1' has no group in parentheses"),
        ({"series": "(SPA)"}, r"family acme: series '(SPA)' does not fit its model ACME1"),
        ({"series": "(x)?.*"}, "family acme: series '(x)?.*' does not fit its model ACME1"),
        ({"product": "{modl}"}, "product: '{modl}' cannot be filled in; braces may hold model"),
        ({"vendor_class": "{"}, "vendor_class: '{' cannot be filled in; braces may hold model, product"),
        (
            {"user_agent": "{0}"},
            "user_agent: '{0}' cannot be filled in; braces may hold model, product, firmware, mac, MAC, serial",
        ),
        ({"digest": "sha1"}, "digest: unknown value 'sha1'; expected one of md5, sha256, ''"),
        ({"sealing": "rot13"}, "sealing: unknown value 'rot13'; expected one of openssl, aes128gcm, none"),
        ({"ikm_encoding": "hex"}, "ikm_encoding: unknown value 'hex'; expected one of base64url, text"),
        ({"format": "json"}, "format: unknown value 'json'; expected one of flat-profile, "),
        ({"known_names": "acme"}, "known_names: unknown value 'acme'; expected one of ata19x, spa, mpp, ''"),
        ({"dhcp_sources": ["x"]}, "dhcp_sources: 'x' must be a whole number between 0 and 999999999"),
        ({"block_size": True}, "block_size: 'True' must be a whole number between 0 and 999999999"),
        ({"yes_no": [True, False]}, "yes_no: must be text, not true or false; write it in quotes, such as 'on'"),
        ({"yes_no": ["1"]}, "yes_no: must be two different texts, for true and for false"),
        ({"reads_urls": "yes"}, "reads_urls: 'yes' must be true or false"),
        ({"priority": 3}, f"priority: must be text, not a number{NO_DIGITS}"),
        ({"extra_macros": "$TOKEN"}, "extra_macros: '$TOKEN' is not a macro, such as MA: capital letters and digits, without $"),
        ({"extra_schemes": ["GDS"]}, "extra_schemes: 'GDS' is not a scheme, such as https: small letters and digits"),
        ({"extra_names": ["A b"]}, "'A b' cannot name a parameter of the format flat-profile"),
        ({"extra_names": ["A_{m}_"]}, "'A_{m}_' cannot name a parameter of the format flat-profile"),
        ({"password_rule": {"longst": 3}}, "password_rule: unknown key 'longst'; did you mean 'longest'?"),
        ({"settings": []}, "settings: must be a mapping of settings and paths, not a list"),
        ({"settings": {"resync.at": None}}, f"settings: must be text, not empty{NO_TEXT}"),
        ({"settings": {"resync.perodic": "X"}}, "settings: unknown setting 'resync.perodic'; did you mean 'resync.periodic'?"),
        ({"settings": {"resync.at": "a b"}}, "'a b' cannot name a parameter of the format flat-profile"),
        ({"settings": {"resync.at": "X_{m}_"}}, "'X_{m}_' cannot name a parameter of the format flat-profile"),
        ({"line_settings": {"proxy": "<X>"}}, "'<X>' cannot name a parameter of the format flat-profile"),
        ({"key_parameter": "S//X"}, "'S//X' cannot name a parameter of the format flat-profile"),
        ({"format": "poly", "custom_ca": "S/X"}, "'S/X' cannot name a parameter of the format poly"),
        (
            {"factory_rule": "acme.cfg"},
            "factory_rule: 'acme.cfg' is not the path of a file, such as /NAME; macros in it can be $PN, $PSN",
        ),
        ({"factory_rule": "/$MA.cfg"}, "factory_rule: '/$MA.cfg' is not the path of a file, such as /NAME;"),
        ({"aliases": ["/a", "/../b"]}, "aliases: '/../b' is not the path of a file, such as /NAME;"),
        ({"own_file": "/$FOO.cfg"}, "own_file: '/$FOO.cfg' is not the path of a file, such as /NAME; macros in it can be $MA, "),
    ],
)
def test_rejects_invalid_attributes(attributes, message):
    message = message if message.startswith("family") else f"family acme: {message}"
    with pytest.raises(FamilyError, match=f"^{re.escape(message)}"):
        acme(**attributes)


@pytest.mark.parametrize(("changes", "kind"), [(["x"], "a list"), ("x", "text")])
def test_rejects_families_that_are_not_mappings(changes, kind):
    with pytest.raises(FamilyError, match=f"^the families are {kind}; write a mapping of names and attributes$"):
        BUILTIN.extended(changes)
