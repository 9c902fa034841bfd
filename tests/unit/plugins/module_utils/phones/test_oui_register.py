# SPDX-License-Identifier: GPL-3.0-or-later
"""Owners of MAC addresses, also when the register is wrong or missing."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from sample_scans import HEX_SERIAL, LINKSYS, POLY, read

from ansible_collections.voip.preprovision.plugins.module_utils.common.mac import parse_mac
from ansible_collections.voip.preprovision.plugins.module_utils.phones import oui_register
from ansible_collections.voip.preprovision.plugins.module_utils.phones.label_scans import read_label
from ansible_collections.voip.preprovision.plugins.module_utils.phones.oui_register import oui_owner


def test_finds_owners():
    assert oui_owner(parse_mac(LINKSYS)) == "Cisco-Linksys, LLC"
    assert oui_owner(parse_mac(HEX_SERIAL)) == ""


@pytest.fixture
def wrong_register(monkeypatch):
    """Install a register with another one's index, as on Debian 12."""

    class Wrong:
        def __init__(self, oui):
            self.reg_count = 1

        def registration(self, index=0):
            return SimpleNamespace(org="zte corporation")

    caches = (oui_register._is_register_correct, oui_register._owner)
    monkeypatch.setattr(oui_register, "netaddr", type("Netaddr", (), {"OUI": Wrong, "NotRegisteredError": KeyError}))
    for cached in caches:
        cached.cache_clear()
    yield
    for cached in caches:
        cached.cache_clear()


@pytest.mark.usefixtures("wrong_register")
def test_ignores_a_register_with_wrong_owners():
    assert oui_owner(parse_mac(LINKSYS)) == ""
    assert read_label(LINKSYS) == {"": LINKSYS}
    assert read(f"mac,model\n{POLY},ATA192\n").warnings == ()


def test_labels_can_be_read_without_netaddr(monkeypatch):
    monkeypatch.setattr(oui_register, "netaddr", None)
    oui_register._is_register_correct.cache_clear()
    assert read_label("00:00:5e:00:53:01") == {"phone_mac": "00:00:5e:00:53:01"}
    oui_register._is_register_correct.cache_clear()
