# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets are hidden in parameters, rules and URLs, and nothing else is."""

from __future__ import annotations

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.common.redaction import (
    is_secret,
    redact,
    redact_parameter,
    redact_urls,
)


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("Password_1_", "secret", "****"),
        ("Admin_Passwd", "secret", "****"),
        ("GPP_SA", "secret", "****"),
        ("IKM_HTTP_Encrypt_Content", "secret", "****"),
        ("device.sec.configEncryption.key", "secret", "****"),
        ("Password_1_", "", ""),
        ("GPP_A", "open", "open"),
        ("Keyboard_Layout", "open", "open"),
        ("user_pass.1", "secret", "****"),
        ("passphrase_1_", "secret", "****"),
        ("FAX_Passthru_Method_1_", "open", "open"),
        ("router-configuration/VPN_Passthrough/IPSec_Passthrough", "open", "open"),
        ("Picture_Download_URL", "http://user:secret@x/y", "http://user:****@x/y"),
        ("Picture_Download_URL", "http://x/y:z@w", "http://x/y:z@w"),
        (
            "Report_Rule",
            "https://x/$MA?a=b&Access_Token=secret&c=d | http://y",
            "https://x/$MA?a=b&Access_Token=****&c=d | http://y",
        ),
        ("GPP_A", '("$A" eq "http://x?apikey=secret")? y', '("$A" eq "http://x?apikey=****")? y'),
        ("GPP_A", "http://x/key=y?z=key", "http://x/key=y?z=key"),
        ("Profile_Rule", "[--key secret] http://x/y", "[--key ****] http://x/y"),
        ("Profile_Rule", '[--uid u --pwd "a b" --key=c] http://x/y', "[--uid u --pwd **** --key ****] http://x/y"),
    ],
)
def test_hides_secrets(path, value, expected):
    assert redact_parameter(path, value) == expected
    assert is_secret(path) == (expected == "****" or not value)


def test_text_without_a_path_is_not_secret():
    assert redact("[--key k] http://a:b@h/?token=t") == "[--key ****] http://a:****@h/?token=****"
    assert redact_urls("[--key k] http://a:b@h/") == "[--key k] http://a:****@h/"
