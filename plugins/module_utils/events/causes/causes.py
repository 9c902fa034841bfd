# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Why a phone fails, and what to do about it.

Code selects a cause by its name. Only what phones log in their own words ($ERR) is searched for words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum, auto
from types import MappingProxyType
from typing import NamedTuple

from ..logs.refusals import Refusal, RefusalReason, verify_error_of
from ..logs.verify_errors import VerifyFault, fault_of


class Clause(NamedTuple):
    """A cause and its remedy, both without a capital letter and a full stop."""

    cause: str
    remedy: str


class Diagnosis(NamedTuple):
    """The likely cause and its remedy, each a sentence."""

    cause: str
    remedy: str


class Cause(Enum):
    """Why a resync or an upgrade failed."""

    FIRMWARE_LOOP = auto()
    NO_CLIENT_CERTIFICATE = auto()
    GENERIC_CLIENT_CERTIFICATE = auto()
    OTHER_CLIENT_CERTIFICATE = auto()
    INVALID_CLIENT_CERTIFICATE = auto()
    """For a reason that has no cause of its own, or that was not logged."""
    EXPIRED_CLIENT_CERTIFICATE = auto()
    EARLY_CLIENT_CERTIFICATE = auto()
    CLIENT_CERTIFICATE_PURPOSE = auto()
    SELF_SIGNED_CLIENT_CERTIFICATE = auto()
    CLIENT_CERTIFICATE_ISSUER = auto()
    CLIENT_CERTIFICATE_SIGNATURE = auto()
    CLIENT_CERTIFICATE_CHAIN = auto()
    CLIENT_CERTIFICATE_DIGEST = auto()
    CLIENT_CERTIFICATE_KEY = auto()
    NOT_HTTPS = auto()
    NOT_DECRYPTED = auto()
    NOT_UNPACKED = auto()
    CORRUPT = auto()
    TLS = auto()
    FILE_MISSING = auto()
    LOGIN = auto()
    TOO_MANY_REQUESTS = auto()
    FORBIDDEN = auto()
    SERVER_ERROR = auto()
    NAME_NOT_RESOLVED = auto()
    NO_ANSWER = auto()
    NOT_FETCHED = auto()
    UNKNOWN = auto()


_OTHER_WAY = "use a unit with its manufacturer's certificate, or have its profile sealed or fetched with a password"
_LEGACY_TLS = "set web_server_tls to legacy, and run the playbook site"

CLAUSES: Mapping[Cause, Clause] = MappingProxyType(
    {
        Cause.FIRMWARE_LOOP: Clause(
            "it fetches the same firmware again and again",
            "hold it with phone_firmware_hold, and compare the version in firmware_images with the one that its web page shows",
        ),
        Cause.NO_CLIENT_CERTIFICATE: Clause(
            "it showed no client certificate",
            "use a unit with a certificate of its own, or have its profile sealed or fetched with a password",
        ),
        Cause.GENERIC_CLIENT_CERTIFICATE: Clause(
            "its client certificate is a generic one, which every old unit has",
            "update its firmware, or have its profile sealed or fetched with a password",
        ),
        Cause.OTHER_CLIENT_CERTIFICATE: Clause(
            "its client certificate is that of another phone", "compare the MAC address on its label with the inventory's"
        ),
        Cause.INVALID_CLIENT_CERTIFICATE: Clause(
            "its client certificate is not valid here",
            "add its manufacturer's root certificate to the device roots, and check the station's clock",
        ),
        Cause.EXPIRED_CLIENT_CERTIFICATE: Clause(
            "its client certificate has expired",
            "check the station's clock; if that is right, have the phone's profile sealed or fetched with a password",
        ),
        Cause.EARLY_CLIENT_CERTIFICATE: Clause(
            "its client certificate is not valid yet", "set the station's clock, which is probably behind"
        ),
        Cause.CLIENT_CERTIFICATE_PURPOSE: Clause(
            "its client certificate is for another purpose than to log in to a TLS server", _OTHER_WAY
        ),
        Cause.SELF_SIGNED_CLIENT_CERTIFICATE: Clause("its client certificate is self-signed, so no CA vouches for it", _OTHER_WAY),
        Cause.CLIENT_CERTIFICATE_ISSUER: Clause(
            "none of the station's device roots has issued its client certificate",
            "add its manufacturer's root and intermediate certificates to certificates_device_roots, and run the playbook site",
        ),
        Cause.CLIENT_CERTIFICATE_SIGNATURE: Clause(
            "the signature of its client certificate is wrong",
            "compare certificates_device_roots with what its manufacturer publishes; if they are right, do not ship it",
        ),
        Cause.CLIENT_CERTIFICATE_CHAIN: Clause(
            "a certificate above its client certificate may not issue it",
            "compare certificates_device_roots with what its manufacturer publishes",
        ),
        Cause.CLIENT_CERTIFICATE_DIGEST: Clause(
            "its client certificate, or one above it, is signed with a digest that is too weak for web_server_tls, such as SHA-1",
            _LEGACY_TLS,
        ),
        Cause.CLIENT_CERTIFICATE_KEY: Clause(
            "its client certificate, or one above it, has a key that is too short for web_server_tls, such as RSA with 1024 bits",
            _LEGACY_TLS,
        ),
        Cause.NOT_HTTPS: Clause("it asked for its own file without HTTPS", "use a Profile_Rule that begins with https://"),
        Cause.NOT_DECRYPTED: Clause(
            "it could not decrypt its profile",
            "compare its key with the inventory's, and its family's digest with the one that its firmware uses",
        ),
        Cause.NOT_UNPACKED: Clause(
            "it could not unpack its profile", "publish its profile again, and without compression if the failure persists"
        ),
        Cause.CORRUPT: Clause(
            "it found its profile corrupt", "publish its profile again, and check that its model is the one in the inventory"
        ),
        Cause.TLS: Clause(
            "it refused the server's certificate, or the server refused its TLS",
            "check the server certificate's name, expiry and issuer, and that the phone gets the time (option 42)",
        ),
        Cause.FILE_MISSING: Clause(
            "the file that it asks for does not exist",
            "check that its model and MAC address are those of the inventory, and publish its profile",
        ),
        Cause.LOGIN: Clause(
            "the server asks for a user name and password that it does not have",
            "add --uid and --pwd to its Profile_Rule, or have it show its certificate",
        ),
        Cause.TOO_MANY_REQUESTS: Clause(
            "the server treats it as one that searches for other phones' files",
            "find out why it asked for so many, then let it in again as the journal says",
        ),
        Cause.FORBIDDEN: Clause("the server refused it", "read the web server's log for the reason"),
        Cause.SERVER_ERROR: Clause("the server could not answer", "read the profile service's log, and have the phone try again"),
        Cause.NAME_NOT_RESOLVED: Clause(
            "it could not resolve the server's name", "check that the bench's DNS server knows the name in the profile's URL"
        ),
        Cause.NO_ANSWER: Clause(
            "the server did not answer it",
            "check that the server in the profile's URL runs and can be reached from the phone's network",
        ),
        Cause.NOT_FETCHED: Clause(
            "it could not fetch the file", "look at its timeline for the server's answer, and at the URL in its Profile_Rule"
        ),
        Cause.UNKNOWN: Clause("it reports that the resync failed", "read its own log for what it did before"),
    }
)

_REASONS: Mapping[str, Cause] = MappingProxyType(
    {
        RefusalReason.NOT_HTTPS: Cause.NOT_HTTPS,
        RefusalReason.NO_CERTIFICATE: Cause.NO_CLIENT_CERTIFICATE,
        RefusalReason.GENERIC_CERTIFICATE: Cause.GENERIC_CLIENT_CERTIFICATE,
        RefusalReason.OTHER_CERTIFICATE: Cause.OTHER_CLIENT_CERTIFICATE,
    }
)
_VERIFY_CAUSES: Mapping[VerifyFault | None, Cause] = MappingProxyType(
    {
        VerifyFault.EXPIRED: Cause.EXPIRED_CLIENT_CERTIFICATE,
        VerifyFault.NOT_YET_VALID: Cause.EARLY_CLIENT_CERTIFICATE,
        VerifyFault.WRONG_PURPOSE: Cause.CLIENT_CERTIFICATE_PURPOSE,
        VerifyFault.SELF_SIGNED: Cause.SELF_SIGNED_CLIENT_CERTIFICATE,
        VerifyFault.UNKNOWN_ISSUER: Cause.CLIENT_CERTIFICATE_ISSUER,
        VerifyFault.WRONG_SIGNATURE: Cause.CLIENT_CERTIFICATE_SIGNATURE,
        VerifyFault.INVALID_CHAIN: Cause.CLIENT_CERTIFICATE_CHAIN,
        VerifyFault.WEAK_DIGEST: Cause.CLIENT_CERTIFICATE_DIGEST,
        VerifyFault.SHORT_KEY: Cause.CLIENT_CERTIFICATE_KEY,
        None: Cause.INVALID_CLIENT_CERTIFICATE,
    }
)
_STATUSES: Mapping[int, Cause] = MappingProxyType(
    {
        401: Cause.LOGIN,
        403: Cause.FORBIDDEN,
        404: Cause.FILE_MISSING,
        407: Cause.LOGIN,
        429: Cause.TOO_MANY_REQUESTS,
    }
)

# What phones say in $ERR; the first that fits counts
_PHONE_WORDS = tuple(
    (re.compile(pattern, re.IGNORECASE), cause)
    for pattern, cause in (
        (r"decrypt|\bkey\b|padding|encrypted|unseal|sealed|digest", Cause.NOT_DECRYPTED),
        (r"gzip|inflate|compress", Cause.NOT_UNPACKED),
        (r"\bxml\b|well-formed|corrupt|\bpars|root element|flat-profile", Cause.CORRUPT),
        (r"certificate|\bx509|\bssl\b|\btls\b|handshake|\bverif|self.signed|\bexpired\b|not yet valid", Cause.TLS),
        (r"\b404\b|not found|no such", Cause.FILE_MISSING),
        (r"\b40[17]\b|unauthori|authenticat", Cause.LOGIN),
        (r"\b429\b|too many", Cause.TOO_MANY_REQUESTS),
        (r"\b403\b|forbidden", Cause.FORBIDDEN),
        (r"\b5[0-9][0-9]\b|server error|bad gateway", Cause.SERVER_ERROR),
        (r"resolv|\bdns\b|unknown host|host not found|name or service", Cause.NAME_NOT_RESOLVED),
        (r"time[sd]?.?out|no answer|unreachable|refused|\bconnect|reset by", Cause.NO_ANSWER),
        (r"http_?get|https?_|tftp|download|fetch", Cause.NOT_FETCHED),
    )
)
_URL = re.compile(r"\S+://\S+")


def cause_of_status(status: int) -> Cause:
    """Return why an HTTP status ended a request."""
    return Cause.SERVER_ERROR if status >= 500 else _STATUSES.get(status, Cause.UNKNOWN)


def cause_of_refusal(refusal: Refusal) -> Cause:
    """Return why the station refused a request: the reason that it logged counts before the status."""
    error = verify_error_of(refusal.reason)
    if error is not None:
        return _VERIFY_CAUSES[fault_of(error)]
    return _REASONS.get(refusal.reason) or cause_of_status(refusal.status)


def cause_of_phone_error(text: str) -> Cause:
    """Return the cause that a phone's own error *text* suggests."""
    # The words of a URL are no reason
    plain = _URL.sub(" ", text)
    return next((cause for pattern, cause in _PHONE_WORDS if pattern.search(plain)), Cause.UNKNOWN)


def diagnosis_of(clause: Clause) -> Diagnosis:
    """Return *clause* as two sentences."""
    return Diagnosis(*map(_sentence, clause))


def _sentence(clause: str) -> str:
    first = clause.partition(" ")[0]
    # A name or a URL stays as it is, and so does an interface
    begins = clause if any(sign in ".:/_" or sign.isdigit() for sign in first) else f"{clause[:1].upper()}{clause[1:]}"
    return f"{begins}."
