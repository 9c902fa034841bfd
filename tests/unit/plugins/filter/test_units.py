# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters for systemd units and the code that they run."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.voip.preprovision.plugins.filter.units import FilterModule

FILTERS = FilterModule().filters()
unit_hardening, domain_digest = FILTERS["unit_hardening"], FILTERS["domain_digest"]


def test_returns_hardening_lines():
    assert "ProtectSystem=strict" in unit_hardening({"CapabilityBoundingSet": "", "RestrictAddressFamilies": "none"})


def test_rejects_missing_settings_with_the_domains_message():
    with pytest.raises(AnsibleFilterError, match=r"unit_hardening: .* must be stated for each unit"):
        unit_hardening({})


def test_returns_a_digest():
    assert len(domain_digest(["common/mac"])) == 32


def test_rejects_code_that_does_not_exist():
    with pytest.raises(AnsibleFilterError, match="domain_digest: domain: there is no package or module commmon"):
        domain_digest(["commmon"])
