# SPDX-License-Identifier: GPL-3.0-or-later
"""Client certificates and the phones' files that they open, the TLS that phones need, and passwords."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.certificates import client_identity as web_access
from ansible_collections.voip.preprovision.plugins.module_utils.certificates.client_identity import (
    OWNER_PATTERN,
    WebAccessError,
    owner_pattern,
    password_lines,
    tls_settings,
)
from ansible_collections.voip.preprovision.plugins.module_utils.certificates.tls_facts import TlsFacts

OWN, OTHER = "00005e005301", "00005e005302"
MACS = st.binary(min_size=6, max_size=6).map(bytes.hex)
PASSWORD = "long enough to be a password"


def opens(subject: str, mac: str = OWN, verify: str = "SUCCESS") -> bool:
    return re.search(OWNER_PATTERN, f"{verify}:/device/{mac}.cfg:{subject}", re.IGNORECASE) is not None


@pytest.mark.parametrize(
    "subject",
    [
        "SN=00005e005301,L=FCH0000D001,OU=ATA192",
        "ST=00005E005301,L=88012BA01234,OU=SPA-962",
        "L=88012BA01234,SN=00005e005301",
        "CN=CP-8841-SEP00005E005301,serialNumber=PID:CP-8841 SN:88012BA01234",
        "CN=00:00:5e:00:53:01",
        "CN=00-00-5E-00-53-01",
        "CN=0000.5e00.5301",
        "L=00005e005301",
        "CN=00005e005301,SN=00:00:5e:00:53:01",
        "CN=phone\\, 00005e005301",
        "OU=x+SN=00005e005301",
        "1.2.3.4=00005e005301",
        "CN=ph\\C3\\B6ne 00005e005301",
    ],
)
def test_maps_a_certificate_to_its_phone(subject):
    assert opens(subject)
    assert not opens(subject, OTHER)


@pytest.mark.parametrize(
    "subject",
    [
        "",
        "SN=ciscogeneric,L=ciscogeneric,OU=cisco.com,CN=ciscogeneric",
        "CN=00005e005301/O=00005e005302",
        "CN=00005e005302,CN=00005e005301",
        "CN=00005e005301\\,L=00005e005302",
        "CN=00005e005301\\,serialNumber=00:00:5e:00:53:02",
        "OU=00005e005301+CN=00005e005302",
        "CN=100005e005301",
        "CN=00005e0053011",
        "CN=00:00:5e:00:53:01:02",
        "CN=02:00:00:5e:00:53:01",
        "CN=0000.5e00.5301.0001",
        "CN=0002.0000.5e00.5301",
        "CN=550e8400-e29b-41d4-a716-00005e005301",
        "CN=\\00005e005301",
        "CN=\\0000005e005301",
        "CN=00005e005301\\0000005e005302",
        "CN=00005e005301\\0A",
        "CN=\\C3\\A900005e005301",
        "CN=#00005e005301",
        "CN=00005e00530",
    ],
)
def test_does_not_map_other_names(subject):
    assert not opens(subject)


@pytest.mark.parametrize("verify", ["NONE", "", "FAILED:certificate has expired", "FAILED:SUCCESS", "XSUCCESS"])
def test_does_not_map_unverified_certificates(verify):
    assert not opens(f"SN={OWN}", verify=verify)


@given(MACS, MACS, st.text("abcdef0123456789:-.,=/\\ LCN", max_size=20))
def test_a_certificate_maps_to_at_most_one_phone(mac, other, rest):
    subject = f"CN={mac}{rest},SN={other}"
    assert mac == other or not (opens(subject, mac) and opens(subject, other))


@given(MACS, MACS)
def test_a_phone_opens_only_its_own_files(mac, other):
    assert opens(f"SN={mac.upper()},L=FCH0000D001,OU=ATA192", mac)
    assert opens(f"SN={mac},OU=ATA192", other) == (mac == other)


def test_the_pattern_can_be_quoted_in_nginx():
    # nginx takes the backslash away before these
    assert not re.search(r"""["$]|\\[\\"']""", OWNER_PATTERN)


@pytest.mark.parametrize(
    ("wanted", "families", "level"),
    [
        ("auto", [], "modern"),
        ("auto", ["ata19x", "mpp"], "modern"),
        ("auto", ["mpp", "spa", "ata19x"], "intermediate"),
        ("auto", ["acme"], "modern"),
        ("modern", ["spa"], "modern"),
        ("legacy", [], "legacy"),
    ],
)
def test_tls(wanted, families, level):
    assert tls_settings(wanted, families).level == level


def test_old_versions_are_opt_in():
    for level in ("modern", "intermediate"):
        settings = tls_settings(level, [])
        assert settings.protocols == "TLSv1.2 TLSv1.3"
        assert "SECLEVEL" not in settings.ciphers
    assert tls_settings("legacy", []).protocols.startswith("TLSv1 TLSv1.1 ")


def test_certain_facts_enable_old_versions(monkeypatch):
    known = dataclasses.replace(TlsFacts(highest="TLS 1.1"), uncertain=frozenset())
    monkeypatch.setattr(web_access, "tls_facts", lambda family: known)
    assert tls_settings("auto", ["acme"]).level == "legacy"
    assert tls_settings("modern", ["acme"]).level == "modern"


def test_rejects_an_unknown_level():
    with pytest.raises(WebAccessError, match="web_server_tls: unknown level 'old'; expected one of auto, modern, "):
        tls_settings("old", [])


@pytest.mark.parametrize("wanted", ["auto", "modern", "intermediate"])
def test_a_short_key_needs_the_lowest_level(wanted):
    refusal = rf"^web_server_tls is '{wanted}', .* a key of 1024 bits; set it to legacy, or certificates_key_bits to 2048$"
    with pytest.raises(WebAccessError, match=refusal):
        tls_settings(wanted, ["spa"], 1024)
    assert tls_settings(wanted, ["spa"], 2048) == tls_settings(wanted, ["spa"])
    assert tls_settings("legacy", ["spa"], 1024) == tls_settings("legacy", [])


def test_password_lines():
    lines = password_lines({"00-00-5E-00-53-02": PASSWORD, OWN: PASSWORD})
    assert lines == password_lines({OWN: PASSWORD, OTHER: PASSWORD})
    assert [line.partition(":")[0] for line in lines] == [OWN, OTHER]
    hashes = [line.partition("{SSHA}")[2] for line in lines]
    assert hashes[0] != hashes[1]
    for text in hashes:
        raw = base64.b64decode(text)
        assert raw[:20] == hashlib.sha1(PASSWORD.encode() + raw[20:], usedforsecurity=False).digest()
        assert len(raw) == 28


@pytest.mark.parametrize(
    ("passwords", "words"),
    [
        ({OWN: PASSWORD, PASSWORD: "00:00:5e:00:53:02"}, "the name of entry 2 is not a MAC address"),
        ({OWN: [PASSWORD]}, f"the password of {OWN} must be text, not a list"),
        ({OWN: True}, f"the password of {OWN} must be text, not true or false; write it in quotes, such as 'on'"),
        ({OWN: 1.5e16}, f"the password of {OWN} must be text, not a decimal fraction; write it in quotes, such as '1.10'"),
        ({OWN: {PASSWORD: PASSWORD}}, f"the password of {OWN} must be text, not a mapping"),
        ({OWN: "hunter2"}, f"the password of {OWN} must be at least 16"),
        ({OWN: "hunter2 " * 3 + "\n"}, "printable ASCII"),
        ({OWN: PASSWORD, "00:00:5e:00:53:01": PASSWORD}, f"has {OWN} twice"),
        ([PASSWORD], "must be a mapping"),
    ],
)
def test_rejects_invalid_passwords(passwords, words):
    with pytest.raises(WebAccessError, match=r"^web_server_passwords") as caught:
        password_lines(passwords)
    assert words in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "asked", "opened"),
    [
        ("/service/$MA-{key_id}.cfg", f"/service/{OWN}-0a1b2c3d.cfg", True),
        ("/service/$MA-{key_id}.cfg", f"/service/{OWN}-0a1b2c3d.cfg.aes128gcm", True),
        ("/service/$MA-{key_id}.cfg", f"/service/{OTHER}-0a1b2c3d.cfg", False),
        ("/service/$MA-{key_id}.cfg", f"/service/{OWN}-0a1b2c3.cfg", False),
        ("/service/$MA-{key_id}.cfg", f"/service/{OWN}-0a1b2c3dxcfg", False),
        ("/live/$MAU.cfg", f"/live/{OWN.upper()}.cfg", True),
        ("/live/$MA.cfg", f"/other/live/{OWN}.cfg", False),
    ],
)
def test_the_owner_of_another_path(path, asked, opened):
    pattern = re.compile(owner_pattern(path), re.IGNORECASE)
    assert bool(pattern.search(f"SUCCESS:{asked}:SN={OWN}")) is opened
    assert not pattern.search(f"NONE:{asked}:SN={OWN}")
    assert not pattern.search(f"SUCCESS:{asked}:SN=00005e005399")


def test_the_owner_of_a_device_file_is_found_as_before():
    assert owner_pattern("/device/$MA.cfg").replace(r"(?:\.aes128gcm)?", "") == OWNER_PATTERN
