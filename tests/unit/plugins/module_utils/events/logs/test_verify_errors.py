# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenSSL's words for what is wrong with a certificate; OpenSSL itself is the judge."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from cryptography import x509

from ansible_collections.voip.preprovision.plugins.module_utils.events.logs.verify_errors import (
    VERIFY_ERRORS,
    VerifyFault,
    fault_of,
)

CLIENT_AUTH = x509.ExtendedKeyUsageOID.CLIENT_AUTH
ERROR = re.compile(r"^error (\d+) at \d+ depth lookup: (.+)$", re.MULTILINE)
NAMED = re.compile(r"^ *# *define +X509_V_ERR_(\w+) +(\d+)", re.MULTILINE)
GUIDE = Path(__file__).parents[6] / "docs/guides/certificates.md"
HEADER = Path("/usr/include/openssl/x509_vfy.h")


@pytest.fixture
def verify(tiny_ca, tmp_path):
    """Return what OpenSSL says first of a client certificate."""

    def run(pem: str, *options: str, roots: str = tiny_ca.root.pem) -> str:
        for name, content in (("leaf", pem), ("roots", roots), ("chain", tiny_ca.intermediate.pem)):
            (tmp_path / name).write_text(content)
        files = ["-CAfile", "roots", "-untrusted", "chain"]
        command = [
            "openssl",
            "verify",
            "-attime",
            str(int(tiny_ca.now.timestamp())),
            "-purpose",
            "sslclient",
            *options,
            *files,
            "leaf",
        ]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        found = ERROR.search(done.stderr)
        return found[2] if found else done.stdout.strip()

    return run


def test_accepts_a_good_certificate(tiny_ca, verify):
    text = verify(tiny_ca.issue("phone", extended=[CLIENT_AUTH]).pem)
    assert (text, fault_of(text)) == ("leaf: OK", None)


@pytest.mark.parametrize(
    ("contents", "options", "fault"),
    [
        ({"days": (-90, -1)}, (), VerifyFault.EXPIRED),
        ({"days": (1, 90)}, (), VerifyFault.NOT_YET_VALID),
        ({"extended": [x509.ExtendedKeyUsageOID.SERVER_AUTH]}, (), VerifyFault.WRONG_PURPOSE),
        ({"signer": None}, (), VerifyFault.SELF_SIGNED),
        ({"key": "rsa1024"}, ("-auth_level", "2"), VerifyFault.SHORT_KEY),
        ({"digest": "sha1"}, ("-auth_level", "2"), VerifyFault.WEAK_DIGEST),
    ],
)
def test_knows_what_openssl_says(tiny_ca, verify, contents, options, fault):
    certificate = tiny_ca.issue("phone", **{"extended": [CLIENT_AUTH], **contents})
    assert fault_of(verify(certificate.pem, *options)) is fault


def test_knows_what_openssl_says_of_a_chain(tiny_ca, verify):
    leaf = tiny_ca.issue("phone", extended=[CLIENT_AUTH]).pem
    assert fault_of(verify(leaf, roots=tiny_ca.other_root.pem)) is VerifyFault.UNKNOWN_ISSUER
    not_ca = tiny_ca.issue("not a CA", signer=tiny_ca.root)
    below = tiny_ca.issue("phone", signer=not_ca, extended=[CLIENT_AUTH]).pem
    assert fault_of(verify(below, roots=tiny_ca.root.pem + not_ca.pem)) is VerifyFault.INVALID_CHAIN


@pytest.mark.skipif(not HEADER.exists(), reason="needs the header files of OpenSSL")
def test_names_are_those_of_openssl():
    assert {error.name for error in VERIFY_ERRORS} <= {name for name, _number in NAMED.findall(HEADER.read_text())}


def test_the_guide_lists_every_error():
    rows = [line.split("|")[1] for line in GUIDE.read_text().splitlines() if line.startswith("| ")]
    listed = {text.strip() for row in rows for text in row.split(", ")}
    assert {error.text.replace("self signed", "self-signed") for error in VERIFY_ERRORS} <= listed


@pytest.mark.parametrize("text", ["", "ok", "out of memory", "certificate has expired!"])
def test_other_texts_are_no_known_fault(text):
    assert fault_of(text) is None
