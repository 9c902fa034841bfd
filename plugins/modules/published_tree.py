# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Target side of publishing: inspect the live generation, or install a new one."""

from __future__ import annotations

DOCUMENTATION = r"""
module: published_tree
short_description: Inspect or replace a folder that is published as a whole
description:
  - "Internal: M(voip.preprovision.profiles) runs it on the target; not meant for playbooks."
  - Inspects the live generation of a published folder, installs a new one from an archive and makes it live by swapping one
    symbolic link, or goes back to the previous one. Unchanged files are hard-linked.
version_added: 0.1.0
author:
  - voip.preprovision contributors (@voip-preprovision)
options:
  path:
    description:
      - Published folder. Its C(current) link names the live generation.
    type: path
    required: true
  groups:
    description:
      - First folder of a published path -> the only group that can read files below it. Everybody can read the rest.
    type: dict
    default: {}
  state:
    description:
      - V(present) inspects the folder, or installs O(archive).
      - V(previous) makes the generation before the newest one live; repeating it changes nothing more.
    type: str
    default: present
    choices: [present, previous]
  archive:
    description:
      - Archive of the changes, on the target, encrypted with O(archive_key). Without it the module only inspects the folder.
    type: path
  archive_key:
    description:
      - Key of the archive or of the returned contents, generated for this one transfer.
    type: str
  contents:
    description:
      - Paths of live files to return, encrypted with O(archive_key).
    type: list
    elements: str
  context:
    description:
      - Return what the live files were made of, if it has this hash of what all phones share.
      - The list of live files then names only damaged ones.
    type: str
    default: ''
  full:
    description:
      - Read all live files, also those that nobody has touched.
    type: bool
    default: false
  generation:
    description:
      - Return files of this live generation that have one of O(owners) or O(paths), without verifying them.
    type: str
  owners:
    description:
      - Phones and models whose files to return; all without this option.
    type: list
    elements: str
  paths:
    description:
      - Paths of files to return, whoever they are for.
    type: list
    elements: str
    default: []
  inputs_only:
    description:
      - O(archive) only replaces what the live files were made of.
    type: bool
    default: false
  keep:
    description:
      - Number of earlier generations to keep on disk.
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
- name: Go back to the previous generation
  voip.preprovision.published_tree:
    path: /srv/preprovision
    state: previous
"""

RETURN = r"""
generation:
  description:
    - Name of the live generation; empty if nothing is published yet.
    - In check mode, the generation that O(state=previous) would make live, or the one that O(archive) would replace.
  returned: success
  type: str
  sample: "000042"
live:
  description: The live files, packed for M(voip.preprovision.profiles) into one text, since Ansible is slow with many items.
  returned: when O(state=present), without O(archive) and O(contents)
  type: str
inputs:
  description: What the live files were made of, as base64; empty if it is not known or has another context.
  returned: as RV(live), without O(generation)
  type: str
contents:
  description: Contents of files, encrypted with O(archive_key), as base64. Missing files are left out.
  returned: when O(contents) is set
  type: str
"""

import base64
import io
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.voip.preprovision.plugins.module_utils.profiles.sealing.model import SealingError
from ansible_collections.voip.preprovision.plugins.module_utils.publishing.generations import PublishedTree, TreeError
from ansible_collections.voip.preprovision.plugins.module_utils.publishing.settings import ProfileKind
from ansible_collections.voip.preprovision.plugins.module_utils.publishing.transfer import EncryptedReader, pack_contents

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "path": {"type": "path", "required": True},
    "groups": {"type": "dict", "default": {}},
    "state": {"type": "str", "default": "present", "choices": ["present", "previous"]},
    "archive": {"type": "path"},
    "archive_key": {"type": "str", "no_log": True},
    "contents": {"type": "list", "elements": "str"},
    "context": {"type": "str", "default": ""},
    "full": {"type": "bool", "default": False},
    "generation": {"type": "str"},
    "owners": {"type": "list", "elements": "str"},
    "paths": {"type": "list", "elements": "str", "default": []},
    "inputs_only": {"type": "bool", "default": False},
    "keep": {"type": "int", "default": 2},
}


_BUFFER = 65536


def run(parameters: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Return the module's result; raise TreeError."""
    tree = PublishedTree(parameters["path"], parameters["groups"])
    if parameters["state"] == "previous":
        name, changed = tree.previous(dry=check_mode)
        return {"changed": changed, "generation": name}
    if parameters["contents"] is not None:
        packed = pack_contents(tree.contents(parameters["contents"]), parameters["archive_key"])
        return {"changed": False, "generation": tree.live_name(), "contents": base64.b64encode(packed).decode()}
    if parameters["generation"] is not None:
        return {"changed": False, "generation": parameters["generation"], "live": _text(_entries(tree, parameters))}
    if parameters["archive"] is None:
        found = tree.examine(parameters["context"], parameters["full"])
        if found.evidence and not check_mode:
            tree.keep_evidence(found.evidence)
        return {"changed": False, "generation": tree.live_name(), "live": _text(found.live), "inputs": _text(found.inputs)}
    if check_mode:
        return {"changed": True, "generation": tree.live_name()}
    with open(parameters["archive"], "rb") as file:
        stream = io.BufferedReader(EncryptedReader(file, parameters["archive_key"].encode()), _BUFFER)
        if parameters["inputs_only"]:
            tree.replace_inputs(stream)
            return {"changed": False, "generation": tree.live_name()}
        name = tree.install(stream, parameters["keep"])
    tree.take_evidence()
    return {"changed": True, "generation": name}


def _entries(tree: PublishedTree, parameters: dict[str, Any]) -> bytes:
    owners, paths = parameters["owners"], {*parameters["paths"]}
    if owners is None:
        return tree.entries(parameters["generation"], lambda _path, _file: True)
    wanted = {*owners}
    return tree.entries(
        parameters["generation"], lambda path, file: file.owner in wanted or file.kind == ProfileKind.BOOTSTRAP or path in paths
    )


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


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
