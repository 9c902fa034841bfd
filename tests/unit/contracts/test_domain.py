# SPDX-License-Identifier: GPL-3.0-or-later
"""The domain code knows no Ansible, and can be imported without the packages that it would like to have."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DOMAIN = sorted(path.name for path in (ROOT / "plugins/module_utils").glob("*.py"))
OPTIONAL = {"netaddr", "cryptography", "jinja2"}
CODE = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ("plugins", "roles", "playbooks", "inventories", "extensions", "tests")
    for kind in ("*.py", "*.yml", "*.yaml")
    for path in (ROOT / folder).rglob(kind)
    if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
)


def imports(tree: ast.AST, guarded: bool = False) -> Iterator[tuple[int, str, bool]]:
    """Level, first name, and whether an ImportError is caught, of every import at any depth."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name.split(".")[0], guarded) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.level, (node.module or "").split(".")[0], guarded
        elif isinstance(node, ast.Try):
            caught = {name.id for handler in node.handlers for name in ast.walk(handler) if isinstance(name, ast.Name)}
            yield from imports(node, "ImportError" in caught)
        else:
            yield from imports(node, guarded)


def test_there_is_domain_code():
    assert {"mac.py", "phone.py", "profile.py", "sealing.py"} <= set(DOMAIN)
    assert {"plugins/module_utils/mac.py", "roles/bench/tasks/main.yml"} <= set(CODE)


@pytest.mark.parametrize("name", DOMAIN)
def test_domain_code_imports_the_standard_library_its_like_and_optional_packages(name):
    tree = ast.parse((ROOT / "plugins/module_utils" / name).read_text())
    for level, module, guarded in imports(tree):
        if level:
            assert (level, f"{module}.py" in DOMAIN) == (1, True)
        elif module in OPTIONAL:
            assert guarded, f"{module} is imported without a way to do without"
        else:
            assert module in sys.stdlib_module_names


@pytest.mark.parametrize("path", CODE)
def test_files_carry_their_licence(path):
    head = (ROOT / path).read_text().splitlines()[:3]
    assert any("SPDX-License-Identifier: GPL-3.0-or-later" in line for line in head)
