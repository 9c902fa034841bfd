# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The language of Profile_Rule, Upgrade_Rule and Report_Rule: read it, print it, check it, and evaluate it as a phone does.

::

    rule        = alternative { "|" alternative }
    alternative = [ "(" comparison { "and" comparison } ")?" ] [ "(" { Name = "value"; } ")!" ] [ [ "[" options "]" ] URL ]
    URL         = [scheme://][server[:port]]/path

Sources: "Conditional expressions", "Profile rules", "Optional resync arguments", "URL syntax", "Upgrade rule" and "Report rule" of
the SPA, ATA 191/192 and MPP provisioning guides. A rule may hold macros anywhere; a phone expands them before it reads the rule.
What only firmware before 2.0.6 takes is refused: a comparison without its left side, and ``!`` for ``!=``.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, NamedTuple, NoReturn

from .macros import KNOWN, SECRET, expand, names, stray_dollars
from .versions import Number, NumberError, read_number

Kind = Literal["profile", "upgrade", "report"]

PORTS: Mapping[str, int] = MappingProxyType({"tftp": 69, "http": 80, "https": 443})
"""Scheme -> default port."""

OPERATORS: Mapping[str, str] = MappingProxyType({"eq": "=", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="})
"""Operator as a word, as XML needs no escape for it -> as a sign."""

_TITLES: Mapping[str, str] = {"profile": "Profile_Rule", "upgrade": "Upgrade_Rule", "report": "Report_Rule"}
_OPTIONS: Mapping[str, tuple[str, ...]] = {
    "profile": ("key", "uid", "pwd", "post", "alias", "srv"),
    "upgrade": (),
    "report": ("key", "uid", "pwd", "delta", "status"),
}
_FLAGS = ("srv", "delta", "status")
_LETTERS = ("post", "alias")
_HIDDEN = ("key", "pwd")
_MOST_PLACES: Mapping[str, int] = {"profile": 1, "upgrade": 1, "report": 2}

_BY_SIGN = {sign: word for word, sign in OPERATORS.items()}
_MISTAKEN = {"==": "=", "!": "!=", "<>": "!=", "=<": "<=", "=>": ">=", **{word.upper(): word for word in OPERATORS}}
_MISTAKEN_JOINTS = {
    **dict.fromkeys(("or", "OR", "|", "||"), "a condition has no or; write a further alternative after a |"),
    **dict.fromkeys(("&", "&&"), "comparisons are joined by the word and"),
}

_UNPRINTABLE = re.compile(r"[^ -~]")
_BLANK = re.compile(r"[\t\r\n]")
_BRACKET = re.compile(r'"[^"]*"|\[(?:"[^"]*"|[^"\]])*\]')
_SECRET_ARGUMENT = re.compile(r'--(?:key|uid|pwd)\s+("[^"]*"|[^\s"\[\]]+)')
_WORD = re.compile(r"[^\s|]+")
_QUOTED = re.compile(r'"[^"]*"')
_BARE_VALUE = re.compile(r'(?!--)[^\s"\[\]]+')
_OPTION_NAME = re.compile(r'--([^\s"=\[\]]*)')
_IN_GROUP = re.compile(r'"[^"]*"|\$\([^()\s"]*\)|(?<=[0-9])\([0-9A-Za-z]+\)|[^"()]')
_ASSIGNMENT = re.compile(r'\s*([A-Za-z_][A-Za-z0-9_.-]*)\s*=\s*"([^"]*)"\s*(;?)')
_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"'
    r"|(?P<sign>[=!<>&|]+)"
    r'|(?P<bare>(?:\$\([^()\s"]*\)|(?<=[0-9])\([0-9A-Za-z]+\)|[^\s"()=!<>&|])+)'
)
_URL = re.compile(r"(?:(?P<scheme>[^/:]*)://)?(?P<authority>[^/]*)(?P<path>.*)", re.DOTALL)
_AUTHORITY = re.compile(r"(?P<server>(?:[A-Za-z0-9._$-]|\$\([A-Z0-9:]*\))*)(?::(?P<port>[^:]*))?")
_NOT_IN_URL = re.compile(r'[\s|"<>\[\]]')


class RuleError(ValueError):
    """The rule cannot be followed. The message gives column (from 1), reason and what would be right; it quotes no secret."""

    def __init__(self, reason: str, column: int, where: str = "") -> None:
        super().__init__(reason, column, where)
        self.reason = reason
        self.column = column
        self.where = where
        """Which text the column counts in, where it is not the rule as typed: `` of the expanded rule``."""

    def __str__(self) -> str:
        return f"column {self.column}{self.where}: {self.reason}"


@dataclass(frozen=True)
class Target:
    """Where to fetch; server is None when the address comes from DHCP."""

    scheme: str
    server: str | None
    port: int
    path: str


@dataclass(frozen=True)
class Operand:
    """One side of a comparison: a text when quoted, else a number, a version, or a macro that expands to one."""

    text: str
    quoted: bool

    def __str__(self) -> str:
        return f'"{self.text}"' if self.quoted else self.text


@dataclass(frozen=True)
class Comparison:
    """``left operator right``; the operator is a key of OPERATORS."""

    left: Operand
    operator: str
    right: Operand
    column: int = field(default=1, compare=False, repr=False)

    def __str__(self) -> str:
        return f"{self.left} {self.operator} {self.right}"


@dataclass(frozen=True)
class Place:
    """A URL as typed, and the options in brackets before it: name without dashes -> value, empty for one that takes none."""

    url: str
    options: Mapping[str, str] = field(default_factory=dict, repr=False)
    column: int = field(default=1, compare=False, repr=False)

    def __str__(self) -> str:
        options = " ".join(_format_option(name, value) for name, value in self.options.items())
        return f"[{options}] {self.url}" if options else self.url


@dataclass(frozen=True)
class Alternative:
    """One alternative: what must hold, what is then assigned to the phone's own parameters (name, value), and where it leads."""

    condition: tuple[Comparison, ...] = ()
    assignments: tuple[tuple[str, str], ...] = ()
    places: tuple[Place, ...] = ()
    """At most one; two are possible in a Report_Rule."""

    def __str__(self) -> str:
        parts = [f"({' and '.join(map(str, self.condition))})?"] if self.condition else []
        if self.assignments:
            assigned = " ".join(f'{name} = "{value}";' for name, value in self.assignments)
            parts.append(f"({assigned})!")
        return " ".join([*parts, *map(str, self.places)])


@dataclass(frozen=True)
class Rule:
    """A rule; without alternatives it is empty, and a phone goes on to the next. str() prints it, keys and all."""

    alternatives: tuple[Alternative, ...] = ()

    def __str__(self) -> str:
        return " | ".join(map(str, self.alternatives))


@dataclass(frozen=True)
class Destination:
    """Where a rule leads a phone, and with which options (see Place)."""

    target: Target
    options: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Choice:
    """What a phone makes of a rule: values to assign first, then where to go."""

    assignments: Mapping[str, str] = field(default_factory=dict, repr=False)
    destinations: tuple[Destination, ...] = ()
    """Empty when the rule only assigns; two are possible in a Report_Rule."""

    @property
    def target(self) -> Target | None:
        """Where the first destination is."""
        return self.destinations[0].target if self.destinations else None

    @property
    def options(self) -> Mapping[str, str]:
        """Options of the first destination."""
        return self.destinations[0].options if self.destinations else {}


def parse_rule(text: str, kind: Kind = "profile") -> Rule:
    """Read a rule, macros and all; raise RuleError. A rule that begins with ``#`` is a comment, and as good as empty."""
    return _Parser(text, kind).rule()


def check_rule(text: str, kind: Kind, macros: Mapping[str, str]) -> None:
    """Raise RuleError for a rule that a phone would skip or misread; *macros* are those that are known before it is unpacked.

    Columns count in the rule as typed, unless the message says otherwise.
    """
    comment = re.match(r"\s*#", text)
    if comment:
        raise RuleError("a phone skips a rule that begins with #; leave it empty instead", comment.end())
    typed: RuleError | None = None
    try:
        parse_rule(text, kind)
    except RuleError as error:
        # What is wrong may be right once the macros are put in.
        typed = error
    secrets = {name: value for name, value in macros.items() if name in SECRET}
    try:
        parse_rule(_expand(text, {name: value for name, value in macros.items() if name not in SECRET}, secrets), kind)
    except RuleError as error:
        raise typed or RuleError(error.reason, error.column, " of the expanded rule") from error
    _check_macros(text)


def check_trigger(text: str) -> None:
    """Raise RuleError unless *text* is a condition as Resync_Trigger_1 and _2 take it: without parentheses; empty is right too."""
    _Parser(text, "profile").trigger()
    _check_macros(text)


def evaluate(rule: str | Rule, macros: Mapping[str, str], secrets: Mapping[str, str], kind: Kind = "profile") -> Choice | None:
    """Do what a phone does: expand the macros, then take the first alternative whose condition holds.

    *secrets* (SA to SD) expand as values of --key, --uid and --pwd alone. None: no condition holds, or the rule is empty. Raise
    RuleError, with a column of the expanded rule, when the rule or a comparison cannot be read.
    """
    for alternative in parse_rule(_expand(str(rule), macros, secrets), kind).alternatives:
        if all(_holds(comparison) for comparison in alternative.condition):
            destinations = tuple(Destination(_read_url(place.url, place.column), place.options) for place in alternative.places)
            return Choice(dict(alternative.assignments), destinations)
    return None


def parse_url(url: str) -> Target:
    """Read ``[scheme://][server[:port]]/path``: tftp without scheme, the server of DHCP without server. Raise RuleError."""
    return _read_url(url, 1)


def format_url(target: Target) -> str:
    """Return the URL, with its port where that is not the scheme's own."""
    port = "" if target.port == PORTS[target.scheme] else f":{target.port}"
    return f"{target.scheme}://{target.server or ''}{port}{target.path}"


# -- macros


def _secret_spans(text: str) -> list[tuple[int, int]]:
    """Where the values of --key, --uid and --pwd stand, from and to."""
    brackets = [match for match in _BRACKET.finditer(text) if match[0].startswith("[")]
    return [argument.span(1) for bracket in brackets for argument in _SECRET_ARGUMENT.finditer(text, *bracket.span())]


def _expand(text: str, macros: Mapping[str, str], secrets: Mapping[str, str]) -> str:
    expanded = ""
    position = 0
    for start, end in _secret_spans(text):
        expanded += expand(text[position:start], macros) + expand(text[start:end], {**macros, **secrets})
        position = end
    return expanded + expand(text[position:], macros)


def _check_macros(text: str) -> None:
    spans = _secret_spans(text)
    for column in stray_dollars(text):
        if not any(start < column <= end for start, end in spans):
            raise RuleError("this $ begins no macro; those are written $MA or $(MA:1:3), in capitals, and a $ itself $$", column)
    for name, column in names(text):
        inside = any(start < column <= end for start, end in spans)
        if name in SECRET and not inside:
            raise RuleError(f"${name} expands only as the value of --key, --uid or --pwd", column)
        if name not in KNOWN and inside:
            raise RuleError("a $ in this value is followed by no known macro; write $$ for a dollar", column)
        if name not in KNOWN:
            near = difflib.get_close_matches(name, KNOWN, n=1, cutoff=0.5)
            hint = f"did you mean ${near[0]}?" if near else "a $ itself is written $$"
            raise RuleError(f"the macro ${name} is not known, and a phone leaves it as it is; {hint}", column)


# -- conditions


def _holds(comparison: Comparison) -> bool:
    left, right = comparison.left, comparison.right
    if left.quoted:
        return (left.text == right.text) == (comparison.operator == "eq")
    one, other = (_number(operand, comparison.column) for operand in (left, right))
    return {
        "eq": one == other,
        "ne": one != other,
        "lt": one < other,
        "le": one <= other,
        "gt": one > other,
        "ge": one >= other,
    }[comparison.operator]


def _number(operand: Operand, column: int) -> Number:
    try:
        return read_number(operand.text)
    except NumberError as error:
        raise RuleError(f"a side without quotation marks {error}", column) from error


def _check_sides(comparison: Comparison) -> None:
    left, operator, right, column = comparison.left, comparison.operator, comparison.right, comparison.column
    if left.quoted != right.quoted:
        quoted, bare = (left, right) if left.quoted else (right, left)
        if names(quoted.text) and not names(bare.text):
            raise RuleError("a quoted macro is a text; leave the quotation marks out to compare numbers or versions", column)
        raise RuleError("one side is quoted and the other is not; quote both for texts, none for numbers and versions", column)
    if left.quoted:
        if operator not in ("eq", "ne"):
            raise RuleError(
                f"{operator} compares numbers and versions, which stand without quotation marks; texts have eq and ne alone", column
            )
        return
    kinds = {_kind(operand, column) for operand in (left, right)} - {""}
    if len(kinds) > 1 and kinds not in ({"version", "dotted"}, {"version", "dashed"}):
        raise RuleError(
            "the sides are of two forms; a number goes with a number, 7.5.2b with 7.6.2, 11-0-1MPP-376 with its like", column
        )


def _kind(operand: Operand, column: int) -> str:
    """Return number, dotted, dashed, version (of either form), or nothing for a macro that may be any of them."""
    if names(operand.text):
        return "version" if operand.text.strip("$()") in ("SWVER", "HWVER") else ""
    return _number(operand, column).kind


# -- URLs


def _split_url(url: str, column: int) -> re.Match[str]:
    """Split a URL that begins at *column* into scheme, authority and path, and check what macros in it cannot change."""
    bad = _NOT_IN_URL.search(url)
    match = _URL.match(url)
    if bad or match is None:
        raise RuleError("a URL cannot hold this character; encode it with a percent sign", column + (bad.start() if bad else 0))
    scheme = match["scheme"]
    if scheme is not None and scheme.lower() not in PORTS and not names(scheme):
        named = f" {scheme}" if scheme.isalpha() else ""
        raise RuleError(f"the scheme{named} is not known; use {', '.join(PORTS)}", column)
    if "@" in match["authority"]:
        at = column + match.start("authority")
        raise RuleError("the URL holds a user name before @; write [--uid USER --pwd PASSWORD] before the URL instead", at)
    return match


def _read_url(url: str, column: int) -> Target:
    """Read a URL that begins at *column*."""
    match = _split_url(url, column)
    scheme = (match["scheme"] or "tftp").lower()
    at = column + match.start("authority")
    authority = _AUTHORITY.fullmatch(match["authority"])
    if scheme not in PORTS:
        raise RuleError(f"the scheme is not known; use {', '.join(PORTS)}", column)
    if not match["path"]:
        raise RuleError("the URL has no path; write /FILE, or http://SERVER/FILE", at)
    if not authority:
        raise RuleError("this is no server; write a name or an IPv4 address, and :PORT after it if wanted", at)
    port = authority["port"]
    if port is not None and not (re.fullmatch("[0-9]{1,5}", port) and 1 <= int(port) <= 65535):
        raise RuleError("the port is not a number between 1 and 65535", at + authority.start("port"))
    return Target(scheme, authority["server"] or None, int(port or PORTS[scheme]), match["path"])


# -- reading


class _Token(NamedTuple):
    kind: str
    """quoted, sign, bare or end."""
    text: str
    column: int


class _Parser:
    """Reads one text from left to right."""

    def __init__(self, text: str, kind: Kind) -> None:
        # In XML, line ends within a value become blanks.
        self.text = _BLANK.sub(" ", text)
        self.kind = kind
        self.position = 0
        bad = _UNPRINTABLE.search(self.text)
        if bad:
            self.fail("this is not printable ASCII; quotation marks must be straight, others written as %XX in a URL", bad.start())

    def fail(self, reason: str, at: int | None = None) -> NoReturn:
        raise RuleError(reason, (self.position if at is None else at) + 1)

    def peek(self, text: str) -> bool:
        return self.text.startswith(text, self.position)

    def skip(self) -> bool:
        """Go over blanks; tell whether anything is left."""
        while self.peek(" "):
            self.position += 1
        return self.position < len(self.text)

    def rule(self) -> Rule:
        if not self.skip() or self.peek("#"):
            return Rule()
        alternatives: list[Alternative] = []
        while True:
            start = self.position
            alternative = self.alternative()
            alternatives.append(alternative)
            if not self.skip():
                return Rule(tuple(alternatives))
            self.position += 1
            if not self.skip():
                self.fail("the last alternative is empty; leave out the |", self.text.rindex("|"))
            if not alternative.condition:
                self.fail("this alternative has no condition, so that none after it is reached; begin it with (...)?", start)

    def trigger(self) -> None:
        if not self.skip():
            return
        if self.peek("("):
            self.fail("a trigger is a condition without parentheses and ?, as in $PRVTMR ge 600")
        self.condition(self.position, len(self.text))

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
                condition = self.condition(opening + 1, closing)
            else:
                assignments = self.assignments(opening + 1, closing)
            self.skip()
        places = self.places()
        if self.position == start:
            self.fail("an alternative is empty; leave out one |")
        if self.kind == "upgrade" and not places:
            self.fail("an Upgrade_Rule names a URL in each alternative", start)
        return Alternative(condition, assignments, places)

    def group(self) -> tuple[int, str]:
        """Go over a pair of parentheses and the mark behind it; return where the closing one is, and the mark, ``?`` or ``!``."""
        opening = self.position
        self.position += 1
        while not self.peek(")"):
            match = _IN_GROUP.match(self.text, self.position)
            if not match:
                self.fail_in_group(opening)
            self.position = match.end()
        closing = self.position
        self.position += 1
        self.skip()
        if not self.peek("?") and not self.peek("!"):
            self.fail("? or ! is missing after the parenthesis; a condition is (...)? and assignments are (...)!", closing)
        self.position += 1
        return closing, self.text[self.position - 1]

    def fail_in_group(self, opening: int) -> NoReturn:
        if self.peek('"'):
            self.fail("the quotation mark is not closed")
        if self.peek("("):
            self.fail("a parenthesis stands within a parenthesis; comparisons are joined by and alone")
        self.fail("the parenthesis is not closed", opening)

    def condition(self, start: int, end: int) -> tuple[Comparison, ...]:
        tokens = [*self.tokens(start, end), *[_Token("end", "", end + 1)] * 4]
        comparisons: list[Comparison] = []
        while True:
            left, operator, right, joint = tokens[len(comparisons) * 4 :][:4]
            comparison = Comparison(_operand(left), _operator(operator), _operand(right), left.column)
            _check_sides(comparison)
            comparisons.append(comparison)
            if joint.kind == "end":
                return tuple(comparisons)
            _check_joint(joint)

    def tokens(self, start: int, end: int) -> Iterator[_Token]:
        resume = self.position
        self.position = start
        while self.skip() and self.position < end:
            match = _TOKEN.match(self.text, self.position, end)
            if not match:
                self.fail("the quotation mark is not closed" if self.peek('"') else "a parenthesis cannot stand here")
            kind = str(match.lastgroup)
            yield _Token(kind, match[kind], self.position + 1)
            self.position = match.end()
        self.position = resume

    def assignments(self, start: int, end: int) -> tuple[tuple[str, str], ...]:
        found: list[tuple[str, str]] = []
        while not found or self.text[start:end].strip():
            match = _ASSIGNMENT.match(self.text, start, end)
            if not match:
                self.fail('an assignment is written NAME = "VALUE";', start)
            if not match[3]:
                self.fail("a ; is missing after this assignment", match.end() - 1)
            found.append((match[1], match[2]))
            start = match.end()
        return tuple(found)

    def places(self) -> tuple[Place, ...]:
        found: list[Place] = []
        while self.skip() and not self.peek("|"):
            if len(found) == _MOST_PLACES[self.kind]:
                self.fail(
                    "a Report_Rule has at most two URLs"
                    if self.kind == "report"
                    else "after a URL there is at most a | with a further alternative; a URL holds no blanks"
                )
            found.append(self.place())
        return tuple(found)

    def place(self) -> Place:
        start = self.position
        options = self.options() if self.peek("[") else {}
        self.skip()
        match = _WORD.match(self.text, self.position)
        if not match:
            self.fail("no URL follows these options", start)
        if self.peek("["):
            self.fail("all options of a URL share one pair of brackets")
        if self.peek("--"):
            self.fail("options stand in brackets, as in [--key KEY] URL")
        column = self.position + 1
        self.check_url(match[0], column, "srv" in options)
        self.position = match.end()
        return Place(match[0], options, column)

    def check_url(self, url: str, column: int, srv: bool) -> None:
        match = _split_url(url, column)
        if names(match["scheme"] or "") or names(match["authority"]):
            # The macro may hold a whole URL, or any part of it.
            return
        target = _read_url(url, column)
        if self.kind == "upgrade" and target.server is None:
            raise RuleError("an Upgrade_Rule must name a server, as in http://SERVER/FILE; it takes none from DHCP", column)
        if srv and target.scheme == "tftp":
            raise RuleError("--srv looks for http and https servers alone; this URL is tftp", column)

    # -- options

    def options(self) -> dict[str, str]:
        if self.kind == "upgrade":
            self.fail("an Upgrade_Rule takes no options in brackets")
        bracket = _BRACKET.match(self.text, self.position)
        if not bracket:
            self.fail("the bracket, or a quotation mark in it, is not closed")
        end = bracket.end() - 1
        self.position += 1
        options: dict[str, str] = {}
        while self.skip() and self.position < end:
            start = self.position
            name = self.option_name()
            if name in options:
                self.fail(f"--{name} stands here twice", start)
            options[name] = "" if name in _FLAGS else self.option_value(name)
            if not self.peek(" ") and self.position < end:
                self.fail(f"--{name} takes no value" if name in _FLAGS else f"a blank is missing after the value of --{name}")
        self.position = end + 1
        return options

    def option_name(self) -> str:
        match = _OPTION_NAME.match(self.text, self.position)
        if not match:
            self.fail("an option begins with --, and a value that holds blanks stands in quotation marks")
        name = match[1]
        known = _OPTIONS[self.kind]
        if name not in known:
            # What follows could be the secret itself.
            if name.lower().startswith(_HIDDEN):
                self.fail("a blank belongs between an option and its value, as in --key KEY")
            near = difflib.get_close_matches(name.lower(), known, n=1)
            owners = [title for kind, title in _TITLES.items() if name in _OPTIONS[kind]]
            hint = f"did you mean --{near[0]}?" if near else f"known are --{', --'.join(known)}"
            shown = f"--{name}" if near or owners else "this"
            self.fail(f"{shown} is no option of a {_TITLES[self.kind]}; {f'a {owners[0]} takes it' if owners else hint}")
        self.position = match.end()
        return name

    def option_value(self, name: str) -> str:
        if self.peek("=") or self.peek('"'):
            self.fail(f"a blank belongs between --{name} and its value")
        self.skip()
        match = _QUOTED.match(self.text, self.position) or _BARE_VALUE.match(self.text, self.position)
        value = match[0].strip('"') if match else ""
        if not match or not value:
            self.fail(f"--{name} has no value")
        if name in _LETTERS and not re.fullmatch("[a-p]", value) and not names(value):
            self.fail(f"--{name} takes the letter of a general purpose parameter, from a to p")
        self.position = match.end()
        return value


def _operand(token: _Token) -> Operand:
    if token.kind in ("end", "sign") or (token.kind == "bare" and token.text in (*OPERATORS, "and")):
        raise RuleError("a value is missing here; a comparison is VALUE OPERATOR VALUE, as in $SWVER lt 2.0.6", token.column)
    return Operand(token.text, token.kind == "quoted")


def _operator(token: _Token) -> str:
    if token.kind in ("sign", "bare"):
        operator = _BY_SIGN.get(token.text, token.text)
        if operator in OPERATORS:
            return operator
        if operator in _MISTAKEN:
            raise RuleError(f"{operator} is no operator; write {_MISTAKEN[operator]}", token.column)
    words = ", ".join(f"{word} ({sign})" for word, sign in OPERATORS.items())
    raise RuleError(f"an operator is missing here: {words}", token.column)


def _check_joint(token: _Token) -> None:
    if token.kind == "quoted" or token.text not in ("and", "AND"):
        mistaken = "" if token.kind == "quoted" else _MISTAKEN_JOINTS.get(token.text, "")
        raise RuleError(mistaken or "the comparison ends before this; the next one is joined to it by and", token.column)


def _format_option(name: str, value: str) -> str:
    if name in _FLAGS:
        return f"--{name}"
    # A macro may expand to blanks.
    return f"--{name} {value}" if _BARE_VALUE.fullmatch(value) and "$" not in value else f'--{name} "{value}"'
