# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""One file read or sent by a phone, by TFTP, HTTP or HTTPS, on sockets that its network opens."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from ...common.mac import Mac
from ..device.habits import Habit
from ..device.ports import WireFailure, WireRequest, WireResponse
from .http import ClientCertificate, fetch
from .tftp import RemoteFile, read_file, write_file

_NAME_END = b"\xff"
"""What some units send behind the name of a file, see Habit.TFTP_NAME_FF."""

SocketFactory = Callable[[socket.SocketKind], socket.socket]
"""Opens a socket of that kind in the phone's network; raises OSError."""


@dataclass(frozen=True)
class PhoneIdentity:
    """How one phone presents itself."""

    mac: Mac
    block_size: int | None = None
    """TFTP block size to negotiate; None sends no TFTP options."""
    certificate: ClientCertificate | None = None
    habits: frozenset[Habit] = frozenset()


def exchange(request: WireRequest, identity: PhoneIdentity, open_socket: SocketFactory, timeout: float) -> WireResponse:
    """Return the response to *request* within *timeout* seconds, asking once or twice, as the phone's habits are."""
    if Habit.ASKS_TWICE not in identity.habits or request.method != "GET":
        return _exchange_once(request, identity, open_socket, timeout)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _number: _exchange_once(request, identity, open_socket, timeout), range(2))
    # The worse answer counts, so that a server that serves only one of them is noticed
    return second if first.status == 200 else first


def _exchange_once(request: WireRequest, identity: PhoneIdentity, open_socket: SocketFactory, timeout: float) -> WireResponse:
    deadline = time.monotonic() + timeout
    try:
        if request.target.scheme == "tftp":
            with open_socket(socket.SOCK_DGRAM) as opened:
                file = RemoteFile(request.address, request.target.port, request.target.path, identity.block_size)
                if request.method == "GET":
                    suffix = _NAME_END if Habit.TFTP_NAME_FF in identity.habits else b""
                    return read_file(opened, replace(file, suffix=suffix), request.max_bytes, deadline)
                return write_file(opened, file, request.body, deadline)
        return fetch(request, lambda: open_socket(socket.SOCK_STREAM), deadline, identity.certificate)
    except OSError as error:
        return WireResponse(0, failure=WireFailure.UNREACHABLE, error=error.strerror or str(error))
