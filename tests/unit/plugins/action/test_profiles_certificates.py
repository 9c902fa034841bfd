# SPDX-License-Identifier: GPL-3.0-or-later
"""Delivery by certificate as users meet it: the roles' checks stop before anything changes, and say what is missing."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.certificates.chain import read_certificates

pytestmark = [pytest.mark.ansible]

TEMPLATE = Path(__file__).parents[4] / "roles/certificates/templates/etc/preprovision/certificates/device-roots.pem.j2"
TODAY = {"now": datetime.datetime.now(datetime.UTC), "signer": None, "ca": True, "san": None}


def phone(number, model):
    return {"phone_mac": f"00:00:5e:00:53:{number:02x}", "phone_model": model}


def check(name, role, **variables):
    include = {"name": f"voip.preprovision.{role}", "tasks_from": "check.yml"}
    return {
        "name": name,
        "block": [{"name": name, "ansible.builtin.include_role": include}],
        "vars": variables,
        "ignore_errors": True,
    }


@pytest.fixture(scope="module")
def checks(controller, tiny_ca):
    controller.write("makers/cisco.pem", tiny_ca.issue("Cisco Root CA M2", key="ca", **TODAY).pem)
    controller.write("makers/README", "no certificate")
    controller.write("one/cisco.pem", tiny_ca.issue("Cisco Root CA M2", key="ca", **TODAY).pem)
    hosts = {"desk-1": phone(1, "ATA192"), "desk-2": phone(2, "SPA504G")}
    shared = {
        "bench_address": "192.0.2.1/24",
        "provisioning_name": "prov.example.net",
        "phone_profiles_master_key": "a master key of sixteen characters and more",
    }
    groups = {"stations": {"hosts": controller.station}, "phones": {"hosts": hosts}}
    controller.write("inventory/hosts.yml", {"all": {"vars": shared, "children": groups}})
    steps = []
    trials = {
        "by tftp": {"phone_profiles_bench_delivery": "tftp"},
        "by certificate": {"certificates_device_roots": ["one"]},
        "with passwords": {"web_server_passwords": {"00:00:5e:00:53:01": "a long password of one"}},
    }
    for name, variables in trials.items():
        given = {"phone_profiles_bench_delivery": "certificate", **variables}
        steps += [check(name, "phone_profiles", **given)]
    steps += [check("a readme", "certificates", certificates_device_roots=["makers"])]
    steps += [check("a folder", "certificates", certificates_device_roots=["one", "one/cisco.pem"])]
    steps += [{"name": "roots", "ansible.builtin.debug": {"msg": "{{ __certificates_roots | map(attribute='subject') }}"}}]
    bench_ca = tiny_ca.issue("Bench CA", key="other-ca", **TODAY).pem
    template = {"src": str(TEMPLATE), "dest": str(controller.folder / "device-roots.pem"), "mode": "0644"}
    made = {"__certificates_signed": {"results": [{"certificate": bench_ca}]}, "__certificates_unforeseeable": False}
    steps += [{"name": name, "ansible.builtin.template": template, "vars": made} for name in ("write", "write again")]
    return controller.play(steps)


SPA = "family spa (1 phone): bench delivery is certificate, but "
SERVER = "certificates_signed must name a server certificate that the maker signed"


def test_delivery_by_tftp_needs_nothing(checks):
    assert "FAILED" not in failures(checks, "by tftp")


def failures(checks, name):
    return checks.output.split(f"TASK [{name}]")[1].split("TASK [by")[0].split("TASK [with")[0].split("TASK [a ")[0]


def test_only_what_is_missing_is_named(checks):
    shown = failures(checks, "by certificate")
    assert f"{SPA}certificates_device_roots has no CA of the maker (Sipura CA" in shown
    assert f"and {SERVER}" in shown
    assert "family ata19x" not in shown


def test_a_password_replaces_the_makers_ca(checks):
    assert "family ata19x" not in failures(checks, "with passwords")
    assert SPA in failures(checks, "with passwords")
    assert "a long password of one" not in checks.output


def test_files_are_named(checks, controller):
    problem = f"certificates_device_roots: {controller.folder}/makers/README contains no certificate as PEM, DER or PKCS#7 (.p7b)"
    assert problem in failures(checks, "a readme").replace("\n", " ")


def test_folders_are_read_once(checks):
    assert checks.done["roots"]["msg"] == ["CN=Cisco Root CA M2,O=Example"]


def test_the_web_server_gets_the_bench_ca_and_the_makers_cas(checks, controller):
    text = (controller.folder / "device-roots.pem").read_text()
    assert [root.common_names for root in read_certificates(text, "it")] == [("Bench CA",), ("Cisco Root CA M2",)]
    assert [line for line in text.splitlines() if line.startswith("#")][1:] == ["# bench CA", "# CN=Cisco Root CA M2,O=Example"]
    assert (checks.done["write"]["changed"], checks.done["write again"]["changed"]) == (True, False)
