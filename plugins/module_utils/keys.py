# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Per-phone profile keys from one master secret: HKDF (RFC 5869) with SHA-256 over the phone's MAC.

A key is text, since ``--key`` of a profile rule and ``-k`` of ``openssl enc`` take a passphrase: 64 hexadecimal digits.
"""

from __future__ import annotations

import hashlib
import hmac
from functools import lru_cache

from .mac import Mac

MINIMUM_LENGTH = 16
"""Shorter secrets can be guessed from one captured profile: openssl-enc's key derivation is a single hash."""

_SALT = b"voip.preprovision"
_INFO = b"profile key 1 "


class ProfileKeyError(ValueError):
    """The secret cannot be used as a key; the message never shows it."""


def derive_key(master: str, mac: Mac) -> str:
    """Return the profile key of *mac*: 256 bits as lower-case hexadecimal digits."""
    return _expand(_extracted(check_secret(master, "master key")), _INFO + mac.plain.encode()).hex()


@lru_cache(maxsize=4)
def _extracted(master: str) -> bytes:
    # The same for all phones of a run.
    return _extract(master.encode(), _SALT)


def key_id(key: str) -> str:
    """Return eight lower-case hexadecimal digits that tell one key from another in a file's name, and not what it is."""
    return hmac.digest(key.encode(), b"voip.preprovision key id", hashlib.sha256)[:4].hex()


def hkdf(secret: bytes, salt: bytes, info: bytes, length: int = 32) -> bytes:
    """HKDF with SHA-256: return the first *length* bytes, at most 32, of output keying material."""
    return _expand(_extract(secret, salt), info)[:length]


def _extract(secret: bytes, salt: bytes) -> bytes:
    return hmac.digest(salt, secret, hashlib.sha256)


def _expand(extracted: bytes, info: bytes) -> bytes:
    # One block gives 32 bytes, so the counter is always 1.
    return hmac.digest(extracted, info + b"\x01", hashlib.sha256)


def check_key(key: object) -> str:
    """Return *key* if a profile rule can carry it and it is long enough; raise ProfileKeyError without showing it otherwise."""
    text = check_secret(key, "profile key")
    if not text.isascii() or not text.isprintable() or set(text) & set(" \"'[]|$") or text.startswith("-"):
        raise ProfileKeyError(
            "the profile key must be printable ASCII text without spaces, quotes, brackets, | and $, and must not begin with -"
        )
    return text


def check_previous_key(key: object) -> str:
    """Return *key*, which phones hold already, however weak it is; raise ProfileKeyError without showing it if it cannot be one."""
    text = check_secret(key, "profile key", 0)
    if not text or not text.isprintable():
        raise ProfileKeyError("the profile key must be printable text, of at least one character")
    return text


def check_secret(secret: object, what: str, shortest: int = MINIMUM_LENGTH) -> str:
    """Return *secret* if it is text of enough characters."""
    if not isinstance(secret, str):
        raise ProfileKeyError(f"the {what} is not text")
    try:
        secret.encode()
    except UnicodeEncodeError:
        # Not "from error": that one carries the secret.
        raise ProfileKeyError(f"the {what} is not valid Unicode text") from None
    if len(secret) < shortest:
        raise ProfileKeyError(f"the {what} has {len(secret)} characters; use at least {shortest} random ones")
    return secret
