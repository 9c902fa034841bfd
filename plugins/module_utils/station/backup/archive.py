# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The file format of backups: a readable outer archive with an encrypted inner archive.

The outer one is a tar archive of README.txt (how to open it by hand), backup.json (station, time, key derivation),
backup.tar.gz.enc (the format of ``openssl enc -aes-256-cbc -pbkdf2``) and backup.mac (HMACs with SHA-256 of backup.json and of both
files). PBKDF2 derives the keys from the passphrase: first cipher key and IV, as OpenSSL does, then the HMACs' key.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import os
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import IO, Any, NamedTuple

try:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.hazmat.primitives.padding import PKCS7
except ImportError:  # the caller checks have_cryptography()
    Cipher = algorithms = modes = PKCS7 = None  # type: ignore[assignment, misc]

FORMAT = "voip.preprovision backup 1"
ITERATIONS = 600_000
MIN_PASSPHRASE_LENGTH = 12

_HEADER, _SEALED, _MAC, _README = "backup.json", "backup.tar.gz.enc", "backup.mac", "README.txt"
_MAX_HEADER_SIZE = 65536
_MAGIC = b"Salted__"
_BLOCK = 16
_CHUNK = 1 << 20
_HOW_TO_OPEN = """This is a backup of a preprovisioning station (voip.preprovision). To list its contents, with its passphrase:

    tar -xf FILE
    openssl enc -d -aes-256-cbc -md sha256 -pbkdf2 -iter {iterations} -in backup.tar.gz.enc -out backup.tar.gz
    tar -tvzf backup.tar.gz

openssl does not detect tampering; the playbook restore does, with backup.mac.
"""


class BackupError(ValueError):
    """A backup cannot be made or used; the message says why, and contains no secret."""


def have_cryptography() -> bool:
    """Return whether backups can be encrypted here."""
    return Cipher is not None


class Keys(NamedTuple):
    """The keys of one backup; each backup has its own salt."""

    cipher: bytes
    vector: bytes
    mac: bytes

    def text(self) -> str:
        """Return the keys as hexadecimal digits."""
        return b"".join(self).hex()

    @classmethod
    def read(cls, text: str) -> Keys:
        """Return the keys that text() has written."""
        raw = bytes.fromhex(text)
        if len(raw) != 80:
            raise BackupError(f"the keys of a backup must have 80 bytes, not {len(raw)}")
        return cls(raw[:32], raw[32:48], raw[48:])


@dataclass(frozen=True)
class Header:
    """The readable description of a backup."""

    station: str
    made: str
    """ISO 8601, UTC."""
    release: str
    """Debian's, such as 12."""
    salt: str
    iterations: int = ITERATIONS
    format: str = FORMAT

    def bytes(self) -> bytes:
        """Return the header as JSON."""
        return (json.dumps(asdict(self), indent=1) + "\n").encode()


def check_passphrase(passphrase: object) -> str:
    """Return *passphrase* if it is valid; raise BackupError otherwise."""
    if not isinstance(passphrase, str) or len(passphrase) < MIN_PASSPHRASE_LENGTH:
        raise BackupError(f"backup_passphrase must be text of at least {MIN_PASSPHRASE_LENGTH} characters; keep it in a vault")
    if "\n" in passphrase or "\0" in passphrase:
        raise BackupError("backup_passphrase must be one line, since openssl reads only the first")
    return passphrase


def derive(passphrase: str, salt: str, iterations: int = ITERATIONS) -> Keys:
    """Return the keys of the backup with this *salt*, 16 hexadecimal digits."""
    return Keys.read(hashlib.pbkdf2_hmac("sha256", passphrase.encode(), bytes.fromhex(salt), iterations, 80).hex())


class _Sealer(io.RawIOBase):
    """Encrypts what is written to it, and computes the HMAC of the output."""

    def __init__(self, file: IO[bytes], header: bytes, salt: bytes, keys: Keys) -> None:
        self._file = file
        self._encryptor = Cipher(algorithms.AES(keys.cipher), modes.CBC(keys.vector)).encryptor()
        self._padder = PKCS7(8 * _BLOCK).padder()
        self.mac = _started(keys, header)
        self.size = 0
        self._put(_MAGIC + salt)

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._put(self._encryptor.update(self._padder.update(bytes(data))))
        return len(data)

    def finish(self) -> None:
        """Write the last block."""
        self._put(self._encryptor.update(self._padder.finalize()) + self._encryptor.finalize())

    def _put(self, data: bytes) -> None:
        self._file.write(data)
        self.mac.update(data)
        self.size += len(data)


def _started(keys: Keys, header: bytes) -> hmac.HMAC:
    # The length separates header and content
    return hmac.new(keys.mac, b"%d\n%b" % (len(header), header), hashlib.sha256)


def _member(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    return info.tobuf(tarfile.GNU_FORMAT)


def _padding(size: int) -> bytes:
    return bytes(-size % tarfile.BLOCKSIZE)


def write(path: str, header: Header, keys: Keys, fill: Callable[[tarfile.TarFile], None]) -> None:
    """Write a backup to *path*; *fill* fills the inner archive, which never exists unencrypted."""
    head = header.bytes()
    with open(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        for name, content in ((_README, _HOW_TO_OPEN.format(iterations=header.iterations).encode()), (_HEADER, head)):
            file.write(_member(name, len(content)) + content + _padding(len(content)))
        place = file.tell()
        file.write(_member(_SEALED, 0))
        sealer = _Sealer(file, head, bytes.fromhex(header.salt), keys)
        with tarfile.open(fileobj=sealer, mode="w|gz", format=tarfile.PAX_FORMAT) as inner:
            fill(inner)
        sealer.finish()
        file.write(_padding(sealer.size))
        macs = json.dumps({"header": _started(keys, head).hexdigest(), "all": sealer.mac.hexdigest()}).encode()
        file.write(_member(_MAC, len(macs)) + macs + _padding(len(macs)) + bytes(2 * tarfile.BLOCKSIZE))
        file.seek(place)
        file.write(_member(_SEALED, sealer.size))
        file.flush()
        os.fsync(file.fileno())


class Backup:
    """An existing backup file. Its content is trusted only after check() has succeeded."""

    def __init__(self, path: str, label: str = "") -> None:
        """Open *path*; *label*: its name in messages."""
        self._label = label or path
        try:
            self._file = open(path, "rb")  # noqa: SIM115 - close() closes it
        except OSError as error:
            raise BackupError(f"{self._label} cannot be read: {error.strerror}") from error
        try:
            self._sealed, self._head, self._macs = self._outer()
            self.header = self._header()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Backup:
        return self

    def __exit__(self, *_error: object) -> None:
        self._file.close()

    def _outer(self) -> tuple[tarfile.TarInfo, bytes, Mapping[str, str]]:
        try:
            with tarfile.open(fileobj=self._file, mode="r:") as outer:
                members = {member.name: member for member in outer}
                small = {name: self._small(members[name]) for name in (_HEADER, _MAC) if name in members}
        except (tarfile.TarError, OSError) as error:
            raise BackupError(f"{self._label} is not a backup of a station, or is cut off") from error
        if _HEADER not in small:
            raise BackupError(f"{self._label} is not a backup of a station")
        if _MAC not in small or _SEALED not in members:
            raise BackupError(f"{self._label} is cut off; take another copy of the backup")
        try:
            macs = json.loads(small[_MAC])
            return members[_SEALED], small[_HEADER], {name: str(macs[name]) for name in ("header", "all")}
        except (ValueError, KeyError, TypeError) as error:
            raise self._damaged() from error

    def _small(self, member: tarfile.TarInfo) -> bytes:
        if member.size > _MAX_HEADER_SIZE:
            raise self._damaged()
        self._file.seek(member.offset_data)
        return self._file.read(member.size)

    def _header(self) -> Header:
        try:
            header = Header(**json.loads(self._head))
            fits = len(bytes.fromhex(header.salt)) == 8 and isinstance(header.station, str)
        except (ValueError, TypeError) as error:
            raise self._damaged() from error
        if header.format != FORMAT:
            raise BackupError(f"{self._label} is a backup in the format '{header.format}', but this release reads only '{FORMAT}'")
        # Too many would keep the controller busy for hours
        if not fits or not isinstance(header.iterations, int) or not 0 < header.iterations <= 100 * ITERATIONS:
            raise self._damaged()
        return header

    def _damaged(self) -> BackupError:
        return BackupError(f"{self._label} is damaged; take another copy of the backup")

    def check(self, keys: Keys) -> None:
        """Raise BackupError if any byte has changed since the backup was made with *keys*."""
        mac = _started(keys, self._head)
        if not hmac.compare_digest(mac.hexdigest(), self._macs["header"]):
            raise BackupError(
                f"{self._label} was sealed with a passphrase other than backup_passphrase, or is damaged; it claims to be a "
                f"backup of {self.header.station!r}, made {self.header.made}"
            )
        for chunk in self._chunks():
            mac.update(chunk)
        if not hmac.compare_digest(mac.hexdigest(), self._macs["all"]):
            raise self._damaged()

    def _chunks(self) -> Iterator[bytes]:
        self._file.seek(self._sealed.offset_data)
        left = self._sealed.size
        while left and (chunk := self._file.read(min(left, _CHUNK))):
            left -= len(chunk)
            yield chunk

    def unseal(self, keys: Keys) -> tarfile.TarFile:
        """Return the decrypted inner archive, as a stream."""
        self.check(keys)
        return tarfile.open(fileobj=io.BufferedReader(_Unsealer(self._chunks(), keys)), mode="r|gz")


class _Unsealer(io.RawIOBase):
    """Decrypts what is read from it."""

    def __init__(self, chunks: Iterator[bytes], keys: Keys) -> None:
        self._plain = self._decrypted(chunks, keys)
        self._rest = b""

    @staticmethod
    def _decrypted(chunks: Iterator[bytes], keys: Keys) -> Iterator[bytes]:
        decryptor = Cipher(algorithms.AES(keys.cipher), modes.CBC(keys.vector)).decryptor()
        unpadder = PKCS7(8 * _BLOCK).unpadder()
        skipped = len(_MAGIC) + 8
        for chunk in chunks:
            yield unpadder.update(decryptor.update(chunk[skipped:]))
            skipped = 0
        yield unpadder.update(decryptor.finalize()) + unpadder.finalize()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            following = next(self._plain, None)
            if following is None:
                return 0
            self._rest = following
        part = self._rest[: len(buffer)]
        buffer[: len(part)] = part
        self._rest = self._rest[len(part) :]
        return len(part)
