# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The customization state of a unit, and how it asks the maker's remote customization service whose it is.

Source: "Remote Customization (RC) Distribution" of the in-house chapter of the ATA 191/192 provisioning guide, for states, hosts
and what leads from one state to another. No source prints the request itself: a GET with mac and model, answered by a URL or
nothing, is what the collection's profile service understands.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from .versions import NumberError, read_number

OPEN = "Open"
ABORTED = "Aborted"
PENDING = "Pending"
CUSTOM_PENDING = "Custom Pending"
ACQUIRED = "Acquired"
UNAVAILABLE = "Unavailable"
STATES = (OPEN, ABORTED, PENDING, CUSTOM_PENDING, ACQUIRED, UNAVAILABLE)

FINAL = (ABORTED, ACQUIRED)
"""States in which the service is not asked any more; only a factory reset leads out."""

_NEW_HOST_SINCE = (11, 2, 1)
_TRANSITIONS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "dhcp": ((OPEN, PENDING, CUSTOM_PENDING, UNAVAILABLE), ABORTED),
    "asked": ((OPEN, PENDING, CUSTOM_PENDING, UNAVAILABLE), PENDING),
    "redirected": ((PENDING,), CUSTOM_PENDING),
    "unknown": ((PENDING,), UNAVAILABLE),
    "fetched": ((CUSTOM_PENDING,), ACQUIRED),
    "set up": ((OPEN, PENDING, CUSTOM_PENDING, UNAVAILABLE), ABORTED),
    "reset": (STATES, OPEN),
}
EVENTS = tuple(_TRANSITIONS)
"""dhcp: DHCP led to the profile; asked, redirected, unknown: the service was, and answered a URL or nothing; fetched: what that URL
leads to; set up: by hand; reset: to factory settings."""


def advance(state: str, event: str) -> str:
    """Return the state after an event; one that cannot happen in a state leaves it."""
    before, after = _TRANSITIONS[event]
    return after if state in before else state


def service_host(hosts: tuple[str, ...], version: str) -> str:
    """Return the maker's host for a firmware version; empty where the family has none."""
    if len(hosts) < 2:
        return hosts[0] if hosts else ""
    return hosts[0] if _release(version) >= _NEW_HOST_SINCE else hosts[1]


def _release(version: str) -> tuple[int, ...]:
    try:
        key = read_number(version).key[0]
    except NumberError:
        return _NEW_HOST_SINCE
    return tuple(part[0] for part in key) if isinstance(key, tuple) else (int(key),)


def request_url(service: str, mac: str, model: str) -> str:
    """Return the URL that asks *service* whose unit this is."""
    return f"{service}{'&' if '?' in service else '?'}{urlencode({'mac': mac, 'model': model})}"
