# SPDX-License-Identifier: GPL-3.0-or-later
"""The repository's files, each parsed once for all contract tests; tests must not change the returned objects."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import Any

import yaml


@cache
def read_yaml(path: Path) -> Any:
    """Return a file's YAML document."""
    return parse_yaml(path.read_text())


@cache
def parse_yaml(text: str) -> Any:
    """Return a YAML document; libyaml parses about ten times as fast as Python code."""
    return yaml.load(text, Loader=yaml.CSafeLoader)


@cache
def read_python(path: Path) -> ast.Module:
    """Return a file's syntax tree."""
    return ast.parse(path.read_text())
