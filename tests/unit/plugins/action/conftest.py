# SPDX-License-Identifier: GPL-3.0-or-later
"""A controller with its own files, on which ansible-playbook runs as users run it; what each task returns is recorded."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import ClassVar, NamedTuple

import pytest

ROOT = Path(__file__).parents[4]

RECORDER = """
import json
import os

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "recorder"

    def v2_runner_on_ok(self, result):
        self._record(result, False)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._record(result, True)

    def _record(self, result, failed):
        with open(os.environ["RECORDED"], "a", encoding="utf-8") as file:
            json.dump([result.task_name, failed, self._dump_results(result.result)], file)
            file.write("\\n")
"""


class Run(NamedTuple):
    """One run of ansible-playbook."""

    code: int
    output: str
    done: dict[str, dict]
    """Name of a task that succeeded -> what it returned."""
    failed: dict[str, str]
    """Name of a task that failed -> its message."""
    commands: set[str]
    """The command lines of all processes meanwhile, if they were watched."""

    def shown(self, name: str) -> str:
        """What was shown while a task ran."""
        return self.output.split(f"TASK [{name}]")[1].split("\nTASK [")[0]


class Controller:
    """A folder with playbooks, inventories, logs and temporary files."""

    station: ClassVar = {"station": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}}
    """This machine as target."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("local", "remote", "facts", "callbacks"):
            (folder / name).mkdir()
        self.write("callbacks/recorder.py", RECORDER)

    def write(self, name: str, content: object) -> str:
        """Write text, bytes, or anything else as YAML; return the path."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            # All JSON is YAML, but only of what does not look like JSON Ansible shows lines in its errors
            path.write_text(content if isinstance(content, str) else f"---\n{json.dumps(content, indent=1)}\n")
        return str(path)

    def play(self, steps: list[dict], *options: str, watch: bool = False, pipelining: bool = True) -> Run:
        """Run tasks on the host station, each with its own name. *watch*: whether to collect command lines."""
        playbook = [{"hosts": "station", "gather_facts": False, "tasks": steps}]
        recorded = self.folder / "recorded"
        recorded.write_text("")
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache" / "collections"),
            "ANSIBLE_PIPELINING": str(pipelining),
            "ANSIBLE_LOCAL_TEMP": str(self.folder / "local"),
            "ANSIBLE_REMOTE_TEMP": str(self.folder / "remote"),
            "ANSIBLE_LOG_PATH": str(self.folder / "log"),
            "ANSIBLE_CACHE_PLUGIN": "jsonfile",
            "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(self.folder / "facts"),
            "ANSIBLE_CALLBACK_PLUGINS": str(self.folder / "callbacks"),
            "ANSIBLE_CALLBACKS_ENABLED": "recorder",
            "ANSIBLE_NOCOLOR": "1",
            # It prints every task, whose output the tests read
            "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
            "RECORDED": str(recorded),
        }
        program = str(Path(sys.executable).parent / "ansible-playbook")
        inventory = str(self.folder / "inventory" / "hosts.yml")
        command = [program, "-i", inventory, *options, self.write("play.yml", playbook)]
        with _Watched() if watch else contextlib.nullcontext(set()) as commands:
            done = subprocess.run(  # a list, without a shell
                command, env=environment, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
            )
        records = [json.loads(line) for line in recorded.read_text().splitlines()]
        results = {name: json.loads(result) for name, failed, result in records if not failed}
        messages = {name: json.loads(result)["msg"] for name, failed, result in records if failed}
        return Run(done.returncode, done.stdout, results, messages, commands)

    def files(self, name: str) -> dict[str, tuple[int, int, bytes]]:
        """Return path -> mode, group and content of the published files below a folder; our own have random salts and times."""
        found = {}
        for path in sorted((self.folder / name).rglob("*")):
            if path.is_file() and path.name not in ("manifest.jsonl", "inputs", "evidence"):
                status = path.stat()
                found[str(path.relative_to(self.folder / name))] = (status.st_mode, status.st_gid, path.read_bytes())
        return found


class _Watched:
    """Collects the command lines of all processes."""

    def __init__(self) -> None:
        self._commands: set[str] = set()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> set[str]:
        self._thread.start()
        return self._commands

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.02):
            for process in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self._commands.add(process.read_text(errors="replace").replace("\0", " "))
                except OSError:
                    continue


@pytest.fixture(scope="module")
def controller(tmp_path_factory) -> Controller:
    """A controller for all tests of a module."""
    return Controller(tmp_path_factory.mktemp("controller"))
