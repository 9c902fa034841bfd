# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Follow a rule as a phone does."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping

from ...common.versions import Number
from .conditions import read_operand
from .expansion import expand_rule
from .model import Comparison, Destination, Operator, Resolution, Rule, RuleKind
from .parser import parse_rule
from .urls import parse_url

_COMPARE: Mapping[Operator, Callable[[Number, Number], bool]] = {
    Operator.EQ: operator.eq,
    Operator.NE: operator.ne,
    Operator.LT: operator.lt,
    Operator.LE: operator.le,
    Operator.GT: operator.gt,
    Operator.GE: operator.ge,
}


def evaluate(
    rule: str | Rule, macros: Mapping[str, str], secrets: Mapping[str, str], kind: RuleKind = RuleKind.PROFILE
) -> Resolution | None:
    """Expand the macros, then take the first alternative whose condition holds.

    *secrets* (SA to SD) expand only as values of --key, --uid and --pwd. Return None if no condition holds or the rule is empty.
    Raise RuleError, with a column of the expanded rule, if the rule or a comparison cannot be read.
    """
    for alternative in parse_rule(expand_rule(str(rule), macros, secrets), kind).alternatives:
        if all(map(_holds, alternative.condition)):
            destinations = tuple(
                Destination(parse_url(target.url, target.column), target.options) for target in alternative.targets
            )
            return Resolution(dict(alternative.assignments), destinations)
    return None


def _holds(comparison: Comparison) -> bool:
    left, right = comparison.left, comparison.right
    if left.quoted:
        return (left.text == right.text) == (comparison.operator is Operator.EQ)
    one, other = (read_operand(operand, comparison.column) for operand in (left, right))
    return _COMPARE[comparison.operator](one, other)
