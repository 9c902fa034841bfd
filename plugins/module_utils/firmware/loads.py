# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a phone can tell from a firmware file: the version in its name, and the other files of a load.

Sources: release notes of the ATA 191/192 (``ATA19X.11-2-1MPP0001-006.img``) and of MPP phones (``sip88xx.11-2-3MPP-398.loads``,
with all files of the package beside it), and a public rule for SPA50x (``spa50x-30x-7-5-2b.bin``). Inferred: a phone takes the
names of the other files from the ``.loads`` file and fetches them from the same folder.
"""

from __future__ import annotations

import hashlib
import re

from ..common.versions import NumberError, read_number
from ..families.model import Family

MAX_FILES = 32
"""Maximum number of files that one load can name."""
_NAMED = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._-]{1,120}\.(?:sbn|bin|img|zz|sgn|rom)\b")
_LIST = ".loads"


def base_name(path: str) -> str:
    """Return the file's name without folders and query."""
    return path.partition("?")[0].rsplit("/", 1)[-1]


def load_version(path: str, family: Family) -> str:
    """Return the ``$SWVER`` of the firmware in that file; empty where its name does not say."""
    match = re.fullmatch(family.load_pattern, base_name(path)) if family.load_pattern else None
    version = match[1] if match else ""
    return version.replace("-", ".") if family.load_dots else version


def is_list(path: str) -> bool:
    """Tell whether the file lists other files."""
    return base_name(path).lower().endswith(_LIST)


def named_files(content: bytes) -> list[str]:
    """Return the files that a list names, without duplicates."""
    return list(dict.fromkeys(match.decode() for match in _NAMED.findall(content)))[:MAX_FILES]


def agent_version(version: str, family: Family) -> str:
    """Return a version as the User-Agent spells it: 11.3.2 for sip88xx.11-3-2MPP0001-609 in families with two spellings."""
    if not family.software_version:
        return version
    if version == family.software_version:
        return family.firmware
    match = re.search(r"(\d+)-(\d+)-(\d+)", version)
    return ".".join(match.groups()) if match else version


def is_older(version: str, limit: str) -> bool:
    """Tell whether a version is older than *limit*; False where the two cannot be compared."""
    try:
        one, other = read_number(version), read_number(limit)
    except NumberError:
        return False
    return one.kind == other.kind and one < other


def checksum(content: bytes) -> str:
    """Return a file's SHA-256 in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()
