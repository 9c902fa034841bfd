# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the station_restore module; its code runs on the controller, as the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: station_restore
short_description: Give a station what is in a backup
description:
  - Replaces keys, certificates and their ledger, the database, leases and the key that signs manifests by what is in a backup. One
    that is damaged, or sealed with another passphrase, is refused before anything reaches the station.
  - Services that use them stand still meanwhile. Everything is replaced, or everything is as it was.
version_added: 0.1.0
author:
  - voip.preprovision contributors (@voip-preprovision)
options:
  file:
    description:
      - The backup, on the controller.
    type: path
    required: true
  state:
    description:
      - V(present) restores it, V(checked) looks at it on the controller alone.
    type: str
    choices: [checked, present]
    default: present
  station:
    description:
      - Name of the station that the backup must be of.
    type: str
    required: true
  passphrase:
    description:
      - What it was sealed with.
    type: str
    required: true
  database:
    description:
      - URL of the profile service's database.
    type: str
    required: true
attributes:
  check_mode:
    support: full
    description: Can run in C(check_mode) and return changed status without changing anything.
  diff_mode:
    support: none
    description: Returns no diff, since keys would be in it.
  action:
    support: full
    description: Looks at the backup on the controller, and sends it sealed as it is.
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
  description: What was restored, beside the database.
  returned: when something was restored
  type: list
  elements: str
database:
  description: Kind of the database that was restored, empty for none.
  returned: when something was restored
  type: str
restarted:
  description: Units that stood still meanwhile.
  returned: when something was restored
  type: list
  elements: str
station:
  description: Which station the backup is of.
  returned: success
  type: str
made:
  description: When it was made.
  returned: success
  type: str
"""
