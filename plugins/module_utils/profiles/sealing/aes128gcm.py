# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The content coding aes128gcm, both directions.

Sources: RFC 8188 section 2: 16 bytes of salt, record size, key ID, and records that AES-128-GCM authenticates; the provisioning
guides name it for HTTP since 11.2(3) of the MPP firmware.
"""

from __future__ import annotations

import hashlib
import hmac
import struct

from ..keys import hkdf
from .model import SealingError, TruncatedError, WrongKeyError, require_cryptography

try:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
except ImportError as error:
    MISSING: ImportError | None = error
else:
    MISSING = None

RECORD_SIZES = range(18, 2**32)
"""What the header can say: from one byte of content, its delimiter and the tag, to what fits four bytes."""

_HEADER = struct.Struct("!16sIB")
_SALT_SIZE = 16
_TAG_SIZE = 16
_MORE, _LAST = b"\x01", b"\x02"


def encrypt_content(data: bytes, ikm: bytes, salt: bytes | None = None, record_size: int = 4096, key_id: bytes = b"") -> bytes:
    """Return *data* in the content coding aes128gcm, with *ikm* as input keying material.

    *salt* is 16 bytes; left out, it is derived from content and key.
    """
    salt = _repeatable_content_salt(data, ikm, record_size) if salt is None else salt
    encrypter = ContentEncrypter(ikm, salt, record_size, key_id)
    return encrypter.update(data) + encrypter.finish()


def _repeatable_content_salt(data: bytes, ikm: bytes, record_size: int) -> bytes:
    """Return the 16 bytes of salt for this content under this key.

    The record size is part of it: other records under the same key and nonce would give away both.
    """
    subkey = hmac.digest(ikm, b"voip.preprovision content salt %d" % record_size, hashlib.sha256)
    return hmac.digest(subkey, data, hashlib.sha256)[:_SALT_SIZE]


def decrypt_content(data: bytes, ikm: bytes) -> bytes:
    """Return the content of *data*; raise SealingError if it is damaged or *ikm* does not fit."""
    # The records are in memory already, whatever their size
    decrypter = ContentDecrypter(ikm, RECORD_SIZES[-1])
    return decrypter.update(data) + decrypter.finish()


class ContentEncrypter:
    """Encrypts a stream into the content coding aes128gcm, at most one record behind.

    Two streams must never have the same *ikm* and *salt*.
    """

    def __init__(self, ikm: bytes, salt: bytes, record_size: int = 4096, key_id: bytes = b"") -> None:
        if len(salt) != _SALT_SIZE:
            raise SealingError(f"the salt has {len(salt)} bytes; it must have {_SALT_SIZE}")
        if len(key_id) > 255:
            raise SealingError(f"the key ID has {len(key_id)} bytes; at most 255 are possible")
        self._records = _Records(ikm, salt, record_size)
        self._room = record_size - _TAG_SIZE - len(_LAST)
        self._ready = _HEADER.pack(salt, record_size, len(key_id)) + key_id
        self._plain = bytearray()

    def update(self, data: bytes) -> bytes:
        """Add *data*, of any length, and return what is ready to be sent."""
        self._plain += data
        ready = [self._ready]
        self._ready = b""
        # A full record may be the last one, whose delimiter differs, so it waits for more data
        while len(self._plain) > self._room:
            ready.append(self._records.encrypt(bytes(self._plain[: self._room]) + _MORE))
            del self._plain[: self._room]
        return b"".join(ready)

    def finish(self) -> bytes:
        """Return the rest. Call it once, at the end."""
        return self._ready + self._records.encrypt(bytes(self._plain) + _LAST)


class ContentDecrypter:
    """Decrypts a stream in the content coding aes128gcm.

    Each record is authentic and in its place when it is returned, but only finish() proves that none is missing at the end: use
    nothing before that. Records of more than *max_record_size* bytes are refused, since a header must not decide what is buffered.
    """

    def __init__(self, ikm: bytes, max_record_size: int = 1024 * 1024) -> None:
        self._ikm = ikm
        self._max_record_size = max_record_size
        self._records: _Records | None = None
        self._sealed = bytearray()

    def update(self, data: bytes) -> bytes:
        """Add *data*, of any length, and return what it completes; raise SealingError for damage or a wrong key."""
        self._sealed += data
        records = self._records or self._read_header()
        if records is None:
            return b""
        ready = []
        while len(self._sealed) > records.size:
            ready.append(self._open(records, bytes(self._sealed[: records.size]), _MORE))
            del self._sealed[: records.size]
        return b"".join(ready)

    def finish(self) -> bytes:
        """Return the last record's content; raise SealingError if it is damaged or the stream is cut off."""
        if self._records is None or len(self._sealed) <= _TAG_SIZE:
            raise TruncatedError("the encrypted content is cut off")
        return self._open(self._records, bytes(self._sealed), _LAST)

    def _read_header(self) -> _Records | None:
        if len(self._sealed) < _HEADER.size:
            return None
        salt, record_size, key_id_length = _HEADER.unpack_from(self._sealed)
        if record_size > self._max_record_size:
            raise SealingError(f"the encrypted content has records of {record_size} bytes; the limit is {self._max_record_size}")
        if len(self._sealed) < _HEADER.size + key_id_length:
            return None
        del self._sealed[: _HEADER.size + key_id_length]
        self._records = _Records(self._ikm, salt, record_size)
        return self._records

    @staticmethod
    def _open(records: _Records, record: bytes, delimiter: bytes) -> bytes:
        padded = records.decrypt(record).rstrip(b"\0")
        if padded.endswith(delimiter):
            return padded[:-1]
        if delimiter == _LAST and padded.endswith(_MORE):
            raise TruncatedError("the encrypted content is cut off")
        raise SealingError("the encrypted content is damaged: a record has the wrong delimiter for its place")


class _Records:
    """The records of one stream, in their order: AES-128-GCM, the nonce counting them."""

    def __init__(self, ikm: bytes, salt: bytes, size: int) -> None:
        require_cryptography(MISSING)
        if not ikm:
            raise SealingError("the key is empty")
        if size not in RECORD_SIZES:
            raise SealingError(f"the record size is {size}; it must be from {RECORD_SIZES[0]} to {RECORD_SIZES[-1]} bytes")
        self.size = size
        self._gcm = AESGCM(hkdf(ikm, salt, b"Content-Encoding: aes128gcm\0", 16))
        self._base = int.from_bytes(hkdf(ikm, salt, b"Content-Encoding: nonce\0", 12), "big")
        self._count = 0

    def _nonce(self) -> bytes:
        nonce = (self._base ^ self._count).to_bytes(12, "big")
        self._count += 1
        return nonce

    def encrypt(self, plain: bytes) -> bytes:
        return self._gcm.encrypt(self._nonce(), plain, None)

    def decrypt(self, record: bytes) -> bytes:
        try:
            return self._gcm.decrypt(self._nonce(), record, None)
        except InvalidTag as error:
            raise WrongKeyError("the key does not fit, or the encrypted content is damaged") from error
