# SPDX-License-Identifier: GPL-3.0-or-later
"""The domain code does not import Ansible, works without optional packages, and respects its layers."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from itertools import islice
from pathlib import Path

import pytest
from parsed_files import read_python

ROOT = Path(__file__).parents[3]
DOMAIN = ROOT / "plugins/module_utils"
ARCHITECTURE = ROOT / "docs/contributors/architecture.md"
MODULES = {path.relative_to(DOMAIN).with_suffix("").as_posix(): path for path in sorted(DOMAIN.rglob("*.py"))}
OPTIONAL = {"netaddr", "cryptography", "jinja2"}

# The packages that each package may import from, besides itself; adding an arrow is a design decision
ALLOWED: dict[str, set[str]] = {
    "common": set(),
    "profiles": {"common"},
    "profiles/rules": {"common", "profiles"},
    "profiles/sealing": {"common", "profiles"},
    "families": {"common", "profiles", "profiles/sealing"},
    "firmware": {"common", "profiles/rules", "families"},
    "phones": {"common", "profiles", "profiles/sealing", "families", "firmware"},
    "publishing": {"common", "profiles", "profiles/rules", "profiles/sealing", "families", "firmware", "phones"},
    "bench": {"common"},
    "dhcp": {"common", "families", "bench"},
    "certificates": {"common", "families"},
    "events/logs": {"common", "profiles", "families"},
    "events/causes": {"common", "events/logs"},
    "events/progress": {"families", "events/logs", "events/causes"},
    "events/diagnosis": {"common", "events/logs", "events/causes", "events/progress"},
    "nat": set(),
    "fleet": set(),
    "emulator/device": {"common", "profiles", "profiles/rules", "families", "firmware", "phones", "events/causes"},
    "emulator/fetching": {
        "common",
        "profiles",
        "profiles/rules",
        "profiles/sealing",
        "families",
        "certificates",
        "events/causes",
        "emulator/device",
    },
    "emulator/resync": {
        "common",
        "profiles",
        "profiles/rules",
        "profiles/sealing",
        "families",
        "firmware",
        "events/logs",
        "events/causes",
        "events/progress",
        "emulator/device",
        "emulator/fetching",
    },
    "emulator": {
        "common",
        "profiles",
        "profiles/rules",
        "families",
        "phones",
        "events/causes",
        "events/progress",
        "emulator/device",
        "emulator/fetching",
        "emulator/resync",
    },
    "emulator/load": {"common", "families", "phones", "emulator", "emulator/device"},
    "emulator/wire": {
        "common",
        "profiles/rules",
        "phones",
        "dhcp",
        "certificates",
        "emulator",
        "emulator/device",
        "emulator/load",
    },
    "reports": {
        "common",
        "families",
        "bench",
        "certificates",
        "emulator",
        "emulator/device",
        "events/logs",
        "events/causes",
        "events/progress",
        "events/diagnosis",
    },
    "station": {"common", "publishing", "bench", "dhcp", "certificates", "events/logs", "events/diagnosis", "station/agents"},
    "station/backup": {"common", "station"},
    "station/agents": {"common", "dhcp"},
    "station/managed": {"common"},
}

# Modules that touch the machine; a package without one is pure
IMPURE_IMPORTS = {"os", "socket", "subprocess", "time", "threading"}
IMPURE = {
    "common/database_faults",
    "common/durable",
    "common/notify",
    "common/processes",
    "firmware/store",
    "phones/row_database",
    "publishing/evidence",
    "publishing/generations",
    "publishing/transfer",
    "dhcp/discovery",
    "dhcp/kea_control",
    "dhcp/lease_file",
    "dhcp/leases",
    "dhcp/pair_keeper",
    "dhcp/take_over",
    "dhcp/watch",
    "certificates/tls_scan",
    "nat/discovery",
    "emulator/wire/bench_lan",
    "emulator/wire/dhcp",
    "emulator/wire/exchange",
    "emulator/wire/home",
    "emulator/wire/http",
    "emulator/wire/load_test",
    "emulator/wire/namespace",
    "emulator/wire/system_clock",
    "emulator/wire/tftp",
    "emulator/wire/unit_macs",
    "station/agents/address_watch",
    "station/agents/arming",
    "station/agents/firewall_alerts",
    "station/agents/health",
    "station/agents/log_bound",
    "station/agents/log_receiver",
    "station/agents/neighbours",
    "station/agents/questions",
    "station/agents/units",
    "station/backup/archive",
    "station/backup/database",
    "station/backup/packing",
    "station/backup/restore",
    "station/baseline",
    "station/bench_ports",
    "station/check_certificates",
    "station/check_phones",
    "station/commands",
    "station/dhcp_servers",
    "station/facts",
    "station/backup/file_swap",
    "station/host_state",
    "station/managed/accounts",
    "station/managed/apply",
    "station/managed/files",
    "station/managed/trees",
    "station/managed/units",
    "station/offline_bundle",
    "station/retirement",
    "station/published_facts",
    "station/service_facts",
    "station/shredding",
    "station/teardown",
}

CODE = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ("plugins", "roles", "playbooks", "inventories", "extensions", "tests")
    for kind in ("*.py", "*.yml", "*.yaml")
    for path in (ROOT / folder).rglob(kind)
    if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
)


@cache
def imports_of(module: str) -> list[tuple[int, str, bool]]:
    """Return (level, dotted name, whether an ImportError is caught) of every import of a domain module."""
    return list(imports(read_python(MODULES[module])))


def imports(tree: ast.AST, guarded: bool = False) -> Iterator[tuple[int, str, bool]]:
    """Yield (level, dotted name, whether an ImportError is caught) of every import at any depth."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name, guarded) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.level, node.module or "", guarded
        elif isinstance(node, ast.Try):
            caught = {name.id for handler in node.handlers for name in ast.walk(handler) if isinstance(name, ast.Name)}
            yield from imports(node, "ImportError" in caught)
        else:
            yield from imports(node, guarded)


def package_of(module: str) -> str:
    return module.rpartition("/")[0]


def resolve(module: str, level: int, name: str) -> str:
    """Return the module or package named by a relative import in *module*."""
    parents = module.split("/")[:-level]
    return "/".join([*parents, *filter(None, name.split("."))])


def absolute_imports(module: str) -> set[str]:
    return {name.split(".")[0] for level, name, _guarded in imports_of(module) if not level}


def test_finds_domain_code():
    assert {"common/mac", "phones/phone", "profiles/sealing/model", "emulator/wire/dhcp"} <= set(MODULES)
    assert {"plugins/module_utils/common/mac.py", "roles/bench/tasks/main.yml"} <= set(CODE)
    assert {package_of(module) for module in MODULES if not module.endswith("/__init__")} == set(ALLOWED)


@pytest.mark.parametrize("module", MODULES)
def test_domain_code_imports_only_itself_the_standard_library_and_optional_packages(module):
    for level, name, guarded in imports_of(module):
        top = name.split(".")[0]
        if level:
            assert resolve(module, level, name) in MODULES, f"import modules, not packages: {name}"
        elif top in OPTIONAL:
            assert guarded, f"{top} is imported without catching ImportError"
        else:
            assert top in sys.stdlib_module_names


@pytest.mark.parametrize("package", ALLOWED)
def test_packages_import_exactly_what_the_table_allows(package):
    used = {
        package_of(resolve(module, level, name))
        for module in MODULES
        if package_of(module) == package
        for level, name, _guarded in imports_of(module)
        if level
    }
    assert used - {package} == ALLOWED[package]


def test_table_has_no_cycle():
    done: set[str] = set()
    while ready := {package for package, below in ALLOWED.items() if package not in done and below <= done}:
        done |= ready
    assert done == set(ALLOWED)


def test_only_listed_modules_touch_the_machine():
    assert {module for module in MODULES if absolute_imports(module) & IMPURE_IMPORTS} == IMPURE


@pytest.mark.parametrize("path", [*MODULES.values(), *ROOT.glob("plugins/modules/*.py")], ids=lambda path: path.stem)
def test_one_module_starts_programs(path):
    """What tests/sanity/ignore-2.21.txt says of ansible-test's rule is said of that module only."""
    calls = (
        r"subprocess\.(?:run|call|check_\w+|get\w*output|Popen)",
        r"os\.(?:popen|system|spawn\w*|posix_spawn\w*)",
        r"create_subprocess_\w+",
    )
    assert bool(re.search("|".join(calls), path.read_text())) == (path == MODULES["common/processes"])


@pytest.mark.parametrize("path", [path for path in MODULES.values() if path.name == "__init__.py"], ids=str)
def test_init_files_are_empty(path):
    """AnsiballZ ships an __init__'s imports with every module that imports from the package."""
    assert read_python(path).body == []


def begins_with_licence(path: str) -> bool:
    with (ROOT / path).open() as file:
        return any("SPDX-License-Identifier: GPL-3.0-or-later" in line for line in islice(file, 3))


def test_files_begin_with_their_licence():
    assert [path for path in CODE if not begins_with_licence(path)] == []


def below(package: str) -> set[str]:
    """Return all packages that *package* imports, directly or not."""
    return ALLOWED[package].union(*map(below, ALLOWED[package]))


def dependency_graph() -> str:
    """Return the table as a Mermaid graph, without arrows that follow from others."""
    arrows = [
        f"    {package.replace('/', '_')} --> {target.replace('/', '_')}"
        for package, targets in ALLOWED.items()
        for target in sorted(targets)
        if not any(target in below(other) for other in targets)
    ]
    nodes = [f"    {package.replace('/', '_')}[{package}]" for package in ALLOWED]
    return "\n".join(["```mermaid", "graph BT", *nodes, *arrows, "```"])


def documented_with(drawing: str) -> str:
    """Return the documentation's text with *drawing* in place of its graph."""
    before, _mark, rest = ARCHITECTURE.read_text().partition("<!-- packages -->\n")
    return f"{before}<!-- packages -->\n{drawing}\n<!-- end of packages -->{rest.partition('<!-- end of packages -->')[2]}"


def test_documented_graph_matches_the_table():
    """If this fails, run this file as a program: it writes the graph."""
    assert ARCHITECTURE.read_text() == documented_with(dependency_graph())


def test_documentation_describes_every_package():
    text = ARCHITECTURE.read_text()
    described = {line.split("`")[1] for line in text.partition("## Packages")[2].splitlines() if line.startswith("| `")}
    assert described == {package.partition("/")[0] for package in ALLOWED}


if __name__ == "__main__":
    ARCHITECTURE.write_text(documented_with(dependency_graph()))
