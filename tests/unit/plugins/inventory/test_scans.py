# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory plugin in Ansible's own inventory, with real files."""

from __future__ import annotations

import pytest
import yaml
from ansible import constants
from ansible.errors import AnsibleError
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.doc_fragments.constructed import ModuleDocFragment
from ansible.utils.display import Display

from ansible_collections.voip.preprovision.plugins.inventory.scans import DOCUMENTATION, InventoryModule

PLUGIN = "voip.preprovision.scans"
TABLE = "mac,serial,model,customer\n0000.5e00.5301,FCH0000D001,ATA192-3PW-K9,Example Co\n00005E005302,FCH0000D002,SPA504G,\n"


class Manager(InventoryManager):
    """Use the plugin as imported by pytest; Ansible's loader would import the collection itself."""

    def _fetch_inventory_plugins(self):
        texts = [yaml.safe_load(text)["options"] for text in (ModuleDocFragment.DOCUMENTATION, DOCUMENTATION)]
        constants.config.initialize_plugin_configuration_definitions("inventory", PLUGIN, texts[0] | texts[1])
        return [plugin()]


def plugin():
    made = InventoryModule()
    made._load_name = made._original_path = PLUGIN
    made._redirected_names = [PLUGIN]
    return made


@pytest.fixture
def warnings(monkeypatch):
    """Collect Ansible's warnings."""
    sentences = []
    monkeypatch.setattr(Display, "warning", lambda self, message, *_args, **_kwargs: sentences.append(message))
    monkeypatch.setattr(
        Display, "error_as_warning", lambda self, msg, exception, *_args, **_kwargs: sentences.append(str(exception))
    )
    return sentences


@pytest.fixture
def inventory(tmp_path):
    """Return a function that makes an inventory from a configuration and a file of scans."""

    def load(options="", text=TABLE, config="phones.scans.yml", file="phones.txt", says="phones.txt"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_bytes(text if isinstance(text, bytes) else text.encode())
        (tmp_path / config).write_text(f"plugin: {PLUGIN}\nfile: {says}\n{options}\n")
        try:
            return Manager(loader=DataLoader(), sources=[str(tmp_path / config)])
        except AnsibleError:
            # The project's ansible.cfg makes invalid inventories fatal; the reason was a warning before
            return None

    return load


def groups(loaded):
    members = {name: [host.name for host in group.get_hosts()] for name, group in loaded.groups.items()}
    return {name: hosts for name, hosts in members.items() if name not in ("all", "ungrouped")}


ONE, TWO = "phone-00005e005301", "phone-00005e005302"


def test_adds_phones_and_their_groups(inventory, warnings):
    loaded = inventory()
    assert warnings == []
    assert groups(loaded) == {
        "phones": [ONE, TWO],
        "customer_example_co": [ONE],
        "model_ata192": [ONE],
        "model_spa504g": [TWO],
    }
    assert {group.name for group in loaded.groups["phones"].child_groups} == {
        "customer_example_co",
        "model_ata192",
        "model_spa504g",
    }
    variables = {name: value for name, value in loaded.get_host(ONE).vars.items() if name.startswith("phone_")}
    assert variables == {
        "phone_mac": "00:00:5e:00:53:01",
        "phone_serial": "FCH0000D001",
        "phone_model": "ATA192",
        "phone_customer": "Example Co",
    }


def test_applies_options(inventory, warnings):
    options = "group: bench\ncustomer: Other\nmodel: ata191\ncustomer_group_prefix: c_\nmodel_group_prefix: m_"
    assert groups(inventory(options, "00005e005301\nFCH0000D001\n")) == {"bench": [ONE], "c_other": [ONE], "m_ata191": [ONE]}
    assert warnings == []


def test_accepts_custom_families(inventory, warnings):
    assert groups(inventory("families: {acme: {models: [ACME-1]}}", "ACME-1\n00005e005301\n")) == {
        "phones": [ONE],
        "model_acme_1": [ONE],
    }
    assert warnings == []


def test_constructs_variables_and_groups(inventory, warnings):
    options = """
compose:
  ansible_host: phone_mac | replace(':', '-')
groups:
  adapters: phone_model is match('ATA')
keyed_groups:
  - key: phone_serial
    prefix: serial
"""
    loaded = inventory(options)
    assert warnings == []
    assert loaded.get_host(ONE).vars["ansible_host"] == "00-00-5e-00-53-01"
    assert groups(loaded)["adapters"] == [ONE]
    assert groups(loaded)["serial_FCH0000D002"] == [TWO]


def test_strict_reports_a_mistake_in_compose(inventory, warnings):
    inventory("strict: true\ncompose: {x: phone_serial | nonsense}")
    assert "Could not set x for host phone-00005e005301" in warnings[0]


def test_scans_are_never_templates(inventory):
    loaded = inventory("compose: {copied: phone_note}", "mac,model,phone_note\n00005e005301,ATA192,{{ 1 + 1 }}\n")
    assert loaded.get_host(ONE).vars["copied"] == "{{ 1 + 1 }}"


@pytest.mark.parametrize("config", ["scans.yml", "scans.yaml", "pallet.scans.yml", "my_scans.yaml"])
def test_accepts_names_of_configurations(inventory, config):
    assert ONE in inventory(config=config).hosts


@pytest.mark.parametrize("name", ["phones.yml", "scans.yml.j2", "scans.csv", "scans"])
def test_ignores_other_files(tmp_path, name):
    (tmp_path / name).write_text(f"plugin: {PLUGIN}\n")
    assert not plugin().verify_file(str(tmp_path / name))


def test_reads_a_file_in_another_folder(inventory):
    assert ONE in inventory(file="scanned/pallet 7.csv", says="scanned/pallet 7.csv").hosts


def test_expands_the_home_folder(inventory, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert ONE in inventory(config="scans.yml", file="home/phones.txt", says="~/phones.txt").hosts


@pytest.mark.parametrize(
    ("options", "text", "sentences"),
    [
        (
            "",
            TABLE + "00:00:5e:00:53:01,FCH0000D003,ATA192,\n00005e00530g,,ATA192,\n",
            [
                "phones.txt line 4: the MAC address 00:00:5e:00:53:01 is already on line 2; scan each unit once",
                "phones.txt line 5: '00005e00530g' is not a MAC address",
            ],
        ),
        ("", "caf\xe9".encode("latin-1"), ["phones.txt line 1: it is not UTF-8 text"]),
        ("model: ATA193", TABLE, ["the model for all units without one: unknown model 'ATA193'"]),
        ("families: {spa: {modles: []}}", TABLE, ["family spa: unknown attribute 'modles'; did you mean 'models'?"]),
    ],
)
def test_rejects_invalid_files_and_options(inventory, warnings, options, text, sentences):
    loaded = inventory(options, text)
    assert loaded is None
    for sentence in sentences:
        assert sentence in warnings[0]


def test_rejects_a_missing_file(inventory, warnings, tmp_path):
    assert inventory(says="lost.txt") is None
    assert f"the file of scans {tmp_path}/lost.txt cannot be read: No such file or directory" in warnings[0]


def test_warns_of_doubtful_input(inventory, warnings):
    loaded = inventory(text="mac,model,price\n0004f2000001,ATA192,7\n")
    assert list(loaded.hosts) == ["phone-0004f2000001"]
    assert [sentence.split(":")[0] for sentence in warnings] == ["phones.txt", "phones.txt"]
    assert "ignored columns: price" in warnings[0]
    assert (
        "line 2 (phone-0004f2000001, ATA192): the MAC address begins with 00:04:f2, which is registered to Polycom" in warnings[1]
    )
