# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of a pair of Kea servers, from what Kea 2.6.3 answers to status-get."""

from __future__ import annotations

import json

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.dhcp.pair_keeper import read_state

ANSWER = """
{"arguments": {"high-availability": [{"ha-mode": "hot-standby", "ha-servers": {
  "local": {"role": "primary", "scopes": ["192.0.2.1"], "server-name": "192.0.2.1", "state": "%s",
    "system-time": "2026-12-01 13:20:00"},
  "remote": {"age": 1, "analyzed-packets": 0, "communication-interrupted": %s, "connecting-clients": 0, "in-touch": true,
    "last-scopes": [], "last-state": "%s", "role": "standby", "server-name": "192.0.2.2", "unacked-clients": 0}}}], "pid": 7},
 "result": 0}
"""


@pytest.mark.parametrize(
    ("local", "interrupted", "remote", "said"),
    [
        ("hot-standby", "false", "hot-standby", "Both stations of the pair are up"),
        ("hot-standby", "true", "hot-standby", "does not answer; this one serves alone"),
        ("partner-down", "true", "unavailable", "does not answer; this one serves alone"),
        ("terminated", "true", "waiting", "clocks of the two stations are too far apart"),
        ("syncing", "false", "waiting", "in the state syncing, its partner in waiting"),
    ],
)
def test_says_how_the_pair_is(local, interrupted, remote, said):
    assert said in str(read_state(json.loads(ANSWER % (local, interrupted, remote))))


def test_a_server_without_a_partner_has_no_state():
    with pytest.raises(KeyError):
        read_state({"arguments": {"pid": 7}, "result": 0})
