# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Target side of firmware_tree: report, store and publish images."""

from __future__ import annotations

DOCUMENTATION = r"""
module: firmware_store
short_description: Report, store or publish firmware images
description:
  - "Internal: M(voip.preprovision.firmware_tree) runs it on the target; not meant for playbooks."
  - Reports which images are complete and which are served, stores an image that was sent, or serves exactly the given images.
version_added: 0.1.0
author:
  - voip.preprovision contributors (@voip-preprovision)
options:
  path:
    description:
      - Published folder of profiles; images lie in C(firmware) below it.
    type: path
    required: true
  digests:
    description:
      - SHA-256 of each image to be served.
    type: list
    elements: str
    default: []
  add:
    description:
      - An image that was sent. It is stored but not served yet.
    type: dict
    suboptions:
      digest:
        description:
          - Its SHA-256.
        type: str
        required: true
      name:
        description:
          - Its file name.
        type: str
        required: true
      pieces:
        description:
          - Files on the target that make up the image, in order. They are removed.
        type: list
        elements: path
        required: true
      package:
        description:
          - Whether to unpack it.
        type: bool
        default: false
      max_bytes:
        description:
          - Maximum size of a package's parts together.
        type: int
        required: true
  publish:
    description:
      - Whether to serve exactly the images in O(digests) and remove all others.
    type: bool
    default: false
extends_documentation_fragment:
  - voip.preprovision.attributes
"""

EXAMPLES = r"""
- name: Report which images are stored
  voip.preprovision.firmware_store:
    path: /srv/preprovision
"""

RETURN = r"""
stored:
  description: The complete images of O(digests) by SHA-256, each with C(name) and C(files) (name, then size and SHA-256).
  returned: without O(add) and O(publish)
  type: dict
all:
  description: Names of all stored images by SHA-256.
  returned: without O(add) and O(publish)
  type: dict
serves:
  description: Whether exactly the images of O(digests) are served.
  returned: without O(add) and O(publish)
  type: bool
free:
  description: Free bytes where images are stored.
  returned: without O(add) and O(publish)
  type: int
free_on_arrival:
  description: Free bytes where files arrive.
  returned: without O(add) and O(publish)
  type: int
apart:
  description: Whether these are different file systems.
  returned: without O(add) and O(publish)
  type: bool
"""

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.voip.preprovision.plugins.module_utils.firmware.store import Arriving, FirmwareStore, StoreError

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "path": {"type": "path", "required": True},
    "digests": {"type": "list", "elements": "str", "default": []},
    "add": {
        "type": "dict",
        "options": {
            "digest": {"type": "str", "required": True},
            "name": {"type": "str", "required": True},
            "pieces": {"type": "list", "elements": "path", "required": True},
            "package": {"type": "bool", "default": False},
            "max_bytes": {"type": "int", "required": True},
        },
    },
    "publish": {"type": "bool", "default": False},
}


def report(store: FirmwareStore, digests: list[str], arrival: str) -> dict[str, Any]:
    """Return what is stored and served; *arrival*: folder that files are sent to."""
    stored = {digest: found for digest in digests if (found := store.stored(digest))}
    free, device = store.space()
    there = os.statvfs(arrival)
    return {
        "stored": {digest: found._asdict() for digest, found in stored.items()},
        "all": store.all(),
        "serves": len(stored) == len({*digests}) and store.serves(stored),
        "free": free,
        "free_on_arrival": there.f_bavail * there.f_frsize,
        "apart": os.stat(arrival).st_dev != device,
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True, mutually_exclusive=[("add", "publish")])
    parameters = module.params
    store = FirmwareStore(parameters["path"])
    try:
        if not parameters["add"] and not parameters["publish"]:
            module.exit_json(changed=False, **report(store, parameters["digests"], module.tmpdir))
        if not module.check_mode:
            if parameters["add"]:
                store.add(Arriving(**parameters["add"]))
            else:
                store.publish(parameters["digests"])
        module.exit_json(changed=True)
    except (StoreError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
