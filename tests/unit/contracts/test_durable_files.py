# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are written outlast a power cut, unless a reason says why one need not."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from parsed_files import read_python

ROOT = Path(__file__).parents[3]
FOLDERS = (ROOT / "plugins", *(ROOT / "roles").glob("*/files"))

# What writes a file without fsync, and why
REASONS = {
    "plugins/action/firmware_tree.py _pieces": "a piece of an upload, removed after it",
    "plugins/action/firmware_tree.py _replacing": "a download that its checksum verifies at each use",
    "plugins/module_utils/dhcp/lease_file.py main": "a copy of the lease file in /run, made again at each start",
    "plugins/module_utils/dhcp/watch.py hear": "in /run, and made again at the next answer",
    "plugins/module_utils/firmware/store.py _changing": "a lock, which has no content",
    "plugins/module_utils/publishing/generations.py _locked": "a lock, which has no content",
    "plugins/module_utils/publishing/generations.py _build": "one syncfs for the generation, before its link is swapped",
    "plugins/module_utils/station/check_certificates.py _write": "removed by the end of the check",
    "plugins/module_utils/station/agents/health.py write_state": "in /run, and made again every ten seconds",
    "plugins/module_utils/station/check_phones.py place": "removed by the end of the check",
    "plugins/module_utils/station/managed/apply.py locked": "a lock, which has no content",
    "plugins/module_utils/station/managed/files.py _verify_units": "in a temporary folder",
    "plugins/module_utils/station/managed/units.py mark_stale": "in /run, which a power cut empties",
    "plugins/module_utils/station/offline_bundle.py collect": "made again from the archive at any time",
    "plugins/module_utils/station/offline_bundle.py _prepare": "in a temporary folder",
    "plugins/module_utils/station/teardown.py _write_sysctl": "a setting of the kernel, in /proc",
    "plugins/module_utils/station/shredding.py _overwrite": "zeros over a secret; its caller syncs and removes the file",
    "plugins/modules/emulated_phone.py write_plot": "a plot, which the next measurement makes again",
    "plugins/plugin_utils/target_module.py local_file": "an upload, removed after it",
    "roles/profile_service/files/preprovision_service/store/copies.py ask_for_healing": "an empty file, read at once",
    "roles/profile_service/files/preprovision_service/ingest/markers.py make": "an empty file; its folder is synced",
    "plugins/plugin_utils/rendering.py _worker": "a pipe",
}


def writes(function: ast.AST) -> bool:
    """Return whether a function's own code opens a file to write to it."""
    return any(_is_write(node) for node in _own(function) if isinstance(node, ast.Call))


def _own(function: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(function):
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node
            yield from _own(node)


def _is_write(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name in ("write_text", "write_bytes", "touch", "mkstemp", "NamedTemporaryFile"):
        return True
    words = [*call.args, *(word.value for word in call.keywords)]
    if any(isinstance(node, ast.Attribute) and node.attr == "O_CREAT" for word in words for node in ast.walk(word)):
        return True
    if name not in ("open", "fdopen") or _is_archive(call):
        return False
    modes = [word.value for word in words if isinstance(word, ast.Constant) and isinstance(word.value, str)]
    return any(0 < len(mode) <= 3 and set(mode) <= set("rwxabt+") and set(mode) & set("wxa+") for mode in modes)


def _is_archive(call: ast.Call) -> bool:
    """Archives in memory are no files."""
    return (isinstance(call.func, ast.Attribute) and getattr(call.func.value, "id", "") in ("zipfile", "gzip")) or any(
        word.arg == "fileobj" for word in call.keywords
    )


def is_durable(function: ast.AST) -> bool:
    """Return whether a function's own code calls fsync, or a helper with a name that says so."""
    names = {getattr(node.func, "attr", getattr(node.func, "id", "")) for node in ast.walk(function) if isinstance(node, ast.Call)}
    return bool(names & {"fsync", "_make_durable"})


def writers() -> dict[str, bool]:
    """Return every function that writes a file, and whether it makes it durable."""
    found = {}
    for folder in FOLDERS:
        for path in sorted(folder.rglob("*.py")):
            for node in ast.walk(read_python(path)):
                if isinstance(node, (ast.FunctionDef, ast.Module)) and writes(node):
                    name = node.name if isinstance(node, ast.FunctionDef) else "module"
                    found[f"{path.relative_to(ROOT)} {name}"] = is_durable(node)
    return found


def test_every_file_is_durable_or_has_a_reason():
    assert {name for name, durable in writers().items() if not durable} == {*REASONS}


@pytest.mark.parametrize(
    ("code", "written"),
    [
        ("open(path, 'w')", True),
        ("open(path, mode='xb')", True),
        ("open(path, 'rb+')", True),
        ("os.open(path, os.O_WRONLY | os.O_CREAT)", True),
        ("os.fdopen(descriptor, 'w')", True),
        ("path.write_text('x')", True),
        ("path.touch()", True),
        ("open(path)", False),
        ("tarfile.open(part, 'w', format=1)", True),
        ("tarfile.open(fileobj=buffer, mode='w')", False),
    ],
)
def test_recognizes_what_writes(code, written):
    assert writes(ast.parse(f"def function():\n    {code}\n").body[0]) is written
