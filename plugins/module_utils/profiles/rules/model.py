# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a Profile_Rule, Upgrade_Rule or Report_Rule consists of; each part prints itself with str().

::

    rule        = alternative { "|" alternative }
    alternative = [ "(" comparison { "and" comparison } ")?" ] [ "(" { Name = "value"; } ")!" ] [ [ "[" options "]" ] URL ]
    URL         = [scheme://][server[:port]]/path

Sources: "Conditional expressions", "Profile rules", "Optional resync arguments", "URL syntax", "Upgrade rule" and "Report rule" of
the SPA, ATA 191/192 and MPP provisioning guides. A rule may hold macros anywhere; a phone expands them before it reads the rule.
What only firmware before 2.0.6 accepts is refused: a comparison without its left side, and ``!`` for ``!=``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

FLAG_OPTIONS = ("srv", "delta", "status")
"""Options that take no value."""

BARE_VALUE = re.compile(r'(?!--)[^\s"\[\]]+')
"""Value of an option that needs no quotation marks."""


class RuleKind(StrEnum):
    """Which parameter holds the rule."""

    PROFILE = "profile"
    UPGRADE = "upgrade"
    REPORT = "report"

    @property
    def parameter(self) -> str:
        """The parameter's name: Profile_Rule."""
        return f"{self.value.capitalize()}_Rule"

    @property
    def options(self) -> tuple[str, ...]:
        """Names of the options that the rule takes in brackets before a URL."""
        return _OPTIONS[self]

    @property
    def max_targets(self) -> int:
        """How many URLs an alternative may have."""
        return 2 if self is RuleKind.REPORT else 1


_OPTIONS: Mapping[RuleKind, tuple[str, ...]] = {
    RuleKind.PROFILE: ("key", "uid", "pwd", "post", "alias", "srv"),
    RuleKind.UPGRADE: (),
    RuleKind.REPORT: ("key", "uid", "pwd", "delta", "status"),
}


class Operator(StrEnum):
    """Operator of a comparison, as a word, since XML needs no escape for it."""

    EQ = "eq"
    NE = "ne"
    LT = "lt"
    LE = "le"
    GT = "gt"
    GE = "ge"

    @property
    def sign(self) -> str:
        """The operator as a sign, such as ``<=``."""
        return _SIGNS[self]

    @property
    def compares_texts(self) -> bool:
        """Whether it compares texts too; the others compare only numbers and versions."""
        return self in (Operator.EQ, Operator.NE)


_SIGNS: Mapping[Operator, str] = dict(zip(Operator, ("=", "!=", "<", "<=", ">", ">="), strict=True))


class Additions(NamedTuple):
    """What phones take in rules though no guide says so; their family names it."""

    macros: tuple[str, ...] = ()
    schemes: tuple[str, ...] = ()
    """In small letters; what follows such a scheme is not read."""


class RuleError(ValueError):
    """A phone cannot follow the rule. The message gives column (from 1), reason and what would be right; it quotes no secret."""

    def __init__(self, reason: str, column: int, where: str = "") -> None:
        super().__init__(reason, column, where)
        self.reason = reason
        self.column = column
        self.where = where
        """Which text the column counts in, if it is not the rule as typed: `` of the expanded rule``."""

    def __str__(self) -> str:
        return f"column {self.column}{self.where}: {self.reason}"


@dataclass(frozen=True)
class Target:
    """Where to fetch; server is None if the address comes from DHCP."""

    scheme: str
    server: str | None
    port: int
    path: str


@dataclass(frozen=True)
class Operand:
    """One side of a comparison: a text if quoted, else a number, a version, or a macro that expands to one."""

    text: str
    quoted: bool

    def __str__(self) -> str:
        return f'"{self.text}"' if self.quoted else self.text


@dataclass(frozen=True)
class Comparison:
    """``left operator right``."""

    left: Operand
    operator: Operator
    right: Operand
    column: int = field(default=1, compare=False, repr=False)

    def __str__(self) -> str:
        return f"{self.left} {self.operator} {self.right}"


@dataclass(frozen=True)
class RuleTarget:
    """A URL as typed, and the options in brackets before it: name without dashes -> value, empty for one that takes none."""

    url: str
    options: Mapping[str, str] = field(default_factory=dict, repr=False)
    column: int = field(default=1, compare=False, repr=False)

    def __str__(self) -> str:
        options = " ".join(_format_option(name, value) for name, value in self.options.items())
        return f"[{options}] {self.url}" if options else self.url


def _format_option(name: str, value: str) -> str:
    if name in FLAG_OPTIONS:
        return f"--{name}"
    # A macro may expand to blanks
    return f"--{name} {value}" if BARE_VALUE.fullmatch(value) and "$" not in value else f'--{name} "{value}"'


@dataclass(frozen=True)
class Alternative:
    """One alternative: its condition, the values that it assigns to the phone's parameters (name, value), and where it leads."""

    condition: tuple[Comparison, ...] = ()
    assignments: tuple[tuple[str, str], ...] = ()
    targets: tuple[RuleTarget, ...] = ()
    """At most one; a Report_Rule may have two."""

    def __str__(self) -> str:
        parts = [f"({' and '.join(map(str, self.condition))})?"] if self.condition else []
        if self.assignments:
            assigned = " ".join(f'{name} = "{value}";' for name, value in self.assignments)
            parts.append(f"({assigned})!")
        return " ".join([*parts, *map(str, self.targets)])


@dataclass(frozen=True)
class Rule:
    """A rule; without alternatives it is empty, and a phone goes on to the next. str() prints it, keys included."""

    alternatives: tuple[Alternative, ...] = ()

    def __str__(self) -> str:
        return " | ".join(map(str, self.alternatives))


@dataclass(frozen=True)
class Destination:
    """Where a rule leads a phone, and with which options (see RuleTarget)."""

    target: Target
    options: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Resolution:
    """What a rule makes a phone do: assign values, then go to the destinations."""

    assignments: Mapping[str, str] = field(default_factory=dict, repr=False)
    destinations: tuple[Destination, ...] = ()
    """Empty if the rule only assigns; a Report_Rule may have two."""

    @property
    def target(self) -> Target | None:
        """Return the target of the first destination."""
        return self.destinations[0].target if self.destinations else None

    @property
    def options(self) -> Mapping[str, str]:
        """Return the options of the first destination."""
        return self.destinations[0].options if self.destinations else {}
