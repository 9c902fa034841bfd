# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who gets what from the station's web server: whose a certificate is, what TLS its phones need, and passwords where there is no
certificate.

Sources: administration guides of SPA1112 and CP-8841 for the subject, OU=SPA-962, L=88012BA01234, S=000e08abcdef: the serial number
in L may look like a MAC address. RFC 2253 for how nginx spells a subject in $ssl_client_s_dn. The {SSHA} of passwords is that of
ngx_http_auth_basic_module.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from .certificate_rules import tls_facts
from .mac import MacError, parse_mac

LEVELS = ("modern", "intermediate", "legacy")
"""From what is safe to what old firmware may need."""
AUTO = "auto"

_SHORTEST_PASSWORD = 16
# For OpenSSL, unless its security level is lowered
_SHORTEST_KEY = 2048
_DIGIT = "[0-9a-f]"
_JOINT = "[-:.]?"
_PAIRS = f"({_DIGIT}{{2}})" * 6
_SAME = _JOINT.join(rf"\{number}" for number in range(1, 7))
_ANY = f"(?:{_DIGIT}{{2}}{_JOINT}){{5}}{_DIGIT}{{2}}"
# Not inside a longer number, joined or not, nor begun by an escaped byte (\C3) or a value in hexadecimal (#0C04...)
_BEFORE = rf"(?<![0-9a-f\x5c#])(?<![^0-9a-f]{_DIGIT}{{2}}[-:.])(?<![^0-9a-f]{_DIGIT}{{4}}[-:.])"
_AFTER = f"(?!{_DIGIT})(?![-:.](?:{_DIGIT}{{2}}){{1,2}}(?!{_DIGIT}))"
# In an attribute that is no serial number; a comma or plus sign inside a value has a backslash before it
_ELSEWHERE = r"(?:.*[,+])?(?!(?:L|serialNumber)=)[a-z0-9.]+=(?:\x5c.|[^,+\x5c])*?"

OWNER_PATTERN = (
    rf"^SUCCESS:/device/{_PAIRS}\.cfg:(?!.*\x5c[01]{_DIGIT})"
    rf"(?!{_ELSEWHERE}{_BEFORE}(?!{_SAME}(?!{_DIGIT})){_ANY}{_AFTER})(?=.*{_BEFORE}{_SAME}{_AFTER})"
)
"""Regular expression, without case, for ``<$ssl_client_verify>:<$uri>:<$ssl_client_s_dn>``.

It fits when the certificate is verified, its subject carries the MAC address of the path in any attribute and spelling, and no
other MAC address. A subject with two opens nothing, nor does one with control characters.
"""


class WebAccessError(ValueError):
    """A setting cannot be followed; the message names it and what would be right."""


class Tls(NamedTuple):
    """Settings of nginx, and the level that they are of."""

    level: str
    protocols: str
    ciphers: str


_AEAD = "ECDHE+AESGCM:ECDHE+CHACHA20"
_OLD = f"{_AEAD}:ECDHE+AES:kRSA+AES"
_TLS = {
    "modern": ("TLSv1.2 TLSv1.3", _AEAD),
    "intermediate": ("TLSv1.2 TLSv1.3", _OLD),
    # TLS 1.0 and 1.1 sign with SHA-1, and old phones have certificates with it, which OpenSSL 3 allows at this level alone
    "legacy": ("TLSv1 TLSv1.1 TLSv1.2 TLSv1.3", f"{_OLD}:@SECLEVEL=0"),
}


def tls_settings(wanted: str, families: Iterable[str], key_bits: int = _SHORTEST_KEY) -> Tls:
    """Return the settings of level *wanted*, or with ``auto`` those that phones of *families* need; raise WebAccessError.

    ``auto`` turns old versions on only for firmware that is known, and not just supposed, to do nothing better. *key_bits*: size of
    the server's RSA key.
    """
    if wanted not in (*LEVELS, AUTO):
        raise WebAccessError(f"web_server_tls is '{wanted}'; write one of {', '.join((AUTO, *LEVELS))}")
    level = wanted
    if wanted == AUTO:
        level = max((_needed(family) for family in families), key=LEVELS.index, default=LEVELS[0])
    if key_bits < _SHORTEST_KEY and level != LEVELS[-1]:
        raise WebAccessError(
            f"web_server_tls is '{wanted}', which takes no certificate with a key of {key_bits} bits; set it to {LEVELS[-1]}, or"
            f" certificates_key_bits to {_SHORTEST_KEY}"
        )
    return Tls(level, *_TLS[level])


def _needed(family: str) -> str:
    facts = tls_facts(family)
    if "TLS 1.2" in facts.versions:
        return "modern"
    return "intermediate" if "highest" in facts.uncertain else "legacy"


def password_lines(passwords: Mapping[str, str]) -> list[str]:
    """Return the lines of an htpasswd file for passwords by MAC address, sorted; the same input gives the same lines.

    SSHA is quick to guess at, so that short passwords are refused; raise WebAccessError, which tells no password.
    """
    if not isinstance(passwords, Mapping):
        raise WebAccessError("web_server_passwords must be a mapping of MAC address and password")
    hashed: dict[str, str] = {}
    for number, (name, password) in enumerate(passwords.items(), 1):
        try:
            user = parse_mac(name).plain
        except MacError:
            # Both may be the wrong way round, so the name is not shown, nor what the error says of it
            raise WebAccessError(
                f"web_server_passwords: the name of entry {number} is not a MAC address; write '00:00:5e:00:53:01': PASSWORD"
            ) from None
        if user in hashed:
            raise WebAccessError(f"web_server_passwords names {user} twice; keep one entry")
        if isinstance(password, list | dict):
            raise WebAccessError(f"web_server_passwords: the password of {user} is a list or mapping; write text")
        text = str(password)
        if len(text) < _SHORTEST_PASSWORD or not (text.isascii() and text.isprintable()):
            raise WebAccessError(
                f"web_server_passwords: the password of {user} must be at least {_SHORTEST_PASSWORD} printable ASCII characters"
            )
        salt = hmac.new(text.encode(), user.encode(), hashlib.sha256).digest()[:8]
        digest = hashlib.sha1(text.encode() + salt, usedforsecurity=False).digest()
        hashed[user] = f"{{SSHA}}{base64.b64encode(digest + salt).decode()}"
    return [f"{user}:{value}" for user, value in sorted(hashed.items())]
