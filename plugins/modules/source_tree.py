# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the source_tree module; its code runs on the controller, as the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: source_tree
short_description: Install Python code on the target in one transfer
description:
  - "Internal: used by roles that run Python code of this collection on the target; not meant for playbooks."
  - Sends the code in one archive, compiles it on the target and swaps the symbolic link O(path), so that a program that starts sees
    either the old code or the new.
  - Sends nothing if the target already has this code.
version_added: 0.1.0
author:
  - voip.preprovision contributors (@voip-preprovision)
options:
  src:
    description:
      - Folder on the controller whose files are the code. Required without O(domain).
    type: path
  parts:
    description:
      - More folders on the controller, by the name that each gets within the code.
    type: dict
    default: {}
  domain:
    description:
      - Packages and modules of the collection's own C(module_utils), named by their path there, such as C(common), C(emulator/wire)
        or C(dhcp/watch). They keep their folders, and the C(__init__.py) of every package above them comes along.
      - A package brings the packages below it. What it imports from others must be listed, too.
    type: list
    elements: str
    default: []
  domain_folder:
    description:
      - Folder within the code for O(domain). If empty, the packages lie at the top.
    type: str
    default: ""
  path:
    description:
      - Symbolic link on the target that leads to the code. Releases lie in C(.releases) beside it.
      - A folder of Python files in its place is replaced.
    type: path
    required: true
  keep:
    description:
      - Number of earlier releases to keep on the target.
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
- name: Install a service with the domain code that it needs
  voip.preprovision.source_tree:
    src: "{{ role_path }}/files/my_service"
    domain: [common, profiles, families]
    domain_folder: domain
    path: /usr/local/lib/my-service/my_service

- name: Install one module of the domain code and what it imports
  voip.preprovision.source_tree:
    domain: [common/mac, dhcp/packets, dhcp/frames, dhcp/discovery, dhcp/watch]
    path: /usr/local/lib/preprovision-dhcp/preprovision
"""

RETURN = r"""
digest:
  description: Digest of the code.
  returned: success
  type: str
"""
