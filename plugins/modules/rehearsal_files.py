# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Target side of a rehearsal: profiles and certificates of phones that exist for a check alone."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rehearsal_files
short_description: Put the profiles of phones that exist for a check alone beside the published ones, or take them away
description:
  - Writes files that are in no manifest into the live generation, and a certificate for each phone into a folder that only root
    can enter; or takes all of that away again, with what the profile service has kept of these phones.
  - M(voip.preprovision.rehearsal) uses this module on the target; it is of little use by itself.
version_added: 0.1.0
author:
  - voip.preprovision contributors (@voip-preprovision)
requirements:
  - the Debian package python3-cryptography on the target
options:
  path:
    description:
      - Folder that the profiles are published in.
    type: path
    required: true
  state:
    description:
      - V(present) puts them there, after it has taken away what is left of an earlier run. V(absent) takes them away.
    type: str
    default: present
    choices: [present, absent]
  mac:
    description:
      - The first of these phones' MAC addresses. All addresses with the same first five bytes are theirs.
    type: str
    required: true
  files:
    description:
      - The files, each as C(path) below the generation and C(content) in base64.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Path below the generation.
        type: str
        required: true
      content:
        description: Content, in base64.
        type: str
        required: true
  devices:
    description:
      - For whom a certificate is made.
    type: list
    elements: dict
    default: []
    suboptions:
      mac:
        description: MAC address, as twelve hexadecimal digits.
        type: str
        required: true
      model:
        description: Model.
        type: str
        required: true
      serial:
        description: Serial number.
        type: str
        required: true
  folder:
    description:
      - Folder for the certificates and their key.
    type: path
    default: /run/preprovision-check
  authority:
    description:
      - Certificate of the CA that signs them, one whose devices the web server lets in. Its key lies beside it, with the ending
        C(.key); where there is none, the phones have no certificate.
    type: path
    default: /etc/preprovision/certificates/bench-ca.pem
  code:
    description:
      - Folder that holds the package of the profile service.
    type: path
    default: /usr/local/lib/preprovision-service
  owner:
    description:
      - User of the profile service.
    type: str
    default: preprovision-service
attributes:
  check_mode:
    support: full
    description: Can run in C(check_mode) and return changed status without changing anything.
  diff_mode:
    support: none
    description: There is no difference to show; nothing that was there before changes.
"""

EXAMPLES = r"""
- name: Take away what a check has left
  voip.preprovision.rehearsal_files:
    path: /srv/preprovision
    mac: "02:00:5e:00:53:00"
    state: absent
"""

RETURN = r"""
certificates:
  description: Path of each phone's certificate, by MAC address.
  returned: when O(state=present)
  type: dict
  sample:
    02005e005300: /run/preprovision-check/02005e005300.pem
time:
  description: The target's clock when all was in place, in seconds since 1970.
  returned: when O(state=present)
  type: int
removed:
  description: Files that were taken away.
  returned: success
  type: list
  elements: str
left:
  description: What is still there of these phones, one sentence each.
  returned: when O(state=absent)
  type: list
  elements: str
"""

import base64
import binascii
import os
import shutil
import subprocess
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.voip.preprovision.plugins.module_utils.published_tree import PublishedTree, TreeError
from ansible_collections.voip.preprovision.plugins.module_utils.rehearsal import RehearsalError, issue, place, prefix, sweep
from ansible_collections.voip.preprovision.plugins.module_utils.station_facts import LEASES, read_leases

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "path": {"type": "path", "required": True},
    "state": {"type": "str", "default": "present", "choices": ["present", "absent"]},
    "mac": {"type": "str", "required": True},
    "files": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {"path": {"type": "str", "required": True}, "content": {"type": "str", "required": True, "no_log": True}},
    },
    "devices": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {name: {"type": "str", "required": True} for name in ("mac", "model", "serial")},
    },
    "folder": {"type": "path", "default": "/run/preprovision-check"},
    "authority": {"type": "path", "default": "/etc/preprovision/certificates/bench-ca.pem"},
    "code": {"type": "path", "default": "/usr/local/lib/preprovision-service"},
    "owner": {"type": "str", "default": "preprovision-service"},
}
_SECONDS = 30


def forget(code: str, owner: str, beginning: str) -> list[str]:
    """Let the profile service forget these phones; return what stands against it."""
    if not os.path.isdir(code):
        return []
    if not os.path.exists(f"{code}/preprovision_service/phone_events.py"):
        return ["the profile service is an older one, which cannot forget them; run the playbook site"]
    command = ["runuser", f"--user={owner}", "--", "python3", "-m", "preprovision_service.phone_events", "forget", beginning]
    try:
        done = subprocess.run(command, cwd=code, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return [f"the profile service's database keeps their events: {error}"]
    last = done.stderr.strip().rpartition("\n")[2]
    return [f"the profile service's database keeps their events: {last}"] if done.returncode else []


def take_away(parameters: dict[str, Any]) -> dict[str, Any]:
    """Remove all that is left of such phones, and say what remains."""
    beginning = prefix(parameters["mac"])
    removed = sweep(PublishedTree(parameters["path"], {}), beginning)
    shutil.rmtree(parameters["folder"], ignore_errors=True)
    left = forget(parameters["code"], parameters["owner"], beginning)
    held = [lease for lease in read_leases(LEASES) if lease["mac"].startswith(beginning) and lease["state"] == "active"]
    left += [f"the DHCP server keeps {lease['address']} for {lease['mac']} until {lease['ends']}" for lease in held]
    return {"changed": bool(removed), "removed": removed, "left": left}


def put_in_place(parameters: dict[str, Any]) -> dict[str, Any]:
    """Write the files and certificates."""
    tree = PublishedTree(parameters["path"], {})
    removed = sweep(tree, prefix(parameters["mac"]))
    place(tree, ((file["path"], base64.b64decode(file["content"], validate=True)) for file in parameters["files"]))
    authority = parameters["authority"]
    key = f"{os.path.splitext(authority)[0]}.key"
    certificates = issue(parameters["devices"], authority, key, parameters["folder"])
    return {"changed": True, "removed": removed, "certificates": certificates, "time": int(time.time())}


def main() -> None:
    """Wiring."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    if module.check_mode:
        module.exit_json(changed=False, removed=[], left=[], certificates={}, time=0, msg="nothing is put in place in check mode")
    try:
        present = module.params["state"] == "present"
        module.exit_json(**(put_in_place(module.params) if present else take_away(module.params)))
    except (RehearsalError, TreeError, binascii.Error, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
