# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the phone_database module; its code runs on the controller, as the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: phone_database
short_description: Put the phones of the inventory into the profile service's database
description:
  - Reads and checks all phones on the controller, as M(voip.preprovision.profiles) does, and sends the rows that are new or
    changed in one transfer. They are put in with one transaction, so that the service sees all of it at once.
  - A row has the phone's variables and its own profile key, and not O(master_key). What the service has found out about a phone
    (how far it is, its reports) stays.
  - Phones that are no longer in the inventory are removed with their reports. Those that were scanned at the board stay.
  - Bad variables of any phone stop the task before anything changes; all are reported together.
version_added: 0.1.0
author:
  - voip.preprovision contributors (@voip-preprovision)
options:
  database:
    description:
      - URL of the database, as SQLAlchemy takes it.
    type: str
    required: true
  code:
    description:
      - Folder on the target that holds the package C(preprovision_service).
    type: path
    default: /usr/local/lib/preprovision-service
  owner:
    description:
      - User of the service, as whom the database is opened.
    type: str
    default: preprovision-service
  customers:
    description:
      - What all phones of a customer share in the service, by name. C(provisioning_url) is what remote customization answers for
        them, C(redirect) the URL of the server that they are sent to instead; of one that ends with C(/), the file that was asked
        for below it.
    type: dict
    default: {}
  redirects:
    description:
      - Where single phones are sent to instead, as URL by MAC address.
    type: dict
    default: {}
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
  - voip.preprovision.phones.published
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
- name: Put all phones into the service's database
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
put_in:
  description: Number of phones that were (in check mode, would be) put in or changed.
  returned: success
  type: int
removed:
  description: Number of phones that were (in check mode, would be) removed.
  returned: success
  type: int
"""
