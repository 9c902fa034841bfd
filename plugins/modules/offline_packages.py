# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Collect the Debian packages that a station needs."""

from __future__ import annotations

DOCUMENTATION = r"""
module: offline_packages
short_description: Collect the Debian packages that a station needs
description:
  - "Internal: the playbook offline_bundle runs it."
  - Collects the packages that the roles install, and their dependencies, for any release and architecture of Debian, in one archive
    that apt can read without a network. Signatures are verified.
  - Needs apt, but leaves the host's own apt state unchanged.
version_added: 0.1.0
author:
  - voip.preprovision contributors (@voip-preprovision)
options:
  folder:
    description:
      - Folder for the archive, which is named after release and architecture.
    type: path
    required: true
  release:
    description:
      - Debian release.
    type: str
    choices: [bookworm, trixie]
    required: true
  architecture:
    description:
      - Debian architecture. Defaults to that of this host.
    type: str
    default: ""
  mirror:
    description:
      - URL of the Debian mirror. Defaults to the one that this host uses.
    type: str
    default: ""
  security:
    description:
      - URL of the mirror of security updates. Defaults to the one that this host uses.
    type: str
    default: ""
extends_documentation_fragment:
  - voip.preprovision.attributes
"""

EXAMPLES = r"""
- name: Collect packages for a station without a network
  voip.preprovision.offline_packages:
    folder: /media/stick/bundle
    release: bookworm
"""

RETURN = r"""
file:
  description: Path of the archive.
  returned: success
  type: str
wanted:
  description: Packages that the roles install.
  returned: success
  type: list
  elements: str
packages:
  description: Packages that were collected, as name=version.
  returned: when something was collected
  type: list
  elements: str
bytes:
  description: Size of the archive.
  returned: when something was collected
  type: int
"""

import os
import tempfile
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.station.offline_bundle import RELEASES, OfflineError, collect, mirrors, wanted

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "folder": {"type": "path", "required": True},
    "release": {"type": "str", "choices": list(RELEASES), "required": True},
    "architecture": {"type": "str", "default": ""},
    "mirror": {"type": "str", "default": ""},
    "security": {"type": "str", "default": ""},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    given = module.params
    architecture = given["architecture"] or module.run_command(["dpkg", "--print-architecture"])[1].strip()
    target = os.path.join(given["folder"], f"{given['release']}-{architecture}.tar")
    if module.check_mode:
        module.exit_json(changed=True, file=target, wanted=wanted())
    try:
        own = mirrors()
        mirror = given["mirror"] or own[0]
        if not mirror:
            raise OfflineError("apt on this host uses no Debian mirror; set bundle_mirror to one")
        os.makedirs(given["folder"], exist_ok=True)
        with tempfile.TemporaryDirectory(dir=given["folder"]) as folder:
            collected = collect(folder, target, given["release"], architecture, mirror, given["security"] or own[1])
    except OfflineError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{error.filename or given['folder']}: {error.strerror}")
    module.exit_json(changed=True, file=target, wanted=wanted(), packages=collected.packages, bytes=collected.bytes)


if __name__ == "__main__":
    main()
