# SPDX-License-Identifier: GPL-3.0-or-later
"""Models: the first file that each asks for, its macros, vendor class, digest and log parameters."""

from __future__ import annotations

import re

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.families import BUILTIN, FILE, FamilyError, ModelError
from ansible_collections.voip.preprovision.plugins.module_utils.sealing import DIGESTS


@pytest.mark.parametrize(
    ("name", "family", "product", "series", "factory_file", "vendor_class"),
    [
        ("ATA191", "ata19x", "ATA191-MPP", "191", "/ata191.cfg", "CISCO ATA191-MPP"),
        ("ATA192", "ata19x", "ATA192-MPP", "192", "/ata192.cfg", "CISCO ATA192-MPP"),
        ("SPA112", "spa", "SPA112", "112", "/spa112.cfg", "Cisco SPA112"),
        ("SPA122", "spa", "SPA122", "122", "/spa122.cfg", "Cisco SPA122"),
        ("SPA504G", "spa", "SPA504G", "504G", "/spa504G.cfg", "Cisco SPA504G"),
        ("SPA525G2", "spa", "SPA525G2", "525G2", "/spa525G2.cfg", "Cisco SPA525G2"),
        ("SPA2102", "spa", "SPA2102", "2102", "/spa2102.cfg", "Cisco SPA2102"),
        ("CP-8851-3PCC", "mpp", "CP-8851-3PCC", "8851-3PCC", "/8851-3PCC.xml", "CP-8851-3PCC"),
        ("CP-7841-3PCC", "mpp", "CP-7841-3PCC", "7841-3PCC", "/7841-3PCC.xml", "CP-7841-3PCC"),
        ("CP-6821-3PCC", "mpp", "CP-6821-3PCC", "6821-3PCC", "/6821-3PCC.xml", "CP-6821-3PCC"),
    ],
)
def test_models(name, family, product, series, factory_file, vendor_class):
    model = BUILTIN.find_model(name)
    assert (model.family.name, model.product, model.series) == (family, product, series)
    assert (model.factory_file, model.vendor_class) == (factory_file, vendor_class)


@pytest.mark.parametrize(
    ("family", "digest", "messages", "custom_ca"),
    [
        ("ata19x", "md5", ("Log_Resync_Request_Msg", "Log_Resync_Success_Msg", "Log_Resync_Failure_Msg"), "Custom_CA_URL"),
        ("spa", "md5", ("Log_Resync_Request_Msg", "Log_Resync_Success_Msg", "Log_Resync_Failure_Msg"), None),
        ("mpp", "md5", ("Log_Request_Msg", "Log_Success_Msg", "Log_Failure_Msg"), "Custom_CA_Rule"),
    ],
)
def test_families(family, digest, messages, custom_ca):
    found = BUILTIN.families[family]
    kinds = ("request", "success", "failure")
    assert tuple(found.paths(f"log_messages.resync_{kind}")[0] for kind in kinds) == messages
    assert (found.digest, found.custom_ca) == (digest, custom_ca)


def test_tables_are_complete():
    assert set(BUILTIN.families) >= {"ata19x", "spa", "mpp"}
    assert sorted(BUILTIN.models) == sorted(model for family in BUILTIN.families.values() for model in family.models)
    assert {family.digest for family in BUILTIN.families.values()} <= {*DIGESTS, ""}


def test_no_two_models_ask_for_one_file():
    files = [model.factory_file.lower() for model in BUILTIN.models.values() if model.family.profile_rules]
    assert len(set(files)) == len(files)


@pytest.mark.parametrize(
    ("vendor_class", "family"),
    [
        *((model.vendor_class, model.family.name) for model in BUILTIN.models.values() if model.family.vendor_classes),
        # field captures
        ("CISCO ATA191-MPP", "ata19x"),
        ("CP-7841-3PCC", "mpp"),
        ("Cisco SPA508G", "spa"),
        ("Cisco SPA525g", "spa"),
        ("CISCO SPA122", "spa"),
        ("LINKSYS SPA-942", "spa"),
    ],
)
def test_a_vendor_class_belongs_to_one_family(vendor_class, family):
    matching = {
        name
        for name, candidate in BUILTIN.families.items()
        for prefix in candidate.vendor_classes
        if vendor_class.lower().startswith(prefix.lower())
    }
    assert matching == {family}


@pytest.mark.parametrize("name", ["ata192", "Ata192", " ATA192 ", "ATA192"])
def test_case_does_not_matter(name):
    assert BUILTIN.find_model(name) is BUILTIN.models["ATA192"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ATA193", "the model 'ATA193' is not known; did you mean ATA192?"),
        ("ATA192-MPP", "the model 'ATA192-MPP' is not known; did you mean ATA192?"),
        ("SPA-504G", "the model 'SPA-504G' is not known; did you mean SPA504G?"),
        ("cp-8851", "the model 'cp-8851' is not known; did you mean CP-8851-3PCC?"),
        (192, "the model '192' is not known; did you mean ATA192?"),
        ("Z", f"the model 'Z' is not known; known are {', '.join(BUILTIN.models)}"),
        ("", f"the model '' is not known; known are {', '.join(BUILTIN.models)}"),
    ],
)
def test_unknown_models(name, message):
    with pytest.raises(ModelError, match=f"^{re.escape(message)}$"):
        BUILTIN.find_model(name)


ACME = {"based_on": "spa", "models": ["ACME1"], "series": r"ACME(\d)"}


def acme(**attributes):
    return BUILTIN.extended({"acme": {**ACME, **attributes}})


def test_a_family_of_ones_own_is_like_the_one_that_it_is_based_on():
    family, spa = acme(digest="sha256", settings={"web.enable": "Web"}).families["acme"], BUILTIN.families["spa"]
    assert (family.models, family.digest, family.paths("web.enable")) == (("ACME1",), "sha256", ("Web",))
    assert (family.paths("resync.periodic"), family.profile_rules) == (spa.paths("resync.periodic"), spa.profile_rules)
    assert family.known_names == "spa"
    assert BUILTIN.families["spa"] is spa


@pytest.mark.parametrize("name", BUILTIN.families)
def test_built_in_families_would_pass_as_a_users_own(name):
    assert BUILTIN.extended({name: {}}).families[name] == BUILTIN.families[name]


def test_a_known_family_is_corrected_and_keeps_its_models():
    families = BUILTIN.extended({"spa": {"models": ["SPA500S", "SPA504G"], "factory_rule": "/$PN.cfg"}}).families
    assert families["spa"].models == (*BUILTIN.families["spa"].models, "SPA500S")
    assert families["spa"].factory_rule == "/$PN.cfg"


@pytest.mark.parametrize("model", ["ATA192", "ata192"])
def test_a_model_belongs_to_the_family_that_names_it_last(model):
    catalogue = BUILTIN.extended({"acme": {"based_on": "spa", "models": [model], "series": "(?i)ATA(.*)"}})
    assert catalogue.families["ata19x"].models == ("ATA191",)
    assert [name for name in catalogue.models if name.upper() == "ATA192"] == [model]
    assert catalogue.find_model("ATA192").family.name == "acme"


NO_TEXT = "; write text, in quotes where YAML reads something else"


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"modles": ["X"]}, "the attribute modles is not known; did you mean models?"),
        ({"name": "x"}, "the attribute name is not known; known are "),
        ({"based_on": "spaa"}, "based_on names the unknown family 'spaa'; known are "),
        ({"models": None}, f"models: it is a NoneType{NO_TEXT}"),
        ({"models": [192]}, f"models: it is a int{NO_TEXT}"),
        ({"series": "("}, "series: '(' is no regular expression: "),
        ({"series": "ACME1"}, "series: 'ACME1' has no group in parentheses"),
        ({"series": "(SPA)"}, r"family acme: series '(SPA)' does not fit its model ACME1"),
        ({"series": "(x)?.*"}, "family acme: series '(x)?.*' does not fit its model ACME1"),
        ({"product": "{modl}"}, "product: '{modl}' cannot be filled in; in braces can stand model"),
        ({"vendor_class": "{"}, "vendor_class: '{' cannot be filled in; in braces can stand model, product"),
        (
            {"user_agent": "{0}"},
            "user_agent: '{0}' cannot be filled in; in braces can stand model, product, firmware, mac, MAC, serial",
        ),
        ({"digest": "sha1"}, "digest: 'sha1' is not known; use one of md5, sha256, ''"),
        ({"sealing": "rot13"}, "sealing: 'rot13' is not known; use one of openssl, aes128gcm, none"),
        ({"ikm_encoding": "hex"}, "ikm_encoding: 'hex' is not known; use one of base64url, text"),
        ({"format": "json"}, "format: 'json' is not known; use one of flat-profile, "),
        ({"known_names": "acme"}, "known_names: 'acme' is not known; use one of ata19x, spa, mpp, ''"),
        ({"dhcp_sources": ["x"]}, "dhcp_sources: 'x' is no number"),
        ({"block_size": True}, "block_size: 'True' is no number"),
        ({"yes_no": [True, False]}, f"yes_no: it is a bool{NO_TEXT}"),
        ({"yes_no": ["1"]}, "yes_no: it is not two texts, for true and for false"),
        ({"reads_urls": "yes"}, "reads_urls: 'yes' is neither true nor false"),
        ({"priority": 3}, f"priority: it is a int{NO_TEXT}"),
        ({"password_rule": {"longst": 3}}, "password_rule: its keys are shortest, longest, kinds"),
        ({"settings": []}, "settings: it is a list; write a mapping"),
        ({"settings": {"resync.at": None}}, f"settings: it is a NoneType{NO_TEXT}"),
        ({"settings": {"resync.perodic": "X"}}, "settings: resync.perodic is not known; did you mean resync.periodic?"),
        ({"settings": {"resync.at": "a b"}}, "'a b' cannot name a parameter of the format flat-profile"),
        ({"settings": {"resync.at": "X_{m}_"}}, "'X_{m}_' cannot name a parameter of the format flat-profile"),
        ({"line_settings": {"proxy": "<X>"}}, "'<X>' cannot name a parameter of the format flat-profile"),
        ({"key_parameter": "S//X"}, "'S//X' cannot name a parameter of the format flat-profile"),
        ({"format": "poly", "custom_ca": "S/X"}, "'S/X' cannot name a parameter of the format poly"),
        (
            {"factory_rule": "acme.cfg"},
            "factory_rule: 'acme.cfg' is not the path of a file, as /NAME; macros in it can be $PN, $PSN",
        ),
        ({"factory_rule": "/$MA.cfg"}, "factory_rule: '/$MA.cfg' is not the path of a file, as /NAME;"),
        ({"aliases": ["/a", "/../b"]}, "aliases: '/../b' is not the path of a file, as /NAME;"),
        ({"own_file": "/$FOO.cfg"}, "own_file: '/$FOO.cfg' is not the path of a file, as /NAME; macros in it can be $MA, "),
    ],
)
def test_attributes_that_are_refused(attributes, message):
    message = message if message.startswith("family") else f"family acme: {message}"
    with pytest.raises(FamilyError, match=f"^{re.escape(message)}"):
        acme(**attributes)


@pytest.mark.parametrize(("changes", "kind"), [(["x"], "list"), ("x", "str")])
def test_families_that_are_no_mapping(changes, kind):
    with pytest.raises(FamilyError, match=f"^the families are a {kind}; write a mapping of names and attributes$"):
        BUILTIN.extended(changes)


@pytest.mark.parametrize(
    ("family", "path", "value", "expected"),
    [
        ("spa", "Proxy_1_", "open", "open"),
        ("spa", "Password_1_", "secret", "****"),
        ("spa", "Profile_Rule", "[--key secret] /x", "[--key ****] /x"),
        ("grandstream", "P1359", "secret", "****"),
        ("grandstream", "P34", "secret", "****"),
        ("grandstream", "P34", "", ""),
        ("grandstream", "P35", "open", "open"),
        ("snom", "user_pass.1", "secret", "****"),
        ("yealink", "account.1.password", "secret", "****"),
        ("mpp", "IKM_HTTP_Encrypt_Content", "secret", "****"),
    ],
)
def test_what_may_be_shown(family, path, value, expected):
    assert BUILTIN.families[family].shown(path, value) == expected


@pytest.mark.parametrize("family", [family for family in BUILTIN.families.values() if any(family.line_settings.values())])
def test_passwords_of_lines_are_known_to_be_secret(family):
    path = family.line_settings["password"].format(n=1)
    assert family.shown(path, "secret") == "****"


@pytest.mark.parametrize(
    ("path", "fits"),
    [
        *((path, True) for path in ("/a", "/ata192.cfg", "/Cisco/CP-8851-3PCC/0.cfg", "/.a", "/..a", "/a:b@c~", f"/{'x' * 255}")),
        *(
            (path, False)
            for path in ("", "/", "a", "/a/", "//a", "/a//b", "/.", "/a/..", "/../a", "/a b", "/a%20b", "/a?b", "/a#b")
        ),
        *((path, False) for path in ("/$MA", "/a\\b", "/ä", "/a\n", "/a\0", "/{key_id}", f"/{'x' * 256}")),
    ],
)
def test_paths_of_files(path, fits):
    assert bool(FILE.fullmatch(path)) == fits
