# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Undo everything the station roles changed on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: station_teardown
short_description: Undo everything the station roles changed on a host
description:
  - "Internal: the playbook teardown runs it."
  - Stops and removes units, purges the packages that roles have installed and their dependencies, removes files, users, the bridge
    and the firewall, and restores the files, packages and units that were there before. Files and units of earlier releases go too.
  - Keys, certificates, phones' files and the database are overwritten before they are removed.
  - M(voip.preprovision.station_baseline) has recorded the host's former state; without that record, packages and their files stay.
version_added: 0.1.0
author:
  - voip.preprovision contributors (@voip-preprovision)
options:
  also:
    description:
      - Files and folders that the inventory keeps elsewhere. They are overwritten and removed, too.
    type: list
    elements: path
    default: []
extends_documentation_fragment:
  - voip.preprovision.attributes
"""

EXAMPLES = r"""
- name: Undo everything the station roles changed
  voip.preprovision.station_teardown: {}
"""

RETURN = r"""
removed:
  description: What was removed or restored, for people.
  returned: success
  type: list
  elements: str
stays:
  description: What stays, and why.
  returned: success
  type: list
  elements: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.station.teardown import Teardown, TeardownError

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "also": {"type": "list", "elements": "path", "default": []},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    summary: list[str] = []
    try:
        teardown = Teardown(module.params["also"])
        summary = teardown.summary()
        if not module.check_mode:
            teardown.run()
    except TeardownError as error:
        module.fail_json(msg=f"{error}; fix that and run it again" if summary else str(error))
    except OSError as error:
        module.fail_json(msg=f"{error.filename}: {error.strerror}; fix that and run it again")
    module.exit_json(changed=True, removed=summary, stays=teardown.stays)


if __name__ == "__main__":
    main()
