# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the firmware_tree module; its code runs on the controller, as the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: firmware_tree
short_description: Serve a catalogue of verified firmware images
description:
  - Verifies each image on the controller (size, SHA-256, and a package's contents), sends those that the target lacks, verifies
    them there again, unpacks packages, and then publishes all of them in one step. Until then the target serves the previous
    images.
  - Removes images that the catalogue no longer names. Never sends an image that the target already has.
  - A package is a C(.zip) file. Paths that lead out of it, absolute paths, links, encrypted parts, two parts with the same name, or
    more than O(limit) bytes make the module refuse it before anything is sent.
  - Each file is served under its own name and in lower case, since the TFTP server looks for lower-case names, and with both
    C(ATA19x) and C(ATA19X).
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
      - The catalogue. An entry has C(file) (path on the controller, or URL), C(sha256), C(version) as the phone reports it in
        C($SWVER), and C(models) or C(family). Optional are C(hardware), C(minimum) and C(size), and packages need C(load); the
        guide to firmware explains them.
    type: list
    elements: dict
    default: []
  families:
    description:
      - Your own product families and changes to the built-in ones, by name.
    type: dict
    default: {}
  state:
    description:
      - V(present) serves the images. V(checked) only verifies those that are on the controller.
    type: str
    default: present
    choices: [present, checked]
  limit:
    description:
      - Maximum size of one package's parts together, in bytes.
    type: int
    default: 2147483648
  cache:
    description:
      - Folder on the controller for downloaded images.
    type: path
    default: ~/.cache/voip-preprovision/firmware
attributes:
  check_mode:
    support: full
    description: Can run in C(check_mode) and return changed status without changing anything.
  diff_mode:
    support: full
    description: Lists the images that are added and removed.
  action:
    support: full
    description: Verifies and sends files from the controller.
"""

EXAMPLES = r"""
- name: Serve two images, the first a step to the second
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
  description: Names of the images that were (in check mode, would be) removed.
  returned: when O(state=present)
  type: list
  elements: str
"""
