# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Target side of serving firmware: look at what is stored, take an image, serve a set of them."""

from __future__ import annotations

DOCUMENTATION = r"""
module: firmware_store
short_description: Look at or change the images that are served
description:
  - Tells which images are stored whole and which are served, stores one that has been sent, or serves those named and no others.
  - M(voip.preprovision.firmware_tree) uses this module on the target; it is of little use by itself.
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
      - SHA-256 of each image that shall be served.
    type: list
    elements: str
    default: []
  add:
    description:
      - An image that has been sent. It is stored, and not served yet.
    type: dict
    suboptions:
      digest:
        description:
          - SHA-256 of it.
        type: str
        required: true
      name:
        description:
          - Name of its file.
        type: str
        required: true
      pieces:
        description:
          - Files on the target that it has come in, in their order. They are removed.
        type: list
        elements: path
        required: true
      package:
        description:
          - Whether it is unpacked.
        type: bool
        default: false
      most:
        description:
          - Bytes that its parts may have.
        type: int
        required: true
  publish:
    description:
      - Whether to serve the images O(digests), and remove all others.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    description: Can run in C(check_mode) and return changed status without changing anything.
  diff_mode:
    support: none
    description: Returns no diff.
"""

EXAMPLES = r"""
- name: Tell which images are stored
  voip.preprovision.firmware_store:
    path: /srv/preprovision
"""

RETURN = r"""
stored:
  description: Of each image of O(digests) that is stored whole, by its SHA-256, C(name) and C(files) (name, then size and SHA-256).
  returned: when it looks
  type: dict
all:
  description: Name of each image that is there, by its SHA-256.
  returned: when it looks
  type: dict
serves:
  description: Whether the images of O(digests) and no others are served.
  returned: when it looks
  type: bool
free:
  description: Bytes that are free where images are stored.
  returned: when it looks
  type: int
free_on_arrival:
  description: Bytes that are free where files arrive.
  returned: when it looks
  type: int
apart:
  description: Whether these are two file systems.
  returned: when it looks
  type: bool
"""

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.voip.preprovision.plugins.module_utils.firmware_store import Arriving, FirmwareStore, StoreError

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
            "most": {"type": "int", "required": True},
        },
    },
    "publish": {"type": "bool", "default": False},
}


def look(store: FirmwareStore, digests: list[str], arrival: str) -> dict[str, Any]:
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
    """Wiring."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True, mutually_exclusive=[("add", "publish")])
    parameters = module.params
    store = FirmwareStore(parameters["path"])
    try:
        if not parameters["add"] and not parameters["publish"]:
            module.exit_json(changed=False, **look(store, parameters["digests"], module.tmpdir))
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
