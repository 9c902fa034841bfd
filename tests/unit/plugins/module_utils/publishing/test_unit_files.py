# SPDX-License-Identifier: GPL-3.0-or-later
"""The delivery by TFTP: which files a unit finds in its folder, and what others find."""

from __future__ import annotations

import dataclasses

import pytest
from sample_publication import MASTER, SETTINGS, other_family, phone_of

from ansible_collections.voip.preprovision.plugins.module_utils.families.catalogue import BUILTIN
from ansible_collections.voip.preprovision.plugins.module_utils.phones.phone import PhoneError
from ansible_collections.voip.preprovision.plugins.module_utils.phones.reader import PhoneReader
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.flat_profile import values
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.formats import FORMATS
from ansible_collections.voip.preprovision.plugins.module_utils.publishing.publisher import Publisher
from ansible_collections.voip.preprovision.plugins.module_utils.publishing.unit_files import bench_delivery_of, factory_names

TFTP = dataclasses.replace(SETTINGS, bench_delivery="tftp")
FOLDER = "units/00-00-5e-00-53-01/"
MAC = "00:00:5e:00:53:01"
SECRETS = ("hunter2hunter2", "correct-horse-battery-staple-9")
EVERY_MODEL = sorted(BUILTIN.models)


def phone_with_secrets(model, catalogue=BUILTIN, **variables):
    family = catalogue.find_model(model).family
    lines = [{"user_id": "1001", "password": SECRETS[0]}] if family.line_settings.get("password") else []
    given = {"phone_mac": MAC, "phone_model": model, "phone_serial": "FCH0000D001", "phone_lines": lines}
    return PhoneReader(catalogue, MASTER).read("desk", {**given, "phone_profile_key": SECRETS[1], **variables})


def files_of(phone, settings=TFTP):
    publisher = Publisher(settings)
    assert publisher.check(phone) == []
    files = {file.path: file for file in publisher.files(phone)}
    assert [*files] == [path for path, _kind in publisher.paths(phone)]
    return files


def parameters_of(file):
    return values(FORMATS[file.format].parse(file.opened(file.content())))


def bootstrap_of(phone, settings, by_certificate=()):
    files = Publisher(settings).bootstrap_files([phone.model], {phone.model.name: {}}, by_certificate)
    return {file.path: parameters_of(file) for file in files}


@pytest.mark.parametrize("model", EVERY_MODEL)
def test_a_unit_finds_everything_it_requests_in_its_folder(model):
    phone = phone_with_secrets(model)
    family = phone.model.family
    found = {path.removeprefix(FOLDER) for path in files_of(phone) if path.startswith(FOLDER)}
    wanted = {name.removeprefix("/") for name in factory_names(phone.model)}
    if family.own_file:
        wanted.add(
            family.own_file.replace("$MAU", "00005e005301")
            .replace("$MA", "00005e005301")
            .replace("$PN", phone.model.product)[1:]
            .lower()
        )
    assert found == wanted != set()


@pytest.mark.parametrize("model", EVERY_MODEL)
def test_only_the_units_folder_holds_its_secrets(model):
    files = files_of(phone_with_secrets(model))
    assert not any(path.startswith("device/") for path in files)
    for path, file in files.items():
        served = file.content()
        opened = file.opened(served)
        assert path.startswith(FOLDER) or served != opened or not any(secret.encode() in opened for secret in SECRETS)


@pytest.mark.parametrize("model", ["ATA192", "CP-8851-3PCC", "SPA504G"])
def test_the_factory_file_is_the_units_own_profile(model):
    phone = phone_with_secrets(model)
    own = parameters_of(files_of(phone)[FOLDER + phone.model.factory_file[1:].lower()])
    assert own["Profile_Rule"] == f"[--key {SECRETS[1]}] http://prov.example.com/service/$MA-{{}}.cfg".format(
        own["Profile_Rule"].rpartition("-")[2].removesuffix(".cfg")
    )
    by_certificate = dataclasses.replace(TFTP, bench_delivery="certificate")
    other = parameters_of(files_of(phone, by_certificate)["device/00005e005301.cfg"])
    changed = {name for name in {**own, **other} if own.get(name) != other.get(name)}
    assert changed == set(phone.model.family.paths("syslog.server"))


@pytest.mark.parametrize("model", ["ATA192", "CP-8851-3PCC", "SPA504G"])
def test_the_log_server_is_the_benchs_and_then_the_customers(model):
    phone = phone_with_secrets(model)
    paths = phone.model.family.paths("syslog.server")
    for remote in ("", "198.51.100.7"):
        files = files_of(phone, dataclasses.replace(TFTP, remote_syslog_server=remote))
        bench, service = (
            parameters_of(next(file for file in files.values() if file.kind == kind)) for kind in ("preprovision", "service")
        )
        assert {bench[path] for path in paths} == {"192.0.2.1"}
        assert {service[path] for path in paths} == {remote}


@pytest.mark.parametrize("model", ["ATA192", "CP-8851-3PCC", "SPA504G"])
def test_units_that_are_not_expected_get_no_rule_and_ask_again(model):
    settings = dataclasses.replace(TFTP, bootstrap_parameters=SETTINGS.bootstrap_parameters)
    phone = phone_of(model)
    for parameters in bootstrap_of(phone, settings).values():
        assert not {"Profile_Rule", "Profile_Rule_B", phone.model.family.custom_ca} & {*parameters}
    # One phone that is led by certificate is enough, and so is its family
    for parameters in bootstrap_of(phone, settings, {phone.model.name}).values():
        assert parameters["Profile_Rule"] == parameters["Profile_Rule_B"] == SETTINGS.bench_url


@pytest.mark.parametrize(
    ("phone", "family", "publication", "expected"),
    [
        ("", "", "tftp", "tftp"),
        ("", "", "certificate", "certificate"),
        ("", "certificate", "tftp", "certificate"),
        ("tftp", "certificate", "certificate", "tftp"),
        ("certificate", "tftp", "tftp", "certificate"),
    ],
)
def test_phone_family_publication(phone, family, publication, expected):
    catalogue = other_family(bench_delivery=family)
    found = phone_with_secrets("ACME1", catalogue, phone_bench_delivery=phone)
    assert bench_delivery_of(found, dataclasses.replace(TFTP, bench_delivery=publication)) == expected


def test_an_unknown_delivery_is_refused():
    with pytest.raises(PhoneError, match=r"^phone_bench_delivery: unknown delivery 'ftp'; expected one of tftp, certificate"):
        phone_with_secrets("ATA192", phone_bench_delivery="ftp")


def test_a_family_without_a_factory_file_cannot_be_delivered_by_tftp():
    phone = phone_with_secrets("ACME1", other_family(factory_rule="", aliases=[]))
    assert Publisher(TFTP).check(phone) == [
        "phone_bench_delivery: it is unknown which file a factory-new ACME1 requests; set factory_rule of the family acme, or use"
        " certificate"
    ]


def test_a_serial_number_in_bench_url_is_needed_for_certificates_only():
    settings = dataclasses.replace(TFTP, bench_url="https://prov.example.net/device/$SN.cfg")
    phone = phone_of("ATA192", phone_serial="")
    assert Publisher(settings).check(phone) == []
    assert Publisher(dataclasses.replace(settings, bench_delivery="certificate")).check(phone) != []


def test_a_sealed_own_file_is_also_where_the_customers_phone_finds_it():
    files = files_of(phone_with_secrets("GXP2170", phone_sealing="openssl"))
    assert {*files} == {FOLDER + "cfg00005e005301.xml", "open/cfg00005e005301.xml"}
    assert len({file.content() for file in files.values()}) == 1


def test_an_own_file_without_secrets_is_open_too():
    assert {*files_of(phone_with_secrets("T46U", phone_lines=[]))} == {FOLDER + "00005e005301.cfg", "open/00005e005301.cfg"}
    assert {*files_of(phone_with_secrets("T46U"))} == {FOLDER + "00005e005301.cfg"}


@pytest.mark.parametrize(
    ("changes", "variables", "expected"),
    [
        ({}, {}, True),
        ({"syslog_server": ""}, {}, False),
        ({}, {"phone_syslog": {"server": ""}}, False),
        ({}, {"phone_syslog": {"server": "198.51.100.7"}}, False),
        ({"syslog_server": ""}, {"phone_syslog": {"server": "192.0.2.9"}}, False),
    ],
)
def test_which_phones_log_on_the_bench(changes, variables, expected):
    phone = phone_with_secrets("ATA192", **variables)
    assert Publisher(dataclasses.replace(TFTP, **changes)).logs_on_bench(phone) is expected


def test_a_family_that_logs_to_its_old_server_does_not_log_its_first_resync():
    phone = phone_with_secrets("ACME1", other_family(logs_to_new_server=False))
    assert not Publisher(TFTP).logs_on_bench(phone)
    assert Publisher(dataclasses.replace(TFTP, bench_delivery="certificate")).logs_on_bench(phone)


@pytest.mark.parametrize(("remote", "expected"), [("", False), ("198.51.100.7", False), (TFTP.syslog_server, True)])
def test_by_certificate_a_phone_logs_to_the_server_at_the_customers(remote, expected):
    settings = dataclasses.replace(TFTP, bench_delivery="certificate", remote_syslog_server=remote)
    assert Publisher(settings).logs_on_bench(phone_with_secrets("ATA192")) is expected
