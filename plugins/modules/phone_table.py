# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Target side of phone_database: read what the profile service's database holds, or write changes to it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: phone_table
short_description: Read or change the phones in the profile service's database
description:
  - "Internal: M(voip.preprovision.phone_database) runs it on the target; not meant for playbooks."
  - Returns the inventory's phones in the database with their versions, writes the changes in an archive, or tries whether it could.
version_added: 0.1.0
author:
  - voip.preprovision contributors (@voip-preprovision)
options:
  code:
    description:
      - Folder that contains the package C(preprovision_service).
    type: path
    required: true
  owner:
    description:
      - User to open the database as.
    type: str
    required: true
  archive:
    description:
      - Archive of the changes, on the target, encrypted with O(archive_key). Without it the module only reads.
    type: path
  archive_key:
    description:
      - Key of the archive, generated for this one transfer.
    type: str
  context:
    description:
      - Hash of what the inputs of all phones to be stored share. If the phones in the database were made of inputs with the same,
        these are returned in place of the phones.
    type: str
    default: ""
  try_writing:
    description:
      - Only see whether the database can be read and, unless in check mode, written.
    type: bool
    default: false
extends_documentation_fragment:
  - voip.preprovision.attributes.secrets
  - voip.preprovision.service_database
"""

EXAMPLES = r"""
- name: Read which phones there are
  voip.preprovision.phone_table:
    database: sqlite:////var/lib/preprovision-service/service.sqlite
    code: /usr/local/lib/preprovision-service
    owner: preprovision-service
"""

RETURN = r"""
present:
  description:
    - Settings and phones in the database, packed for M(voip.preprovision.phone_database); empty if there is no database yet.
    - Phones are left out if RV(inputs) are returned.
  returned: without O(archive) and O(try_writing)
  type: str
inputs:
  description: What the phones in the database were made of, in Base64; empty unless they have O(context).
  returned: without O(archive) and O(try_writing)
  type: str
master_key:
  description: Fingerprint of the master key that the phones' keys in the database were derived from; empty if it is not known.
  returned: with O(try_writing)
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

from ansible_collections.voip.preprovision.plugins.module_utils.profiles.sealing.model import SealingError
from ansible_collections.voip.preprovision.plugins.module_utils.publishing.inputs import InputsError, read_common
from ansible_collections.voip.preprovision.plugins.module_utils.publishing.transfer import EncryptedReader

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "database": {"type": "str", "required": True, "no_log": True},
    "code": {"type": "path", "required": True},
    "owner": {"type": "str", "required": True},
    "archive": {"type": "path"},
    "archive_key": {"type": "str", "no_log": True},
    "context": {"type": "str", "default": ""},
    "try_writing": {"type": "bool", "default": False},
}


class DatabaseError(Exception):
    """The database cannot be used; the message says why, and quotes nothing from it."""


def run(parameters: dict[str, Any], stream: IO[bytes] | None, check_mode: bool = False) -> dict[str, Any]:
    """Return the module's result; raise DatabaseError."""
    trial = parameters["try_writing"]
    writes = stream is not None or (trial and not check_mode)
    nothing = {"changed": False, **({"master_key": ""} if trial else {"present": "", "inputs": ""})}
    sys.path.insert(0, parameters["code"])
    try:
        from preprovision_service.domain.common.database_faults import Case
        from preprovision_service.store import faults, sync
        from preprovision_service.store.connection import engine_of, open_database
        from preprovision_service.store.trial import try_to_write
        from sqlalchemy.exc import SQLAlchemyError
    except ImportError as error:
        if writes:
            raise DatabaseError(f"the service's code is not installed: {error}") from error
        # Check mode, before anything is installed
        return nothing
    sessions = open_database(parameters["database"])
    engine = engine_of(sessions)
    try:
        file = faults.file_of(engine)
        if not writes and file and not os.path.exists(file):
            # Check mode, before the service has started for the first time
            return nothing
        with engine.connect() as connection:
            fault = faults.fault_of_revision(connection)
        if fault and (writes or fault.case is Case.TOO_NEW):
            raise DatabaseError(fault.text)
        if stream is None and fault:
            return nothing
        if trial and writes:
            try_to_write(sessions())
        if trial:
            return {"changed": False, "master_key": sync.noted_master_key(sessions)}
        if stream is None:
            return {"changed": False, **_pack(sync.present(sessions), parameters["context"])}
        *lines, last = stream
        end = json.loads(last)
        rows = (dict(zip(sync.COLUMNS, json.loads(line), strict=True)) for line in lines)
        inputs = None if end["inputs"] is None else base64.b64decode(end["inputs"])
        sync.sync(sessions, rows, end["removed"], end["customers"], end["settings"], end["rearmed"], inputs)
    except sync.SyncError as error:
        raise DatabaseError(str(error)) from None
    except SQLAlchemyError as error:
        raise DatabaseError(faults.explain(error, engine).text) from None
    return {"changed": True}


def open_archive(parameters: dict[str, Any]) -> IO[bytes]:
    """Return the archive's content, read and authenticated as a whole before any of it is used; raise SealingError or OSError."""
    with open(parameters["archive"], "rb") as file:
        return io.BytesIO(io.BufferedReader(EncryptedReader(file, parameters["archive_key"].encode())).read())


def _pack(present: Any, context: str) -> dict[str, str]:
    """Return *present*, a Present, as results."""
    inputs = present.inputs if context and _context_of(present.inputs) == context else b""
    values = (present.salt, present.version, present.master_key, {} if inputs else present.phones)
    packed = gzip.compress(json.dumps(values).encode(), 1)
    return {"present": base64.b64encode(packed).decode(), "inputs": base64.b64encode(inputs).decode()}


def _context_of(packed: bytes) -> str:
    """Return the context of packed inputs; empty for those of another version of the collection."""
    try:
        return read_common(packed).context
    except InputsError:
        return ""


def main() -> None:
    """Wiring."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True, required_by={"archive": ("archive_key",)})
    parameters = module.params
    stream: IO[bytes] | None = None
    try:
        if parameters["archive"]:
            stream = open_archive(parameters)
        _become(parameters["owner"])
        try:
            result = {"changed": True} if stream and module.check_mode else run(parameters, stream, module.check_mode)
        finally:
            os.seteuid(os.getuid())
    except (DatabaseError, SealingError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


def _become(owner: str) -> None:
    """Become the service's user, so that files made beside the database belong to it."""
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
