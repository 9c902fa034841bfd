# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the phone_database module; its code runs on the controller, as the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: phone_database
short_description: Write the inventory's phones to the profile service's database
description:
  - "Internal: used by the role P(voip.preprovision.profile_service#role); not meant for playbooks."
  - Reads and checks all phones on the controller, as M(voip.preprovision.profiles) does, and sends new and changed rows in one
    transfer. One transaction writes them, so that the service sees either the old phones or the new.
  - A row has the phone's variables and its own profile key, but not O(master_key). The service's own data about a phone (its
    progress, its reports) stay.
  - Only phones are read whose inputs have changed since they were stored; see O(full).
  - Phones that are no longer in the inventory are removed with their reports. Phones that were scanned at the board stay.
  - Invalid variables of any phone stop the task before anything changes; all are reported together.
version_added: 0.1.0
author:
  - voip.preprovision contributors (@voip-preprovision)
options:
  code:
    description:
      - Folder on the target that contains the package C(preprovision_service).
    type: path
    default: /usr/local/lib/preprovision-service
  owner:
    description:
      - User of the service, who opens the database.
    type: str
    default: preprovision-service
  customers:
    description:
      - Settings that all phones of a customer share in the service, by name. C(provisioning_url) is the answer of remote
        customization, C(redirect) the URL that phones are redirected to instead of getting a profile; if it ends with C(/), the
        name of the requested file is appended.
    type: dict
    default: {}
  redirects:
    description:
      - The same C(redirect) for single phones, by MAC address.
    type: dict
    default: {}
  rearm:
    description:
      - Names or MAC addresses of phones in the inventory that start over, or V(all). What was observed of them no longer counts, as
        if they were taken back at the board, and their own files are served by TFTP again. A packed phone counts as taken back.
      - An unknown name stops the task before anything changes.
    type: list
    elements: str
    default: []
  state:
    description:
      - V(checked) only sees whether the database can be written, and whether its phones have keys of O(master_key) or
        O(previous_master_key); O(bench_url) and O(remote_url) are required for V(present) alone.
    type: str
    choices: [present, checked]
    default: present
  replace_master_key:
    description:
      - Accept any O(master_key), although phones in the field have keys of another one.
    type: bool
    default: false
  full:
    description:
      - Read and compare all phones, also those whose inputs are what they were when they were stored.
    type: bool
    default: false
extends_documentation_fragment:
  - voip.preprovision.service_database
  - voip.preprovision.phones
  - voip.preprovision.phones.keys
attributes:
  check_mode:
    support: full
    description: Can run in C(check_mode) and return changed status without changing anything.
  diff_mode:
    support: full
    description: The diff names phones, never a value.
  action:
    support: full
    description: Reads and checks the phones on the controller.
"""

EXAMPLES = r"""
- name: Write all phones to the service's database
  voip.preprovision.phone_database:
    database: sqlite:////var/lib/preprovision-service/service.sqlite
    phones: "{{ groups['phones'] }}"
    bench_url: https://prov.example.net/device/$MA.cfg
    remote_url: https://prov.example.com/service/$MA-{key_id}.cfg
    master_key: "{{ vault_master_key }}"
    customers:
      example:
        provisioning_url: https://prov.example.com/$MA.cfg
"""

RETURN = r"""
phones:
  description: Number of phones in the inventory.
  returned: success
  type: int
upserted:
  description: Number of phones that were (in check mode, would be) added or changed.
  returned: success
  type: int
removed:
  description: Number of phones that were (in check mode, would be) removed.
  returned: success
  type: int
rearmed:
  description: Names of the phones that start (in check mode, would start) over.
  returned: success
  type: list
  elements: str
"""
