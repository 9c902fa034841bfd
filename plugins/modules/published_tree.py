# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Target side of publishing: look at the live generation, or install a new one."""

from __future__ import annotations

DOCUMENTATION = r"""
module: published_tree
short_description: Look at or replace a folder that is published whole
description:
  - Looks at the live generation of a published folder, installs a new one from an archive and makes it live by swapping one
    symbolic link, or goes back to the one before. What did not change is hard-linked.
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
  state:
    description:
      - V(present) looks at the folder, or installs O(archive).
      - V(previous) makes the generation live that was live before the newest one was made; doing it twice goes back once.
    type: str
    default: present
    choices: [present, previous]
  archive:
    description:
      - Archive of what is new, on the target, encrypted with O(archive_key). Without it the module only looks.
    type: path
  archive_key:
    description:
      - Key of the archive, or of the contents that are returned, made for this one transfer.
    type: str
  contents:
    description:
      - Paths of live files whose contents are to be returned, encrypted with O(archive_key).
    type: list
    elements: str
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
- name: Go back to what was published before
  voip.preprovision.published_tree:
    path: /srv/preprovision
    state: previous
"""

RETURN = r"""
generation:
  description:
    - Name of the live generation; empty when nothing is published yet.
    - In check mode, what O(state=previous) would make live, or what is live while O(archive) would take its place.
  returned: success
  type: str
  sample: "000042"
live:
  description: What is live, packed for M(voip.preprovision.profiles). One text, since Ansible is slow with many items.
  returned: when O(state=present), without O(archive) and O(contents)
  type: str
contents:
  description: Contents of files, encrypted with O(archive_key), as base64. Files that are not there are left out.
  returned: when O(contents) is set
  type: str
"""

import base64
import io
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.voip.preprovision.plugins.module_utils.published_tree import PublishedTree, TreeError
from ansible_collections.voip.preprovision.plugins.module_utils.sealing import SealingError
from ansible_collections.voip.preprovision.plugins.module_utils.transfer import EncryptedReader, pack_contents

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "path": {"type": "path", "required": True},
    "groups": {"type": "dict", "default": {}},
    "state": {"type": "str", "default": "present", "choices": ["present", "previous"]},
    "archive": {"type": "path"},
    "archive_key": {"type": "str", "no_log": True},
    "contents": {"type": "list", "elements": "str"},
    "keep": {"type": "int", "default": 2},
}


_BUFFER = 65536


def run(parameters: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Do what is asked for; return the module's result, or raise TreeError."""
    tree = PublishedTree(parameters["path"], parameters["groups"])
    if parameters["state"] == "previous":
        name, changed = tree.previous(dry=check_mode)
        return {"changed": changed, "generation": name}
    if parameters["contents"] is not None:
        packed = pack_contents(tree.contents(parameters["contents"]), parameters["archive_key"])
        return {"changed": False, "generation": tree.live_name(), "contents": base64.b64encode(packed).decode()}
    if parameters["archive"] is None:
        return {"changed": False, "generation": tree.live_name(), "live": base64.b64encode(tree.inspect()).decode()}
    if check_mode:
        return {"changed": True, "generation": tree.live_name()}
    with open(parameters["archive"], "rb") as file:
        stream = io.BufferedReader(EncryptedReader(file, parameters["archive_key"].encode()), _BUFFER)
        return {"changed": True, "generation": tree.install(stream, parameters["keep"])}


def main() -> None:
    """Wiring."""
    module = AnsibleModule(
        argument_spec=ARGUMENT_SPEC,
        supports_check_mode=True,
        required_by={"archive": ("archive_key",), "contents": ("archive_key",)},
        mutually_exclusive=[("archive", "contents")],
    )
    try:
        module.exit_json(**run(module.params, module.check_mode))
    except (TreeError, SealingError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
