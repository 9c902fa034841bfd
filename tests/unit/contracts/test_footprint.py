# SPDX-License-Identifier: GPL-3.0-or-later
"""The footprint, which backup, teardown and offline_bundle use, lists everything that roles put on a machine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from parsed_files import read_yaml

from ansible_collections.voip.preprovision.plugins.module_utils.bench.network import BenchNetwork, neighbour_limits
from ansible_collections.voip.preprovision.plugins.module_utils.station.footprint import (
    ELSEWHERE,
    FOOTPRINTS,
    Footprint,
    across_roles,
    is_of_state,
)

ROOT = Path(__file__).parents[3]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir() and path.name not in ELSEWHERE)
UNITS = (".service", ".socket", ".timer", ".path")
# Exists on every machine
EVERYWHERE = ("/usr/sbin/nologin", "/run/systemd")


def mappings(value: Any) -> Iterator[dict[str, Any]]:
    """Yield all mappings in a document, at any depth."""
    if isinstance(value, dict):
        yield value
    for below in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from mappings(below)


def documents(folder: str) -> list[dict[str, Any]]:
    paths = [path for kind in ("tasks", "vars", "handlers", "") for path in sorted((ROOT / folder / kind).glob("*.yml"))]
    return [found for path in paths for found in mappings(read_yaml(path))]


def variables(folder: str) -> dict[str, Any]:
    """Return the private variables that a role's tasks and vars define."""
    return {name: value for mapping in documents(folder) for name, value in mapping.items() if name.startswith("__")}


def resolved(value: Any, known: dict[str, Any]) -> str:
    """Return a value as text, with the role's own variables replaced where they are text."""
    text = value if isinstance(value, str) else str(value)
    for _step in range(3):
        # One of several, such as the packages of a back end, may be any of them
        text = re.sub(r"\{\{ (__\w+)(?:\[__\w+\])? \}\}", lambda found: str(known.get(found[1], found[0])), text)
    return text


def packages(folder: str) -> set[str]:
    """Return every package that a folder's apt tasks may install."""
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
    """Return the target paths of a role's templates."""
    folder = ROOT / "roles" / role / "templates"
    found = (path.relative_to(folder).as_posix().removesuffix(".j2") for path in folder.rglob("*.j2"))
    return [f"/{path}" for path in found if path.startswith(("etc/", "usr/", "var/"))]


def task_paths(role: str) -> set[str]:
    """Return the absolute paths that a role's tasks write, create or remove."""
    known = variables(f"roles/{role}")
    keys = ("dest", "path", "creates")
    written = {
        resolved(arguments[key], known)
        for mapping in documents(f"roles/{role}")
        for module, arguments in mapping.items()
        if isinstance(arguments, dict)
        and module.startswith(("ansible.builtin.", "community.", "voip."))
        and module != "ansible.builtin.stat"
        for key in keys
        if key in arguments
    }
    written |= {resolved(entry["path"], known) for entry in mappings(known) if "path" in entry}
    return {path.rstrip("/") for path in written if re.fullmatch(r"/[\w./~-]+", path)}


def unit_folders(role: str) -> set[str]:
    """Return the persistent folders that a role's units may write to."""
    found = set()
    for path in (ROOT / "roles" / role / "templates/etc/systemd").rglob("*.j2"):
        text = path.read_text()
        found |= {f"/var/lib/{name}" for name in re.findall(r"^StateDirectory=(\S+)$", text, re.MULTILINE)}
        found |= {f"/var/log/{name}" for name in re.findall(r"^LogsDirectory=(\S+)$", text, re.MULTILINE)}
        found |= {
            name.lstrip("-")
            for names in re.findall(r"^(?:ReadWritePaths=| *'ReadWritePaths': ')([^'\n]*)", text, re.MULTILINE)
            for name in names.split()
            if re.fullmatch(r"-?/(var|srv|etc)/[\w./-]+", name)
        }
    return found


def is_below(path: str, folders: tuple[str, ...] | list[str]) -> bool:
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)


def known_paths(footprint: Footprint) -> tuple[str, ...]:
    units = tuple(f"/etc/systemd/system/{unit}" for unit in footprint.units)
    return (*units, *footprint.paths, *footprint.replaced, *footprint.purge_paths)


def test_every_role_has_a_footprint():
    assert set(ROLES) == set(FOOTPRINTS) - {"playbooks"}


@pytest.mark.parametrize("role", ELSEWHERE)
def test_role_without_footprint_has_a_reason_and_is_not_for_stations(role):
    assert role not in FOOTPRINTS
    assert ELSEWHERE[role]
    station = (ROOT / "playbooks/station.yml").read_text()
    assert f"voip.preprovision.{role}\n" not in station


def test_clients_of_the_bench_get_only_packages():
    role = "bench_clients"
    modules = {module for mapping in documents(f"roles/{role}") for module in mapping if module.startswith("ansible.builtin.")}
    assert modules <= {"ansible.builtin.apt", "ansible.builtin.assert", "ansible.builtin.import_tasks"}


def test_finds_packages_files_and_folders_of_roles():
    assert "nginx" in packages("roles/web_server")
    assert {"gunicorn", "python3-psycopg2"} <= packages("roles/profile_service")
    assert {"iproute2", "nftables"} == packages("roles/bench")
    assert "/etc/nginx/conf.d/preprovision.conf" in templates("web_server")
    assert "/etc/nginx/preprovision.passwords" in task_paths("web_server")
    assert "/etc/preprovision/certificates" in task_paths("certificates")
    assert {"/var/lib/preprovision-service", "/var/lib/preprovision-events"} <= unit_folders("profile_service")


@pytest.mark.parametrize("role", ROLES)
def test_footprint_lists_exactly_the_packages_that_a_role_installs(role):
    assert packages(f"roles/{role}") == {*FOOTPRINTS[role].packages, *FOOTPRINTS[role].optional_packages}


def test_footprint_lists_exactly_the_packages_that_playbooks_install():
    known = {*FOOTPRINTS["playbooks"].packages, *FOOTPRINTS["playbooks"].optional_packages}
    installed = set()
    for path in sorted((ROOT / "playbooks").rglob("*.yml")):
        for mapping in mappings(read_yaml(path)):
            names = mapping.get("ansible.builtin.apt", {}).get("name", [])
            installed |= {name for name in ([names] if isinstance(names, str) else names) if "{{" not in name}
    assert installed == known


@pytest.mark.parametrize("role", ROLES)
def test_footprint_lists_a_roles_units(role):
    units = {Path(path).name for path in templates(role) if Path(path).parent.name == "system" and path.endswith(UNITS)}
    assert units <= {*FOOTPRINTS[role].units, *FOOTPRINTS[role].services}
    assert set(FOOTPRINTS[role].units) <= units


@pytest.mark.parametrize("role", ROLES)
def test_footprint_lists_a_roles_files(role):
    written = {*templates(role), *task_paths(role)}
    unknown = {path for path in written if not is_below(path, known_paths(FOOTPRINTS[role])) and not path.startswith(EVERYWHERE)}
    # A folder that also comes with systemd or a package is created only for the listed files in it
    assert {path for path in unknown if not any(known.startswith(f"{path}/") for known in known_paths(FOOTPRINTS[role]))} == set()


def accounts(given: Any, known: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the accounts of a call, which may be one of several lists in a variable."""
    name = re.fullmatch(r"\{\{ (__\w+)\[__\w+\] \}\}", given) if isinstance(given, str) else None
    return [account for choice in known[name[1]].values() for account in choice] if name else list(given)


@pytest.mark.parametrize("role", ROLES)
def test_footprint_lists_exactly_a_roles_users(role):
    known = variables(f"roles/{role}")
    calls = [
        mapping["voip.preprovision.managed_files"]
        for mapping in documents(f"roles/{role}")
        if "voip.preprovision.managed_files" in mapping
    ]
    users = {resolved(user["name"], known) for call in calls for user in accounts(call.get("users", ()), known)}
    users |= {
        resolved(mapping["ansible.builtin.user"]["name"], known)
        for mapping in documents(f"roles/{role}")
        if "ansible.builtin.user" in mapping
    }
    assert users == set(FOOTPRINTS[role].users)


def test_footprint_lists_exactly_the_settings_of_the_kernel_that_the_bench_changes():
    limits = neighbour_limits(BenchNetwork("192.0.2.1", 24))
    assert {f"net.ipv4.neigh.default.{name}" for name in limits} == set(across_roles("sysctls"))


@pytest.mark.parametrize("role", ROLES)
def test_persistent_data_is_backed_up_or_excluded_with_a_reason(role):
    footprint = FOOTPRINTS[role]
    paths = {path for path in known_paths(footprint) if path.startswith(("/var/", "/srv/"))} | unit_folders(role)
    paths |= {path for path in footprint.secret if not path.startswith("/var/log/")}
    decided = [*footprint.state, *footprint.not_backed_up]
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
    assert all(reason for reason in footprint.not_backed_up.values())


@pytest.mark.parametrize("role", FOOTPRINTS)
def test_secrets_and_state_are_among_the_roles_own_paths(role):
    footprint = FOOTPRINTS[role]
    assert [path for path in (*footprint.secret, *footprint.state) if not is_below(path, known_paths(footprint))] == []
    assert bool(footprint.stop_for_restore) >= bool(footprint.state)
    assert set(footprint.stop_for_restore) <= {*across_roles("units"), *across_roles("services")}


def test_across_roles_lists_the_last_role_first_without_duplicates():
    assert len(list(across_roles("packages"))) == len(set(across_roles("packages")))
    order = list(across_roles("units"))
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
def test_only_state_is_restored(path, kept):
    assert is_of_state(path) is kept
