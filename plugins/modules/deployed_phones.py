# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the deployed_phones module; its code runs on the controller, as the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: deployed_phones
short_description: Return phones as the bench has left them, to emulate them at the customer's
description:
  - Computes what each phone's preprovision profile sets, as M(voip.preprovision.profiles) does, and returns the phones as
    M(voip.preprovision.emulated_phone) takes them with its option O(voip.preprovision.emulated_phone#module:home).
  - Phones of families without profile rules are left out. They find their server by DHCP only, which names none at the customer's.
  - Runs on the controller, and touches nothing. The result contains the phones' keys, so Ansible does not show it; set C(no_log)
    for each task that uses it.
version_added: 0.1.0
author:
  - voip.preprovision contributors (@voip-preprovision)
options:
  names:
    description:
      - Names of the phones in O(phones) or O(rows); if empty, all.
    type: list
    elements: str
    default: []
  one_per_family:
    description:
      - Whether to return only the first phone of each family.
    type: bool
    default: false
  certificates:
    description:
      - Folder, where the phones will run, with each phone's certificate and key, such as C(00005e005301.pem) and
        C(00005e005301.key). Without it they present none.
    type: path
  roots:
    description:
      - File, where the phones will run, with the root certificates (PEM) that they have from the factory.
    type: path
extends_documentation_fragment:
  - voip.preprovision.phones
  - voip.preprovision.phones.keys
attributes:
  check_mode:
    support: full
    description: Can run in C(check_mode), and changes nothing in either.
  diff_mode:
    support: none
    description: The module never changes anything.
"""

EXAMPLES = r"""
- name: Take one phone of each family as the bench has left it
  voip.preprovision.deployed_phones:
    phones: "{{ groups['phones'] }}"
    one_per_family: true
    bench_url: https://prov.example.net/device/$MA.cfg
    remote_url: http://prov.example.net/service/$MA-{key_id}.cfg
    master_key: "{{ vault_master_key }}"
  register: deployed

- name: Let them call their server from this machine
  voip.preprovision.emulated_phone:
    phones: "{{ deployed.phones }}"
    home: {}
  delegate_to: localhost
  no_log: true
"""

RETURN = r"""
phones:
  description: The phones, as M(voip.preprovision.emulated_phone) takes them.
  returned: success
  type: list
  elements: dict
families:
  description: The families of these phones.
  returned: success
  type: list
  elements: str
  sample: [ata19x, spa]
scheme:
  description: The scheme of O(remote_url).
  returned: success
  type: str
  sample: https
port:
  description: The port in O(remote_url), or that of its scheme.
  returned: success
  type: int
  sample: 443
server:
  description: The server in O(remote_url).
  returned: success
  type: str
  sample: prov.example.net
"""
