# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings: their order, and the level of those that rest on an uncertain fact."""

from __future__ import annotations

from ansible_collections.voip.preprovision.plugins.module_utils.certificates.findings import (
    Code,
    Finding,
    Findings,
    Level,
    by_level,
)


def test_findings_are_sorted_by_level_and_keep_their_order():
    levels = [Level.INFO, Level.ERROR, Level.WARNING, Level.ERROR]
    codes = [Code.OLD_PROTOCOL, Code.EXPIRED, Code.IS_CA, Code.NO_SAN]
    found = [Finding(level, code, "", "") for level, code in zip(levels, codes, strict=True)]
    assert [finding.code for finding in by_level(found)] == [Code.EXPIRED, Code.NO_SAN, Code.IS_CA, Code.OLD_PROTOCOL]


def test_an_error_that_rests_on_an_uncertain_fact_is_a_warning():
    findings = Findings({"needs_rsa"})
    findings.error(Code.KEY_TYPE, "it has another key", "get one", "needs_rsa")
    findings.error(Code.NO_SAN, "it has no name", "get one", "checks_san")
    assert [finding.to_dict() for finding in findings.by_level] == [
        {"level": "error", "code": "no_san", "what": "it has no name", "remedy": "get one"},
        {"level": "warning", "code": "key_type", "what": "it has another key, as far as is known", "remedy": "get one"},
    ]


def test_results_are_plain_text():
    """Ansible rejects subclasses of str in results of plugins."""
    found = Finding(Level.ERROR, Code.EXPIRED, "it expired", "renew it").to_dict()
    assert {type(value) for value in found.values()} == {str}
