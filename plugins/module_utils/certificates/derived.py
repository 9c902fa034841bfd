# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""A private CA and its certificates, derived from one secret: the same secret gives the same bytes, on any controller.

So servers that are rebuilt keep their identity, clients that trust the CA never need another root, and no file holds the CA's key.
Only RSA with PKCS #1 v1.5 signs repeatably in every release of the library; the servers' own keys are P-256, as TLS likes them.
Sources: FIPS 186-5, appendix A.1 (primes with both top bits set, a difference of more than 2^(bits/2-100)); RFC 5869; RFC 5280.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

from ..common.validate import quoting_hint

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
except ImportError:
    x509: Any = None  # type: ignore[no-redef]

MIN_LENGTH = 32
"""Characters of a secret that everything can be derived from."""
_NOT_BEFORE, _NOT_AFTER = datetime(2020, 1, 1, tzinfo=UTC), datetime(2049, 12, 31, tzinfo=UTC)
"""Fixed, so that the bytes repeat. A new secret replaces all of it."""
_SALT = b"voip.preprovision derived certificates 1"
_EXPONENT = 65537
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_PRIME_BITS = 1024
_ROUNDS = 64
# Products of small primes rule out most candidates with one division
_SMALL = tuple(number for number in range(3, 4000, 2) if all(number % other for other in range(3, int(number**0.5) + 1, 2)))


class DerivedError(ValueError):
    """A secret or names that nothing can be derived from; the message never shows the secret."""


class Credentials(NamedTuple):
    """What a server needs: PEM texts."""

    ca: str
    certificate: str
    key: str


def check_secret(secret: object, name: str) -> str:
    """Return *secret* if it is long enough; raise DerivedError that calls it *name*."""
    if not isinstance(secret, str):
        raise DerivedError(f"{name} is not text{quoting_hint(secret)}")
    if len(secret) < MIN_LENGTH:
        raise DerivedError(f"{name} has {len(secret)} characters; use at least {MIN_LENGTH} random ones")
    return secret


def derived_password(secret: str, purpose: str) -> str:
    """Return the password for *purpose*: 64 hexadecimal digits."""
    return _expand(secret, f"password {purpose}", 32).hex()


@lru_cache(maxsize=8)
def ca_certificate(secret: str, name: str) -> str:
    """Return the certificate of the CA called *name*, as PEM text."""
    key = _ca_key(secret)
    subject = _subject(name)
    public = key.public_key()
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    built = (
        _builder(subject, subject, public, _expand(secret, "serial of the CA", 16))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )
    return _pem(built)


@lru_cache(maxsize=32)
def server_credentials(secret: str, ca_name: str, name: str, others: tuple[str, ...]) -> Credentials:
    """Return the credentials of the server *name*, which is also known by *others*: names and addresses.

    They serve as a client's, too, among servers that trust each other.
    """
    number = int.from_bytes(_expand(secret, f"key of {name}", 48)) % (_P256_ORDER - 1) + 1
    key = ec.derive_private_key(number, ec.SECP256R1())
    names = [_general_name(one) for one in dict.fromkeys((name, *others))]
    purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    ca = x509.load_pem_x509_certificate(ca_certificate(secret, ca_name).encode())
    built = (
        _builder(_subject(name), ca.subject, key.public_key(), _expand(secret, f"serial of {name} {' '.join(others)}", 16))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(_ca_key(secret).public_key()), critical=False)
        .sign(_ca_key(secret), hashes.SHA256())
    )
    form = serialization.PrivateFormat.PKCS8
    plain = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    return Credentials(ca_certificate(secret, ca_name), _pem(built), plain.decode("ascii"))


def _builder(subject: Any, issuer: Any, public: Any, serial: bytes) -> Any:
    # At most 20 octets and positive, with the top bits clear
    number = int.from_bytes(serial) >> 1 | 1
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public).serial_number(number)
    identifier = x509.SubjectKeyIdentifier.from_public_key(public)
    return builder.not_valid_before(_NOT_BEFORE).not_valid_after(_NOT_AFTER).add_extension(identifier, critical=False)


def _subject(name: str) -> Any:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general_name(name: str) -> Any:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: Any) -> str:
    text: str = certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")
    return text


@lru_cache(maxsize=4)
def _ca_key(secret: str) -> Any:
    first, second = _two_primes(_stream(secret, "primes of the CA"))
    exponent = pow(_EXPONENT, -1, (first - 1) * (second - 1))
    public = rsa.RSAPublicNumbers(_EXPONENT, first * second)
    inverse = rsa.rsa_crt_iqmp(first, second)
    numbers = rsa.RSAPrivateNumbers(first, second, exponent, exponent % (first - 1), exponent % (second - 1), inverse, public)
    return numbers.private_key()


def _two_primes(source: Iterator[int]) -> tuple[int, int]:
    first = _prime(source)
    while True:
        second = _prime(source)
        if abs(first - second) >> (_PRIME_BITS - 100):
            return first, second


def _prime(source: Iterator[int]) -> int:
    for candidate in source:
        if candidate % _EXPONENT != 1 and is_prime(candidate, source):
            return candidate
    raise AssertionError("the source never ends")


def is_prime(number: int, source: Iterator[int]) -> bool:
    """Return whether an odd *number* is prime, by Miller and Rabin with bases from *source*."""
    if any(number % small == 0 and number != small for small in _SMALL):
        return False
    power = number - 1
    twos = (power & -power).bit_length() - 1
    return all(_passes(number, next(source) % (number - 3) + 2, twos) for _round in range(_ROUNDS))


def _passes(number: int, base: int, twos: int) -> bool:
    found = pow(base, number >> twos, number)
    if found in (1, number - 1):
        return True
    for _square in range(twos - 1):
        found = found * found % number
        if found == number - 1:
            return True
    return False


def _stream(secret: str, purpose: str) -> Iterator[int]:
    """Yield odd numbers of _PRIME_BITS bits, of which both top bits are set, without end."""
    seed, count = _expand(secret, purpose, 64), 0
    top = 3 << (_PRIME_BITS - 2)
    while True:
        yield int.from_bytes(hashlib.shake_256(seed + count.to_bytes(8)).digest(_PRIME_BITS // 8)) | top | 1
        count += 1


def _expand(secret: str, purpose: str, length: int) -> bytes:
    """Return the first bytes of HKDF with SHA-512, of which one block is enough."""
    extracted = hmac.digest(_SALT, secret.encode(), hashlib.sha512)
    return hmac.digest(extracted, purpose.encode() + b"\x01", hashlib.sha512)[:length]
