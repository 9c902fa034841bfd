# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What OpenSSL finds wrong with a client certificate: its texts, as nginx logs them in ``$ssl_client_verify`` after ``FAILED:``.

Source: X509_verify_cert_error_string() of OpenSSL 3.0 to 3.5 (crypto/x509/x509_txt.c), and the meaning of each X509_V_ERR_... in
X509_STORE_CTX_get_error(3). OpenSSL 1.1.1 writes "self signed" without a hyphen.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from types import MappingProxyType
from typing import NamedTuple


class VerifyFault(Enum):
    """What is wrong with a client certificate, or with one above it."""

    EXPIRED = auto()
    NOT_YET_VALID = auto()
    WRONG_PURPOSE = auto()
    SELF_SIGNED = auto()
    UNKNOWN_ISSUER = auto()
    WRONG_SIGNATURE = auto()
    INVALID_CHAIN = auto()
    """One of the certificates above it may not issue it."""
    WEAK_DIGEST = auto()
    """Such as SHA-1."""
    SHORT_KEY = auto()
    """Such as RSA with 1024 bits."""


class VerifyError(NamedTuple):
    """One of OpenSSL's errors."""

    name: str
    """X509_V_ERR_... without this beginning."""
    text: str
    fault: VerifyFault


VERIFY_ERRORS = (
    VerifyError("CERT_HAS_EXPIRED", "certificate has expired", VerifyFault.EXPIRED),
    VerifyError("CERT_NOT_YET_VALID", "certificate is not yet valid", VerifyFault.NOT_YET_VALID),
    VerifyError("INVALID_PURPOSE", "unsuitable certificate purpose", VerifyFault.WRONG_PURPOSE),
    VerifyError("DEPTH_ZERO_SELF_SIGNED_CERT", "self-signed certificate", VerifyFault.SELF_SIGNED),
    VerifyError("DEPTH_ZERO_SELF_SIGNED_CERT", "self signed certificate", VerifyFault.SELF_SIGNED),
    VerifyError("SELF_SIGNED_CERT_IN_CHAIN", "self-signed certificate in certificate chain", VerifyFault.UNKNOWN_ISSUER),
    VerifyError("SELF_SIGNED_CERT_IN_CHAIN", "self signed certificate in certificate chain", VerifyFault.UNKNOWN_ISSUER),
    VerifyError("UNABLE_TO_GET_ISSUER_CERT", "unable to get issuer certificate", VerifyFault.UNKNOWN_ISSUER),
    VerifyError("UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "unable to get local issuer certificate", VerifyFault.UNKNOWN_ISSUER),
    VerifyError("UNABLE_TO_VERIFY_LEAF_SIGNATURE", "unable to verify the first certificate", VerifyFault.UNKNOWN_ISSUER),
    VerifyError("UNABLE_TO_DECRYPT_CERT_SIGNATURE", "unable to decrypt certificate's signature", VerifyFault.WRONG_SIGNATURE),
    VerifyError("CERT_SIGNATURE_FAILURE", "certificate signature failure", VerifyFault.WRONG_SIGNATURE),
    VerifyError("CERT_CHAIN_TOO_LONG", "certificate chain too long", VerifyFault.INVALID_CHAIN),
    VerifyError("PATH_LENGTH_EXCEEDED", "path length constraint exceeded", VerifyFault.INVALID_CHAIN),
    VerifyError("KEYUSAGE_NO_CERTSIGN", "key usage does not include certificate signing", VerifyFault.INVALID_CHAIN),
    VerifyError("INVALID_CA", "invalid CA certificate", VerifyFault.INVALID_CHAIN),
    VerifyError("CA_MD_TOO_WEAK", "CA signature digest algorithm too weak", VerifyFault.WEAK_DIGEST),
    VerifyError("EE_KEY_TOO_SMALL", "EE certificate key too weak", VerifyFault.SHORT_KEY),
    VerifyError("CA_KEY_TOO_SMALL", "CA certificate key too weak", VerifyFault.SHORT_KEY),
)

_FAULTS: Mapping[str, VerifyFault] = MappingProxyType({error.text.lower(): error.fault for error in VERIFY_ERRORS})


def fault_of(text: str) -> VerifyFault | None:
    """Return what OpenSSL's *text* says is wrong; None for an error that phones' certificates do not have."""
    return _FAULTS.get(text.strip().lower())
