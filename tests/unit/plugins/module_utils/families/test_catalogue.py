# SPDX-License-Identifier: GPL-3.0-or-later
"""Models: the first file that each requests, its macros, vendor class, digest and log parameters."""

from __future__ import annotations

import re

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.families.catalogue import BUILTIN
from ansible_collections.voip.preprovision.plugins.module_utils.families.model import ModelError
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.sealing.model import Digest


@pytest.mark.parametrize(
    ("name", "family", "product", "series", "factory_file", "vendor_class"),
    [
        ("ATA191", "ata19x", "ATA191-MPP", "191", "/ata191.cfg", "CISCO ATA191-MPP"),
        ("ATA192", "ata19x", "ATA192-MPP", "192", "/ata192.cfg", "CISCO ATA192-MPP"),
        ("SPA112", "spa", "SPA112", "112", "/spa112.cfg", "Cisco SPA112"),
        ("SPA122", "spa", "SPA122", "122", "/spa122.cfg", "Cisco SPA122"),
        ("SPA504G", "spa", "SPA504G", "504G", "/spa504G.cfg", "Cisco SPA504G"),
        ("SPA525G2", "spa", "SPA525G2", "525G2", "/spa525G2.cfg", "Cisco SPA525G2"),
        ("SPA8000", "spa", "SPA8000", "8000", "/spa8000.cfg", "Cisco SPA8000"),
        ("SPA8800", "spa", "SPA8800", "8800", "/spa8800.cfg", "Cisco SPA8800"),
        ("PAP2T", "pap2t", "PAP2T", "2T", "/init.cfg", "LINKSYS PAP2T"),
        ("DP-9841", "phoneos", "DP-9841", "9841", "/9841.xml", "DP-9841"),
        ("DP-9871", "phoneos", "DP-9871", "9871", "/9871.xml", "DP-9871"),
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
    assert {family.digest for family in BUILTIN.families.values()} <= {*Digest, ""}


def test_models_request_different_files():
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
        ("LINKSYS SPA8000", "spa"),
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
    ("name", "model"),
    [
        ("SPA-942", "SPA942"),
        ("spa 504g", "SPA504G"),
        ("ATA 192", "ATA192"),
        ("Yealink SIP-T46U", "T46U"),
        ("snom D785", "D785"),
        ("Polycom VVX 411", "VVX411"),
        ("Grandstream HT802", "HT802"),
        ("ATA-191", "ATA191"),
        ("Cisco SPA525G2", "SPA525G2"),
        ("LINKSYS SPA-962", "SPA962"),
        ("Linksys PAP2T", "PAP2T"),
        ("CP 8841 3PCC", "CP-8841-3PCC"),
        ("CP8841-3PCC", "CP-8841-3PCC"),
        ("dp9851", "DP-9851"),
    ],
)
def test_spellings_of_labels(name, model):
    assert BUILTIN.find_model(name) is BUILTIN.models[model]


def test_an_ambiguous_spelling_is_unknown():
    catalogue = BUILTIN.extended({"acme": {"models": ["AC-ME1", "A-CME1"]}})
    assert catalogue.find_model("a-cme1").name == "A-CME1"
    with pytest.raises(ModelError):
        catalogue.find_model("ACME1")


@pytest.mark.parametrize("name", ["CP-8841", "cp-8841", "CP8841", "8841", "CP-8841NR", "Cisco CP-8841"])
def test_asks_about_phones_with_enterprise_firmware(name):
    message = (
        f"'{name}' is a phone with enterprise firmware, which gets its files from a call manager and follows no profile rule; if"
        " its label says 3PCC, write CP-8841-3PCC"
    )
    with pytest.raises(ModelError, match=f"^{re.escape(message)}$"):
        BUILTIN.find_model(name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ATA193", "unknown model 'ATA193'; did you mean 'ATA192'?"),
        ("ATA192-MPP", "unknown model 'ATA192-MPP'; did you mean 'ATA192'?"),
        ("SPA-505G", "unknown model 'SPA-505G'; did you mean 'SPA525G'?"),
        (192, "unknown model '192'; did you mean 'ATA192'?"),
        ("Z", f"unknown model 'Z'; expected one of {', '.join(BUILTIN.models)}"),
        ("", f"unknown model ''; expected one of {', '.join(BUILTIN.models)}"),
    ],
)
def test_unknown_models(name, message):
    with pytest.raises(ModelError, match=f"^{re.escape(message)}$"):
        BUILTIN.find_model(name)
