# SPDX-License-Identifier: GPL-3.0-or-later
"""A gradual rollout: which phones it has reached."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.common.mac import Mac
from ansible_collections.voip.preprovision.plugins.module_utils.firmware.policy import in_rollout


@given(st.lists(st.integers(0, 2**48 - 1), min_size=1, max_size=20), st.integers(0, 100), st.integers(0, 100))
def test_phones_in_a_rollout_stay_in(macs, one, other):
    for number in macs:
        mac = Mac(f"{number:012x}")
        assert in_rollout(mac, min(one, other)) <= in_rollout(mac, max(one, other))
        assert in_rollout(mac, 100)
        assert not in_rollout(mac, 0)


def test_a_rollout_reaches_about_its_percentage():
    assert 150 < sum(in_rollout(Mac(f"{number:012x}"), 20) for number in range(1000)) < 250
