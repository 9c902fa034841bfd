# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Read PEM texts: normalise them, parse certificates, put chains in order, and match certificates with keys.

Sources: RFC 7468 for the text; RFC 5280 for certificates; RFC 5246 section 7.4.2 for the order in which a server sends them: its
own first, then each signer after the certificate that it signed; the root may be omitted.

Works with cryptography 38.0, which Debian 12 has, and newer.
"""

from __future__ import annotations

import datetime
import hashlib
import re
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..common.text_tables import printable
from .requests import CertificateError

try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
except ImportError as error:
    MISSING: ImportError | None = error
else:
    MISSING = None
    _DAMAGES = (x509.DuplicateExtension, x509.InvalidVersion, x509.UnsupportedGeneralNameType)

_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----\n.*?\n-----END \1-----\n", re.DOTALL)
_RSASSA_PSS = "1.2.840.113549.1.1.10"
_BEGIN, _END = "-----BEGIN ", "-----END "


@dataclass(frozen=True)
class Certificate:
    """The content of one certificate. Texts may contain any character; `printable` makes them fit for a message."""

    parsed: Any = field(repr=False, compare=False)
    """The certificate as an object of cryptography."""
    der: bytes = field(repr=False)
    subject: str
    issuer: str
    common_names: tuple[str, ...]
    dns_names: tuple[str, ...] | None
    """DNS names of the subject alternative name; None without that extension."""
    addresses: tuple[str, ...]
    """IP addresses of the subject alternative name."""
    not_before: datetime.datetime
    not_after: datetime.datetime
    """Both with time zone UTC."""
    key: str
    """``RSA``, ``EC``, ``Ed25519``, ``Ed448``, or the name of another key type."""
    key_size: int
    digest: str
    """Digest of the signature, such as ``sha256``; empty where it has none or it is unknown."""
    is_ca: bool
    path_length: int | None
    key_usage: frozenset[str] | None
    """Uses that matter here, as RFC 5280 spells them; None without that extension."""
    extended_key_usage: frozenset[str] | None
    """Uses as object identifiers; None without that extension."""

    @property
    def own_issuer(self) -> bool:
        """Whether it names itself as its issuer, as roots do."""
        return self.issuer == self.subject

    @property
    def public_key_digest(self) -> str:
        """SHA-256 of the public key (RFC 5280, SubjectPublicKeyInfo), in hexadecimal digits."""
        return hashlib.sha256(self.parsed.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()

    @property
    def pem(self) -> str:
        return str(self.parsed.public_bytes(Encoding.PEM).decode())


def normalise_pem(text: str) -> str:
    """Return only the blocks of a PEM text, with Unix line ends: without byte order mark, blanks and comments around them.

    A text in that form stays as it is; one without any block becomes empty.
    """
    lines: list[str] = []
    inside = False
    for line in map(str.strip, text.lstrip("\ufeff").splitlines()):
        inside = inside or line.startswith(_BEGIN)
        # Headers within a block, such as those of an encrypted key, end with an empty line
        if inside and (line or ":" in lines[-1]):
            lines.append(line)
        inside = inside and not line.startswith(_END)
    return "".join(f"{line}\n" for line in lines)


def blocks(text: str, kind: str) -> list[str]:
    """Return the blocks of a PEM text with a label that ends with *kind*, such as ``CERTIFICATE`` or ``PRIVATE KEY``."""
    return [match[0] for match in _BLOCK.finditer(normalise_pem(text)) if match[1].endswith(kind)]


def read_certificates(text: str, where: str) -> list[Certificate]:
    """Return all certificates of a PEM text, in its order; raise CertificateError, which begins with *where* the text is from."""
    found = blocks(text, "CERTIFICATE")
    if not found:
        raise CertificateError(
            f"{where} contains no certificate in PEM form, which begins with -----BEGIN CERTIFICATE-----; "
            "convert a DER file with openssl x509 -inform der"
        )
    return [_read(block, where if len(found) == 1 else f"certificate {number} of {where}") for number, block in enumerate(found, 1)]


def read_der_certificate(content: bytes, where: str) -> Certificate:
    """Return the certificate of a DER file; raise CertificateError, which begins with *where* it is from."""
    return _load(x509.load_der_x509_certificate, content, where)


def _read(block: str, where: str) -> Certificate:
    return _load(x509.load_pem_x509_certificate, block.encode(), where)


def _load(load: Callable[[bytes], Any], content: bytes, where: str) -> Certificate:
    try:
        # Its warnings, such as those about names that are too long, are findings of the checks
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _convert(load(content))
    except (ValueError, KeyError, TypeError, UnsupportedAlgorithm, *_DAMAGES) as error:
        raise CertificateError(f"{where} is damaged or unsupported: {printable(str(error))}") from error


def _convert(parsed: Any) -> Certificate:
    kind, size = _key(parsed.public_key())
    names = _extension(parsed, x509.SubjectAlternativeName)
    constraints = _extension(parsed, x509.BasicConstraints)
    usage = _extension(parsed, x509.KeyUsage)
    extended = _extension(parsed, x509.ExtendedKeyUsage)
    return Certificate(
        parsed=parsed,
        der=parsed.public_bytes(Encoding.DER),
        subject=parsed.subject.rfc4514_string(),
        issuer=parsed.issuer.rfc4514_string(),
        common_names=tuple(_text(attribute.value) for attribute in parsed.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)),
        dns_names=None if names is None else tuple(names.get_values_for_type(x509.DNSName)),
        addresses=() if names is None else tuple(map(str, names.get_values_for_type(x509.IPAddress))),
        not_before=_time(parsed, "not_valid_before"),
        not_after=_time(parsed, "not_valid_after"),
        key=kind,
        key_size=size,
        digest=_digest(parsed),
        is_ca=constraints is not None and constraints.ca,
        path_length=None if constraints is None else constraints.path_length,
        key_usage=None if usage is None else _uses(usage),
        extended_key_usage=None if extended is None else frozenset(use.dotted_string for use in extended),
    )


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _time(parsed: Any, name: str) -> datetime.datetime:
    """Return a time of the certificate; cryptography has times with a zone since 42, and deprecates those without."""
    time: datetime.datetime | None = getattr(parsed, f"{name}_utc", None)
    return time if time is not None else getattr(parsed, name).replace(tzinfo=datetime.UTC)


def _key(key: Any) -> tuple[str, int]:
    kinds = ((rsa.RSAPublicKey, "RSA"), (ec.EllipticCurvePublicKey, "EC"))
    for kind, name in kinds:
        if isinstance(key, kind):
            return name, key.key_size
    if isinstance(key, ed25519.Ed25519PublicKey):
        return "Ed25519", 256
    if isinstance(key, ed448.Ed448PublicKey):
        return "Ed448", 456
    return type(key).__name__.lstrip("_").removesuffix("PublicKey"), getattr(key, "key_size", 0)


def _digest(parsed: Any) -> str:
    try:
        algorithm = parsed.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return ""
    return "" if algorithm is None else str(algorithm.name)


def _extension(parsed: Any, kind: Any) -> Any:
    try:
        return parsed.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _uses(usage: Any) -> frozenset[str]:
    names = {
        "digitalSignature": usage.digital_signature,
        "keyEncipherment": usage.key_encipherment,
        "keyCertSign": usage.key_cert_sign,
    }
    return frozenset(name for name, set_ in names.items() if set_)


def is_signed_by(certificate: Certificate, issuer: Certificate) -> bool:
    """Tell whether *issuer* has the name of the issuer of *certificate* and its key made the signature."""
    if certificate.issuer != issuer.subject:
        return False
    key = issuer.parsed.public_key()
    signed = (certificate.parsed.signature, certificate.parsed.tbs_certificate_bytes)
    try:
        digest = certificate.parsed.signature_hash_algorithm
        if isinstance(key, rsa.RSAPublicKey):
            is_pss = certificate.parsed.signature_algorithm_oid.dotted_string == _RSASSA_PSS
            key.verify(*signed, certificate.parsed.signature_algorithm_parameters if is_pss else PKCS1v15(), digest)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(*signed, ec.ECDSA(digest))
        else:
            key.verify(*signed)
    except (InvalidSignature, UnsupportedAlgorithm, TypeError, ValueError, AttributeError):
        return False
    return True


def signing_path(first: Certificate, others: Iterable[Certificate]) -> list[Certificate]:
    """Return *first*, its signer among *others*, that one's signer, and so on, until a root or until the signer is missing."""
    path = [first]
    left = [other for other in others if other.der != first.der]
    while not (path[-1].own_issuer and is_signed_by(path[-1], path[-1])):
        issuer = next((other for other in left if is_signed_by(path[-1], other)), None)
        if issuer is None:
            break
        path.append(issuer)
        left = [other for other in left if other.der != issuer.der]
    return path


def in_order(certificates: Sequence[Certificate]) -> list[Certificate]:
    """Return the certificates, without duplicates, as a server must send them; raise CertificateError unless they are one chain."""
    single = list({certificate.der: certificate for certificate in certificates}.values())
    for first in single:
        path = signing_path(first, single)
        if len(path) == len(single):
            return path
    names = ", ".join(f"'{printable(certificate.subject)}'" for certificate in single)
    raise CertificateError(
        f"the certificates {names} do not form one chain, in which each signs the one before; remove those that do not belong to it"
    )


def read_key(text: str, where: str) -> bytes:
    """Return the public half of a PEM private key, as DER; raise CertificateError, which shows nothing of the key."""
    found = blocks(text, "PRIVATE KEY")
    if not found:
        raise CertificateError(f"{where} contains no private key in PEM form, which begins with -----BEGIN PRIVATE KEY-----")
    if len(found) > 1:
        raise CertificateError(f"{where} contains {len(found)} private keys; keep only the one that belongs to the certificate")
    if "ENCRYPTED" in found[0]:
        raise CertificateError(
            f"{where} has a passphrase, but the server starts unattended; remove it with openssl pkey -in OLD -out NEW"
        )
    try:
        return public_bytes(load_pem_private_key(found[0].encode(), None).public_key())
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise CertificateError(f"{where} is damaged or unsupported") from error


def read_request(text: str, where: str) -> bytes:
    """Return the public key of a PEM signing request, as DER; raise CertificateError."""
    try:
        return public_bytes(x509.load_pem_x509_csr(normalise_pem(text).encode()).public_key())
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise CertificateError(
            f"{where} is not a signing request in PEM form, which begins with -----BEGIN CERTIFICATE REQUEST-----"
        ) from error


def public_bytes(key: Any) -> bytes:
    """Return a public key as DER."""
    return bytes(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
