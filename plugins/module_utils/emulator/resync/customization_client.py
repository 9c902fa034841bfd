# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""An emulated phone's side of remote customization: its state, and the request that it sends where DHCP leads to no profile."""

from __future__ import annotations

from ...common.redaction import redact
from ...events.progress.customization_states import CustomizationState
from ...profiles.rules.model import RuleError
from ...profiles.rules.parser import parse_rule
from ...profiles.rules.urls import parse_url
from ..device.ports import Network
from ..device.state import PhoneState
from ..device.trace import ResyncError, StepName, Trace
from ..fetching.fetcher import Fetcher, FileRequest
from .customization import CustomizationEvent, advance, customization_url, service_host

VENDOR = "vendor"
"""Stands for the vendor's own service."""
_MAX_ANSWER_SIZE = 4096


class CustomizationClient:
    """Remote customization of one phone by *service*: a URL, VENDOR, or nothing."""

    def __init__(self, state: PhoneState, trace: Trace, fetcher: Fetcher, service: str) -> None:
        self._phone_state = state
        self._trace = trace
        self._fetcher = fetcher
        self._service = service
        self.state = CustomizationState.OPEN

    def advance(self, event: CustomizationEvent) -> None:
        """Apply an event, and record the transition."""
        after = advance(self.state, event)
        if after != self.state:
            self._trace.record(StepName.CUSTOMIZATION, str(event), f"{self.state} -> {after}")
            self.state = after

    def ask(self, network: Network) -> str:
        """Ask the service for a rule; return an empty one where there is none, or the state rules out the question."""
        hosts = self._phone_state.family.customization_hosts
        if self.state.is_final or not hosts:
            return ""
        service = self._service
        if service == VENDOR:
            service = f"https://{service_host(hosts, self._phone_state.version)}/customization"
        if not service:
            self._trace.record_skipped(StepName.CUSTOMIZATION, str(self.state), "no remote customization service is configured")
            return ""
        return self._ask(service, network)

    def _ask(self, service: str, network: Network) -> str:
        phone = self._phone_state.phone
        self.advance(CustomizationEvent.ASKED)
        url = customization_url(service, phone.mac.upper, phone.model.product)
        try:
            with self._trace.step(StepName.CUSTOMIZATION, url) as entry:
                request = FileRequest("customization", max_bytes=_MAX_ANSWER_SIZE)
                response = self._fetcher.get(parse_url(url), request, network)[1]
                rule = response.content.decode("ascii", "replace").strip()
                self.advance(CustomizationEvent.REDIRECTED if rule else CustomizationEvent.UNKNOWN)
                entry.detail = _describe_answer(rule)
        except (ResyncError, RuleError):
            return ""
        return rule


def _describe_answer(text: str) -> str:
    """Return the service's answer without keys; nothing of an answer that is not a valid rule."""
    if not text:
        return "the service does not know this phone"
    try:
        rule = parse_rule(text)
    except RuleError:
        return "an invalid rule"
    return redact(str(rule))
