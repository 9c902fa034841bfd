# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Lookup for all roles: the names and kinds of a role's own variables."""

from __future__ import annotations

DOCUMENTATION = r"""
name: check_role
author: voip.preprovision contributors (@voip-preprovision)
version_added: 0.1.0
short_description: Check the names and kinds of a role's variables
description:
  - "Internal: each role checks its own variables with it, which costs no task. The module
    M(voip.preprovision.check_variables) checks those of all roles at once."
  - Returns nothing, and fails with one line for each mistake.
options:
  _terms:
    description: Name of the role.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Check the variables of a role
  ansible.builtin.assert:
    that: query('voip.preprovision.check_role', 'bench') | length == 0
"""

RETURN = r"""
_list:
  description: Always empty.
  type: list
  elements: str
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.voip.preprovision.plugins.plugin_utils.review_variables import role_faults


class LookupModule(LookupBase):
    def run(self, terms: Sequence[str], variables: Mapping[str, Any] | None = None, **_options: Any) -> list[str]:
        """Return nothing; raise AnsibleLookupError with one line for each mistake."""
        faults = [fault for role in terms for fault in role_faults(role, variables or {}, self._templar)]
        if faults:
            raise AnsibleLookupError("\n".join(faults))
        return []
