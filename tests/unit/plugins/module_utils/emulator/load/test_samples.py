# SPDX-License-Identifier: GPL-3.0-or-later
"""Synthetic phones, and measurement."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.emulator.device.ports import (
    Lease,
    Renewal,
    WireRequest,
    WireResponse,
)
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.load.options import LoadTestError, synthetic_phones
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.load.samples import MeasuredNetwork, SampleKind
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.wire.system_clock import SystemClock
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.rules.model import Target


@given(st.integers(0, 50), st.integers(0, (1 << 24) - 50))
def test_addresses_are_consecutive(count, last):
    phones = list(synthetic_phones(count, "ATA192", f"02005e{last:06x}", None))
    assert [int(phone.mac.replace(":", ""), 16) & 0xFFFFFF for phone in phones] == list(range(last, last + count))
    assert len({phone.name for phone in phones}) == count
    assert all((phone.certificate, phone.private_key) == (None, None) for phone in phones)


@pytest.mark.parametrize(("shared", "key"), [(False, "00005e0053ff.key"), (True, "key.pem")])
def test_certificates_are_in_a_folder(tmp_path, shared, key):
    if shared:
        (tmp_path / "key.pem").touch()
    (phone,) = synthetic_phones(1, "ATA192", "00:00:5e:00:53:ff", str(tmp_path))
    assert (phone.certificate, phone.private_key) == (f"{tmp_path}/00005e0053ff.pem", f"{tmp_path}/{key}")
    assert (phone.mac, phone.serial) == ("00:00:5e:00:53:ff", "00005E0053FF")


@pytest.mark.parametrize(
    ("first", "words"),
    [
        ("nonsense", "first_mac: 'nonsense' is not a MAC address"),
        ("00005effffff", "only 1 addresses from 00:00:5e:ff:ff:ff on have the same vendor prefix"),
    ],
)
def test_rejects_invalid_first_addresses(first, words):
    with pytest.raises(LoadTestError) as caught:
        list(synthetic_phones(2, "ATA192", first, None))
    assert words in str(caught.value)


class Network:
    def __init__(self, lease, status):
        self._lease, self._status = lease, status

    def lease(self, _vendor_class):
        return self._lease

    def addresses(self, name):
        return (name,)

    def fetch(self, _send):
        return WireResponse(self._status)

    def log(self, _server, _text):
        return True

    def renew(self, any_server):
        return Renewal(self._lease, refused=any_server)

    def give_up_lease(self):
        self._lease = None


@pytest.mark.parametrize(("lease", "status", "answered"), [(Lease("192.0.2.9", {}), 404, True), (None, 0, False)])
def test_measures_and_passes_everything_on(lease, status, answered):
    samples = []
    network = MeasuredNetwork(Network(lease, status), SystemClock(), samples.append, think_time=0.01)
    request = WireRequest(target=Target("https", "h", 443, "/"), address="192.0.2.1")
    assert network.lease("x") == lease
    assert (network.fetch(request).status, network.addresses("a"), network.log("a", "b")) == (status, ("a",), True)
    assert [network.renew(any_server) for any_server in (False, True)] == [Renewal(lease), Renewal(lease, True)]
    network.give_up_lease()
    assert network.renew(any_server=False) == Renewal()
    assert [(sample.kind, sample.answered) for sample in samples] == [(SampleKind.DHCP, answered), (SampleKind.HTTPS, answered)]
    assert 0 <= network.paused <= 0.01
    assert answered or not network.paused
