# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Target side of managed_files."""

from __future__ import annotations

DOCUMENTATION = r"""
module: managed_files_apply
short_description: Make accounts, code, files and units of a host what a plan says
description:
  - "Internal: M(voip.preprovision.managed_files) runs it on the target; not meant for playbooks."
version_added: 0.1.0
author:
  - voip.preprovision contributors (@voip-preprovision)
options:
  plan:
    description:
      - The plan as JSON. It may hold passwords, and is too long for a log.
    type: str
    required: true
  archives:
    description:
      - Archives of code on the target, by the symbolic link that will lead to the code.
    type: dict
    default: {}
attributes:
  check_mode:
    support: full
    description: Can run in C(check_mode) and return changed status without changing anything.
  diff_mode:
    support: full
    description: Returns what differs, except the content of files that hold secrets.
"""

EXAMPLES = r"""
- name: Make a host what a plan says
  voip.preprovision.managed_files_apply:
    plan: '{"accounts": [], "trees": [], "files": [], "checks": [], "units": []}'
"""

RETURN = r"""
changes:
  description: A line for each change.
  returned: success
  type: list
  elements: str
needed:
  description: Links whose code is not there; nothing was changed.
  returned: success
  type: list
  elements: str
"""

import zipfile
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.station.managed.apply import Host, locked
from ..module_utils.station.managed.files import ManagedFileError
from ..module_utils.station.managed.plan import from_json

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "plan": {"type": "str", "required": True, "no_log": True},
    "archives": {"type": "dict", "default": {}},
}


def main() -> None:
    """Wiring."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        with locked():
            host = Host(from_json(module.params["plan"]), module.params["archives"])
            report = host.predict() if module.check_mode else host.apply()
    except FileNotFoundError as error:
        module.fail_json(msg=f"{error.filename} does not exist")
    except (OSError, zipfile.BadZipFile, ManagedFileError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**report.to_result(module._diff))


if __name__ == "__main__":
    main()
