# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Target side of check_phones: profiles and certificates of phones that exist only for a check."""

from __future__ import annotations

DOCUMENTATION = r"""
module: check_phone_files
short_description: Write or remove the profiles of phones that exist only for a check
description:
  - "Internal: M(voip.preprovision.check_phones) runs it on the target; not meant for playbooks."
  - Writes files that are in no manifest into the live generation, and a certificate for each phone into a folder that only root
    can enter; or removes them, and the events that the profile service has kept of these phones.
  - A maker's CA that exists for one check signs the certificates. The station does not know it, unless O(trusted).
version_added: 0.1.0
author:
  - voip.preprovision contributors (@voip-preprovision)
requirements:
  - the Debian package python3-cryptography on the target
options:
  path:
    description:
      - Published folder.
    type: path
    required: true
  state:
    description:
      - V(present) removes the remains of an earlier run and writes the files. V(absent) removes them. V(inspected) only returns
        RV(trust).
    type: str
    default: present
    choices: [present, absent, inspected]
  mac:
    description:
      - MAC address of the first of these phones. All addresses with the same first five bytes are theirs.
    type: str
    required: true
  files:
    description:
      - Files to write.
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
      - Phones to make a certificate for.
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
      - Folder for the certificates, their key and the roots that the phones have from the factory.
    type: path
    default: /run/preprovision-check
  groups:
    description:
      - First folder of a published path -> the only group that can read files below it.
    type: dict
    default: {}
  armed:
    description:
      - MAC addresses, as twelve hexadecimal digits, of the phones that get their profile by TFTP. The TFTP server must show them
        their folders before this module ends.
    type: list
    elements: str
    default: []
  rearmed:
    description:
      - MAC addresses, as twelve hexadecimal digits, of phones that may be done, and start over.
    type: list
    elements: str
    default: []
  tftp_root:
    description:
      - Folder with a link for each unit that the TFTP server shows its own folder.
    type: path
    default: /srv/preprovision/tftp
  trusted:
    description:
      - Whether the web server accepts the phones' certificates until they are removed.
    type: bool
    default: false
  bundle:
    description:
      - File with the roots that the web server verifies clients with.
    type: path
    default: /etc/preprovision/certificates/device-roots.pem
  trusting:
    description:
      - MAC addresses of the phones whose maker has signed the server's certificate. They trust O(server_roots); the others trust
        only their own maker.
    type: list
    elements: str
    default: []
  server_roots:
    description:
      - File with the roots that have signed the server's certificate. Without it, the chain in O(server).
    type: path
  server:
    description:
      - Certificate of the web server, with its chain.
    type: path
    default: /etc/preprovision/certificates/server.pem
  bench_ca:
    description:
      - Certificate of the bench's own CA, which no phone has from the factory.
    type: path
    default: /etc/preprovision/certificates/bench-ca.pem
  code:
    description:
      - Folder that contains the package of the profile service.
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
    description: Can run in C(check_mode), in which it changes nothing and reports no change.
  diff_mode:
    support: none
    description: Returns no diff; no existing file changes.
"""

EXAMPLES = r"""
- name: Remove the remains of a check
  voip.preprovision.check_phone_files:
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
trust:
  description: Subjects of the makers' CAs that the web server knows, and of those that signed its own certificate.
  returned: when O(state=inspected)
  type: dict
roots:
  description: Path of the roots that each phone has from the factory, by MAC address.
  returned: when O(state=present)
  type: dict
time:
  description: The target's clock after all files were written, in seconds since 1970.
  returned: when O(state=present)
  type: int
removed:
  description: Files that were removed.
  returned: success
  type: list
  elements: str
left:
  description: Traces of these phones that remain, one sentence each.
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
from pathlib import Path
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.voip.preprovision.plugins.module_utils.certificates.requests import CertificateError
from ansible_collections.voip.preprovision.plugins.module_utils.common.mac import Mac
from ansible_collections.voip.preprovision.plugins.module_utils.dhcp.lease_file import current_path
from ansible_collections.voip.preprovision.plugins.module_utils.publishing.generations import PublishedTree, TreeError
from ansible_collections.voip.preprovision.plugins.module_utils.station.check_certificates import (
    MakerError,
    distrust,
    issue,
    read_trust,
    signers_of,
    trust,
    write_roots,
)
from ansible_collections.voip.preprovision.plugins.module_utils.station.check_phones import CheckPhonesError, place, prefix, sweep
from ansible_collections.voip.preprovision.plugins.module_utils.station.dhcp_facts import read_leases

from ..module_utils.common.processes import run_program

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "path": {"type": "path", "required": True},
    "state": {"type": "str", "default": "present", "choices": ["present", "absent", "inspected"]},
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
    "groups": {"type": "dict", "default": {}},
    "armed": {"type": "list", "elements": "str", "default": []},
    "rearmed": {"type": "list", "elements": "str", "default": []},
    "tftp_root": {"type": "path", "default": "/srv/preprovision/tftp"},
    "trusted": {"type": "bool", "default": False},
    "bundle": {"type": "path", "default": "/etc/preprovision/certificates/device-roots.pem"},
    "trusting": {"type": "list", "elements": "str", "default": []},
    "server_roots": {"type": "path"},
    "server": {"type": "path", "default": "/etc/preprovision/certificates/server.pem"},
    "bench_ca": {"type": "path", "default": "/etc/preprovision/certificates/bench-ca.pem"},
    "code": {"type": "path", "default": "/usr/local/lib/preprovision-service"},
    "owner": {"type": "str", "default": "preprovision-service"},
}
_SECONDS = 30
_ARMING = "preprovision-arming.service"
_EVENTS = "preprovision-events.service"
_DONE = "/var/lib/preprovision-arming/done"
_PAUSE = 0.2
_EVENT_SECONDS = 5


def run_service(parameters: dict[str, Any], *arguments: str) -> str:
    """Run the profile service's command for phones' events; return why it failed. Without the service, there is nothing to do."""
    code = parameters["code"]
    if not os.path.isdir(code):
        return ""
    if not os.path.exists(f"{code}/preprovision_service/cli/phone_events.py"):
        return "the installed profile service is too old; run the playbook site"
    command = [
        "runuser",
        f"--user={parameters['owner']}",
        "--",
        "python3",
        "-m",
        "preprovision_service.cli.phone_events",
        *arguments,
    ]
    try:
        done = run_program(command, cwd=code, text=True, timeout=_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return done.stderr.strip().rpartition("\n")[2] if done.returncode else ""


def run_unit(verb: str, unit: str) -> str:
    """Start a unit or, if it runs, reload it, and wait until that is done; return why it failed."""
    done = run_program(["systemctl", verb, unit], text=True, timeout=_SECONDS)
    return done.stderr.strip() if done.returncode else ""


def arm(macs: list[str], root: str) -> None:
    """Wait until the TFTP server shows these units their folders; raise CheckPhonesError if it does not."""
    wanted = {Mac(mac).dash for mac in macs}
    end = time.monotonic() + _SECONDS
    while wanted:
        failed = run_unit("start", _ARMING)
        wanted = {name for name in wanted if not Path(root, name).is_dir()}
        if wanted and (failed or time.monotonic() > end):
            if not failed and any(Path(_DONE, name).exists() for name in wanted):
                raise CheckPhonesError(
                    f"the TFTP server does not serve {', '.join(sorted(wanted))}, since they were done and the unit that brings"
                    f" events into the database does not let them start over; restart it with 'systemctl restart {_EVENTS}', and"
                    f" read what it did before with 'journalctl -u {_EVENTS}'"
                )
            raise CheckPhonesError(
                f"the TFTP server does not serve {', '.join(sorted(wanted))}: {failed or 'no such files are published'}; run the"
                f" playbook site, which publishes them and sets the server up, and read journalctl -u {_ARMING}"
            )
        time.sleep(_PAUSE if wanted else 0)


def remove(parameters: dict[str, Any]) -> dict[str, Any]:
    """Remove everything that belongs to these phones; return what remains."""
    beginning = prefix(parameters["mac"])
    removed = sweep(PublishedTree(parameters["path"], {}), beginning)
    left = []
    if distrust(parameters["bundle"]) and (failed := run_unit("try-reload-or-restart", "nginx.service")):
        left.append(f"the web server still accepts their certificates: {failed}")
    if os.path.isdir(parameters["tftp_root"]) and (failed := run_unit("start", _ARMING)):
        left.append(f"the TFTP server's folder has their links: {failed}")
    shutil.rmtree(parameters["folder"], ignore_errors=True)
    if failed := run_service(parameters, "forget", beginning, str(_EVENT_SECONDS)):
        left.append(f"the profile service's database keeps their events: {failed}")
    held = [lease for lease in read_leases(current_path()) if lease["mac"].startswith(beginning) and lease["state"] == "active"]
    left += [f"the DHCP server keeps {lease['address']} for {lease['mac']} until {lease['ends']}" for lease in held]
    return {"changed": bool(removed), "removed": removed, "left": left}


def write(parameters: dict[str, Any]) -> dict[str, Any]:
    """Write the files and certificates."""
    tree, folder = PublishedTree(parameters["path"], parameters["groups"]), parameters["folder"]
    removed = sweep(tree, prefix(parameters["mac"]))
    place(tree, ((file["path"], base64.b64decode(file["content"], validate=True)) for file in parameters["files"]))
    certificates = issue(parameters["devices"], folder)
    macs = [device["mac"] for device in parameters["devices"]]
    trusting, given = parameters["trusting"], parameters["server_roots"]
    signers = b"" if not trusting else Path(given).read_bytes() if given else signers_of(parameters["server"], parameters["bundle"])
    roots = write_roots(macs, trusting, signers, folder)
    if parameters["trusted"]:
        trust(parameters["bundle"], folder)
        if failed := run_unit("try-reload-or-restart", "nginx.service"):
            raise CheckPhonesError(f"the web server does not take the certificate of the check's maker: {failed}")
    if parameters["rearmed"] and (failed := run_service(parameters, "rearm", *parameters["rearmed"])):
        raise CheckPhonesError(f"the profile service does not serve their files again: {failed}")
    arm(parameters["armed"], parameters["tftp_root"])
    return {"changed": True, "removed": removed, "certificates": certificates, "roots": roots, "time": int(time.time())}


def inspect(module: AnsibleModule) -> NoReturn:
    """Return what the station trusts."""
    paths = [module.params[name] for name in ("bundle", "server", "bench_ca")]
    try:
        module.exit_json(changed=False, trust=read_trust(*paths))
    except (CertificateError, OSError) as error:
        module.fail_json(msg=str(error))


def main() -> None:
    """Wiring."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    state = module.params["state"]
    if state == "inspected":
        inspect(module)
    if module.check_mode:
        module.exit_json(changed=False, removed=[], left=[], certificates={}, roots={}, time=0, msg="check mode writes no files")
    try:
        module.exit_json(**(write(module.params) if state == "present" else remove(module.params)))
    except (CertificateError, CheckPhonesError, MakerError, TreeError, binascii.Error, OSError, subprocess.TimeoutExpired) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
