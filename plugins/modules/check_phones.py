# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the check_phones module; its code runs on the controller, as the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: check_phones
short_description: Make phones that exist only for a check, one of each model
description:
  - "Internal: used by the role P(voip.preprovision.phone_profiles#role); not meant for playbooks."
  - For each model among the inventory's phones, invents one phone with a locally administered MAC address, renders its profiles as
    M(voip.preprovision.profiles) does, and writes them beside the published ones. The published files, their manifest and
    generation stay as they are, so no real phone is affected.
  - The profiles are sealed with keys generated for this check; they contain no secret of a real phone.
  - A maker's CA that exists only for this check signs a certificate for each of them that expires within the day. The station does
    not know it. If a phone is delivered by certificate, the web server accepts it for these phones until they are removed.
  - O(state=absent) removes all of it, and the profile service forgets these phones' events.
version_added: 0.1.0
author:
  - voip.preprovision contributors (@voip-preprovision)
options:
  dest:
    description:
      - Published folder.
    type: path
    required: true
  state:
    description:
      - V(present) makes the phones, V(absent) removes them.
    type: str
    default: present
    choices: [present, absent]
  mac:
    description:
      - MAC address of the first phone, which must be locally administered. All addresses with the same first five bytes belong to
        checks.
    type: str
    default: "02:00:5e:00:53:00"
  models:
    description:
      - Models to make a phone of. If empty, the models of O(phones) or O(rows).
    type: list
    elements: str
    default: []
  boot:
    description:
      - Names of phones in O(phones) or O(rows) to prepare for emulation, instead of inventing any. Their published files stay as
        they are, and the TFTP server serves them anew.
    type: list
    elements: str
    default: []
  server_roots:
    description:
      - File on the target with the roots that have signed the server's certificate. Phones of families that take no further root
        have them from the factory; without this file, they trust only their own maker.
    type: path
  exempt_phones:
    description:
      - MAC addresses of phones that have a password of the web server, and need no certificate of their maker.
    type: list
    elements: str
    default: []
  device_group:
    description:
      - Group of the web server's workers, as in M(voip.preprovision.profiles).
    type: str
    default: preprovision-web
  unit_group:
    description:
      - Group of the TFTP server, as in M(voip.preprovision.profiles).
    type: str
    default: preprovision-tftp
extends_documentation_fragment:
  - voip.preprovision.phones
attributes:
  check_mode:
    support: full
    description: Can run in C(check_mode), in which it changes nothing, makes no certificates and reports no change.
  diff_mode:
    support: none
    description: Returns no diff; no existing file changes.
"""

EXAMPLES = r"""
- name: Make one phone of each model of the inventory
  voip.preprovision.check_phones:
    dest: /srv/preprovision
    phones: "{{ groups['phones'] }}"
    bench_url: https://prov.example.net/device/$MA.cfg
    remote_url: http://prov.example.net/service/$MA-{key_id}.cfg
  register: made

- name: Boot them
  voip.preprovision.emulated_phone:
    phones: "{{ made.phones }}"
    power_cycles: 2

- name: Remove them
  voip.preprovision.check_phones:
    dest: /srv/preprovision
    state: absent
"""

RETURN = r"""
phones:
  description: The phones, as M(voip.preprovision.emulated_phone) takes them.
  returned: when O(state=present)
  type: list
  elements: dict
deliveries:
  description: How each phone gets its preprovision profile, V(tftp) or V(certificate), by MAC address as twelve digits.
  returned: when O(state=present)
  type: dict
missing:
  description: >-
    What a real unit of a phone's family would lack on this station, as a cause and a remedy, by MAC address. Only for phones that
    are delivered by certificate.
  returned: when O(state=present)
  type: dict
time:
  description: The target's clock after all files were written, in seconds since 1970.
  returned: when O(state=present)
  type: int
left:
  description: Traces of these phones that remain, one sentence each.
  returned: when O(state=absent)
  type: list
  elements: str
"""
