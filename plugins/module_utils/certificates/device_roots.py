# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Read and check the makers' CAs, by which a server recognises real phones, from files as the makers publish them.

Sources: RFC 7468 for PEM; RFC 2315 for PKCS#7 files that hold only certificates (.p7b); X509_check_ca(3) of OpenSSL for what counts
as a CA. OpenSSL, and so nginx, verifies up to a self-signed root: a CA below it is of no use alone.
"""

from __future__ import annotations

import binascii
import datetime
import warnings
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..common.text_tables import printable
from .chain import Certificate, blocks, is_signed_by, read_certificates, read_der_certificate, signing_path
from .requests import CertificateError
from .server_checks import format_time

try:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.hazmat.primitives.serialization.pkcs7 import load_der_pkcs7_certificates
    from cryptography.x509 import BasicConstraints, ExtensionNotFound, Version
except ImportError:
    pass

_PKCS7_LABELS = ("PKCS7", "PKCS #7 SIGNED DATA", "CMS")


class Found(NamedTuple):
    """A certificate, and the file that holds it."""

    certificate: Certificate
    where: str


def read_ca_file(content: bytes, where: str) -> list[Found]:
    """Return the certificates of a file: PEM, DER, or PKCS#7 as PEM or DER; raise CertificateError, which begins with *where*."""
    if not content.strip():
        raise CertificateError(f"{where} is empty; download it again")
    read = _read_pem if b"-----BEGIN " in content else _read_binary
    return [Found(certificate, where) for certificate in read(content, where)]


def _read_pem(content: bytes, where: str) -> list[Certificate]:
    text = content.decode("latin-1").removeprefix("\xef\xbb\xbf")
    bundles = [block for label in _PKCS7_LABELS for block in blocks(text, label)]
    found = [certificate for block in bundles for certificate in _read_pkcs7(_decode(block, where), where)]
    if blocks(text, "CERTIFICATE") or not bundles:
        found += read_certificates(text, where)
    return found


def _decode(block: str, where: str) -> bytes:
    try:
        return binascii.a2b_base64("".join(block.splitlines()[1:-1]))
    except binascii.Error as error:
        raise CertificateError(f"{where} is damaged; download it again") from error


def _read_binary(content: bytes, where: str) -> list[Certificate]:
    try:
        return [read_der_certificate(content, where)]
    except CertificateError:
        return _read_pkcs7(content, where)


def _read_pkcs7(content: bytes, where: str) -> list[Certificate]:
    try:
        # It warns of forms that it will no longer read one day
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parsed = load_der_pkcs7_certificates(content)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CertificateError(f"{where} contains no certificate as PEM, DER or PKCS#7 (.p7b); download it again") from error
    if not parsed:
        raise CertificateError(f"{where} is PKCS#7 without a certificate; download it again")
    return [read_der_certificate(certificate.public_bytes(Encoding.DER), where) for certificate in parsed]


def check_cas(found: Iterable[Found], now: datetime.datetime) -> list[Certificate]:
    """Return the CAs without duplicates, in their order; raise CertificateError with one line for each that is of no use.

    *now*: with time zone.
    """
    single: dict[bytes, Found] = {}
    for item in found:
        single.setdefault(item.certificate.der, item)
    cas = [item.certificate for item in single.values()]
    problems = [f"{item.where}: {problem}" for item in single.values() if (problem := _problem(item.certificate, cas, now))]
    if problems:
        raise CertificateError("\n".join(problems))
    return cas


def _problem(certificate: Certificate, cas: Sequence[Certificate], now: datetime.datetime) -> str:
    """Return what is wrong with a certificate as a root of phones' certificates; empty if nothing."""
    name = f"the certificate of '{printable(certificate.subject)}'"
    if not is_ca(certificate):
        return f"{name} is not a CA's, so it signs no phone's certificate; give the CA that signed it"
    if now > certificate.not_after:
        return f"{name} expired on {format_time(certificate.not_after)}; get its successor from the maker, or remove it"
    if now < certificate.not_before:
        return f"{name} is valid only from {format_time(certificate.not_before)}; correct the clock, or wait"
    last = signing_path(certificate, cas)[-1]
    if not (last.own_issuer and is_signed_by(last, last)):
        return f"{name} leads to '{printable(last.issuer)}', whose certificate is missing; give all CAs up to the root"
    return ""


def is_ca(certificate: Certificate) -> bool:
    """Tell whether OpenSSL lets the certificate sign others: also old roots without basic constraints."""
    if certificate.key_usage is not None and "keyCertSign" not in certificate.key_usage:
        return False
    try:
        certificate.parsed.extensions.get_extension_for_class(BasicConstraints)
    except ExtensionNotFound:
        is_old_root = certificate.parsed.version is Version.v1 and certificate.own_issuer
        return is_old_root or certificate.key_usage is not None
    return certificate.is_ca
