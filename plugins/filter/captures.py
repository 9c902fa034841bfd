# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters about captured packets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.voip.preprovision.plugins.module_utils.common.mac import Mac, MacError, parse_mac
from ansible_collections.voip.preprovision.plugins.module_utils.station import capture_summary as captures


def _mac(value: object) -> Mac:
    try:
        return parse_mac(value)
    except MacError as error:
        raise AnsibleFilterError(f"phone: {error}; or name a phone of the inventory that has phone_mac") from error


def capture_plan(phone: object, since: float | None = None) -> dict[str, Any]:
    """Return the capture filters for one phone and the arguments of tshark."""
    mac = _mac(phone)
    return {
        "mac": mac.colon,
        "name": mac.plain,
        "record": captures.record_filter(mac),
        "select": captures.phone_filter(mac, since),
        "tshark": ["-Y", captures.SHOWN, "-T", "json", *(part for name in captures.FIELDS for part in ("-e", name))],
    }


def capture_summary(text: str, phone: object) -> list[str]:
    """Return the summary of captured packets, one line per packet."""
    try:
        return captures.summarize(text, _mac(phone))
    except captures.CaptureError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"capture_plan": capture_plan, "capture_summary": capture_summary}
