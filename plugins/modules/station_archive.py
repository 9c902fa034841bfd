# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Target side of backup and restore."""

from __future__ import annotations

DOCUMENTATION = r"""
module: station_archive
short_description: Put what only a station has into a backup, or take it out of one
description:
  - Makes a backup on the station, or replaces what the station has by what is in one.
  - M(voip.preprovision.station_backup) and M(voip.preprovision.station_restore) use this module on the target; it is of little use
    by itself.
version_added: 0.1.0
author:
  - voip.preprovision contributors (@voip-preprovision)
options:
  path:
    description:
      - The backup, on the target.
    type: path
  told:
    description:
      - What messages call it.
    type: str
    default: the backup
  state:
    description:
      - V(packed) makes it, V(unpacked) restores what is in it.
    type: str
    choices: [packed, unpacked]
    default: packed
  header:
    description:
      - What the backup says of itself.
    type: dict
    default: {}
  seal:
    description:
      - What it is sealed with.
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
"""

EXAMPLES = r"""
- name: Make a backup that stays on the station
  voip.preprovision.station_archive:
    path: /root/station.backup
    header: "{{ header }}"
    seal: "{{ seal }}"
    database: sqlite:////var/lib/preprovision-service/service.sqlite
"""

RETURN = r"""
paths:
  description: What is kept or restored, beside the database.
  returned: success
  type: list
  elements: str
database:
  description: Kind of the database that is kept or restored, empty for none.
  returned: success
  type: str
size:
  description: Bytes that are kept, before compression.
  returned: when a backup was made
  type: int
restarted:
  description: Units that stood still meanwhile.
  returned: when a backup was restored
  type: list
  elements: str
"""

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ..module_utils.backup import BackupError, Header, Keys, have_cryptography
from ..module_utils.station_state import look, open_database, pack, unpack

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "path": {"type": "path"},
    "told": {"type": "str", "default": "the backup"},
    "state": {"type": "str", "choices": ["packed", "unpacked"], "default": "packed"},
    "header": {"type": "dict", "default": {}},
    "seal": {"type": "str", "required": True, "no_log": True},
    # A URL of PostgreSQL may hold a password
    "database": {"type": "str", "required": True, "no_log": True},
}


def pack_here(module: AnsibleModule) -> dict[str, Any]:
    """Make the backup."""
    given = module.params
    if module.check_mode:
        return {"changed": True, "paths": look(given["database"]), "database": open_database(given["database"]).kind}
    try:
        packed = pack(given["path"], Header(**given["header"]), Keys.read(given["seal"]), given["database"])
    except BaseException:
        if os.path.exists(given["path"]):
            os.unlink(given["path"])
        raise
    # Sealed, so that whoever Ansible logs in as may fetch it from its own folder
    os.chmod(given["path"], 0o644)
    return {"changed": True, **packed._asdict()}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    os.umask(0o077)
    given = module.params
    try:
        if given["state"] == "packed":
            look(given["database"])
        if not have_cryptography():
            module.fail_json(msg=missing_required_lib("python3-cryptography"))
        if given["state"] == "packed":
            module.exit_json(**pack_here(module))
        restored = unpack(given["path"], given["told"], Keys.read(given["seal"]), given["database"], module.check_mode)
    except BackupError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{error.filename or given['told']}: {error.strerror}; nothing was changed")
    module.exit_json(changed=True, paths=restored.paths, database=restored.database, restarted=restored.restarted)


if __name__ == "__main__":
    main()
