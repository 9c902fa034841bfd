# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages of a module name the variables of the role that runs it."""

from __future__ import annotations

import pytest

from ansible_collections.voip.preprovision.plugins.plugin_utils.variable_specs import role_variables

PROFILES = "voip.preprovision.phone_profiles"


@pytest.mark.parametrize(
    ("role", "sentence", "expected"),
    [
        (
            PROFILES,
            "phone a: X is open; set plaintext_secrets if the bench is closed",
            "phone a: X is open; set phone_profiles_plaintext_secrets if the bench is closed",
        ),
        (PROFILES, "bench_url: it is http\nrows: none", "phone_profiles_bench_url: it is http\nphone_profiles_rows: none"),
        (PROFILES, "use phone_profiles_remote_url", "use phone_profiles_remote_url"),
        (PROFILES, "phone a: phone_parameters: the rows of x.remote_url", "phone a: phone_parameters: the rows of x.remote_url"),
        (PROFILES, "boot: unknown phone 'x'", "check_phones: unknown phone 'x'"),
        ("voip.preprovision.firmware", "images: entry 1: no file", "firmware_images: entry 1: no file"),
        ("other.collection.firmware", "images: entry 1: no file", "images: entry 1: no file"),
        (None, "bench_url: it is http", "bench_url: it is http"),
    ],
)
def test_messages_name_variables_of_the_role(role, sentence, expected):
    variables = {"ansible_role_name": role} if role else {}
    assert role_variables(variables, {"boot": "check_phones"})(sentence) == expected
