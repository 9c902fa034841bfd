# SPDX-License-Identifier: GPL-3.0-or-later
"""Why no real phone can reach a bench, in one sentence for each port."""

from __future__ import annotations

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.bench.ports import PortState, port_problems


@pytest.mark.parametrize(
    ("ports", "sentences"),
    [
        ({}, ["bench0 has no port, so only emulated phones can reach it: for real phones, name the NIC that leads to the"]),
        ({"enp2s0": "up"}, []),
        ({"enp2s0": "up", "enp3s0": "no carrier"}, ["enp3s0 has no carrier: plug in its cable, and switch on what is at the"]),
        ({"enp2s0": "down"}, ["enp2s0 is switched off: run 'systemctl restart preprovision-bench-ports"]),
        ({"enp2s0": "apart"}, ["enp2s0 is not a port of bench0: run 'systemctl restart preprovision-bench-ports"]),
        ({"enp2s0": "missing", "a": "no carrier"}, ["there is no network interface enp2s0: connect it", "a has no"]),
    ],
)
def test_names_each_port_and_what_to_do(ports, sentences):
    found = [str(problem) for problem in port_problems("bench0", ports)]
    assert len(found) == len(sentences)
    assert all(text.startswith(sentence) for text, sentence in zip(found, sentences, strict=True))


@pytest.mark.parametrize("state", [*PortState])
def test_every_state_but_one_is_a_problem(state):
    assert bool(list(port_problems("bench0", {"enp2s0": state}))) == (state != "up")
