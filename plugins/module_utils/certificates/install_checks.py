# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is wrong with a certificate, its key and its chain before they are installed on the server."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ..common.text_tables import printable
from .chain import (
    Certificate,
    blocks,
    in_order,
    normalise_pem,
    public_bytes,
    read_certificates,
    read_key,
    read_request,
    signing_path,
)
from .findings import Code, Finding, Findings
from .name_matching import covers, names_server
from .requests import MAX_COMMON_NAME, USUAL_KEY, CertificateError
from .server_checks import format_time, label_of


@dataclass(frozen=True)
class PemFiles:
    """What is to be installed, as PEM."""

    certificate: str
    """The server's certificate; the rest of its chain may follow."""
    key: str = field(repr=False)
    """The private key, or the signing request made with it."""
    chain: str = ""
    """The rest of the chain, or empty."""


@dataclass(frozen=True)
class Requirements:
    """What the server and its phones need."""

    name: str
    """FQDN of the server."""
    now: datetime.datetime
    """With time zone."""
    days_left: int = 0
    """Days from now for which all certificates must be valid."""
    key_bits: int = USUAL_KEY
    """Smallest acceptable RSA key. Below USUAL_KEY, for the oldest phones, the chain may have such keys and SHA-1 too."""


class Signed(NamedTuple):
    """A certificate that may be installed."""

    pem: str
    """It and the rest of its chain, in the order in which a server sends them."""
    issuer: str
    not_before: datetime.datetime
    not_after: datetime.datetime
    """Earliest end of validity in the chain."""


def prepare_installation(files: PemFiles, required: Requirements) -> Signed:
    """Return what is to be installed; raise CertificateError with the first problem that check_installation() finds."""
    for problem in check_installation(files, required):
        raise CertificateError(problem.sentence)
    chain = in_order([*read_certificates(files.certificate, ""), *_read_chain(files.chain)])
    return Signed(
        pem="".join(certificate.pem for certificate in chain),
        issuer=printable(chain[0].issuer),
        not_before=chain[0].not_before,
        not_after=min(certificate.not_after for certificate in chain),
    )


def check_installation(files: PemFiles, required: Requirements) -> list[Finding]:
    """Check a certificate, its key and its chain; every finding is an error."""
    findings = Findings()
    _check_form(findings, files)
    key = _public_key(findings, files.key)
    try:
        given = [*read_certificates(files.certificate, "the certificate file"), *_read_chain(files.chain)]
    except CertificateError as error:
        findings.add(Finding.of_error(Code.UNREADABLE, error))
        return findings.as_found
    certificates = list({certificate.der: certificate for certificate in given}.values())
    own = next((certificate for certificate in certificates if public_bytes(certificate.parsed.public_key()) == key), None)
    if key is not None and own is None:
        remedy = "install the certificate that was made from this key's request"
        findings.error(Code.KEY_MISMATCH, "the certificate belongs to another key", remedy)
    first = own or given[0]
    _check_chain(findings, certificates, first)
    _check_names(findings, first, required.name)
    for certificate in signing_path(first, certificates):
        label = label_of(certificate, first)
        _check_times(findings, certificate, label, required)
        key_bits = required.key_bits if certificate is first else min(required.key_bits, USUAL_KEY)
        _check_strength(findings, certificate, label, key_bits)
    return findings.as_found


def _check_form(findings: Findings, files: PemFiles) -> None:
    for label, text in (("the certificate", files.certificate), ("the key", files.key), ("the chain", files.chain)):
        if "\r" in text or text.startswith("\ufeff"):
            what = f"the file of {label} has Windows line ends or a byte order mark"
            findings.error(Code.PEM_FORM, what, "convert it, for example with dos2unix")
    if blocks(files.certificate, "PRIVATE KEY") or blocks(files.chain, "PRIVATE KEY"):
        what = "the certificates' file, which everybody may read, contains a private key"
        findings.error(Code.KEY_EXPOSED, what, "remove it from that file")


def _public_key(findings: Findings, key_pem: str) -> bytes | None:
    try:
        if blocks(key_pem, "CERTIFICATE REQUEST"):
            return read_request(key_pem, "the request")
        return read_key(key_pem, "the key")
    except CertificateError as error:
        findings.add(Finding.of_error(Code.KEY, error))
        return None


def _read_chain(chain_pem: str) -> list[Certificate]:
    return read_certificates(chain_pem, "the chain") if normalise_pem(chain_pem) else []


def _check_chain(findings: Findings, certificates: Sequence[Certificate], first: Certificate) -> None:
    try:
        ordered = in_order(certificates)
    except CertificateError:
        path = signing_path(first, certificates)
        if len(path) == 1:
            what = f"the chain lacks the certificate of '{printable(first.issuer)}', which signed the server's"
        else:
            in_path = {certificate.der for certificate in path}
            spare = _subjects(certificate for certificate in certificates if certificate.der not in in_path)
            what = f"the chain contains {spare}, which signs nothing in it"
        remedy = "give the certificates from the server's signer up to the root, and no others"
        findings.error(Code.CHAIN_MISMATCH, what, remedy)
        return
    if [certificate.der for certificate in ordered] != [certificate.der for certificate in certificates]:
        remedy = f"write them as {_subjects(ordered)}, each signed by the next"
        findings.error(Code.WRONG_ORDER, "the certificates are in the wrong order", remedy)


def _subjects(certificates: Iterable[Certificate]) -> str:
    return ", ".join(f"'{printable(certificate.subject)}'" for certificate in certificates)


def _check_names(findings: Findings, certificate: Certificate, name: str) -> None:
    for common_name in certificate.common_names:
        if len(common_name) > MAX_COMMON_NAME:
            what = f"the common name '{printable(common_name)}' has {len(common_name)} characters"
            findings.error(Code.COMMON_NAME_LONG, what, f"get a certificate with at most {MAX_COMMON_NAME}")
    if not _has_name(certificate, name):
        names = (*certificate.common_names, *(certificate.dns_names or ()))
        listed = ", ".join(f"'{printable(text)}'" for text in names) or "no name"
        what = f"the certificate is for {listed}, and the server is {name}"
        findings.error(Code.NAME_MISMATCH, what, f"get one for {name}")


def _has_name(certificate: Certificate, name: str) -> bool:
    if certificate.dns_names is not None:
        return any(covers(pattern, name) for pattern in certificate.dns_names)
    return any(names_server(common_name, name) for common_name in certificate.common_names)


def _check_times(findings: Findings, certificate: Certificate, label: str, required: Requirements) -> None:
    now, end = required.now, certificate.not_after
    if now < certificate.not_before:
        what = f"{label} is valid only from {format_time(certificate.not_before)}"
        findings.error(Code.NOT_YET_VALID, what, "correct the clock, or wait")
    elif end < now + datetime.timedelta(days=required.days_left):
        code = Code.EXPIRED if end < now else Code.ENDS_SOON
        findings.error(code, f"{label} {describe_expiry(end, now, required.days_left)}", "get a new one")


def _check_strength(findings: Findings, certificate: Certificate, label: str, key_bits: int) -> None:
    """Check key size and signature: with weaker ones, web servers refuse to start."""
    or_old = "or set certificates_key_bits to 1024 and web_server_tls to legacy if phones are too old for it"
    if certificate.key == "RSA" and certificate.key_size < key_bits:
        what = f"{label} has an RSA key of {certificate.key_size} bits; at least {key_bits} are required"
        findings.error(Code.KEY_SMALL, what, f"get one with a longer key, {or_old}")
    weak = ("md5",) if key_bits < USUAL_KEY else ("md5", "sha1")
    if certificate.digest in weak and not certificate.own_issuer:
        what = f"{label} is signed with {certificate.digest.upper()}"
        findings.error(Code.SIGNATURE_WEAK, what, f"have it signed with SHA-256, {or_old}")


def describe_expiry(end: datetime.datetime, now: datetime.datetime, days_left: int) -> str:
    """Return the end of a sentence on a certificate that ends too soon for phones prepared *now*; times with time zone."""
    if end < now:
        return f"expired on {format_time(end)}"
    return (
        f"expires on {format_time(end)}, in {(end - now).days} days, but phones prepared now may need it for "
        f"{days_left} days (certificates_renew_days)"
    )
