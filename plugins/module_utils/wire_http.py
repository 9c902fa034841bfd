# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""HTTP and HTTPS as a unit speaks them, on sockets that the caller makes: one request a connection, within one deadline.

TLS allows what old units allow (no security level); what a unit demands of a certificate is the judge's, see phone_network.Ask.
"""

from __future__ import annotations

import io
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from ipaddress import AddressValueError, IPv4Address
from typing import Any
from urllib.parse import quote

from .phone_network import Answer, Ask
from .rules import PORTS

_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))
_OLDEST = ssl.TLSVersion.MINIMUM_SUPPORTED
_CIPHERS = "ALL:@SECLEVEL=0"
_SHORTEST_WAIT = 0.001


@dataclass(frozen=True)
class ClientCertificate:
    """Paths of PEM files."""

    certificate: str
    private_key: str


class _EndError(Exception):
    """There is no answer."""

    def __init__(self, failure: str, error: str, certificate: bytes = b"") -> None:
        super().__init__(error)
        self.answer = Answer(0, failure=failure, error=error, certificate=certificate)


class _Timed:
    """A socket for http.client, all of whose waiting ends at one deadline."""

    def __init__(self, opened: socket.socket, deadline: float) -> None:
        self._socket = opened
        self._deadline = deadline

    def sendall(self, data: bytes) -> None:
        self._socket.settimeout(_left(self._deadline))
        self._socket.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_TimedReader(self._socket, self._deadline))

    def close(self) -> None:
        """The caller closes the socket."""


class _TimedReader(io.RawIOBase):
    def __init__(self, opened: socket.socket, deadline: float) -> None:
        self._socket = opened
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._socket.settimeout(_left(self._deadline))
        return self._socket.recv_into(buffer)


def fetch(ask: Ask, new_socket: Callable[[], socket.socket], deadline: float, own: ClientCertificate | None = None) -> Answer:
    """Send one request and read the answer before *deadline* (time.monotonic()); *new_socket* makes TCP sockets."""
    certificate = b""
    try:
        with closing(_connect(ask, new_socket(), deadline)) as opened:
            if ask.target.scheme != "https":
                return _request(ask, opened, deadline)
            with closing(_shake_hands(ask, opened, new_socket, deadline, own)) as secured:
                certificate = secured.getpeercert(binary_form=True) or b""
                refused = ask.judge(certificate)
                if refused:
                    return Answer(0, failure="certificate", error=refused, certificate=certificate)
                return _request(ask, secured, deadline, certificate)
    except _EndError as end:
        return end.answer
    except TimeoutError:
        return Answer(0, failure="timeout", error="the answer does not come, or does not end", certificate=certificate)
    except ssl.SSLError as error:
        # By TLS 1.3 a server refuses the unit's certificate only now
        return Answer(0, failure="handshake", error=_reason(error), certificate=certificate)
    except OSError as error:
        return Answer(0, failure="protocol", error=f"the server breaks off: {_reason(error)}", certificate=certificate)


def _connect(ask: Ask, opened: socket.socket, deadline: float) -> socket.socket:
    try:
        opened.settimeout(_left(deadline))
        opened.connect((ask.address, ask.target.port))
    except OSError as error:
        opened.close()
        if isinstance(error, ConnectionRefusedError):
            raise _EndError("refused", f"nobody listens on port {ask.target.port}") from error
        if isinstance(error, TimeoutError):
            raise _EndError("timeout", "no answer") from error
        raise _EndError("unreachable", _reason(error)) from error
    return opened


def _shake_hands(
    ask: Ask, opened: socket.socket, new_socket: Callable[[], socket.socket], deadline: float, own: ClientCertificate | None
) -> ssl.SSLSocket:
    context = _context()
    try:
        context.load_verify_locations(cadata=ask.roots.decode("ascii"))
    except (ssl.SSLError, ValueError) as error:
        raise _EndError("chain", "the unit's roots are no PEM certificates") from error
    if own:
        try:
            context.load_cert_chain(own.certificate, own.private_key)
        except (ssl.SSLError, OSError) as error:
            raise _EndError("handshake", f"the unit's own certificate cannot be used: {_reason(error)}") from error
    try:
        return _secure(context, ask, opened, deadline)
    except ssl.SSLCertVerificationError as error:
        shown = _look(ask, new_socket, deadline)
        raise _EndError("chain", f"the server's certificate cannot be trusted: {error.verify_message}", shown) from error
    except TimeoutError as error:
        raise _EndError("timeout", "the TLS handshake does not end") from error
    except OSError as error:
        raise _EndError("handshake", f"the TLS handshake fails: {_reason(error)}") from error


def _look(ask: Ask, new_socket: Callable[[], socket.socket], deadline: float) -> bytes:
    """Return the certificate that could not be trusted; a handshake that fails does not keep it."""
    context = _context()
    context.verify_mode = ssl.CERT_NONE
    try:
        with closing(_connect(ask, new_socket(), deadline)) as opened, closing(_secure(context, ask, opened, deadline)) as secured:
            return secured.getpeercert(binary_form=True) or b""
    except (OSError, _EndError):
        return b""


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.minimum_version = _OLDEST
    context.set_ciphers(_CIPHERS)
    return context


def _secure(context: ssl.SSLContext, ask: Ask, opened: socket.socket, deadline: float) -> ssl.SSLSocket:
    name = str(ask.target.server)
    opened.settimeout(_left(deadline))
    return context.wrap_socket(opened, server_hostname=None if _is_address(name) else name)


def _request(ask: Ask, opened: socket.socket, deadline: float, certificate: bytes = b"") -> Answer:
    timed = _Timed(opened, deadline)
    connection = HTTPConnection(ask.address)
    connection.sock = timed
    try:
        connection.putrequest(ask.method, quote(ask.target.path, safe=_PRINTABLE) or "/", skip_host=True, skip_accept_encoding=True)
        for name, value in _headers(ask).items():
            connection.putheader(name, value)
        connection.endheaders(ask.body if ask.method != "GET" else None)
        response = HTTPResponse(timed, method=ask.method)  # type: ignore[arg-type]
        response.begin()
        content = response.read(ask.most + 1)
        if len(content) > ask.most:
            return Answer(0, failure="too_large", error=f"the answer is larger than {ask.most} bytes", certificate=certificate)
        if response.length:
            raise HTTPException(f"{response.length} bytes are missing at the end")
    except (HTTPException, ValueError) as error:
        what = " ".join(str(error).split()) or type(error).__name__
        return Answer(0, failure="protocol", error=f"this is no HTTP answer: {what}", certificate=certificate)
    headers: dict[str, str] = {}
    for name, value in response.getheaders():
        headers[name.lower()] = f"{headers[name.lower()]}, {value}" if name.lower() in headers else value
    return Answer(response.status, content, headers, certificate=certificate)


def _headers(ask: Ask) -> Mapping[str, str]:
    target = ask.target
    host = str(target.server) if target.port == PORTS.get(target.scheme) else f"{target.server}:{target.port}"
    length = {} if ask.method == "GET" else {"Content-Length": str(len(ask.body))}
    return {"Host": host, **ask.headers, **length, "Connection": "close"}


def _left(deadline: float) -> float:
    # 0 would mean not to wait at all
    return max(deadline - time.monotonic(), _SHORTEST_WAIT)


def _is_address(name: str) -> bool:
    try:
        IPv4Address(name)
    except AddressValueError:
        return False
    return True


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.lower().replace("_", " ")
    return (error.strerror or str(error)).lower()
