# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the firmware_tree module; its code runs on the controller, as the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: firmware_tree
short_description: Serve firmware images of a catalogue, verified and whole
description:
  - Verifies each image on the controller (size, SHA-256, and what a package holds), sends those that the target does not have,
    verifies them there again, unpacks packages, and then serves all of them in one step. Until then the old ones are served.
  - Images that the catalogue does not name any more are removed. Nothing is sent that is there already.
  - A package is a C(.zip) file. One that holds paths outside itself, absolute paths, links, encrypted parts, two parts of one
    name, or more than O(limit) bytes is refused before anything is sent.
  - Each file is served under its own name and in small letters, since TFTP knows no other, and with C(ATA19x) and C(ATA19X).
version_added: 0.1.0
author:
  - voip.preprovision contributors (@voip-preprovision)
options:
  path:
    description:
      - Published folder of profiles on the target; images lie in C(firmware) below it.
    type: path
    default: /srv/preprovision
  images:
    description:
      - The catalogue. An entry has C(file) (path on the controller, or URL), C(sha256), C(version) as the phone's C($SWVER)
        says it, and C(models) or C(family). If wanted also C(hardware), C(minimum), C(size), and for packages C(load), which
        the guide to firmware explains.
    type: list
    elements: dict
    default: []
  families:
    description:
      - Product families of your own, or corrections of known ones, by name.
    type: dict
    default: {}
  state:
    description:
      - V(present) serves the images. V(checked) looks at those that are on the controller, and changes nothing.
    type: str
    default: present
    choices: [present, checked]
  limit:
    description:
      - Bytes that the parts of one package may have together.
    type: int
    default: 2147483648
  cache:
    description:
      - Folder on the controller that images with a URL are downloaded to.
    type: path
    default: ~/.cache/voip-preprovision/firmware
attributes:
  check_mode:
    support: full
    description: Can run in C(check_mode) and return changed status without changing anything.
  diff_mode:
    support: full
    description: Names the images that come and go.
  action:
    support: full
    description: Verifies and sends files of the controller.
"""

EXAMPLES = r"""
- name: Serve two images, one of which is a step to the other
  voip.preprovision.firmware_tree:
    images:
      - file: firmware/spa50x-30x-7-5-2b.bin
        sha256: 0cc175b9c0f1b6a831c399e2697726610cc175b9c0f1b6a831c399e269772661
        version: 7.5.2b
        models: [SPA504G]
      - file: firmware/spa50x-30x-7-6-2.bin
        sha256: 92eb5ffee6ae2fec3ad71c777531578f92eb5ffee6ae2fec3ad71c777531578f
        version: 7.6.2
        models: [SPA504G]
        minimum: 7.5.2b
"""

RETURN = r"""
sent:
  description: Names of the images that were (in check mode, would be) sent.
  returned: when O(state=present)
  type: list
  elements: str
removed:
  description: Names of the images that went.
  returned: when O(state=present)
  type: list
  elements: str
"""
