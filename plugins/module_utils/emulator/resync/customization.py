# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Transitions of a phone's customization state, and its request to the vendor's remote customization service.

Source: "Remote Customization (RC) Distribution" of the in-house chapter of the ATA 191/192 provisioning guide, for states, hosts
and transitions. No source shows the request itself: a GET with mac and model, answered by a URL or nothing, is what the
collection's profile service understands.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from urllib.parse import urlencode

from ...common.versions import NumberError, read_number
from ...events.progress.customization_states import CustomizationState

_NEW_HOST_SINCE = (11, 2, 1)


class CustomizationEvent(StrEnum):
    """What moves a phone to another customization state."""

    DHCP = "dhcp"
    """DHCP led to the profile."""
    ASKED = "asked"
    REDIRECTED = "redirected"
    """The service answered with a URL."""
    UNKNOWN = "unknown"
    """The service answered with nothing."""
    FETCHED = "fetched"
    """The profile at the service's URL was applied."""
    SET_UP = "set up"
    """The phone was configured by hand."""
    RESET = "reset"
    """Factory settings were restored."""


_UNDECIDED = frozenset(state for state in CustomizationState if not state.is_final)
_TRANSITIONS: Mapping[CustomizationEvent, tuple[Collection[CustomizationState], CustomizationState]] = {
    CustomizationEvent.DHCP: (_UNDECIDED, CustomizationState.ABORTED),
    CustomizationEvent.ASKED: (_UNDECIDED, CustomizationState.PENDING),
    CustomizationEvent.REDIRECTED: ({CustomizationState.PENDING}, CustomizationState.CUSTOM_PENDING),
    CustomizationEvent.UNKNOWN: ({CustomizationState.PENDING}, CustomizationState.UNAVAILABLE),
    CustomizationEvent.FETCHED: ({CustomizationState.CUSTOM_PENDING}, CustomizationState.ACQUIRED),
    CustomizationEvent.SET_UP: (_UNDECIDED, CustomizationState.ABORTED),
    CustomizationEvent.RESET: (frozenset(CustomizationState), CustomizationState.OPEN),
}


def advance(state: CustomizationState, event: CustomizationEvent) -> CustomizationState:
    """Return the state after an event; an event that does not apply to a state leaves it unchanged."""
    before, after = _TRANSITIONS[event]
    return after if state in before else state


def service_host(hosts: tuple[str, ...], version: str) -> str:
    """Return the vendor's host for a firmware version; empty where the family has none."""
    if len(hosts) < 2:
        return hosts[0] if hosts else ""
    return hosts[0] if _release(version) >= _NEW_HOST_SINCE else hosts[1]


def _release(version: str) -> tuple[int, ...]:
    try:
        key = read_number(version).key[0]
    except NumberError:
        return _NEW_HOST_SINCE
    return tuple(part[0] for part in key) if isinstance(key, tuple) else (int(key),)


def customization_url(service: str, mac: str, model: str) -> str:
    """Return the URL that asks *service* for this phone's provisioning URL."""
    return f"{service}{'&' if '?' in service else '?'}{urlencode({'mac': mac, 'model': model})}"
