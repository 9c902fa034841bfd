# SPDX-License-Identifier: GPL-3.0-or-later
"""The module's options and results; the tests of the domain code cover the discovery itself."""

from __future__ import annotations

import json

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args

from ansible_collections.voip.preprovision.plugins.module_utils.dhcp import discovery
from ansible_collections.voip.preprovision.plugins.modules import dhcp_discover

OFFER = discovery.Offer(
    server="192.0.2.9",
    server_mac="00:00:5e:00:53:09",
    source="192.0.2.9",
    message="offer",
    address="192.0.2.77",
    options={"option_66": "prov.example.net", "option_150": ["192.0.2.9"]},
)


@pytest.fixture
def run(capsys):
    """Return a function that runs the module and returns its result."""

    def run_module(**options):
        with patch_module_args(options), pytest.raises(SystemExit):
            dhcp_discover.main()
        return json.loads(capsys.readouterr().out)

    return run_module


@pytest.fixture
def calls(monkeypatch):
    """Replace discovery by a fake that finds OFFER; return the list of its calls."""
    calls = []

    def discover(*arguments):
        calls.append(arguments)
        return [OFFER]

    monkeypatch.setattr(dhcp_discover, "discover", discover)
    return calls


@pytest.mark.parametrize("check_mode", [False, True])
def test_returns_offers_in_check_mode_too(run, calls, check_mode):
    result = run(interface="bench0", _ansible_check_mode=check_mode)
    assert result["changed"] is False
    assert result["msg"] == "On bench0 the DHCP server 192.0.2.9 (00:00:5e:00:53:09) offers 192.0.2.77"
    assert calls == [("bench0", 5, 2, None, "", [], None)]
    documented = yaml.safe_load(dhcp_discover.RETURN)["offers"]["contains"]
    assert [sorted(offer) for offer in result["offers"]] == [sorted(documented)]
    assert result["offers"][0]["options"] == OFFER.options


def test_passes_options_to_discovery(run, calls):
    run(interface="br1", timeout=9, attempts=3, mac="0000.5E00.5301", vendor_class="CISCO ATA192-MPP", ignore=["192.0.2.1"])
    client = dhcp_discover.parse_mac("00:00:5e:00:53:01")
    assert calls == [("br1", 9, 3, client, "CISCO ATA192-MPP", ["192.0.2.1"], None)]


def test_returns_no_offers_without_an_answer(run, monkeypatch):
    monkeypatch.setattr(dhcp_discover, "discover", lambda *_: [])
    result = run(interface="bench0")
    assert (result["offers"], result["msg"]) == ([], "On bench0 no DHCP server answers within 5 seconds")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"timeout": 0}, "timeout is 0; it must be at least 1"),
        ({"attempts": -1}, "attempts is -1; it must be at least 1"),
        ({"mac": "nonsense"}, "mac: 'nonsense' is not a MAC address; write twelve hexadecimal digits, such as 00:00:5e:00:53:01"),
        ({"ignore": ["192.0.2"]}, "'192.0.2' is neither an IPv4 address nor a MAC address; write the server"),
        ({"vendor_class": "ä"}, "the vendor class 'ä' cannot be sent"),
        ({}, "this machine has no network interface 'nosuch0'"),
    ],
)
def test_rejects_invalid_options(run, options, message):
    result = run(interface="nosuch0", **options)
    assert result["failed"] is True
    assert result["msg"].startswith(message)
