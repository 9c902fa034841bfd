# SPDX-License-Identifier: GPL-3.0-or-later
"""A tiny certificate authority: a root, an intermediate, and whatever certificate a test asks for."""

from __future__ import annotations

import datetime
import ipaddress
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import MD5, SHA1, SHA256
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

NOW = datetime.datetime(2026, 6, 15, 12, tzinfo=datetime.UTC)
SERVER_AUTH, CLIENT_AUTH = x509.ExtendedKeyUsageOID.SERVER_AUTH, x509.ExtendedKeyUsageOID.CLIENT_AUTH
KEYS = {
    "ca": lambda: rsa.generate_private_key(65537, 2048),
    "other-ca": lambda: rsa.generate_private_key(65537, 2048),
    "rsa": lambda: rsa.generate_private_key(65537, 2048),
    "other": lambda: rsa.generate_private_key(65537, 2048),
    "rsa1024": lambda: rsa.generate_private_key(65537, 1024),  # noqa: S505
    "ec": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
}
# OIDs of RSA signatures with SHA-256, SHA-1 and MD5, alike but for the last byte
RSA_WITH = bytes.fromhex("2a864886f70d0101")
OLD_DIGESTS = {"sha1": (b"\x05", SHA1), "md5": (b"\x04", MD5)}


@cache
def make_key(name):
    return KEYS[name]()


class Issued(NamedTuple):
    """PEM of a certificate and of its key; the former is an object too, the latter a name in KEYS."""

    pem: str
    key: str
    certificate: x509.Certificate
    key_name: str


class TinyCa:
    """Issues certificates at a fixed time."""

    now = NOW

    def __init__(self):
        self.root = self.issue("Test root", signer=None, key="ca", ca=True, san=None, days=(-3000, 3000))
        self.other_root = self.issue("Other root", signer=None, key="other-ca", ca=True, san=None, days=(-3000, 3000))
        self.intermediate = self.issue("Test intermediate", signer=self.root, key="other", ca=True, san=None, days=(-300, 3000))
        self.server = self.issue()
        self.chain = self.server.pem + self.intermediate.pem

    def key(self, name, passphrase=b""):
        protection = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
        form = PrivateFormat.TraditionalOpenSSL if passphrase == b"old" else PrivateFormat.PKCS8
        return make_key(name).private_bytes(Encoding.PEM, form, protection).decode()

    def issue(self, cn="prov.example.net", *, signer=(), key="rsa", digest="sha256", **contents):
        """*cn*: one common name or several. *signer*: the intermediate by default, None for itself. *contents*: see Contents."""
        if signer == ():
            signer = self.intermediate
        private = make_key(key)
        subject = subject_of([cn] if isinstance(cn, str) else cn)
        issuer = signer.certificate.subject if signer else subject
        builder = Contents(**contents).builder().subject_name(subject).issuer_name(issuer).public_key(private.public_key())
        signing = make_key(signer.key_name) if signer else private
        certificate = builder.sign(signing, None if isinstance(signing, ed25519.Ed25519PrivateKey) else SHA256())
        if digest in OLD_DIGESTS:
            certificate = sign_again(certificate, signing, *OLD_DIGESTS[digest])
        pem = certificate.public_bytes(Encoding.PEM).decode()
        return Issued(pem, self.key(key), certificate, key)


@dataclass
class Contents:
    """What a certificate says besides its names and keys; None leaves an extension out."""

    san: Sequence[str] | None = ("prov.example.net",)
    days: tuple[int, int] = (-1, 90)
    """From and until, counted from *now*; *hours* are added to both."""
    hours: int = 0
    now: datetime.datetime | None = None
    ca: bool | None = False
    path_length: int | None = None
    usage: Sequence[str] | None = ("digital_signature", "key_encipherment")
    extended: Sequence[x509.ObjectIdentifier] | None = (SERVER_AUTH,)

    def builder(self):
        start, end = ((self.now or NOW) + datetime.timedelta(days=day, hours=self.hours) for day in self.days)
        builder = x509.CertificateBuilder().serial_number(x509.random_serial_number()).not_valid_before(start).not_valid_after(end)
        if self.ca is not None:
            builder = builder.add_extension(x509.BasicConstraints(self.ca, self.path_length), critical=True)
        if self.usage is not None:
            wanted = ("key_cert_sign", "crl_sign") if self.ca and self.usage else self.usage
            builder = builder.add_extension(x509.KeyUsage(**{name: name in wanted for name in USES}), critical=True)
        if self.extended is not None and not self.ca:
            builder = builder.add_extension(x509.ExtendedKeyUsage(self.extended), critical=False)
        if self.san is not None:
            entries = [general_name(name) for name in self.san]
            builder = builder.add_extension(x509.SubjectAlternativeName(entries), critical=False)
        return builder


def subject_of(names):
    with warnings.catch_warnings():
        # A name too long, on purpose
        warnings.simplefilter("ignore")
        return x509.Name(
            [x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "Example")]
            + [x509.NameAttribute(x509.NameOID.COMMON_NAME, name, _validate=False) for name in names]
        )


USES = (
    *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
    *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
)


def general_name(name):
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def sign_again(certificate, private, last, digest):
    """Sign with an old digest, which cryptography no longer does: the lengths of all fields stay as they are."""
    old = certificate.tbs_certificate_bytes
    new = old.replace(RSA_WITH + b"\x0b", RSA_WITH + last)
    der = certificate.public_bytes(Encoding.DER).replace(old, new).replace(RSA_WITH + b"\x0b", RSA_WITH + last)
    signature = private.sign(new, PKCS1v15(), digest())
    return x509.load_der_x509_certificate(der.replace(certificate.signature, signature))


@pytest.fixture(scope="session")
def tiny_ca():
    return TinyCa()
