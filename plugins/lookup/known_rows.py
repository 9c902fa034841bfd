# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Lookup for the role dhcp_server: the phones of a file of rows."""

from __future__ import annotations

DOCUMENTATION = r"""
name: known_rows
author: voip.preprovision contributors (@voip-preprovision)
version_added: 0.1.0
short_description: Turn rows into the known phones of a DHCP server
description:
  - "Internal: the role P(voip.preprovision.dhcp_server#role) reads C(phone_profiles_rows) with it."
  - Leaves out rows without a valid MAC address, and all but the last row of each; the role
    P(voip.preprovision.phone_profiles#role) refuses such a file, with all its mistakes.
  - Of a file with more than 20000 rows, only the last 20000 count.
options:
  _terms:
    description: File on the controller or URL of a database, as in O(voip.preprovision.profiles#module:rows).
    type: list
    elements: str
    required: true
  query:
    description: As in O(voip.preprovision.profiles#module:query).
    type: str
    default: ""
  rows_password:
    description: As in O(voip.preprovision.profiles#module:rows_password).
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Show what the DHCP server knows of the phones
  ansible.builtin.debug:
    msg: "{{ query('voip.preprovision.known_rows', 'phones.csv') }}"
"""

RETURN = r"""
_list:
  description: >-
    For each phone its C(name), which is the MAC address with hyphens, its C(mac), and C(address) if the phone has C(phone_address).
  type: list
  elements: dict
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.voip.preprovision.plugins.module_utils.common.mac import MacError, parse_mac
from ansible_collections.voip.preprovision.plugins.module_utils.phones.rows import Row, RowsError
from ansible_collections.voip.preprovision.plugins.plugin_utils.phone_source import open_rows

MAX_KNOWN = 20_000
"""A run of site would need a minute more for 100,000, and no bench has so many phones at a time."""


class LookupModule(LookupBase):
    def run(
        self,
        terms: Sequence[str],
        variables: Mapping[str, Any] | None = None,
        query: str = "",
        rows_password: str = "",
        **_options: Any,
    ) -> list[dict[str, str]]:
        """Return the phones; raise AnsibleLookupError for a file that cannot be read."""
        try:
            options = {"query": query, "groups": {}, "rows_password": rows_password}
            return [
                phone
                for path in terms
                for phone in _known(open_rows({**options, "rows": str(path)}, self._loader, variables or {}))
            ]
        except RowsError as error:
            raise AnsibleLookupError(str(error)) from error


def _known(rows: Iterable[Row]) -> list[dict[str, str]]:
    known: dict[str, dict[str, str]] = {}
    # A file's last rows are those that were scanned last
    for row in deque(rows, MAX_KNOWN):
        try:
            mac = parse_mac(row.variables.get("phone_mac"))
        except MacError:
            continue
        address = row.variables.get("phone_address")
        phone = {"name": mac.dash, "mac": mac.colon}
        known[mac.plain] = {**phone, "address": str(address)} if address else phone
    return list(known.values())
