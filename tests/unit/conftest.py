# SPDX-License-Identifier: GPL-3.0-or-later
"""Make property tests repeatable, let the service import the domain code, and skip tests that a run leaves out."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import settings

# The role installs the domain code as this package
domain = sys.modules["preprovision_service.domain"] = ModuleType("preprovision_service.domain")
domain.__path__ = [str(Path(__file__).parents[2] / "plugins" / "module_utils")]

# The same examples in every run, and no failure because a machine is slow
settings.register_profile("repeatable", max_examples=60, deadline=None, derandomize=True, database=None)
settings.register_profile("quick", settings.get_profile("repeatable"), max_examples=8)
settings.load_profile("repeatable")

LEFT_OUT = {
    "ansible": "starts Ansible; left out by --quick",
    "root": "needs root; left out by --quick",
    "slow": "takes long; left out by --quick",
}
"""The reason why `--quick` skips tests, by marker."""

running: list[pytest.Item] = []
"""The running test."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--quick", action="store_true", help="skip tests that start Ansible, need root or take long; try fewer examples"
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--quick"):
        settings.load_profile("quick")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip, with a reason, the tests left out by --quick, and those that need root if the user is not root."""
    for item in items:
        for marker, reason in LEFT_OUT.items():
            if config.getoption("--quick") and item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))
        if needs_root := item.get_closest_marker("root"):
            item.add_marker(pytest.mark.skipif(os.geteuid() != 0, reason=f"needs root: {needs_root.kwargs['reason']}"))


def pytest_collection_finish() -> None:
    """Take what was collected from the garbage collector: it lives to the end, and looking at it again takes seconds."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    running[:] = [item]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Report how many tests were skipped, and why."""
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in terminalreporter.stats.get("skipped", ()))
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_line(f"{count} skipped: {reason}")


@pytest.fixture
def stop_when_hung() -> Iterator[None]:
    """Fail a test that takes 20 seconds of CPU time, for tests of what should take milliseconds."""

    def stop(_signal: int, _frame: object) -> None:
        raise RuntimeError("still running after 20 seconds of CPU time")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, 20)
    yield
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.signal(signal.SIGPROF, before)


def refuse_unmarked_ansible(event: str, arguments: tuple[Any, ...]) -> None:
    """Fail a test that starts Ansible without the marker: `make quick` would run it too."""
    if event != "subprocess.Popen" or not running or running[0].get_closest_marker("ansible"):
        return
    if any(Path(os.fsdecode(word)).name.startswith("ansible") for word in arguments[1][:4]):
        raise RuntimeError(f"{running[0].nodeid} starts Ansible; mark it with pytest.mark.ansible")


sys.addaudithook(refuse_unmarked_ansible)
