# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters that phones of a family ignore or take as text."""

from __future__ import annotations

import dataclasses

from ansible_collections.voip.preprovision.plugins.module_utils.families.catalogue import BUILTIN
from ansible_collections.voip.preprovision.plugins.module_utils.families.ignored import ignored_access, ignored_names, unrendered
from ansible_collections.voip.preprovision.plugins.module_utils.families.parameter_names import KNOWN, STATUS
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.flat_profile import Setting

SPA, SNOM, YEALINK = (BUILTIN.families[name] for name in ("spa", "snom", "yealink"))


def test_names():
    assert [*ignored_names(SPA, ["User_ID_1_", "User_ID_1", "Xyzzy"])] == [
        ("User_ID_1", "the family spa does not know User_ID_1 and would ignore it; did you mean 'User_ID_1_'?"),
        ("Xyzzy", "the family spa does not know Xyzzy and would ignore it"),
    ]
    assert [*ignored_names(YEALINK, ["anything"])] == []


def test_what_phones_only_show():
    paths = ["Serial_Number", "Ring_Tone_2", "router-configuration/About_Product/Model"]
    ends = [f"only show {path}, and ignore it in a profile; leave it out" for path in paths]
    assert [*ignored_names(SPA, paths)] == [
        (path, f"phones of the family spa {end}") for path, end in zip(paths, ends, strict=True)
    ]
    assert not any(KNOWN["spa"].knows(path) for path in STATUS["spa"].names)


def test_names_that_a_user_adds():
    spa = dataclasses.replace(SPA, extra_names=("Own_Thing_{n}_", "S/Own"))
    assert [*ignored_names(spa, ["Own_Thing_1_", "Own_Thing_12_", "S/Own", "User_ID_1_"])] == []
    assert [*ignored_names(spa, ["Own_Thin_2_"])] == [
        ("Own_Thin_2_", "the family spa does not know Own_Thin_2_ and would ignore it; did you mean 'Own_Thing_2_'?")
    ]
    assert [path for path, _clause in ignored_names(SPA, ["Own_Thing_1_"])] == ["Own_Thing_1_"]


def test_access():
    parameters = {"a": Setting("1", "na"), "b": Setting("1", "ro"), "c": Setting("1")}
    assert [*ignored_access(SPA, parameters)] == []
    assert [*ignored_access(SNOM, parameters)] == [("a", "profiles of the family snom cannot express ua 'na' of a; use ro or rw")]
    assert [path for path, _clause in ignored_access(YEALINK, parameters)] == ["a", "b"]


def test_expressions_that_nothing_has_rendered():
    found = unrendered(
        SPA,
        {
            "User_ID_1_": Setting("{$account.1.user_id}"),
            "Display_Name_1_": Setting("Desk {1}"),
            "Password_1_": Setting("x{{s3cret}}"),
            "Password_2_": Setting("{{ line.password }}"),
        },
    )
    end = "that nothing has rendered; phones take it as text"
    assert [*found] == [
        ("User_ID_1_", f"User_ID_1_ holds an expression of Smarty, '{{$', {end}"),
        ("Password_2_", f"Password_2_ holds an expression of Jinja2, '{{{{', {end}"),
    ]
    assert [*unrendered(SPA, {"Time_Zone": Setting("GMT")})] == [*unrendered(SPA, {})] == []
