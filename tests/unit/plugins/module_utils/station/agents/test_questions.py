# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions to daemons: real sockets that answer, are silent, read or do not read."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.common.services import ASKED, SERVICES
from ansible_collections.voip.preprovision.plugins.module_utils.station.agents import questions
from ansible_collections.voip.preprovision.plugins.module_utils.station.agents.questions import (
    NO_ANSWER,
    NOT_LISTENING,
    QUESTIONS,
    Target,
    ask_all,
    judge_page,
    queued_datagrams,
    unfollowed_servers,
)

HERE = "127.0.0.1"


@pytest.fixture
def target(tmp_path):
    """A target on this machine that is not patient; its unit has used no processor time."""
    return Target(HERE, control_groups=str(tmp_path), seconds=0.3)


@pytest.fixture
def daemon():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((HERE, 0))
        server.settimeout(60)
        yield server


def answer(server, make):
    def run():
        data, client = server.recvfrom(2048)
        server.sendto(make(data), client)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_asks_every_service_that_the_reports_say_is_asked():
    assert set(QUESTIONS) == ASKED < set(SERVICES)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda data: data[:2] + b"\x81\x80" + data[4:], ""),
        # Its own question, or the answer to another one
        (lambda data: data, NO_ANSWER),
        (lambda data: b"\0\0\x81\x80", NO_ANSWER),
    ],
)
def test_takes_only_the_answer_to_its_own_question(monkeypatch, target, daemon, make, expected):
    thread = answer(daemon, make)
    exchange = questions._exchange
    monkeypatch.setattr(questions, "_exchange", lambda target, _port, *rest: exchange(target, daemon.getsockname()[1], *rest))
    assert QUESTIONS["names"](target, "x.service") == expected
    thread.join()


CONFIGURED = "# comment\nserver 192.0.2.7 iburst\nlocal stratum 10\npool ntp.example.net iburst\nserver\n"


def ntp(leap=0, mode=4, reference=b"\xc0\0\x02\x07"):
    return bytes([leap << 6 | 4 << 3 | mode, 2, 6, 0]) + bytes(8) + reference + bytes(32)


@pytest.mark.parametrize(
    ("configured", "reply", "unfollowed"),
    [
        (CONFIGURED, ntp(), []),
        (CONFIGURED, ntp(reference=bytes([127, 127, 1, 1])), ["192.0.2.7", "ntp.example.net"]),
        (CONFIGURED, ntp(leap=3), ["192.0.2.7", "ntp.example.net"]),
        # No answer, but its own question
        (CONFIGURED, ntp(mode=3, leap=3), []),
        # A bench without Internet access
        ("local stratum 10\n", None, []),
        (None, None, []),
    ],
)
def test_says_which_servers_the_time_server_does_not_follow(monkeypatch, target, daemon, tmp_path, configured, reply, unfollowed):
    file = tmp_path / "chrony.conf"
    if configured is not None:
        file.write_text(configured)
    receive = questions._receive
    monkeypatch.setattr(questions, "_receive", lambda target, _port, *rest: receive(target, daemon.getsockname()[1], *rest))
    thread = answer(daemon, lambda _data: reply) if reply else None
    assert unfollowed_servers(target._replace(time_configuration=str(file))) == unfollowed
    if thread:
        thread.join()


def test_a_closed_port_is_reported_at_once_and_a_silent_one_after_the_time(monkeypatch, target, daemon):
    port = daemon.getsockname()[1]
    monkeypatch.setitem(questions.__dict__, "QUESTIONS", {"time": lambda t, _unit: questions._exchange(t, port, b"?", bool)})
    assert ask_all(target, {"time": "chrony.service"}) == {"time": NO_ANSWER}
    daemon.close()
    assert ask_all(target, {"time": "chrony.service"}) == {"time": f"{NO_ANSWER} (Connection refused)"}


def test_a_datagram_that_nobody_reads_is_no_answer(target, daemon):
    port = daemon.getsockname()[1]
    assert questions._offer_datagram(target, port, "x.service") == NO_ANSWER
    assert daemon.recv(10) == b""


def test_a_datagram_that_is_read_is_an_answer(target, daemon):
    reader = threading.Thread(target=daemon.recv, args=[10])
    reader.start()
    assert questions._offer_datagram(target._replace(seconds=60), daemon.getsockname()[1], "x.service") == ""
    reader.join()


def test_a_busy_daemon_answers_by_computing(target, tmp_path):
    (tmp_path / "x.service").mkdir()
    usage = tmp_path / "x.service/cpu.stat"
    usage.write_text("usage_usec 10\n")

    def always_full():
        usage.write_text("usage_usec 11\n")
        return 832

    assert questions._wait_until_read(target, "x.service", always_full) == ""


def test_reads_the_kernels_table_of_sockets(daemon):
    table = Path(Target(HERE).sockets)
    _host, port = daemon.getsockname()
    assert queued_datagrams(table.read_text(), HERE, port) == 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(b"", (HERE, port))
    assert queued_datagrams(table.read_text(), HERE, port) > 0
    assert queued_datagrams(table.read_text(), "127.0.0.2", port) is None


def test_nobody_listens(target):
    assert questions._wait_until_read(target, "x.service", lambda: queued_datagrams("head\n", HERE, 69)) == NOT_LISTENING


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\nServer: nginx\r\n\r\nok\n", ""),
        (
            b"HTTP/1.1 404 Not Found\r\n\r\n<html>",
            "is not reached through the web server (404), whose files in /etc/nginx/conf.d were changed",
        ),
        (b"HTTP/1.1 503 Busy\r\nRetry-After: 5\r\n\r\n", NO_ANSWER),
        (b"HTTP/1.1 503 Busy\r\nContent-Type: text/plain\r\n\r\nthe disk is full\nmore\n", "answers: the disk is full"),
        (b"HTTP/1.1 503 Busy\r\n\r\n<html>", "is overloaded"),
        (b"", NO_ANSWER),
        (b"\x00\xff", NO_ANSWER),
    ],
)
def test_tells_the_service_from_the_web_server(reply, expected):
    assert judge_page(reply) == expected
