# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Map client certificates to phones and decide which files they may fetch; TLS settings and passwords of the web server.

Sources: administration guides of SPA1112 and CP-8841 for the subject, OU=SPA-962, L=88012BA01234, S=000e08abcdef: the serial number
in L may look like a MAC address. RFC 2253 for the spelling of a subject in nginx's $ssl_client_s_dn. Passwords are hashed with the
{SSHA} scheme of ngx_http_auth_basic_module.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple

from ..common.mac import MacError, parse_mac
from ..common.suggest import unknown_choice
from ..common.validate import ValidationError, read_text_or_digits
from .tls_facts import tls_facts


class TlsLevel(StrEnum):
    """Levels of TLS settings, from the safest to the one that old firmware may need."""

    MODERN = "modern"
    INTERMEDIATE = "intermediate"
    LEGACY = "legacy"


AUTO = "auto"

_MIN_PASSWORD_LENGTH = 16
# OpenSSL's minimum at its default security level
_MIN_KEY_BITS = 2048
_DIGIT = "[0-9a-f]"
_JOINT = "[-:.]?"
_PAIRS = f"({_DIGIT}{{2}})" * 6
_SAME = _JOINT.join(rf"\{number}" for number in range(1, 7))
_ANY = f"(?:{_DIGIT}{{2}}{_JOINT}){{5}}{_DIGIT}{{2}}"
# Not inside a longer number, joined or not, nor begun by an escaped byte (\C3) or a value in hexadecimal (#0C04...)
_BEFORE = rf"(?<![0-9a-f\x5c#])(?<![^0-9a-f]{_DIGIT}{{2}}[-:.])(?<![^0-9a-f]{_DIGIT}{{4}}[-:.])"
_AFTER = f"(?!{_DIGIT})(?![-:.](?:{_DIGIT}{{2}}){{1,2}}(?!{_DIGIT}))"
# In an attribute other than a serial number; a comma or plus sign inside a value has a backslash before it
_ELSEWHERE = r"(?:.*[,+])?(?!(?:L|serialNumber)=)[a-z0-9.]+=(?:\x5c.|[^,+\x5c])*?"

_OWN_SUBJECT = (
    rf"(?!.*\x5c[01]{_DIGIT})"
    rf"(?!{_ELSEWHERE}{_BEFORE}(?!{_SAME}(?!{_DIGIT})){_ANY}{_AFTER})(?=.*{_BEFORE}{_SAME}{_AFTER})"
)
OWNER_PATTERN = rf"^SUCCESS:/device/{_PAIRS}\.cfg:{_OWN_SUBJECT}"
"""Case-insensitive regular expression for ``<$ssl_client_verify>:<$uri>:<$ssl_client_s_dn>``.

It matches when the certificate is verified and its subject contains the path's MAC address, in any attribute and spelling, and no
other. A subject with two MAC addresses opens nothing, nor does one with control characters.
"""


_MACROS = re.compile(r"(\$MAU?(?![A-Z])|\{key_id\})")


def owner_pattern(path: str) -> str:
    """Return OWNER_PATTERN for a path with one ``$MA`` or ``$MAU`` and perhaps ``{key_id}``, such as ``/live/$MA-{key_id}.cfg``.

    A path that ends with the suffix of RFC 8188 has the same owner.
    """
    parts = [
        re.escape(part) if not number % 2 else f"{_DIGIT}{{8}}" if part.startswith("{") else _PAIRS
        for number, part in enumerate(_MACROS.split(path))
    ]
    return rf"^SUCCESS:{''.join(parts)}(?:\.aes128gcm)?:{_OWN_SUBJECT}"


class WebAccessError(ValueError):
    """A setting is invalid; the message names it and what would be right."""


class Tls(NamedTuple):
    """Settings for nginx, and their level."""

    level: str
    protocols: str
    ciphers: str


_AEAD = "ECDHE+AESGCM:ECDHE+CHACHA20"
_OLD = f"{_AEAD}:ECDHE+AES:kRSA+AES"
_TLS = {
    TlsLevel.MODERN: ("TLSv1.2 TLSv1.3", _AEAD),
    TlsLevel.INTERMEDIATE: ("TLSv1.2 TLSv1.3", _OLD),
    # TLS 1.0 and 1.1 sign with SHA-1, as do the certificates of old phones; OpenSSL 3 allows it only at this level
    TlsLevel.LEGACY: ("TLSv1 TLSv1.1 TLSv1.2 TLSv1.3", f"{_OLD}:@SECLEVEL=0"),
}


def tls_settings(wanted: str, families: Iterable[str], key_bits: int = _MIN_KEY_BITS) -> Tls:
    """Return the settings of level *wanted*, or for ``auto`` those that phones of *families* need; raise WebAccessError.

    ``auto`` allows old versions only for firmware that is known, and not only assumed, to support nothing newer. *key_bits*: size
    of the server's RSA key.
    """
    levels = list(TlsLevel)
    if wanted not in (AUTO, *levels):
        raise WebAccessError(f"web_server_tls: {unknown_choice('level', wanted, (AUTO, *levels))}")
    if wanted == AUTO:
        level = max((_required_level(family) for family in families), key=levels.index, default=TlsLevel.MODERN)
    else:
        level = TlsLevel(wanted)
    if key_bits < _MIN_KEY_BITS and level != TlsLevel.LEGACY:
        raise WebAccessError(
            f"web_server_tls is '{wanted}', which accepts no certificate with a key of {key_bits} bits; set it to"
            f" {TlsLevel.LEGACY}, or certificates_key_bits to {_MIN_KEY_BITS}"
        )
    return Tls(level.value, *_TLS[level])


def _required_level(family: str) -> TlsLevel:
    facts = tls_facts(family)
    if "TLS 1.2" in facts.versions:
        return TlsLevel.MODERN
    return TlsLevel.INTERMEDIATE if "highest" in facts.uncertain else TlsLevel.LEGACY


def password_lines(passwords: Mapping[str, str]) -> list[str]:
    """Return the sorted lines of an htpasswd file for passwords by MAC address; the same input gives the same lines.

    SSHA hashes are fast to attack, so short passwords are rejected. Raise WebAccessError, which never shows a password.
    """
    if not isinstance(passwords, Mapping):
        raise WebAccessError("web_server_passwords must be a mapping of MAC addresses to passwords")
    hashed: dict[str, str] = {}
    for number, (name, password) in enumerate(passwords.items(), 1):
        try:
            user = parse_mac(name).plain
        except MacError:
            # The user may have swapped address and password, so show neither the name nor the error about it
            raise WebAccessError(
                f"web_server_passwords: the name of entry {number} is not a MAC address; write '00:00:5e:00:53:01': PASSWORD"
            ) from None
        if user in hashed:
            raise WebAccessError(f"web_server_passwords has {user} twice; keep one entry")
        try:
            text = read_text_or_digits(password)
        except ValidationError as error:
            raise WebAccessError(f"web_server_passwords: the password of {user} {error}") from error
        if len(text) < _MIN_PASSWORD_LENGTH or not (text.isascii() and text.isprintable()):
            raise WebAccessError(
                f"web_server_passwords: the password of {user} must be at least {_MIN_PASSWORD_LENGTH} printable ASCII characters"
            )
        salt = hmac.new(text.encode(), user.encode(), hashlib.sha256).digest()[:8]
        digest = hashlib.sha1(text.encode() + salt, usedforsecurity=False).digest()
        hashed[user] = f"{{SSHA}}{base64.b64encode(digest + salt).decode()}"
    return [f"{user}:{value}" for user, value in sorted(hashed.items())]
