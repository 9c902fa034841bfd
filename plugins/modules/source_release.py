# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Target side of source_tree: unpack a release of the code beside the one in use and swap a symbolic link."""

from __future__ import annotations

DOCUMENTATION = r"""
module: source_release
short_description: Check for or install a release of Python code
description:
  - "Internal: M(voip.preprovision.source_tree) runs it on the target; not meant for playbooks."
  - Reports whether a release of the code is in use, or unpacks and compiles one and swaps the symbolic link that leads to it.
version_added: 0.1.0
author:
  - voip.preprovision contributors (@voip-preprovision)
options:
  path:
    description:
      - Symbolic link that leads to the code. A folder of Python files in its place is replaced.
    type: path
    required: true
  digest:
    description:
      - Name of the release, a digest of the code.
    type: str
    required: true
  archive:
    description:
      - Archive of the code, on the target. Without it the module only checks.
    type: path
  keep:
    description:
      - Number of earlier releases to keep.
    type: int
    default: 1
attributes:
  check_mode:
    support: full
    description: Can run in C(check_mode) and return changed status without changing anything.
  diff_mode:
    support: none
    description: Returns no diff.
"""

EXAMPLES = r"""
- name: Check whether a release is in use
  voip.preprovision.source_release:
    path: /usr/local/lib/my-service/my_service
    digest: 0123456789abcdef0123456789abcdef
"""

RETURN = r"""
digest:
  description: Digest of the code.
  returned: success
  type: str
"""

import compileall
import os
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "path": {"type": "path", "required": True},
    "digest": {"type": "str", "required": True},
    "archive": {"type": "path"},
    "keep": {"type": "int", "default": 1},
}


def install(link: Path, digest: str, archive: str, keep: int) -> None:
    """Unpack *archive* as the release *digest*, point *link* at it, and remove all but *keep* earlier releases."""
    releases = link.parent / ".releases"
    os.umask(0o022)
    releases.mkdir(parents=True, exist_ok=True)
    release = releases / digest
    before = link.resolve() if link.is_symlink() else None
    with tempfile.TemporaryDirectory(dir=releases, prefix=".new-") as folder:
        new = Path(folder, "code")
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(new)
        compileall.compile_dir(new, quiet=2, stripdir=str(new), prependdir=str(link))
        # After a loss of power the link must not lead to half a release
        os.sync()
        if release.exists():
            shutil.rmtree(release)
        new.rename(release)
        swapped = Path(folder, "link")
        swapped.symlink_to(os.path.relpath(release, link.parent))
        if _is_code_folder(link):
            # Roles wrote the files themselves before they used this module
            link.rename(Path(folder, "replaced"))
        swapped.replace(link)
    others = [other for other in releases.iterdir() if other not in (release, before)]
    others.sort(key=lambda other: other.stat().st_mtime, reverse=True)
    for old in others[max(keep - (before is not None), 0) :]:
        shutil.rmtree(old)


def _is_code_folder(path: Path) -> bool:
    """Return whether a real folder is at *path* and holds only Python files."""
    if path.is_symlink() or not path.is_dir():
        return False
    return all(file.suffix in (".py", ".pyc") for file in path.rglob("*") if not file.is_dir())


def main() -> None:
    """Wiring."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    link, digest = Path(module.params["path"]), module.params["digest"]
    try:
        live = link.resolve().name if link.is_symlink() and link.is_dir() else ""
        if module.params["archive"] and not module.check_mode:
            install(link, digest, module.params["archive"], module.params["keep"])
    except (OSError, zipfile.BadZipFile) as error:
        module.fail_json(msg=f"the code cannot be installed as {link}: {error}")
    module.exit_json(changed=live != digest, digest=digest)


if __name__ == "__main__":
    main()
