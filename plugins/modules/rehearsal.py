# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the rehearsal module; its code runs on the controller, as the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rehearsal
short_description: Make phones that exist for a check alone, one of every model
description:
  - For each model that phones of the inventory have, makes up one phone with a MAC address that no maker gives away, renders its
    profiles as M(voip.preprovision.profiles) does, and puts them beside the published ones. What is published stays as it is,
    its manifest and its generation too, so that no phone notices.
  - The profiles are sealed with keys that are made for this one time; no secret of a phone is in them.
  - A certificate for each of them is signed by the bench's own CA, and ends within the day.
  - With O(state=absent) all of that goes, and the profile service forgets what it has heard of these phones.
version_added: 0.1.0
author:
  - voip.preprovision contributors (@voip-preprovision)
options:
  dest:
    description:
      - Folder that profiles are published in.
    type: path
    required: true
  state:
    description:
      - V(present) makes the phones, V(absent) takes them away.
    type: str
    default: present
    choices: [present, absent]
  mac:
    description:
      - MAC address of the first phone, a locally administered one. The addresses with the same first five bytes belong to checks.
    type: str
    default: "02:00:5e:00:53:00"
  models:
    description:
      - Models to make a phone of. Without any, those of O(phones) or O(rows).
    type: list
    elements: str
    default: []
  bench_url:
    description:
      - URL of a phone's preprovision profile on the bench, with macros.
    type: str
    required: true
  remote_url:
    description:
      - URL of a phone's service profile at the customer's, with macros.
    type: str
    required: true
extends_documentation_fragment:
  - voip.preprovision.phones
attributes:
  check_mode:
    support: full
    description: Can run in C(check_mode) and return changed status without changing anything. There are no phones then.
  diff_mode:
    support: none
    description: There is no difference to show; nothing that was there before changes.
"""

EXAMPLES = r"""
- name: Make one phone of each model of the inventory
  voip.preprovision.rehearsal:
    dest: /srv/preprovision
    phones: "{{ groups['phones'] }}"
    bench_url: https://prov.example.net/device/$MA.cfg
    remote_url: http://prov.example.net/service/$MA-{key_id}.cfg
  register: made

- name: Let them come up
  voip.preprovision.emulated_phone:
    phones: "{{ made.phones }}"
    power_cycles: 2

- name: Take them away
  voip.preprovision.rehearsal:
    dest: /srv/preprovision
    state: absent
    bench_url: https://prov.example.net/device/$MA.cfg
    remote_url: http://prov.example.net/service/$MA-{key_id}.cfg
"""

RETURN = r"""
phones:
  description: The phones, as M(voip.preprovision.emulated_phone) takes them.
  returned: when O(state=present)
  type: list
  elements: dict
time:
  description: The target's clock when all was in place, in seconds since 1970.
  returned: when O(state=present)
  type: int
left:
  description: What is still there of these phones, one sentence each.
  returned: when O(state=absent)
  type: list
  elements: str
"""
