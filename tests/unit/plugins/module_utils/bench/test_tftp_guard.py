# SPDX-License-Identifier: GPL-3.0-or-later
"""No spelling of another unit's file reaches the TFTP server, and what phones ask for does; the kernel itself is the judge."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.bench.tftp_guard import (
    TftpGuardError,
    client_networks,
    forbidden_names,
    neighbour_networks,
)

ROOT = "/run/tftp"
FORBIDDEN = [
    "00-00-5e-00-53-01/ata192.cfg",
    "00-00-5E-00-53-01/ATA192.CFG",
    "00-00-5e-00-53-01\\ata192.cfg",
    "/00-00-5e-00-53-01/ata192.cfg",
    "\\00-00-5e-00-53-01\\ata192.cfg",
    "//00-00-5e-00-53-01/ata192.cfg",
    "\\/00-00-5e-00-53-01/ata192.cfg",
    "./00-00-5e-00-53-01/ata192.cfg",
    "/./00-00-5e-00-53-01/ata192.cfg",
    ".//ata192.cfg",
    "../tftp/00-00-5e-00-53-01/ata192.cfg",
    "/../tftp/00-00-5e-00-53-01/ata192.cfg",
    f"{ROOT}/00-00-5e-00-53-01/ata192.cfg",
    f"{ROOT.upper()}/00-00-5e-00-53-01/ata192.cfg",
    "\\rUn\\tftp\\ata192.cfg",
]
ALLOWED = [
    "ata192.cfg",
    "/ata192.cfg",
    "\\ata192.cfg",
    "/Cisco/CP-8851-3PCC/001234ab45de.cfg",
    "/firmware/x.loads",
    "cmterm-88xx-11-2-3.loads",
    "/cmterm-88xx-11-2-3.loads",
    "00-00-5e-00-53-01.cfg",
    "00-00-5e-00-53-01",
    "/run.cfg",
    "run",
    "a",
    "",
]

# Prints which of the names in its arguments reach port 69
_RECEIVE = """
import json, socket, subprocess, sys
rules, *names = json.load(sys.stdin)
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True)
server, client = (socket.socket(type=socket.SOCK_DGRAM) for _ in range(2))
server.bind(("127.0.0.1", 69))
server.settimeout(0)
arrived = []
for name in names:
    client.sendto(bytes([0, 1]) + name.encode() + b"\\0octet\\0", ("127.0.0.1", 69))
    try:
        arrived.append(server.recv(2048)[2:].split(b"\\0")[0].decode())
    except BlockingIOError:
        pass
json.dump(arrived, sys.stdout)
"""


def arriving(names: list[str], root: str = ROOT) -> list[str]:
    """Return the names of read requests that the kernel lets through, in a network namespace of its own."""
    drops = "".join(f"    {name} drop\n" for name in forbidden_names(root))
    rules = "table inet guard {\n  chain input {\n    type filter hook input priority 0\n" + drops + "  }\n}\n"
    command = ["unshare", "--net", sys.executable, "-c", _RECEIVE]
    done = subprocess.run(command, input=json.dumps([rules, *names]), stdout=subprocess.PIPE, text=True, check=True)
    return list(json.loads(done.stdout))


@pytest.mark.root(reason="makes a network namespace")
@pytest.mark.skipif(shutil.which("nft") is None, reason="needs nft")
def test_kernel_drops_every_spelling_of_a_unit_folder_and_nothing_else():
    assert arriving([*FORBIDDEN, *ALLOWED]) == ALLOWED


@pytest.mark.root(reason="makes a network namespace")
@pytest.mark.skipif(shutil.which("nft") is None, reason="needs nft")
def test_the_path_of_another_folder_is_dropped_too():
    names = ["/var-1/tftp/x", "/VAR-1/x", "/srv/x", "/var-1x/x"]
    assert arriving(names, "/var-1/tftp") == ["/srv/x", "/var-1x/x"]


@pytest.mark.parametrize("root", ["srv/tftp", "//srv/tftp", "/./srv", "/srv\\x", "/\u00e9t\u00e9/tftp"])
def test_rejects_a_folder_that_cannot_be_guarded(root):
    with pytest.raises(TftpGuardError) as caught:
        forbidden_names(root)
    assert str(caught.value) == f"the served folder must be an absolute ASCII path without '\\', such as /run/tftp, but is {root!r}"


@pytest.mark.parametrize(
    ("clients", "neighbours", "all_clients"),
    [
        (["192.0.2.1/24"], ["192.0.2.0/24"], ["192.0.2.0/24"]),
        (["192.0.2.0/24", "198.51.100.0/24"], ["192.0.2.0/24"], ["192.0.2.0/24", "198.51.100.0/24"]),
        (["192.0.2.0/24", "192.0.2.0/25"], ["192.0.2.0/24"], ["192.0.2.0/24"]),
        # The server's own network is unknown
        (["192.0.2.128/25", "198.51.100.0/24"], ["192.0.2.128/25", "198.51.100.0/24"], ["192.0.2.128/25", "198.51.100.0/24"]),
    ],
)
def test_tells_neighbours_from_clients_behind_a_router(clients, neighbours, all_clients):
    assert neighbour_networks("192.0.2.1", clients) == neighbours
    assert client_networks(clients) == all_clients


@pytest.mark.parametrize(
    ("address", "clients", "sentence"),
    [
        ("192.0.2.1", [], "tftp_server_clients is empty; list the bench's network, such as 192.0.2.0/24"),
        ("192.0.2.1", ["2001:db8::/64"], "tftp_server_clients: Expected 4 octets in '2001:db8::'; only IPv4 can be guarded"),
        ("bench", ["192.0.2.0/24"], "tftp_server_address: Expected 4 octets in 'bench'; only IPv4 can be guarded"),
    ],
)
def test_rejects_networks_that_cannot_be_guarded(address, clients, sentence):
    with pytest.raises(TftpGuardError) as caught:
        neighbour_networks(address, clients)
    assert str(caught.value).startswith(sentence)
