# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The format of ``openssl enc -aes-256-cbc``, both directions.

Sources: "Profile compression/encryption" of the provisioning guides (``openssl enc -e -aes-256-cbc -k``); openssl-enc(1) and
EVP_BytesToKey(3): ``Salted__``, 8 bytes of salt, AES-256-CBC with PKCS#7 padding, key and IV from one round of the digest.
"""

from __future__ import annotations

import hashlib
import hmac

from ...common.suggest import unknown_choice
from .model import Digest, SealingError, TruncatedError, WrongKeyError, require_cryptography

try:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.hazmat.primitives.padding import PKCS7
except ImportError as error:
    MISSING: ImportError | None = error
else:
    MISSING = None

_MAGIC = b"Salted__"
_SALT_SIZE = 8
_BLOCK_SIZE = 16


def is_sealed(data: bytes) -> bool:
    """Tell whether *data* has the header of ``openssl enc`` with a salt."""
    return data.startswith(_MAGIC)


def repeatable_salt(data: bytes, passphrase: str) -> bytes:
    """Return the 8 bytes of salt for this content under this key.

    It is a keyed hash: it repeats only with the content, and reveals nothing about the content without the key.
    """
    subkey = hmac.digest(_encoded(passphrase), b"voip.preprovision salt", hashlib.sha256)
    return hmac.digest(subkey, data, hashlib.sha256)[:_SALT_SIZE]


def seal(data: bytes, passphrase: str, digest: str, salt: bytes | None = None) -> bytes:
    """Encrypt *data* as ``openssl enc -e -aes-256-cbc -k passphrase -md digest`` does.

    *salt* is 8 bytes; left out, it is derived from content and key.
    """
    salt = repeatable_salt(data, passphrase) if salt is None else salt
    if len(salt) != _SALT_SIZE:
        raise SealingError(f"the salt has {len(salt)} bytes; it must have {_SALT_SIZE}")
    encryptor = _cipher(passphrase, salt, digest).encryptor()
    padder = PKCS7(8 * _BLOCK_SIZE).padder()
    padded = padder.update(data) + padder.finalize()
    return _MAGIC + salt + encryptor.update(padded) + encryptor.finalize()


def unseal(data: bytes, passphrase: str, digest: str) -> bytes:
    """Decrypt what ``openssl enc`` or seal() made; raise SealingError if header, key or digest do not fit.

    The format is not authenticated: about 1 wrong key in 256 passes the padding check and yields rubbish.
    """
    if not is_sealed(data):
        raise SealingError("the file is not encrypted: it does not begin with 'Salted__'")
    salt, body = data[len(_MAGIC) : len(_MAGIC) + _SALT_SIZE], data[len(_MAGIC) + _SALT_SIZE :]
    if not body or len(body) % _BLOCK_SIZE:
        raise TruncatedError("the encrypted file is cut off: its length is not a multiple of 16 bytes")
    decryptor = _cipher(passphrase, salt, digest).decryptor()
    unpadder = PKCS7(8 * _BLOCK_SIZE).unpadder()
    try:
        return unpadder.update(decryptor.update(body) + decryptor.finalize()) + unpadder.finalize()
    except ValueError as error:
        raise WrongKeyError(f"the key does not fit, or the digest is not {digest}, or the file is damaged") from error


def _cipher(passphrase: str, salt: bytes, digest: str) -> Cipher[modes.CBC]:
    require_cryptography(MISSING)
    if digest not in list(Digest):
        raise SealingError(unknown_choice("digest", digest, Digest))
    key, iv = bytes_to_key(_encoded(passphrase), salt, digest)
    return Cipher(algorithms.AES(key), modes.CBC(iv))


def _encoded(passphrase: str) -> bytes:
    """Return what ``openssl enc -k`` gets from a UTF-8 terminal."""
    try:
        encoded = passphrase.encode()
    except UnicodeEncodeError:
        # Not "from error": that one carries the key
        raise SealingError("the key is not valid Unicode text") from None
    if not encoded:
        raise SealingError("the key is empty")
    if b"\0" in encoded:
        raise SealingError("the key holds a null character, which no command line can carry")
    return encoded


def bytes_to_key(passphrase: bytes, salt: bytes, digest: str) -> tuple[bytes, bytes]:
    """Return the 32 bytes of key and 16 bytes of IV that EVP_BytesToKey derives with one iteration."""
    material = block = b""
    while len(material) < 48:
        # The firmware requires MD5; nothing but the format depends on it
        block = hashlib.new(digest, block + passphrase + salt, usedforsecurity=False).digest()
        material += block
    return material[:32], material[32:48]
