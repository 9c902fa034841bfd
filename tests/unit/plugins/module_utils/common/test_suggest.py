# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages about unknown names."""

from __future__ import annotations

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.common.suggest import (
    did_you_mean,
    most_similar,
    nearest,
    one_of,
    unknown,
    unknown_choice,
)

KEYS = ("sha256", "models", "file")


@pytest.mark.parametrize(
    ("name", "known", "sentence"),
    [
        ("sha", KEYS, "unknown key 'sha'; did you mean 'sha256'?"),
        ("MODELS", KEYS, "unknown key 'MODELS'; did you mean 'models'?"),
        (12, ("123",), "unknown key '12'; did you mean '123'?"),
        ("colour", KEYS, "unknown key 'colour'; expected one of sha256, models, file"),
        ("colour", ("md5", ""), "unknown key 'colour'; expected one of md5, ''"),
        ("colour", (), "unknown key 'colour'; none is possible here"),
    ],
)
def test_unknown_name(name, known, sentence):
    assert unknown("key", name, known) == sentence


def test_nearest_ignores_case_and_returns_the_name_as_known():
    assert nearest("spa-504g", ["SPA508G", "SPA504G"]) == "SPA504G"
    assert nearest("spa", ["SPA504G"], 0.9) == ""


def test_most_similar_ignores_case_except_for_ties():
    assert most_similar("Lcd_contrast", ["LCD_Contrast", "Lcd_Contrast"]) == "Lcd_Contrast"


def test_parts_of_messages():
    assert did_you_mean("x") == "; did you mean 'x'?"
    assert did_you_mean("") == did_you_mean(None) == ""
    assert one_of(iter("ab")) == "expected one of a, b"
    assert unknown_choice("digest", "sha1", ("md5", "sha256")) == "unknown digest 'sha1'; expected one of md5, sha256"
