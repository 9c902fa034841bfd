# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Gather facts about a host for the station's roles."""

from __future__ import annotations

DOCUMENTATION = r"""
module: station_state
short_description: Gather the facts about a host that a station's roles need
description:
  - "Internal: playbooks gather it once for all roles, in C(playbooks/tasks/host_state.yml)."
  - Takes a tenth of the time of M(ansible.builtin.package_facts) and M(ansible.builtin.service_facts).
version_added: 0.1.0
author:
  - voip.preprovision contributors (@voip-preprovision)
options:
  only_clock:
    description:
      - Whether to return RV(clock_can_be_set) alone.
    type: bool
    default: false
extends_documentation_fragment:
  - voip.preprovision.attributes
"""

EXAMPLES = r"""
- name: Gather installed packages and active services
  voip.preprovision.station_state: {}
  register: host
"""

RETURN = r"""
installed_packages:
  description: Names of the packages that are installed.
  returned: success
  type: list
  elements: str
active_units:
  description: Services that are active now and enabled for the next boot.
  returned: success
  type: list
  elements: str
dpkg_interrupted:
  description: Whether apt would refuse to work until dpkg has finished what it was doing when it was interrupted.
  returned: success
  type: bool
clock_can_be_set:
  description: Whether services can set the clock, which those of most containers cannot.
  returned: success
  type: bool
retired:
  description: Unit files and paths that an earlier release of this collection left.
  returned: success
  type: list
  elements: str
"""

import subprocess
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.station.host_state import can_set_clock, read_host_state

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {"only_clock": {"type": "bool", "default": False}}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    if module.params["only_clock"]:
        module.exit_json(changed=False, clock_can_be_set=can_set_clock())
    try:
        state = read_host_state()
    except FileNotFoundError as error:
        module.fail_json(msg=f"{error.filename} is missing; a station needs Debian with systemd")
    except subprocess.CalledProcessError as error:
        module.fail_json(msg=f"{' '.join(error.cmd[:2])}: {error.stderr.strip()}")
    module.exit_json(changed=False, **state._asdict())


if __name__ == "__main__":
    main()
