# SPDX-License-Identifier: GPL-3.0-or-later
"""The unit's TFTP against a server that plays a script, on the loopback."""

from __future__ import annotations

import socket
import struct
import threading
import time
from contextlib import contextmanager

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils import wire_tftp
from ansible_collections.voip.preprovision.plugins.module_utils.wire_tftp import Place, read_file, write_file

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
    """Let *script* answer in a thread: it is called with the main socket, and told what went wrong when it ends."""
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


def read(port, block_size=None, most=10000, seconds=3.0, path="/a.cfg"):
    with udp() as client:
        return read_file(client, Place("127.0.0.1", port, path, block_size), most, time.monotonic() + seconds)


def serve(block, heard, prefix=()):
    """Return a script that serves CONTENT in blocks, from a port of its own, after *prefix* packets with their answers."""

    def script(main):
        request, client = main.recvfrom(1000)
        heard.append(request)
        with udp() as transfer:
            for packet in prefix:
                transfer.sendto(packet, client)
                heard.append(transfer.recvfrom(1000)[0])
            for number in range(len(CONTENT) // block + 1):
                transfer.sendto(data(number + 1, CONTENT[number * block : (number + 1) * block]), client)
                assert transfer.recvfrom(1000)[0] == ack(number + 1)

    return script


def test_a_file_is_read_without_options_and_with_its_leading_slash():
    heard = []
    with server(serve(512, heard)) as port:
        answer = read(port)
    assert (answer.status, answer.content, heard) == (200, CONTENT, [b"\0\1/a.cfg\0octet\0"])


@pytest.mark.parametrize(("told", "block"), [(b"blksize\x00600\x00tsize\x001280\x00", 600), (b"tsize\x001280\x00", 512)])
def test_options_count_as_far_as_the_server_takes_them(told, block):
    heard = []
    with server(serve(block, heard, [b"\0\6" + told])) as port:
        answer = read(port, 1000)
    assert (answer.status, answer.content) == (200, CONTENT)
    assert heard == [b"\0\1/a.cfg\0octet\0blksize\x001000\0tsize\x000\0", ack(0)]


def test_a_server_without_options_is_taken_as_it_is():
    with server(serve(512, [])) as port:
        assert read(port, 1000).content == CONTENT


def test_who_refuses_options_is_asked_without():
    heard = []

    def script(main):
        main.sendto(error(8), main.recvfrom(1000)[1])
        serve(512, heard)(main)

    with server(script) as port:
        assert read(port, 1000).content == CONTENT
    assert heard == [b"\0\1/a.cfg\0octet\0"]


def test_a_lost_acknowledgement_is_sent_again_and_strangers_are_told_off():
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


def test_what_is_lost_is_asked_for_again():
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
        ([error(1)], None, (404, "", "file not found")),
        ([error(2, b"denied")], None, (0, "tftp", "the server answers with TFTP error 2: denied")),
        ([error(0, b"")], None, (0, "tftp", "the server answers with TFTP error 0")),
        ([data(1, b"x" * 512), data(2, b"x" * 512)], None, (0, "too_large", "the file is larger than 1000 bytes")),
        ([b"\0\6tsize\x001001\0"], 1000, (0, "too_large", "the file is larger than 1000 bytes")),
        ([b"\0\6blksize\x002000\0"], 1000, (0, "tftp", "the server wants blocks of 2000 bytes, where 1000 were asked for")),
        ([b"\0\6blksize\0many\0"], 1000, (0, "tftp", "the server's answer to the options cannot be read")),
    ],
)
def test_failures_have_a_name(packets, options, expected):
    def script(main):
        client = main.recvfrom(1000)[1]
        for packet in packets:
            main.sendto(packet, client)

    with server(script) as port:
        answer = read(port, options, most=1000)
    assert (answer.status, answer.failure, answer.error) == expected


def test_silence_ends_in_time(monkeypatch):
    monkeypatch.setattr(wire_tftp, "_FIRST_WAIT", 0.05)
    with udp() as silent:
        answer = read(silent.getsockname()[1], seconds=0.4)
        silent.settimeout(0)
        requests = [silent.recvfrom(1000) for _number in range(3)]
    assert (answer.failure, answer.error) == ("timeout", "no answer")
    assert len({packet for packet, _sender in requests}) == 1


def test_a_closed_port_is_noticed_at_once():
    with udp() as closed:
        port = closed.getsockname()[1]
    answer = read(port)
    assert (answer.failure, answer.error) == ("refused", f"nobody listens on port {port}")


def test_a_path_that_cannot_be_sent_is_a_failure():
    assert read(1, path="/ü").failure == "tftp"


@pytest.mark.parametrize("size", [0, 5, 512, 1300])
def test_a_file_is_written_and_no_data_twice_for_two_acknowledgements(size):
    sent = (b"0123456789" * 200)[:size]
    got = []

    def script(main):
        request, client = main.recvfrom(1000)
        assert request == b"\0\2/a.cfg\0octet\0"
        with udp() as transfer:
            transfer.sendto(ack(0), client)
            while not got or len(got[-1]) == 516:
                got.append(transfer.recvfrom(1000)[0])
                for _twice in range(2):
                    transfer.sendto(ack(len(got)), client)
            transfer.settimeout(0.2)
            with pytest.raises(TimeoutError):
                transfer.recvfrom(1000)

    with server(script) as port, udp() as client:
        answer = write_file(client, Place("127.0.0.1", port, "/a.cfg"), sent, time.monotonic() + 5)
    assert (answer.status, b"".join(packet[4:] for packet in got)) == (200, sent)
    assert [packet[:4] for packet in got] == [data(number + 1, b"") for number in range(len(got))]


def test_block_numbers_begin_again_after_65535():
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
        answer = read(port, 8, most=10**7, seconds=60)
    assert len(answer.content) == (blocks - 1) * size + 1
