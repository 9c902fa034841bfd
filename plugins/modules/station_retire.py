# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Remove what earlier releases left on a station."""

from __future__ import annotations

DOCUMENTATION = r"""
module: station_retire
short_description: Remove units and files that earlier releases left on a station
description:
  - "Internal: the playbook C(station) and the role C(bench) upgrade a station with it."
  - Stops retired units without running their stop commands, because the units that replace them may use the same resources.
version_added: 0.1.0
author:
  - voip.preprovision contributors (@voip-preprovision)
options:
  roles:
    description:
      - Remove the retired units and files of these roles; of all if empty.
    type: list
    elements: str
    default: []
  sockets_only:
    description:
      - Only stop retired sockets and their services, to free their ports, and remove nothing.
    type: bool
    default: false
extends_documentation_fragment:
  - voip.preprovision.attributes
"""

EXAMPLES = r"""
- name: Remove what earlier releases left
  voip.preprovision.station_retire: {}
"""

RETURN = r"""
retired:
  description: Retired unit files and paths that were found.
  returned: success
  type: list
  elements: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.station.retirement import RetirementError, find_retired, retire, stop_retired_sockets

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "roles": {"type": "list", "elements": "str", "default": []},
    "sockets_only": {"type": "bool", "default": False},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    roles = module.params["roles"]
    found = find_retired(roles)
    try:
        if found and not module.check_mode:
            (stop_retired_sockets if module.params["sockets_only"] else retire)(roles)
    except RetirementError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{error.filename}: {error.strerror}")
    module.exit_json(changed=bool(found), retired=found)


if __name__ == "__main__":
    main()
