# SPDX-License-Identifier: GPL-3.0-or-later
"""What phones are published from, and what may happen to it, for tests that try many histories."""

from __future__ import annotations

import csv
import io
import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from hypothesis import strategies as st

KEYS = ("the first master key", "the second master key")
COLUMNS = (
    *("name", "phone_mac", "phone_model", "phone_serial", "phone_customer", "phone_profile_template", "phone_profile_key"),
    *("phone_bench_delivery", "phone_sealing", "phone_lines.1.user_id", "phone_lines.1.password", "phone_parameters.Time_Zone"),
)
CELLS = {
    "name": ("", "desk-a", 'desk "b"', "two\nlines", "desk-c"),
    "phone_model": ("ATA192", "CP-8851-3PCC", "SPA504G", "VVX150"),
    "phone_serial": ("", "S1", "S2", "S3"),
    "phone_customer": ("", "acme", "globex", "acmee"),
    "phone_profile_template": ("", "own.j2"),
    "phone_profile_key": ("", "a-key-of-this-phone-alone"),
    "phone_bench_delivery": ("", "tftp", "certificate"),
    "phone_sealing": ("", "none"),
    "phone_lines.1.user_id": ("", "100", "2000"),
    "phone_lines.1.password": ("", "se,cret", 'pass"word'),
    "phone_parameters.Time_Zone": ("", "GMT", "GMT+01:00"),
}
TEMPLATES = tuple(f"<flat-profile><Time_Zone>{zone}</Time_Zone></flat-profile>" for zone in ("GMT", "GMT+02:00"))
LINKS = {
    "bench_url": "https://prov.example.net/device/$MA.cfg",
    "remote_url": "http://prov.example.com/service/$MA-{key_id}.cfg",
    "unknown_parameters": "ignore",
    "plaintext_secrets": True,
    "replace_master_key": True,
}


class OwnTarget:
    """For an action: its target is this process, and its files are copied."""

    _task: SimpleNamespace

    def _make_tmp_path(self, remote_user=None):
        return self._task.folder

    def _transfer_file(self, local_path, remote_path):
        shutil.copyfile(local_path, remote_path)
        return remote_path

    def _fixup_perms2(self, remote_paths, remote_user=None, execute=True):
        return remote_paths


def run_action(kind: type, folder: Path, inventory: Path, check: bool = False, **arguments: Any) -> dict[str, Any]:
    """Run an action of a *kind* with these arguments; return its result, or the message of its failure as ``failed``.

    *folder*: for files on the target; *inventory*: folder of the inventory.
    """
    folder.mkdir(exist_ok=True)
    task = SimpleNamespace(args=arguments, check_mode=check, diff=False, async_val=0, folder=str(folder), action="x")
    connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir=None, join_path=os.path.join))
    one = kind(task, connection, None, DataLoader(), None, None)
    try:
        result = one.run(None, {"inventory_dir": str(inventory)})
    except AnsibleError as error:
        return {"failed": str(error)}
    return {name: value for name, value in result.items() if name != "invocation"}


class Inputs:
    """A table of phones, their groups, a template, settings, and the version of the code."""

    def __init__(self, root: Path, options: dict[str, Any]) -> None:
        self.root = root
        root.mkdir()
        (root / "templates").mkdir()
        self.phones: dict[int, dict[str, str]] = {number: {"phone_model": "ATA192"} for number in range(3)}
        self.options: dict[str, Any] = dict(options, master_key=KEYS[0])
        self.groups: dict[str, Any] = {"all": {"phone_parameters_all": {"Time_Zone": "GMT"}}, "customer": {"acme": {}}}
        self.template = TEMPLATES[0]
        self.code = "1"

    def arguments(self) -> dict[str, Any]:
        """Write the files; return the task's arguments."""
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, COLUMNS, restval="")
        writer.writeheader()
        for number, cells in self.phones.items():
            writer.writerow({"phone_mac": f"00005e0053{number:02x}", **cells})
        (self.root / "phones.csv").write_text(text.getvalue(), newline="")
        (self.root / "templates/own.j2").write_text(self.template)
        return {**self.options, "rows": str(self.root / "phones.csv"), "groups": self.groups}

    def apply(self, operation: tuple) -> None:
        """Change something; operations that change no input do nothing."""
        match operation:
            case ("cell", number, column, value):
                self.phones.setdefault(number, {"phone_model": "ATA192"})[column] = value
            case ("drop", number):
                self.phones.pop(number, None)
            case ("turn",):
                self.phones = dict(reversed(self.phones.items()))
            case ("group", dimension, value):
                target = self.groups["all"] if dimension == "all" else self.groups["customer"].setdefault(dimension, {})
                target["phone_parameters_all"] = {"Time_Zone": value}
            case ("option", name, value):
                self.options[name] = value
            case ("template", text):
                self.template = text
            case ("code", version):
                self.code = version
            case ("rekey",):
                now = self.options["master_key"]
                self.options |= {"master_key": KEYS[now == KEYS[0]], "previous_master_key": now}


def _cells() -> st.SearchStrategy:
    return st.sampled_from([(column, value) for column, values in CELLS.items() for value in values])


NUMBERS = st.integers(0, 5)
CHANGES = (
    st.tuples(st.just("cell"), NUMBERS, _cells()).map(lambda found: ("cell", found[1], *found[2])),
    st.tuples(st.just("cell"), NUMBERS, _cells()).map(lambda found: ("cell", found[1], *found[2])),
    st.tuples(st.just("drop"), NUMBERS),
    st.just(("turn",)),
    st.tuples(st.just("group"), st.sampled_from(["all", "acme", "globex"]), st.sampled_from(["GMT", "GMT+01:00"])),
    st.tuples(st.just("template"), st.sampled_from(TEMPLATES)),
    st.tuples(st.just("code"), st.sampled_from(["1", "2"])),
    st.just(("rekey",)),
    st.just(("nothing",)),
)
"""Operations for Inputs.apply()."""
SETTINGS = (
    *(("complete", value) for value in (["service"], ["bootstrap", "service"], ["preprovision"])),
    *(("service_parameters", value) for value in ({}, {"Resync_Periodic": "60"})),
    *(("syslog_server", value) for value in ("", "192.0.2.1")),
    *(("bench_delivery", value) for value in ("tftp", "certificate")),
    *(("families", value) for value in ({}, {"spa": {"digest": "sha256"}}, {"mpp": {"upgrade_enable": ""}})),
    *(("remote_url", value) for value in (LINKS["remote_url"], "http://prov.example.com/service/$PN-$SN.cfg")),
)
"""Arguments that change what phones get."""
