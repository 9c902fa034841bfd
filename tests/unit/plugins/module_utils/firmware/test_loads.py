# SPDX-License-Identifier: GPL-3.0-or-later
"""What firmware names mean, and which files a load consists of."""

from __future__ import annotations

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.families.catalogue import BUILTIN
from ansible_collections.voip.preprovision.plugins.module_utils.firmware.loads import (
    MAX_FILES,
    agent_version,
    is_list,
    is_older,
    load_version,
    named_files,
)


@pytest.mark.parametrize(
    ("family", "path", "version"),
    [
        ("ata19x", "/firmware/ATA19X.11-2-1MPP0001-006.img", "11-2-1MPP0001-006"),
        ("ata19x", "/ATA19x.11-2-1MPP0001-006.img?x=/y", "11-2-1MPP0001-006"),
        ("ata19x", "/firmware.img", ""),
        ("mpp", "/fw/sip88xx.11-2-3MPP-398.loads", "sip88xx.11-2-3MPP-398"),
        ("mpp", "/PHONEOS-8875.2-3-1-0001-265.loads", "PHONEOS-8875.2-3-1-0001-265"),
        ("mpp", "/sip88xx.11-2-3MPP-398.sbn", ""),
        ("spa", "/spa50x-30x-7-5-2b.bin", "7.5.2b"),
        ("spa", "/spa50x-30x-7-6-2.bin", "7.6.2"),
        ("spa", "/spa.bin", ""),
        ("poly", "/sip.ld", ""),
    ],
)
def test_versions(family, path, version):
    assert load_version(path, BUILTIN.families[family]) == version


@pytest.mark.parametrize(
    ("family", "version", "agent"),
    [
        ("ata19x", "11-2-1MPP0001-006", "11-2-1MPP0001-006"),
        ("spa", "7.5.2b", "7.5.2b"),
        ("mpp", "sip88xx.11-3-2MPP0001-609", "11.3.2"),
        ("mpp", "sip88xx.12-0-1MPP-5", "12.0.1"),
        ("mpp", "none", "none"),
    ],
)
def test_versions_of_the_user_agent(family, version, agent):
    assert agent_version(version, BUILTIN.families[family]) == agent


def test_lists():
    content = b"\x00\x01kern88xx.11-2-3MPP-398.sbn\x00vc4a.bin\x00kern88xx.11-2-3MPP-398.sbn\xff../../etc/passwd.bin\x00"
    assert named_files(content) == ["kern88xx.11-2-3MPP-398.sbn", "vc4a.bin", "passwd.bin"]
    assert len(named_files(b" ".join(b"a%d.bin" % number for number in range(99)))) == MAX_FILES
    assert is_list("/fw/sip88xx.11-2-3MPP-398.LOADS?x")
    assert not is_list("/fw/sip88xx.loads/x.bin")


@pytest.mark.parametrize(
    ("version", "limit", "older"),
    [
        ("11-1-0MPP-19", "11-2-1MPP-1", True),
        ("11-2-1MPP-1", "11-2-1MPP-1", False),
        ("7.5.2b", "7.6.2", True),
        ("7.5.2b", "11-2-1MPP-1", False),
        ("what", "7.6.2", False),
        ("", "7.6.2", False),
    ],
)
def test_limits(version, limit, older):
    assert is_older(version, limit) is older
