# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""One profile rule, followed as a phone follows it: evaluate, find the server, fetch, decode, apply, and log.

Sources: "Profile rule", "Optional resync arguments" and Log_Resync_*_Msg of the ATA 191/192, SPA and MPP provisioning guides.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from ...events.causes.failure_codes import FailureCode
from ...profiles.macros import expand
from ...profiles.rules.evaluate import evaluate
from ...profiles.rules.model import Destination, Resolution, RuleError, Target
from ...profiles.rules.urls import format_url, parse_url
from ..device.habits import OTHER_FIRMWARE
from ..device.ports import Network, WireResponse
from ..device.state import PhoneState
from ..device.trace import Outcome, ResyncError, StepName, Trace
from ..fetching.fetcher import Fetcher, FileRequest
from ..fetching.http_auth import Credentials
from ..fetching.profile_decoder import ProfileDecodingError, decode_profile
from ..fetching.server_discovery import ServerDiscoveryError, candidate_targets, option_order, server_name, server_options
from .syslog import LogEvent, SyslogClient

_TFTP_PORT = 69
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class RuleRunner:
    """Follows the profile rules of one phone."""

    def __init__(self, state: PhoneState, trace: Trace, fetcher: Fetcher, syslog: SyslogClient) -> None:
        self._state = state
        self._trace = trace
        self._fetcher = fetcher
        self._syslog = syslog
        self.server_came_from_dhcp = False
        """Whether a profile from a server that DHCP named has been applied since factory settings."""

    def follow_rule(self, parameter: str, text: str, network: Network) -> None:
        """Follow the rule *text* of *parameter*; raise ResyncError."""
        # The profile may change the syslog server
        server = self._state.syslog_server
        targets: list[Target] = []
        try:
            resolution = self._resolve(parameter, text)
            if resolution is None:
                return
            self._state.parameters.update(resolution.assignments)
            if not resolution.destinations:
                self._trace.record(StepName.APPLY, parameter, f"{len(resolution.assignments)} assignments")
                return
            destination = resolution.destinations[0]
            targets = self._targets(destination)
            self._syslog.send(server, LogEvent.REQUEST, network, targets[0])
            reached = self._fetch_and_apply(parameter, destination, targets, network)
        except ResyncError as error:
            self._syslog.send(server, LogEvent.FAILURE, network, targets[0] if targets else None, str(error))
            raise
        self.server_came_from_dhcp |= destination.target.server is None
        if self._state.family.logs_to_new_server:
            server = self._state.syslog_server
        self._syslog.send(server, LogEvent.SUCCESS, network, reached)

    def fetch_fixed_files(self, network: Network) -> None:
        """Fetch the model's file, if there is one, and then the phone's own: families without rules do this. Raise ResyncError."""
        family = self._state.family
        for what, path in (("the model's file", family.factory_rule), ("the phone's file", family.own_file)):
            if path:
                destination = Destination(parse_url(expand(path, self._state.macros())))
                request = FileRequest(what, option=self._option_for(destination))
                reached, response = self._fetch_first(request, self._targets(destination), network)
                if path == family.own_file:
                    self._apply(what, destination, reached, response)
        self.server_came_from_dhcp = True

    def request_other_names(self, network: Network) -> None:
        """Request by TFTP what the family's units try in vain; neither the absence of these files nor their content matters."""
        state = self._state
        _code, value = self._server_option()
        with suppress(RuleError):
            server = server_name(value)
            for name in state.family.tried_in_vain if server else ():
                target = Target("tftp", server, _TFTP_PORT, expand(name, state.macros()).replace("?", "0"))
                with suppress(ResyncError):
                    self._fetcher.get(target, FileRequest(OTHER_FIRMWARE, outcome_on_failure=Outcome.SKIPPED), network)

    def _resolve(self, parameter: str, text: str) -> Resolution | None:
        """Return what the rule says now; None when no condition is true."""
        state = self._state
        try:
            resolution = evaluate(text, state.macros(), state.secret_macros())
        except RuleError as error:
            self._trace.record(StepName.APPLY, parameter, str(error), Outcome.FAILED)
            raise ResyncError(FailureCode.RULE, str(error), column=error.column) from error
        if resolution is None:
            if text.strip():
                self._trace.record_skipped(StepName.APPLY, parameter, "no condition is true")
            return None
        for destination in resolution.destinations:
            state.remember_secrets(*(destination.options.get(name, "") for name in ("key", "pwd")))
        return resolution

    # -- where the file is

    def _targets(self, destination: Destination) -> list[Target]:
        """Return where the rule leads, in the order in which the phone tries; a rule without a server gets it from DHCP."""
        target = destination.target
        if "srv" in destination.options:
            why = "--srv: SRV records are not supported here; A records are used instead"
            self._trace.record_skipped(StepName.NAME, str(target.server), why)
        if target.server:
            return [target]
        family = self._state.family
        with self._trace.step(StepName.OPTIONS, "DHCP") as entry:
            code, value = self._server_option()
            if not value:
                codes = option_order(family, self._state.parameters)
                wanted = " or ".join(map(str, codes))
                message = f"{target.path} names no server, and neither does DHCP (option {wanted})"
                raise ResyncError(FailureCode.NO_OPTION, message, options=list(codes), path=target.path)
            entry.detail = f"option {code}: {value}"
            try:
                return candidate_targets(value, code, target, family, self._state.phone.macros)
            except ServerDiscoveryError as error:
                raise ResyncError(FailureCode.NO_OPTION, str(error), option=code, value=value, path=target.path) from error

    def _server_option(self) -> tuple[int, str]:
        """Return number and value of the DHCP option that names the server; 0 and empty if none does."""
        lease = self._state.lease
        codes = option_order(self._state.family, self._state.parameters)
        return next(server_options(lease, codes), (0, "")) if lease else (0, "")

    def _option_for(self, destination: Destination) -> int | None:
        """Return the DHCP option that names the server of *destination*; None if the rule names it."""
        return None if destination.target.server else self._server_option()[0]

    # -- the file

    def _fetch_and_apply(self, parameter: str, destination: Destination, targets: list[Target], network: Network) -> Target:
        options = destination.options
        request = FileRequest(parameter, option=self._option_for(destination))
        if "uid" in options:
            request = replace(request, credentials=Credentials(options["uid"], options.get("pwd", "")))
        if "post" in options:
            body = expand(self._general_purpose(options["post"]), self._state.macros())
            request = replace(request, body=body.encode(), method="POST", headers=_FORM)
        reached, response = self._fetch_first(request, targets, network)
        self._apply(parameter, destination, reached, response)
        return reached

    def _general_purpose(self, letter: str) -> str:
        return self._state.parameters.get(f"GPP_{letter.upper()}", "")

    def _fetch_first(self, request: FileRequest, targets: list[Target], network: Network) -> tuple[Target, WireResponse]:
        """Return the first file that is there, and the target that it was fetched from in the end."""
        errors: list[ResyncError] = []
        for number, target in enumerate(targets, 1):
            outcome = Outcome.FAILED if number == len(targets) else Outcome.SKIPPED
            try:
                return self._fetcher.get(target, replace(request, outcome_on_failure=outcome), network)
            except ResyncError as error:
                errors.append(error)
        first = errors[0]
        if len(errors) == 1:
            raise first
        combined = ResyncError(first.code, f"{first} (and {len(errors) - 1} other locations failed too)", **first.facts)
        combined.facts["others"] = [{"code": str(error.code), "url": error.facts.get("url", "")} for error in errors[1:]]
        combined.step = first.step
        raise combined

    def _apply(self, parameter: str, destination: Destination, target: Target, response: WireResponse) -> None:
        url = format_url(target)
        if not response.content and self._state.is_no("Resync_Fails_On_FNF"):
            self._trace.record_skipped(StepName.OPEN, url, "there is no file, which Resync_Fails_On_FNF allows")
            return
        alias = self._general_purpose(destination.options["alias"]) if "alias" in destination.options else None
        with self._trace.step(StepName.OPEN, url) as entry:
            try:
                found = decode_profile(response, destination.options.get("key"), alias, self._state.family, self._state.parameters)
            except ProfileDecodingError as error:
                self._trace.mark_last_corrupt()
                raise ResyncError(error.code, f"{url}: {error}", url=url, path=target.path, server=str(target.server)) from error
            entry.detail = "decrypted" if self._trace.requests[-1].sealed else "not encrypted"
        self._state.parameters.update(found)
        self._trace.record(StepName.APPLY, parameter, f"{len(found)} parameters")
