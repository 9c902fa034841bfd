# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run commands that may be missing or fail."""

from __future__ import annotations

import os
import subprocess

from ..common.processes import run_program

MAX_SECONDS = 20


def run_command(*command: str, cwd: str | None = None, seconds: float = MAX_SECONDS) -> str:
    """Return a command's output, or an empty text if it is missing, fails or takes too long."""
    try:
        done = run_program(command, cwd=cwd, timeout=seconds, env={**os.environ, "LC_ALL": "C"})
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else ""


def systemctl(*arguments: str) -> bool:
    """Run systemctl; return whether it succeeded."""
    return run_program(["systemctl", *arguments]).returncode == 0


def apt_error(stderr: str, status: int) -> str:
    """Return the first error that a failed apt command reports."""
    lines = stderr.strip().splitlines()
    errors = [line.removeprefix("E: ") for line in lines if line.startswith("E: ")]
    return (errors or lines or [f"status {status}"])[0]
