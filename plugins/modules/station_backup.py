# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the station_backup module; its code runs on the controller, as the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: station_backup
short_description: Back up a station into one encrypted file on the controller
description:
  - "Internal: the playbook backup runs it."
  - Fetches keys, certificates and their ledger, the database, leases and the key that signs manifests, in one file that is
    encrypted and authenticated on the station.
  - The passphrase stays on the controller. The station gets keys that are derived from it for this one backup.
version_added: 0.1.0
author:
  - voip.preprovision contributors (@voip-preprovision)
options:
  folder:
    description:
      - Folder on the controller. The file is named after the station and the time of the backup.
    type: path
    required: true
  station:
    description:
      - Name of the station.
    type: str
    required: true
  release:
    description:
      - The station's Debian release.
    type: str
    default: ""
  passphrase:
    description:
      - At least 12 characters on one line.
    type: str
    required: true
attributes:
  action:
    support: full
    description: Derives the keys and receives the file on the controller.
extends_documentation_fragment:
  - voip.preprovision.attributes.secrets
  - voip.preprovision.service_database
"""

EXAMPLES = r"""
- name: Fetch a backup
  voip.preprovision.station_backup:
    folder: "{{ inventory_dir | dirname }}/backups"
    station: "{{ inventory_hostname }}"
    passphrase: "{{ backup_passphrase }}"
    database: "{{ profile_service_database }}"
"""

RETURN = r"""
file:
  description: Path of the backup on the controller.
  returned: success
  type: str
bytes:
  description: Size of the backup.
  returned: when a backup was created
  type: int
paths:
  description: Paths that are saved, besides the database.
  returned: success
  type: list
  elements: str
database:
  description: Kind of the database that is saved; empty for none.
  returned: success
  type: str
size:
  description: Bytes that were saved, before compression.
  returned: when a backup was created
  type: int
"""
