# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""HTTP and HTTPS client of an emulated phone: one request per connection, within one deadline, on sockets that the caller opens.

TLS accepts everything that old phones accept (no security level); WireRequest.verify_certificate decides whether a phone accepts a
server's certificate.
"""

from __future__ import annotations

import io
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any
from urllib.parse import quote

from ...common.validate import is_ipv4
from ...profiles.rules.urls import PORTS
from ..device.ports import WireFailure, WireRequest, WireResponse

_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))
_MIN_TLS_VERSION = ssl.TLSVersion.MINIMUM_SUPPORTED
_CIPHERS = "ALL:@SECLEVEL=0"
_MIN_WAIT = 0.001
_TIME_ERRORS = (9, 10)
"""X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED of OpenSSL's x509_vfy.h."""


@dataclass(frozen=True)
class ClientCertificate:
    """Paths of PEM files: the phone's certificate and its key."""

    certificate: str
    private_key: str


class _EndError(Exception):
    """The exchange ended without a response."""

    def __init__(self, failure: WireFailure, error: str, certificate: bytes = b"") -> None:
        super().__init__(error)
        self.response = WireResponse(0, failure=failure, error=error, certificate=certificate)


class _Timed:
    """A socket for http.client that never waits beyond one deadline."""

    def __init__(self, opened: socket.socket, deadline: float) -> None:
        self._socket = opened
        self._deadline = deadline
        self._reader = _TimedReader(opened, deadline)

    @property
    def has_received(self) -> bool:
        """Whether a byte of a response has come."""
        return self._reader.has_received

    def sendall(self, data: bytes) -> None:
        self._socket.settimeout(_left(self._deadline))
        self._socket.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self._reader)

    def close(self) -> None:
        """The caller closes the socket."""


class _TimedReader(io.RawIOBase):
    def __init__(self, opened: socket.socket, deadline: float) -> None:
        self._socket = opened
        self._deadline = deadline
        self.has_received = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._socket.settimeout(_left(self._deadline))
        number = self._socket.recv_into(buffer)
        self.has_received |= number > 0
        return number


def fetch(
    request: WireRequest, new_socket: Callable[[], socket.socket], deadline: float, own: ClientCertificate | None = None
) -> WireResponse:
    """Send one request and read the response before *deadline* (time.monotonic()); *new_socket* opens TCP sockets."""
    certificate = b""
    try:
        with closing(_connect(request, new_socket(), deadline)) as opened:
            if request.target.scheme != "https":
                return _exchange(request, opened, deadline)
            with closing(_shake_hands(request, opened, new_socket, deadline, own)) as secured:
                certificate = secured.getpeercert(binary_form=True) or b""
                refused = request.verify_certificate(certificate)
                if refused:
                    return WireResponse(0, failure=WireFailure.CERTIFICATE, error=refused, certificate=certificate)
                return _exchange(request, secured, deadline, certificate)
    except _EndError as end:
        return end.response
    except TimeoutError:
        return WireResponse(0, failure=WireFailure.TIMEOUT, error="no complete answer in time", certificate=certificate)
    except ssl.SSLError as error:
        # With TLS 1.3, a server refuses the phone's certificate only now
        return WireResponse(0, failure=WireFailure.HANDSHAKE, error=_reason(error), certificate=certificate)
    except OSError as error:
        return WireResponse(
            0, failure=WireFailure.PROTOCOL, error=f"the server closed the connection: {_reason(error)}", certificate=certificate
        )


def _connect(request: WireRequest, opened: socket.socket, deadline: float) -> socket.socket:
    try:
        opened.settimeout(_left(deadline))
        opened.connect((request.address, request.target.port))
    except OSError as error:
        opened.close()
        if isinstance(error, ConnectionRefusedError):
            raise _EndError(WireFailure.REFUSED, f"nothing listens on port {request.target.port}") from error
        if isinstance(error, TimeoutError):
            raise _EndError(WireFailure.TIMEOUT, "no answer") from error
        raise _EndError(WireFailure.UNREACHABLE, _reason(error)) from error
    return opened


def _shake_hands(
    request: WireRequest,
    opened: socket.socket,
    new_socket: Callable[[], socket.socket],
    deadline: float,
    own: ClientCertificate | None,
) -> ssl.SSLSocket:
    context = _context()
    try:
        context.load_verify_locations(cadata=request.roots.decode("ascii"))
    except (ssl.SSLError, ValueError) as error:
        raise _EndError(WireFailure.CHAIN, "the phone's roots are not PEM certificates") from error
    if own:
        try:
            context.load_cert_chain(own.certificate, own.private_key)
        except (ssl.SSLError, OSError) as error:
            raise _EndError(WireFailure.HANDSHAKE, f"the phone's own certificate cannot be used: {_reason(error)}") from error
    try:
        return _secure(context, request, opened, deadline)
    except ssl.SSLCertVerificationError as error:
        certificate = _peek_certificate(request, new_socket, deadline)
        failure = WireFailure.CERTIFICATE_TIME if error.verify_code in _TIME_ERRORS else WireFailure.CHAIN
        raise _EndError(failure, f"the server's certificate is not trusted: {error.verify_message}", certificate) from error
    except TimeoutError as error:
        raise _EndError(WireFailure.TIMEOUT, "the TLS handshake timed out") from error
    except (ConnectionError, ssl.SSLEOFError) as error:
        raise _EndError(WireFailure.CLOSED, f"the server closed the connection in the TLS handshake: {_reason(error)}") from error
    except OSError as error:
        raise _EndError(WireFailure.HANDSHAKE, f"the TLS handshake failed: {_reason(error)}") from error


def _peek_certificate(request: WireRequest, new_socket: Callable[[], socket.socket], deadline: float) -> bytes:
    """Return the server's certificate from a second connection: a failed handshake does not keep it. Empty when that fails too."""
    context = _context()
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            closing(_connect(request, new_socket(), deadline)) as opened,
            closing(_secure(context, request, opened, deadline)) as secured,
        ):
            return secured.getpeercert(binary_form=True) or b""
    except (OSError, _EndError):
        return b""


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.minimum_version = _MIN_TLS_VERSION
    context.set_ciphers(_CIPHERS)
    return context


def _secure(context: ssl.SSLContext, request: WireRequest, opened: socket.socket, deadline: float) -> ssl.SSLSocket:
    name = str(request.target.server)
    opened.settimeout(_left(deadline))
    return context.wrap_socket(opened, server_hostname=None if is_ipv4(name) or name.startswith("[") else name)


def _exchange(request: WireRequest, opened: socket.socket, deadline: float, certificate: bytes = b"") -> WireResponse:
    timed = _Timed(opened, deadline)
    # With the port given, an IPv6 address is not taken apart
    connection = HTTPConnection(request.address, request.target.port)
    connection.sock = timed
    try:
        connection.putrequest(
            request.method, quote(request.target.path, safe=_PRINTABLE) or "/", skip_host=True, skip_accept_encoding=True
        )
        for name, value in _headers(request).items():
            connection.putheader(name, value)
        connection.endheaders(request.body if request.method != "GET" else None)
        http_response = HTTPResponse(timed, method=request.method)  # type: ignore[arg-type]
        http_response.begin()
        content = http_response.read(request.max_bytes + 1)
        if len(content) > request.max_bytes:
            return WireResponse(
                0,
                failure=WireFailure.TOO_LARGE,
                error=f"the response is larger than {request.max_bytes} bytes",
                certificate=certificate,
            )
        if http_response.length:
            raise HTTPException(f"{http_response.length} bytes are missing at the end")
    except (ConnectionError, ssl.SSLEOFError) as error:
        failure = WireFailure.PROTOCOL if timed.has_received else WireFailure.CLOSED
        _raise_alert(opened)
        return WireResponse(
            0, failure=failure, error=f"the server closed the connection: {_reason(error)}", certificate=certificate
        )
    except (HTTPException, ValueError) as error:
        what = " ".join(str(error).split()) or type(error).__name__
        return WireResponse(
            0, failure=WireFailure.PROTOCOL, error=f"the response is not valid HTTP: {what}", certificate=certificate
        )
    headers: dict[str, str] = {}
    for name, value in http_response.getheaders():
        headers[name.lower()] = f"{headers[name.lower()]}, {value}" if name.lower() in headers else value
    return WireResponse(http_response.status, content, headers, certificate=certificate)


def _raise_alert(opened: socket.socket) -> None:
    """Raise SSLError if the server has said why it closes the connection: one that refuses the phone's certificate does."""
    if isinstance(opened, ssl.SSLSocket):
        with suppress(ConnectionError, TimeoutError, ssl.SSLEOFError):
            opened.recv(1)


def _headers(request: WireRequest) -> Mapping[str, str]:
    target = request.target
    host = str(target.server) if target.port == PORTS.get(target.scheme) else f"{target.server}:{target.port}"
    length = {} if request.method == "GET" else {"Content-Length": str(len(request.body))}
    return {"Host": host, **request.headers, **length, "Connection": "close"}


def _left(deadline: float) -> float:
    # A timeout of 0 would make the socket non-blocking
    return max(deadline - time.monotonic(), _MIN_WAIT)


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.lower().replace("_", " ")
    return (error.strerror or str(error)).lower()
