# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""A failure of an emulated phone, with what the station knows of its own services, files, clock and refusals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ...common.services import DHCP_SERVERS, HUNG, SERVICES
from ..causes.causes import Clause
from ..causes.clocks import compare_clocks
from ..logs.log_lines import EventKind
from .known_facts import CertificateProblem, EventFacts, PhoneFacts, StationFacts


@dataclass(frozen=True)
class Case:
    """One failure, and what the station knows; what the station did not report is missing."""

    station: StationFacts
    phone: PhoneFacts = field(default_factory=PhoneFacts)
    code: str = ""
    what: str = ""
    """One sentence."""
    facts: Mapping[str, object] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """Return a fact of the failure as text; empty if it is missing."""
        return str(self.facts.get(name) or "")

    @property
    def server(self) -> str:
        return self.text("server")

    @property
    def path(self) -> str:
        return self.text("path")

    @property
    def file(self) -> str:
        """The file that was requested."""
        return self.text("url") or self.what or "the file"

    @property
    def station_address(self) -> str:
        """The station's address on the bench."""
        return self.station.get("bridge", {}).get("address", "")

    @property
    def certificate_problems(self) -> list[CertificateProblem]:
        """What is wrong with the certificate that the station serves."""
        return self.station.get("certificate", {}).get("problems", [])

    def stopped(self, *names: str) -> Iterator[Clause]:
        """Yield a clause for each of the services *names* that is installed, but does not run, or does not answer."""
        services = self.station.get("services", {})
        for name in names:
            state = services.get(name, "active")
            if state == "active":
                continue
            yield self._held() if name in DHCP_SERVERS and self._is_held() else self._down(name, state)

    def _down(self, name: str, state: str) -> Clause:
        unit, called = SERVICES[name]
        if state == HUNG:
            answer = self.station.get("answers", {}).get(name) or "does not answer"
            silent = answer.startswith(("does not ", "has not "))
            do = f"restart it with 'systemctl restart {unit}'" if silent else "run the playbook site, which repairs its files"
            return Clause(f"{called} runs, but {answer}", f"{do}, and read what it did before with 'journalctl -u {unit}'")
        how = "does not run" if state == "inactive" else f"is {state}"
        return Clause(
            f"{called} {how}",
            f"start it with 'systemctl start {unit}', and read why it stopped with 'journalctl -u {unit}'",
        )

    def _is_held(self) -> bool:
        """Return whether the DHCP server waits for its watch, which runs, but does not let it start, or cannot run."""
        services = self.station.get("services", {})
        waits = any(services.get(name, "active") != "active" for name in DHCP_SERVERS)
        return waits and services.get("watch", "active") not in ("active", "inactive")

    def _held(self) -> Clause:
        """Return why the DHCP server is not let start by its watch."""
        unit, _called = SERVICES["watch"]
        said = self.station.get("answers", {}).get("watch")
        return Clause(
            f"the DHCP server is held, since {said}"
            if said
            else "the DHCP server is held, since nothing watches for other servers",
            f"take any other DHCP server off the bench, after which DHCP starts by itself, and read 'journalctl -u {unit}'",
        )

    def all_stopped(self) -> Iterator[tuple[str, Clause]]:
        """Yield the name and a clause of each service that does not run or answer; a watch that holds DHCP is told with it."""
        for name in SERVICES:
            if not (name == "watch" and self._is_held()):
                yield from ((name, clause) for clause in self.stopped(name))

    def broken_bridge(self) -> Iterator[Clause]:
        """Yield a clause if the bench's bridge is missing or down."""
        bridge = self.station.get("bridge", {})
        name, state = bridge.get("name", "bench0"), bridge.get("state", "up")
        if state == "missing":
            yield Clause(
                f"there is no bridge {name}",
                "build it again with 'systemctl restart preprovision-bench.service', or run the playbook site",
            )
        elif state != "up":
            yield Clause(
                f"the bench's bridge {name} is {state}",
                f"bring it up with 'ip link set {name} up', and find out what took it down",
            )

    def wrong_clock(self) -> Iterator[Clause]:
        """Yield a clause if the station's clock differs from the controller's."""
        yield from compare_clocks(self.station.get("clock_off"))

    def details(self, kind: EventKind) -> list[dict[str, str | int]]:
        """Return the details of the phone's events of one *kind*, the latest first."""
        events: list[EventFacts] = self.phone.get("events") or []
        return [event.get("detail", {}) for event in reversed(events) if event.get("kind") == kind]

    def refusal(self) -> str:
        """Return the reason that the web server or the profile service logged when it refused this file; empty if it did not."""
        for detail in (*self.details(EventKind.HTTP), *self.details(EventKind.PROFILE)):
            reason = str(detail.get("refused") or detail.get("reason") or "")
            if reason and (not self.path or str(detail.get("path", self.path)).partition("?")[0] == self.path):
                return reason
        return ""
