# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows are known phones of the DHCP server; what is wrong with a row, its publication says."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleLookupError
from ansible.parsing.dataloader import DataLoader

from ansible_collections.voip.preprovision.plugins.lookup import known_rows
from ansible_collections.voip.preprovision.plugins.lookup.known_rows import LookupModule


def look_up(folder, text: str) -> list[dict[str, str]]:
    path = folder / "phones.csv"
    path.write_text(text)
    return LookupModule(loader=DataLoader()).run([str(path)], {})


def test_returns_each_phone_once(tmp_path):
    rows = ["00-00-5E-00-53-01,ATA192,192.0.2.20", "00005e005302,ATA192,", "x,ATA192,", ",,", "00005e005302,SPA504G,"]
    assert look_up(tmp_path, "\n".join(["phone_mac,phone_model,phone_address", *rows, ""])) == [
        {"name": "00-00-5e-00-53-01", "mac": "00:00:5e:00:53:01", "address": "192.0.2.20"},
        {"name": "00-00-5e-00-53-02", "mac": "00:00:5e:00:53:02"},
    ]


def test_only_the_last_rows_count(tmp_path, monkeypatch):
    monkeypatch.setattr(known_rows, "MAX_KNOWN", 2)
    text = "phone_mac,phone_model\n" + "".join(f"00005e00530{number},ATA192\n" for number in range(1, 6))
    assert [phone["mac"][-2:] for phone in look_up(tmp_path, text)] == ["04", "05"]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(AnsibleLookupError, match=r"missing\.csv: the phones cannot be read: No such file"):
        LookupModule(loader=DataLoader()).run(["missing.csv"], {"inventory_dir": str(tmp_path)})
