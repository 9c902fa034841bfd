# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a file of rows is found."""

from __future__ import annotations

import pytest
from ansible.parsing.dataloader import DataLoader

from ansible_collections.voip.preprovision.plugins.module_utils.phones.rows import RowsError
from ansible_collections.voip.preprovision.plugins.plugin_utils.phone_source import PhoneSource

PLACES = ("playbooks", "inventory", "user")


def names(rows: str, folder) -> list[str]:
    loader = DataLoader()
    loader.set_basedir(str(folder / "playbooks"))
    options = {"phones": [], "rows": rows, "query": None, "groups": {}, "families": {}}
    source = PhoneSource(options, loader, {"inventory_dir": str(folder / "inventory")})
    return [entry.variables["phone_site"] for entry in source.entries()]


@pytest.mark.parametrize("place", PLACES)
def test_rows_are_found_below_the_playbook_beside_the_inventory_and_where_the_user_stands(tmp_path, monkeypatch, place):
    for name in PLACES:
        (tmp_path / name).mkdir()
    for name in PLACES[PLACES.index(place) :]:
        (tmp_path / name / "phones.csv").write_text(f"phone_mac,phone_model,phone_site\n00:00:5e:00:53:01,ATA192,{name}\n")
    monkeypatch.chdir(tmp_path / "user")
    assert names("phones.csv", tmp_path) == [place]


def test_a_missing_file_is_reported_beside_the_inventory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RowsError, match=f"^{tmp_path}/inventory/phones.csv: the phones cannot be read: No such file"):
        names("phones.csv", tmp_path)
