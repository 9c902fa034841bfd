# SPDX-License-Identifier: GPL-3.0-or-later
"""URLs of PostgreSQL: which hosts and options they name. libpq's own parser, where there is one, agrees."""

from __future__ import annotations

import ctypes
import ctypes.util
from collections.abc import Iterator

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.common.database_urls import (
    TCP_OPTIONS,
    DatabaseHost,
    DatabaseUrlError,
    read_database_url,
    with_root,
)

THREE = (DatabaseHost("db1", 5432), DatabaseHost("192.0.2.2", 5433), DatabaseHost("2001:db8::3", 5434))

HOSTS = [
    ("postgresql:///preprovision", ()),
    ("postgresql://anna@/preprovision", ()),
    ("postgresql+psycopg2://db.example.net/preprovision", (DatabaseHost("db.example.net", 5432),)),
    ("postgresql://anna:secret@db1,192.0.2.2:5433,[2001:db8::3]:5434/preprovision", THREE),
    ("postgresql://anna@/preprovision?host=db1&host=192.0.2.2:5433&host=[2001:db8::3]:5434", THREE),
    ("postgresql://anna@/preprovision?host=db1,192.0.2.2,2001:db8::3&port=5432,5433,5434", THREE),
    ("postgresql:///preprovision?host=db1,db2&port=6432", (DatabaseHost("db1", 6432), DatabaseHost("db2", 6432))),
    ("postgresql:///preprovision?host=/run/postgresql", (DatabaseHost("/run/postgresql", 5432),)),
    ("postgresql://%2Frun%2Fpostgresql/preprovision", (DatabaseHost("/run/postgresql", 5432),)),
    ("postgresql://[2001:db8::1]/preprovision", (DatabaseHost("2001:db8::1", 5432),)),
]


@pytest.mark.parametrize(("url", "hosts"), HOSTS)
def test_hosts(url: str, hosts: tuple[DatabaseHost, ...]) -> None:
    assert read_database_url(url).hosts == hosts


def test_names_and_passwords_are_decoded() -> None:
    found = read_database_url("postgresql://an%40na:p%3Aw%2F%25@db1/pre%20provision?sslmode=require")
    assert (found.user, found.password, found.database) == ("an@na", "p:w/%", "pre provision")
    assert found.options == {"sslmode": "require"}


def test_options_over_tcp_and_their_order_of_precedence() -> None:
    options = read_database_url("postgresql://db1,[2001:db8::2]:5433/x?connect_timeout=9&sslmode=verify-full").libpq_options("any")
    assert options == {
        **TCP_OPTIONS,
        "connect_timeout": "9",
        "sslmode": "verify-full",
        "host": "db1,2001:db8::2",
        "port": "5432,5433",
        "target_session_attrs": "any",
    }


@pytest.mark.parametrize("url", ["postgresql:///x", "postgresql:///x?host=/run/postgresql"])
def test_sockets_need_no_timeouts(url: str) -> None:
    assert not read_database_url(url).libpq_options("read-write").keys() & TCP_OPTIONS.keys()


def test_hosts_as_people_write_them() -> None:
    assert [str(host) for host in THREE] == ["db1", "192.0.2.2:5433", "[2001:db8::3]:5434"]
    assert [host.is_address for host in THREE] == [False, True, True]
    assert DatabaseHost("localhost", 5432).is_address


REFUSED = [
    ("mysql://db1/x", "it must begin with postgresql://"),
    ("postgresql://db1", "it must end with / and the name of the database, such as /preprovision"),
    ("postgresql://db1/", "it must end with / and the name of the database, such as /preprovision"),
    ("postgresql://anna:pass/word@db1/x", "a / or @ in the user's name or password must be written as %2F or %40"),
    ("postgresql://anna@db1,,db2/x", "it has an empty host; there is a comma too many"),
    ("postgresql://anna@db1,/x", "it has an empty host; there is a comma too many"),
    ("postgresql://anna@db1,db1/x", "it names the host db1 twice"),
    ("postgresql://anna@db1,db1:5432/x", "it names the host db1 twice"),
    ("postgresql://anna@db1:99999/x", "the port of db1 must be a number from 1 to 65535"),
    ("postgresql://anna@2001:db8::1/x", "'2001:db8::1' is not in brackets; write [2001:db8::1]"),
    ("postgresql://anna@[192.0.2.1]/x", "'[192.0.2.1]' is not an IPv6 address in brackets"),
    ("postgresql://anna@db 1/x", "'db 1' is neither an address nor a host name"),
    ("postgresql://anna@192.0.2/x", "'192.0.2' is neither an address nor a host name"),
    ("postgresql://anna:secret/x", "'anna' is not a host; write a name, an IPv4 address or an IPv6 address in brackets"),
    ("postgresql://anna@db1;db2/x", "'db1;db2' is neither an address nor a host name"),
    ("postgresql://db1/x?host=db2", "it names hosts both before the database's name and in ?host=; name them once"),
    ("postgresql:///x?host=db1,db2,db3&port=1,2", "?port= has 2 ports for 3 hosts; give one for all, or one for each"),
    ("postgresql://db1/x?port=5433", "?port=5433 has no ?host=; write the port behind each host, as in db1:5433"),
    ("postgresql://db1/x?hostaddr=192.0.2.1", "hostaddr is not supported; write the addresses as hosts"),
    ("postgresql://db1/x?sslmode=require&sslmode=disable", "it has the option sslmode twice"),
    ("postgresql://db1/x?sslmode", "what follows ? must be options such as sslmode=verify-full, with & in between"),
    (
        "postgresql://db1/x?target_session_attrs=any",
        "the service sets target_session_attrs itself, since only a primary can be written; remove it",
    ),
    ("postgresql://" + ",".join(f"db{number}" for number in range(9)) + "/x", "it has 9 hosts; at most 8 are tried in time"),
]


@pytest.mark.parametrize(("url", "sentence"), REFUSED)
def test_mistakes(url: str, sentence: str) -> None:
    with pytest.raises(DatabaseUrlError) as refused:
        read_database_url(url)
    assert str(refused.value) == sentence


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("postgresql://db1,db2/x", "postgresql://db1,db2/x?sslmode=verify-full&sslrootcert=/etc/ca.pem"),
        ("postgresql:///x?host=db1", "postgresql:///x?host=db1&sslmode=verify-full&sslrootcert=/etc/ca.pem"),
        ("postgresql://db1/x?sslmode=require&sslrootcert=/mine", "postgresql://db1/x?sslmode=require&sslrootcert=/mine"),
    ],
)
def test_certificates_are_verified_with_a_root(url: str, wanted: str) -> None:
    assert with_root(url, "/etc/ca.pem") == wanted


class _Option(ctypes.Structure):
    _fields_ = [(name, ctypes.c_char_p) for name in ("keyword", "envvar", "compiled", "val", "label", "dispchar")]
    _fields_ += [("dispsize", ctypes.c_int)]


def parsed_by_libpq(url: str) -> dict[str, str]:
    """Return what libpq takes a URL for."""
    name = ctypes.util.find_library("pq")
    if not name:
        pytest.skip("libpq is not installed")
    parse = ctypes.CDLL(name).PQconninfoParse
    parse.argtypes, parse.restype = [ctypes.c_char_p, ctypes.c_void_p], ctypes.POINTER(_Option)
    return dict(_given(parse(url.encode(), None)))


def _given(options: ctypes._Pointer[_Option]) -> Iterator[tuple[str, str]]:
    number = 0
    while options and options[number].keyword:
        if options[number].val is not None:
            yield options[number].keyword.decode(), options[number].val.decode()
        number += 1


@pytest.mark.parametrize("url", [url for url, hosts in HOSTS if "psycopg2" not in url and "host=db1&" not in url])
def test_libpq_reads_the_same(url: str) -> None:
    found, options = parsed_by_libpq(url), read_database_url(url).libpq_options("any")
    hosts, ports = found.get("host", ""), found.get("port", "")
    assert hosts == options.get("host", "")
    count = hosts.count(",") + 1
    wanted = [port or "5432" for port in (ports.split(",") if "," in ports else [ports] * count)]
    assert ",".join(wanted) == options.get("port", "5432")
