# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Target side of filling the profile service's database: look at what is there, or put in what is new."""

from __future__ import annotations

DOCUMENTATION = r"""
module: phone_table
short_description: Look at or change the phones in the profile service's database
description:
  - Tells which phones of the inventory the database has, and in which version, or puts in what an archive holds.
  - M(voip.preprovision.phone_database) uses this module on the target; it is of little use by itself.
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
      - Folder that holds the package C(preprovision_service).
    type: path
    required: true
  owner:
    description:
      - User as whom the database is opened.
    type: str
    required: true
  archive:
    description:
      - Archive of what is new, on the target, encrypted with O(archive_key). Without it the module only looks.
    type: path
  archive_key:
    description:
      - Key of the archive, made for this one transfer.
    type: str
attributes:
  check_mode:
    support: full
    description: Can run in C(check_mode) and return changed status without changing anything.
  diff_mode:
    support: none
    description: Returns no diff; M(voip.preprovision.phone_database) does.
"""

EXAMPLES = r"""
- name: See which phones there are
  voip.preprovision.phone_table:
    database: sqlite:////var/lib/preprovision-service/service.sqlite
    code: /usr/local/lib/preprovision-service
    owner: preprovision-service
"""

RETURN = r"""
present:
  description: What the database has, packed for M(voip.preprovision.phone_database). Empty where there is none yet.
  returned: without O(archive)
  type: str
"""

import base64
import gzip
import io
import json
import os
import pwd
import sys
from typing import IO, Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.voip.preprovision.plugins.module_utils.sealing import SealingError
from ansible_collections.voip.preprovision.plugins.module_utils.transfer import EncryptedReader

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "database": {"type": "str", "required": True, "no_log": True},
    "code": {"type": "path", "required": True},
    "owner": {"type": "str", "required": True},
    "archive": {"type": "path"},
    "archive_key": {"type": "str", "no_log": True},
}


class DatabaseError(Exception):
    """The database cannot be used; the message says why, and shows nothing of it."""


def run(parameters: dict[str, Any], stream: IO[bytes] | None) -> dict[str, Any]:
    """Do what is asked for; return the module's result, or raise DatabaseError."""
    sys.path.insert(0, parameters["code"])
    try:
        from preprovision_service import filling
        from preprovision_service.database import engine_of, open_database
        from sqlalchemy import inspect
        from sqlalchemy.exc import SQLAlchemyError
    except ImportError as error:
        if stream is not None:
            raise DatabaseError(f"the service's code is not there: {error}") from error
        # Check mode, before anything is installed
        return {"changed": False, "present": ""}
    try:
        sessions = open_database(parameters["database"])
        if stream is None:
            there = inspect(engine_of(sessions)).has_table("settings")
            return {"changed": False, "present": _pack(filling.present(sessions)) if there else ""}
        *lines, last = stream
        end = json.loads(last)
        rows = (dict(zip(filling.COLUMNS, json.loads(line), strict=True)) for line in lines)
        filling.fill(sessions, rows, end["removed"], end["customers"], end["settings"])
    except filling.FillingError as error:
        raise DatabaseError(str(error)) from None
    except SQLAlchemyError as error:
        raise DatabaseError(f"the database does not do what it is asked for: {type(error).__name__}") from None
    return {"changed": True}


def _pack(present: tuple[Any, ...]) -> str:
    return base64.b64encode(gzip.compress(json.dumps(present).encode(), 1)).decode()


def main() -> None:
    """Wiring."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True, required_by={"archive": ("archive_key",)})
    parameters = module.params
    stream: IO[bytes] | None = None
    try:
        if parameters["archive"]:
            # Whole in memory and found to be whole, before anything counts
            with open(parameters["archive"], "rb") as file:
                stream = io.BytesIO(io.BufferedReader(EncryptedReader(file, parameters["archive_key"].encode())).read())
        _become(parameters["owner"])
        try:
            result = {"changed": True} if stream and module.check_mode else run(parameters, stream)
        finally:
            os.seteuid(os.getuid())
    except (DatabaseError, SealingError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


def _become(owner: str) -> None:
    """Open the database as the service does, so that what is made beside it is its own."""
    if os.getuid() != 0:
        return
    try:
        user = pwd.getpwnam(owner)
    except KeyError:
        return
    os.umask(0o077)
    os.setgroups([])
    os.setegid(user.pw_gid)
    os.seteuid(user.pw_uid)


if __name__ == "__main__":
    main()
