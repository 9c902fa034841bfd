# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Refuse rules and triggers that a phone would skip or misread, before they are published."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from ...common.suggest import did_you_mean, nearest
from ..macros import KNOWN, SECRET, names, stray_dollars
from .expansion import expand_rule, secret_spans
from .model import Additions, RuleError, RuleKind
from .parser import parse_rule, parse_trigger

_MIN_SIMILARITY = 0.5
_BARE_PART = re.compile(r"\$[A-Z]{2,6}:[0-9]{1,2}:[0-9]{1,2}(?![0-9:])")
NOTHING_MORE = Additions()


def check_rule(text: str, kind: RuleKind, macros: Mapping[str, str], more: Additions = NOTHING_MORE) -> None:
    """Raise RuleError for a rule that a phone would skip or misread.

    *macros* are those known before the phone is unpacked; *more*: what its family knows beyond the guides. Columns count
    in the rule as typed, unless the message says otherwise.
    """
    comment = re.match(r"\s*#", text)
    if comment:
        raise RuleError("a phone skips a rule that begins with #; leave it empty instead", comment.end())
    typed: RuleError | None = None
    try:
        parse_rule(text, kind, more.schemes)
    except RuleError as error:
        # Macros may make it right
        typed = error
    secrets = {name: value for name, value in macros.items() if name in SECRET}
    expanded = expand_rule(text, {name: value for name, value in macros.items() if name not in SECRET}, secrets)
    try:
        parse_rule(expanded, kind, more.schemes)
    except RuleError as error:
        raise typed or RuleError(error.reason, error.column, " of the expanded rule") from error
    _check_macros(text, more.macros)


def check_trigger(text: str, more: Additions = NOTHING_MORE) -> None:
    """Raise RuleError unless *text* is empty or a condition as Resync_Trigger_1 and _2 take it, without parentheses."""
    parse_trigger(text)
    _check_macros(text, more.macros)


def _check_macros(text: str, more: Iterable[str]) -> None:
    spans = secret_spans(text)
    known = {*KNOWN, *more}
    for column in stray_dollars(text):
        if not any(start < column <= end for start, end in spans):
            raise RuleError("this $ begins no macro; write $MA or $(MA:1:3) in capitals, and $$ for a dollar sign", column)
    for part in _BARE_PART.finditer(text):
        if not any(start < part.start() + 1 <= end for start, end in spans):
            raise RuleError(f"a part of a macro stands in parentheses: write $({part[0][1:]})", part.start() + 1)
    for name, column in names(text):
        inside = any(start < column <= end for start, end in spans)
        if name in SECRET and not inside:
            raise RuleError(f"${name} expands only as the value of --key, --uid or --pwd", column)
        if name not in known and inside:
            raise RuleError("no known macro follows a $ in this value; write $$ for a dollar sign", column)
        if name not in known:
            near = nearest(name, sorted(known), _MIN_SIMILARITY)
            hint = did_you_mean(near and f"${near}") or "; write $$ for a dollar sign"
            raise RuleError(f"unknown macro '${name}', which a phone leaves as it is{hint}", column)
