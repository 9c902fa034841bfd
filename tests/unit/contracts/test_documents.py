# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents: every command, name and link in them exists, and versions agree."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
DOCUMENTS = ["README.md", *sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("docs/*.md"))]
README = (ROOT / "README.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE))
GALAXY = yaml.safe_load((ROOT / "galaxy.yml").read_text())

ROLES = {path.name for path in (ROOT / "roles").iterdir() if path.is_dir()}
PLAYBOOKS = {path.stem for path in ROOT.glob("playbooks/*.yml")}
PLUGINS = {
    path.stem
    for kind in ("modules/*.py", "filter/*.yml", "inventory/*.py", "callback/*.py")
    for path in ROOT.glob(f"plugins/{kind}")
}
FRAGMENTS = {path.stem for path in ROOT.glob("plugins/doc_fragments/*.py")}
FILES = [
    *(ROOT / name for name in ("Makefile", "galaxy.yml", *DOCUMENTS)),
    *(
        path
        for folder in ("plugins", "roles", "playbooks", "inventories", "extensions")
        for kind in ("yml", "py", "j2")
        for path in ROOT.glob(f"{folder}/**/*.{kind}")
    ),
]
NAMING = sorted(path.relative_to(ROOT).as_posix() for path in FILES if "voip.preprovision." in path.read_text())


def shell_lines(document: str) -> list[str]:
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```", document, re.MULTILINE | re.DOTALL)
    return [line.strip() for block in blocks for line in block.splitlines() if line.strip()]


def code(document: str) -> list[str]:
    """Lines of shell blocks, and what stands between single backquotes."""
    prose = re.sub(r"^ *```.*?^ *```", "", document, flags=re.MULTILINE | re.DOTALL)
    return shell_lines(document) + re.findall(r"`([^`]+)`", prose)


def read(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text())


def number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.strip("<>=~").split("."))


def test_the_readme_says_the_two_commands_and_the_one_for_a_real_pc():
    assert {
        "make station",
        "make test",
        "ansible-playbook -i inventories/bench voip.preprovision.site",
    } <= set(shell_lines(README))


def test_the_tests_command_is_the_one_that_ci_runs():
    assert re.findall(r"^exec (.*)$", (ROOT / ".ci/run").read_text(), re.MULTILINE) == ["make test"]


@pytest.mark.parametrize("path", DOCUMENTS)
def test_commands_exist(path):
    for line in code((ROOT / path).read_text()):
        command, *arguments = line.split()
        if command == "make" and arguments:
            assert arguments[0] in TARGETS, line
        if command == "ansible-playbook":
            assert {name.removeprefix("voip.preprovision.") for name in arguments if name.startswith("voip.")} <= PLAYBOOKS, line
        for argument in arguments:
            assert not argument.startswith("inventories/") or (ROOT / argument).exists(), line


@pytest.mark.parametrize("path", DOCUMENTS)
def test_links_lead_somewhere(path):
    links = re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)", (ROOT / path).read_text())
    assert [link for link in links if not (ROOT / path).parent.joinpath(link).exists()] == []


def test_the_readme_names_every_role():
    assert [role for role in sorted(ROLES) if f"`{role}`" not in README] == []


@pytest.mark.parametrize("path", NAMING)
def test_names_of_the_collection_exist(path):
    names = set(re.findall(r"(?<!ansible_collections\.)\bvoip\.preprovision\.([a-z_0-9]+)", (ROOT / path).read_text()))
    assert names <= ROLES | PLAYBOOKS | PLUGINS | FRAGMENTS


def test_there_is_something_to_check():
    assert {"station", "test"} <= TARGETS
    assert {"site", "station", "profiles"} <= PLAYBOOKS
    assert {"README.md", "Makefile", "playbooks/station.yml"} <= set(NAMING)


def test_nothing_is_newer_than_the_collection():
    documentation = [path.read_text() for path in FILES if path.stem in PLUGINS and "DOCUMENTATION" in path.read_text()]
    documented = [version for text in documentation for version in re.findall(r"^ *version_added: (\S+)$", text, re.MULTILINE)]
    assert len(documented) >= len(PLUGINS)
    assert max(map(number, documented)) <= number(GALAXY["version"])


def test_changelog_ends_with_the_version_or_is_still_to_come():
    releases = read("changelogs/changelog.yaml")["releases"]
    assert max(releases, key=number, default=GALAXY["version"]) == GALAXY["version"]


def test_the_least_ansible_is_one():
    least = read("meta/runtime.yml")["requires_ansible"]
    assert {read(f"roles/{role}/meta/main.yml")["galaxy_info"]["min_ansible_version"] for role in ROLES} == {
        ".".join(map(str, number(least)[:2]))
    }
    # Tests run with the oldest that is supported
    tested = re.findall(r"^ansible-core==(\S+)$", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert [number(version)[:2] for version in tested] == [number(least)[:2]]


def test_the_least_python_is_one():
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    least = number(read("tests/config.yml")["modules"]["python_requires"])
    assert number(tools["mypy"]["python_version"]) == least
    assert tools["ruff"]["target-version"] == "py" + "".join(map(str, least))


def test_collections_that_are_needed_are_unpacked():
    unpacked = re.findall(r"^FROM_WHEEL := (.*)$", MAKEFILE, re.MULTILINE)[0].replace("/", ".").split()
    assert set(GALAXY["dependencies"]) <= set(unpacked)
