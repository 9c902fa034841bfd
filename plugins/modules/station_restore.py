# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the station_restore module; its code runs on the controller, as the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: station_restore
short_description: Restore a station from a backup
description:
  - "Internal: the playbook restore runs it."
  - Replaces keys, certificates and their ledger, the database, leases and the key that signs manifests with those in a backup. A
    damaged backup, or one encrypted with another passphrase, is rejected before anything is sent to the station.
  - Stops the services that use them meanwhile. Replaces either everything or nothing.
version_added: 0.1.0
author:
  - voip.preprovision contributors (@voip-preprovision)
options:
  file:
    description:
      - Path of the backup on the controller.
    type: path
    required: true
  state:
    description:
      - V(present) restores it, V(checked) only verifies it on the controller.
    type: str
    choices: [checked, present]
    default: present
  station:
    description:
      - Name of the station; the backup must be of that station.
    type: str
    required: true
  passphrase:
    description:
      - Passphrase that the backup was encrypted with.
    type: str
    required: true
attributes:
  action:
    support: full
    description: Verifies the backup on the controller, and sends it encrypted as it is.
extends_documentation_fragment:
  - voip.preprovision.attributes.secrets
  - voip.preprovision.service_database
"""

EXAMPLES = r"""
- name: Restore a backup
  voip.preprovision.station_restore:
    file: backups/station-20261124T160000Z.backup.tar
    station: "{{ inventory_hostname }}"
    passphrase: "{{ backup_passphrase }}"
    database: "{{ profile_service_database }}"
"""

RETURN = r"""
paths:
  description: Paths that were restored, besides the database.
  returned: when something was restored
  type: list
  elements: str
database:
  description: Kind of the database that was restored; empty for none.
  returned: when something was restored
  type: str
restarted:
  description: Units that were stopped meanwhile.
  returned: when something was restored
  type: list
  elements: str
station:
  description: Name of the station that was backed up.
  returned: success
  type: str
made:
  description: Time at which the backup was created.
  returned: success
  type: str
"""
