# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Make a station the machine again that it was."""

from __future__ import annotations

DOCUMENTATION = r"""
module: station_teardown
short_description: Make a station the machine again that it was
description:
  - Stops and removes units, purges the packages that roles have installed and those that these have drawn in, removes files, users,
    the bridge and the fence, and puts back files, packages and units that were there before.
  - Keys, certificates, phones' files and the database are written over before they are removed.
  - What was there before it became a station is known from M(voip.preprovision.station_before); where nobody wrote it down,
    packages and their files stay.
version_added: 0.1.0
author:
  - voip.preprovision contributors (@voip-preprovision)
options:
  also:
    description:
      - Files and folders that the inventory has put elsewhere. They are written over and removed, too.
    type: list
    elements: path
    default: []
attributes:
  check_mode:
    support: full
    description: Can run in C(check_mode) and return changed status without changing anything.
  diff_mode:
    support: none
    description: Returns no diff.
"""

EXAMPLES = r"""
- name: Make the machine again what it was
  voip.preprovision.station_teardown: {}
"""

RETURN = r"""
removed:
  description: What goes, in words.
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

from ..module_utils.teardown import Teardown, TeardownError

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "also": {"type": "list", "elements": "path", "default": []},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    told: list[str] = []
    try:
        teardown = Teardown(module.params["also"])
        told = teardown.told()
        if not module.check_mode:
            teardown.run()
    except TeardownError as error:
        module.fail_json(msg=f"{error}; run it again when that is mended" if told else str(error))
    except OSError as error:
        module.fail_json(msg=f"{error.filename}: {error.strerror}; run it again when that is mended")
    module.exit_json(changed=True, removed=told, stays=teardown.stays)


if __name__ == "__main__":
    main()
