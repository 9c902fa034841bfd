# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module takes and returns; how servers are heard is in the tests of the probe."""

from __future__ import annotations

import json

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args

from ansible_collections.voip.preprovision.plugins.module_utils import dhcp_probe
from ansible_collections.voip.preprovision.plugins.modules import dhcp_discover

OFFER = dhcp_probe.Offer(
    server="192.0.2.9",
    server_mac="00:00:5e:00:53:09",
    source="192.0.2.9",
    message="offer",
    address="192.0.2.77",
    options={"option_66": "prov.example.net", "option_150": ["192.0.2.9"]},
)


@pytest.fixture
def run(capsys):
    """Runs the module and returns what it says."""

    def run_module(**options):
        with patch_module_args(options), pytest.raises(SystemExit):
            dhcp_discover.main()
        return json.loads(capsys.readouterr().out)

    return run_module


@pytest.fixture
def asked(monkeypatch):
    """What the module has asked the wire, on which OFFER answers."""
    calls = []

    def discover(*arguments):
        calls.append(arguments)
        return [OFFER]

    monkeypatch.setattr(dhcp_discover, "discover", discover)
    return calls


@pytest.mark.parametrize("check_mode", [False, True])
def test_offers_are_returned_in_check_mode_too(run, asked, check_mode):
    result = run(interface="bench0", _ansible_check_mode=check_mode)
    assert result["changed"] is False
    assert result["msg"] == "On bench0 the DHCP server 192.0.2.9 (00:00:5e:00:53:09) offers 192.0.2.77"
    assert asked == [("bench0", 5, 2, None, "", [])]
    documented = yaml.safe_load(dhcp_discover.RETURN)["offers"]["contains"]
    assert [sorted(offer) for offer in result["offers"]] == [sorted(documented)]
    assert result["offers"][0]["options"] == OFFER.options


def test_options_reach_the_wire(run, asked):
    run(interface="br1", timeout=9, attempts=3, mac="0000.5E00.5301", vendor_class="CISCO ATA192-MPP", ignore=["192.0.2.1"])
    client = dhcp_discover.parse_mac("00:00:5e:00:53:01")
    assert asked == [("br1", 9, 3, client, "CISCO ATA192-MPP", ["192.0.2.1"])]


def test_nobody_answers(run, monkeypatch):
    monkeypatch.setattr(dhcp_discover, "discover", lambda *_: [])
    result = run(interface="bench0")
    assert (result["offers"], result["msg"]) == ([], "On bench0 no DHCP server answers within 5 seconds")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"timeout": 0}, "timeout is 0; it must be at least 1"),
        ({"attempts": -1}, "attempts is -1; it must be at least 1"),
        ({"mac": "nonsense"}, "mac: 'nonsense' is not a MAC address; write twelve hexadecimal digits, as 00:00:5e:00:53:01"),
        ({"ignore": ["192.0.2"]}, "'192.0.2' is neither an IPv4 address nor a MAC address of a server"),
        ({"vendor_class": "ä"}, "the vendor class 'ä' cannot be sent"),
        ({}, "there is no network interface 'nosuch0' on this machine"),
    ],
)
def test_what_cannot_be(run, options, message):
    result = run(interface="nosuch0", **options)
    assert result["failed"] is True
    assert result["msg"].startswith(message)
