# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Remove the DHCP server that a station does not use any more."""

from __future__ import annotations

DOCUMENTATION = r"""
module: dhcp_server_removed
short_description: Remove the DHCP server that a station does not use any more
description:
  - "Internal: the role P(voip.preprovision.dhcp_server#role) uses it when it changes from ISC DHCP to Kea or back."
  - Purges its package and what only that needed, and removes its files and its user. Its unit must have stopped, and the other
    server must have its leases.
version_added: 0.1.0
author:
  - voip.preprovision contributors (@voip-preprovision)
options:
  server:
    description:
      - The server that goes.
    type: str
    choices: [isc, kea]
    required: true
extends_documentation_fragment:
  - voip.preprovision.attributes
"""

EXAMPLES = r"""
- name: Remove ISC DHCP
  voip.preprovision.dhcp_server_removed:
    server: isc
"""

RETURN = r"""
removed:
  description: A line for each thing.
  returned: success
  type: list
  elements: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.station.dhcp_servers import remove_server

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {"server": {"type": "str", "choices": ["isc", "kea"], "required": True}}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    try:
        removed = remove_server(module.params["server"], module.check_mode)
    except ValueError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{error.filename}: {error.strerror}")
    module.exit_json(changed=bool(removed), removed=removed)


if __name__ == "__main__":
    main()
