# SPDX-License-Identifier: GPL-3.0-or-later
"""Code is laid down whole, every file of it is compared, and what is damaged is laid down again."""

from __future__ import annotations

import hashlib
import zipfile

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.station.managed.plan import Tree
from ansible_collections.voip.preprovision.plugins.module_utils.station.managed.trees import install, is_in_use

pytestmark = pytest.mark.root(reason="code belongs to root")
CODE = {"app.py": "A = 1\n", "sub/__init__.py": "", "sub/board.py": "B = 1\n"}


class Placed:
    """A link, and the code that it leads to."""

    def __init__(self, folder) -> None:
        self.link = folder / "lib/code"
        self.folder = folder

    def tree(self, **other: str) -> Tree:
        code = {**CODE, **other}
        return Tree(str(self.link), {name: hashlib.sha256(text.encode()).hexdigest() for name, text in code.items()})

    def install(self, **other: str) -> None:
        archive = self.folder / "archive"
        with zipfile.ZipFile(archive, "w") as packed:
            for name, text in {**CODE, **other}.items():
                entry = zipfile.ZipInfo(name)
                entry.external_attr = 0o100644 << 16
                packed.writestr(entry, text)
        install(self.tree(**other), str(archive))

    def releases(self) -> int:
        return len(list((self.folder / "lib/.releases").iterdir()))


@pytest.fixture
def placed(tmp_path) -> Placed:
    return Placed(tmp_path)


def test_installs_code_and_finds_it(placed):
    assert not is_in_use(placed.tree())
    placed.install()
    assert is_in_use(placed.tree())
    assert (placed.link / "sub/board.py").read_text() == "B = 1\n"
    assert list((placed.link / "__pycache__").iterdir())


DAMAGES = {
    "edited": lambda link: (link / "sub/board.py").write_text("B = 2\n"),
    "emptied": lambda link: (link / "app.py").write_text(""),
    "removed": lambda link: (link / "app.py").unlink(),
    "added": lambda link: (link / "json.py").write_text("evil"),
    "chmod": lambda link: (link / "app.py").chmod(0o666),
    "folder": lambda link: (link / "sub").chmod(0o777),
    "link": lambda link: link.unlink(),
    "release": lambda link: link.resolve().rename(link.parent / "away"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_finds_and_repairs_damage(placed, damage):
    placed.install()
    DAMAGES[damage](placed.link)
    assert not is_in_use(placed.tree())
    placed.install()
    assert is_in_use(placed.tree())
    assert (placed.link / "app.py").read_text() == "A = 1\n"
    kept = [path for path in (placed.folder / "lib/.releases").rglob("*") if not path.is_symlink()]
    assert [path for path in kept if path.stat().st_mode & 0o022] == []


def test_keeps_one_earlier_release_and_nothing_of_interrupted_runs(placed):
    for number in range(4):
        placed.install(**{"app.py": f"A = {number}\n"})
    (placed.folder / "lib/.releases/.new-abc").mkdir()
    placed.install()
    assert placed.releases() == 2
    assert is_in_use(placed.tree())


def test_replaces_a_folder_of_an_earlier_release_of_the_collection(placed):
    placed.link.mkdir(parents=True)
    (placed.link / "app.py").write_text("old")
    placed.install()
    assert is_in_use(placed.tree())
