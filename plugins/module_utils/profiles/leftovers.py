# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Expressions of a template language in a value that nothing has rendered: a phone would take them as text.

Sources: public templates of provisioning systems. FusionPBX writes Smarty (``{$account.1.user_id}``, ``{if isset($x)}``,
``{foreach ...}``), wazo Jinja2, Provisioner Twig, which is written as Jinja2 is, XiVO before it Python (``%(sip_proxy)s``), 3CX
``%%extension_number%%``, FreePBX ``__line1Ext__``, BroadWorks ``%BWLINEPORT-1%``; others write PHP, Ruby's ERB, Perl's Template
Toolkit, Python's ``{user_id}``, FreeMarker, Velocity, and shell variables. No value of a phone is written like this: its own macros
are ``$NAME`` and ``$(NAME)``, and dial plans in braces, as Grandstream's ``{ x+ | *xx }``, hold no words.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class _Language(NamedTuple):
    name: str
    opening: str
    """Regular expression of what an expression begins with."""
    closing: str | tuple[str, ...]
    """What it ends with; one of these."""


_LANGUAGES = (
    _Language("Jinja2", r"\{\{|\{%|\{#(?=.*#\})", "}"),
    _Language(
        "Smarty",
        r"\{\$|\{\*\s(?=.*\s\*\})|\{/(?=[a-z_]+\})"
        r"|\{(?:if|elseif|else|foreach|section|literal|assign|include|while|strip|capture|ldelim|rdelim)\b(?=[^{}]*\})",
        "}",
    ),
    _Language("PHP", r"<\?(?:php\b|=|\s)", "?>"),
    _Language("ERB", "<%", "%>"),
    _Language("Template Toolkit", r"\[%", "%]"),
    _Language("FreeMarker", r"</?#(?=[a-z])", ">"),
    _Language("Velocity", r"#(?=(?:if|elseif|foreach|set)\b ?\()|\$!\{?(?=[a-z])", (")", "}", "end")),
    # Longer than two letters, or it could be a percent-encoded one: %C3%A4
    _Language("BroadWorks", r"%(?=[A-Z][A-Z0-9_-]{2,}%)", "%"),
    _Language("Python", r"%\((?=\w+\)[-0-9.]*[sdifx])|\{(?=(?!x+\})[a-z_]{3,}\})", ("s", "d", "i", "f", "x", "}")),
    _Language("3CX", r"%%(?=[A-Za-z][\w:.]*%%)", "%%"),
    _Language("FreePBX", r"__(?=[A-Za-z][\w.]*__)", "__"),
    _Language("the shell", r"[$#]\{", "}"),
)
_OPENING = re.compile("|".join(f"({language.opening})" for language in _LANGUAGES))


def has_leftover(text: str) -> bool:
    """Tell whether an expression begins anywhere in *text*, which may be many values."""
    return _OPENING.search(text) is not None


def leftover(value: str, secret: bool = False) -> tuple[str, str]:
    """Return the beginning of the first expression in *value* and its language; both are empty if there is none.

    A *secret* value may hold such characters by chance, so all of it must be one expression.
    """
    match = _OPENING.match(value) if secret else _OPENING.search(value)
    if not match or match.lastindex is None:
        return "", ""
    language = _LANGUAGES[match.lastindex - 1]
    if secret and not value.endswith(language.closing):
        return "", ""
    return match[0], language.name
