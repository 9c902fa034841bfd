# SPDX-License-Identifier: GPL-3.0-or-later
"""The alerts of the firewall, from functions and from the program as systemd starts it on a station."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.station.agents import firewall_alerts

ROOT = Path(__file__).parents[6]
PORTS = yaml.safe_load((ROOT / "roles/bench/vars/main.yml").read_text())["__bench_alerts_ports"]

SCAN = "scan for phones: 192.0.2.7 has asked for too many files by TFTP, last "
FLOOD = "flood of log lines: 192.0.2.7 sends more than the firewall lets through, such as "


@pytest.mark.parametrize(
    ("kind", "packet", "beginning"),
    [
        ("tftp", b"\0\1spa00005e005301.cfg\0octet\0", f"{SCAN}'spa00005e005301.cfg'; it gets no answer"),
        ("tftp", b"\0\1\0octet\0", f"{SCAN}''; "),
        ("tftp", b"", f"{SCAN}''; "),
        ("tftp", b"\0\1a\nb\x1b[2J\xff\0octet\0", rf"{SCAN}'a\nb\x1b[2J\xff'; "),
        ("tftp", b"\0\1" + 200 * b"x", f"{SCAN}'{100 * 'x'}'...; "),
        ("log", b"<13>resync\n", rf"{FLOOD}'<13>resync\n'; the excess is dropped"),
        ("log", 200 * b"x", f"{FLOOD}'{100 * 'x'}'...; "),
    ],
)
def test_describes_sender_and_packet(kind, packet, beginning):
    assert firewall_alerts.DESCRIPTIONS[kind]("192.0.2.7", packet).startswith(beginning)


def test_shows_how_to_lift_the_block():
    line = firewall_alerts.describe_request("192.0.2.7", b"\0\1a\0octet\0")
    assert line.endswith("nft delete element inet preprovision tftp_caught '{ 192.0.2.7 }'")


@given(st.sampled_from(sorted(firewall_alerts.DESCRIPTIONS)), st.binary(max_size=2000))
def test_a_packet_cannot_forge_a_line(kind, packet):
    line = firewall_alerts.DESCRIPTIONS[kind]("192.0.2.7", packet)
    assert line.isascii()
    assert line.isprintable()
    assert len(line) < 700


def test_every_port_has_a_description():
    assert PORTS.keys() == firewall_alerts.DESCRIPTIONS.keys()


def test_runs_as_systemd_starts_it(tmp_path):
    """Sockets 3 and 4 are passed; it reports packets and ends when no more arrive."""
    package = tmp_path / "preprovision/station/agents"
    package.mkdir(parents=True)
    shutil.copy(ROOT / "plugins/module_utils/station/agents/firewall_alerts.py", package)
    with socket.socket(type=socket.SOCK_DGRAM) as tftp, socket.socket(type=socket.SOCK_DGRAM) as log:
        for listener in (tftp, log):
            listener.bind(("127.0.0.1", 0))
        with socket.socket(type=socket.SOCK_DGRAM) as sender:
            sender.sendto(b"\0\1one.cfg\0octet\0", tftp.getsockname())
            sender.sendto(b"<13>two", log.getsockname())
        ports = [f"{kind}={listener.getsockname()[1]}" for kind, listener in (("tftp", tftp), ("log", log))]
        command = [sys.executable, "-m", "preprovision.station.agents.firewall_alerts", "0.1", *ports]
        ended = subprocess.run(
            ["bash", "-c", f'exec "$@" 3<&{tftp.fileno()} 4<&{log.fileno()}', "bash", *command],
            pass_fds=[tftp.fileno(), log.fileno()],
            env={**os.environ, "PYTHONPATH": str(tmp_path), "LISTEN_FDS": "2"},
            stderr=subprocess.PIPE,
            text=True,
            check=True,
            timeout=60,
        )
    lines = sorted(ended.stderr.splitlines())
    assert len(lines) == 2
    assert lines[0].startswith("<1>flood of log lines: 127.0.0.1 ")
    assert lines[1].startswith("<1>scan for phones: 127.0.0.1 ")
