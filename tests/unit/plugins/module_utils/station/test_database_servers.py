# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of database servers, and the sentences about those that cannot work."""

from __future__ import annotations

import base64
import hmac

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.station.database_servers import (
    DatabaseServerError,
    Given,
    ca_of,
    plan,
    scram_verifier,
)

THREE = {"db1": "192.0.2.21", "db2": "192.0.2.22", "db3": "2001:db8::23"}
GIVEN = Given(THREE, ["192.0.2.31", "2001:db8:1::/64"], "preprovision", "preprovision", "a password of its own", "s" * 40)


def test_a_member_of_three() -> None:
    found = plan("db1", GIVEN)
    assert (found.address, found.is_cluster) == ("192.0.2.21", True)
    assert found.urls["db3"] == "[2001:db8::23]"
    assert found.others == ["192.0.2.22/32", "2001:db8::23/128"]
    assert found.clients == ["192.0.2.31/32", "2001:db8:1::/64"]
    assert found.credentials.ca == ca_of(GIVEN.secret) == plan("db2", GIVEN).credentials.ca
    assert len(set(found.passwords.values())) == 3
    assert plan("db2", GIVEN).verifier == found.verifier


def test_one_member_is_no_cluster() -> None:
    assert not plan("db1", GIVEN._replace(members={"db1": "192.0.2.21"})).is_cluster


def test_a_server_with_the_verifier_signs_as_in_rfc_7677() -> None:
    nonce, salt = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", "W22ZaJ0SNY7soEsUEjb6gQ=="
    exchange = f"n=user,r=rOprNGfwEbeRWgbNEkqO,{nonce},s={salt},i=4096,c=biws,{nonce}"
    verifier = scram_verifier("pencil", base64.b64decode(salt))
    assert verifier.startswith(f"SCRAM-SHA-256$4096:{salt}$")
    signature = hmac.digest(base64.b64decode(verifier.rpartition(":")[2]), exchange.encode(), "sha256")
    assert base64.b64encode(signature) == b"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


FOUR = {**THREE, "db4": "192.0.2.24"}
MISTAKES = [
    (
        {"members": {"db1": "192.0.2.21", "db2": "192.0.2.22"}},
        "database_server_members has 2 members; with one down, the other could not know that it may go on. Use 1, or 3 voters",
    ),
    (
        {"members": FOUR},
        "database_server_members has 4 members; an even number survives no more failures than the odd number below, use 3 or 5",
    ),
    (
        {"members": {f"db{number}": f"192.0.2.{number}" for number in range(1, 10)}},
        "database_server_members has 9 members; etcd works with up to 7 voters",
    ),
    ({"members": {"other": "192.0.2.9"}}, "database_server_members lacks db1; it has other"),
    (
        {"members": {"db1": "db1.example.net"}},
        "database_server_members: the address of db1 is 'db1.example.net'; "
        "it must be an IPv4 or IPv6 address, which the firewall can"
        " name",
    ),
    ({"members": {"db1": "127.0.0.1"}}, "database_server_members: the address of db1 is 127.0.0.1, which other hosts cannot reach"),
    (
        {"members": {"db1": "192.0.2.21", "db2": "192.0.2.21", "db3": "192.0.2.23"}},
        "database_server_members: two members have the address 192.0.2.21",
    ),
    ({"members": {"db 1": "192.0.2.21"}}, "database_server_members: 'db 1' is not a host name"),
    ({"clients": []}, "database_server_clients is empty; name the addresses of stations and provisioning servers"),
    ({"clients": ["0.0.0.0/0"]}, "database_server_clients: 0.0.0.0/0 is everybody; name the addresses of the clients"),
    (
        {"clients": ["192.0.2.1/24"]},
        "database_server_clients: '192.0.2.1/24' is not an address or network such as 192.0.2.0/28 "
        "(192.0.2.1/24 has host bits set)",
    ),
    (
        {"name": "postgres"},
        "database_server_name must be lower-case letters, digits and underscores, and not postgres, replicator, rewinder,"
        " template0, template1",
    ),
    ({"password": "short"}, "database_server_password must be text of at least 16 printable ASCII characters"),
    ({"secret": "short"}, "database_server_secret has 5 characters; use at least 32 random ones"),
]


@pytest.mark.parametrize(("changed", "sentence"), MISTAKES)
def test_mistakes(changed: dict[str, object], sentence: str) -> None:
    with pytest.raises(DatabaseServerError) as refused:
        plan("db1", GIVEN._replace(**changed))
    assert str(refused.value) == sentence
