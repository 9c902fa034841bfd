# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""A maker's certificates for the emulated phones of one check: its CA is a stranger to the station, as every maker's is at first.

Runs on the target. The CA exists for one check. Name constraints (RFC 5280 section 4.2.1.10) limit it to the very subjects that it
has signed, so a web server that trusts it for the time of the check trusts it for no other phone.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import re
import shutil
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

from ..certificates.chain import Certificate, read_certificates
from ..common.durable import sync_folder

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
except ImportError:
    x509 = None  # type: ignore[assignment]

ROOTS = "factory-roots.pem"
"""The CA's own certificate: what the phones trust from the factory."""
_BEFORE, _AFTER = datetime.timedelta(hours=1), datetime.timedelta(hours=12)
_NAME = "Maker of emulated phones"
_BEGIN, _END = b"# BEGIN of a check's maker\n", b"# END of a check's maker\n"
_MARKED = re.compile(re.escape(_BEGIN) + b".*?" + re.escape(_END), re.DOTALL)


class MakerError(ValueError):
    """The certificates cannot be made; the message says why and what to do."""


def issue(devices: Sequence[Mapping[str, str]], folder: str) -> dict[str, str]:
    """Write a certificate for each device into *folder*, which is emptied before; return MAC address -> its path.

    *devices*: each with mac (12 hex digits), model and serial. The certificates expire within the day and share one key,
    ``key.pem``; the CA that signs them is in ROOTS. Its own key is written nowhere.
    """
    if x509 is None:
        raise MakerError("the Python package cryptography is missing; install the Debian package python3-cryptography")
    shutil.rmtree(folder, ignore_errors=True)
    os.mkdir(folder, 0o700)
    now = datetime.datetime.now(datetime.UTC)
    subjects = [_subject(device) for device in devices]
    signer, own = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _number in range(2))
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _NAME)])
    authority = _sign(name, name, signer, signer, now, subjects)
    _write(folder, ROOTS, authority.public_bytes(serialization.Encoding.PEM))
    private = serialization.PrivateFormat.TraditionalOpenSSL
    _write(folder, "key.pem", own.private_bytes(serialization.Encoding.PEM, private, serialization.NoEncryption()))
    paths = {}
    for device, subject in zip(devices, subjects, strict=True):
        certificate = _sign(subject, name, own, signer, now, ())
        paths[device["mac"]] = _write(folder, f"{device['mac']}.pem", certificate.public_bytes(serialization.Encoding.PEM))
    return paths


def _subject(device: Mapping[str, str]) -> x509.Name:
    """Return a subject like those of real units: it names model, serial number and MAC address."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, device["model"]),
            x509.NameAttribute(NameOID.LOCALITY_NAME, device["serial"]),
            x509.NameAttribute(NameOID.SURNAME, device["mac"]),
        ]
    )


def _sign(
    subject: x509.Name,
    issuer: x509.Name,
    own: rsa.RSAPrivateKey,
    signer: rsa.RSAPrivateKey,
    now: datetime.datetime,
    permitted: Sequence[x509.Name],
) -> x509.Certificate:
    """Return a certificate; with *permitted* subjects, that of a CA which may sign only those."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BEFORE)
        .not_valid_after(now + _AFTER)
        .add_extension(x509.BasicConstraints(ca=own is signer, path_length=None), critical=True)
    )
    extension: Any = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    if permitted:
        extension = x509.NameConstraints([x509.DirectoryName(name) for name in permitted], None)
    return builder.add_extension(extension, critical=bool(permitted)).sign(signer, hashes.SHA256())


def write_roots(macs: Sequence[str], trusting: Sequence[str], signers: bytes, folder: str) -> dict[str, str]:
    """Return MAC address -> file with the roots that the phone has from the factory.

    Those that are *trusting* also have the *signers* of the server's certificate, PEM.
    """
    own = os.path.join(folder, ROOTS)
    if not trusting:
        return dict.fromkeys(macs, own)
    both = _write(folder, "server-roots.pem", Path(own).read_bytes() + signers)
    return {mac: both if mac in trusting else own for mac in macs}


def signers_of(server: str, bundle: str) -> bytes:
    """Return the CAs that have signed the certificate in the file *server*, PEM: its chain, and above it those in *bundle*.

    Raise CertificateError for a damaged file, and OSError.
    """
    served = _read(server)
    issuers = {certificate.issuer for certificate in served}
    chain = [certificate.der for certificate in served[1:]]
    above = [certificate.der for certificate in _read(bundle) if certificate.subject in issuers]
    return b"".join(ssl.DER_cert_to_PEM_cert(der).encode() for der in dict.fromkeys([*chain, *above]))


class StationTrust(TypedDict):
    """Whom a station trusts, and by whom it is trusted: the subjects of CAs, without the bench's own."""

    device_roots: list[str]
    server_signers: list[str]


def read_trust(bundle: str, server: str, bench_ca: str) -> StationTrust:
    """Return what the installed PEM files say; one that is missing says nothing. Raise CertificateError for damaged ones."""
    own = {certificate.subject for certificate in _read(bench_ca)}
    makers = [certificate.subject for certificate in _read(bundle)]
    served = _read(server)
    signers = [*(certificate.issuer for certificate in served[:1]), *(certificate.subject for certificate in served[1:])]
    return {
        "device_roots": [subject for subject in makers if subject not in own],
        "server_signers": [] if own.intersection(signers) else list(dict.fromkeys(signers)),
    }


def _read(path: str) -> list[Certificate]:
    try:
        text = _MARKED.sub(b"", Path(path).read_bytes()).decode("latin-1")
    except FileNotFoundError:
        return []
    return read_certificates(text, path)


def trust(bundle: str, folder: str) -> None:
    """Add the CA in *folder* to the roots in *bundle*, which the web server verifies clients with; raise OSError."""
    path = Path(bundle)
    found = _MARKED.sub(b"", path.read_bytes())
    _replace(path, found + _BEGIN + Path(folder, ROOTS).read_bytes() + _END)


def distrust(bundle: str) -> bool:
    """Remove every check's CA from *bundle*; return whether there was one."""
    path = Path(bundle)
    try:
        before = path.read_bytes()
    except FileNotFoundError:
        return False
    after = _MARKED.sub(b"", before)
    if after != before:
        _replace(path, after)
    return after != before


def _replace(path: Path, content: bytes) -> None:
    """Replace a file whole and durably; it keeps owner, mode and time, since it will be again what it was."""
    status = path.stat()
    new = path.with_name(f".{path.name}.check")
    with contextlib.suppress(FileNotFoundError):
        new.unlink()
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fchown(descriptor, status.st_uid, status.st_gid)
        os.fchmod(descriptor, status.st_mode & 0o7777)
        os.utime(descriptor, ns=(status.st_atime_ns, status.st_mtime_ns))
        os.fsync(descriptor)
    os.rename(new, path)
    sync_folder(path.parent)


def _write(folder: str, name: str, content: bytes) -> str:
    path = os.path.join(folder, name)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    return path
