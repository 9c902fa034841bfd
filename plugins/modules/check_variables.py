# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the check_variables module; its code runs on the controller, as the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: check_variables
short_description: Check the names and kinds of the variables that a host has for a playbook
description:
  - "Internal: every playbook and every role runs it first. Add it to playbooks of your own that run several roles, so that nothing
    changes if the variables of the last one are wrong."
  - Refuses a variable that begins with the name of a role but is none of its variables, such as C(bench_port) for C(bench_ports),
    text where a role needs a list or a mapping, a variable that uses an undefined C(vault_...) variable, and a missing variable
    that the playbook needs.
  - Warns of a variable that is spelt almost like one of this collection, of one that begins with C(phone_), C(firmware_) or
    C(certificates_) and may be your own, and of a station without an operator of its board.
  - For a role, checks only the names that begin with the role's, the kinds of its lists and mappings, and whether the variables are
    set that its defaults are derived from, such as C(bench_address).
  - Variables with a leading underscore, registered results, facts, and variables of Ansible itself are not looked at. Phones'
    variables are checked when their profiles are.
version_added: 0.1.0
author:
  - voip.preprovision contributors (@voip-preprovision)
options:
  playbook:
    description:
      - Name of the playbook whose variables are needed. C(site) is the one for a playbook of your own that sets up a station.
      - Either this or O(role) is required.
    type: str
  role:
    description:
      - Name of the role whose variables are needed, without that of the collection.
    type: str
    version_added: 0.1.0
attributes:
  action:
    support: full
    description: Runs on the controller, without a connection to the host.
extends_documentation_fragment:
  - voip.preprovision.attributes
"""

EXAMPLES = r"""
- name: Check the variables before anything changes
  voip.preprovision.check_variables:
    playbook: site
"""

RETURN = r"""
# Nothing besides what all modules return.
"""
