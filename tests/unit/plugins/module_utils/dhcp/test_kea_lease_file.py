# SPDX-License-Identifier: GPL-3.0-or-later
"""Kea's lease file: the latest row of each address counts, also while kea-lfc cleans up."""

from __future__ import annotations

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.dhcp import lease_file
from ansible_collections.voip.preprovision.plugins.module_utils.dhcp.kea_lease_file import files_in_order, read_statements
from ansible_collections.voip.preprovision.plugins.module_utils.dhcp.lease_file import (
    current_path,
    ended_leases,
    read_ended,
    read_text,
)

# As Kea 2.2 and 2.6 wrote them
OLD = "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context\n"
NEW = "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context,pool_id\n"
MOMENT = 1796135000
SHOWN = "2026/12/01 14:23:20"


def row(number=21, lifetime=3600, expire=MOMENT, state=0, header=NEW, mac=None):
    mac = f"00:00:5e:00:53:{number}" if mac is None else mac
    return f"192.0.2.{number},{mac},,{lifetime},{expire},1,0,0,,{state},{',0' if header == NEW else ''}\n"


@pytest.mark.parametrize("header", [OLD, NEW])
def test_reads_the_latest_row_of_each_address(header):
    found = read_statements(header + row(expire=MOMENT - 1800, header=header) + row(22, header=header) + row(header=header))
    assert list(found) == ["192.0.2.22", "192.0.2.21"]
    assert found["192.0.2.21"] == {
        "binding state": "active",
        "starts": "2026/12/01 13:23:20",
        "ends": SHOWN,
        "hardware ethernet": "00:00:5e:00:53:21",
    }


@pytest.mark.parametrize(
    ("text", "now", "ended"),
    [
        (row(), MOMENT - 1, {}),
        (row(), MOMENT, {"192.0.2.21": "00:00:5e:00:53:21"}),
        (row() + row(expire=MOMENT + 600), MOMENT, {}),
        # Released, reclaimed, declined
        (row() + row(lifetime=0, expire=MOMENT - 600), MOMENT - 600, {"192.0.2.21": "00:00:5e:00:53:21"}),
        (row() + row(lifetime=0, expire=MOMENT - 600, state=2), MOMENT - 600, {"192.0.2.21": "00:00:5e:00:53:21"}),
        (row() + row(lifetime=86400, state=1, mac=""), MOMENT - 1, {"192.0.2.21": ""}),
        (row(lifetime=0xFFFFFFFF, expire=MOMENT - 1), MOMENT, {}),
        # Kea is just writing it
        (row() + row(lifetime=0)[:-5], MOMENT - 1, {}),
        (row() + "192.0.2.21,00:00:5e:00:53:21,,never,soon,1,0,0,,0,,0\n", MOMENT - 1, {}),
        ("", MOMENT, {}),
    ],
)
def test_knows_which_leases_have_ended(text, now, ended):
    assert ended_leases(NEW + text, now) == ended


@pytest.mark.parametrize(
    ("ends", "order"),
    [
        ((), []),
        (("",), [""]),
        (("", ".1", ".2", ".output"), [".2", ".1", ""]),
        (("", ".1", ".2", ".completed"), [".completed", ""]),
        (("", ".1"), [".1", ""]),
    ],
)
def test_reads_the_files_that_a_clean_up_works_with_in_their_order(ends, order):
    assert files_in_order([f"leases.csv{end}" for end in ends]) == [f"leases.csv{end}" for end in order]


def test_a_lease_is_not_lost_while_its_file_is_cleaned_up(tmp_path):
    path = tmp_path / "kea-leases4.csv"
    path.with_name("kea-leases4.csv.1").write_text(NEW + row(expire=1) + row(22, expire=1))
    path.with_name("kea-leases4.csv.2").write_text(NEW + row(expire=0xFFFFFFF0) + row(23, expire=1))
    assert read_text(str(path)) == ""
    path.write_text(NEW + row(22, expire=0xFFFFFFF0))
    assert read_ended(str(path)) == {"192.0.2.21": "00:00:5e:00:53:21", "192.0.2.23": "00:00:5e:00:53:23"}


def test_the_back_end_decides_on_the_file(tmp_path):
    unit = tmp_path / "kea-dhcp4-server.service"
    assert current_path(str(unit)) == "/var/lib/dhcp/dhcpd.leases"
    unit.touch()
    assert current_path(str(unit)) == "/var/lib/kea/kea-leases4.csv"


def test_copies_the_lease_file_for_readers_without_a_right_to_it(tmp_path, monkeypatch):
    path, target = tmp_path / "kea-leases4.csv", tmp_path / "copy"
    monkeypatch.setattr(lease_file, "current_path", lambda: str(path))
    lease_file.main(["copy", str(target)])
    assert not target.exists()
    path.write_text(NEW + row(22, expire=1))
    path.with_name("kea-leases4.csv.2").write_text(NEW + row(23, expire=1))
    lease_file.main(["copy", str(target)])
    assert read_ended(str(target)) == {"192.0.2.22": "00:00:5e:00:53:22", "192.0.2.23": "00:00:5e:00:53:23"}
    assert target.stat().st_mode & 0o777 == 0o444
