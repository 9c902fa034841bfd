# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""How an emulated unit follows one profile rule: choose, find the server, fetch, open, apply, and log.

Sources: "Profile rule", "Optional resync arguments" and Log_Resync_*_Msg of the ATA 191/192, SPA and MPP provisioning guides.
"""

from __future__ import annotations

from dataclasses import replace

from .dhcp_sources import SourceError, named_servers, order, targets
from .http_login import Login
from .macros import expand
from .phone_diary import FAILED, SKIPPED, Diary, ResyncError
from .phone_fetching import Fetcher, Wish
from .phone_memory import Memory
from .phone_network import Answer, Network
from .profile_opening import OpeningError, open_profile
from .rules import Choice, Destination, RuleError, Target, evaluate, format_url, parse_url

_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Follower:
    """Follows the rules of one unit."""

    def __init__(self, memory: Memory, diary: Diary, fetcher: Fetcher) -> None:
        self._memory = memory
        self._diary = diary
        self._fetcher = fetcher
        self.led_by_dhcp = False
        """Whether a profile has been applied whose server DHCP named, since the factory settings."""

    def follow(self, parameter: str, text: str, network: Network) -> None:
        """Follow the rule *text*; raise ResyncError."""
        # A profile may name another server, or none; this resync still belongs to the old one.
        server = self._memory.syslog_server
        places: list[Target] = []
        try:
            choice = self._choose(parameter, text)
            if choice is None:
                return
            self._memory.parameters.update(choice.assignments)
            if not choice.destinations:
                self._diary.tell("apply", parameter, f"{len(choice.assignments)} assignments")
                return
            destination = choice.destinations[0]
            places = self._places(destination)
            self._fetcher.log(server, "request", network, places[0])
            reached = self._fetch_and_apply(parameter, destination, places, network)
        except ResyncError as error:
            self._fetcher.log(server, "failure", network, places[0] if places else None, str(error))
            raise
        self.led_by_dhcp |= destination.target.server is None
        self._fetcher.log(server, "success", network, reached)

    def ask_for_files(self, network: Network) -> None:
        """What families without rules do: fetch the model's file, if there is one, and then the unit's own. Raise ResyncError."""
        family = self._memory.family
        for what, path in (("the model's file", family.factory_rule), ("the unit's file", family.own_file)):
            if path:
                destination = Destination(parse_url(expand(path, self._memory.macros())))
                places = self._places(destination)
                reached, answer = self._first(Wish(what), places, network)
                if path == family.own_file:
                    self._apply(what, destination, reached, answer)
        self.led_by_dhcp = True

    def _choose(self, parameter: str, text: str) -> Choice | None:
        memory = self._memory
        try:
            choice = evaluate(text, memory.macros(), memory.secret_macros())
        except RuleError as error:
            self._diary.tell("apply", parameter, str(error), FAILED)
            raise ResyncError("rule", str(error), column=error.column) from error
        if choice is None:
            if text.strip():
                self._diary.skip("apply", parameter, "no condition holds")
            return None
        for destination in choice.destinations:
            memory.keys.update(destination.options.get(name, "") for name in ("key", "pwd"))
        return choice

    # -- where to

    def _places(self, destination: Destination) -> list[Target]:
        """Where the rule leads, in the order in which the unit tries; a server that is missing comes from DHCP."""
        target = destination.target
        if "srv" in destination.options:
            self._diary.skip("name", str(target.server), "--srv: SRV records are beyond this resolver, A records are taken instead")
        if target.server:
            return [target]
        family, lease = self._memory.family, self._memory.lease
        codes = order(family, self._memory.parameters)
        with self._diary.step("options", "DHCP") as note:
            code, value = next(named_servers(lease, codes), (0, "")) if lease else (0, "")
            if not value:
                wanted = " or ".join(map(str, codes))
                message = f"{target.path} names no server, and neither does DHCP (option {wanted})"
                raise ResyncError("no_option", message, options=list(codes), path=target.path)
            note.detail = f"option {code}: {value}"
            try:
                return targets(value, code, target, family, self._memory.phone.macros)
            except SourceError as error:
                raise ResyncError("no_option", str(error), option=code, value=value, path=target.path) from error

    # -- the file

    def _fetch_and_apply(self, parameter: str, destination: Destination, places: list[Target], network: Network) -> Target:
        options = destination.options
        wish = Wish(parameter)
        if "uid" in options:
            wish = replace(wish, login=Login(options["uid"], options.get("pwd", "")))
        if "post" in options:
            body = expand(self._general(options["post"]), self._memory.macros())
            wish = replace(wish, body=body.encode(), method="POST", headers=_FORM)
        reached, answer = self._first(wish, places, network)
        self._apply(parameter, destination, reached, answer)
        return reached

    def _general(self, letter: str) -> str:
        return self._memory.parameters.get(f"GPP_{letter.upper()}", "")

    def _first(self, wish: Wish, places: list[Target], network: Network) -> tuple[Target, Answer]:
        """Return the first file that is there, and where it was in the end."""
        problems: list[ResyncError] = []
        for number, place in enumerate(places, 1):
            try:
                return self._fetcher.get(place, replace(wish, otherwise=FAILED if number == len(places) else SKIPPED), network)
            except ResyncError as error:
                problems.append(error)
        first = problems[0]
        if len(problems) == 1:
            raise first
        more = ResyncError(first.code, f"{first} (and {len(problems) - 1} other places failed too)", **first.facts)
        more.facts["others"] = [{"code": problem.code, "url": problem.facts.get("url", "")} for problem in problems[1:]]
        more.step = first.step
        raise more

    def _apply(self, parameter: str, destination: Destination, target: Target, answer: Answer) -> None:
        url = format_url(target)
        if not answer.content and self._memory.is_no("Resync_Fails_On_FNF"):
            self._diary.skip("open", url, "there is no file, which Resync_Fails_On_FNF allows")
            return
        alias = self._general(destination.options["alias"]) if "alias" in destination.options else None
        with self._diary.step("open", url) as note:
            try:
                found = open_profile(answer, destination.options.get("key"), alias, self._memory.family, self._memory.parameters)
            except OpeningError as error:
                self._diary.corrupt()
                raise ResyncError(error.code, f"{url}: {error}", url=url, path=target.path, server=str(target.server)) from error
            note.detail = "decrypted" if self._diary.requests[-1].sealed else "in the clear"
        self._memory.parameters.update(found)
        self._diary.tell("apply", parameter, f"{len(found)} parameters")
