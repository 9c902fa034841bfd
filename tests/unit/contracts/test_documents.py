# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents: every command, name and link in them exists, and versions agree."""

from __future__ import annotations

import datetime
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from parsed_files import parse_yaml, read_yaml

from ansible_collections.voip.preprovision.plugins.callback import hide_source_lines
from ansible_collections.voip.preprovision.plugins.module_utils.common.host_clock import RELEASED
from ansible_collections.voip.preprovision.plugins.module_utils.events.causes.failure_codes import FailureCode

ROOT = Path(__file__).parents[3]
DOCUMENTS = sorted(path.relative_to(ROOT).as_posix() for pattern in ("*.md", "docs/**/*.md") for path in ROOT.glob(pattern))
README = (ROOT / "README.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE))
GALAXY = read_yaml(ROOT / "galaxy.yml")

ROLES = {path.name for path in (ROOT / "roles").iterdir() if path.is_dir()}
PLAYBOOKS = {path.stem for path in ROOT.glob("playbooks/*.yml")}
PLUGINS = {
    path.stem
    for kind in ("modules/*.py", "filter/*.yml", "lookup/*.py", "inventory/*.py", "callback/*.py")
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
YAML_OF_ROLES_AND_PLAYBOOKS = "\n".join(
    path.read_text() for folder in ("roles", "playbooks") for path in ROOT.glob(f"{folder}/**/*.yml")
)
SOURCE_WORDS = set(
    re.findall(r"\w+", YAML_OF_ROLES_AND_PLAYBOOKS + "\n".join(path.read_text() for path in FILES if "plugins" in path.parts))
)
TREE = [
    path.relative_to(ROOT).as_posix()
    for folder in ("changelogs", "docs", "extensions", "inventories", "meta", "playbooks", "plugins", "roles", "tests")
    for path in [ROOT / folder, *ROOT.glob(f"{folder}/**/*")]
] + [path.name for path in ROOT.iterdir() if path.is_file()]
# Documents name modules of the domain from its root
FIRST_FOLDERS = {name.partition("/")[0] for name in TREE} | {path.name for path in ROOT.glob("plugins/module_utils/*")}
NAMING = sorted(path.relative_to(ROOT).as_posix() for path in FILES if "voip.preprovision." in path.read_text())


def shell_lines(document: str) -> list[str]:
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```", document, re.MULTILINE | re.DOTALL)
    return [line.strip() for block in blocks for line in block.splitlines() if line.strip()]


def code(document: str) -> list[str]:
    """Return the lines of shell blocks, and all text between single backquotes."""
    prose = re.sub(r"^ *```.*?^ *```", "", document, flags=re.MULTILINE | re.DOTALL)
    return shell_lines(document) + re.findall(r"`([^`]+)`", prose)


def read(path: str) -> Any:
    return read_yaml(ROOT / path)


def number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.strip("<>=~").split("."))


def test_readme_shows_the_main_commands():
    assert {
        "make station",
        "make test",
        "ansible-playbook -i inventories/bench voip.preprovision.site",
    } <= set(shell_lines(README))


def test_the_guide_to_a_real_bench_names_the_commands_of_the_readme_in_the_same_order():
    """The molecule scenario real_bench runs those of the README, and changes what the guide's first block of YAML says."""
    section = README.partition("\n## On a real PC\n")[2].partition("\n## ")[0]
    wanted = shell_lines(section)
    assert "ansible-playbook -i inventories/bench voip.preprovision.check" in wanted
    guide = (ROOT / "docs/guides/real_bench.md").read_text()
    assert [line for line in shell_lines(guide) if line in wanted] == wanted


def test_ci_runs_make_test():
    assert re.findall(r"^exec (.*)$", (ROOT / ".ci/run").read_text(), re.MULTILINE) == ["make test"]


@pytest.mark.parametrize("path", DOCUMENTS)
def test_commands_exist(path):
    for line in code((ROOT / path).read_text()):
        command, *arguments = re.sub(r"^(\w+=\S+ )+(?=\w)", "", line).split()
        if command == "make" and arguments:
            assert arguments[0] in TARGETS, line
        if command == "ansible-playbook":
            assert {name.removeprefix("voip.preprovision.") for name in arguments if name.startswith("voip.")} <= PLAYBOOKS, line
        for argument in arguments:
            assert not argument.startswith(("inventories/", "tests/")) or (ROOT / argument).exists(), line


@pytest.mark.parametrize("path", DOCUMENTS)
def test_extra_variables_are_read_by_a_playbook_or_role(path):
    text = (ROOT / path).read_text()
    names = re.findall(r"-e (\w+)=", text) + re.findall(r"""-e '\{"(\w+)":""", text)
    assert [name for name in names if not re.search(rf"\b{name}\b", YAML_OF_ROLES_AND_PLAYBOOKS)] == []


@pytest.mark.parametrize("path", DOCUMENTS)
def test_named_variables_exist(path):
    """A variable begins with the name of its role, with that of its playbook, or with "phone"; users name layers of parameters."""
    beginnings = "|".join([*sorted(ROLES), "backup", "bundle", "check", "phone", "restore", "teardown"])
    names = set(re.findall(rf"\b(?!phone_parameters_)(?:{beginnings})_[a-z_]+\b", (ROOT / path).read_text()))
    assert names - SOURCE_WORDS == set()


def anchors(document: str) -> set[str]:
    """Return the anchors of the headings, as GitHub makes them."""
    prose = re.sub(r"^ *```.*?^ *```", "", document, flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_anchors_are_made_of_headings():
    assert anchors("# A `b` (c), d\n```sh\n# comment\n```\n## E-f?") == {"a-b-c-d", "e-f"}


@pytest.mark.parametrize("path", DOCUMENTS)
def test_links_resolve(path):
    document = ROOT / path
    for link, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", document.read_text()):
        target = document.parent / link if link else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text()), f"{link}#{anchor}"


def names_a_file(text: str) -> bool:
    """Tell whether *text* looks like the path of a file or folder of the project, or like the name of a file of it."""
    first, slash, _rest = text.partition("/")
    return first in FIRST_FOLDERS if slash else bool(re.fullmatch(r"[\w-]+\.(py|yml|md|toml)", text))


@pytest.mark.parametrize("path", DOCUMENTS)
def test_named_files_exist(path):
    words = [word for line in code((ROOT / path).read_text()) for word in line.split()]
    named = {word.rstrip("/") for word in words if names_a_file(word)}
    # A suffix of a name is enough: "a file whose name ends in scans.yml"
    assert [name for name in sorted(named) if not any(f"/{file}".endswith((f"/{name}", f".{name}")) for file in TREE)] == []


@pytest.mark.parametrize("path", DOCUMENTS)
def test_named_units_are_installed_by_a_role(path):
    units = set(re.findall(r"\bpreprovision-[a-z-]+\.(?:service|socket|timer)\b", (ROOT / path).read_text()))
    assert units <= {file.name.removesuffix(".j2") for file in ROOT.glob("roles/*/templates/etc/systemd/system/*.j2")}


def test_readme_names_every_role():
    assert [role for role in sorted(ROLES) if f"`{role}`" not in README] == []


@pytest.mark.parametrize("path", NAMING)
def test_named_plugins_roles_and_playbooks_exist(path):
    names = set(re.findall(r"(?<!ansible_collections\.)\bvoip\.preprovision\.([a-z_0-9]+)", (ROOT / path).read_text()))
    assert names <= ROLES | PLAYBOOKS | PLUGINS | FRAGMENTS


def test_targets_playbooks_and_documents_are_found():
    assert {"station", "test"} <= TARGETS
    assert {"site", "station", "profiles"} <= PLAYBOOKS
    assert {"README.md", "Makefile", "playbooks/station.yml"} <= set(NAMING)


def test_no_plugin_is_newer_than_the_collection():
    documentation = [path.read_text() for path in FILES if path.stem in PLUGINS and "DOCUMENTATION" in path.read_text()]
    documented = [version for text in documentation for version in re.findall(r"^ *version_added: (\S+)$", text, re.MULTILINE)]
    assert len(documented) >= len(PLUGINS)
    assert max(map(number, documented)) <= number(GALAXY["version"])


def test_newest_changelog_release_is_the_collections_version():
    releases = read("changelogs/changelog.yaml")["releases"]
    assert max(releases, key=number, default=GALAXY["version"]) == GALAXY["version"]


def test_day_of_the_release_is_the_newest_changelog_releases():
    releases = read("changelogs/changelog.yaml")["releases"]
    days = {datetime.date.fromisoformat(str(release["release_date"])) for release in releases.values()}
    # A clock that is right may not be refused
    assert max(days) == RELEASED if days else datetime.datetime.now(datetime.UTC).date() >= RELEASED


def test_minimum_ansible_version_is_the_same_everywhere():
    minimum = read("meta/runtime.yml")["requires_ansible"].partition(",")[0]
    assert {read(f"roles/{role}/meta/main.yml")["galaxy_info"]["min_ansible_version"] for role in ROLES} == {
        ".".join(map(str, number(minimum)[:2]))
    }
    # Tests run with the oldest supported release
    tested = re.findall(r"^ansible-core==(\S+)", (ROOT / "requirements/tools.txt").read_text(), re.MULTILINE)
    assert [number(version)[:2] for version in tested] == [number(minimum)[:2]]


def pins(path: Path) -> dict[str, str]:
    """Return a requirements file's versions by package."""
    return dict(re.findall(r"^([A-Za-z0-9_.-]+)==(\S+)", path.read_text(), re.MULTILINE))


def test_callback_lists_exactly_the_tested_releases():
    releases = {path.stem: pins(path) for path in (ROOT / "tests/cores").glob("2.*.txt")}
    assert len(releases) == 2
    tested = [pins(ROOT / "requirements/tools.txt")["ansible-core"], *(release["ansible-core"] for release in releases.values())]
    assert {".".join(version.split(".")[:2]) for version in tested} == set(hide_source_lines.TESTED)
    assert all(release["ansible-core"].startswith(f"{name}.") for name, release in releases.items())
    assert all(series in hide_source_lines.DOCUMENTATION for series in hide_source_lines.TESTED)


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("requirements/*.txt")) + sorted(ROOT.glob("tests/cores/*.txt")), ids=lambda path: path.name
)
def test_requirements_are_pinned_with_the_digests_of_their_files(path):
    pinned = re.findall(r"^[A-Za-z0-9_.-]+==\S+ \\$(?:\n    --hash=sha256:[0-9a-f]{64}(?: \\)?$)+", path.read_text(), re.MULTILINE)
    assert len(pinned) == len(pins(path)) > 0
    assert re.findall(r"^[A-Za-z].*", path.read_text(), re.MULTILINE) == [block.partition("\n")[0] for block in pinned]


def test_newer_releases_use_the_same_packages():
    assert pins(ROOT / "tests/cores/shared.txt").items() <= pins(ROOT / "requirements/tools.txt").items()


def test_minimum_python_version_is_the_same_everywhere():
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    minimum = number(read("tests/config.yml")["modules"]["python_requires"])
    assert number(tools["mypy"]["python_version"]) == minimum
    assert tools["ruff"]["target-version"] == "py" + "".join(map(str, minimum))


def test_required_collections_are_unpacked():
    unpacked = re.findall(r"^FROM_WHEEL := (.*)$", MAKEFILE, re.MULTILINE)[0].replace("/", ".").split()
    assert set(GALAXY["dependencies"]) <= set(unpacked)


def documentation(path: Path) -> dict[str, Any]:
    """Return the documentation of a module or plugin, from its own file or from the file beside it."""
    text = path.read_text()
    if path.suffix == ".yml":
        return parse_yaml(text)["DOCUMENTATION"]
    return parse_yaml(re.findall(r'^DOCUMENTATION = r?"""(.*?)"""', text, re.MULTILINE | re.DOTALL)[0])


def test_the_reference_lists_exactly_the_public_plugins():
    """Internal plugins begin their description with that word."""
    public = {
        path.stem
        for kind in ("modules/*.py", "filter/*.yml", "lookup/*.py", "inventory/*.py", "callback/*.py")
        for path in ROOT.glob(f"plugins/{kind}")
        if not documentation(path)["description"][0].startswith("Internal:")
    }
    rows = [line for line in (ROOT / "docs/reference/plugins.md").read_text().splitlines() if line.startswith("| `")]
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])} == public


def test_the_reference_lists_exactly_the_failures_that_the_emulator_reports():
    sources = "".join(path.read_text() for path in (ROOT / "plugins/module_utils/emulator").rglob("*.py"))
    reported = {str(FailureCode[name]) for name in re.findall(r"FailureCode\.([A-Z_]+)", sources)}
    table = (ROOT / "docs/reference/emulated_phone.md").read_text().partition("\n## Failures\n")[2].partition("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])} == reported


@pytest.mark.parametrize("path", sorted(path.name for path in ROOT.glob("changelogs/fragments/*.yml")))
def test_changelog_fragments_contain_no_markup_of_module_documentation(path):
    """antsibull-changelog reads RST, where code stands between double backquotes."""
    assert re.findall(r"\b[BCEIMOPUV]\([a-z]", (ROOT / "changelogs/fragments" / path).read_text()) == []
