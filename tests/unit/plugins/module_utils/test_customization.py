# SPDX-License-Identifier: GPL-3.0-or-later
"""States of remote customization, and what is asked of whom."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.customization import (
    ABORTED,
    ACQUIRED,
    CUSTOM_PENDING,
    EVENTS,
    OPEN,
    PENDING,
    STATES,
    UNAVAILABLE,
    advance,
    request_url,
    service_host,
)

HOSTS = ("activate.cisco.com", "webapps.cisco.com")
TABLE = {
    # state: what each event makes of it
    OPEN: {"dhcp": ABORTED, "asked": PENDING, "set up": ABORTED},
    PENDING: {"dhcp": ABORTED, "asked": PENDING, "redirected": CUSTOM_PENDING, "unknown": UNAVAILABLE, "set up": ABORTED},
    CUSTOM_PENDING: {"dhcp": ABORTED, "asked": PENDING, "fetched": ACQUIRED, "set up": ABORTED},
    UNAVAILABLE: {"dhcp": ABORTED, "asked": PENDING, "set up": ABORTED},
    ABORTED: {},
    ACQUIRED: {},
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("event", EVENTS)
def test_every_transition(state, event):
    assert advance(state, event) == (OPEN if event == "reset" else TABLE[state].get(event, state))


@given(st.lists(st.sampled_from(EVENTS)))
def test_only_a_reset_leads_out_of_the_final_states(events):
    state = OPEN
    for event in events:
        before, state = state, advance(state, event)
        if before in (ABORTED, ACQUIRED):
            assert state == (OPEN if event == "reset" else before)


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
def test_hosts(version, host):
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
def test_requests(service, url):
    assert request_url(service, "00005E005301", "ATA192-MPP") == url
