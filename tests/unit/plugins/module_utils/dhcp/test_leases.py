# SPDX-License-Identifier: GPL-3.0-or-later
"""Leases keep address, client, times and state on the way from one server's file to the other's and back."""

from __future__ import annotations

import os
import pwd

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.dhcp.leases import (
    Lease,
    LeaseState,
    merge,
    read_isc,
    read_kea,
    write_isc,
    write_kea,
)
from ansible_collections.voip.preprovision.plugins.module_utils.dhcp.take_over import take_over

NOW = 1_796_131_010
MACS = st.binary(min_size=6, max_size=6).map(lambda data: data.hex(":"))


@st.composite
def leases(draw):
    starts = draw(st.integers(0, 2**32))
    ends = draw(st.none() | st.integers(starts + 1, starts + 31_536_000))
    state = draw(st.sampled_from(LeaseState))
    return Lease("" if state is LeaseState.DECLINED else draw(MACS), starts, ends, state)


TABLES = st.dictionaries(st.ip_addresses(v=4).map(str), leases(), max_size=20)


@given(TABLES)
def test_both_forms_read_back(table):
    assert read_isc(write_isc(table)) == table
    assert read_kea([write_kea(table)]) == table


@given(TABLES)
def test_a_change_there_and_back_changes_nothing(table):
    there = read_kea([write_kea(read_isc(write_isc(table)))])
    assert read_isc(write_isc(there)) == table


@given(TABLES, TABLES)
def test_the_later_lease_of_an_address_wins(one, other):
    joined = merge(one, other)
    assert joined.keys() == one.keys() | other.keys()
    for address, lease in joined.items():
        known = [table[address] for table in (one, other) if address in table]
        assert lease in known
        assert lease.starts == max(each.starts for each in known)


@given(TABLES, st.data())
def test_a_torn_file_loses_its_last_entry_at_most(table, data):
    for write, read in ((write_isc, read_isc), (write_kea, lambda text: read_kea([text]))):
        text = write(table)
        found = read(text[: data.draw(st.integers(0, len(text)))])
        assert len([address for address, lease in found.items() if table.get(address) != lease]) <= 1


# As the servers of Debian 12 and 13 wrote them
DHCPD = """# The format of this file is documented in the dhcpd.leases(5) manual page.
authoring-byte-order little-endian;

lease 192.0.2.155 {
  starts 2 2026/12/01 13:11:50;
  ends 2 2026/12/01 13:16:50;
  cltt 2 2026/12/01 13:11:50;
  binding state active;
  next binding state free;
  rewind binding state free;
  hardware ethernet c6:6e:ce:1b:53:8a;
}
server-duid "\\000\\001\\000\\0011\\240";
"""
KEA = """address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context,pool_id
192.0.2.155,c6:6e:ce:1b:53:8a,,300,1796131010,1,0,0,,0,,0
192.0.2.156,02:00:00:00:77:01,,300,1796131010,1,0,0,,0,,0
192.0.2.156,02:00:00:00:77:01,,0,1796131010,1,0,0,,0,,0
"""
ONE = {"192.0.2.155": Lease("c6:6e:ce:1b:53:8a", NOW - 300, NOW, LeaseState.GIVEN)}


def test_reads_what_the_servers_write():
    assert read_isc(DHCPD) == ONE
    # A lifetime of nothing removes a lease
    assert read_kea([KEA]) == ONE


@pytest.fixture
def files(tmp_path):
    return str(tmp_path / "dhcpd.leases"), str(tmp_path / "kea-leases4.csv")


def read(path):
    with open(path) as file:
        return file.read()


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


ME = pwd.getpwuid(os.getuid()).pw_name


def test_a_server_takes_over_what_the_other_one_left(files):
    isc, kea = files
    write(isc, DHCPD)
    assert take_over("kea", ME, isc, kea) == 1
    assert read_kea([read(kea)]) == ONE
    assert not os.path.exists(isc)
    assert take_over("isc", ME, isc, kea) == 1
    assert read_isc(read(isc)) == ONE
    assert not os.path.exists(kea)


def test_without_leases_of_the_other_one_nothing_changes(files):
    isc, kea = files
    write(kea, KEA)
    assert take_over("kea", ME, isc, kea) == 0
    assert read(kea) == KEA


def test_all_files_of_a_clean_up_count(files):
    isc, kea = files
    header, first, second, _gone = KEA.splitlines(keepends=True)
    write(f"{kea}.2", header + first)
    write(f"{kea}.1", header + second)
    write(kea, header + second.replace(":01,", ":02,"))
    assert take_over("isc", ME, isc, kea) == 2
    assert {address: lease.mac for address, lease in read_isc(read(isc)).items()} == {
        "192.0.2.155": "c6:6e:ce:1b:53:8a",
        "192.0.2.156": "02:00:00:00:77:02",
    }
    assert os.listdir(os.path.dirname(kea)) == ["dhcpd.leases"]


def test_what_a_clean_up_has_completed_replaces_what_it_read(files):
    isc, kea = files
    header, first, second, _gone = KEA.splitlines(keepends=True)
    write(f"{kea}.completed", header + first)
    write(f"{kea}.1", header + second)
    write(kea, header)
    assert take_over("isc", ME, isc, kea) == 1
    assert [*read_isc(read(isc))] == ["192.0.2.155"]
    assert os.listdir(os.path.dirname(kea)) == ["dhcpd.leases"]


def test_an_interrupted_change_is_repeated(files, monkeypatch):
    """The own file is written and the other one not removed yet: the next start does the same again."""
    isc, kea = files
    write(isc, DHCPD)
    write(kea, write_kea(ONE))
    assert take_over("kea", ME, isc, kea) == 1
    assert read_kea([read(kea)]) == ONE


def test_a_disk_that_takes_nothing_leaves_the_other_file(files):
    isc, kea = files
    write(isc, DHCPD)
    with pytest.raises(OSError, match="No such file"):
        take_over("kea", ME, isc, f"{kea}/missing/kea-leases4.csv")
    assert read(isc) == DHCPD
