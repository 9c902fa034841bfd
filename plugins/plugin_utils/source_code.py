# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Code that roles install on targets: which files it is, and their archive."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

DOMAIN = Path(__file__).parent.parent / "module_utils"
"""The collection's own domain code."""

_MODE = 0o100644 << 16


class SourceError(Exception):
    """The code cannot be packed; the message says why."""


def collect(src: str | None, domain: Iterable[str], domain_folder: str) -> dict[str, Path]:
    """Return name within the code -> file for all files; raise SourceError for a missing folder or package or a duplicate name."""
    found: dict[str, Path] = {}
    if src:
        if not Path(src).is_dir():
            raise SourceError(f"{src} is not a folder on the controller")
        _add(found, _files(Path(src), ""))
    prefix = f"{domain_folder.strip('/')}/" if domain_folder else ""
    _add(found, dict(pair for package in domain for pair in domain_files(package, prefix)).items())
    return found


def domain_files(package: str, prefix: str = "") -> Iterator[tuple[str, Path]]:
    """Yield name and file of each module of a package of the domain code, or of a single module, and of the packages that hold it.

    Raise SourceError if there is neither.
    """
    path = DOMAIN.joinpath(*package.split("/"))
    module = path.with_name(f"{path.name}.py")
    if path.is_dir() and (path / "__init__.py").is_file():
        yield from _files(path, f"{prefix}{package}/")
    elif module.is_file():
        yield f"{prefix}{package}.py", module
    else:
        known = sorted(str(found.parent.relative_to(DOMAIN)) for found in DOMAIN.rglob("__init__.py"))
        raise SourceError(f"domain: there is no package or module {package}; packages are {', '.join(known)}")
    for parent in list(path.relative_to(DOMAIN).parents)[:-1]:
        yield f"{prefix}{parent.as_posix()}/__init__.py", DOMAIN / parent / "__init__.py"


def pack(files: Mapping[str, Path]) -> bytes:
    """Return an archive of files by their names in it; equal files make equal bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in sorted(files.items()):
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = _MODE
            archive.writestr(entry, path.read_bytes())
    return buffer.getvalue()


def _add(found: dict[str, Path], more: Iterable[tuple[str, Path]]) -> None:
    for name, path in more:
        if name in found:
            raise SourceError(f"both {found[name]} and {path} would be {name} in the code")
        found[name] = path


def _files(folder: Path, prefix: str) -> Iterator[tuple[str, Path]]:
    """Yield name and path of every file below *folder*, except compiled ones."""
    for path in folder.iterdir():
        if path.name == "__pycache__" or path.suffix == ".pyc":
            continue
        if path.is_dir():
            yield from _files(path, f"{prefix}{path.name}/")
        else:
            yield prefix + path.name, path
