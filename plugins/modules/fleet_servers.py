# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the fleet_servers module; its code runs on the controller, as the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fleet_servers
short_description: Check that provisioning servers can share a name
description:
  - "Internal: the playbook C(provisioning_server) runs it before it changes a server."
  - Refuses servers without an address or with one that their machine does not have, two servers with one address, more addresses of
    a name than phones try, and servers of one name with different keys or certificates.
  - Resolves the name on the controller, and says if it leads to other addresses than those of the servers.
version_added: 0.1.0
author:
  - voip.preprovision contributors (@voip-preprovision)
options:
  servers:
    description:
      - Inventory names of all servers, also of those that do not answer.
    type: list
    elements: str
    required: true
  records:
    description:
      - What to do if a name leads to other addresses than those of its servers. A name that does not resolve yet is accepted.
    type: str
    choices: [warn, error, ignore]
    default: warn
attributes:
  action:
    support: full
    description: Runs on the controller, without a connection to the host.
extends_documentation_fragment:
  - voip.preprovision.attributes
"""

EXAMPLES = r"""
- name: Check the servers before anything changes
  voip.preprovision.fleet_servers:
    servers: "{{ groups['provisioning_servers'] }}"
  run_once: true
"""

RETURN = r"""
# Nothing besides what all modules return.
"""
