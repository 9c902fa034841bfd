# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the check_report module; its code runs on the controller, as the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: check_report
short_description: Print the table of the playbook check, and fail if a step has failed
description:
  - "Internal: used by the playbook C(check); not meant for other playbooks, which have the filters
    P(voip.preprovision.check_table#filter) and P(voip.preprovision.check_failures#filter)."
  - Prints lines as they are, whatever callback plugin shows the results of tasks. Each cause stands below the table, and the
    message of the failure only names the steps.
version_added: 0.1.0
author:
  - voip.preprovision contributors (@voip-preprovision)
options:
  emulated:
    description:
      - The result of M(voip.preprovision.emulated_phone), which may have failed.
    type: dict
    required: true
  seen:
    description:
      - The result of M(voip.preprovision.phone_facts) for the same phones.
    type: dict
    required: true
  left:
    description:
      - What could not be removed afterwards, as M(voip.preprovision.check_phones) returns it.
    type: list
    elements: str
    default: []
  checked:
    description:
      - The result of M(voip.preprovision.check_phones) that made the phones, with the C(names) that the station serves or resolves.
    type: dict
    default: {}
attributes:
  action:
    support: full
    description: Runs on the controller, without a connection to the host.
extends_documentation_fragment:
  - voip.preprovision.attributes
"""

EXAMPLES = r"""
- name: Show the result
  voip.preprovision.check_report:
    emulated: "{{ booted }}"
    seen: "{{ seen }}"
"""

RETURN = r"""
# Nothing besides what all modules return.
"""
