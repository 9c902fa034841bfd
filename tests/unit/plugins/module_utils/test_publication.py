# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files are published for which phones, and what is refused."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.phone import read_phone
from ansible_collections.voip.preprovision.plugins.module_utils.profile import flatten, parse
from ansible_collections.voip.preprovision.plugins.module_utils.publication import (
    File,
    PublicationError,
    Settings,
    parameter_values,
    publish,
)
from ansible_collections.voip.preprovision.plugins.module_utils.sealing import decompress, unseal

MASTER = "a master key for tests"
SETTINGS = Settings(
    bench_url="https://prov.example.net/device/$MA.cfg",
    remote_url="http://prov.example.com/service/$MA.cfg",
    ca_url="http://prov.example.net/bench-ca.pem",
    syslog_server="192.0.2.1",
)
ATA = read_phone(
    "ata",
    {
        "phone_mac": "00005e005301",
        "phone_model": "ATA192",
        "phone_lines": [{"user_id": "1001", "password": "s3cret <&> word"}],
        "phone_parameters": {"Proxy_1_": "sip.example.net"},
    },
    MASTER,
)
MPP = read_phone("mpp", {"phone_mac": "00005e005303", "phone_model": "CP-8851-3PCC"}, MASTER)


def files_of(*phones, settings=SETTINGS) -> dict[str, File]:
    return {file.path: file for file in publish(phones, settings)}


def values(content: bytes) -> dict[str, str]:
    return flatten(parse(content))


def test_every_model_gets_its_factory_file_and_a_lower_case_twin():
    files = files_of()
    assert {"open/ata191.cfg", "open/ata192.cfg", "open/spa504G.cfg", "open/spa504g.cfg", "open/8851-3PCC.xml"} <= set(files)
    assert files["open/8851-3PCC.xml"].content == files["open/8851-3pcc.xml"].content
    assert {file.kind for file in files.values()} == {"bootstrap"}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (
            "open/ata192.cfg",
            {
                "Custom_CA_URL": "http://prov.example.net/bench-ca.pem",
                "Profile_Rule": "https://prov.example.net/device/$MA.cfg",
                "Profile_Rule_B": "https://prov.example.net/device/$MA.cfg",
                "Syslog_Server": "192.0.2.1",
                "router-configuration/Log_Configuration/Syslog_Server_IP": "192.0.2.1",
            },
        ),
        (
            "open/spa504G.cfg",
            {
                "Profile_Rule": "https://prov.example.net/device/$MA.cfg",
                "Profile_Rule_B": "https://prov.example.net/device/$MA.cfg",
                "Syslog_Server": "192.0.2.1",
            },
        ),
        (
            "open/8851-3PCC.xml",
            {
                "Custom_CA_Rule": "http://prov.example.net/bench-ca.pem",
                "Profile_Rule": "https://prov.example.net/device/$MA.cfg",
                "Profile_Rule_B": "https://prov.example.net/device/$MA.cfg",
                "Syslog_Server": "192.0.2.1",
            },
        ),
    ],
)
def test_bootstrap_profile_of_each_family(path, expected):
    assert values(files_of()[path].content) == expected


def test_preprovision_profile_is_for_the_device_alone_and_ends_the_bench_trip():
    profile = values(decompress(files_of(ATA)["device/00005e005301.cfg"].content))
    assert profile == {
        "Profile_Rule": f"[--key {ATA.key}] http://prov.example.com/service/$MA.cfg",
        "Profile_Rule_B": "",
        "Proxy_1_": "sip.example.net",
        "Syslog_Server": "",
        "router-configuration/Log_Configuration/Syslog_Server_IP": "",
    }


def test_complete_preprovision_profile_carries_the_lines():
    files = files_of(ATA, settings=dataclasses.replace(SETTINGS, complete=True))
    assert values(decompress(files["device/00005e005301.cfg"].content))["User_ID_1_"] == "1001"


def test_a_phones_own_rule_wins():
    own = dataclasses.replace(ATA, parameters=read_phone_parameters({"Profile_Rule": "https://other.example.com/$MA.xml"}))
    assert (
        values(decompress(files_of(own)["device/00005e005301.cfg"].content))["Profile_Rule"] == "https://other.example.com/$MA.xml"
    )


def read_phone_parameters(parameters):
    variables = {"phone_mac": "00005e005301", "phone_model": "ATA192", "phone_parameters": parameters}
    return read_phone("ata", variables, MASTER).parameters


def test_service_profile_is_sealed_with_the_phones_key():
    content = files_of(ATA)["open/service/00005e005301.cfg"].content
    assert values(decompress(unseal(content, ATA.key, "md5"))) == {
        "Password_1_": "s3cret <&> word",
        "Proxy_1_": "sip.example.net",
        "User_ID_1_": "1001",
    }


def test_nothing_secret_lies_open_in_the_clear():
    for path, file in files_of(ATA, MPP).items():
        if path.startswith("open/"):
            for secret in (b"s3cret", ATA.key.encode(), MPP.key.encode(), MASTER.encode()):
                assert secret not in file.content
                assert secret.decode() not in repr(file)


def test_the_same_phones_give_the_same_bytes_in_any_order():
    assert publish([ATA, MPP], SETTINGS) == publish([MPP, ATA], SETTINGS)


def test_parameter_values_are_those_of_the_document():
    file = files_of(ATA)["device/00005e005301.cfg"]
    assert parameter_values(file) == values(decompress(file.content))


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
        (
            {"remote_url": "gopher://prov/x"},
            "bench_url and remote_url: the scheme of 'gopher://prov/x' is not one of tftp, http, https",
        ),
        (
            {"remote_url": "http://prov.example.com/all.cfg"},
            "ata and mpp would share the file open/all.cfg; put $MA into the URL that names it",
        ),
        (
            {"remote_url": "http://prov.example.com/../$MA.cfg"},
            "phone ata: the service profile's path '/../00005e005301.cfg' cannot be a file",
        ),
        (
            {"remote_url": "http://prov.example.com/ata192.cfg"},
            "ATA192 and ata and mpp would share the file open/ata192.cfg; put $MA into the URL that names it",
        ),
    ],
)
def test_settings_that_are_refused(change, message):
    with pytest.raises(PublicationError) as caught:
        publish([ATA, MPP], dataclasses.replace(SETTINGS, **change))
    assert str(caught.value).splitlines()[0] == message


def test_every_phone_without_a_key_is_named():
    keyless = [dataclasses.replace(phone, key=None) for phone in (ATA, MPP)]
    with pytest.raises(PublicationError) as caught:
        publish(keyless, SETTINGS)
    assert str(caught.value).splitlines() == [
        f"phone {name}: phone_profile_key: there is no key to seal its service profile with; set it, or a master key"
        for name in ("ata", "mpp")
    ]
