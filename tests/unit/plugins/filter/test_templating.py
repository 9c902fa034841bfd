# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters work in Ansible's own templating, with its tagged strings and lazy mappings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.filter import AnsibleJinja2Filter
from ansible.plugins.loader import filter_loader
from ansible.template import Templar, trust_as_template

from ansible_collections.voip.preprovision.plugins.filter import identities, profiles, rules
from ansible_collections.voip.preprovision.plugins.module_utils.common.mac import Mac
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.keys import derive_key

NAMESPACE = "voip.preprovision."
FILTERS = {
    NAMESPACE + name: function
    for plugins in (identities, profiles, rules)
    for name, function in plugins.FilterModule().filters().items()
}
VARIABLES = {
    "mac": "0000.5E00.53AB",
    "master": trust_as_template("{{ 'SecretSecret' }}SecretSecret"),
    "phone": {"phone_mac": trust_as_template("{{ mac }}"), "phone_model": "SPA504G"},
    "parameters": {"Display_Name_1_": trust_as_template("{{ mac }} & Söhne"), "SSH": {"Enable": False}},
    "phone_profiles_fleet_size": "100000",
    "phone_profiles_fleet_servers": 3,
    "phone_profiles_fleet_resyncs_per_second": "300",
    "agent": "Cisco/SPA504G-7.6.2 (00005E0053AB)(FCH0000D001)",
    "rule": '("$A" ne "1")? [--key $SA] http://h/a | /b',
}
SPA504G = {
    "vendor": "Cisco",
    "product": "SPA504G",
    "firmware": "7.6.2",
    "serial": "FCH0000D001",
    "mac": "00:00:5e:00:53:ab",
}
SMALL_FLEET = {"Resync_Random_Delay": 2, "Resync_Periodic": "86400", "Resync_Error_Retry_Delay": "3600"}
ROLE = yaml.safe_load((Path(__file__).parents[4] / "roles/phone_profiles/defaults/main.yml").read_text())
DEFAULT = ROLE["phone_profiles_service_parameters"].partition("voip.preprovision.")[2].rstrip("} ")
"""The filter in the role's default, with its arguments."""
KEY = derive_key("SecretSecretSecretSecret", Mac("00005e0053ab"))


@pytest.fixture
def template(monkeypatch):
    """Return a function that evaluates a template with the filters as imported by pytest, not by Ansible's loader."""
    load = filter_loader.get

    def get(name, *arguments, **options):
        if name not in FILTERS:
            return load(name, *arguments, **options)
        made = AnsibleJinja2Filter(FILTERS[name])
        made._load_name = made._original_path = name
        made._redirected_names = [name]
        return made

    monkeypatch.setattr(filter_loader, "get", get)
    templar = Templar(DataLoader(), variables=VARIABLES)
    return lambda text: templar.template(trust_as_template("{{ " + text.replace("| ", f"| {NAMESPACE}") + " }}"))


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("mac | mac_format('cisco')", "0000.5e00.53ab"),
        ("mac | mac_format(style='bare_upper')", "00005E0053AB"),
        ("agent | parse_user_agent", SPA504G),
        ("'$MA-$PSN-$A' | expand_macros(phone, macros={'A': mac})", "00005e0053ab-504G-0000.5E00.53AB"),
        (
            "rule | parse_profile_rule",
            [
                {
                    "condition": [{"left": '"$A"', "operator": "ne", "right": '"1"'}],
                    "assignments": {},
                    "options": {"key": "$SA"},
                    "url": "http://h/a",
                },
                {"condition": [], "assignments": {}, "options": {}, "url": "/b"},
            ],
        ),
        (
            "parameters | profile_xml('ata19x')",
            '<?xml version="1.0"?>\n<flat-profile>\n<Display_Name_1_>0000.5E00.53AB &amp; S&#246;hne</Display_Name_1_>\n'
            "<SSH>\n<Enable>No</Enable>\n</SSH>\n</flat-profile>\n",
        ),
        ("mac | profile_key(master) | seal_profile(master) | unseal_profile(master)", KEY),
        ("mac | profile_key(master=master)", KEY),
        # A number given with -e is text
        ("'800' | resync_timers(servers=2)", SMALL_FLEET),
        (f"(phone_profiles_fleet_size | {DEFAULT}).Resync_Random_Delay", 17),
        (f"0 | {DEFAULT}", {}),
        ("'text' | seal_profile('key', compress=false) | unseal_profile('key', 'md5')", "text"),
    ],
)
def test_returns_plain_data(template, text, result):
    made = template(text)
    assert made == result
    # Plain data is accepted by every module
    assert json.loads(json.dumps(made)) == result


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("'12' | mac_format('bare')", "'12' is not a MAC address; write twelve hexadecimal digits"),
        ("agent | unseal_profile(master)", "the sealed profile is not base64 text"),
        ("master | profile_key(mac)", "the input is not a MAC address"),
        ("'(' | parse_profile_rule", "the profile rule, column 1: "),
    ],
)
def test_errors_reach_the_user_without_secrets(template, text, message):
    with pytest.raises(AnsibleError) as caught:
        template(text)
    assert message in str(caught.value)
    assert "SecretSecret" not in str(caught.value)
