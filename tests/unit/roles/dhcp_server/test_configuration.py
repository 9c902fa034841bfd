# SPDX-License-Identifier: GPL-3.0-or-later
"""dhcpd.conf as the role writes it: from the role's own defaults, and from the example in the documentation."""

from __future__ import annotations

import re
from pathlib import Path

import jinja2
import pytest
import yaml

from ansible_collections.voip.preprovision.plugins.filter.dhcp import dhcp_plan
from ansible_collections.voip.preprovision.plugins.module_utils.station.dhcp_facts import read_offered

ROOT = Path(__file__).parents[4]
ROLE = ROOT / "roles/dhcp_server"
COMMON = {
    "domain-name-servers": "192.0.2.1",
    "ntp-servers": "192.0.2.1",
    "tftp-server-name": '"192.0.2.1"',
    "preprovision-tftp-servers": "192.0.2.1",
}


def write(folder, variables):
    """Write dhcpd.conf for variables of the role over its defaults, and return its path."""
    defaults = yaml.safe_load((ROLE / "defaults/main.yml").read_text())
    given = {**defaults, "dhcp_server_address": "192.0.2.1/24", "dhcp_server_reservations": [], **variables}
    plan = dhcp_plan({name.removeprefix("dhcp_server_"): value for name, value in given.items()})
    environment = jinja2.Environment(trim_blocks=True, undefined=jinja2.StrictUndefined)  # noqa: S701 - no page
    template = environment.from_string((ROLE / "templates/etc/dhcp/dhcpd.conf.j2").read_text())
    path = folder / "dhcpd.conf"
    path.write_text(template.render(__dhcp_server_plan=plan))
    return path


@pytest.fixture(scope="module")
def example():
    """The variables of the documentation's example."""
    page = (ROOT / "docs/reference/dhcp_options.md").read_text()
    (text,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    return yaml.safe_load(text)


def test_the_default_sends_no_router_and_nothing_unrequested(tmp_path):
    path = write(tmp_path, {})
    assert read_offered(path) == COMMON
    assert "dhcp-parameter-request-list" not in path.read_text()
    assert re.findall("^option .*$", path.read_text(), re.MULTILINE) == [
        "option preprovision-tftp-servers code 150 = array of ip-address;"
    ]


def test_the_documented_example(tmp_path, example):
    path = write(tmp_path, example)
    text = path.read_text()
    assert read_offered(path) == {
        **COMMON,
        "preprovision-2": "ff:ff:f1:f0",
        "vendor-encapsulated-options": "01:18:" + b"http://prov.example.net/".hex(":"),
        "vivso": "00:00:0d:e9:19:0b:17:" + b"http://acs.example.net/".hex(":"),
        "preprovision-128": '"VLAN-A=20;"',
    }
    # 2, 43, 125, 128 and a family's 132
    assert "option dhcp-parameter-request-list = concat(option dhcp-parameter-request-list, 02:2b:7d:80:84); }" in text
    families = dict(re.findall(r'^class "(\w+)" \{\n  match .*\n((?:  option .*\n)*)\}', text, re.MULTILINE))
    assert families["yealink"].splitlines() == [
        f"  option vendor-encapsulated-options {b'http://prov.example.net/'.hex(':')};",
        '  option preprovision-vlan "20";',
    ]
    assert families["snom"].splitlines() == ["  option preprovision-vlan 00:14;"]
