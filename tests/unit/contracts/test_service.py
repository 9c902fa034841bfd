# SPDX-License-Identifier: GPL-3.0-or-later
"""The profile service ships exactly the domain packages that it needs, and its parts import exactly what the table allows."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest
from parsed_files import read_python, read_yaml

ROOT = Path(__file__).parents[3]
DOMAIN = ROOT / "plugins/module_utils"
ROLE = ROOT / "roles/profile_service"
SERVICE = ROLE / "files/preprovision_service"

# The parts of the service that each part may import from, besides itself
ALLOWED: dict[str, set[str]] = {
    "clock": set(),
    "settings": set(),
    "store": {"clock"},
    "manifest": set(),
    "station": {"clock", "store"},
    "profile_cache": {"store"},
    "receiving": {"clock", "store"},
    # The grace time of phones that are done ends by the clock
    "ingest": {"clock", "store"},
    # Keeps a phone's record as the customer's database has it
    "live_rows": {"profile_cache", "store"},
    "http": {"clock", "live_rows", "manifest", "profile_cache", "receiving", "station", "store"},
    "app": {"http", "settings", "store"},
    "cli": {"app", "clock", "http", "manifest", "settings", "station", "store"},
}


@cache
def imports(folder: Path, path: Path) -> frozenset[str]:
    """Return the relative imports of *path*, as paths relative to *folder*."""
    found: set[str] = set()
    for node in ast.walk(read_python(path)):
        if isinstance(node, ast.ImportFrom) and node.level:
            above = path.relative_to(folder).parts[: -node.level]
            name = [*above, *(node.module or "").split(".")] if node.module else [*above]
            found |= {"/".join(name)} if node.module else {"/".join([*name, alias.name]) for alias in node.names}
    return frozenset(found)


def package_of(name: str) -> str:
    """Return a domain module's package; return a package unchanged."""
    return name if (DOMAIN / name).is_dir() else name.rpartition("/")[0]


def domain_closure() -> set[str]:
    """Return the domain packages that the service imports, directly or not."""
    names = {name for path in SERVICE.rglob("*.py") for name in imports(SERVICE, path)}
    found: set[str] = set()
    waiting = {package_of(name.removeprefix("domain/")) for name in names if name.startswith("domain/")}
    while waiting:
        package = waiting.pop()
        found.add(package)
        waiting |= {package_of(name) for path in (DOMAIN / package).glob("*.py") for name in imports(DOMAIN, path)} - found
    return found


def test_role_installs_exactly_the_domain_packages_that_the_service_needs():
    listed = read_yaml(ROLE / "vars/main.yml")["__profile_service_domain"]
    assert listed == sorted(domain_closure())
    assert {"common", "events/progress", "publishing"} <= set(listed)
    assert not {"emulator", "station", "dhcp", "nat"} & set(listed)


def test_every_part_of_the_service_is_in_the_table():
    parts = {path.relative_to(SERVICE).parts[0].removesuffix(".py") for path in SERVICE.rglob("*.py")}
    assert parts - {"__init__"} == set(ALLOWED)


@pytest.mark.parametrize("part", ALLOWED)
def test_parts_import_exactly_what_the_table_allows(part):
    paths = [SERVICE / f"{part}.py"] if (SERVICE / f"{part}.py").exists() else sorted((SERVICE / part).rglob("*.py"))
    used = {name.split("/")[0] for path in paths for name in imports(SERVICE, path)}
    assert used - {part, "domain"} == ALLOWED[part]


@pytest.mark.parametrize("path", sorted(SERVICE.rglob("*.py")), ids=lambda path: path.relative_to(SERVICE).as_posix())
def test_no_private_name_is_imported(path):
    names = [alias.name for node in ast.walk(read_python(path)) if isinstance(node, ast.ImportFrom) for alias in node.names]
    assert [name for name in names if name.startswith("_")] == []
