# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers to authentication challenges, against the RFCs' examples."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.emulator.fetching.http_auth import (
    Credentials,
    authorization,
    parse_challenges,
)

MUFASA = Credentials("Mufasa", "Circle of Life")
OF = Credentials("Mufasa", "Circle Of Life")
NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
OPAQUE = "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"
REALM = "http-auth@example.org"
CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
MD5 = f'Digest realm="{REALM}", qop="auth, auth-int", algorithm=MD5, nonce="{NONCE}", opaque="{OPAQUE}"'
SHA256 = MD5.replace("MD5", "SHA-256")
OLD = 'Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"'


@pytest.mark.parametrize(
    ("header", "credentials", "cnonce", "uri", "response"),
    [
        # RFC 7616, 3.9.1
        (MD5, MUFASA, CNONCE, "/dir/index.html", "8ca523f5e9506fed4657c9700eebdbec"),
        (SHA256, MUFASA, CNONCE, "/dir/index.html", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        # RFC 2617, 3.5 with its erratum, and the same without qop (RFC 2069)
        (
            f'{OLD}, qop="auth,auth-int"',
            Credentials("Mufasa", "Circle Of Life"),
            "0a4f113b",
            "/dir/index.html",
            "6629fae49393a05397450978507c4ef1",
        ),
        (OLD, OF, "0a4f113b", "/dir/index.html", "670fd8c2df070c60b045671b8b24ff02"),
    ],
)
def test_digest(header, credentials, cnonce, uri, response):
    value = authorization(header, credentials, "GET", uri, cnonce)
    assert value.startswith("Digest ")
    assert f'response="{response}"' in value
    assert f'uri="{uri}"' in value
    assert ("qop=auth, nc=00000001" in value) == ("qop" in header)
    assert "Circle" not in value


def test_digest_of_a_session():
    header = MD5.replace("algorithm=MD5", "algorithm=MD5-sess")
    assert 'response="e783283f46242139c486a698fec7211d"' in authorization(header, MUFASA, "GET", "/dir/index.html", CNONCE)


def test_basic():
    # RFC 7617, 2
    response = authorization('Basic realm="WallyWorld"', Credentials("Aladdin", "open sesame"), "GET", "/", "")
    assert response == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="


@pytest.mark.parametrize(
    ("header", "scheme"),
    [
        (f"{MD5}, {SHA256}", "Digest"),
        (f"{SHA256}, {MD5}", "Digest"),
        (f'Basic realm="x", {MD5}', "Digest"),
        ('Newauth realm="apps", type=1, title="Login to \\"apps\\"", Basic realm="simple"', "Basic"),
        ("Basic", "Basic"),
        ("Negotiate, Basic", "Basic"),
        ('Digest realm="x", qop="auth-int", nonce="n", Basic realm="x"', "Basic"),
        ('Digest realm="x", algorithm=SHA-512-256, nonce="n"', ""),
        ('Digest realm="x"', ""),
        ("Negotiate", ""),
        ("", ""),
    ],
)
def test_answers_the_strongest_challenge(header, scheme):
    assert authorization(header, MUFASA, "GET", "/", "c").partition(" ")[0] == scheme
    if "SHA-256" in header:
        assert "algorithm=SHA-256" in authorization(header, MUFASA, "GET", "/", "c")


def test_parses_several_challenges():
    found = parse_challenges('Newauth realm="apps", type=1, title="Login to \\"apps\\"", Basic realm="simple"')
    assert [challenge.scheme for challenge in found] == ["newauth", "basic"]
    assert found[0].parameters["title"] == 'Login to "apps"'


@given(st.text(max_size=200))
def test_parses_any_challenge(header):
    response = authorization(f'Digest nonce="a{header}', MUFASA, "GET", "/", "c") + authorization(header, MUFASA, "GET", "/", "c")
    assert "\n" not in response
    assert "\r" not in response
