# SPDX-License-Identifier: GPL-3.0-or-later
"""Publishing what changed ends as publishing everything does, whatever happened before.

The action runs in this process, and its module on real folders, so that many histories can be tried. In each history the same is
done to two folders: one is published incrementally, the other with ``full``.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from publication_histories import CHANGES, LINKS, SETTINGS, TEMPLATES, Inputs, OwnTarget, run_action

from ansible_collections.voip.preprovision.plugins.action import profiles as action
from ansible_collections.voip.preprovision.plugins.module_utils.publishing import generations, publisher
from ansible_collections.voip.preprovision.plugins.modules import published_tree
from ansible_collections.voip.preprovision.plugins.plugin_utils import publication

pytestmark = pytest.mark.root(reason="only root can give files to a group")

BASE = {**LINKS, "device_group": "root", "unit_group": "root", "purge": True}
KILLED = 9


class Action(OwnTarget, action.ActionModule):
    """The action, whose target is this process."""

    def _execute_module(self, module_name=None, module_args=None, task_vars=None, **_more):
        assert module_name == "voip.preprovision.published_tree"
        defaults = {name: option.get("default") for name, option in published_tree.ARGUMENT_SPEC.items()}
        try:
            return published_tree.run({**defaults, **module_args}, self._task.check_mode)
        except generations.TreeError as error:
            return {"failed": True, "msg": str(error)}


class Folder:
    """A published folder, and how it is published to."""

    def __init__(self, root: Path, full: bool) -> None:
        self.root, self.full = root, full
        root.mkdir()
        self.dest = str(root / "srv")

    def run(self, **arguments: Any) -> dict[str, Any]:
        full = {"full": self.full} if arguments.get("state") != "previous" else {}
        return run_action(Action, self.root / "tmp", self.root.parent, dest=self.dest, **arguments, **full)

    def files(self) -> dict[str, tuple[int, int, bytes]]:
        current = Path(self.dest, "current")
        found = {}
        for path in sorted(current.rglob("*")):
            status = path.lstat()
            name = str(path.relative_to(current))
            if name in ("manifest.jsonl", "inputs", "evidence"):
                assert stat.S_IMODE(status.st_mode) == 0o600
            elif stat.S_ISREG(status.st_mode):
                found[name] = (status.st_mode, status.st_gid, path.read_bytes())
            else:
                found[name] = (status.st_mode, status.st_gid, os.fsencode(os.readlink(path)) if path.is_symlink() else b"")
        return found

    def live(self) -> str:
        link = Path(self.dest, "current")
        return os.readlink(link) if link.is_symlink() else ""


class World(Inputs):
    """The inputs of both folders, and these."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(root, BASE)
        self.folders = [Folder(root / "incremental", False), Folder(root / "full", True)]
        real = publisher.Publisher._render
        monkeypatch.setattr(publication, "code_version", lambda: self.code)
        monkeypatch.setattr(
            publisher.Publisher, "_render", lambda *values: real(*values) + f"<!-- {self.code} -->".encode().lstrip(b"1")
        )

    def apply(self, operation: tuple) -> None:
        super().apply(operation)
        match operation:
            case ("back",):
                said = {str(folder.run(state="previous")).replace(folder.dest, "") for folder in self.folders}
                assert len(said) == 1
            case ("damage", number, how):
                self.damage(number, how)

    def damage(self, number: int, how: str) -> None:
        paths = [path for path, (mode, *_rest) in self.folders[0].files().items() if stat.S_ISREG(mode)]
        if not paths:
            return
        for folder in self.folders:
            path = os.path.join(folder.dest, "current", paths[number % len(paths)])
            status = os.stat(path)
            match how:
                case "delete":
                    os.unlink(path)
                case "mode":
                    os.chmod(path, 0o604)
                case "owner":
                    os.chown(path, 1, -1)
                case "edit":
                    with open(path, "r+b") as file:
                        first = file.read(1)
                        file.seek(0)
                        file.write(bytes([(first[0] if first else 0) ^ 1]))
                    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
                case "replace":
                    os.unlink(path)
                    Path(path).write_bytes(b"another")
                case "link":
                    os.unlink(path)
                    os.symlink("/etc/passwd", path)
                case "folder":
                    os.chmod(os.path.dirname(path), 0o700)
                case "manifest":
                    manifest = Path(folder.dest, "current/manifest.jsonl")
                    manifest.write_bytes(manifest.read_bytes()[: 200 + number])
                case "inputs" | "evidence":
                    own = Path(folder.dest, "current", how)
                    if own.exists():
                        own.write_bytes(own.read_bytes()[:-1] + b"\0")

    def publish(self, kill: int = 0) -> None:
        """Publish to both; with *kill* the first run ends before that step, and the second runs only if the first was live then."""
        arguments = self.arguments()
        first, second = self.folders
        if kill:
            before = first.live()
            if killed(lambda: first.run(**arguments), kill) and first.live() == before:
                return
            second.run(**arguments)
        else:
            results = [folder.run(**arguments) for folder in self.folders]
            rendered = [result.pop("rendered", 0) for result in results]
            assert results[0] == results[1]
            event("refused" if "failed" in results[0] else f"rendered {rendered[0]} of {rendered[1]}")
        assert first.files() == second.files()


STEPS = {"os.mkdir", "os.rename", "os.link", "os.symlink", "os.remove", "os.rmdir", "os.chmod", "os.chown"}


def killed(work, at: int) -> bool:
    """Run *work* in a process that ends before its step number *at* that changes the disk; return whether it ended there."""
    child = os.fork()
    if not child:
        count = 0

        def audit(name, _arguments):
            nonlocal count
            if name in STEPS:
                count += 1
                if count == at:
                    os._exit(KILLED)

        sys.addaudithook(audit)
        try:
            work()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == KILLED


OPTIONS = (
    *SETTINGS,
    *(("purge", value) for value in (True, False)),
    *(("kinds", value) for value in (["bootstrap", "preprovision", "service"], ["service"], ["bootstrap", "service"])),
    *(("exempt_phones", value) for value in ([], ["00:00:5e:00:53:01"])),
)
OPERATIONS = st.one_of(
    *CHANGES,
    st.sampled_from(OPTIONS).map(lambda option: ("option", *option)),
    st.just(("back",)),
    st.tuples(
        st.just("damage"),
        st.integers(0, 40),
        st.sampled_from(["delete", "mode", "owner", "edit", "replace", "link", "folder", "manifest", "inputs", "evidence"]),
    ),
    st.tuples(st.just("kill"), st.integers(1, 60)),
)


@pytest.fixture
def quick(monkeypatch):
    """Skip syncing to disk, which matters only for power cuts."""
    monkeypatch.setattr(generations, "_syncfs", lambda _descriptor: None)
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)


@settings(
    max_examples=int(os.environ.get("INCREMENTAL_EXAMPLES", "25")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(history=st.lists(OPERATIONS, min_size=3, max_size=12))
def test_publishing_what_changed_is_publishing_everything(tmp_path_factory, quick, history):
    with pytest.MonkeyPatch.context() as monkeypatch:
        folder = tmp_path_factory.mktemp("history")
        world = World(folder / "world", monkeypatch)
        world.publish()
        for operation in history:
            event(operation[0])
            world.apply(operation)
            world.publish(operation[1] if operation[0] == "kill" else 0)
        shutil.rmtree(folder)


@pytest.fixture
def world(tmp_path, quick, monkeypatch):
    found = World(tmp_path / "world", monkeypatch)
    found.folders = found.folders[:1]
    for number in range(6):
        found.phones[number] = {
            "phone_model": "ATA192",
            "phone_customer": "acme" if number % 2 else "globex",
            "name": f"desk-{number}",
        }
    assert found.folders[0].run(**found.arguments())["rendered"] == 6
    return found


def publish(world: World) -> tuple[int, list[str]]:
    """Publish incrementally; return how many phones were rendered, and the names of those whose files were sent."""
    found = world.folders[0].run(**world.arguments())
    assert "failed" not in found, found
    return found["rendered"], found["published"]


def test_renders_only_phones_with_other_inputs(world):
    assert publish(world) == (0, [])
    world.apply(("cell", 3, "phone_lines.1.user_id", "100"))
    assert publish(world) == (1, ["desk-3"])
    world.apply(("group", "acme", "GMT+01:00"))
    assert publish(world) == (3, ["desk-1", "desk-3", "desk-5"])
    world.apply(("turn",))
    assert publish(world) == (0, [])
    world.apply(("drop", 4))
    assert publish(world) == (0, [])
    world.apply(("cell", 2, "phone_profile_template", "own.j2"))
    assert publish(world) == (1, ["desk-2"])
    world.apply(("template", TEMPLATES[1]))
    assert publish(world) == (1, ["desk-2"])
    world.apply(("cell", 0, "name", "desk-new"))
    assert publish(world) == (1, ["desk-new"])
    world.apply(("option", "syslog_server", "192.0.2.1"))
    assert publish(world)[0] == 5
    for how in ("edit", "delete", "mode"):
        world.apply(("damage", -1, how))
        assert publish(world)[0] == 1, how
    assert publish(world) == (0, [])


def test_other_line_ends_change_no_phone(world):
    assert publish(world) == (0, [])
    path = world.root / "phones.csv"
    arguments = world.arguments()
    path.write_bytes(path.read_bytes().replace(b"\r\n", b"\n"))
    assert world.folders[0].run(**arguments)["rendered"] == 0


def test_renders_all_phones_on_request(world):
    world.folders[0].full = True
    found = world.folders[0].run(**world.arguments())
    assert (found["rendered"], found["sent"]) == (6, 0)


def test_renders_all_phones_where_fingerprints_could_be_guessed(world):
    del world.options["master_key"]
    for number in world.phones:
        world.phones[number]["phone_profile_key"] = f"the-own-key-of-phone-{number}"
    assert [publish(world)[0] for _again in range(2)] == [6, 6]
    assert not Path(world.folders[0].dest, "current/inputs").exists()


def test_reports_what_phones_ignore_in_each_run(world, monkeypatch):
    shown: list[str] = []
    monkeypatch.setattr(publication, "report_ignored", lambda ignored, _unknown, _action: shown.extend(ignored))
    world.groups["customer"]["acme"]["phone_parameters_acme"] = {"No_Such": "1"}
    for _again in range(3):
        world.folders[0].run(**world.arguments())
    about = [sentence for sentence in shown if "No_Such" in sentence]
    assert len(about) == 3
    assert len({*shown}) == len(shown) // 3
    assert "desk-1 (phones.csv line 3) and 2 more" in about[0]


def test_a_value_that_another_phone_has_is_refused_although_that_phone_is_not_read(world):
    world.phones[5]["phone_serial"] = "S1"
    publish(world)
    for column, value in (("name", "desk-5"), ("phone_serial", "S1")):
        before = dict(world.phones[0])
        world.apply(("cell", 0, column, value))
        found = world.folders[0].run(**world.arguments())
        assert "desk-5 (phones.csv line 7)" in found["failed"], column
        world.phones[0] = before
    assert publish(world) == (0, [])
