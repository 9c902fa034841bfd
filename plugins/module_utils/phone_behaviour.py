# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a unit behaves from power-up on: resyncs and their timers, remote customization, upgrades, reports.

The wire and the clock are ports, see phone_network.

Sources: "Profile rule", "Resync" and "Report rule" of the ATA 191/192, SPA and MPP provisioning guides; the in-house chapter for
remote customization. Guesses stand beside the code that makes them, and in docs/emulated_phone.md.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from .customization import FINAL, OPEN, advance, request_url, service_host
from .dhcp_sources import named_servers, order
from .families import Family
from .macros import expand
from .phone import Phone
from .phone_diary import Diary, ResyncError, plain_failure
from .phone_fetching import MOST_LOGINS, MOST_REDIRECTIONS, MOST_REQUESTS, Fetcher, Wish, behaviour
from .phone_following import Follower
from .phone_memory import Memory
from .phone_network import Clock, Network, SystemClock
from .phone_reporting import report_wish, reported
from .phone_schedule import ERROR, Schedule
from .phone_upgrade import Upgrader
from .profile import shown
from .resync_timers import Timer
from .rules import RuleError, evaluate, format_url, parse_rule, parse_url

__all__ = ["MOST_LOGINS", "MOST_REDIRECTIONS", "MOST_REQUESTS", "VENDOR", "Unit", "behaviour"]

VENDOR = "vendor"
"""The maker's own service for remote customization, see Unit."""
MOST_UPGRADES = 8
"""Upgrades after one power-up: more stepping stones are a loop."""

_POWER_UP, _PERIODIC, _RETRY, _TOLD = "0", "1", "2", "-1"
"""Values of $PRVST."""
_LARGEST_ANSWER = 4096
_REMEMBERED = 32


class Unit:
    """One unit, factory-new when made: power_up() once a power cycle, or run() for a stretch of its life; then report()."""

    def __init__(
        self,
        phone: Phone,
        roots: bytes = b"",
        has_certificate: bool = False,
        *,
        customization: str = "",
        checksums: Mapping[str, str] | None = None,
        chance: random.Random | None = None,
    ) -> None:
        """*roots*: PEM roots from the factory; families that can be told of others by URL start without.

        *customization*: URL of a remote customization service, VENDOR for the maker's, nothing for none. *checksums*: name of a
        firmware file -> its SHA-256. *chance*: where random delays come from.
        """
        self._clock: Clock = SystemClock()
        self._memory = Memory(phone, roots, has_certificate, chance or random.Random())  # noqa: S311 - delays, no secrets
        self._diary = Diary(self._clock)
        self._fetcher = Fetcher(self._memory, self._diary)
        self._follower = Follower(self._memory, self._diary, self._fetcher)
        self._upgrader = Upgrader(self._memory, self._diary, self._fetcher, checksums or {})
        self._service = customization
        self._schedule = Schedule(self._memory)
        self._last_resync: float | None = None
        self._reported: dict[str, str] = {}
        self._rule_history: list[str] = []
        self.customization = OPEN
        """One of customization.STATES."""
        self.busy_for = 0.0
        """Seconds for which its lines are still in use when a resync is due."""

    @property
    def _family(self) -> Family:
        return self._memory.family

    @property
    def _parameters(self) -> dict[str, str]:
        return self._memory.parameters

    @property
    def cause(self) -> str:
        """Why the unit is not preprovisioned, in one sentence; empty while nothing has failed."""
        return self._memory.hider()(self._diary.failure.what) if self._diary.failure else ""

    # -- what can happen to it

    def power_up(self, network: Network, clock: Clock | None = None) -> None:
        """Get an address and follow the rules that hold now. A failure ends the resync, and is noted in ``cause``."""
        self._use(clock)
        begun = self._clock.now()
        self._diary.power_up += 1
        self._diary.failure = None
        self._schedule.clear()
        self._start(network)
        self._diary.seconds += max(0.0, self._clock.now() - begun)

    def run(self, network: Network, clock: Clock, until: float) -> None:
        """Power up, after the delay of a first contact, and come again as the timers say, until *until* (seconds since 1970)."""
        self._use(clock)
        delay = self._schedule.first_contact()
        if clock.now() + delay > until:
            return
        clock.sleep(delay)
        self.power_up(network, clock)
        while first := self._schedule.first():
            kind, timer = first
            delay = self._schedule.forced_delay(kind, self.busy_for)
            due = max(timer.due, clock.now()) + delay
            if due > until:
                return
            clock.sleep(due - clock.now())
            if delay:
                self.busy_for = 0.0
            self._schedule.stop(kind)
            self._wake(kind, timer, network)

    def resync(self, network: Network, rule: str = "", clock: Clock | None = None) -> bool:
        """Resync at once, as a SIP NOTIFY or /admin/resync asks for; with *rule*, follow that one alone. Tell whether it worked."""
        self._use(clock)
        if self._memory.lease is None or self._memory.is_no("Provision_Enable"):
            return False
        return self._resync(network, _TOLD, rule)

    def send_report(self, network: Network, clock: Clock | None = None) -> bool:
        """Report once, as a SIP NOTIFY asks for; tell whether all servers took it. There is no second attempt."""
        self._use(clock)
        self._fetcher.left = MOST_REQUESTS
        try:
            for parameter in self._family.report_rules:
                self._report_as(parameter, network)
        except ResyncError as error:
            self._diary.fail("report", error.step or "report", str(error), error.facts)
            return False
        return True

    def factory_reset(self) -> None:
        """Go back to factory settings; firmware stays, and remote customization is open again."""
        self._memory.reset()
        self._rule_history.clear()
        self._schedule.clear()
        self._follower.led_by_dhcp = False
        self._move("reset")

    def set_up_by_hand(self, parameters: Mapping[str, str]) -> None:
        """Set parameters on the unit's own display or web page, which ends remote customization."""
        self._parameters.update(parameters)
        self._move("set up")

    # -- powering up

    def _use(self, clock: Clock | None) -> None:
        self._clock = clock or self._clock
        self._diary.clock = self._clock

    def _start(self, network: Network) -> None:
        try:
            self._get_lease(network)
            self._boot(network)
        except ResyncError as error:
            self._diary.fail(error.code, error.step or "apply", str(error), error.facts)
            if error.code == "no_lease":
                # When DHCP is asked again is a guess.
                self._schedule.set_resync(False, self._clock.now())

    def _get_lease(self, network: Network) -> None:
        with self._diary.step("lease", "DHCP") as note:
            self._memory.lease = network.lease(self._memory.phone.model.vendor_class)
            if self._memory.lease is None:
                raise ResyncError("no_lease", "no DHCP server gave it an address")
            note.detail = self._memory.lease.address

    def _boot(self, network: Network) -> None:
        for parameter in ("Provision_Enable", "Resync_On_Reset"):
            if self._memory.is_no(parameter):
                why = f"the unit does not resync, since {parameter} is No"
                raise ResyncError("no_resync", why, parameter=parameter)
        if self._is_blocked():
            raise ResyncError("no_resync", "the unit does not resync, since its Resync_Trigger does not hold")
        self._resync(network, _POWER_UP)
        self._upgrade(network)

    def _is_blocked(self) -> bool:
        """Tell whether a trigger keeps the unit from resyncing, in families where they do."""
        triggers = self._triggers()
        return self._family.trigger_blocks and bool(triggers) and not any(triggers)

    def _triggers(self) -> list[bool]:
        """Return of each trigger that is set whether it holds now."""
        self._count()
        texts = [self._parameters.get(name, "").strip() for name in self._family.triggers]
        return [self._holds(text) for text in texts if text]

    def _holds(self, condition: str) -> bool:
        try:
            return evaluate(f"({condition})? /x", self._memory.macros(), {}) is not None
        except RuleError:
            return False

    def _count(self) -> None:
        """Bring the macros up to date that count seconds."""
        since = {"PRVTMR": self._last_resync, "UPGTMR": self._upgrader.last}
        now = self._clock.now()
        self._memory.counters |= {name: str(int(now - last)) for name, last in since.items() if last is not None}

    # -- timers

    def _wake(self, kind: str, timer: Timer, network: Network) -> None:
        begun = self._clock.now()
        if kind == "upgrade":
            self._forget("upgrade")
            self._upgrade(network)
        elif self._memory.lease is None:
            self._diary.failure = None
            self._start(network)
        elif kind == "report":
            self._forget("report")
            self.send_report(network)
            self._schedule.set_report(self._clock.now())
        elif kind == "trigger":
            if any(self._triggers()):
                self._schedule.pull_trigger(self._clock.now())
            else:
                self._schedule.set_trigger(self._clock.now())
        elif self._is_blocked() or self._memory.is_no("Provision_Enable"):
            self._diary.skip("apply", timer.name, "the unit does not resync now")
            self._schedule.set_resync(True, self._clock.now())
        else:
            self._resync(network, _RETRY if timer.name == ERROR else _PERIODIC)
            if self._schedule.get("upgrade") is None:
                self._upgrade(network)
        self._diary.seconds += max(0.0, self._clock.now() - begun)

    def _forget(self, code: str) -> None:
        """Forget a failure that is now tried again."""
        if self._diary.failure and self._diary.failure.code == code:
            self._diary.failure = None

    # -- one resync, with remote customization where DHCP does not help

    def _resync(self, network: Network, why: str, rule: str = "") -> bool:
        self._count()
        self._memory.counters["PRVST"] = why
        self._last_resync = self._clock.now()
        self._fetcher.left = MOST_REQUESTS
        self._diary.failure = None
        if rule:
            succeeded = self._try("resync", rule, network)
        else:
            succeeded = self._follow_all(network)
            succeeded = self._customize(succeeded, network)
        self._schedule.set_resync(succeeded, self._clock.now())
        self._schedule.set_trigger(self._clock.now())
        self._schedule.set_report(self._clock.now())
        self._remember_rule()
        return succeeded

    def _follow_all(self, network: Network) -> bool:
        if not self._family.profile_rules:
            try:
                self._follower.ask_for_files(network)
            except ResyncError as error:
                self._diary.fail(error.code, error.step, str(error), error.facts)
            return self._diary.failure is None
        # Read anew each time: the profile before may have set it.
        return all(self._try(name, self._parameters.get(name, ""), network) for name in self._family.profile_rules)

    def _try(self, parameter: str, text: str, network: Network) -> bool:
        try:
            self._follower.follow(parameter, text, network)
        except ResyncError as error:
            self._diary.fail(error.code, error.step or "apply", f"{parameter}: {error}", {"parameter": parameter, **error.facts})
            return False
        return True

    def _customize(self, succeeded: bool, network: Network) -> bool:
        """Do what DHCP's success or failure means for remote customization; tell whether the unit has a profile in the end."""
        by_option = self._family.customization_aborted_by == "option" and self._is_led_by_option()
        if by_option or (succeeded and self._follower.led_by_dhcp):
            self._move("dhcp")
        hosts = self._family.customization_hosts
        if succeeded or self.customization in FINAL or not hosts:
            return succeeded
        service = self._service
        if service == VENDOR:
            service = f"https://{service_host(hosts, self._memory.version)}/customization"
        if not service:
            self._diary.skip("customization", self.customization, "no service for remote customization is named")
            return succeeded
        return self._ask_service(service, network)

    def _ask_service(self, service: str, network: Network) -> bool:
        memory = self._memory
        self._move("asked")
        url = request_url(service, memory.phone.mac.upper, memory.phone.model.product)
        try:
            with self._diary.step("customization", url) as note:
                target = parse_url(url)
                answer = self._fetcher.get(target, Wish("customization", most=_LARGEST_ANSWER), network)[1]
                found = answer.content.decode("ascii", "replace").strip()
                self._move("redirected" if found else "unknown")
                note.detail = _shown_answer(found)
        except (ResyncError, RuleError):
            return False
        if not found:
            return False
        failure, self._diary.failure = self._diary.failure, None
        if not self._try("customization", found, network):
            self._diary.failure = failure or self._diary.failure
            return False
        self._move("fetched")
        return True

    def _move(self, event: str) -> None:
        after = advance(self.customization, event)
        if after != self.customization:
            self._diary.tell("customization", event, f"{self.customization} -> {after}")
            self.customization = after

    def _is_led_by_option(self) -> bool:
        lease = self._memory.lease
        return lease is not None and any(named_servers(lease, order(self._family, self._parameters)))

    # -- upgrades and reports

    def _upgrade(self, network: Network) -> None:
        """Follow the upgrade rule; each upgrade ends with a reboot, and the resync after it may lead on to the next."""
        self._schedule.stop("upgrade")
        self._fetcher.left = MOST_REQUESTS
        seen = {self._memory.version}
        for _number in range(MOST_UPGRADES):
            try:
                before = self._memory.version
                # One at a time: the unit reboots after it
                if not any(self._upgrader.follow(name, network) for name in self._family.upgrade_rules):
                    return
                if before != self._memory.version and self._memory.version in seen:
                    raise ResyncError(
                        "loop", f"the upgrade rule leads back to {self._memory.version}", version=self._memory.version
                    )
            except ResyncError as error:
                self._diary.fail(error.code, error.step or "upgrade", f"Upgrade_Rule: {error}", error.facts)
                self._schedule.set_upgrade(self._upgrader.failures, self._clock.now())
                return
            seen.add(self._memory.version)
            if not self._memory.is_no("Resync_After_Upgrade_Attempt"):
                self._resync(network, _POWER_UP)
        self._diary.fail("loop", "upgrade", f"Upgrade_Rule: there is no end to it after {MOST_UPGRADES} upgrades", {})

    def _report_as(self, parameter: str, network: Network) -> None:
        memory = self._memory
        text = self._parameters.get(parameter, "")
        try:
            choice = evaluate(text, memory.macros(), memory.secret_macros(), "report")
        except RuleError as error:
            raise ResyncError("rule", f"{parameter}: {error}", parameter=parameter) from error
        if choice is None:
            self._diary.skip("report", parameter, "the rule is empty, or no condition holds")
            return
        self._parameters.update(choice.assignments)
        for destination in choice.destinations:
            memory.keys.update(destination.options.get(name, "") for name in ("key", "pwd"))
            with self._diary.step("report", format_url(destination.target)) as note:
                wish = report_wish(parameter, destination, memory, self._reported)
                self._fetcher.get(destination.target, wish, network)
                note.detail = f"{wish.method}, {len(wish.body or b'')} bytes"
        self._reported = reported(memory.parameters, self._family)

    # -- what became of it

    def report(self) -> dict[str, Any]:
        """Tell what happened. No secret is in it."""
        memory, diary = self._memory, self._diary
        hide = memory.hider()
        failure = plain_failure(diary.failure, hide) if diary.failure else self._shortcoming()
        cause = failure["what"]
        lease = memory.lease
        return {
            "name": memory.phone.name,
            "mac": memory.phone.mac.colon,
            "model": memory.phone.model.name,
            "address": lease.address if lease else "",
            "dhcp_options": {str(code): value for code, value in sorted(lease.options.items())} if lease else {},
            **diary.plain(hide),
            "state": "failed" if cause else "preprovisioned",
            "cause": cause,
            "failure": failure,
            "profile_rule": self._shown_rule(),
            "parameters": len(memory.parameters),
            "firmware": memory.version,
            "customization": self.customization,
            "next_resync": self._next_resync(),
            "seconds": round(diary.seconds, 6),
        }

    def _next_resync(self) -> dict[str, Any]:
        timer = self._schedule.get("resync")
        if timer is None:
            return {"seconds": None, "timer": ""}
        return {"seconds": round(max(0.0, timer.due - self._clock.now()), 3), "timer": timer.name}

    def _remember_rule(self) -> None:
        rule = next((self._parameters.get(name, "") for name in self._family.profile_rules), "")
        if not self._rule_history or self._rule_history[-1] != rule:
            self._rule_history.append(rule)
            del self._rule_history[:-_REMEMBERED]

    def _shortcoming(self) -> dict[str, Any]:
        """Return a failure for a unit whose resyncs all succeeded, and that is not preprovisioned; an empty one when it is."""
        code, what = self._find_shortcoming()
        facts = {"profile_rule": self._shown_rule()} if code else {}
        return {"code": code, "step": "apply" if code else "", "what": what, "facts": facts}

    def _find_shortcoming(self) -> tuple[str, str]:
        if not self._diary.requests:
            return "no_resync", "the unit asked for nothing"
        if not self._family.profile_rules:
            return "", ""
        name = self._family.profile_rules[0]
        rule = self._parameters[name]
        if rule == self._family.factory_rule:
            return "no_own_file", f"{name} is still the factory rule; no profile that was fetched sets it"
        try:
            alternatives = parse_rule(expand(rule, self._memory.macros())).alternatives
        except RuleError as error:
            return "rule", f"{name} '{self._shown_rule()}' cannot be followed: {error}"
        urls = [place.url for alternative in alternatives for place in alternative.places]
        if rule in self._rule_history[:-1]:
            return "loop", f"{name} '{self._shown_rule()}' leads back to a profile that leads here"
        if any(self._is_own(url) for url in urls):
            return "", ""
        if urls and all(self._has_fetched(url) for url in urls):
            return "loop", f"{name} '{self._shown_rule()}' leads to a profile that leads back to itself, and is no unit's own"
        return "no_own_file", f"{name} '{self._shown_rule()}' names no file of this unit alone; put $MA into it"

    def _is_own(self, url: str) -> bool:
        phone = self._memory.phone
        return any(text and text in url.lower() for text in (phone.mac.plain, phone.mac.colon, phone.serial.lower()))

    def _has_fetched(self, url: str) -> bool:
        try:
            return format_url(parse_url(url)) in {request.url for request in self._diary.requests}
        except RuleError:
            return False

    def _shown_rule(self) -> str:
        # It may not have been followed yet, so that its key is not among those known.
        names = self._family.profile_rules[:1]
        return self._memory.hider()(next((shown(name, self._parameters.get(name, "")) for name in names), ""))


def _shown_answer(text: str) -> str:
    """Return what a remote customization service has answered, as it may be shown: a rule without its keys, or nothing of it."""
    if not text:
        return "nobody's unit"
    try:
        rule = parse_rule(text)
    except RuleError:
        return "what is no rule"
    return shown("Profile_Rule", str(rule))
