# SPDX-License-Identifier: GPL-3.0-or-later
"""What all kinds of sealing share."""

from __future__ import annotations

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.profiles.sealing import aes128gcm, openssl_enc
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.sealing.aes128gcm import (
    encrypt_content,
)
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.sealing.model import SealingError
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.sealing.openssl_enc import (
    seal,
)

PHRASE = "SecretPhrase1234"
PROFILE = b'<?xml version="1.0"?>\n<flat-profile>\n<Profile_Rule>/$MA.cfg</Profile_Rule>\n</flat-profile>\n'
IKM = b"sixteen bytes or"


@pytest.mark.parametrize("encrypt", [lambda: seal(PROFILE, PHRASE, "md5"), lambda: encrypt_content(PROFILE, IKM)])
def test_names_the_missing_package(monkeypatch, encrypt):
    for module in (aes128gcm, openssl_enc):
        monkeypatch.setattr(module, "MISSING", ImportError("no"))
    with pytest.raises(SealingError, match=r"^the Python package 'cryptography' is missing \(Debian: python3-cryptography\)$"):
        encrypt()
