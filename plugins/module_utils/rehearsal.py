# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Profiles and certificates of phones that exist for a check alone, beside those that are published.

Runs on the target. A file of such a phone is in no manifest, so that the publisher takes it for somebody else's and leaves it
alone; one that publishes at the same time links it, so it is removed from every generation. What a killed run has left goes with
the next.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from .mac import Mac, MacError, parse_mac
from .published_tree import PublishedTree

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
except ImportError:
    x509 = None  # type: ignore[assignment]

_LOCAL = 0x02
_LAST_BYTE = 2
_MOST = 256
_MAC = re.compile(r"(?<![0-9a-f])[0-9a-f]{12}(?![0-9a-f])", re.IGNORECASE)
_BEFORE, _AFTER = datetime.timedelta(hours=1), datetime.timedelta(hours=12)


class RehearsalError(ValueError):
    """There can be no such phones; the message says why and what to do."""


def macs(first: object, count: int) -> list[Mac]:
    """Return *count* addresses from *first* on, all with the same five first bytes, which no phone has."""
    try:
        mac = parse_mac(first)
    except MacError as error:
        raise RehearsalError(f"mac: {error}") from error
    if not int(mac.plain[:2], 16) & _LOCAL:
        raise RehearsalError(
            f"mac is {mac}, which a maker may have given to a phone; take one that is locally administered, as 02:00:5e:00:53:00"
        )
    last = int(mac.plain[-_LAST_BYTE:], 16) + count
    if last > _MOST:
        raise RehearsalError(f"mac is {mac}, after which there are no {count} addresses with the same first five bytes")
    return [Mac(f"{mac.plain[:-_LAST_BYTE]}{number:02x}") for number in range(last - count, last)]


def prefix(first: object) -> str:
    """Return the ten hex digits that all addresses of macs() begin with."""
    return macs(first, 1)[0].plain[:-_LAST_BYTE]


def place(tree: PublishedTree, files: Iterable[tuple[str, bytes]]) -> list[str]:
    """Put files into the live generation, each whole and with the mode and group that its folder calls for; return their paths."""
    name = tree.live_name()
    if not name:
        raise RehearsalError(f"nothing is published in {tree.root}; run the playbook site, and then check again")
    placed = []
    for path, content in files:
        target = Path(tree.generations, name, path)
        _make_folder(target.parent, Path(tree.generations, name))
        folder = target.parent.stat()
        new = target.with_name(f".{target.name}.new")
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with open(descriptor, "wb") as file:
            file.write(content)
            os.fchown(descriptor, 0, folder.st_gid)
            os.fchmod(descriptor, folder.st_mode & 0o644)
        os.rename(new, target)
        placed.append(str(target))
    return placed


def _make_folder(folder: Path, generation: Path) -> None:
    """Make a folder that no phone of the inventory has needed, like the one that it is in."""
    if folder == generation or folder.is_dir():
        return
    _make_folder(folder.parent, generation)
    above = folder.parent.stat()
    folder.mkdir(0o700)
    os.chown(folder, 0, above.st_gid)
    os.chmod(folder, above.st_mode & 0o7777)


def sweep(tree: PublishedTree, beginning: str) -> list[str]:
    """Remove every file whose name holds a MAC address with this *beginning*, and its folder if nothing else is in it."""
    removed = []
    for path in _named(tree.generations, beginning):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
            removed.append(path)
        with contextlib.suppress(OSError):
            os.rmdir(os.path.dirname(path))
    return removed


def _named(folder: str, beginning: str) -> Iterator[str]:
    """Regular files below *folder* that are named after such an address."""
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.is_dir(follow_symlinks=False):
                yield from _named(entry.path, beginning)
            elif any(found.lower().startswith(beginning) for found in _MAC.findall(entry.name)):
                yield entry.path


def issue(devices: Sequence[Mapping[str, str]], authority: str, key: str, folder: str) -> dict[str, str]:
    """Write a certificate for each device into *folder*, signed by the CA in these two files; return MAC address -> its path.

    They end within the day, and share one key, which lies beside them as ``key.pem``. Without a CA's key there are none.
    """
    if x509 is None:
        raise RehearsalError("the Python package cryptography is missing; install the Debian package python3-cryptography")
    shutil.rmtree(folder, ignore_errors=True)
    os.mkdir(folder, 0o700)
    if not os.path.exists(key):
        return {}
    try:
        root = x509.load_pem_x509_certificate(Path(authority).read_bytes())
        signer = serialization.load_pem_private_key(Path(key).read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise RehearsalError(f"{authority} and {key} are no CA that could sign: {error}") from error
    own = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    _write(
        folder,
        "key.pem",
        own.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()),
    )
    now = datetime.datetime.now(datetime.UTC)
    paths = {}
    for device in devices:
        subject = x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, device["model"]),
                x509.NameAttribute(NameOID.LOCALITY_NAME, device["serial"]),
                x509.NameAttribute(NameOID.SURNAME, device["mac"]),
            ]
        )
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(root.subject)
            .public_key(own.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _BEFORE)
            .not_valid_after(now + _AFTER)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            .sign(signer, hashes.SHA256())  # type: ignore[arg-type]
        )
        paths[device["mac"]] = _write(folder, f"{device['mac']}.pem", certificate.public_bytes(serialization.Encoding.PEM))
    return paths


def _write(folder: str, name: str, content: bytes) -> str:
    path = os.path.join(folder, name)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    return path
