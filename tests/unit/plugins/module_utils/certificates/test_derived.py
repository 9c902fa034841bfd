# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates that are derived from a secret: the same bytes again, and openssl verifies them."""

from __future__ import annotations

import subprocess
from itertools import count
from pathlib import Path

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.certificates import derived
from ansible_collections.voip.preprovision.plugins.module_utils.certificates.derived import (
    DerivedError,
    ca_certificate,
    check_secret,
    derived_password,
    is_prime,
    server_credentials,
)

SECRET = "for tests only: " + "0123456789abcdef" * 2
NAMES = ("192.0.2.21", "2001:db8::21")


def openssl(*arguments: str) -> str:
    return subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the credentials of a server."""
    folder = tmp_path_factory.mktemp("derived")
    for name, text in server_credentials(SECRET, "CA", "database-1", NAMES)._asdict().items():
        (folder / name).write_text(text)
    return folder


def test_openssl_verifies_names_purposes_and_signature(files: Path) -> None:
    verify = ["verify", "-x509_strict", "-check_ss_sig", "-CAfile", str(files / "ca")]
    for option, name in (("-verify_hostname", "database-1"), ("-verify_ip", NAMES[0]), ("-verify_ip", NAMES[1])):
        for purpose in ("sslserver", "sslclient"):
            assert openssl(*verify, "-purpose", purpose, option, name, str(files / "certificate")).endswith("OK\n")
    with pytest.raises(subprocess.CalledProcessError):
        openssl(*verify, "-verify_hostname", "database-2", str(files / "certificate"))


def test_the_key_belongs_to_the_certificate(files: Path) -> None:
    of_key = openssl("pkey", "-in", str(files / "key"), "-pubout")
    assert openssl("x509", "-in", str(files / "certificate"), "-noout", "-pubkey") == of_key


def test_the_same_secret_gives_the_same_bytes_and_another_one_others() -> None:
    first = server_credentials(SECRET, "CA", "database-1", NAMES)
    for function in (derived._ca_key, ca_certificate, server_credentials):
        function.cache_clear()
    assert server_credentials(SECRET, "CA", "database-1", NAMES) == first
    other = server_credentials(SECRET, "CA", "database-2", NAMES)
    assert other.ca == first.ca
    assert other.key != first.key
    assert ca_certificate(SECRET + "x", "CA") != first.ca


def test_openssl_finds_the_cas_key_sound(tmp_path: Path) -> None:
    numbers = derived._ca_key(SECRET).private_numbers()
    assert numbers.p.bit_length() == numbers.q.bit_length() == 1024
    for prime in (numbers.p, numbers.q):
        assert openssl("prime", str(prime)).endswith("is prime\n")


@pytest.mark.parametrize("number", [7919, 2**127 - 1, 561, 7919 * 7927, 2**129 + 1, 3215031751])
def test_primes_as_openssl_knows_them(number: int) -> None:
    assert is_prime(number, count(2)) == openssl("prime", str(number)).endswith("is prime\n")


def test_passwords_differ_by_purpose() -> None:
    assert len({derived_password(SECRET, purpose) for purpose in ("one", "two")} | {derived_password(SECRET + "x", "one")}) == 3


@pytest.mark.parametrize(
    ("secret", "sentence"),
    [
        ("short", "x has 5 characters; use at least 32 random ones"),
        (12345678901234567890123456789012, "x is not text; write it in quotes, such as '0123'"),
    ],
)
def test_weak_secrets(secret: object, sentence: str) -> None:
    with pytest.raises(DerivedError) as refused:
        check_secret(secret, "x")
    assert str(refused.value) == sentence
