# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Target side of publishing: look at the live generation, or install a new one."""

from __future__ import annotations

DOCUMENTATION = r"""
module: published_tree
short_description: Look at or replace a folder that is published whole
description:
  - Looks at the live generation of a published folder, or installs a new one from an archive and makes it live by swapping one
    symbolic link. What did not change is hard-linked.
  - M(voip.preprovision.profiles) uses this module on the target; it is of little use by itself.
version_added: 0.1.0
author:
  - voip.preprovision contributors (@voip-preprovision)
options:
  path:
    description:
      - The published folder. Its C(current) link names the live generation.
    type: path
    required: true
  groups:
    description:
      - First folder of a published path, and the group that alone may read what is below it. Everything else is for all to read.
    type: dict
    default: {}
  archive:
    description:
      - Archive of the new generation on the target, sealed with O(archive_key). Without it the module only looks.
    type: path
  archive_key:
    description:
      - Passphrase of the archive, made for this one transfer.
    type: str
  keep:
    description:
      - How many earlier generations stay on disk.
    type: int
    default: 2
attributes:
  check_mode:
    support: full
    description: Can run in C(check_mode) and return changed status without changing anything.
  diff_mode:
    support: none
    description: Returns no diff; M(voip.preprovision.profiles) does.
"""

EXAMPLES = r"""
- name: Look at what is published
  voip.preprovision.published_tree:
    path: /srv/preprovision
    groups:
      device: www-data
"""

RETURN = r"""
generation:
  description: Name of the live generation; empty when nothing is published yet.
  returned: success
  type: str
  sample: "000042"
files:
  description: Path and SHA-256 of each published file; an empty digest marks a file that somebody else changed.
  returned: when only looking
  type: dict
notes:
  description: What the publisher noted.
  returned: when only looking
  type: dict
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.voip.preprovision.plugins.module_utils.published_tree import PublishedTree, TreeError
from ansible_collections.voip.preprovision.plugins.module_utils.sealing import SealingError, unseal

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "path": {"type": "path", "required": True},
    "groups": {"type": "dict", "default": {}},
    "archive": {"type": "path"},
    "archive_key": {"type": "str", "no_log": True},
    "keep": {"type": "int", "default": 2},
}


def main() -> None:
    """Look, or install."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True, required_together=[("archive", "archive_key")])
    tree = PublishedTree(module.params["path"], module.params["groups"])
    try:
        if module.params["archive"] is None:
            live = tree.inspect()
            module.exit_json(changed=False, generation=live.name, files=live.files, notes=live.notes)
        if module.check_mode:
            module.exit_json(changed=True, generation=tree.inspect().name)
        with open(module.params["archive"], "rb") as file:
            archive = unseal(file.read(), module.params["archive_key"], "sha256")
        module.exit_json(changed=True, generation=tree.install(archive, module.params["keep"]))
    except (TreeError, SealingError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
