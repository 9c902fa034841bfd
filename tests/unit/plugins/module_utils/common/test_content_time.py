# SPDX-License-Identifier: GPL-3.0-or-later
"""The time of a published file: the same for the same content, and in the past."""

from __future__ import annotations

import hashlib

from ansible_collections.voip.preprovision.plugins.module_utils.common.content_time import content_time

NOVEMBER_2023 = 1_701_000_000
SEPTEMBER_2001 = 999_000_000


def test_contents_have_times_of_their_own_in_the_past():
    digests = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(10_000)]
    times = [content_time(digest) for digest in digests]
    assert len(set(times)) > 9_990
    assert SEPTEMBER_2001 < min(times) < max(times) < NOVEMBER_2023
    assert times == [content_time(digest) for digest in digests]
