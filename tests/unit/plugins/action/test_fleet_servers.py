# SPDX-License-Identifier: GPL-3.0-or-later
"""Provisioning servers of an inventory, checked together: mistakes, and a name that leads elsewhere from the controller."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.ansible

FILES = {"certificates_key": "key.pem", "certificates_signed": "certificate.pem"}
HOSTS = {
    "one": {"provisioning_name": "none.invalid", "provisioning_server_addresses": ["198.51.100.11"], **FILES},
    "two": {
        "provisioning_name": "none.invalid",
        "provisioning_server_addresses": ["{{ first }}.12"],
        "first": "198.51.100",
        **FILES,
    },
    "same": {"provisioning_name": "none.invalid", "provisioning_server_addresses": ["198.51.100.11"], **FILES},
    "own_key": {"provisioning_name": "none.invalid", "provisioning_server_addresses": ["198.51.100.13"]},
    # Every machine resolves it, to itself
    "elsewhere": {"provisioning_name": "localhost", "provisioning_server_addresses": ["198.51.100.14"]},
}


def step(name, *servers, **options):
    return {"name": name, "voip.preprovision.fleet_servers": {"servers": list(servers), **options}, "ignore_errors": True}


@pytest.fixture(scope="module")
def run(controller):
    controller.write("inventory/hosts.yml", {"all": {"hosts": {**controller.station, **HOSTS}}})
    return controller.play(
        [
            step("good", "one", "two"),
            step("alone", "own_key"),
            step("one address", "one", "same"),
            step("own key", "one", "own_key"),
            step("warn", "elsewhere"),
            step("error", "elsewhere", records="error"),
            step("ignore", "elsewhere", records="ignore"),
            step("choice", "one", records="perhaps"),
        ]
    )


@pytest.mark.parametrize("name", ["good", "alone", "ignore"])
def test_accepts(run, name):
    assert run.done[name]["changed"] is False
    assert "WARNING" not in run.shown(name)


def test_two_servers_with_one_address(run):
    assert run.failed["one address"].endswith("one and same both have the address 198.51.100.11; give each server its own.")


def test_a_server_with_a_key_of_its_own(run):
    assert "one and own_key are none.invalid with a key each" in run.failed["own key"]
    assert "set certificates_key to the same file for all of them" in run.failed["own key"]


def test_a_name_that_leads_elsewhere(run):
    said = "localhost leads to "
    assert said in run.shown("warn")
    assert "warn" in run.done
    assert said in run.failed["error"]
    assert "does not lead to 198.51.100.14; correct its records, or the inventory" in " ".join(run.failed["error"].split())


def test_rejects_unknown_options(run):
    assert "records" in run.failed["choice"]
