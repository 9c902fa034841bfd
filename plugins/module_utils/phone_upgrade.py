# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""How an emulated unit follows Upgrade_Rule.

Sources: "Upgrade rule" of the MPP guide (not repeated until the rule or its URL changes; a load that runs, or lies in the inactive
half of the flash, is not fetched), Upgrade_Enable, Upgrade_Error_Retry_Delay and Downgrade_Rev_Limit of the ATA 191/192 guide.
Guesses: a load whose name tells no version leaves $SWVER as it is; a checksum is compared only where the caller knows one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .firmware_loads import base_name, checksum, is_list, is_older, load_version, named_files
from .phone_diary import Diary, ResyncError
from .phone_fetching import Fetcher, Wish
from .phone_memory import Memory
from .phone_network import Network
from .rules import RuleError, Target, evaluate, format_url

MOST_LOAD = 256 * 1024 * 1024


@dataclass
class Upgrader:
    """Follows the upgrade rule of one unit."""

    memory: Memory
    diary: Diary
    fetcher: Fetcher
    checksums: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of files, by name, as far as they are known."""
    done: tuple[str, str] = ("", "")
    """Rule, as typed, and URL of the last upgrade."""
    failures: int = 0
    """How many attempts have failed one after the other."""
    last: float | None = None
    """When it tried last."""

    def follow(self, parameter: str, network: Network) -> bool:
        """Follow the rule in *parameter*; tell whether other firmware runs now. Raise ResyncError."""
        text = self.memory.parameters.get(parameter, "")
        if not text or self.memory.is_no("Upgrade_Enable"):
            return False
        server = self.memory.syslog_server
        self.memory.counters["UPGST"] = "2" if self.failures else "1"
        target: Target | None = None
        try:
            target = self._choose(parameter, text)
            if target is None:
                return False
            self.last = self.diary.clock.now()
            with self.diary.step("upgrade", format_url(target)) as note:
                self.fetcher.log(server, "upgrade request", network, target)
                note.detail = self._install(parameter, target, network)
        except ResyncError as error:
            self.failures += 1
            self.memory.counters["UPGERR"] = str(error)
            self.fetcher.log(server, "upgrade failure", network, target, str(error))
            raise ResyncError("upgrade", str(error), **{**error.facts, "reason": error.code}) from error
        self.failures = 0
        self.memory.counters["UPGERR"] = ""
        self.done = (text, format_url(target))
        self.fetcher.log(server, "upgrade success", network, target)
        return True

    def _choose(self, parameter: str, text: str) -> Target | None:
        """Return what is to be installed; None for nothing."""
        memory = self.memory
        try:
            choice = evaluate(text, memory.macros(), memory.secret_macros(), "upgrade")
        except RuleError as error:
            raise ResyncError("rule", str(error), parameter=parameter) from error
        if choice is None or choice.target is None:
            self.diary.skip("upgrade", parameter, "no condition holds")
            return None
        memory.parameters.update(choice.assignments)
        target = choice.target
        version = load_version(target.path, memory.family)
        limit = memory.parameters.get("Downgrade_Rev_Limit", "")
        reasons = {
            "the rule names no server": not target.server,
            "it runs already": bool(version) and version == memory.version,
            "it has been done, and the rule is still the same": (text, format_url(target)) == self.done,
            f"it is older than Downgrade_Rev_Limit {limit}": bool(limit) and is_older(version, limit),
        }
        why = next((reason for reason, holds in reasons.items() if holds), "")
        if why:
            self.diary.skip("upgrade", format_url(target), why)
            return None
        return target

    def _install(self, parameter: str, target: Target, network: Network) -> str:
        """Fetch what is not there already, start it, and tell what was done."""
        memory = self.memory
        version = load_version(target.path, memory.family)
        files = 0 if version and version == memory.inactive else self._fetch(parameter, target, network)
        if version:
            memory.inactive, memory.version = memory.version, version
        return f"{files} files, now {memory.version}" if version else f"{files} files; the name tells no version"

    def _fetch(self, parameter: str, target: Target, network: Network) -> int:
        reached, content = self._fetch_one(parameter, target, network)
        names = named_files(content) if is_list(target.path) else []
        folder = reached.path.rpartition("/")[0]
        for name in names:
            beside = Target(reached.scheme, reached.server, reached.port, f"{folder}/{name}")
            self._fetch_one(parameter, beside, network)
        return 1 + len(names)

    def _fetch_one(self, parameter: str, target: Target, network: Network) -> tuple[Target, bytes]:
        reached, answer = self.fetcher.get(target, Wish(parameter, most=MOST_LOAD), network)
        url, name = format_url(reached), base_name(target.path)
        if not answer.content:
            raise ResyncError("corrupt", f"{url}: the file is empty", url=url)
        known = self.checksums.get(name, "")
        if known and checksum(answer.content) != known.lower():
            self.diary.corrupt()
            raise ResyncError("corrupt", f"{url}: the checksum is not the one that is known of {name}", url=url)
        return reached, answer.content
