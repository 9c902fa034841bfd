# SPDX-License-Identifier: GPL-3.0-or-later
"""No function is longer than a screen; ruff limits complexity and parameters."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]
MAX_LINES = 50
FOLDERS = ("plugins", "roles", "playbooks", "extensions", "tests")

# A migration that stations have run is never edited
EXCEPTIONS = {"roles/profile_service/files/preprovision_service/store/migrations/versions/0001_the_first_tables.py:upgrade"}


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield every function, at any depth; expressions contain none."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
        if isinstance(node, ast.stmt | ast.excepthandler | ast.match_case):
            yield from functions(node)


def lengths() -> Iterator[tuple[str, int]]:
    """Yield "file:name" and the number of lines, without decorators, of every function."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            for function in functions(ast.parse(path.read_text())):
                lines = (function.end_lineno or function.lineno) - function.lineno + 1
                yield f"{path.relative_to(ROOT)}:{function.name}", lines


def test_no_function_is_too_long():
    found = list(lengths())
    assert len(found) > 3000
    assert {name for name, lines in found if lines > MAX_LINES} == EXCEPTIONS
