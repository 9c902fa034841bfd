# SPDX-License-Identifier: GPL-3.0-or-later
"""Which server certificates a phone accepts."""

from __future__ import annotations

import datetime

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.certificates.tls_facts import tls_facts
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.fetching.server_verifier import (
    ServerVerifier,
    validity_error,
)
from ansible_collections.voip.preprovision.plugins.module_utils.events.causes.failure_codes import FailureCode

NAME, ADDRESS = "prov.example.net", "192.0.2.1"
NAMES = {NAME: (ADDRESS,), "other.example.net": ("192.0.2.9",), "two.example.net": ("192.0.2.9", ADDRESS)}


def der(issued):
    return issued.certificate.public_bytes(Encoding.DER)


def verifier(family="ata19x", name=NAME, address=ADDRESS, validates=True):
    return ServerVerifier(name, address, tls_facts(family), validates, lambda host: NAMES.get(host.lower(), ()))


@pytest.mark.parametrize(
    ("family", "cn", "san", "options", "code"),
    [
        ("ata19x", NAME, [NAME], {}, None),
        # The chapter's forms of the common name
        ("ata19x", f"{NAME}/mailto:admin@example.net", [NAME], {}, None),
        ("ata19x", f"{NAME}/info@voice.example.net", [NAME], {}, None),
        ("ata19x", NAME.upper(), [NAME], {}, None),
        ("ata19x", "other.example.net", [NAME], {}, FailureCode.CERTIFICATE_NAME),
        ("ata19x", [], [NAME], {}, FailureCode.CERTIFICATE_NAME),
        ("ata19x", [NAME, "other.example.net"], [NAME], {}, FailureCode.CERTIFICATE_NAME),
        ("ata19x", "*.example.net", [NAME], {}, FailureCode.CERTIFICATE_NAME),
        # Subject alternative name: of the ATA alone, unless HTTPS_Name_Validate is No
        ("ata19x", NAME, None, {}, FailureCode.CERTIFICATE_NAME),
        ("ata19x", NAME, ["other.example.net"], {}, FailureCode.CERTIFICATE_NAME),
        ("ata19x", NAME, ["*.example.net"], {}, None),
        ("ata19x", NAME, None, {"validates": False}, None),
        ("ata19x", "other.example.net", [NAME], {"validates": False}, FailureCode.CERTIFICATE_NAME),
        ("spa", NAME, None, {}, None),
        ("mpp", NAME, None, {}, None),
        ("mpp", "other.example.net", [NAME], {}, FailureCode.CERTIFICATE_NAME),
        # The name must lead to the address
        ("ata19x", NAME, [NAME], {"address": "192.0.2.7"}, FailureCode.CERTIFICATE_ADDRESS),
        ("mpp", NAME, None, {"address": "192.0.2.7"}, FailureCode.CERTIFICATE_ADDRESS),
        ("mpp", "two.example.net", None, {"name": "two.example.net"}, None),
        ("mpp", "gone.example.net", None, {"name": "gone.example.net"}, FailureCode.CERTIFICATE_ADDRESS),
        # A rule that names the server by its address
        ("mpp", NAME, None, {"name": ADDRESS}, None),
        ("mpp", "other.example.net", None, {"name": ADDRESS}, FailureCode.CERTIFICATE_ADDRESS),
        ("ata19x", NAME, [NAME], {"name": ADDRESS}, FailureCode.CERTIFICATE_NAME),
        ("ata19x", NAME, [NAME, ADDRESS], {"name": ADDRESS}, None),
        # Other makers' phones: RFC 2818
        ("poly", "anything", [NAME], {}, None),
        ("poly", NAME, None, {}, None),
        ("poly", NAME, ["other.example.net"], {}, FailureCode.CERTIFICATE_NAME),
        ("poly", "anything", [ADDRESS], {"name": ADDRESS}, None),
        ("poly", ADDRESS, None, {"name": ADDRESS}, None),
        ("poly", NAME, None, {"name": ADDRESS}, FailureCode.CERTIFICATE_NAME),
    ],
)
def test_verifies_names_and_addresses(tiny_ca, family, cn, san, options, code):
    one = verifier(family, **options)
    why = one(der(tiny_ca.issue(cn, san=san)))
    assert (one.code, bool(why)) == (code, code is not None)
    if code == FailureCode.CERTIFICATE_NAME:
        assert "the certificate's names are " in why


def test_refuses_bytes_that_are_no_certificate():
    one = verifier()
    assert "damaged" in one(b"rubbish")
    assert one.code == FailureCode.CHAIN


@given(st.binary(max_size=60))
def test_refuses_any_bytes(data):
    assert verifier()(data)
    assert validity_error(data, 0.0) == ""


@pytest.mark.parametrize(("days", "why"), [(-2, "valid from"), (0, ""), (91, "expired on")])
def test_explains_why_a_certificate_is_not_valid_now(tiny_ca, days, why):
    moment = (tiny_ca.now + datetime.timedelta(days=days)).timestamp()
    error = validity_error(der(tiny_ca.server), moment)
    assert (why in error, bool(error)) == (True, bool(why))
