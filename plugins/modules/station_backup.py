# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the station_backup module; its code runs on the controller, as the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: station_backup
short_description: Fetch what only a station has, in one sealed file
description:
  - Fetches keys, certificates and their ledger, the database, leases and the key that signs manifests, in one file that is
    encrypted on the station and authenticated.
  - The passphrase stays on the controller. The station gets keys that were derived from it for this one backup.
version_added: 0.1.0
author:
  - voip.preprovision contributors (@voip-preprovision)
options:
  folder:
    description:
      - Folder on the controller. The file is named after the station and the time.
    type: path
    required: true
  station:
    description:
      - Name of the station.
    type: str
    required: true
  release:
    description:
      - Its release of Debian.
    type: str
    default: ""
  passphrase:
    description:
      - At least 12 characters, in one line.
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
    description: Derives the keys and takes the file on the controller.
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
  description: The backup, on the controller.
  returned: success
  type: str
bytes:
  description: Its size.
  returned: when a backup was made
  type: int
paths:
  description: What is kept, beside the database.
  returned: success
  type: list
  elements: str
database:
  description: Kind of the database that is kept, empty for none.
  returned: success
  type: str
size:
  description: Bytes that are kept, before compression.
  returned: when a backup was made
  type: int
"""
