# SPDX-License-Identifier: GPL-3.0-or-later
"""dhcpd's lease file: the latest lease of each address counts."""

from __future__ import annotations

import calendar
import time

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.dhcp.lease_file import ended_leases, read_ended, read_statements

LEASE = """lease 192.0.2.{number} {{
  starts 1 2026/11/30 22:{start}:00;
  ends {ends};
  binding state {state};
  next binding state free;
  hardware ethernet 00:00:5e:00:53:{number};
}}
"""
ENDS_AT_40 = "1 2026/11/30 22:40:00"


def lease(number=21, start=30, state="active", ends=ENDS_AT_40):
    return LEASE.format(number=number, start=start, state=state, ends=ends)


def test_reads_the_latest_lease_of_each_address():
    found = read_statements("# header\n" + lease(start=20, state="free") + lease(number=22) + lease())
    assert list(found) == ["192.0.2.21", "192.0.2.22"]
    assert found["192.0.2.21"] == {
        "binding state": "active",
        "starts": "2026/11/30 22:30:00",
        "ends": "2026/11/30 22:40:00",
        "hardware ethernet": "00:00:5e:00:53:21",
    }


@pytest.mark.parametrize(
    ("text", "now", "ended"),
    [
        (lease(), "22:39:59", False),
        (lease(), "22:40:00", True),
        (lease() + lease(start=38, ends="1 2026/11/30 22:48:00"), "22:40:00", False),
        (lease() + lease(state="free"), "22:39:59", True),
        (lease(state="abandoned"), "22:39:59", True),
        (lease(ends="never"), "22:40:00", False),
        # dhcpd is just writing it
        (lease() + lease(state="free")[:-20], "22:39:59", False),
        ("", "22:40:00", False),
    ],
)
def test_knows_which_leases_have_ended(text, now, ended):
    moment = calendar.timegm(time.strptime(f"2026-11-30 {now}", "%Y-%m-%d %H:%M:%S"))
    assert ended_leases(text, moment) == ({"192.0.2.21": "00:00:5e:00:53:21"} if ended else {})


def test_reads_a_file_that_may_be_missing(tmp_path):
    file = tmp_path / "dhcpd.leases"
    assert read_ended(str(file)) == {}
    leases = lease(ends="5 2100/01/01 00:00:00") + lease(number=22, ends="1 2001/01/01 00:00:00")
    file.write_bytes(leases.encode() + b"\xff")
    assert read_ended(str(file)) == {"192.0.2.22": "00:00:5e:00:53:22"}
