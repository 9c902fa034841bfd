# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the collection's archive so that the same commit always yields the same bytes.

`ansible-galaxy collection build` writes the time of the build and of each file, and lists files in the order of the file
system. This keeps what it has put into the archive, sorts it, and gives all of it one time.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import json
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any


def _read(archive: tarfile.TarFile, name: str) -> Any:
    file = archive.extractfile(name)
    if file is None:
        raise ValueError(f"{name} is not a file")
    return json.load(file)


def _json(content: Any) -> bytes:
    return json.dumps(content, indent=1).encode()


def normalise(built: Path, target: Path, seconds: int) -> None:
    """Write the archive *built* to *target* with sorted files, all of the time *seconds* after the epoch."""
    with tarfile.open(built) as source, target.open("wb") as file:
        listing = _read(source, "FILES.json")
        manifest = _read(source, "MANIFEST.json")
        listing["files"].sort(key=lambda entry: entry["name"])
        replaced = {"FILES.json": _json(listing)}
        manifest["file_manifest_file"]["chksum_sha256"] = hashlib.sha256(replaced["FILES.json"]).hexdigest()
        replaced["MANIFEST.json"] = _json(manifest)
        # A fixed level: the default could change
        with (
            gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=file, mtime=seconds) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as result,
        ):
            for member in sorted(source.getmembers(), key=lambda member: (member.name not in replaced, member.name)):
                entry = tarfile.TarInfo(member.name)
                entry.type, entry.mode, entry.linkname, entry.mtime = member.type, member.mode, member.linkname, seconds
                content = replaced.get(member.name)
                if content is None and member.isfile():
                    extracted = source.extractfile(member)
                    content = extracted.read() if extracted else b""
                entry.size = len(content or b"")
                result.addfile(entry, io.BytesIO(content or b""))


def build(tree: Path, folder: Path, seconds: int) -> Path:
    """Build the archive of the collection in *tree* into *folder*, and return its path."""
    with tempfile.TemporaryDirectory() as temporary:
        subprocess.run(
            ["ansible-galaxy", "collection", "build", f"--output-path={temporary}", str(tree)], check=True, capture_output=True
        )
        (built,) = Path(temporary).glob("*.tar.gz")
        target = folder / built.name
        normalise(built, target, seconds)
    return target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tree", type=Path, help="folder of the collection")
    parser.add_argument("folder", type=Path, help="where the archive goes")
    parser.add_argument("--seconds", type=int, required=True, help="the time of everything in it, in seconds after the epoch")
    arguments = parser.parse_args()
    print(build(arguments.tree, arguments.folder, arguments.seconds))


if __name__ == "__main__":
    main()
