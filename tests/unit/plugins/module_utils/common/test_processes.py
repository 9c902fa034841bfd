# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import subprocess
import sys

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.common.processes import run_program


def test_a_program_gets_its_input_and_returns_status_and_output():
    done = run_program(["sh", "-c", "tr a-z A-Z; echo odd >&2; exit 3"], data="said", text=True)
    assert (done.returncode, done.stdout, done.stderr) == (3, "SAID", "odd\n")
    assert run_program(["cat"], data=b"\xff").stdout == b"\xff"


def test_a_program_does_not_read_the_callers_input():
    """The caller's input is a pipe that never ends."""
    code = (
        "from ansible_collections.voip.preprovision.plugins.module_utils.common.processes import run_program\n"
        "print(run_program(['cat'], timeout=20).returncode)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.read() == b"0\n"


def test_only_what_is_asked_for_is_captured(capfd):
    assert run_program(["sh", "-c", "echo here; echo there >&2"], stdout=subprocess.PIPE, text=True).stdout == "here\n"
    assert capfd.readouterr() == ("", "there\n")


def test_a_program_that_takes_too_long_or_is_missing_is_an_exception():
    with pytest.raises(subprocess.TimeoutExpired):
        run_program(["sleep", "60"], timeout=0.05)
    with pytest.raises(FileNotFoundError):
        run_program(["/nonexistent"])
