# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Read conditions: comparisons joined by ``and``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import Enum, auto
from typing import NamedTuple

from ...common.versions import Number, NumberError, NumberKind, read_number
from ..macros import names
from .model import Comparison, Operand, Operator, RuleError

_BY_SPELLING: Mapping[str, Operator] = {**{each.value: each for each in Operator}, **{each.sign: each for each in Operator}}
_MISTAKEN = {"==": "=", "!": "!=", "<>": "!=", "=<": "<=", "=>": ">=", **{each.upper(): each.value for each in Operator}}
_MISTAKEN_JOINTS = {
    **dict.fromkeys(("or", "OR", "|", "||"), "a condition has no or; write another alternative after a |"),
    **dict.fromkeys(("&", "&&"), "join comparisons by the word and"),
}
_VERSION_MACROS = ("SWVER", "HWVER")

_TOKEN = re.compile(
    r'"(?P<QUOTED>[^"]*)"'
    r"|(?P<SIGN>[=!<>&|]+)"
    r'|(?P<BARE>(?:\$\([^()\s"]*\)|(?<=[0-9])\([0-9A-Za-z]+\)|[^\s"()=!<>&|])+)'
)


class _TokenKind(Enum):
    QUOTED = auto()
    SIGN = auto()
    BARE = auto()
    END = auto()


class _Token(NamedTuple):
    kind: _TokenKind
    text: str
    column: int


def parse_condition(text: str, start: int, end: int) -> tuple[Comparison, ...]:
    """Read the comparisons between two positions of *text*; raise RuleError."""
    tokens = [*_tokens(text, start, end), *[_Token(_TokenKind.END, "", end + 1)] * 4]
    comparisons: list[Comparison] = []
    while True:
        left, operator, right, joint = tokens[len(comparisons) * 4 :][:4]
        comparison = Comparison(_operand(left), _operator(operator), _operand(right), left.column)
        _check_sides(comparison)
        comparisons.append(comparison)
        if joint.kind is _TokenKind.END:
            return tuple(comparisons)
        _check_joint(joint)


def read_operand(operand: Operand, column: int) -> Number:
    """Return the number or version that an operand without quotation marks is; raise RuleError."""
    try:
        return read_number(operand.text)
    except NumberError as error:
        raise RuleError(f"a side without quotation marks {error}", column) from error


def _tokens(text: str, start: int, end: int) -> Iterator[_Token]:
    position = start
    while position < end:
        if text[position] == " ":
            position += 1
            continue
        match = _TOKEN.match(text, position, end)
        if not match:
            reason = "the quotation mark is not closed" if text[position] == '"' else "unexpected parenthesis"
            raise RuleError(reason, position + 1)
        name = str(match.lastgroup)
        yield _Token(_TokenKind[name], match[name], position + 1)
        position = match.end()


def _operand(token: _Token) -> Operand:
    is_word = token.kind is _TokenKind.BARE and token.text in (*Operator, "and")
    if is_word or token.kind in (_TokenKind.END, _TokenKind.SIGN):
        raise RuleError("a value is missing here; a comparison is VALUE OPERATOR VALUE, such as $SWVER lt 2.0.6", token.column)
    return Operand(token.text, token.kind is _TokenKind.QUOTED)


def _operator(token: _Token) -> Operator:
    if token.kind in (_TokenKind.SIGN, _TokenKind.BARE):
        operator = _BY_SPELLING.get(token.text)
        if operator:
            return operator
        if token.text in _MISTAKEN:
            raise RuleError(f"unknown operator {token.text}; write {_MISTAKEN[token.text]}", token.column)
    words = ", ".join(f"{operator} ({operator.sign})" for operator in Operator)
    raise RuleError(f"an operator is missing here; expected one of {words}", token.column)


def _check_joint(token: _Token) -> None:
    if token.kind is _TokenKind.QUOTED or token.text not in ("and", "AND"):
        mistaken = "" if token.kind is _TokenKind.QUOTED else _MISTAKEN_JOINTS.get(token.text, "")
        raise RuleError(mistaken or "the comparison ends before this; join the next one to it by and", token.column)


def _check_sides(comparison: Comparison) -> None:
    left, operator, right, column = comparison.left, comparison.operator, comparison.right, comparison.column
    if left.quoted != right.quoted:
        quoted, bare = (left, right) if left.quoted else (right, left)
        if names(quoted.text) and not names(bare.text):
            raise RuleError("a quoted macro is a text; leave the quotation marks out to compare numbers or versions", column)
        raise RuleError("one side is quoted and the other is not; quote both for texts, none for numbers and versions", column)
    if left.quoted:
        if not operator.compares_texts:
            raise RuleError(
                f"{operator} compares only numbers and versions, which have no quotation marks; compare texts by eq or ne",
                column,
            )
        return
    one, other = (_possible_kinds(operand, column) for operand in (left, right))
    if not one & other:
        raise RuleError(
            "the sides have different forms; compare numbers with numbers, 7.5.2b with 7.6.2, 11-0-1MPP-376 with 11-0-1MPP-401",
            column,
        )


def _possible_kinds(operand: Operand, column: int) -> set[NumberKind]:
    """Return what the operand can be: a macro may expand to anything, except those of versions."""
    if not names(operand.text):
        return {read_operand(operand, column).kind}
    if operand.text.strip("$()") in _VERSION_MACROS:
        return {NumberKind.DOTTED, NumberKind.DASHED}
    return set(NumberKind)
