# SPDX-License-Identifier: GPL-3.0-or-later
"""The module's options and results; the tests of the domain code cover the discovery itself."""

from __future__ import annotations

import json

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args

from ansible_collections.voip.preprovision.plugins.module_utils.nat.discovery import Behaviour, Dependence
from ansible_collections.voip.preprovision.plugins.module_utils.nat.stun import Endpoint
from ansible_collections.voip.preprovision.plugins.modules import stun_check

FOUND = Behaviour(
    Endpoint("192.0.2.1", 3478),
    Endpoint("198.18.0.2", 40000),
    Endpoint("198.51.100.7", 40000),
    (Endpoint("198.51.100.7", 40001),),
    Dependence.ADDRESS_AND_PORT,
    Dependence.ADDRESS_AND_PORT,
)


@pytest.fixture
def run(capsys):
    """Return a function that runs the module and returns its result."""

    def run_module(**options):
        with patch_module_args(options), pytest.raises(SystemExit):
            stun_check.main()
        return json.loads(capsys.readouterr().out)

    return run_module


@pytest.mark.parametrize("check_mode", [False, True])
def test_returns_the_behaviour_in_check_mode_too(run, monkeypatch, check_mode):
    calls = []
    monkeypatch.setattr(stun_check, "discover", lambda _open, *places: calls.append(places) or FOUND)
    result = run(server="192.0.2.1", alternates=["192.0.2.2:3479"], _ansible_check_mode=check_mode)
    assert calls == [(Endpoint("192.0.2.1", 3478), [Endpoint("192.0.2.2", 3479)])]
    assert set(result) - {"changed", "invocation"} == set(yaml.safe_load(stun_check.RETURN))
    assert (result["changed"], result["nat"], result["stun_helps"]) == (False, "symmetric", False)
    assert (result["mapped"], result["others"]) == ("198.51.100.7:40000", ["198.51.100.7:40001"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"server": "192.0.2.1", "port": 0}, "192.0.2.1:0 must have a port between 1 and 65535"),
        ({"server": "192.0.2.1", "timeout": 0}, "timeout is 0; it must be at least 1"),
        ({"server": "192.0.2.1", "alternates": ["192.0.2.2"]}, "alternates: '192.0.2.2' must be an address or name with a port"),
        ({"server": "192.0.2.1", "alternates": ["192.0.2.2:99999"]}, "192.0.2.2:99999 must have a port between 1 and 65535"),
        ({"server": "a.b.invalid"}, "the name a.b.invalid has no IPv4 address"),
        ({"server": "x" * 64 + ".example.net"}, "has no IPv4 address"),
    ],
)
def test_rejects_invalid_options(run, options, words):
    result = run(**options)
    assert result["failed"]
    assert words in result["msg"]
