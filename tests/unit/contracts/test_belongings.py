# SPDX-License-Identifier: GPL-3.0-or-later
"""What roles put on a machine: backup, teardown and offline_bundle know all of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.voip.preprovision.plugins.module_utils.belongings import (
    BELONGINGS,
    ELSEWHERE,
    Belongings,
    each,
    is_of_state,
)

ROOT = Path(__file__).parents[3]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir() and path.name not in ELSEWHERE)
UNITS = (".service", ".socket", ".timer")
# Of the machine, whatever is installed
EVERYWHERE = ("/run/NetworkManager", "/usr/sbin/nologin", "/run/systemd")


def mappings(value: Any) -> Iterator[dict[str, Any]]:
    """All mappings in a document, at any depth."""
    if isinstance(value, dict):
        yield value
    for below in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from mappings(below)


def documents(folder: str) -> list[dict[str, Any]]:
    paths = [path for kind in ("tasks", "vars", "handlers", "") for path in sorted((ROOT / folder / kind).glob("*.yml"))]
    return [found for path in paths for found in mappings(yaml.safe_load(path.read_text()))]


def variables(folder: str) -> dict[str, Any]:
    """Names that a role's tasks and vars give to something."""
    return {name: value for mapping in documents(folder) for name, value in mapping.items() if name.startswith("__")}


def resolved(value: Any, known: dict[str, Any]) -> str:
    """Text with the role's own variables in it, as far as they are text."""
    text = value if isinstance(value, str) else str(value)
    for _step in range(3):
        text = re.sub(r"\{\{ (__\w+) \}\}", lambda found: str(known.get(found[1], found[0])), text)
    return text


def packages(folder: str) -> set[str]:
    """What the apt tasks in a folder install, whatever is set."""
    known, found = variables(folder), set()
    for mapping in documents(folder):
        names = mapping.get("ansible.builtin.apt", {}).get("name")
        if isinstance(names, str) and re.fullmatch(r"[a-z0-9.+-]+", names):
            found.add(names)
        elif names:
            for listed in re.findall(r"\[([^]]*)\]", resolved(names, known)):
                found |= set(re.findall(r"'([a-z0-9.+-]+)'", listed))
    return found


def templates(role: str) -> list[str]:
    """Where a role's templates go."""
    folder = ROOT / "roles" / role / "templates"
    found = (path.relative_to(folder).as_posix().removesuffix(".j2") for path in folder.rglob("*.j2"))
    return [f"/{path}" for path in found if path.startswith(("etc/", "usr/", "var/"))]


def literals(role: str) -> set[str]:
    """Absolute paths that a role's tasks write, make or remove."""
    known = variables(f"roles/{role}")
    keys = ("dest", "path", "creates")
    written = {
        resolved(arguments[key], known)
        for mapping in documents(f"roles/{role}")
        for module, arguments in mapping.items()
        if isinstance(arguments, dict) and module.startswith(("ansible.builtin.", "community.", "voip."))
        for key in keys
        if key in arguments
    }
    return {path.rstrip("/") for path in written if re.fullmatch(r"/[\w./~-]+", path)}


def of_units(role: str) -> set[str]:
    """Folders that a role's units may write to for longer than they run."""
    found = set()
    for path in (ROOT / "roles" / role / "templates/etc/systemd").rglob("*.j2"):
        text = path.read_text()
        found |= {f"/var/lib/{name}" for name in re.findall(r"^StateDirectory=(\S+)$", text, re.MULTILINE)}
        found |= {f"/var/log/{name}" for name in re.findall(r"^LogsDirectory=(\S+)$", text, re.MULTILINE)}
        found |= {
            name.lstrip("-")
            for names in re.findall(r"^ReadWritePaths=(.*)$", text, re.MULTILINE)
            for name in names.split()
            if re.fullmatch(r"-?/(var|srv|etc)/[\w./-]+", name)
        }
    return found


def is_below(path: str, folders: tuple[str, ...] | list[str]) -> bool:
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)


def where(belongings: Belongings) -> tuple[str, ...]:
    units = tuple(f"/etc/systemd/system/{unit}" for unit in belongings.units)
    return (*units, *belongings.paths, *belongings.replaced, *belongings.leftovers)


def test_every_role_is_in_the_table():
    assert set(ROLES) == set(BELONGINGS) - {"playbooks"}


@pytest.mark.parametrize("role", ELSEWHERE)
def test_a_role_that_is_not_in_it_puts_nothing_on_a_station(role):
    assert role not in BELONGINGS
    assert ELSEWHERE[role]
    modules = {module for mapping in documents(f"roles/{role}") for module in mapping if module.startswith("ansible.builtin.")}
    assert modules <= {"ansible.builtin.apt", "ansible.builtin.assert", "ansible.builtin.import_tasks"}


def test_there_is_something_to_compare():
    assert "nginx" in packages("roles/web_server")
    assert {"gunicorn", "python3-psycopg2"} <= packages("roles/profile_service")
    assert {"iproute2", "nftables"} == packages("roles/bench")
    assert "/etc/nginx/conf.d/preprovision.conf" in templates("web_server")
    assert "/etc/nginx/preprovision.passwords" in literals("web_server")
    assert "/etc/preprovision/certificates" in literals("certificates")
    assert {"/var/lib/preprovision-service", "/var/lib/preprovision-events"} <= of_units("profile_service")


@pytest.mark.parametrize("role", ROLES)
def test_packages_of_a_role_are_those_that_it_installs(role):
    assert packages(f"roles/{role}") == {*BELONGINGS[role].packages, *BELONGINGS[role].on_request}


def test_packages_of_the_playbooks_are_those_that_they_install():
    known = {*BELONGINGS["playbooks"].packages, *BELONGINGS["playbooks"].on_request}
    installed = set()
    for path in sorted((ROOT / "playbooks").rglob("*.yml")):
        for mapping in mappings(yaml.safe_load(path.read_text())):
            names = mapping.get("ansible.builtin.apt", {}).get("name", [])
            installed |= {name for name in ([names] if isinstance(names, str) else names) if "{{" not in name}
    assert installed == known


@pytest.mark.parametrize("role", ROLES)
def test_units_of_a_role_are_known(role):
    units = {Path(path).name for path in templates(role) if Path(path).parent.name == "system" and path.endswith(UNITS)}
    assert units <= {*BELONGINGS[role].units, *BELONGINGS[role].services}
    assert set(BELONGINGS[role].units) <= units


@pytest.mark.parametrize("role", ROLES)
def test_files_of_a_role_are_known(role):
    written = {*templates(role), *literals(role)}
    unknown = {path for path in written if not is_below(path, where(BELONGINGS[role])) and not path.startswith(EVERYWHERE)}
    # A folder that systemd or a package brings is made for what is in it
    assert {path for path in unknown if not any(known.startswith(f"{path}/") for known in where(BELONGINGS[role]))} == set()


@pytest.mark.parametrize("role", ROLES)
def test_users_of_a_role_are_known(role):
    known = variables(f"roles/{role}")
    users = {
        resolved(mapping["ansible.builtin.user"]["name"], known)
        for mapping in documents(f"roles/{role}")
        if "ansible.builtin.user" in mapping
    }
    assert users == set(BELONGINGS[role].users)


@pytest.mark.parametrize("role", ROLES)
def test_what_a_role_keeps_is_in_a_backup_or_left_out_with_a_reason(role):
    belongings = BELONGINGS[role]
    paths = {path for path in where(belongings) if path.startswith(("/var/", "/srv/"))} | of_units(role)
    paths |= {path for path in belongings.secret if not path.startswith("/var/log/")}
    decided = [*belongings.state, *belongings.no_state]
    undecided = {
        path
        for path in paths
        if not path.startswith(
            ("/var/log/", "/var/spool/", "/var/www/", "/var/lib/logrotate", "/var/lib/misc", "/var/lib/ieee-data")
        )
        and not is_below(path, decided)
        and not any(kept.startswith(f"{path}/") for kept in decided)
    }
    assert undecided == set()
    assert all(reason for reason in belongings.no_state.values())


@pytest.mark.parametrize("role", BELONGINGS)
def test_what_is_secret_or_kept_belongs_to_the_role(role):
    belongings = BELONGINGS[role]
    assert [path for path in (*belongings.secret, *belongings.state) if not is_below(path, where(belongings))] == []
    assert bool(belongings.holders) >= bool(belongings.state)
    assert set(belongings.holders) <= {*each("units"), *each("services")}


def test_each_tells_of_all_roles_what_is_set_up_last_first():
    assert len(list(each("packages"))) == len(set(each("packages")))
    order = list(each("units"))
    assert order.index("preprovision-dhcp-watch.service") < order.index("preprovision-bench.service")


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("/etc/preprovision/certificates/server.key", True),
        ("/etc/preprovision/certificates", True),
        ("/etc/preprovision/certificates.old", False),
        ("/etc/shadow", False),
    ],
)
def test_only_state_comes_out_of_a_backup(path, kept):
    assert is_of_state(path) is kept
