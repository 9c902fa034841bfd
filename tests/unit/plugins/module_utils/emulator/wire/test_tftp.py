# SPDX-License-Identifier: GPL-3.0-or-later
"""TFTP client against a scripted server on the loopback interface."""

from __future__ import annotations

import socket
import struct
import threading
import time
from contextlib import contextmanager
from itertools import count
from types import SimpleNamespace

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.emulator.device.ports import WireFailure
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.wire import tftp as wire_tftp
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.wire.tftp import RemoteFile, read_file, write_file

CONTENT = bytes(range(256)) * 5


def udp():
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.bind(("127.0.0.1", 0))
    opened.settimeout(5)
    return opened


def data(number, content):
    return struct.pack("!HH", 3, number) + content


def ack(number):
    return struct.pack("!HH", 4, number)


def error(code, text=b"no"):
    return struct.pack("!HH", 5, code) + text + b"\0"


@contextmanager
def server(script):
    """Let *script* answer in a thread: it is called with the main socket, and its errors are raised at the end."""
    main = udp()
    problems = []

    def run():
        try:
            script(main)
        except Exception as problem:
            problems.append(problem)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield main.getsockname()[1]
    finally:
        thread.join(10)
        main.close()
    assert problems == []


def read(port, block_size=None, max_bytes=10000, seconds=30.0, path="/a.cfg"):
    with udp() as client:
        return read_file(client, RemoteFile("127.0.0.1", port, path, block_size), max_bytes, time.monotonic() + seconds)


def serve(block, received, prefix=()):
    """Return a script that serves CONTENT in blocks, from a port of its own, after *prefix* packets with their answers."""

    def script(main):
        request, client = main.recvfrom(1000)
        received.append(request)
        with udp() as transfer:
            for packet in prefix:
                transfer.sendto(packet, client)
                received.append(transfer.recvfrom(1000)[0])
            for number in range(len(CONTENT) // block + 1):
                transfer.sendto(data(number + 1, CONTENT[number * block : (number + 1) * block]), client)
                assert transfer.recvfrom(1000)[0] == ack(number + 1)

    return script


def test_reads_a_file_without_options_and_with_its_leading_slash():
    received = []
    with server(serve(512, received)) as port:
        response = read(port)
    assert (response.status, response.content, received) == (200, CONTENT, [b"\0\1/a.cfg\0octet\0"])


@pytest.mark.parametrize(("options", "block"), [(b"blksize\x00600\x00tsize\x001280\x00", 600), (b"tsize\x001280\x00", 512)])
def test_uses_the_options_that_the_server_accepts(options, block):
    received = []
    with server(serve(block, received, [b"\0\6" + options])) as port:
        response = read(port, 1000)
    assert (response.status, response.content) == (200, CONTENT)
    assert received == [b"\0\1/a.cfg\0octet\0blksize\x001000\0tsize\x000\0", ack(0)]


def test_accepts_a_server_without_options():
    with server(serve(512, [])) as port:
        assert read(port, 1000).content == CONTENT


def test_repeats_the_request_without_options_if_they_are_rejected():
    received = []

    def script(main):
        main.sendto(error(8), main.recvfrom(1000)[1])
        serve(512, received)(main)

    with server(script) as port:
        assert read(port, 1000).content == CONTENT
    assert received == [b"\0\1/a.cfg\0octet\0"]


def test_repeats_a_lost_acknowledgement_and_rejects_other_senders():
    def script(main):
        client = main.recvfrom(1000)[1]
        with udp() as transfer, udp() as stranger:
            for number, content in ((1, b"x" * 512), (1, b"x" * 512), (2, b"end")):
                if number == 2:
                    stranger.sendto(data(2, b"bad"), client)
                    assert stranger.recvfrom(1000)[0][:4] == b"\0\5\0\5"
                transfer.sendto(data(number, content), client)
                assert transfer.recvfrom(1000)[0] == ack(number)

    with server(script) as port:
        assert read(port).content == b"x" * 512 + b"end"


def test_repeats_a_lost_request():
    def script(main):
        main.recvfrom(1000)
        request, client = main.recvfrom(1000)
        assert request == b"\0\1/a.cfg\0octet\0"
        main.sendto(data(1, b"late"), client)
        main.recvfrom(1000)

    with server(script) as port:
        assert read(port).content == b"late"


@pytest.mark.parametrize(
    ("packets", "options", "expected"),
    [
        ([error(1)], None, (404, None, "file not found")),
        ([error(2, b"denied")], None, (0, WireFailure.TFTP, "the server sent TFTP error 2: denied")),
        ([error(0, b"")], None, (0, WireFailure.TFTP, "the server sent TFTP error 0")),
        ([data(1, b"x" * 512), data(2, b"x" * 512)], None, (0, WireFailure.TOO_LARGE, "the file is larger than 1000 bytes")),
        ([b"\0\6tsize\x001001\0"], 1000, (0, WireFailure.TOO_LARGE, "the file is larger than 1000 bytes")),
        ([b"\0\6blksize\x002000\0"], 1000, (0, WireFailure.TFTP, "the server chose blocks of 2000 bytes; 1000 were requested")),
        ([b"\0\6blksize\0many\0"], 1000, (0, WireFailure.TFTP, "the server's option acknowledgement is invalid")),
    ],
)
def test_reports_failures(packets, options, expected):
    def script(main):
        client = main.recvfrom(1000)[1]
        for packet in packets:
            main.sendto(packet, client)

    with server(script) as port:
        response = read(port, options, max_bytes=1000)
    assert (response.status, response.failure, response.error) == expected


def test_times_out(monkeypatch):
    # Ten seconds pass whenever the client looks at the clock, so that it never waits
    clock = SimpleNamespace(monotonic=map(float, count(0, 10)).__next__)
    monkeypatch.setattr(wire_tftp, "time", clock)
    with udp() as silent, udp() as client:
        response = read_file(client, RemoteFile("127.0.0.1", silent.getsockname()[1], "/a.cfg"), 10000, 60)
        silent.settimeout(0)
        requests = [silent.recvfrom(1000) for _number in range(3)]
    assert (response.failure, response.error) == (WireFailure.TIMEOUT, "no answer")
    assert len({packet for packet, _sender in requests}) == 1


def test_reports_a_closed_port_at_once():
    with udp() as closed:
        port = closed.getsockname()[1]
    response = read(port)
    assert (response.failure, response.error) == (WireFailure.REFUSED, f"nothing listens on port {port}")


def test_rejects_a_path_that_is_not_ascii():
    assert read(1, path="/ü").failure is WireFailure.TFTP


@pytest.mark.parametrize("size", [0, 5, 512, 1300])
def test_writes_a_file_without_repeating_data_for_a_duplicate_acknowledgement(size):
    sent = (b"0123456789" * 200)[:size]
    got = []
    written = threading.Event()

    def script(main):
        request, client = main.recvfrom(1000)
        assert request == b"\0\2/a.cfg\0octet\0"
        with udp() as transfer:
            transfer.sendto(ack(0), client)
            while not got or len(got[-1]) == 516:
                got.append(transfer.recvfrom(1000)[0])
                for _twice in range(2):
                    transfer.sendto(ack(len(got)), client)
            assert written.wait(60)
            transfer.setblocking(False)
            with pytest.raises(BlockingIOError):
                transfer.recvfrom(1000)

    with server(script) as port, udp() as client:
        response = write_file(client, RemoteFile("127.0.0.1", port, "/a.cfg"), sent, time.monotonic() + 30)
        written.set()
    assert (response.status, b"".join(packet[4:] for packet in got)) == (200, sent)
    assert [packet[:4] for packet in got] == [data(number + 1, b"") for number in range(len(got))]


# Block by block, since that is what wraps
@pytest.mark.slow
def test_block_numbers_wrap_after_65535():
    blocks = 65540
    size = 8

    def script(main):
        client = main.recvfrom(1000)[1]
        with udp() as transfer:
            transfer.sendto(b"\0\6blksize\x008\0", client)
            transfer.recvfrom(100)
            for number in range(1, blocks + 1):
                transfer.sendto(data(number % 65536, b"x" * (size if number < blocks else 1)), client)
                assert transfer.recvfrom(100)[0] == ack(number % 65536)

    with server(script) as port:
        response = read(port, 8, max_bytes=10**7, seconds=60)
    assert len(response.content) == (blocks - 1) * size + 1
