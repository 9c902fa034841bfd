# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Compression and encryption of profiles, both directions: gzip, then ``openssl enc -aes-256-cbc``.

Sources: "Profile compression/encryption" of the provisioning guides (gzip first; ``openssl enc -e -aes-256-cbc -k``);
openssl-enc(1) and EVP_BytesToKey(3) for the format: ``Salted__``, 8 bytes of salt, AES-256-CBC with PKCS#7 padding, key and IV
from one round of the digest (MD5 until OpenSSL 1.0, SHA-256 since 1.1).

Sealing is repeatable: the same content under the same key gives the same bytes, so that "changed" means changed content.
"""

from __future__ import annotations

import gzip
import hashlib
import hmac
import zlib

try:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.hazmat.primitives.padding import PKCS7
except ImportError as error:
    MISSING: ImportError | None = error
else:
    MISSING = None

DIGESTS = ("md5", "sha256")

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
    subkey = hmac.digest(passphrase.encode(), b"voip.preprovision salt", hashlib.sha256)
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
    if MISSING is not None:
        raise SealingError("the Python package 'cryptography' is missing (Debian: python3-cryptography)") from MISSING
    if digest not in DIGESTS:
        raise SealingError(f"the digest '{digest}' is not known; use {' or '.join(DIGESTS)}")
    if not passphrase:
        raise SealingError("the key is empty")
    key, iv = bytes_to_key(passphrase.encode(), salt, digest)
    return Cipher(algorithms.AES(key), modes.CBC(iv))


def bytes_to_key(passphrase: bytes, salt: bytes, digest: str) -> tuple[bytes, bytes]:
    """EVP_BytesToKey with one iteration: return the 32 bytes of key and 16 bytes of IV."""
    material = block = b""
    while len(material) < 48:
        # MD5 is what the firmware speaks; it protects nothing here but the format.
        block = hashlib.new(digest, block + passphrase + salt, usedforsecurity=False).digest()
        material += block
    return material[:32], material[32:48]
