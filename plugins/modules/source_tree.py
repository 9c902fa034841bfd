# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the source_tree module; its code runs on the controller, as the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: source_tree
short_description: Bring a folder of Python code in one transfer
description:
  - Brings a folder of Python code to the target in one archive, compiles it there, and swaps the
    symbolic link O(path), so that a program that starts sees all of it or nothing of it.
  - Nothing is sent when the target has it already.
version_added: 0.1.0
author:
  - voip.preprovision contributors (@voip-preprovision)
options:
  src:
    description:
      - Folder on the controller.
    type: path
    required: true
  parts:
    description:
      - More folders on the controller, by the name that each has within the code.
    type: dict
    default: {}
  path:
    description:
      - Symbolic link on the target that leads to the code. What it leads to lies in C(.releases) beside it.
    type: path
    required: true
  keep:
    description:
      - How many earlier releases stay on the target.
    type: int
    default: 1
attributes:
  check_mode:
    support: full
    description: Can run in C(check_mode) and return changed status without changing anything.
  diff_mode:
    support: none
    description: Returns no diff.
  action:
    support: full
    description: Packs the code on the controller.
"""

EXAMPLES = r"""
- name: Bring the code
  voip.preprovision.source_tree:
    src: "{{ role_path }}/files/my_service"
    parts:
      common: "{{ role_path }}/../../plugins/module_utils"
    path: /usr/local/lib/my-service/my_service
"""

RETURN = r"""
digest:
  description: Changes with the code.
  returned: success
  type: str
"""
