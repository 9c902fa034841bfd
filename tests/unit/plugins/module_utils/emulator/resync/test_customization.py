# SPDX-License-Identifier: GPL-3.0-or-later
"""States of remote customization, the vendor's hosts, and the request."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.emulator.resync.customization import (
    CustomizationEvent,
    advance,
    customization_url,
    service_host,
)
from ansible_collections.voip.preprovision.plugins.module_utils.events.progress.customization_states import (
    CustomizationState as State,
)

HOSTS = ("activate.cisco.com", "webapps.cisco.com")
TABLE = {
    # state: event -> next state
    State.OPEN: {"dhcp": State.ABORTED, "asked": State.PENDING, "set up": State.ABORTED},
    State.PENDING: {
        "dhcp": State.ABORTED,
        "asked": State.PENDING,
        "redirected": State.CUSTOM_PENDING,
        "unknown": State.UNAVAILABLE,
        "set up": State.ABORTED,
    },
    State.CUSTOM_PENDING: {"dhcp": State.ABORTED, "asked": State.PENDING, "fetched": State.ACQUIRED, "set up": State.ABORTED},
    State.UNAVAILABLE: {"dhcp": State.ABORTED, "asked": State.PENDING, "set up": State.ABORTED},
    State.ABORTED: {},
    State.ACQUIRED: {},
}


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("event", list(CustomizationEvent))
def test_transitions(state, event):
    assert advance(state, event) == (State.OPEN if event == "reset" else TABLE[state].get(event, state))


@given(st.lists(st.sampled_from(list(CustomizationEvent))))
def test_leaves_final_states_only_by_a_reset(events):
    state = State.OPEN
    for event in events:
        before, state = state, advance(state, event)
        if before in (State.ABORTED, State.ACQUIRED):
            assert state == (State.OPEN if event == "reset" else before)


@pytest.mark.parametrize(
    ("version", "host"),
    [
        ("11-1-0MPP-19", HOSTS[1]),
        ("11-2-0MPP-1", HOSTS[1]),
        ("11-2-1MPP0001-006", HOSTS[0]),
        ("sip88xx.11-1-2MPP-1", HOSTS[1]),
        ("sip88xx.11-3-2MPP0001-609", HOSTS[0]),
        ("12-0-1", HOSTS[0]),
        ("7.6.2", HOSTS[1]),
        ("7", HOSTS[1]),
        ("what", HOSTS[0]),
    ],
)
def test_chooses_the_host_by_firmware_version(version, host):
    assert service_host(HOSTS, version) == host
    assert service_host((), version) == ""
    assert service_host(("one.example.net",), version) == "one.example.net"


@pytest.mark.parametrize(
    ("service", "url"),
    [
        ("http://192.0.2.1/customization", "http://192.0.2.1/customization?mac=00005E005301&model=ATA192-MPP"),
        ("https://h/c?key=x", "https://h/c?key=x&mac=00005E005301&model=ATA192-MPP"),
    ],
)
def test_builds_the_request_url(service, url):
    assert customization_url(service, "00005E005301", "ATA192-MPP") == url
