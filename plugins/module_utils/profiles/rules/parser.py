# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Read rules and triggers, macros included."""

from __future__ import annotations

import re
from typing import NoReturn

from ...common.suggest import did_you_mean, nearest, one_of
from ..macros import names
from .conditions import parse_condition
from .expansion import BRACKET
from .model import BARE_VALUE, FLAG_OPTIONS, Alternative, Comparison, Rule, RuleError, RuleKind, RuleTarget
from .urls import has_macro_server, parse_url, split_url

_LETTER_OPTIONS = ("post", "alias")
_SECRET_OPTIONS = ("key", "pwd")

_UNPRINTABLE = re.compile(r"[^ -~]")
_BLANK = re.compile(r"[\t\r\n]")
_WORD = re.compile(r"[^\s|]+")
_QUOTED = re.compile(r'"[^"]*"')
_OPTION_NAME = re.compile(r'--([^\s"=\[\]]*)')
_IN_GROUP = re.compile(r'"[^"]*"|\$\([^()\s"]*\)|(?<=[0-9])\([0-9A-Za-z]+\)|[^"()]')
_ASSIGNMENT = re.compile(r'\s*([A-Za-z_][A-Za-z0-9_.-]*)\s*=\s*"([^"]*)"\s*(;?)')


def parse_rule(text: str, kind: RuleKind = RuleKind.PROFILE, more_schemes: tuple[str, ...] = ()) -> Rule:
    """Read a rule, macros included; raise RuleError. A rule that begins with ``#`` is a comment, which counts as empty.

    *more_schemes*: see Additions.
    """
    return _Parser(text, kind, more_schemes).rule()


def parse_trigger(text: str) -> tuple[Comparison, ...]:
    """Read a condition as Resync_Trigger_1 and _2 take it, without parentheses, or empty; raise RuleError."""
    return _Parser(text, RuleKind.PROFILE).trigger()


class _Parser:
    """Reads one text from left to right."""

    def __init__(self, text: str, kind: RuleKind, more_schemes: tuple[str, ...] = ()) -> None:
        # In XML, line ends within a value become blanks
        self.text = _BLANK.sub(" ", text)
        self.kind = kind
        self.more_schemes = more_schemes
        self.position = 0
        bad = _UNPRINTABLE.search(self.text)
        if bad:
            self.fail("not printable ASCII; use straight quotation marks, and write other characters as %XX in a URL", bad.start())

    def fail(self, reason: str, at: int | None = None) -> NoReturn:
        raise RuleError(reason, (self.position if at is None else at) + 1)

    def peek(self, text: str) -> bool:
        return self.text.startswith(text, self.position)

    def skip_blanks(self) -> bool:
        """Skip blanks; tell whether anything is left."""
        while self.peek(" "):
            self.position += 1
        return self.position < len(self.text)

    def rule(self) -> Rule:
        if not self.skip_blanks() or self.peek("#"):
            return Rule()
        alternatives: list[Alternative] = []
        while True:
            start = self.position
            alternative = self.alternative()
            alternatives.append(alternative)
            if not self.skip_blanks():
                return Rule(tuple(alternatives))
            self.position += 1
            if not self.skip_blanks():
                self.fail("the last alternative is empty; leave out the |", self.text.rindex("|"))
            if not alternative.condition:
                self.fail("this alternative has no condition, so none after it is ever reached; begin it with (...)?", start)

    def trigger(self) -> tuple[Comparison, ...]:
        if not self.skip_blanks():
            return ()
        if self.peek("("):
            self.fail("a trigger is a condition without parentheses and ?, such as $PRVTMR ge 600")
        return parse_condition(self.text, self.position, len(self.text))

    def alternative(self) -> Alternative:
        """Read up to a ``|`` or the end."""
        start = self.position
        condition: tuple[Comparison, ...] = ()
        assignments: tuple[tuple[str, str], ...] = ()
        while self.peek("("):
            opening = self.position
            closing, mark = self.group()
            if (condition and mark == "?") or assignments:
                self.fail("an alternative has at most one (condition)? and then one (assignments)!", opening)
            if mark == "?":
                condition = parse_condition(self.text, opening + 1, closing)
            else:
                assignments = self.assignments(opening + 1, closing)
            self.skip_blanks()
        targets = self.targets()
        if self.position == start:
            self.fail("an alternative is empty; leave out one |")
        if self.kind is RuleKind.UPGRADE and not targets:
            self.fail("each alternative of an Upgrade_Rule needs a URL", start)
        return Alternative(condition, assignments, targets)

    def group(self) -> tuple[int, str]:
        """Skip a pair of parentheses and the mark behind it; return where the closing one is, and the mark, ``?`` or ``!``."""
        opening = self.position
        self.position += 1
        while not self.peek(")"):
            match = _IN_GROUP.match(self.text, self.position)
            if not match:
                self.fail_in_group(opening)
            self.position = match.end()
        closing = self.position
        self.position += 1
        self.skip_blanks()
        if not self.peek("?") and not self.peek("!"):
            self.fail("? or ! is missing after the parenthesis; a condition is (...)? and assignments are (...)!", closing)
        self.position += 1
        return closing, self.text[self.position - 1]

    def fail_in_group(self, opening: int) -> NoReturn:
        if self.peek('"'):
            self.fail("the quotation mark is not closed")
        if self.peek("("):
            self.fail("parentheses cannot be nested; join comparisons only by and")
        self.fail("the parenthesis is not closed", opening)

    def assignments(self, start: int, end: int) -> tuple[tuple[str, str], ...]:
        found: list[tuple[str, str]] = []
        while not found or self.text[start:end].strip():
            match = _ASSIGNMENT.match(self.text, start, end)
            if not match:
                self.fail('invalid assignment; write NAME = "VALUE";', start)
            if not match[3]:
                self.fail("a ; is missing after this assignment", match.end() - 1)
            found.append((match[1], match[2]))
            start = match.end()
        return tuple(found)

    def targets(self) -> tuple[RuleTarget, ...]:
        found: list[RuleTarget] = []
        while self.skip_blanks() and not self.peek("|"):
            if len(found) == self.kind.max_targets:
                self.fail(
                    "a Report_Rule has at most two URLs"
                    if self.kind is RuleKind.REPORT
                    else "only a | with another alternative may follow a URL; a URL contains no blanks"
                )
            found.append(self.target())
        return tuple(found)

    def target(self) -> RuleTarget:
        start = self.position
        options = self.options() if self.peek("[") else {}
        self.skip_blanks()
        match = _WORD.match(self.text, self.position)
        if not match:
            self.fail("no URL follows these options", start)
        if self.peek("["):
            self.fail("write all options of a URL in one pair of brackets")
        if self.peek("--"):
            self.fail("write options in brackets, such as [--key KEY] URL")
        column = self.position + 1
        self.check_url(match[0], column, "srv" in options)
        self.position = match.end()
        return RuleTarget(match[0], options, column)

    def check_url(self, url: str, column: int, srv: bool) -> None:
        match = split_url(url, column, self.more_schemes)
        if has_macro_server(match) or (match["scheme"] or "").lower() in self.more_schemes:
            return
        target = parse_url(url, column)
        if self.kind is RuleKind.UPGRADE and target.server is None:
            raise RuleError("an Upgrade_Rule must name a server, such as http://SERVER/FILE; it takes none from DHCP", column)
        if srv and target.scheme == "tftp":
            raise RuleError("--srv looks only for http and https servers; this URL is tftp", column)

    # -- options

    def options(self) -> dict[str, str]:
        if self.kind is RuleKind.UPGRADE:
            self.fail("an Upgrade_Rule takes no options in brackets")
        bracket = BRACKET.match(self.text, self.position)
        if not bracket:
            self.fail("the bracket, or a quotation mark in it, is not closed")
        end = bracket.end() - 1
        self.position += 1
        options: dict[str, str] = {}
        while self.skip_blanks() and self.position < end:
            start = self.position
            name = self.option_name()
            if name in options:
                self.fail(f"--{name} is given twice", start)
            takes_value = name not in FLAG_OPTIONS
            options[name] = self.option_value(name) if takes_value else ""
            if not self.peek(" ") and self.position < end:
                self.fail(f"a blank is missing after the value of --{name}" if takes_value else f"--{name} takes no value")
        self.position = end + 1
        return options

    def option_name(self) -> str:
        match = _OPTION_NAME.match(self.text, self.position)
        if not match:
            self.fail("an option begins with --; quote a value that holds blanks")
        name = match[1]
        if name not in self.kind.options:
            self.fail(self.unknown_option(name))
        self.position = match.end()
        return name

    def unknown_option(self, name: str) -> str:
        # What follows --key could be the secret itself
        if name.lower().startswith(_SECRET_OPTIONS):
            return "put a blank between an option and its value, such as --key KEY"
        known = self.kind.options
        owner = next((kind for kind in RuleKind if name in kind.options), None)
        near = nearest(name, known)
        hint = f"; a {owner.parameter} takes it" if owner else did_you_mean(near and f"--{near}")
        if not hint:
            # The name may be anything, even a secret
            return f"unknown option of a {self.kind.parameter}; {one_of(f'--{option}' for option in known)}"
        return f"unknown option '--{name}' of a {self.kind.parameter}{hint}"

    def option_value(self, name: str) -> str:
        if self.peek("=") or self.peek('"'):
            self.fail(f"put a blank between --{name} and its value")
        self.skip_blanks()
        match = _QUOTED.match(self.text, self.position) or BARE_VALUE.match(self.text, self.position)
        value = match[0].strip('"') if match else ""
        if not match or not value:
            self.fail(f"--{name} has no value")
        if name in _LETTER_OPTIONS and not re.fullmatch("[a-p]", value) and not names(value):
            self.fail(f"--{name} takes the letter of a general purpose parameter, from a to p")
        self.position = match.end()
        return value
