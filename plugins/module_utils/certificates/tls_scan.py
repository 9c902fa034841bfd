# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Scan what a server offers by TLS: versions and ciphers, the chain that it sends, and how it treats client certificates.

Handshakes are made by openssl (s_client), one process each, since Python's ssl shows neither the chain nor whether the server asked
for a certificate. It runs without the machine's own policy, which would hide what old phones see. Nothing is verified here: that is
up to server_checks and handshake_checks.
"""

from __future__ import annotations

import re
import secrets
import shutil
import socket
import struct
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import ip_address

from ..common.processes import run_program
from .tls_facts import VERSIONS, TlsFacts

# A client that accepts anything; Debian's openssl.cnf would refuse old versions and small keys
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "OPENSSL_CONF": "/dev/null"}
_ANY = "ALL:@SECLEVEL=0"
_RSA_SIGNATURES = ":".join([f"RSA-PSS+SHA{size}" for size in (256, 384, 512)] + [f"RSA+SHA{size}" for size in (512, 384, 256, 1)])
_CIPHER = re.compile(r"^New, .*, Cipher is (?!\(NONE\))(\S+)$", re.MULTILINE)
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----\n.*?\n-----END CERTIFICATE-----\n", re.DOTALL)
_ASKED = re.compile(
    r"^(?:Acceptable client certificate CA names|Client Certificate Types:|Requested Signature Algorithms:)", re.MULTILINE
)
# The list ends with the next line that begins with a heading
_CLIENT_CAS = re.compile(
    r"^Acceptable client certificate CA names\n(.*?)^(?=Client Certificate Types:|Requested Signature|Shared Requested|Peer |---)",
    re.MULTILINE | re.DOTALL,
)
_STATUS = re.compile(rb"^HTTP/\d\.\d (\d{3})\b", re.MULTILINE)

_UNUSABLE = re.compile(
    r"^(?:could not|unable to) (?:read|load|open|find) |^private key does not match ", re.MULTILINE | re.IGNORECASE
)

_DNS_PORT = 53
_DNS_HEADER = struct.Struct("!6H")
_DNS_RECORD = struct.Struct("!HHIH")
_RECURSION_DESIRED = 0x0100
_RESPONSE_CODE = 0x000F
_INTERNET = 1


class RecordType(IntEnum):
    """A DNS record with an address (RFC 1035 section 3.2.2, RFC 3596 section 2.1)."""

    A = 1
    AAAA = 28


_ADDRESS_SIZES = {RecordType.A: 4, RecordType.AAAA: 16}


class ProbeError(Exception):
    """The server cannot be scanned; the message says why and what to do."""


class UnreachableError(ProbeError):
    """No TLS server answers at the address."""


@dataclass(frozen=True)
class Handshake:
    """One handshake; `cipher` is empty when it failed."""

    cipher: str
    chain: str
    """PEM of the certificates in the order in which they came."""
    asked: bool
    """Whether the server asked for a client certificate."""
    client_cas: tuple[str, ...]
    """Subjects of the CAs that it named then, as openssl shows them."""


@dataclass(frozen=True)
class Offer:
    """What a server offers to the phones of a family, and the versions that it offers to any client."""

    protocols: Mapping[str, str]
    """Each of VERSIONS -> cipher, empty where the server refuses it."""
    as_phone: str
    """The cipher agreed on with such a phone; empty where the handshake fails."""
    chain: str
    """PEM of the chain that it sends to such a phone, or to any client where the phone's handshake fails."""
    without_name: str
    """PEM of the chain that it sends to such a phone without a server name."""
    asks: bool
    """Whether it asks for a client certificate."""
    client_cas: tuple[str, ...] = ()
    """Subjects of the CAs whose client certificates it says to accept, as openssl shows them; empty where it says nothing."""


@dataclass(frozen=True)
class Server:
    """The server to scan: its address and port, and the server name to send."""

    address: str
    port: int
    name: str
    timeout: float
    """Seconds for each step."""

    def scan(self, facts: TlsFacts) -> Offer:
        """Shake hands in each version, and as a phone does; raise UnreachableError when no TLS server answers."""
        self.reach()
        each = {version: self._shake_hands(version, version, _ANY) for version in VERSIONS}
        ciphers = ":".join(facts.ciphers) or ("aRSA" if facts.needs_rsa else "ALL")
        signatures = _RSA_SIGNATURES if facts.needs_rsa else ""
        phone = self._shake_hands(facts.lowest, facts.highest, f"{ciphers}:@SECLEVEL=0", signatures)
        plain = self._shake_hands(facts.lowest, facts.highest, f"{ciphers}:@SECLEVEL=0", signatures, named=False)
        met = [handshake for handshake in (phone, *reversed(each.values())) if handshake.chain]
        if not met:
            raise UnreachableError(
                f"{self.address} answers on port {self.port}, but not with TLS and a certificate; run an HTTPS server there"
            )
        return Offer(
            protocols={version: handshake.cipher for version, handshake in each.items()},
            as_phone=phone.cipher,
            chain=met[0].chain,
            without_name=plain.chain,
            asks=met[0].asked,
            client_cas=met[0].client_cas,
        )

    def reach(self) -> None:
        """Connect once; raise UnreachableError with the system's reason."""
        try:
            socket.create_connection((self.address, self.port), self.timeout).close()
        except OSError as error:
            reason = "no answer" if isinstance(error, TimeoutError) else (error.strerror or str(error)).lower()
            raise UnreachableError(
                f"{self.address} cannot be reached on port {self.port}: {reason}; start the server, or let the firewall pass it"
            ) from error

    def request_with(self, certificate: str, private_key: str) -> int:
        """Request ``/`` with a client certificate (paths of PEM files); return the HTTP status, 0 where there is none."""
        request = f"GET / HTTP/1.0\r\nHost: {self.name}\r\n\r\n".encode()
        # With a passphrase on the command line openssl does not prompt for one
        options = ["-cipher", _ANY, "-quiet", "-cert", certificate, "-key", private_key, "-pass", "pass:"]
        output, errors = self._run(options, request)
        if _UNUSABLE.search(errors):
            raise ProbeError(f"{certificate} and {private_key} are not a client certificate and its key; give a PEM file of each")
        status = _STATUS.search(output)
        return int(status[1]) if status else 0

    def _shake_hands(self, lowest: str, highest: str, ciphers: str, signatures: str = "", named: bool = True) -> Handshake:
        options = [
            "-showcerts",
            "-min_protocol",
            _openssl_name(lowest),
            "-max_protocol",
            _openssl_name(highest),
            "-cipher",
            ciphers,
        ]
        if signatures:
            options += ["-sigalgs", signatures]
        output = self._run(options, b"", named)[0].decode("latin-1")
        # A server that requires a client certificate aborts, but has agreed on the cipher by then
        cipher = _CIPHER.search(output)
        return Handshake(
            cipher=cipher[1] if cipher else "",
            chain="".join(_CERTIFICATE.findall(output)) if cipher else "",
            asked=bool(cipher and _ASKED.search(output)),
            client_cas=_client_cas(output) if cipher else (),
        )

    def _run(self, options: Sequence[str], data: bytes, named: bool = True) -> tuple[bytes, str]:
        if shutil.which("openssl", path=_ENVIRONMENT["PATH"]) is None:
            raise ProbeError("the command openssl is missing; install the Debian package openssl")
        where = f"[{self.address}]" if ":" in self.address else self.address
        command = ["openssl", "s_client", "-connect", f"{where}:{self.port}", "-legacy_server_connect", *options]
        command += ["-servername", self.name] if named else ["-noservername"]
        try:
            done = run_program(command, data=data, timeout=self.timeout, env=_ENVIRONMENT)
        except subprocess.TimeoutExpired as expired:
            return expired.stdout or b"", (expired.stderr or b"").decode("latin-1")
        return done.stdout, done.stderr.decode("latin-1")


def _client_cas(output: str) -> tuple[str, ...]:
    listed = _CLIENT_CAS.search(output)
    return tuple(listed[1].splitlines()) if listed else ()


def _openssl_name(version: str) -> str:
    """Return a version as openssl spells it: ``TLSv1`` for ``TLS 1.0``."""
    return version.replace(" ", "v").removesuffix(".0")


def resolve(name: str, name_server: str = "", timeout: float = 5, record: RecordType = RecordType.A) -> tuple[str, ...]:
    """Return the addresses of *name* according to the system or to *name_server* (an address); empty if there are none.

    Raise ProbeError when the name server does not answer.
    """
    if name_server:
        family = socket.AF_INET6 if ":" in name_server else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as client:
            return ask_name_server(client, name, name_server, timeout, record)
    return ask_system(name, record)


def ask_system(name: str, record: RecordType) -> tuple[str, ...]:
    """Return the addresses of *name* according to the system; empty if there are none."""
    try:
        family = socket.AF_INET6 if record is RecordType.AAAA else socket.AF_INET
        found = socket.getaddrinfo(name, None, family, socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ()
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


def ask_name_server(
    client: socket.socket, name: str, name_server: str, timeout: float, record: RecordType = RecordType.A
) -> tuple[str, ...]:
    """Return the addresses of *name* by one query to the name server; *client*: an unconnected UDP socket. Raise ProbeError."""
    number = secrets.randbelow(2**16)
    try:
        labels = b"".join(bytes([len(label)]) + label.encode("ascii") for label in name.removesuffix(".").split("."))
        question = struct.pack("!HH", record, _INTERNET)
        query = _DNS_HEADER.pack(number, _RECURSION_DESIRED, 1, 0, 0, 0) + labels + b"\0" + question
        client.settimeout(timeout)
        client.connect((name_server, _DNS_PORT))
        client.send(query)
        answer = client.recv(65535)
        return tuple(dict.fromkeys(_addresses(answer, number, record)))
    except (OSError, ValueError, IndexError, struct.error) as error:
        reason = "no answer" if isinstance(error, TimeoutError) else str(error)
        raise ProbeError(f"the name server {name_server} cannot be asked for {name}: {reason}; let it answer on port 53") from error


def _addresses(answer: bytes, number: int, record: RecordType = RecordType.A) -> Iterator[str]:
    """Yield the addresses in the records of that type of a DNS message (RFC 1035 section 4)."""
    answered, flags, questions, records, _authorities, _more = _DNS_HEADER.unpack_from(answer)
    if answered != number:
        raise ValueError("the answer belongs to another query")
    if flags & _RESPONSE_CODE not in (0, 3):
        raise ValueError(f"it answers with the error {flags & _RESPONSE_CODE}")
    place = _DNS_HEADER.size
    for _question in range(questions):
        place = _after_name(answer, place) + 4
    for _record in range(records):
        place = _after_name(answer, place)
        kind, family, _seconds, size = _DNS_RECORD.unpack_from(answer, place)
        place += _DNS_RECORD.size
        if (kind, family, size) == (record, _INTERNET, _ADDRESS_SIZES[record]):
            yield str(ip_address(answer[place : place + size]))
        place += size


def _after_name(answer: bytes, place: int) -> int:
    while answer[place]:
        if answer[place] >= 0xC0:
            return place + 2
        place += 1 + answer[place]
    return place + 1
