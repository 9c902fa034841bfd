# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is made up, and what is measured."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.phone_network import Answer, Ask, Lease
from ansible_collections.voip.preprovision.plugins.module_utils.rules import Target
from ansible_collections.voip.preprovision.plugins.module_utils.swarm import Measured, SwarmError, made_up


@given(st.integers(0, 50), st.integers(0, (1 << 24) - 50))
def test_addresses_follow_the_first(count, last):
    phones = list(made_up(count, "ATA192", f"02005e{last:06x}", None))
    assert [int(phone["mac"].replace(":", ""), 16) & 0xFFFFFF for phone in phones] == list(range(last, last + count))
    assert len({phone["name"] for phone in phones}) == count
    assert all((phone["certificate"], phone["private_key"]) == (None, None) for phone in phones)


@pytest.mark.parametrize(("shared", "key"), [(False, "00005e0053ff.key"), (True, "key.pem")])
def test_certificates_lie_in_a_folder(tmp_path, shared, key):
    if shared:
        (tmp_path / "key.pem").touch()
    (phone,) = made_up(1, "ATA192", "00:00:5e:00:53:ff", str(tmp_path))
    assert (phone["certificate"], phone["private_key"]) == (f"{tmp_path}/00005e0053ff.pem", f"{tmp_path}/{key}")
    assert (phone["mac"], phone["serial"]) == ("00:00:5e:00:53:ff", "00005E0053FF")


@pytest.mark.parametrize(
    ("first", "words"),
    [("nonsense", "first_mac: 'nonsense' is not a MAC address"), ("00005effffff", "leaves 1 addresses with the same first half")],
)
def test_what_cannot_be_made_up(first, words):
    with pytest.raises(SwarmError) as caught:
        list(made_up(2, "ATA192", first, None))
    assert words in str(caught.value)


class Network:
    def __init__(self, lease, status):
        self._lease, self._status = lease, status

    def lease(self, _vendor_class):
        return self._lease

    def addresses(self, name):
        return (name,)

    def fetch(self, _ask):
        return Answer(self._status)

    def log(self, _server, _text):
        return True


@pytest.mark.parametrize(("lease", "status", "answered"), [(Lease("192.0.2.9", {}), 404, True), (None, 0, False)])
def test_what_takes_time_is_noted_and_handed_on(lease, status, answered):
    samples = []
    network = Measured(Network(lease, status), samples.append, think=0.01)
    ask = Ask(target=Target("https", "h", 443, "/"), address="192.0.2.1")
    assert network.lease("x") == lease
    assert (network.fetch(ask).status, network.addresses("a"), network.log("a", "b")) == (status, ("a",), True)
    assert [(sample.kind, sample.answered) for sample in samples] == [("dhcp", answered), ("https", answered)]
    assert 0 <= network.paused <= 0.01
    assert answered or not network.paused
