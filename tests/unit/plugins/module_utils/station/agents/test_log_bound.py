# SPDX-License-Identifier: GPL-3.0-or-later
"""All logs of phones together stay below a size and a number; what nobody writes to goes first, and the oldest of it."""

from __future__ import annotations

import os
import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.station.agents import log_bound
from ansible_collections.voip.preprovision.plugins.module_utils.station.agents.log_bound import LogFile, surplus

FILES = [
    LogFile("192.0.2.10.log", 30, 100.0),
    LogFile("192.0.2.11.log", 30, 400.0),
    LogFile("192.0.2.10.log.1", 20, 300.0),
    LogFile("192.0.2.11.log.2.gz", 10, 200.0),
]


@pytest.mark.parametrize(
    ("size", "number", "names"),
    [
        (90, 4, []),
        (89, 4, ["192.0.2.11.log.2.gz"]),
        (60, 4, ["192.0.2.11.log.2.gz", "192.0.2.10.log.1"]),
        (59, 4, ["192.0.2.11.log.2.gz", "192.0.2.10.log.1", "192.0.2.10.log"]),
        (90, 3, ["192.0.2.11.log.2.gz"]),
    ],
)
def test_the_oldest_that_nobody_writes_to_goes_first(size, number, names):
    assert [file.name for file in surplus(FILES, size, number)] == names


@given(
    files=st.lists(
        st.builds(LogFile, st.sampled_from(["a.log", "a.log.1", "b.log.full"]), st.integers(0, 99), st.floats(0, 9)), max_size=20
    ),
    size=st.integers(0, 500),
    number=st.integers(0, 20),
)
def test_what_is_left_fits_and_nothing_goes_in_vain(files, size, number):
    going = surplus(files, size, number)
    assert sum(file.size for file in files) - sum(file.size for file in going) <= size
    assert len(files) - len(going) <= number
    if going:
        kept = going[:-1]
        assert sum(file.size for file in files) - sum(file.size for file in kept) > size or len(files) - len(kept) > number


def test_removes_them_says_so_and_has_the_receiver_open_its_files_again(tmp_path, monkeypatch, capsys):
    folder, pid = tmp_path / "phones", tmp_path / "pid"
    folder.mkdir()
    pid.write_text("77\n")
    for number, name in enumerate(("192.0.2.10.log", "192.0.2.11.log", "192.0.2.12.log.1")):
        (folder / name).write_bytes(bytes(1 << 20))
        os.utime(folder / name, (number, number))
    os.symlink("/etc/passwd", folder / "link.log")
    sent = []
    monkeypatch.setattr(log_bound.os, "kill", lambda *what: sent.append(what))
    limit = str(1 << 20)
    assert log_bound.main([str(folder), limit, str(pid)]) == 0
    assert sorted(path.name for path in folder.iterdir()) == ["192.0.2.11.log", "link.log"]
    assert sent == [(77, signal.SIGHUP)]
    assert capsys.readouterr().err == (
        "<4>Removed 2 of the phones' logs (2 MB), the oldest first: all together they may have 1 MB (log_server_total_size) and"
        " 10000 files.\n"
    )
    assert log_bound.main([str(folder), limit, str(pid)]) == 0
    assert (len(sent), capsys.readouterr().err) == (1, "")
