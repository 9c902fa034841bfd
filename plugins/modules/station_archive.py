# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Create or restore a backup on the target."""

from __future__ import annotations

DOCUMENTATION = r"""
module: station_archive
short_description: Create or restore a station's backup on the target
description:
  - "Internal: M(voip.preprovision.station_backup) and M(voip.preprovision.station_restore) run it on the target."
  - Writes the station's state into a backup, or replaces the state with that in a backup.
version_added: 0.1.0
author:
  - voip.preprovision contributors (@voip-preprovision)
options:
  path:
    description:
      - Path of the backup on the target.
    type: path
  label:
    description:
      - The backup's name in messages.
    type: str
    default: the backup
  state:
    description:
      - V(packed) creates the backup, V(unpacked) restores it.
    type: str
    choices: [packed, unpacked]
    default: packed
  header:
    description:
      - Header of the backup, with its station, time, Debian release and key derivation.
    type: dict
    default: {}
  seal:
    description:
      - Keys that encrypt and authenticate the backup.
    type: str
    required: true
extends_documentation_fragment:
  - voip.preprovision.attributes.secrets
  - voip.preprovision.service_database
"""

EXAMPLES = r"""
- name: Create a backup that stays on the station
  voip.preprovision.station_archive:
    path: /root/station.backup
    header: "{{ header }}"
    seal: "{{ seal }}"
    database: sqlite:////var/lib/preprovision-service/service.sqlite
"""

RETURN = r"""
paths:
  description: Paths that are saved or restored, besides the database.
  returned: success
  type: list
  elements: str
database:
  description: Kind of the database that is saved or restored; empty for none.
  returned: success
  type: str
size:
  description: Bytes that were saved, before compression.
  returned: when a backup was created
  type: int
restarted:
  description: Units that were stopped meanwhile.
  returned: when a backup was restored
  type: list
  elements: str
"""

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ..module_utils.station.backup.archive import BackupError, Header, Keys, have_cryptography
from ..module_utils.station.backup.database import open_database
from ..module_utils.station.backup.packing import find_state, pack
from ..module_utils.station.backup.restore import restore

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "path": {"type": "path"},
    "label": {"type": "str", "default": "the backup"},
    "state": {"type": "str", "choices": ["packed", "unpacked"], "default": "packed"},
    "header": {"type": "dict", "default": {}},
    "seal": {"type": "str", "required": True, "no_log": True},
    # A URL of PostgreSQL may hold a password
    "database": {"type": "str", "required": True, "no_log": True},
}


def pack_here(module: AnsibleModule) -> dict[str, Any]:
    """Create the backup."""
    given = module.params
    if module.check_mode:
        return {"changed": True, "paths": find_state(given["database"]), "database": open_database(given["database"]).kind}
    try:
        packed = pack(given["path"], Header(**given["header"]), Keys.read(given["seal"]), given["database"])
    except BaseException:
        if os.path.exists(given["path"]):
            os.unlink(given["path"])
        raise
    # It is encrypted, so the user that Ansible logs in as may fetch it from its own folder
    os.chmod(given["path"], 0o644)
    return {"changed": True, **packed._asdict()}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    os.umask(0o077)
    given = module.params
    try:
        if given["state"] == "packed":
            find_state(given["database"])
        if not have_cryptography():
            module.fail_json(msg=missing_required_lib("python3-cryptography"))
        if given["state"] == "packed":
            module.exit_json(**pack_here(module))
        restored = restore(given["path"], given["label"], Keys.read(given["seal"]), given["database"], module.check_mode)
    except BackupError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{error.filename or given['label']}: {error.strerror}; nothing was changed")
    module.exit_json(changed=True, paths=restored.paths, database=restored.database, restarted=restored.restarted)


if __name__ == "__main__":
    main()
