# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Per-phone profile keys from one master secret: HKDF (RFC 5869) with SHA-256 over the phone's MAC.

A key is text, since ``--key`` of a profile rule and ``-k`` of ``openssl enc`` take a passphrase: 64 hexadecimal digits.
"""

from __future__ import annotations

import hashlib
import hmac
from functools import lru_cache

from ..common.mac import Mac
from ..common.validate import quoting_hint

MIN_LENGTH = 16
"""One captured profile is enough to guess a shorter secret, since openssl-enc derives its key by a single hash."""

_SALT = b"voip.preprovision"
_INFO = b"profile key 1 "
_FINGERPRINT = b"master key fingerprint"


class ProfileKeyError(ValueError):
    """The secret cannot be used as a key; the message never shows it."""


def derive_key(master: str, mac: Mac) -> str:
    """Return the profile key of *mac*: 256 bits as lower-case hexadecimal digits."""
    return _expand(_extracted(check_secret(master, "master key")), _INFO + mac.plain.encode()).hex()


@lru_cache(maxsize=4)
def _extracted(master: str) -> bytes:
    # The same for all phones of a run
    return _extract(master.encode(), _SALT)


def key_id(key: str) -> str:
    """Return eight lower-case hexadecimal digits that identify a key in a file name without revealing it."""
    return hmac.digest(key.encode(), b"voip.preprovision key id", hashlib.sha256)[:4].hex()


def fingerprint(master: str) -> str:
    """Return sixteen lower-case hexadecimal digits that identify a master key without revealing it."""
    return _expand(_extracted(check_secret(master, "master key")), _FINGERPRINT)[:8].hex()


def service_secret(master: str) -> str:
    """Return the secret of the profile services of all servers whose phones' keys come from *master*, as 64 hexadecimal digits."""
    return hkdf(check_secret(master, "master key").encode(), b"voip.preprovision", b"profile service secret").hex()


def hkdf(secret: bytes, salt: bytes, info: bytes, length: int = 32) -> bytes:
    """Return the first *length* bytes, at most 32, of the output keying material of HKDF with SHA-256."""
    return _expand(_extract(secret, salt), info)[:length]


def _extract(secret: bytes, salt: bytes) -> bytes:
    return hmac.digest(salt, secret, hashlib.sha256)


def _expand(extracted: bytes, info: bytes) -> bytes:
    # One block gives 32 bytes, so the counter is always 1
    return hmac.digest(extracted, info + b"\x01", hashlib.sha256)


def check_key(key: object) -> str:
    """Return *key* if it is long enough and fits into a profile rule; raise ProfileKeyError otherwise, without showing it."""
    text = check_secret(key, "profile key")
    if not text.isascii() or not text.isprintable() or set(text) & set(" \"'[]|$") or text.startswith("-"):
        raise ProfileKeyError(
            "the profile key must be printable ASCII text without spaces, quotes, brackets, | and $, and must not begin with -"
        )
    return text


def check_previous_key(key: object) -> str:
    """Return *key*, which phones already hold, however weak it is; raise ProfileKeyError without showing it if it cannot be one."""
    text = check_secret(key, "profile key", 0)
    if not text or not text.isprintable():
        raise ProfileKeyError("the profile key must be printable text, of at least one character")
    return text


def check_secret(secret: object, what: str, min_length: int = MIN_LENGTH) -> str:
    """Return *secret* if it is a text of at least *min_length* characters; raise ProfileKeyError that calls it *what*."""
    if not isinstance(secret, str):
        raise ProfileKeyError(f"the {what} is not text{quoting_hint(secret)}")
    try:
        secret.encode()
    except UnicodeEncodeError:
        # Not "from error": that one carries the secret
        raise ProfileKeyError(f"the {what} is not valid Unicode text") from None
    if len(secret) < min_length:
        raise ProfileKeyError(f"the {what} has {len(secret)} characters; use at least {min_length} random ones")
    return secret
