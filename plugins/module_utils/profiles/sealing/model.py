# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""How service profiles are sealed, and why sealing fails.

A profile is compressed first, then encrypted in one of two formats: ``openssl enc -aes-256-cbc`` or the content coding aes128gcm.
Sealing is repeatable: the same content under the same key gives the same bytes, so that "changed" means changed content.
"""

from __future__ import annotations

from enum import StrEnum


class SealingError(ValueError):
    """The bytes cannot be sealed or unsealed; the message says why and shows neither key nor content."""


class TruncatedError(SealingError):
    """The end of the encrypted bytes is missing."""


class WrongKeyError(SealingError):
    """The key does not fit, or the bytes are damaged: decryption cannot tell the two apart."""


class Sealing(StrEnum):
    """How a phone's service profile is sealed."""

    OPENSSL = "openssl"
    """``openssl enc``."""
    AES128GCM = "aes128gcm"
    """RFC 8188."""
    NONE = "none"


class Digest(StrEnum):
    """Digest of ``openssl enc``: its default was MD5 before OpenSSL 1.1.0, and is SHA-256 since."""

    MD5 = "md5"
    SHA256 = "sha256"


def require_cryptography(missing: ImportError | None) -> None:
    """Raise SealingError if the import of the package cryptography failed."""
    if missing is not None:
        raise SealingError("the Python package 'cryptography' is missing (Debian: python3-cryptography)") from missing
