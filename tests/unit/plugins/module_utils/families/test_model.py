# SPDX-License-Identifier: GPL-3.0-or-later
"""Families: which of their parameters are secret, and paths of files."""

from __future__ import annotations

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.families.catalogue import BUILTIN
from ansible_collections.voip.preprovision.plugins.module_utils.families.model import FILE


@pytest.mark.parametrize(
    ("family", "path", "value", "expected"),
    [
        ("spa", "Proxy_1_", "open", "open"),
        ("spa", "Password_1_", "secret", "****"),
        ("spa", "Profile_Rule", "[--key secret] /x", "[--key ****] /x"),
        ("grandstream", "P1359", "secret", "****"),
        ("grandstream", "P34", "secret", "****"),
        ("grandstream", "P34", "", ""),
        ("grandstream", "P35", "open", "open"),
        ("snom", "user_pass.1", "secret", "****"),
        ("yealink", "account.1.password", "secret", "****"),
        ("mpp", "IKM_HTTP_Encrypt_Content", "secret", "****"),
    ],
)
def test_shows_only_harmless_values(family, path, value, expected):
    assert BUILTIN.families[family].redact(path, value) == expected


@pytest.mark.parametrize("family", [family for family in BUILTIN.families.values() if any(family.line_settings.values())])
def test_line_passwords_are_secret(family):
    path = family.line_settings["password"].format(n=1)
    assert family.redact(path, "secret") == "****"


@pytest.mark.parametrize(
    ("path", "fits"),
    [
        *((path, True) for path in ("/a", "/ata192.cfg", "/Cisco/CP-8851-3PCC/0.cfg", "/.a", "/..a", "/a:b@c~", f"/{'x' * 255}")),
        *(
            (path, False)
            for path in ("", "/", "a", "/a/", "//a", "/a//b", "/.", "/a/..", "/../a", "/a b", "/a%20b", "/a?b", "/a#b")
        ),
        *((path, False) for path in ("/$MA", "/a\\b", "/ä", "/a\n", "/a\0", "/{key_id}", f"/{'x' * 256}")),
    ],
)
def test_validates_file_paths(path, fits):
    assert bool(FILE.fullmatch(path)) == fits
