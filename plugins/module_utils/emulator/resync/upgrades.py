# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Firmware upgrades of an emulated phone by Upgrade_Rule.

Sources: "Upgrade rule" of the MPP guide (not repeated until the rule or its URL changes; a load that is running, or stored in the
inactive half of the flash, is not fetched), Upgrade_Enable, Upgrade_Error_Retry_Delay and Downgrade_Rev_Limit of the ATA 191/192
guide.
Guesses: a load without a version in its name leaves $SWVER unchanged; a checksum is compared only where the caller supplies one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ...events.causes.failure_codes import FailureCode
from ...firmware.loads import base_name, checksum, is_list, is_older, load_version, named_files
from ...profiles.rules.evaluate import evaluate
from ...profiles.rules.model import RuleError, RuleKind, Target
from ...profiles.rules.urls import format_url
from ..device.ports import Network
from ..device.state import PhoneState
from ..device.trace import ResyncError, StepName, Trace
from ..fetching.fetcher import Fetcher, FileRequest
from .syslog import LogEvent, SyslogClient

MAX_LOAD_SIZE = 256 * 1024 * 1024


@dataclass
class Upgrader:
    """Follows the upgrade rule of one phone."""

    state: PhoneState
    trace: Trace
    fetcher: Fetcher
    syslog: SyslogClient
    checksums: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of firmware files by name, where known."""
    done: tuple[str, str] = ("", "")
    """The rule as written and the URL of the last upgrade."""
    failures: int = 0
    """How many attempts in a row have failed."""
    last: float | None = None
    """When the last attempt began."""

    def follow_rule(self, parameter: str, network: Network) -> bool:
        """Follow the rule in *parameter*; return whether the firmware was upgraded. Raise ResyncError."""
        text = self.state.parameters.get(parameter, "")
        if not text or self.state.is_no("Upgrade_Enable"):
            return False
        server = self.state.syslog_server
        self.state.counters["UPGST"] = "2" if self.failures else "1"
        target: Target | None = None
        try:
            target = self._resolve(parameter, text)
            if target is None:
                return False
            self.last = self.trace.clock.now()
            with self.trace.step(StepName.UPGRADE, format_url(target)) as entry:
                self.syslog.send(server, LogEvent.UPGRADE_REQUEST, network, target)
                entry.detail = self._install(parameter, target, network)
        except ResyncError as error:
            self.failures += 1
            self.state.counters["UPGERR"] = str(error)
            self.syslog.send(server, LogEvent.UPGRADE_FAILURE, network, target, str(error))
            raise ResyncError(FailureCode.UPGRADE, str(error), **{**error.facts, "reason": str(error.code)}) from error
        self.failures = 0
        self.state.counters["UPGERR"] = ""
        self.done = (text, format_url(target))
        self.syslog.send(server, LogEvent.UPGRADE_SUCCESS, network, target)
        return True

    def _resolve(self, parameter: str, text: str) -> Target | None:
        """Return the load to install; None when there is nothing to do."""
        state = self.state
        try:
            resolution = evaluate(text, state.macros(), state.secret_macros(), RuleKind.UPGRADE)
        except RuleError as error:
            raise ResyncError(FailureCode.RULE, str(error), parameter=parameter) from error
        if resolution is None or resolution.target is None:
            self.trace.record_skipped(StepName.UPGRADE, parameter, "no condition is true")
            return None
        state.parameters.update(resolution.assignments)
        why = self._reason_to_skip(text, resolution.target)
        if why:
            self.trace.record_skipped(StepName.UPGRADE, format_url(resolution.target), why)
            return None
        return resolution.target

    def _reason_to_skip(self, text: str, target: Target) -> str:
        version = load_version(target.path, self.state.family)
        limit = self.state.parameters.get("Downgrade_Rev_Limit", "")
        reasons = {
            "the rule names no server": not target.server,
            "this version is already running": bool(version) and version == self.state.version,
            "this upgrade has been done, and the rule has not changed since": (text, format_url(target)) == self.done,
            f"it is older than Downgrade_Rev_Limit {limit}": bool(limit) and is_older(version, limit),
        }
        return next((reason for reason, applies in reasons.items() if applies), "")

    def _install(self, parameter: str, target: Target, network: Network) -> str:
        """Fetch the files unless the inactive half holds them, run the new version, and return what was done."""
        state = self.state
        version = load_version(target.path, state.family)
        files = 0 if version and version == state.inactive else self._fetch(parameter, target, network)
        if version:
            state.inactive, state.version = state.version, version
        return f"{files} files, now {state.version}" if version else f"{files} files; the file name contains no version"

    def _fetch(self, parameter: str, target: Target, network: Network) -> int:
        """Fetch a load and the files that it names; return how many files these are."""
        reached, content = self._fetch_one(parameter, target, network)
        names = named_files(content) if is_list(target.path) else []
        folder = reached.path.rpartition("/")[0]
        for name in names:
            sibling = Target(reached.scheme, reached.server, reached.port, f"{folder}/{name}")
            self._fetch_one(parameter, sibling, network)
        return 1 + len(names)

    def _fetch_one(self, parameter: str, target: Target, network: Network) -> tuple[Target, bytes]:
        reached, response = self.fetcher.get(target, FileRequest(parameter, max_bytes=MAX_LOAD_SIZE), network)
        url, name = format_url(reached), base_name(target.path)
        if not response.content:
            raise ResyncError(FailureCode.CORRUPT, f"{url}: the file is empty", url=url)
        known = self.checksums.get(name, "")
        if known and checksum(response.content) != known.lower():
            self.trace.mark_last_corrupt()
            raise ResyncError(FailureCode.CORRUPT, f"{url}: the checksum differs from the one known for {name}", url=url)
        return reached, response.content
