# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Python code behind a symbolic link: a release is laid down whole, and then the link is swapped."""

from __future__ import annotations

import compileall
import contextlib
import hashlib
import os
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from ...common.durable import sync_folder
from .plan import Tree

_FILE, _FOLDER = 0o644, 0o755


def is_in_use(tree: Tree) -> bool:
    """Return whether the link leads to exactly this code, which only root can change."""
    link = Path(tree.path)
    if not link.is_symlink() or not link.is_dir():
        return False
    release = link.resolve()
    return _is_right(release, _FOLDER) and _digests(release) == dict(tree.files)


def _digests(release: Path) -> Mapping[str, str]:
    """Return the SHA-256 of each file by name; a file or folder that others could change has another."""
    found = {}
    for path in release.rglob("*"):
        name = path.relative_to(release)
        if "__pycache__" in name.parts:
            continue
        folder = path.is_dir() and not path.is_symlink()
        if not _is_right(path, _FOLDER if folder else _FILE):
            found[str(name)] = "changed"
        elif not folder:
            found[str(name)] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def _is_right(path: Path, mode: int) -> bool:
    status = path.lstat()
    kind = stat.S_ISDIR if mode == _FOLDER else stat.S_ISREG
    return kind(status.st_mode) and (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (0, 0, mode)


def install(tree: Tree, archive: str) -> None:
    """Unpack *archive* as a new release, point the link at it, and remove old ones; raise OSError or BadZipFile."""
    link = Path(tree.path)
    releases = link.parent / ".releases"
    before = link.resolve() if link.is_symlink() else None
    os.umask(0o022)
    releases.mkdir(parents=True, exist_ok=True)
    for folder in (link.parent, releases):
        folder.chmod(_FOLDER)
    with tempfile.TemporaryDirectory(dir=releases, prefix=".new-") as made:
        new = Path(made, "code")
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(new)
        new.chmod(_FOLDER)
        compileall.compile_dir(new, quiet=2, stripdir=str(new), prependdir=str(link))
        # After a loss of power the link must not lead to half a release
        os.sync()
        release = releases / _free_name(releases, tree)
        new.rename(release)
        sync_folder(releases)
        swapped = Path(made, "link")
        swapped.symlink_to(os.path.relpath(release, link.parent))
        if link.is_dir() and not link.is_symlink():
            # Roles of earlier releases wrote the files themselves
            link.rename(Path(made, "replaced"))
        swapped.replace(link)
        sync_folder(link.parent)
    if not is_in_use(tree):
        raise OSError(f"{link} does not lead to the code that was sent")
    _remove_others(releases, {release, before}, max(tree.keep - (before is not None), 0))
    for kept in releases.iterdir():
        _protect(kept)


def _protect(release: Path) -> None:
    """Give a release, which what still runs may read, to root alone: it may be replaced because others could change it."""
    for path in (release, *release.rglob("*")):
        if not path.is_symlink():
            os.chown(path, 0, 0)
            path.chmod(_FOLDER if path.is_dir() else _FILE)


def _free_name(releases: Path, tree: Tree) -> str:
    """Return a name that no release has: the one of a damaged release is in use."""
    digest = hashlib.sha256("".join(f"{name} {value}\n" for name, value in sorted(tree.files.items())).encode()).hexdigest()[:32]
    number = 0
    while (releases / (name := f"{digest}-{number}" if number else digest)).exists():
        number += 1
    return name


def _remove_others(releases: Path, used: set[Path | None], keep: int) -> None:
    """Remove releases, and folders that an interrupted run has left."""
    others = [other for other in releases.iterdir() if other not in used]
    others.sort(key=lambda other: (other.name.startswith(".new-"), -other.stat().st_mtime))
    kept = [other for other in others[:keep] if not other.name.startswith(".new-")]
    for old in others[len(kept) :]:
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(old)
