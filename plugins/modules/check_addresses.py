# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the check_addresses module; its code runs on the controller, as the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: check_addresses
short_description: Check that a machine has the addresses that a service listens on
description:
  - "Internal: the roles of the station's services use it before they install anything."
  - Fails with a sentence that names the variable, the missing addresses, those that the machine has, and what to do.
version_added: 0.1.0
author:
  - voip.preprovision contributors (@voip-preprovision)
options:
  addresses:
    description: For each variable, the list of its addresses on the bench. The loopback addresses are always there.
    type: dict
    required: true
  public:
    description: For each variable, the list of its addresses at which phones at home reach the machine.
    type: dict
    default: {}
attributes:
  action:
    support: full
    description: Runs on the controller, and asks the module M(ansible.builtin.setup) for the machine's addresses.
extends_documentation_fragment:
  - voip.preprovision.attributes
"""

EXAMPLES = r"""
- name: Check that the machine has the address
  voip.preprovision.check_addresses:
    addresses:
      web_server_address: [192.0.2.1]
"""

RETURN = r"""
# Nothing besides what all modules return.
"""
