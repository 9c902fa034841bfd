# SPDX-License-Identifier: GPL-3.0-or-later
"""Models as labels name them: names, product names, product IDs."""

from __future__ import annotations

import re

import pytest
from sample_scans import problems_of, read, units

from ansible_collections.voip.preprovision.plugins.module_utils.families.catalogue import BUILTIN
from ansible_collections.voip.preprovision.plugins.module_utils.families.model import ModelError
from ansible_collections.voip.preprovision.plugins.module_utils.phones.model_labels import find_model, names_model


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("ATA192", "ATA192"),
        (" ata192 ", "ATA192"),
        ("ATA192-MPP", "ATA192"),
        ("ATA191-3PW-K9", "ATA191"),
        ("CP-8851-3PCC", "CP-8851-3PCC"),
        ("CP-8851-3PCC-K9=", "CP-8851-3PCC"),
        ("cp-8851-3pcc-k9", "CP-8851-3PCC"),
        ("CP-8811-3PCC-K9++=", "CP-8811-3PCC"),
        ("CP-8811-3PC-RC-K9=", "CP-8811-3PCC"),
        ("CP-6861-3PW-K9", "CP-6861-3PCC"),
        ("CP-7811-3PW-NA-K9=", "CP-7811-3PCC"),
        ("SPA122-XU", "SPA122"),
        ("SPA525G2", "SPA525G2"),
        ("SPA-942", "SPA942"),
        ("DP-9861", "DP-9861"),
        ("DP-9841-K9=", "DP-9841"),
        ("DP-9861-R-K9++=", "DP-9861"),
        ("PAP2T-NA", "PAP2T"),
    ],
)
def test_finds_models(text, name):
    assert find_model(text).name == name


@pytest.mark.parametrize("text", ["CP-8841", "cisco cp8841", "CP-8845NR", "IP Phone 8841", "Cisco IP Phone 8845"])
def test_asks_whether_a_phone_is_multiplatform(text):
    assert names_model(text, BUILTIN)
    with pytest.raises(ModelError, match=r"if its label says 3PCC, write CP-88(41|45)-3PCC$"):
        find_model(text)


@pytest.mark.parametrize("text", ["CP-8851-K9=", "CP-8851NR-K9++=", "CP-8832-EU-W-K9", "ATA191-K9"])
def test_rejects_phones_with_other_firmware(text):
    sentence = f"'{text}' is the product ID of a phone with other firmware; multiplatform phones have 3PCC or 3PW in it"
    with pytest.raises(ModelError, match=f"^{re.escape(sentence)}$"):
        find_model(text)
    assert problems_of(f"00005e005301\n{text}") == [f"scans.csv line 2: {sentence}"]


def test_finds_custom_models():
    catalogue = BUILTIN.extended({"acme": {"models": ["ACME-1"]}})
    assert units("ACME-1\n080020000001", catalogue=catalogue) == [("080020000001", "", "ACME-1")]
    # Nobody knows who makes them, so no OUI is wrong
    assert read("model,mac\nacme-1,080020000001", catalogue=catalogue).warnings == ()
