# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that differ are found, staged, checked together and swapped, and a candidate that is not valid changes nothing."""

from __future__ import annotations

import grp
import os
import pwd
import stat

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.station.managed.files import (
    ManagedFileError,
    discard,
    find_changes,
    stage,
    staged_path,
    swap,
    validate,
)
from ansible_collections.voip.preprovision.plugins.module_utils.station.managed.plan import ManagedFile, WholeCheck

ME = {"owner": pwd.getpwuid(os.getuid()).pw_name, "group": grp.getgrgid(os.getgid()).gr_name}


@pytest.fixture
def wanted(tmp_path) -> list[ManagedFile]:
    """A file, a folder, and a path where nothing may be."""
    return [
        ManagedFile(f"{tmp_path}/etc/a.conf", content="a = 1\n", mode=0o640, **ME),
        ManagedFile(f"{tmp_path}/state", "directory", mode=0o2750, **ME),
        ManagedFile(f"{tmp_path}/old.conf", "absent"),
    ]


def make(files: list[ManagedFile]) -> list[str]:
    """Apply the changes; return the paths that changed."""
    changes = find_changes(files)
    stage(changes)
    validate(changes, ())
    swap(changes)
    return [change.file.path for change in changes]


def test_makes_what_is_missing_and_leaves_what_is_right(wanted, tmp_path):
    (tmp_path / "old.conf").write_text("old")
    assert make(wanted) == [file.path for file in wanted]
    path = tmp_path / "etc/a.conf"
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("a = 1\n", 0o640)
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o2750
    assert not (tmp_path / "old.conf").exists()
    assert make(wanted) == []


@pytest.mark.parametrize("damage", ["append", "empty", "chmod", "delete", "link"])
def test_repairs_each_kind_of_damage(wanted, tmp_path, damage):
    make(wanted)
    path = tmp_path / "etc/a.conf"
    other = tmp_path / "other"
    other.write_text("a = 1\n")
    {
        "append": lambda: path.write_text("a = 1\n# more\n"),
        "empty": lambda: path.write_text(""),
        "chmod": lambda: path.chmod(0o666),
        "delete": path.unlink,
        "link": lambda: (path.unlink(), path.symlink_to(other)),
    }[damage]()
    assert make(wanted) == [str(path)]
    assert (path.is_symlink(), path.read_text(), stat.S_IMODE(path.stat().st_mode)) == (False, "a = 1\n", 0o640)
    assert other.read_text() == "a = 1\n"
    assert make(wanted) == []


def test_repairs_a_folder_s_mode(wanted, tmp_path):
    make(wanted)
    (tmp_path / "state").chmod(0o777)
    assert make(wanted) == [f"{tmp_path}/state"]


@pytest.mark.root(reason="gives a file to another user")
def test_repairs_the_owner(wanted, tmp_path):
    make(wanted)
    os.chown(tmp_path / "etc/a.conf", 65534, 65534)
    change = find_changes(wanted)[0]
    assert change.to_diff()["before"] == "file of nobody:nogroup, mode 0640\n"
    assert make(wanted) == [f"{tmp_path}/etc/a.conf"]


def test_a_candidate_that_is_refused_changes_nothing(tmp_path):
    good = ManagedFile(f"{tmp_path}/good", content="good", validate="true", **ME)
    bad = ManagedFile(f"{tmp_path}/bad", content="bad", validate="sh -c 'echo line 3 is bad; exit 1' %s", **ME)
    changes = find_changes([good, bad])
    stage(changes)
    with pytest.raises(ManagedFileError) as raised:
        validate(changes, ())
    assert str(raised.value) == f"{tmp_path}/bad would not be valid, so nothing was changed: line 3 is bad"
    discard([good, bad])
    assert list(tmp_path.iterdir()) == []


def test_the_command_sees_the_candidate(tmp_path):
    file = ManagedFile(f"{tmp_path}/a", content="new", validate="grep -q new %s", **ME)
    (tmp_path / "a").write_text("old")
    assert make([file]) == [f"{tmp_path}/a"]


def test_a_command_that_is_missing_is_named(tmp_path):
    changes = find_changes([ManagedFile(f"{tmp_path}/a", content="new", validate="/nowhere/checker %s", **ME)])
    stage(changes)
    with pytest.raises(ManagedFileError, match=f"{tmp_path}/a cannot be checked: .*/nowhere/checker"):
        validate(changes, ())


@pytest.mark.root(reason="mounts a folder")
def test_a_check_of_the_whole_folder_finds_all_candidates_at_their_places(tmp_path):
    folder = tmp_path / "etc"
    (folder / "sub").mkdir(parents=True)
    (folder / "kept").write_text("kept")
    (folder / "gone").write_text("gone")
    files = [
        ManagedFile(f"{folder}/a", content="a", **ME),
        ManagedFile(f"{folder}/sub/b", content="b", **ME),
        ManagedFile(f"{folder}/gone", "absent"),
    ]
    changes = find_changes(files)
    stage(changes)
    validate(changes, [WholeCheck(str(folder), f"cd {folder} && cat a sub/b kept && ! test -e gone && ! ls -A | grep dpkg-new")])
    assert sorted(path.name for path in folder.iterdir()) == [".a.dpkg-new", "gone", "kept", "sub"]
    with pytest.raises(ManagedFileError, match="would not be valid, so nothing was changed: a b"):
        validate(changes, [WholeCheck(str(folder), f"echo $(cat {folder}/a) $(cat {folder}/sub/b); false")])


@pytest.mark.root(reason="mounts a folder")
def test_files_of_other_roles_are_checked_by_them_and_an_operator_s_own_by_every_role(tmp_path):
    for name in ("role-mine", "role-other", "operators"):
        (tmp_path / name).write_text("old")
    mine = ManagedFile(f"{tmp_path}/role-mine", content="new", **ME)
    changes = find_changes([mine])
    stage(changes)
    command = f'cd {tmp_path} && test "$(echo *) $(cat role-mine)" = "operators role-mine new"'
    validate(changes, [WholeCheck(str(tmp_path), command, f"{tmp_path}/role-")], [mine])


def test_an_interrupted_run_s_candidate_is_replaced_and_removed(tmp_path):
    file = ManagedFile(f"{tmp_path}/a", content="new", **ME)
    os.symlink("/nowhere", staged_path(file.path))
    assert make([file]) == [file.path]
    assert (tmp_path / "a").read_text() == "new"
    discard([file])
    assert os.listdir(tmp_path) == ["a"]


def test_a_folder_in_a_file_s_place_is_not_removed(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(ManagedFileError, match=f"{tmp_path}/a is a folder; move it away, because the role writes a file there"):
        stage(find_changes([ManagedFile(f"{tmp_path}/a", content="new", **ME)]))


def test_an_owner_who_does_not_exist_is_named(tmp_path):
    with pytest.raises(ManagedFileError, match=f"{tmp_path}/a: .*no-such-user"):
        stage(find_changes([ManagedFile(f"{tmp_path}/a", content="new", owner="no-such-user")]))


def test_a_diff_of_a_new_file_shows_all_of_it(tmp_path):
    (change,) = find_changes([ManagedFile(f"{tmp_path}/a", content="one\ntwo\n", mode=0o640)])
    assert change.to_diff() == {
        "before_header": f"{tmp_path}/a",
        "after_header": f"{tmp_path}/a",
        "before": "absent\n",
        "after": "file of root:root, mode 0640\none\ntwo\n",
    }


def test_a_diff_of_a_mode_shows_the_mode_alone(tmp_path):
    (tmp_path / "a").write_text("same\n")
    (tmp_path / "a").chmod(0o600)
    difference = find_changes([ManagedFile(f"{tmp_path}/a", content="same\n", mode=0o644, **ME)])[0].to_diff()
    assert (difference["before"].count("\n"), difference["after"].count("\n")) == (1, 1)
    assert "mode 0600" in difference["before"]
    assert "mode 0644" in difference["after"]


def test_a_diff_shows_nothing_of_what_is_removed(tmp_path):
    (tmp_path / "a").write_text("hunter2")
    assert "hunter2" not in str(find_changes([ManagedFile(f"{tmp_path}/a", "absent")])[0].to_diff())


def test_a_diff_shows_no_secret_of_a_new_file(tmp_path):
    secret = ManagedFile(f"{tmp_path}/a", content="hunter2", secret=True)
    difference = find_changes([secret])[0].to_diff()
    assert "hunter2" not in str(difference)
    assert difference["after"] == "file of root:root, mode 0644\n(hidden, and different)\n"


def test_a_diff_shows_no_secret(tmp_path):
    (tmp_path / "a").write_text("hunter2")
    (tmp_path / "a").chmod(0o600)
    secret, public = (ManagedFile(f"{tmp_path}/a", content="hunter3", mode=0o600, secret=hidden, **ME) for hidden in (True, False))
    assert "hunter" not in str(find_changes([secret])[0].to_diff())
    assert find_changes([public])[0].to_diff() == {
        "before_header": f"{tmp_path}/a",
        "after_header": f"{tmp_path}/a",
        "before": "hunter2",
        "after": "hunter3",
    }
