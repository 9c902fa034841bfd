# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a server offers by TLS: versions and ciphers, the chain that it sends, and how it takes client certificates.

Handshakes are openssl's (s_client), one process each, since Python's ssl shows neither the chain nor whether a certificate was
asked for. It runs without the machine's own policy, which would hide what old phones see. Nothing is verified here;
certificate_rules judges.
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

from .certificate_rules import VERSIONS, TlsFacts

# A client that takes anything; on Debian openssl.cnf would refuse old versions and small keys
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "OPENSSL_CONF": "/dev/null"}
_ANY = "ALL:@SECLEVEL=0"
_RSA_SIGNATURES = ":".join([f"RSA-PSS+SHA{size}" for size in (256, 384, 512)] + [f"RSA+SHA{size}" for size in (512, 384, 256, 1)])
_CIPHER = re.compile(r"^New, .*, Cipher is (?!\(NONE\))(\S+)$", re.MULTILINE)
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----\n.*?\n-----END CERTIFICATE-----\n", re.DOTALL)
_ASKED = re.compile(
    r"^(?:Acceptable client certificate CA names|Client Certificate Types:|Requested Signature Algorithms:)", re.MULTILINE
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
_A, _INTERNET = 1, 1


class ProbeError(Exception):
    """The server or the machine does not allow to look; the message says why and what to do."""


class UnreachableError(ProbeError):
    """Nobody answers there by TLS."""


@dataclass(frozen=True)
class Handshake:
    """One handshake; `cipher` is empty when it failed."""

    cipher: str
    chain: str
    """PEM of the certificates in the order in which they came."""
    asked: bool
    """Whether the server asked for a client certificate."""


@dataclass(frozen=True)
class Offer:
    """What a server offers to a family's phones, and in which versions to anybody."""

    protocols: Mapping[str, str]
    """Each of certificate_rules.VERSIONS -> cipher, empty where the server refuses it."""
    as_phone: str
    """The cipher where it shakes hands with such a phone; empty where it refuses."""
    chain: str
    """PEM of what it sends to such a phone, or to anybody where it refuses the phone's handshake."""
    without_name: str
    """PEM of what it sends to such a phone that sends no server name."""
    asks: bool
    """Whether it asks for a client certificate."""


@dataclass(frozen=True)
class Server:
    """Where to look: an IPv4 address and a port, and the name that is sent along."""

    address: str
    port: int
    name: str
    timeout: float
    """Seconds for each step."""

    def look(self, facts: TlsFacts) -> Offer:
        """Shake hands in each version, and as a phone does; raise UnreachableError when nobody answers by TLS."""
        self.reach()
        each = {version: self._shake_hands(version, version, _ANY) for version in VERSIONS}
        ciphers = ":".join(facts.ciphers) or ("aRSA" if facts.needs_rsa else "ALL")
        signatures = _RSA_SIGNATURES if facts.needs_rsa else ""
        phone = self._shake_hands(facts.lowest, facts.highest, f"{ciphers}:@SECLEVEL=0", signatures)
        plain = self._shake_hands(facts.lowest, facts.highest, f"{ciphers}:@SECLEVEL=0", signatures, named=False)
        met = [handshake for handshake in (phone, *reversed(each.values())) if handshake.chain]
        if not met:
            raise UnreachableError(
                f"{self.address} answers on port {self.port}, but not by TLS with a certificate; let an HTTPS server listen there"
            )
        return Offer(
            protocols={version: handshake.cipher for version, handshake in each.items()},
            as_phone=phone.cipher,
            chain=met[0].chain,
            without_name=plain.chain,
            asks=met[0].asked,
        )

    def reach(self) -> None:
        """Connect once; raise UnreachableError with what the system says."""
        try:
            socket.create_connection((self.address, self.port), self.timeout).close()
        except OSError as error:
            reason = "no answer" if isinstance(error, TimeoutError) else (error.strerror or str(error)).lower()
            raise UnreachableError(
                f"{self.address} cannot be reached on port {self.port}: {reason}; start the server there, or open the way to it"
            ) from error

    def show(self, certificate: str, private_key: str) -> int:
        """Show a client certificate (paths of PEM files) and ask for ``/``; return the HTTP status, 0 where there is none."""
        request = f"GET / HTTP/1.0\r\nHost: {self.name}\r\n\r\n".encode()
        # With a passphrase given it asks nobody for one
        options = ["-cipher", _ANY, "-quiet", "-cert", certificate, "-key", private_key, "-pass", "pass:"]
        output, told = self._run(options, request)
        if _UNUSABLE.search(told):
            raise ProbeError(f"{certificate} and {private_key} are no client certificate and its key; give a PEM file of each")
        status = _STATUS.search(output)
        return int(status[1]) if status else 0

    def _shake_hands(self, lowest: str, highest: str, ciphers: str, signatures: str = "", named: bool = True) -> Handshake:
        options = ["-showcerts", "-min_protocol", _spelt(lowest), "-max_protocol", _spelt(highest), "-cipher", ciphers]
        if signatures:
            options += ["-sigalgs", signatures]
        output = self._run(options, b"", named)[0].decode("latin-1")
        # A server that insists on a client certificate breaks off, but has agreed on the cipher by then
        cipher = _CIPHER.search(output)
        return Handshake(
            cipher=cipher[1] if cipher else "",
            chain="".join(_CERTIFICATE.findall(output)) if cipher else "",
            asked=bool(cipher and _ASKED.search(output)),
        )

    def _run(self, options: Sequence[str], data: bytes, named: bool = True) -> tuple[bytes, str]:
        if shutil.which("openssl", path=_ENVIRONMENT["PATH"]) is None:
            raise ProbeError("the command openssl is missing; install the Debian package openssl")
        command = ["openssl", "s_client", "-connect", f"{self.address}:{self.port}", "-legacy_server_connect", *options]
        command += ["-servername", self.name] if named else ["-noservername"]
        try:
            done = subprocess.run(command, input=data, capture_output=True, timeout=self.timeout, env=_ENVIRONMENT, check=False)
        except subprocess.TimeoutExpired as expired:
            return expired.stdout or b"", (expired.stderr or b"").decode("latin-1")
        return done.stdout, done.stderr.decode("latin-1")


def _spelt(version: str) -> str:
    """How openssl writes ``TLS 1.0``."""
    return version.replace(" ", "v").removesuffix(".0")


def resolve(name: str, name_server: str = "", timeout: float = 5) -> tuple[str, ...]:
    """Return the IPv4 addresses of *name*, as the system or *name_server* (an address) tells them; none where there is none.

    Phones ask for A records alone. Raise ProbeError when the name server gives no answer.
    """
    if name_server:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            return ask_name_server(client, name, name_server, timeout)
    try:
        found = socket.getaddrinfo(name, None, socket.AF_INET, socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ()
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


def ask_name_server(client: socket.socket, name: str, name_server: str, timeout: float) -> tuple[str, ...]:
    """Do the same by one question from a UDP socket that is not connected yet."""
    number = secrets.randbelow(2**16)
    try:
        labels = b"".join(bytes([len(label)]) + label.encode("ascii") for label in name.removesuffix(".").split("."))
        query = _DNS_HEADER.pack(number, _RECURSION_DESIRED, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", _A, _INTERNET)
        client.settimeout(timeout)
        client.connect((name_server, _DNS_PORT))
        client.send(query)
        answer = client.recv(65535)
        return tuple(dict.fromkeys(_addresses(answer, number)))
    except (OSError, ValueError, IndexError, struct.error) as error:
        reason = "no answer" if isinstance(error, TimeoutError) else str(error)
        raise ProbeError(
            f"the name server {name_server} does not tell the address of {name}: {reason}; let it answer on port 53"
        ) from error


def _addresses(answer: bytes, number: int) -> Iterator[str]:
    """Read the A records of a DNS message (RFC 1035 section 4)."""
    told, flags, questions, records, _authorities, _more = _DNS_HEADER.unpack_from(answer)
    if told != number:
        raise ValueError("the answer belongs to another question")
    if flags & _RESPONSE_CODE not in (0, 3):
        raise ValueError(f"it answers with the error {flags & _RESPONSE_CODE}")
    place = _DNS_HEADER.size
    for _question in range(questions):
        place = _after_name(answer, place) + 4
    for _record in range(records):
        place = _after_name(answer, place)
        kind, family, _seconds, size = _DNS_RECORD.unpack_from(answer, place)
        place += _DNS_RECORD.size
        if (kind, family, size) == (_A, _INTERNET, 4):
            yield socket.inet_ntoa(answer[place : place + 4])
        place += size


def _after_name(answer: bytes, place: int) -> int:
    while answer[place]:
        if answer[place] >= 0xC0:
            return place + 2
        place += 1 + answer[place]
    return place + 1
