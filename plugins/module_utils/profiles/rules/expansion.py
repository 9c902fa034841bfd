# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Macros in rules: secret ones expand only as values of ``--key``, ``--uid`` and ``--pwd``."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..macros import expand

BRACKET = re.compile(r'"[^"]*"|\[(?:"[^"]*"|[^"\]])*\]')
"""A quoted text, or the options in brackets, in which quoted texts may hold brackets."""

_SECRET_ARGUMENT = re.compile(r'--(?:key|uid|pwd)\s+("[^"]*"|[^\s"\[\]]+)')


def expand_rule(text: str, macros: Mapping[str, str], secrets: Mapping[str, str]) -> str:
    """Return the rule as a phone reads it; *secrets* (SA to SD) expand only where the rule takes a secret."""
    expanded = ""
    position = 0
    for start, end in secret_spans(text):
        expanded += expand(text[position:start], macros) + expand(text[start:end], {**macros, **secrets})
        position = end
    return expanded + expand(text[position:], macros)


def secret_spans(text: str) -> list[tuple[int, int]]:
    """Return start and end of the values of --key, --uid and --pwd."""
    brackets = [match for match in BRACKET.finditer(text) if match[0].startswith("[")]
    return [argument.span(1) for bracket in brackets for argument in _SECRET_ARGUMENT.finditer(text, *bracket.span())]
