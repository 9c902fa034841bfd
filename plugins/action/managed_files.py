# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Controller side of the managed_files module: render and read what a role wants, and send it as one plan."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.template import trust_as_template

from ..module_utils.station.managed.files import UNITS
from ..module_utils.station.managed.notes import digest_of, note_lines
from ..module_utils.station.managed.plan import Account, ManagedFile, Plan, Tree, Unit, WholeCheck, to_json
from ..plugin_utils.options import read_options
from ..plugin_utils.source_code import SourceError, collect, pack
from ..plugin_utils.target_module import TargetModule, local_file

_TEXT: dict[str, Any] = {"type": "str"}
_PATHS: dict[str, Any] = {"type": "list", "elements": "str", "default": []}
ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "users": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {"name": {"type": "str", "required": True}, "home": {"type": "str", "default": "/nonexistent"}},
    },
    "code": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "path": {"type": "str", "required": True},
            "src": _TEXT,
            "domain": {"type": "list", "elements": "str", "default": []},
            "domain_folder": {"type": "str", "default": ""},
        },
    },
    "files": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "path": {"type": "str", "required": True},
            "state": {"type": "str", "default": "file", "choices": ["file", "directory", "absent"]},
            "content": _TEXT,
            "owner": {"type": "str", "default": "root"},
            "group": {"type": "str", "default": "root"},
            "mode": _TEXT,
            "validate": {"type": "str", "default": ""},
            "secret": {"type": "bool", "default": False},
        },
    },
    "checks": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "folder": {"type": "str", "required": True},
            "command": {"type": "str", "required": True},
            "of_roles": {"type": "str", "default": ""},
        },
    },
    "units": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "enabled": {"type": "bool"},
            "state": {"type": "str", "choices": ["started", "stopped"]},
            "noted_in": {"type": "str", "default": ""},
            "restart_for": _PATHS,
            "reload_for": _PATHS,
            "reload_for_unit": {"type": "bool", "default": False},
            "rules": {"type": "str", "default": ""},
            "holds": {"type": "str", "default": ""},
        },
    },
}
_MODES = {"file": "0644", "directory": "0755", "absent": "0000"}
_MODE = re.compile(r"0?[0-7]{3,4}")


class ActionModule(ActionBase):
    """Wiring."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Make the host what the task says."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        given = read_options("managed_files", ARGUMENT_SPEC, self._task.args)
        try:
            code = {tree["path"]: collect(tree["src"], tree["domain"], tree["domain_folder"]) for tree in given["code"]}
        except SourceError as error:
            raise AnsibleActionFail(f"managed_files: {error}") from None
        plan = Plan(
            tuple(Account(**user) for user in given["users"]),
            tuple(Tree(path, {name: _digest(file) for name, file in files.items()}) for path, files in code.items()),
            tuple(with_folders(self._file(file, task_vars or {}) for file in given["files"])),
            tuple(WholeCheck(**check) for check in given["checks"]),
            tuple(_unit(unit) for unit in given["units"]),
        )
        plan = with_notes(plan, {unit["name"]: unit["noted_in"] for unit in given["units"] if unit["noted_in"]})
        target = TargetModule(self, "managed_files_apply", task_vars, "", plan=to_json(plan))
        answer = target.call()
        if answer["needed"]:
            with local_archives({path: pack(code[path]) for path in answer["needed"]}) as pieces:
                answer = target.call(archives=dict(zip(answer["needed"], target.upload_pieces(pieces), strict=True)))
        return {**result, **answer}

    def _file(self, given: Mapping[str, Any], variables: Mapping[str, Any]) -> ManagedFile:
        path, state, mode = given["path"], given["state"], given["mode"] or _MODES[given["state"]]
        if not _MODE.fullmatch(mode):
            raise AnsibleActionFail(f"managed_files: {path}: mode must be octal and quoted, such as '0644', not {mode!r}")
        content = given["content"]
        if state == "file" and content is None:
            content = self._render(f"{path.lstrip('/')}.j2", variables)
        shared = {name: given[name] for name in ("owner", "group", "validate", "secret")}
        return ManagedFile(path, state, content or "", mode=int(mode, 8), **shared)

    def _render(self, name: str, variables: Mapping[str, Any]) -> str:
        """Return the role's template *name* as ansible.builtin.template renders it."""
        source = self._find_needle("templates", name)
        folders = [*variables.get("ansible_search_path", []), os.path.dirname(source)]
        templar = self._templar.copy_with_new_env(
            searchpath=[path for folder in folders for path in (os.path.join(folder, "templates"), folder)],
            available_variables=variables,
        )
        text = trust_as_template(self._loader.get_text_file_contents(source))
        return str(templar.template(text, escape_backslashes=False, overrides={"trim_blocks": True}))


@contextlib.contextmanager
def local_archives(archives: Mapping[str, bytes]) -> Iterator[list[tuple[str, str]]]:
    """Provide archives as files on the controller, each with the name that it gets on the target."""
    with contextlib.ExitStack() as opened:
        pieces = []
        for number, content in enumerate(archives.values()):
            file, path = opened.enter_context(local_file())
            file.write(content)
            file.close()
            pieces.append((path, f"code-{number}"))
        yield pieces


def with_folders(files: Iterable[ManagedFile]) -> Iterator[ManagedFile]:
    """Yield *files*, and before each drop-in of a unit the folder that it lies in."""
    known = set()
    for file in files:
        folder = os.path.dirname(file.path)
        if folder.startswith(f"{UNITS}/") and folder.endswith(".d") and file.state == "file" and folder not in known:
            known.add(folder)
            yield ManagedFile(folder, "directory", mode=0o755)
        yield file


def with_notes(plan: Plan, noted_in: Mapping[str, str]) -> Plan:
    """Return *plan* with the lines that make units note what they start with; *noted_in*: the file that gets them, by unit."""
    texts = {file.path: file.content for file in plan.files if file.state == "file"}
    missing = [path for path in noted_in.values() if path not in texts]
    if missing:
        raise AnsibleActionFail(f"managed_files: noted_in names {missing[0]}, which is not among the files")
    units = tuple(
        _noted(unit, noted_in[unit.name], texts[noted_in[unit.name]]) if unit.name in noted_in else unit for unit in plan.units
    )
    lines = {noted_in[unit.name]: note_lines(unit) for unit in units if unit.name in noted_in}
    files = tuple(
        replace(file, content=f"{file.content}\n{lines[file.path]}") if file.path in lines else file for file in plan.files
    )
    return replace(plan, files=files, units=units)


def _noted(unit: Unit, path: str, text: str) -> Unit:
    """Return *unit* with its notes, which count its own file among those that it reads."""
    name = os.path.basename(path)
    note = unit.name if name == unit.name else f"{unit.name}.{name.removesuffix('.conf')}"
    part = "reload_for" if unit.reload_for_unit else "restart_for"
    return replace(unit, digest=digest_of(text), note=note, **{part: (path, *getattr(unit, part))})


def _unit(given: Mapping[str, Any]) -> Unit:
    named = {name: given[name] for name in ("name", "enabled", "reload_for_unit", "rules", "holds")}
    return Unit(state=given["state"] or "", restart_for=tuple(given["restart_for"]), reload_for=tuple(given["reload_for"]), **named)


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
