# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""gzip, always with the same bytes for the same content: phones unpack it after decrypting.

Source: "Profile compression/encryption" of the provisioning guides: gzip first, then encryption.
"""

from __future__ import annotations

import gzip
import zlib

from .model import SealingError

_MAGIC = b"\x1f\x8b"


def compress(data: bytes) -> bytes:
    """Return *data* as gzip without name and time and with the system byte set to "unknown", so that all controllers agree."""
    packed = gzip.compress(data, 9, mtime=0)
    return packed[:9] + b"\xff" + packed[10:]


def is_compressed(data: bytes) -> bool:
    """Tell by the header whether *data* is gzip, as phones do; they ignore the file's name."""
    return data.startswith(_MAGIC)


def decompress(data: bytes, limit: int = 16 * 1024 * 1024) -> bytes:
    """Unpack gzip *data* of at most *limit* bytes unpacked; raise SealingError if it is damaged or larger."""
    unpacker = zlib.decompressobj(31)
    try:
        plain = unpacker.decompress(data, limit)
    except zlib.error as error:
        raise SealingError(f"the gzip data is damaged: {error}") from error
    if not unpacker.eof:
        raise SealingError(f"the gzip data is cut off, or larger than {limit} bytes unpacked")
    if unpacker.unused_data:
        raise SealingError("the gzip data is damaged: other bytes follow it")
    return plain
