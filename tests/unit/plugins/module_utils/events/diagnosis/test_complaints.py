# SPDX-License-Identifier: GPL-3.0-or-later
"""What services complain of: faults of the station, and what any phone may cause."""

from __future__ import annotations

import errno
import os

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.events.diagnosis.complaints import read_faults


def complaint(text, service="dhcp"):
    return {"service": service, "priority": 3, "text": text}


@pytest.mark.parametrize(
    "code",
    [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EACCES, errno.EPERM],
)
def test_a_fault_of_the_machine_is_one_whatever_the_system_calls_it(code):
    assert len(list(read_faults([complaint(f'open() "/var/lib/x" failed ({code}: {os.strerror(code)}), client: 192.0.2.20')]))) == 1
    [(service, clause)] = read_faults([complaint(f"write_lease: {os.strerror(code)}.")])
    assert service == "dhcp"
    assert clause.cause.startswith("the DHCP server ")
    assert clause.cause.endswith(f": write_lease: {os.strerror(code)}")
    assert clause.remedy.endswith("see 'journalctl -u isc-dhcp-server.service'")


@pytest.mark.parametrize(
    "text",
    [
        "DHCPDISCOVER from 00:00:5e:00:53:01 via bench0: network 192.0.2.0/24: no free leases",
        "file /run/tftp/x not found for 192.0.2.20",
        "file /run/tftp/x: No space left on device not found for 192.0.2.20",
        'open() "/srv/No space left on device" failed (2: No such file or directory), client: 192.0.2.20',
        "scan for phones: 192.0.2.20 has asked for too many files",
    ],
)
def test_what_a_phone_may_cause_is_none(text):
    assert not list(read_faults([complaint(text)]))


def test_names_each_kind_of_fault_of_a_service_once():
    full = complaint("a: No space left on device"), complaint("b: No space left on device")
    found = list(read_faults([*full, complaint("c: No space left on device", "log"), complaint("Read-only file system")]))
    assert [service for service, _clause in found] == ["dhcp", "log", "dhcp"]
