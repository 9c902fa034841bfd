# SPDX-License-Identifier: GPL-3.0-or-later
"""The states of a bench's ports, as the kernel shows them in /sys/class/net."""

from __future__ import annotations

import threading

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.station.bench_ports import read_ports, wait_for_ports


@pytest.fixture
def interfaces(tmp_path):
    """A bridge with three ports: with a carrier, without, and switched off; and an interface that is in no bridge."""
    (tmp_path / "bench0").mkdir()
    for name, carrier in (("plugged", "1\n"), ("unplugged", "0\n"), ("apart", "1\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "carrier").write_text(carrier)
    # The kernel refuses to read it, as it does a folder
    (tmp_path / "off" / "carrier").mkdir(parents=True)
    for name in ("plugged", "unplugged", "off"):
        (tmp_path / "bench0" / f"lower_{name}").touch()
    return tmp_path


def test_reads_each_port(interfaces):
    assert read_ports("bench0", ["plugged", "unplugged", "off", "apart", "none"], interfaces) == {
        **{"plugged": "up", "unplugged": "no carrier", "off": "down"},
        **{"apart": "apart", "none": "missing"},
    }


def test_without_the_bridge_no_port_is_apart(interfaces):
    assert read_ports("bench1", ["plugged", "apart"], interfaces) == {"plugged": "up", "apart": "up"}


def test_a_real_interface_of_this_machine_has_a_carrier():
    assert read_ports("nosuchbridge", ["lo"]) == {"lo": "up"}


def test_waits_until_all_have_a_carrier(interfaces):
    timer = threading.Timer(0.1, (interfaces / "unplugged" / "carrier").write_text, ["1\n"])
    timer.start()
    assert wait_for_ports("bench0", ["plugged", "unplugged"], 60, interfaces) == {"plugged": "up", "unplugged": "up"}
    timer.join()


def test_waits_no_longer_than_it_may(interfaces):
    assert wait_for_ports("bench0", ["unplugged"], 0, interfaces) == {"unplugged": "no carrier"}
