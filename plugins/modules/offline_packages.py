# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Collect the Debian packages that a station needs."""

from __future__ import annotations

DOCUMENTATION = r"""
module: offline_packages
short_description: Collect the Debian packages that a station needs
description:
  - Collects what the roles install, with all that it depends on, for any release and architecture of Debian, into one archive that
    apt can read without a network. Signatures are verified.
  - Needs apt, but changes nothing of the machine's own.
version_added: 0.1.0
author:
  - voip.preprovision contributors (@voip-preprovision)
options:
  folder:
    description:
      - Where the archive is put, named after release and architecture.
    type: path
    required: true
  release:
    description:
      - Release of Debian.
    type: str
    choices: [bookworm, trixie]
    required: true
  architecture:
    description:
      - Architecture as Debian calls it. Without it, that of this machine.
    type: str
    default: ""
  mirror:
    description:
      - Where Debian is fetched. Without it, where this machine has its own packages from.
    type: str
    default: ""
  security:
    description:
      - Likewise for security updates.
    type: str
    default: ""
attributes:
  check_mode:
    support: full
    description: Can run in C(check_mode) and return changed status without changing anything.
  diff_mode:
    support: none
    description: Returns no diff.
"""

EXAMPLES = r"""
- name: Collect packages for a station without a network
  voip.preprovision.offline_packages:
    folder: /media/stick/bundle
    release: bookworm
"""

RETURN = r"""
file:
  description: The archive.
  returned: success
  type: str
wanted:
  description: What the roles install.
  returned: success
  type: list
  elements: str
packages:
  description: What was collected, as name=version.
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

from ..module_utils.offline import RELEASES, OfflineError, collect, mirrors, wanted

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
            raise OfflineError("apt knows no mirror of Debian here; name one in bundle_mirror")
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
