# SPDX-License-Identifier: GPL-3.0-or-later
"""Code that roles install on targets: which files are packed, where they lie, and that the same code makes the same archive."""

from __future__ import annotations

import pytest

from ansible_collections.voip.preprovision.plugins.plugin_utils.source_code import (
    DOMAIN,
    SourceError,
    collect,
    domain_files,
    pack,
)


@pytest.mark.parametrize(
    ("package", "expected"),
    [
        ("common/mac", {"common/__init__.py", "common/mac.py"}),
        ("dhcp/watch", {"dhcp/__init__.py", "dhcp/watch.py"}),
        ("emulator/wire/tftp", {"emulator/__init__.py", "emulator/wire/__init__.py", "emulator/wire/tftp.py"}),
    ],
)
def test_includes_the_parent_packages_of_a_module(package, expected):
    assert {name for name, _path in domain_files(package)} == expected


@pytest.mark.parametrize("package", ["common", "station/agents"])
def test_includes_whole_packages_and_nothing_else(package):
    names = dict(domain_files(package))
    assert set(names) >= {path.relative_to(DOMAIN).as_posix() for path in (DOMAIN / package).rglob("*.py")}
    above = {f"{parent}/__init__.py" for parent in ("station",) if package.startswith(f"{parent}/")}
    assert {name for name in names if not name.startswith(f"{package}/")} == above
    assert all(path == DOMAIN / name for name, path in names.items())


def test_packages_with_a_common_parent_are_included_once():
    names = set(collect(None, ["dhcp/watch", "dhcp/packets", "dhcp/watch"], ""))
    assert names == {"dhcp/__init__.py", "dhcp/packets.py", "dhcp/watch.py"}


def test_domain_code_is_at_the_top_or_in_a_folder_beside_the_source(tmp_path):
    (tmp_path / "main.py").write_text("")
    assert set(collect(str(tmp_path), ["common/mac"], "domain")) == {
        "main.py",
        "domain/common/__init__.py",
        "domain/common/mac.py",
    }
    assert set(collect(str(tmp_path), ["common/mac"], "")) == {"main.py", "common/__init__.py", "common/mac.py"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((None, ["commmon"], ""), "there is no package or module commmon; packages are bench, certificates, common,"),
        ((None, ["../modules"], ""), "there is no package or module ../modules"),
        (("/nonexistent", [], ""), "/nonexistent is not a folder on the controller"),
    ],
)
def test_rejects_missing_sources(arguments, words):
    with pytest.raises(SourceError, match=words):
        collect(*arguments)


def test_rejects_two_files_with_the_same_name(tmp_path):
    (tmp_path / "common").mkdir()
    (tmp_path / "common" / "mac.py").write_text("")
    with pytest.raises(SourceError, match=r"mac.py would be common/mac.py in the code"):
        collect(str(tmp_path), ["common"], "")


def test_equal_code_gives_equal_archives(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name / "below").mkdir(parents=True)
        for path in sorted(("a.py", "below/b.py"), reverse=name == "two"):
            (tmp_path / name / path).write_text(path)
    (tmp_path / "two" / "__pycache__").mkdir()
    (tmp_path / "two" / "__pycache__" / "a.pyc").write_bytes(b"compiled")
    one, two = (lambda name=name: pack(collect(str(tmp_path / name), ["common"], "domain")) for name in ("one", "two"))
    assert one() == two()
    (tmp_path / "two" / "a.py").write_text("changed")
    assert one() != two()
