# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Write down what a machine is before it becomes a station."""

from __future__ import annotations

DOCUMENTATION = r"""
module: station_before
short_description: Write down what a machine was before it became a station
description:
  - Writes down packages, users, units, links and the files that roles replace, once. What was written stays, whatever the machine
    becomes.
  - M(voip.preprovision.station_teardown) makes it that again.
version_added: 0.1.0
author:
  - voip.preprovision contributors (@voip-preprovision)
options:
  packages:
    description:
      - Packages that will be installed beside those that the roles of a station install.
    type: list
    elements: str
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
- name: Write down what the machine was before it became a station
  voip.preprovision.station_before: {}
"""

RETURN = r"""
path:
  description: Where it is written.
  returned: success
  type: str
"""

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.before import look, write
from ..module_utils.belongings import BEFORE

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "packages": {"type": "list", "elements": "str", "default": []},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    changed = not os.path.exists(BEFORE)
    if changed and not module.check_mode:
        try:
            write(BEFORE, look(module.params["packages"]))
        except OSError as error:
            module.fail_json(msg=f"{error.filename}: {error.strerror}; so nobody could make this machine again what it was")
    module.exit_json(changed=changed, path=BEFORE)


if __name__ == "__main__":
    main()
