# SPDX-License-Identifier: GPL-3.0-or-later
"""What others get: the archive, the pages of roles, an execution environment, the site, and workflows that only call make."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import archive
import check_site
import pytest
import role_readmes
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version
from parsed_files import parse_yaml, read_yaml

ROOT = Path(__file__).parents[3]
GALAXY = read_yaml(ROOT / "galaxy.yml")
TIME = 1_700_000_000

FOR_USERS = {
    "CHANGELOG.rst",
    "CODE_OF_CONDUCT.md",
    "CONTRIBUTING.md",
    "COPYING",
    "FILES.json",
    "MAINTAINERS.md",
    "MANIFEST.json",
    "README.md",
    "SECURITY.md",
    "changelogs",
    "docs",
    "inventories",
    "meta",
    "playbooks",
    "plugins",
    "requirements",
    "roles",
}
"""All that lies in the archive's root; a new file of developers must be added to build_ignore in galaxy.yml."""


def tracked() -> list[str]:
    """Return the paths that a checkout of this tree has."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    return [path for path in listed if (ROOT / path).exists()]


def checkout(target: Path, paths: list[str]) -> Path:
    """Copy the files *paths* to *target* one by one, with the time of the copy."""
    for path in paths:
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, target / path)
        shutil.copymode(ROOT / path, target / path)
    return target


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> list[Path]:
    """Return the archives of two checkouts, whose files were written in opposite orders and at different times."""
    archives = []
    for number, paths in enumerate((tracked(), tracked()[::-1])):
        folder = tmp_path_factory.mktemp("build")
        tree = checkout(folder / "tree", paths)
        if number:
            for path in tree.rglob("*"):
                os.utime(path, (1, 1))
        archives.append(archive.build(tree, folder, TIME))
    return archives


@pytest.mark.ansible
def test_two_builds_of_the_same_files_are_the_same_bytes(built):
    first, second = built
    assert first.name == second.name == f"voip-preprovision-{GALAXY['version']}.tar.gz"
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.ansible
def test_ansible_galaxy_accepts_the_archive(built, tmp_path):
    """Installing compares each file with the checksums in FILES.json and MANIFEST.json."""
    command = ["ansible-galaxy", "collection", "install", "--no-deps", "--force", f"--collections-path={tmp_path}", str(built[0])]
    subprocess.run(command, check=True, capture_output=True)
    assert (tmp_path / "ansible_collections/voip/preprovision/roles/bench/README.md").is_file()


@pytest.mark.ansible
def test_the_archive_contains_what_users_need_and_nothing_else(built):
    with tarfile.open(built[0]) as opened:
        names = [member.name for member in opened.getmembers()]
    assert {name.partition("/")[0] for name in names} == FOR_USERS
    assert [name for name in names if name.startswith("changelogs/")] == ["changelogs/changelog.yaml"]
    assert sorted(name for name in names if name.startswith("requirements/")) == [
        "requirements/collections.txt",
        "requirements/tools.txt",
    ]
    unwanted = r"(^|/)(\.|__pycache__|docsite|fragments|molecule|tests|ansible\.cfg$)|\.(pyc|orig|rej|swp|tar\.gz)$"
    assert [name for name in names if re.search(unwanted, name)] == []
    # Files that documents of the archive link to are in it
    links = {
        os.path.normpath(os.path.join(os.path.dirname(name), link))
        for name in names
        if name.endswith(".md")
        for link in re.findall(r"\]\((?!\w+:)([^)#]+)", (ROOT / name).read_text())
    }
    assert sorted(links - set(names)) == []


@pytest.mark.parametrize("role", role_readmes.ROLES)
def test_the_readme_of_a_role_is_current(role):
    """Mend with `make readmes`."""
    assert (ROOT / "roles" / role / "README.md").read_text() == role_readmes.readme(role)


def test_markup_becomes_markdown():
    text = "Folder O(a_b=x) and C(a|*), see M(x.y.z), P(x.y.w#filter), L(this, that://here), B(now), a_b, * and docs/guides/nat.md"
    assert role_readmes._markdown(text) == (
        "Folder `a_b=x` and `a|*`, see `x.y.z`, `x.y.w`, [this](that://here), **now**, a_b, \\* and "
        "[docs/guides/nat.md](../../docs/guides/nat.md)"
    )


def test_an_execution_environment_gets_what_runs_and_no_tools():
    named = read_yaml(ROOT / "meta/execution-environment.yml")["dependencies"]
    lines = (ROOT / named["python"]).read_text().splitlines()
    wanted = {found.name: found.specifier for found in map(Requirement, (line for line in lines if line and line[0] != "#"))}
    assert set(wanted) == {"ansible-core", "cryptography", "Jinja2", "netaddr"}
    assert wanted["ansible-core"] == SpecifierSet(">=2.19,<2.22")
    pinned = dict(re.findall(r"^(\S+)==(\S+)", (ROOT / "requirements/tools.txt").read_text(), re.MULTILINE))
    assert [name for name, versions in wanted.items() if pinned[name] not in versions] == []
    assert (ROOT / named["system"]).is_file()


def test_requires_ansible_allows_exactly_the_tested_releases():
    allowed = SpecifierSet(read_yaml(ROOT / "meta/runtime.yml")["requires_ansible"])
    files = [ROOT / "requirements/tools.txt", *ROOT.glob("tests/cores/2.*.txt")]
    tested = [Version(re.findall(r"^ansible-core==(\S+)", path.read_text(), re.MULTILINE)[0]) for path in files]
    assert all(version in allowed for version in tested)
    oldest, newest = min(tested), max(tested)
    assert Version(f"2.{oldest.minor - 1}.99") not in allowed
    assert Version(f"2.{newest.minor + 1}.0") not in allowed


def test_both_ends_of_the_range_of_collections_are_tested():
    """`make` unpacks the newest; the scenario roles the oldest, if ROLES_CRYPTO says so."""
    installed = read_yaml(ROOT / ".cache/collections/ansible_collections/community/crypto/MANIFEST.json")["collection_info"][
        "version"
    ]
    (allowed,) = GALAXY["dependencies"].values()
    oldest = Version(re.findall(r"^>=([0-9.]+),", allowed)[0])
    assert oldest in SpecifierSet(allowed)
    assert Version(installed) in SpecifierSet(allowed)
    assert Version(f"{Version(installed).major + 1}.0.0") not in SpecifierSet(allowed)
    assert "ROLES_CRYPTO=oldest" in (ROOT / "Makefile").read_text()


def test_only_galaxy_yml_names_the_home_of_the_project():
    home = GALAXY["repository"]
    naming = [path for path in tracked() if home.encode() in (ROOT / path).read_bytes()]
    assert naming == ["galaxy.yml"]


def test_workflows_call_make():
    (path,) = (ROOT / ".github/workflows").iterdir()
    jobs = read_yaml(path)["jobs"]
    commands = [step["run"].strip() for job in jobs.values() for step in job["steps"] if "run" in step]
    assert [line for line in commands if not line.startswith(("make ", "apt-get update ", "git config "))] == []
    matrix = jobs["make"]["strategy"]["matrix"]
    targets = {target.split()[0] for target in [*matrix["target"], *(more["target"] for more in matrix["include"])]}
    # The parts that `make test` names in its table
    makefile = (ROOT / "Makefile").read_text()
    parts = re.findall(r"^(?:LANES|ALONE) := (.*)$", makefile, re.MULTILINE)
    assert set(re.split(r"[ ,]", " ".join(parts))) <= targets
    releases = {target.partition("SANITY_CORE=")[2] for target in matrix["target"]} - {""}
    assert releases == {path.stem for path in ROOT.glob("tests/cores/2.*.txt")}


@pytest.mark.parametrize("path", sorted(path.name for path in ROOT.glob("extensions/molecule/*/")))
def test_the_readme_of_the_scenarios_lists_each(path):
    if (ROOT / "extensions/molecule" / path / "molecule.yml").exists():
        assert f"\n| `{path}` |" in (ROOT / "extensions/molecule/README.md").read_text()


def test_broken_links_of_a_site_are_found(tmp_path):
    (tmp_path / "other.html").write_text('<h1 id="top">Other</h1>')
    (tmp_path / "index.html").write_text(
        '<a href="other.html#top"></a><a href="other.html#end"></a><a href="none.html"></a><img src="none.png">'
        '<a href="//elsewhere/x"></a><a href="#here"></a><a href="../etc"></a><a href="https://example.net/sources"></a>'
    )
    assert check_site.broken_links(tmp_path) == [
        "index.html: other.html#end: no such anchor",
        "index.html: none.html: no such file",
        "index.html: none.png: no such file",
        "index.html: #here: no such anchor",
        "index.html: ../etc: no such file",
        "index.html: https://example.net/sources: a name for examples",
    ]
    (tmp_path / "index.html").write_text("<p>The documentation for the filter plugin, a.b.c,\nwas malformed.</p>")
    assert check_site.broken_links(tmp_path) == ["index.html: an error page"]


def test_the_site_has_every_document_in_its_contents():
    """Guides and other folders are taken whole; what lies beside them is named."""
    contents = (ROOT / "docs/docsite/index.rst").read_text()
    folders = {path.parent.relative_to(ROOT).as_posix() for path in ROOT.glob("docs/*/*.md")}
    assert set(re.findall(r"^   (docs/\w+)/\*$", contents, re.MULTILINE)) == folders
    pages = re.findall(r"^PAGES := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[0].split()
    assert {page.partition(".")[0] for page in pages} <= set(re.findall(r"^   (\w+)$", contents, re.MULTILINE))
    assert all((ROOT / page).is_file() for page in pages)


def test_the_development_container_installs_what_make_does_not():
    container = parse_yaml((ROOT / ".devcontainer/devcontainer.json").read_text())
    assert container["postCreateCommand"] == "make tools"


def test_proof_runs_every_play_of_the_fleet():
    text = (ROOT / "Makefile").read_text()
    lists = [re.search(rf"^{name} := (.*)", text, re.MULTILINE) for name in ("SERVER_PLAYS", "FLEET_PLAYS", "CLUSTER_PLAYS")]
    run = {name for found in lists for name in found[1].split()} | {"create", "converge", "destroy", "molecule"}
    # Those begin and end others
    run |= {"phones_on", "phones_off"}
    assert {path.stem for path in (ROOT / "extensions/molecule/fleet").glob("*.yml")} == run
