# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Another process's sockets; here those of this process."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.station.agents.log_receiver import bound_sockets, widen

LOOPBACK = "127.0.0.1"


@pytest.fixture
def stream() -> Iterator[socket.socket]:
    with socket.create_server((LOOPBACK, 0)) as server:
        yield server


@pytest.fixture
def port(stream: socket.socket) -> int:
    return stream.getsockname()[1]


@pytest.fixture
def datagrams(port: int) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((LOOPBACK, port))
        yield server


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_copies_sockets_and_leaves_nothing_else_open(stream, port, datagrams):
    before = open_descriptors()
    found = bound_sockets(os.getpid(), LOOPBACK, port)
    assert set(found) == {socket.SOCK_STREAM, socket.SOCK_DGRAM}
    assert open_descriptors() == before + 2
    assert os.fstat(found[socket.SOCK_DGRAM].fileno()).st_ino == os.fstat(datagrams.fileno()).st_ino
    for copy in found.values():
        copy.close()


@pytest.mark.usefixtures("datagrams")
@pytest.mark.parametrize("address", ["127.0.0.2", "0.0.0.0"])  # noqa: S104
def test_ignores_sockets_of_other_addresses(address, port):
    assert bound_sockets(os.getpid(), address, port) == {}


def test_names_the_protocols_without_a_listener(port):
    before = open_descriptors()
    assert widen(os.getpid(), LOOPBACK, port, 4096) == f"process {os.getpid()} does not listen on 127.0.0.1 port {port} by UDP."
    assert widen(os.getpid(), "127.0.0.2", port, 4096).endswith("does not listen on 127.0.0.2 port " + f"{port} by UDP and TCP.")
    assert open_descriptors() == before


@pytest.mark.root(reason="only root may widen a buffer beyond the kernel's limit")
def test_sets_the_size_of_the_buffer(port, datagrams):
    with open("/proc/sys/net/core/rmem_max") as file:
        beyond = 2 * int(file.read())
    before = open_descriptors()
    assert widen(os.getpid(), LOOPBACK, port, beyond) == ""
    # Twice, for the kernel's own bookkeeping
    assert datagrams.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == 2 * beyond
    assert open_descriptors() == before
