# SPDX-License-Identifier: GPL-3.0-or-later
"""Capture filters: the phone's name, the capture filter and tshark's command line."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.voip.preprovision.plugins.filter.captures import capture_plan, capture_summary
from ansible_collections.voip.preprovision.plugins.module_utils.station.capture_summary import FIELDS


def test_returns_a_capture_plan():
    plan = capture_plan("0000.5E00.5301", since=5)
    assert (plan["mac"], plan["name"]) == ("00:00:5e:00:53:01", "00005e005301")
    assert plan["record"].startswith("ether host 00:00:5e:00:53:01 or ")
    assert plan["select"].endswith(" and frame.time_epoch >= 5.000")
    assert plan["tshark"].count("-e") == len(FIELDS)
    assert set(FIELDS) < set(plan["tshark"])


@pytest.mark.parametrize("phone", ["", "ata192-1", None])
def test_rejects_an_unknown_phone(phone):
    with pytest.raises(AnsibleFilterError, match=r"^phone: .*; or name a phone of the inventory that has phone_mac"):
        capture_plan(phone)


def test_summarizes_a_capture():
    assert capture_summary("[]", "00:00:5e:00:53:01") == []
    with pytest.raises(AnsibleFilterError, match="not output of tshark"):
        capture_summary("x", "00:00:5e:00:53:01")
