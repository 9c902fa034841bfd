# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Compression and encryption, both directions: gzip, then ``openssl enc -aes-256-cbc`` or the content coding aes128gcm.

Sources: "Profile compression/encryption" of the provisioning guides (gzip first; ``openssl enc -e -aes-256-cbc -k``; RFC 8188 by
HTTP since 11.2(3) of the MPP firmware); openssl-enc(1) and EVP_BytesToKey(3) for the former format: ``Salted__``, 8 bytes of salt,
AES-256-CBC with PKCS#7 padding, key and IV from one round of the digest (MD5 until OpenSSL 1.0, SHA-256 since 1.1); RFC 8188
section 2 for the latter: 16 bytes of salt, record size, key ID, and records that AES-128-GCM authenticates.

Sealing is repeatable: the same content under the same key gives the same bytes, so that "changed" means changed content.
"""

from __future__ import annotations

import gzip
import hashlib
import hmac
import struct
import zlib

from .keys import hkdf

try:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.padding import PKCS7
except ImportError as error:
    MISSING: ImportError | None = error
else:
    MISSING = None

OPENSSL = "openssl"
AES128GCM = "aes128gcm"
NO_SEALING = "none"
SEALINGS = (OPENSSL, AES128GCM, NO_SEALING)
"""How a phone's service profile is sealed: ``openssl enc``, RFC 8188, or not at all."""

DIGESTS = ("md5", "sha256")

RECORD_SIZES = range(18, 2**32)
"""What the header of aes128gcm can say: from one byte of content, its delimiter and the tag, to what fits four bytes."""

_HEADER = struct.Struct("!16sIB")
_TAG_SIZE = 16
_MORE, _LAST = b"\x01", b"\x02"

_MAGIC = b"Salted__"
_GZIP_MAGIC = b"\x1f\x8b"


class SealingError(ValueError):
    """The bytes cannot be sealed or unsealed; the message says why and shows neither key nor content."""


def compress(data: bytes) -> bytes:
    """gzip *data* without name and time and with the system byte set to "unknown": every controller makes the same bytes."""
    packed = gzip.compress(data, 9, mtime=0)
    return packed[:9] + b"\xff" + packed[10:]


def is_compressed(data: bytes) -> bool:
    """Tell by the header, as phones do; the file's name does not matter to them."""
    return data.startswith(_GZIP_MAGIC)


def decompress(data: bytes, limit: int = 16 * 1024 * 1024) -> bytes:
    """Unpack gzip *data* of at most *limit* bytes unpacked; raise SealingError when it is damaged or larger."""
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


def is_sealed(data: bytes) -> bool:
    """Tell whether *data* has the header of ``openssl enc`` with a salt."""
    return data.startswith(_MAGIC)


def repeatable_salt(data: bytes, passphrase: str) -> bytes:
    """Return the 8 bytes of salt for this content under this key.

    A keyed hash: it repeats only with the content, and without the key it tells nothing about the content.
    """
    subkey = hmac.digest(_encoded(passphrase), b"voip.preprovision salt", hashlib.sha256)
    return hmac.digest(subkey, data, hashlib.sha256)[:8]


def seal(data: bytes, passphrase: str, digest: str, salt: bytes | None = None) -> bytes:
    """Encrypt *data* as ``openssl enc -e -aes-256-cbc -k passphrase -md digest`` does.

    *salt* is 8 bytes; left out, it is derived from content and key.
    """
    salt = repeatable_salt(data, passphrase) if salt is None else salt
    if len(salt) != len(_MAGIC):
        raise SealingError(f"the salt has {len(salt)} bytes; it must have 8")
    padder = PKCS7(128).padder()
    encryptor = _cipher(passphrase, salt, digest).encryptor()
    padded = padder.update(data) + padder.finalize()
    return _MAGIC + salt + encryptor.update(padded) + encryptor.finalize()


def unseal(data: bytes, passphrase: str, digest: str) -> bytes:
    """Decrypt what ``openssl enc`` or seal() made; raise SealingError when header, key or digest do not fit.

    The format is not authenticated: about 1 wrong key in 256 passes the padding check and yields rubbish.
    """
    if not is_sealed(data):
        raise SealingError("the file is not encrypted: it does not begin with 'Salted__'")
    salt, body = data[8:16], data[16:]
    if not body or len(body) % 16:
        raise SealingError("the encrypted file is cut off: its length is no multiple of 16 bytes")
    decryptor = _cipher(passphrase, salt, digest).decryptor()
    unpadder = PKCS7(128).unpadder()
    try:
        return unpadder.update(decryptor.update(body) + decryptor.finalize()) + unpadder.finalize()
    except ValueError as error:
        raise SealingError(f"the key does not fit, or the digest is not {digest}, or the file is damaged") from error


def _cipher(passphrase: str, salt: bytes, digest: str) -> Cipher[modes.CBC]:
    _need_cryptography()
    if digest not in DIGESTS:
        raise SealingError(f"the digest '{digest}' is not known; use {' or '.join(DIGESTS)}")
    key, iv = bytes_to_key(_encoded(passphrase), salt, digest)
    return Cipher(algorithms.AES(key), modes.CBC(iv))


def _encoded(passphrase: str) -> bytes:
    """Return what ``openssl enc -k`` gets from a UTF-8 terminal."""
    try:
        encoded = passphrase.encode()
    except UnicodeEncodeError:
        # Not "from error": that one carries the key.
        raise SealingError("the key is not valid Unicode text") from None
    if not encoded:
        raise SealingError("the key is empty")
    if b"\0" in encoded:
        raise SealingError("the key holds a zero character, which no command line can carry")
    return encoded


def bytes_to_key(passphrase: bytes, salt: bytes, digest: str) -> tuple[bytes, bytes]:
    """EVP_BytesToKey with one iteration: return the 32 bytes of key and 16 bytes of IV."""
    material = block = b""
    while len(material) < 48:
        # MD5 is what the firmware speaks; it protects nothing here but the format.
        block = hashlib.new(digest, block + passphrase + salt, usedforsecurity=False).digest()
        material += block
    return material[:32], material[32:48]


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
    return hmac.digest(subkey, data, hashlib.sha256)[:16]


def decrypt_content(data: bytes, ikm: bytes) -> bytes:
    """Return what is in the content coding aes128gcm in *data*; raise SealingError when it is damaged or *ikm* does not fit."""
    # The records are in memory already, whatever their size.
    decrypter = ContentDecrypter(ikm, RECORD_SIZES[-1])
    return decrypter.update(data) + decrypter.finish()


class ContentEncrypter:
    """Encrypts a stream into the content coding aes128gcm, at most one record behind.

    Two streams must never have the same *ikm* and *salt*.
    """

    def __init__(self, ikm: bytes, salt: bytes, record_size: int = 4096, key_id: bytes = b"") -> None:
        if len(salt) != 16:
            raise SealingError(f"the salt has {len(salt)} bytes; it must have 16")
        if len(key_id) > 255:
            raise SealingError(f"the key ID has {len(key_id)} bytes; at most 255 are possible")
        self._records = _Records(ikm, salt, record_size)
        self._room = record_size - _TAG_SIZE - len(_LAST)
        self._ready = _HEADER.pack(salt, record_size, len(key_id)) + key_id
        self._plain = bytearray()

    def update(self, data: bytes) -> bytes:
        """Take *data*, of any length, and return what is ready to be sent."""
        self._plain += data
        ready = [self._ready]
        self._ready = b""
        # What fills a record may be the last one, which looks different, so it waits for what follows.
        while len(self._plain) > self._room:
            ready.append(self._records.encrypt(bytes(self._plain[: self._room]) + _MORE))
            del self._plain[: self._room]
        return b"".join(ready)

    def finish(self) -> bytes:
        """Return the rest. Call it once, at the end."""
        return self._ready + self._records.encrypt(bytes(self._plain) + _LAST)


class ContentDecrypter:
    """Decrypts a stream in the content coding aes128gcm.

    Each record is authentic and in its place when it is returned, but only finish() tells that none is missing at the end: use
    nothing before that. Records of more than *largest_record* bytes are refused, since a header must not decide what is buffered.
    """

    def __init__(self, ikm: bytes, largest_record: int = 1024 * 1024) -> None:
        self._ikm = ikm
        self._largest_record = largest_record
        self._records: _Records | None = None
        self._sealed = bytearray()

    def update(self, data: bytes) -> bytes:
        """Take *data*, of any length, and return what it completes; raise SealingError for damage or a key that does not fit."""
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
        """Return the last record's content; raise SealingError when that is damaged or the stream is cut off."""
        if self._records is None or len(self._sealed) <= _TAG_SIZE:
            raise SealingError("the encrypted content is cut off")
        return self._open(self._records, bytes(self._sealed), _LAST)

    def _read_header(self) -> _Records | None:
        if len(self._sealed) < _HEADER.size:
            return None
        salt, record_size, key_id_length = _HEADER.unpack_from(self._sealed)
        if record_size > self._largest_record:
            raise SealingError(f"the encrypted content has records of {record_size} bytes; at most {self._largest_record} are read")
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
            raise SealingError("the encrypted content is cut off")
        raise SealingError("the encrypted content is damaged: a record does not end as its place demands")


class _Records:
    """The records of one stream, in their order: AES-128-GCM, the nonce counting them."""

    def __init__(self, ikm: bytes, salt: bytes, size: int) -> None:
        _need_cryptography()
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
            raise SealingError("the key does not fit, or the encrypted content is damaged") from error


def _need_cryptography() -> None:
    if MISSING is not None:
        raise SealingError("the Python package 'cryptography' is missing (Debian: python3-cryptography)") from MISSING
