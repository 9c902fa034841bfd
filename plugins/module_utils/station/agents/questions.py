# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ask the station's daemons whether they answer, each in its own protocol, without a trace in logs, leases or statistics.

Runs on the station, and needs no privilege. Where a protocol has no question that leaves no trace (DHCP, TFTP, syslog), the daemon
gets an empty datagram, which it drops in silence, and answers by reading it.
"""

from __future__ import annotations

import secrets
import socket
import ssl
import struct
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

MAX_SECONDS = 5.0
"""A daemon that has not answered for so long does not answer."""

_ATTEMPT = 1.0
# The profile service may wait ten seconds for a lock of its database
_SERVICE_SECONDS = 12.0
_MAX_ANSWER = 65536
_MAX_SHOWN = 200
_PAUSE = 0.02

# RFC 1035: recursion desired, one question; unbound answers this name by itself
_DNS_QUESTION = struct.pack("!HHHHH", 0x0100, 1, 0, 0, 0) + b"\x09localhost\x00" + struct.pack("!HH", 1, 1)
# RFC 5905: version 4, mode client
_NTP_QUESTION = b"\x23" + bytes(47)
_NOT_SYNCHRONISED = 3
# The reference that chrony names while "local" is all that it has (NTP_REFID_LOCAL): 127.127.1.1
_OWN_CLOCK = b"\x7f\x7f\x01\x01"
_STUN_QUESTION = struct.pack("!HHI", 1, 0, 0x2112A442)


class Target(NamedTuple):
    """Where the daemons are."""

    address: str
    """The station's on the bench."""
    control_groups: str = "/sys/fs/cgroup/system.slice"
    sockets: str = "/proc/self/net/udp"
    seconds: float = MAX_SECONDS
    time_configuration: str = "/etc/chrony/chrony.conf"


Answer = str
"""Empty if the daemon has answered, else a clause that says what it does instead."""

NO_ANSWER = "does not answer"
NOT_LISTENING = "does not listen"


def ask_all(target: Target, names: Mapping[str, str]) -> dict[str, Answer]:
    """Ask those of the services *names* (name -> unit) that take a question, all at once; return their answers."""
    asked = [name for name in names if name in QUESTIONS]
    if not asked:
        return {}
    with ThreadPoolExecutor(len(asked)) as threads:
        return dict(zip(asked, threads.map(lambda name: _ask(QUESTIONS[name], target, names[name]), asked), strict=True))


def _ask(question: Callable[[Target, str], Answer], target: Target, unit: str) -> Answer:
    try:
        return question(target, unit)
    except TimeoutError:
        return NO_ANSWER
    except OSError as error:
        return f"{NO_ANSWER} ({error.strerror or error})"


def _exchange(target: Target, port: int, question: bytes, is_answer: Callable[[bytes], bool]) -> Answer:
    return "" if _receive(target, port, question, is_answer) else NO_ANSWER


def _receive(target: Target, port: int, question: bytes, is_answer: Callable[[bytes], bool]) -> bytes:
    """Send *question* by UDP, and again each second, until an answer comes; return it, or nothing. Raise OSError."""
    end = time.monotonic() + target.seconds
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        # An ICMP error ends the wait at once
        client.connect((target.address, port))
        while (left := end - time.monotonic()) > 0:
            client.send(question)
            client.settimeout(min(_ATTEMPT, left))
            try:
                if is_answer(data := client.recv(2048)):
                    return data
            except TimeoutError:
                continue
    return b""


def _ask_names(target: Target, _unit: str) -> Answer:
    number = secrets.token_bytes(2)
    return _exchange(target, 53, number + _DNS_QUESTION, lambda data: data[:2] == number and bool(data[2] & 0x80))


def _ask_time(target: Target, _unit: str) -> Answer:
    return _exchange(target, 123, _NTP_QUESTION, _is_time)


def _is_time(data: bytes) -> bool:
    return len(data) >= 48 and data[0] & 7 == 4


def time_servers(configuration: str) -> list[str]:
    """Return the servers that chrony is to follow, in the text of its configuration."""
    lines = (line.split() for line in configuration.splitlines())
    return [words[1] for words in lines if len(words) > 1 and words[0] in ("server", "pool", "peer")]


def follows_itself(answer: bytes) -> bool:
    """Return whether an NTP answer says that the server follows none: it is not synchronised, or its reference is its own clock."""
    return answer[0] >> 6 == _NOT_SYNCHRONISED or answer[12:16] == _OWN_CLOCK


def unfollowed_servers(target: Target) -> list[str]:
    """Return the servers of the time server if it follows none of them now; empty if it has none or does not answer."""
    try:
        servers = time_servers(Path(target.time_configuration).read_text())
        answer = _receive(target, 123, _NTP_QUESTION, _is_time) if servers else b""
    except OSError:
        return []
    return servers if answer and follows_itself(answer) else []


def _ask_stun(target: Target, _unit: str) -> Answer:
    transaction = secrets.token_bytes(12)
    return _exchange(target, 3478, _STUN_QUESTION + transaction, lambda data: data[8:20] == transaction)


def _ask_web(target: Target, _unit: str) -> Answer:
    """Shake hands by TLS, which the web server does not log."""
    try:
        with socket.create_connection((target.address, 443), target.seconds) as plain, _trusting_context().wrap_socket(plain):
            return ""
    except ssl.SSLError:
        # It has answered, if only to say that it wants old versions
        return ""


def _ask_service(target: Target, _unit: str) -> Answer:
    """Ask through the web server, as phones and browsers do."""
    target = target._replace(seconds=_SERVICE_SECONDS)
    with socket.create_connection((target.address, 80), target.seconds) as client:
        return judge_page(_get(client, target, "/health"))


PAGES = ("/board/login",)
"""Pages of the profile service that anybody may read."""


def ask_page(target: Target, path: str) -> Answer:
    """Fetch a page by HTTPS; return what is wrong with the answer, or an empty text."""
    context = _trusting_context()
    try:
        with (
            socket.create_connection((target.address, 443), target.seconds) as plain,
            context.wrap_socket(plain, server_hostname=target.address) as client,
        ):
            return judge_page(_get(client, target, path))
    except TimeoutError:
        return NO_ANSWER
    except ssl.SSLError as error:
        return f"cannot be fetched by TLS ({error.reason})"
    except OSError as error:
        return f"{NO_ANSWER} ({error.strerror or error})"


def _trusting_context() -> ssl.SSLContext:
    # Who signed the server's certificate is another question
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _get(client: socket.socket, target: Target, path: str) -> bytes:
    """Return the answer to a request; raise TimeoutError."""
    end = time.monotonic() + target.seconds
    client.sendall(f"GET {path} HTTP/1.0\r\nHost: {target.address}\r\n\r\n".encode())
    answer = b""
    while len(answer) < _MAX_ANSWER:
        client.settimeout(max(end - time.monotonic(), 0.001))
        read = client.recv(4096)
        if not read:
            break
        answer += read
    return answer


def judge_page(answer: bytes) -> Answer:
    """Return what an answer says of the profile service; the web server answers for it if it is silent."""
    head, _end, body = answer.partition(b"\r\n\r\n")
    status, *headers = head.decode("latin-1").split("\r\n")
    code = status.split(" ")[1] if status.startswith("HTTP/") and " " in status else ""
    if code == "200":
        return ""
    if code == "404":
        return "is not reached through the web server (404), whose files in /etc/nginx/conf.d were changed"
    if code == "503" and body.lstrip().startswith(b"<"):
        return "is overloaded"
    if code == "503" and not any(header.lower().startswith("retry-after:") for header in headers):
        lines = body.decode("utf-8", "replace").strip().splitlines()
        return f"answers: {lines[0][:_MAX_SHOWN]}" if lines else NO_ANSWER
    return NO_ANSWER


def _ask_dhcp(target: Target, unit: str) -> Answer:
    # dhcpd reads phones' broadcasts from a packet socket, and discards what comes by this one, in the same loop
    return _offer_datagram(target, 67, unit)


def _ask_tftp(target: Target, unit: str) -> Answer:
    return _offer_datagram(target, 69, unit)


def _ask_log(target: Target, unit: str) -> Answer:
    return _offer_datagram(target, 514, unit)


def _offer_datagram(target: Target, port: int, unit: str) -> Answer:
    """Send an empty datagram, and wait until it has been read."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect((target.address, port))
        client.send(b"")
    return _wait_until_read(target, unit, lambda: queued_datagrams(Path(target.sockets).read_text(), target.address, port))


def queued_datagrams(table: str, address: str, port: int) -> int | None:
    """Return the bytes that wait on UDP sockets of *address* and *port*; None without a socket. *table*: as in /proc/net/udp."""
    # The kernel prints the bytes of an address as a number of this machine
    wanted = {f"{number:08X}:{port:04X}" for number in (*struct.unpack("=I", socket.inet_aton(address)), 0)}
    rows = [line.split() for line in table.splitlines()[1:]]
    found = [int(row[4].partition(":")[2], 16) for row in rows if len(row) > 4 and row[1] in wanted]
    return sum(found) if found else None


def _wait_until_read(target: Target, unit: str, queued: Callable[[], int | None]) -> Answer:
    """Wait until nothing waits to be read; under load, progress is enough: less waits than before, or the daemon computes."""
    worked, most = cpu_time(target, unit), 0
    end = time.monotonic() + target.seconds
    while True:
        waiting = queued()
        if waiting is None:
            return NOT_LISTENING
        if not waiting or waiting < most or cpu_time(target, unit) > worked:
            return ""
        most = waiting
        if time.monotonic() > end:
            return NO_ANSWER
        time.sleep(_PAUSE)


def cpu_time(target: Target, unit: str) -> int:
    """Return the processor time of a unit's processes in microseconds; 0 if it is not known."""
    try:
        first = Path(target.control_groups, unit, "cpu.stat").read_text().split("\n", 1)[0]
    except OSError:
        return 0
    return int(first.removeprefix("usage_usec "))


QUESTIONS: Mapping[str, Callable[[Target, str], Answer]] = MappingProxyType(
    {
        "dhcp": _ask_dhcp,
        "kea": _ask_dhcp,
        "tftp": _ask_tftp,
        "names": _ask_names,
        "web": _ask_web,
        "log": _ask_log,
        "time": _ask_time,
        "service": _ask_service,
        "stun": _ask_stun,
    }
)
"""By the names of common/services."""
