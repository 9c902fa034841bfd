# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether real phones can reach a bench: the states of its bridge's ports, and what to do about them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple


class PortState(StrEnum):
    """The state of an interface that is to be a port of the bench's bridge."""

    UP = "up"
    NO_CARRIER = "no carrier"
    DOWN = "down"
    """Switched off by this machine, so nobody knows whether it has a carrier."""
    APART = "apart"
    """Not a port of the bridge."""
    MISSING = "missing"
    """The machine has no such interface."""


class PortProblem(NamedTuple):
    """Why real phones cannot reach the bench by a port: cause and remedy, both without a capital letter and a full stop."""

    port: str
    """The bridge if it has no port at all."""
    cause: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.cause}: {self.remedy}"


_REJOIN = "run 'systemctl restart preprovision-bench-ports.service', and find out what has changed it"


def port_problems(bridge: str, ports: Mapping[str, str]) -> Iterator[PortProblem]:
    """Yield what keeps real phones from the bench. *ports*: the interfaces in bench_ports -> PortState."""
    if not ports:
        yield PortProblem(
            bridge,
            f"{bridge} has no port, so only emulated phones can reach it",
            "for real phones, name the NIC that leads to the bench's switch in bench_ports, and run the playbook site",
        )
    for port, state in ports.items():
        if state != PortState.UP:
            yield PortProblem(port, *_describe(bridge, port, state))


def _describe(bridge: str, port: str, state: str) -> tuple[str, str]:
    match state:
        case PortState.NO_CARRIER:
            return f"{port} has no carrier", "plug in its cable, and switch on what is at the other end"
        case PortState.DOWN:
            return f"{port} is switched off", _REJOIN
        case PortState.APART:
            return f"{port} is not a port of {bridge}", _REJOIN
        case _:
            return f"there is no network interface {port}", "connect it, or correct bench_ports and run the playbook site"
