# SPDX-License-Identifier: GPL-3.0-or-later
"""What is missing before real phones can use their makers' certificates."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.certificates.delivery_checks import (
    FamilyPhones,
    Trust,
    is_named,
    lacks_device_root,
    missing_for_certificate,
    missing_roots,
)
from ansible_collections.voip.preprovision.plugins.module_utils.families.catalogue import BUILTIN
from ansible_collections.voip.preprovision.plugins.module_utils.families.maker_roots import MAKER_ROOTS

FAMILIES = BUILTIN.families
CISCO = "CN=Cisco Root CA M2,O=Cisco"
SPA = "CN=Sipura Root 1,OU=Sipura Certificate Authority"
SIGNED = ("CN=Server signer 2k,O=Cisco Small Business",)
BUT = "bench delivery is certificate, but"
SEE = "see docs/guides/certificates.md, or deliver by tftp"


def missing(family, roots=(), signers=(), gives=True, count=1, without_password=None):
    group = FamilyPhones(FAMILIES[family], count, count if without_password is None else without_password)
    return missing_for_certificate([group], Trust(roots, signers, gives))


@pytest.mark.parametrize(
    ("subject", "name", "expected"),
    [
        (CISCO, "Cisco Root CA M2", True),
        (CISCO, "cisco root m2", True),
        (CISCO, "Cisco Root CA M1", False),
        (CISCO, "Cisco Root CA 2048", False),
        (SPA, "Sipura CA", True),
        (SPA, "Linksys CA", False),
        ("CN=Cisco 2k Small Business CA", "Cisco Small Business CA", True),
        ("CN=Cisco Small Business CA", "Cisco 2k Small Business CA", False),
        ("CN=Polycom Root CA,DC=polycom", "Polycom Root CA", True),
        ("CN=x", "", False),
        ("CN=CA", "CA", False),
    ],
)
def test_names(subject, name, expected):
    assert is_named(subject, name) is expected


def test_the_makers_names_do_not_stand_for_each_other():
    stands = {(one.name, other.name) for one in MAKER_ROOTS for other in MAKER_ROOTS if is_named(f"CN={one.name}", other.name)}
    within = {pair for pair in stands if pair[0] != pair[1]}
    assert within == {
        ("Cisco Manufacturing CA SHA2", "Cisco Manufacturing CA"),
        ("Cisco Manufacturing CA III", "Cisco Manufacturing CA"),
        ("Cisco 2k Small Business CA", "Cisco Small Business CA"),
    }


@pytest.mark.parametrize(
    ("family", "trust", "expected"),
    [
        ("ata19x", {"roots": [CISCO]}, []),
        ("mpp", {"roots": [CISCO]}, []),
        ("spa", {"roots": [SPA], "signers": SIGNED}, []),
        ("snom", {"roots": ["CN=Any"], "signers": ["CN=Public CA"]}, []),
        (
            "snom",
            {"signers": ["CN=Public CA"]},
            [
                f"family snom (1 phone): {BUT} certificates_device_roots is empty, and needs the CA of the "
                f"maker, of which nothing public is known; {SEE}"
            ],
        ),
        (
            "poly",
            {"roots": [CISCO], "count": 7},
            [
                f"family poly (7 phones): {BUT} certificates_device_roots has no CA of the maker "
                "(Polycom Root CA, Polycom Equipment Policy CA, Polycom Equipment Issuing CA 1 or Polycom Equipment Issuing CA 2), "
                f"and certificates_signed must name a server certificate of a public CA that these phones know; {SEE}"
            ],
        ),
        (
            "spa",
            {"roots": [SPA], "signers": ["CN=Public CA"]},
            [
                f"family spa (1 phone): {BUT} certificates_signed must name a server certificate that the "
                "maker signed (Sipura CA, Linksys CA, Cisco Small Business CA or Cisco 2k Small Business CA); " + SEE
            ],
        ),
        (
            "ata19x",
            {"roots": [CISCO], "gives": False},
            [
                f"family ata19x (1 phone): {BUT} the bench CA signed the server's certificate, and no URL of "
                f"its root is set for Custom_CA_URL; {SEE}"
            ],
        ),
        ("ata19x", {"roots": [CISCO], "gives": False, "signers": ["CN=Public CA"]}, []),
        # Passwords replace the phones' certificates, not the server's
        ("ata19x", {"count": 3, "without_password": 0}, []),
        ("spa", {"without_password": 0, "signers": SIGNED}, []),
    ],
)
def test_sentences(family, trust, expected):
    assert missing(family, **trust) == expected


def test_one_phone_without_a_password_needs_the_root():
    (sentence,) = missing("mpp", count=3, without_password=1)
    assert sentence.startswith(f"family mpp (3 phones): {BUT} certificates_device_roots has no CA")


@given(
    st.lists(st.sampled_from(sorted(FAMILIES)), unique=True),
    st.lists(st.sampled_from([root.name for root in MAKER_ROOTS])),
    st.lists(st.sampled_from([root.name for root in MAKER_ROOTS])),
)
def test_each_family_has_at_most_one_sentence_and_more_trust_never_adds_one(names, roots, more):
    groups = [FamilyPhones(FAMILIES[name], 2, 1) for name in names]
    subjects = [f"CN={name},O=Example" for name in roots]
    found = missing_for_certificate(groups, Trust(subjects, subjects, False))
    assert len(found) <= len(names)
    assert all("\n" not in sentence and sentence.startswith("family ") for sentence in found)
    wider = [*subjects, *(f"CN={name}" for name in more)]
    assert len(missing_for_certificate(groups, Trust(wider, wider, True))) <= len(found)


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_the_listed_cas_are_enough(name):
    family = FAMILIES[name]
    listed = family.device_roots or ("Unknown maker",)
    signers = family.server_roots or ("Public CA",)
    for root in listed:
        for signer in signers:
            assert missing(name, [f"CN={root}"], [f"CN={signer}"]) == []
    assert missing(name) != []


def test_a_family_of_ones_own_names_its_cas():
    family = dataclasses.replace(FAMILIES["spa"], device_roots=("Acme Phones CA",), server_roots=())
    assert lacks_device_root(family, [SPA])
    assert not lacks_device_root(family, ["CN=ACME phones root 1"])
    assert missing_roots([family, FAMILIES["mpp"]], [CISCO]) == [
        "family spa: certificates_device_roots has no CA of the maker (Acme Phones CA); with bench delivery by certificate its "
        "phones would get nothing"
    ]
