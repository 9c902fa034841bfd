# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts about families: those without a source are marked."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.certificates.tls_facts import VERSIONS, TlsFacts, tls_facts
from ansible_collections.voip.preprovision.plugins.module_utils.families.catalogue import BUILTIN


def test_facts_give_a_range_of_versions():
    assert tls_facts("mpp").versions == VERSIONS[:3]
    assert TlsFacts(lowest="TLS 1.3", highest="TLS 1.2").versions == ()


@pytest.mark.parametrize("family", [*BUILTIN.families, "another"])
def test_facts_without_a_source_are_marked(family):
    facts = tls_facts(family)
    names = {attribute.name for attribute in dataclasses.fields(TlsFacts)} - {"uncertain"}
    assert facts.uncertain <= names
    assert facts.versions
    assert facts.corrected({"highest": "TLS 1.3"}).uncertain == facts.uncertain - {"highest"}
    assert facts.corrected({}) == facts
