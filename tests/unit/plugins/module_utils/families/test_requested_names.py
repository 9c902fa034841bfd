# SPDX-License-Identifier: GPL-3.0-or-later
"""What units request by themselves, and what of it may be missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.families.catalogue import BUILTIN
from ansible_collections.voip.preprovision.plugins.module_utils.families.requested_names import in_vain_pattern, served_names

DOCUMENT = Path(__file__).parents[5] / "docs/reference/families.md"
FAMILIES = [*BUILTIN.families.values()]
IN_VAIN = in_vain_pattern(FAMILIES)


@pytest.mark.parametrize(
    "path",
    [
        "/SEP00005E005301.cnf.xml",
        "/00-00-5e-00-53-01/sep00005e005301.cnf.xml",
        "/ATA00005E005301.cnf.xml",
        "/XMLDefault.cnf.xml",
        "/xmldefault.cnf.xml",
        "/00005e005301.boot",
        "/y000000000000.boot",
        "/y000000000028.cfg",
        "/y000000000108.cfg",
        "/cfg00005e005301",
        "/cfg00005e005301.bin",
        "/cfgGRP2614.xml",
        "/cfggrp2614.xml",
        "/cfg.xml",
    ],
)
def test_what_is_tried_in_vain_may_be_missing(path):
    assert IN_VAIN.fullmatch(path)


@pytest.mark.parametrize(
    "path",
    [
        # Poly tries it in vain, and Yealink is served it
        "/00005e005301.cfg",
        # So do other Yealink models than the W52P
        "/y000000000025.cfg",
        "/Y000000000025.CFG",
        "/cfg00005e005301.xml",
        "/cfgata192.xml",
        "/ata192.cfg",
        "/sep.cnf.xml",
        "/myxmldefault.cnf.xml",
        "/y00000000002a.cfg",
        "/00005e005301.boot.bak",
    ],
)
def test_nothing_else_may(path):
    assert not IN_VAIN.fullmatch(path)


def test_the_document_lists_them_in_order():
    lines = DOCUMENT.read_text().partition("## Names that units request")[2].partition("\n## ")[0].splitlines()
    table = [cells for cells in (line.split("|") for line in lines) if len(cells) == 5 and "`" in cells[1]]
    rows = {cells[1].strip().strip("`"): tuple(cells[2:4]) for cells in table}
    assert rows == {family.name: (_listed(family.tried_in_vain), _listed(served_names(family))) for family in FAMILIES}


def _listed(names):
    return f" {', '.join(f'`{name}`' for name in names)} " if names else " "
