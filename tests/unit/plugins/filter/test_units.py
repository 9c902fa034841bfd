# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters for systemd units."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.voip.preprovision.plugins.filter.units import FilterModule

unit_hardening = FilterModule().filters()["unit_hardening"]


def test_returns_hardening_lines():
    assert "ProtectSystem=strict" in unit_hardening({"CapabilityBoundingSet": "", "RestrictAddressFamilies": "none"})


def test_rejects_missing_settings_with_the_domains_message():
    with pytest.raises(AnsibleFilterError, match=r"unit_hardening: .* must be stated for each unit"):
        unit_hardening({})
