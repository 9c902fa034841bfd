# SPDX-License-Identifier: GPL-3.0-or-later
"""rsyslog starts again once it has dropped lines and there is space."""

from __future__ import annotations

from pathlib import Path

import pytest
from preprovision_service.ingest import omprog
from preprovision_service.ingest.dropped import note
from preprovision_service.ingest.omprog import Queue


@pytest.mark.parametrize(("complete", "full", "restarts"), [(True, False, 0), (True, True, 0), (False, True, 0), (False, False, 1)])
def test_restarts_once_lines_were_dropped_and_there_is_space(
    complete: bool, full: bool, restarts: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    restarted: list[int] = []
    monkeypatch.setattr(omprog, "warn", said.append)
    monkeypatch.setattr(omprog, "is_full", lambda folder: full and folder == str(tmp_path))
    if complete:
        (tmp_path / "complete").touch()
    Queue(tmp_path, lambda: restarted.append(1)).recover()
    assert len(restarted) == len(said) == restarts


@pytest.mark.parametrize(("size", "restarts"), [((16 << 20) - 1, 0), (16 << 20, 1)])
def test_a_queue_that_fills_the_disk_itself_is_room(
    size: int, restarts: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    restarted: list[int] = []
    monkeypatch.setattr(omprog, "is_full", lambda _folder: True)
    with (tmp_path / "events.00000001").open("wb") as queue:
        queue.truncate(size)
    Queue(tmp_path, lambda: restarted.append(1)).recover()
    assert len(restarted) == restarts


@pytest.mark.parametrize(("processes", "left"), [(["7\n", "8\n"], True), (["7\n", "9\n"], False), ([], True)])
def test_complaints_of_an_earlier_process_do_not_count(processes: list[str], left: bool, tmp_path: Path) -> None:
    (tmp_path / "complete").touch()
    note(tmp_path, processes, 9)
    assert (tmp_path / "complete").exists() is left
    note(tmp_path, processes, 9)
