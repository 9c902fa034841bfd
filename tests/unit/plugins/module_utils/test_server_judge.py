# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a unit goes on with a server: a table of certificates."""

from __future__ import annotations

import datetime

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.certificate_rules import tls_facts
from ansible_collections.voip.preprovision.plugins.module_utils.server_judge import ServerJudge, out_of_time

NAME, ADDRESS = "prov.example.net", "192.0.2.1"
NAMES = {NAME: (ADDRESS,), "other.example.net": ("192.0.2.9",), "two.example.net": ("192.0.2.9", ADDRESS)}


def der(issued):
    return issued.certificate.public_bytes(Encoding.DER)


def judge(family="ata19x", name=NAME, address=ADDRESS, validates=True):
    return ServerJudge(name, address, tls_facts(family), validates, lambda host: NAMES.get(host.lower(), ()))


@pytest.mark.parametrize(
    ("family", "cn", "san", "options", "code"),
    [
        ("ata19x", NAME, [NAME], {}, ""),
        # The chapter's forms of the common name
        ("ata19x", f"{NAME}/mailto:admin@example.net", [NAME], {}, ""),
        ("ata19x", f"{NAME}/info@voice.example.net", [NAME], {}, ""),
        ("ata19x", NAME.upper(), [NAME], {}, ""),
        ("ata19x", "other.example.net", [NAME], {}, "certificate_name"),
        ("ata19x", [], [NAME], {}, "certificate_name"),
        ("ata19x", [NAME, "other.example.net"], [NAME], {}, "certificate_name"),
        ("ata19x", "*.example.net", [NAME], {}, "certificate_name"),
        # Subject alternative name: of the ATA alone, unless HTTPS_Name_Validate is No
        ("ata19x", NAME, None, {}, "certificate_name"),
        ("ata19x", NAME, ["other.example.net"], {}, "certificate_name"),
        ("ata19x", NAME, ["*.example.net"], {}, ""),
        ("ata19x", NAME, None, {"validates": False}, ""),
        ("ata19x", "other.example.net", [NAME], {"validates": False}, "certificate_name"),
        ("spa", NAME, None, {}, ""),
        ("mpp", NAME, None, {}, ""),
        ("mpp", "other.example.net", [NAME], {}, "certificate_name"),
        # The name must lead to the address
        ("ata19x", NAME, [NAME], {"address": "192.0.2.7"}, "certificate_address"),
        ("mpp", NAME, None, {"address": "192.0.2.7"}, "certificate_address"),
        ("mpp", "two.example.net", None, {"name": "two.example.net"}, ""),
        ("mpp", "gone.example.net", None, {"name": "gone.example.net"}, "certificate_address"),
        # A rule that names the server by its address
        ("mpp", NAME, None, {"name": ADDRESS}, ""),
        ("mpp", "other.example.net", None, {"name": ADDRESS}, "certificate_address"),
        ("ata19x", NAME, [NAME], {"name": ADDRESS}, "certificate_name"),
        ("ata19x", NAME, [NAME, ADDRESS], {"name": ADDRESS}, ""),
        # Other makers' phones: RFC 2818
        ("poly", "anything", [NAME], {}, ""),
        ("poly", NAME, None, {}, ""),
        ("poly", NAME, ["other.example.net"], {}, "certificate_name"),
        ("poly", "anything", [ADDRESS], {"name": ADDRESS}, ""),
        ("poly", ADDRESS, None, {"name": ADDRESS}, ""),
        ("poly", NAME, None, {"name": ADDRESS}, "certificate_name"),
    ],
)
def test_servers(tiny_ca, family, cn, san, options, code):
    one = judge(family, **options)
    why = one(der(tiny_ca.issue(cn, san=san)))
    assert (one.code, bool(why)) == (code, bool(code))
    if code == "certificate_name":
        assert "the certificate's names are " in why


def test_what_is_no_certificate():
    one = judge()
    assert "damaged" in one(b"rubbish")
    assert one.code == "chain"


@given(st.binary(max_size=60))
def test_any_bytes_are_judged(data):
    assert judge()(data)
    assert out_of_time(data, 0.0) == ""


@pytest.mark.parametrize(("days", "why"), [(-2, "valid from"), (0, ""), (91, "expired on")])
def test_times(tiny_ca, days, why):
    moment = (tiny_ca.now + datetime.timedelta(days=days)).timestamp()
    told = out_of_time(der(tiny_ca.server), moment)
    assert (why in told, bool(told)) == (True, bool(why))
