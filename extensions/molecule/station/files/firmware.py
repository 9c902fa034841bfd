# SPDX-License-Identifier: GPL-3.0-or-later
"""Make firmware images (``make FOLDER``, on the controller) and fetch them with curl (``judge``, on the bench)."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

# Larger files are fetched in fewer ways, because they take long
BIG = 10_000_000
SPA = {"models": ["SPA504G"]}
PARTS = {
    "sip88xx.12-0-1MPP0001-100.loads": b"rootfs88xx.12-0-1.sbn\nkern88xx.12-0-1.sbn\n",
    "rootfs88xx.12-0-1.sbn": bytes(3_000_000),
    "kern88xx.12-0-1.sbn": os.urandom(400_000),
}


def make(folder: Path) -> None:
    """Make images and packages; print the catalogue entries and the digests of the files to be served."""
    # A run that was killed has left one
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    files = {
        # More blocks of 512 bytes than TFTP can number
        "spa50x-30x-8-0-0.bin": os.urandom(34_000_000),
        "spa50x-30x-9-0-0.bin": os.urandom(300_001),
        "ATA19x.11-2-1MPP0001-006.img": os.urandom(1_000_000),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    for name, path in (("cmterm-88xx.12-0-1.zip", "release/{}"), ("outside.zip", "../{}")):
        with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED) as archive:
            for part, content in PARTS.items():
                archive.writestr(path.format(part), content)
    entries = {
        "step": {"file": "spa50x-30x-8-0-0.bin", "version": "8.0.0", **SPA},
        "target": {"file": "spa50x-30x-9-0-0.bin", "version": "9.0.0", "minimum": "8.0.0", **SPA},
        "ata": {"file": "ATA19x.11-2-1MPP0001-006.img", "version": "11-2-1MPP0001-006", "family": "ata19x"},
        "mpp": {"file": "cmterm-88xx.12-0-1.zip", "version": "sip88xx.12-0-1MPP0001-100", "models": ["CP-8851-3PCC"]},
        "outside": {"file": "outside.zip", "version": "sip88xx.12-0-2MPP0001-200", "models": ["CP-8851-3PCC"]},
    }
    for entry in entries.values():
        path = folder / entry["file"]
        entry |= {"file": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "size": path.stat().st_size}
        if path.suffix == ".zip":
            entry["load"] = next(iter(PARTS))
    served = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir() if path.suffix != ".zip"}
    served |= {name: hashlib.sha256(content).hexdigest() for name, content in PARTS.items()}
    print(json.dumps({"entries": entries, "served": served}))


def fetch(*options: str) -> bytes:
    return subprocess.run(["curl", "--silent", "--show-error", "--fail", *options], capture_output=True, check=True).stdout


def headers(*options: str) -> dict[str, str]:
    lines = fetch("--head", *options).decode().splitlines()
    return {name.lower(): value.strip() for name, _colon, value in (line.partition(":") for line in lines)}


def judge(server: str, name: str, root: str, served: dict[str, str]) -> list[str]:
    """Fetch everything in every way; return the failures."""
    wrong = []
    secure = ("--cacert", root, "--resolve", f"{name}:443:{server}")

    def compare(what: str, content: bytes, digest: str) -> None:
        if hashlib.sha256(content).hexdigest() != digest:
            wrong.append(f"{what}: {len(content)} bytes with another digest")

    for file, digest in served.items():
        url, tftp = f"http://{server}/firmware/{file}", f"tftp://{server}/firmware/{file}"
        whole = fetch(url)
        compare(url, whole, digest)
        compare(f"{tftp} without options", fetch("--tftp-no-options", tftp), digest)
        if len(whole) > BIG:
            continue
        compare(f"{url} by HTTPS", fetch(*secure, f"https://{name}/firmware/{file}"), digest)
        compare(f"{url} in small letters", fetch(f"http://{server}/firmware/{file.lower()}"), digest)
        found = headers(url)
        if (found.get("content-length"), found.get("accept-ranges")) != (str(len(whole)), "bytes"):
            wrong.append(f"{url}: {found}")
        middle = min(10, len(whole) // 2)
        pieces = [fetch("--range", piece, url) for piece in (f"0-{middle - 1}", f"{middle}-")]
        if len(pieces[0]) != middle:
            wrong.append(f"{url}: a piece of {len(pieces[0])} bytes instead of {middle}")
        compare(f"{url} in pieces", b"".join(pieces), digest)
        compare(f"{tftp} in blocks of 1428", fetch("--tftp-blksize", "1428", tftp.replace(file, file.upper())), digest)
        if "ATA19x" in file:
            compare("the other spelling", fetch(url.replace("ATA19x", "ATA19X")), digest)
    return wrong


def main() -> None:
    verb, *arguments = sys.argv[1:]
    if verb == "make":
        make(Path(arguments[0]))
        return
    wrong = judge(*arguments[:3], json.loads(arguments[3]))
    sys.exit("\n".join(wrong) or 0)


main()
