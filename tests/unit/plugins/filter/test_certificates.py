# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters of the role certificates, with files as returned by ansible.builtin.find."""

from __future__ import annotations

import datetime
import hashlib

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.voip.preprovision.plugins.filter.certificates import FilterModule

FILTERS = FilterModule().filters()
FOLDER = "/etc/preprovision/certificates"
NAME = "prov.example.net"
REQUEST = "-----BEGIN CERTIFICATE REQUEST-----\n"


def requests(**changes):
    return FILTERS["certificate_requests"]([NAME], [], 825, **changes)


def found(**more):
    """Return the files of a station that has just issued everything; *more*: name with _ for the dot -> text."""
    texts = {f"{name}.{kind}": f"{name} {kind}" for name in ("bench-ca", "server") for kind in ("key", "pem")}
    texts |= {"server.csr": REQUEST, **{name.replace("_", "."): text for name, text in more.items()}}
    now = datetime.datetime.now(datetime.UTC).timestamp()
    return [
        {
            **{"path": f"{FOLDER}/{name}", "mode": "0644", "uid": 0, "gid": 0, "mtime": now},
            "checksum": hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest(),
        }
        for name, text in texts.items()
    ]


def settled(files, days=30, signed=None, sent=None, wanted=None):
    wanted = wanted or requests()
    ledger = FILTERS["certificate_ledger"](files, wanted, [], FOLDER, signed)
    return FILTERS["certificates_settled"]([*files, *found(ledger=ledger)[-1:]], wanted, [], FOLDER, days, signed, sent)


def test_settled_when_certificates_are_complete_and_valid():
    assert settled(found())
    assert settled(found(), days="824")
    assert not settled(found(), days=826)


@pytest.mark.parametrize(
    ("files", "sent", "expected"),
    [
        (found(server_sent=REQUEST), REQUEST, True),
        (found(server_sent=REQUEST), "", False),
        (found(server_sent=REQUEST), "another", False),
        (found(server_sent="another"), REQUEST, False),
        (found(), REQUEST, False),
    ],
    ids=["sent", "gone", "another here", "another sent", "never sent"],
)
def test_settled_when_the_request_has_been_sent(files, sent, expected):
    assert settled(files, sent=sent) is expected


def test_installs_a_signed_certificate(tiny_ca):
    now = datetime.datetime.now(datetime.UTC)
    signer = tiny_ca.issue("CA", signer=None, key="ca", ca=True, san=None, now=now)
    server = tiny_ca.issue(signer=signer, now=now)
    taken = FILTERS["signed_certificate"](server.pem, server.key, NAME, signer.pem, "89")
    assert (taken["pem"], taken["issuer"]) == (server.pem + signer.pem, "CN=CA,O=Example")
    assert taken["expires"] == (now + datetime.timedelta(days=90)).strftime("%Y-%m-%dT%H:%M:%SZ")
    wanted = requests(signed_elsewhere=True)
    assert settled(found(), signed=taken, wanted=wanted)
    ledger = FILTERS["certificate_ledger"](found(), wanted, [], FOLDER, taken)
    assert FILTERS["certificates_ending"](ledger, 89) == []
    assert len(FILTERS["certificates_ending"](ledger, "91")) == 1
    assert "CN=CA,O=Example" in FILTERS["certificate_report"](ledger)
    with pytest.raises(AnsibleFilterError, match=r"^certificates_signed: the certificate belongs to another key; install "):
        FILTERS["signed_certificate"](server.pem, tiny_ca.key("other-ca"), NAME)


def test_warns_of_a_small_key(monkeypatch):
    warnings = []
    monkeypatch.setattr("ansible.utils.display.Display.warning", lambda self, text: warnings.append(text))
    assert requests(key_bits=2048)[1]["key_bits"] == 2048
    assert warnings == []
    assert requests(key_bits="1024")[1]["key_bits"] == 1024
    assert len(warnings) == 1


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("certificate_requests", [["prov"]], "certificates_name is 'prov'"),
        ("certificate_report", ["nothing"], "the ledger of the certificates is damaged"),
        ("certificates_ending", ["nothing"], "the ledger of the certificates is damaged"),
    ],
)
def test_rejects_invalid_input(name, arguments, words):
    with pytest.raises(AnsibleFilterError, match=f"^{words}"):
        FILTERS[name](*arguments)


def test_report_names_families_without_their_makers_ca():
    roots = [{"subject": "CN=Cisco Root CA M2,O=Cisco", "sha256": "00", "pem": "not kept"}]
    ledger = FILTERS["certificate_ledger"](found(), requests(), roots, FOLDER)
    assert "not kept" not in ledger
    lines = FILTERS["certificate_report"](ledger, 30, ["ata19x", "spa", "unknown"]).splitlines()
    assert [line for line in lines if line.startswith("family")] == [
        "family spa: certificates_device_roots has no CA of the maker (Sipura CA, Linksys CA, Cisco Small Business CA or "
        "Cisco 2k Small Business CA); with bench delivery by certificate its phones would get nothing"
    ]
    own = {"spa": {"device_roots": ["Cisco Root CA M2"]}}
    assert "family" not in FILTERS["certificate_report"](ledger, 30, ["ata19x", "spa"], own)
    with pytest.raises(AnsibleFilterError, match=r"^family spa: device_roots"):
        FILTERS["certificate_report"](ledger, 30, ["spa"], {"spa": {"device_roots": [{}]}})
