# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the fleet_report module; its code runs on the controller, as the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fleet_report
short_description: Print the table of the playbook fleet_check, and fail if a server has failed
description:
  - "Internal: used by the playbook C(fleet_check); not meant for other playbooks."
  - Prints lines as they are, whatever callback plugin shows the results of tasks. Each cause stands below the table, and the
    message of the failure only names the addresses.
version_added: 0.1.0
author:
  - voip.preprovision contributors (@voip-preprovision)
options:
  name:
    description:
      - Name under which phones reach the servers.
    type: str
    required: true
  servers:
    description:
      - Each server of the inventory, and the list of its addresses.
    type: dict
    required: true
  walks:
    description:
      - Results of M(voip.preprovision.emulated_phone) in a loop over addresses, which may have failed. An empty address is the walk
        by the name alone.
    type: list
    elements: dict
    required: true
  certificates:
    description:
      - Result of M(voip.preprovision.server_certificate_check) for the same addresses, or of a task that was skipped.
    type: dict
    default:
      skipped: true
attributes:
  action:
    support: full
    description: Runs on the controller, without a connection to the host.
extends_documentation_fragment:
  - voip.preprovision.attributes
"""

EXAMPLES = r"""
- name: Show the result
  voip.preprovision.fleet_report:
    name: prov.example.net
    servers:
      home-1: [203.0.113.1]
      home-2: [203.0.113.2]
    walks: "{{ walked.results }}"
"""

RETURN = r"""
# Nothing besides what all modules return.
"""
