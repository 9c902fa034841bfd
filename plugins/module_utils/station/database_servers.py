# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The settings of a database server, checked: its members and clients, credentials, and whom it lets in.

One member is a single server; three or more are a cluster of PostgreSQL that Patroni runs, with etcd on each member as a voter.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..certificates.derived import Credentials, DerivedError, ca_certificate, check_secret, derived_password, server_credentials

CA_NAME = "Preprovisioning database CA"
MIN_PASSWORD_LENGTH = 16
ITERATIONS = 4096
"""As PostgreSQL's own default; the password is random and long."""
POSTGRESQL = {"12": "15", "13": "17"}
"""Version of PostgreSQL in each Debian release."""

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,61}[A-Za-z0-9])?")
_RESERVED = ("postgres", "replicator", "rewinder", "template0", "template1")


class DatabaseServerError(ValueError):
    """Settings that no database server can have; the message names the variable and shows no secret."""


class Given(NamedTuple):
    """The role's variables."""

    members: Mapping[str, Any]
    clients: Sequence[Any]
    name: str
    user: str
    password: Any
    secret: Any


class Plan(NamedTuple):
    """What a member is configured with."""

    address: str
    is_cluster: bool
    members: dict[str, str]
    """Addresses by name."""
    urls: dict[str, str]
    """Addresses by name, IPv6 ones in brackets."""
    others: list[str]
    """Networks of the other members, as CIDR."""
    clients: list[str]
    """Networks of the clients, as CIDR."""
    credentials: Credentials
    passwords: dict[str, str]
    """Of Patroni's own users: ``postgres``, ``replicator`` and ``rewinder``."""
    verifier: str
    """What PostgreSQL stores of the service's password."""


def plan(host: str, given: Given) -> Plan:
    """Return the configuration of the member *host*; raise DatabaseServerError."""
    members = _members(given.members)
    if host not in members:
        raise DatabaseServerError(f"database_server_members lacks {host}; it has {', '.join(members)}")
    clients = [_network(client) for client in given.clients]
    if not clients:
        raise DatabaseServerError("database_server_clients is empty; name the addresses of stations and provisioning servers")
    for variable, name in (("database_server_name", given.name), ("database_server_user", given.user)):
        if not _NAME.fullmatch(name) or name in _RESERVED:
            raise DatabaseServerError(
                f"{variable} must be lower-case letters, digits and underscores, and not {', '.join(_RESERVED)}"
            )
    try:
        secret = check_secret(given.secret, "database_server_secret")
    except DerivedError as error:
        raise DatabaseServerError(str(error)) from None
    address = members[host]
    return Plan(
        address,
        len(members) > 1,
        members,
        {name: f"[{one}]" if ":" in one else one for name, one in members.items()},
        [_network(one) for name, one in members.items() if name != host],
        clients,
        # Clients may name a member by its address or its name
        server_credentials(secret, CA_NAME, host, (address,)),
        {user: derived_password(secret, f"database {user}") for user in ("postgres", "replicator", "rewinder")},
        scram_verifier(_password(given.password), bytes.fromhex(derived_password(secret, f"salt of {given.user}"))[:16]),
    )


def ca_of(secret: Any) -> str:
    """Return the certificate that the servers of *secret* are verified with, as PEM text; raise DatabaseServerError."""
    try:
        return ca_certificate(check_secret(secret, "database_server_secret"), CA_NAME)
    except DerivedError as error:
        raise DatabaseServerError(str(error)) from None


def scram_verifier(password: str, salt: bytes) -> str:
    """Return what PostgreSQL stores of an ASCII *password* (RFC 5802, RFC 7677)."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", hashlib.sha256)).digest()
    server = hmac.digest(salted, b"Server Key", hashlib.sha256)
    encoded = [base64.b64encode(part).decode("ascii") for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${ITERATIONS}:{encoded[0]}${encoded[1]}:{encoded[2]}"


def _members(given: Mapping[str, Any]) -> dict[str, str]:
    members: dict[str, str] = {}
    for name, address in given.items():
        if not _HOST.fullmatch(str(name)):
            raise DatabaseServerError(f"database_server_members: '{name}' is not a host name")
        text = _address(address, f"database_server_members: the address of {name}")
        if text in members.values():
            raise DatabaseServerError(f"database_server_members: two members have the address {text}")
        members[str(name)] = text
    if len(members) == 2:
        raise DatabaseServerError(
            "database_server_members has 2 members; with one down, the other could not know that it may go on. Use 1, or 3 voters"
        )
    if len(members) % 2 == 0:
        raise DatabaseServerError(
            f"database_server_members has {len(members)} members; an even number survives no more failures than the odd number"
            f" below, use {len(members) - 1} or {len(members) + 1}"
        )
    if len(members) > 7:
        raise DatabaseServerError(f"database_server_members has {len(members)} members; etcd works with up to 7 voters")
    return members


def _address(value: Any, what: str) -> str:
    try:
        found = ipaddress.ip_address(str(value))
    except ValueError:
        raise DatabaseServerError(f"{what} is '{value}'; it must be an IPv4 or IPv6 address, which the firewall can name") from None
    if found.is_unspecified or found.is_multicast or found.is_loopback or found.is_link_local:
        raise DatabaseServerError(f"{what} is {found}, which other hosts cannot reach")
    return str(found)


def _network(value: Any) -> str:
    try:
        found = ipaddress.ip_network(str(value))
    except ValueError as error:
        raise DatabaseServerError(
            f"database_server_clients: '{value}' is not an address or network such as 192.0.2.0/28 ({error})"
        ) from None
    if not found.prefixlen:
        raise DatabaseServerError(f"database_server_clients: {found} is everybody; name the addresses of the clients")
    return str(found)


def _password(value: Any) -> str:
    if not isinstance(value, str) or len(value) < MIN_PASSWORD_LENGTH or not value.isascii() or not value.isprintable():
        raise DatabaseServerError(
            f"database_server_password must be text of at least {MIN_PASSWORD_LENGTH} printable ASCII characters"
        )
    return value
