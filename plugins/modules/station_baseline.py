# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Record a host's state before it becomes a station."""

from __future__ import annotations

DOCUMENTATION = r"""
module: station_baseline
short_description: Record a host's state before it becomes a station
description:
  - "Internal: the playbooks run it before the roles change anything."
  - Records packages, users, units, links and the files that roles replace. The record is made once and never overwritten.
  - M(voip.preprovision.station_teardown) restores that state.
  - An earlier release's record, C(before.json), is renamed.
version_added: 0.1.0
author:
  - voip.preprovision contributors (@voip-preprovision)
options:
  packages:
    description:
      - Packages that will be installed besides those of a station's roles.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - voip.preprovision.attributes
"""

EXAMPLES = r"""
- name: Record the host's state before it becomes a station
  voip.preprovision.station_baseline: {}
"""

RETURN = r"""
path:
  description: File that holds the record.
  returned: success
  type: str
"""

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.station.baseline import adopt_earlier, needs_adoption, take_baseline, write_baseline
from ..module_utils.station.footprint import BASELINE, EARLIER_BASELINE

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "packages": {"type": "list", "elements": "str", "default": []},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    changed = not os.path.exists(BASELINE) or needs_adoption(EARLIER_BASELINE, BASELINE)
    if changed and not module.check_mode:
        try:
            if not adopt_earlier(EARLIER_BASELINE, BASELINE):
                write_baseline(BASELINE, take_baseline(module.params["packages"]))
        except OSError as error:
            module.fail_json(msg=f"{error.filename}: {error.strerror}; without this record, teardown could not restore the host")
    module.exit_json(changed=changed, path=BASELINE)


if __name__ == "__main__":
    main()
