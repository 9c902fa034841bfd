# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""URLs of PostgreSQL databases on one or several hosts, as libpq understands them: which hosts, ports and options they name.

Source: https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS. libpq tries the hosts in their order.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, unquote, urlencode

MAX_HOSTS = 8
"""Each host that does not answer costs CONNECT_SECONDS of a request."""
CONNECT_SECONDS = 2

TCP_OPTIONS: Mapping[str, str] = {
    "connect_timeout": str(CONNECT_SECONDS),
    "tcp_user_timeout": "3000",
    "keepalives": "1",
    "keepalives_idle": "2",
    "keepalives_interval": "1",
    "keepalives_count": "3",
    "sslcert": "/nonexistent",
}
"""Options that notice a host that does not answer; without them, TCP takes minutes. There is no client's certificate: libpq fails
if it may not look for one in the home folder of whoever started the program."""

_SCHEME = re.compile(r"postgresql(\+psycopg2)?://")
_NAME = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9])?([.][A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9])?)*")
_HOST = re.compile(r"(\[[^]\[]*\]|[^:\[\]]*)(?::([0-9]*))?")
_DEFAULT_PORT = 5432


class DatabaseUrlError(ValueError):
    """A URL that names no database; the message says why, and shows no password."""


class DatabaseHost(NamedTuple):
    """A host of the database."""

    name: str
    """Name, IPv4 or IPv6 address without brackets, or folder of a socket."""
    port: int

    @property
    def is_socket(self) -> bool:
        """Whether it is a socket of this machine."""
        return self.name.startswith(("/", "@"))

    @property
    def is_address(self) -> bool:
        """Whether it is an address, or a name that means this machine."""
        return self.name == "localhost" or _is_address(self.name)

    def __str__(self) -> str:
        """Return how people write it; the usual port is left out."""
        name = f"[{self.name}]" if ":" in self.name else self.name
        return name if self.port == _DEFAULT_PORT else f"{name}:{self.port}"


class DatabaseUrl(NamedTuple):
    """What a URL says."""

    user: str
    password: str
    database: str
    hosts: tuple[DatabaseHost, ...]
    """In the order in which they are tried; empty for the usual socket of this machine."""
    options: dict[str, str]
    """libpq's options besides host and port."""

    @property
    def uses_tcp(self) -> bool:
        """Whether a host is reached over the network."""
        return any(not host.is_socket for host in self.hosts)

    def libpq_options(self, session: str) -> dict[str, str]:
        """Return the options for libpq with hosts, ports and, over TCP, TCP_OPTIONS; those of the URL count more.

        *session*: ``read-write`` finds the primary among the hosts, ``any`` takes the first that answers.
        """
        options = dict(TCP_OPTIONS) if self.uses_tcp else {}
        options |= self.options
        if self.hosts:
            options |= {
                "host": ",".join(host.name for host in self.hosts),
                "port": ",".join(str(host.port) for host in self.hosts),
            }
        return options | {"target_session_attrs": session}

    def text(self, session: str) -> str:
        """Return the URL for libpq, without the password, with these options."""
        user = f"{quote(self.user, safe='')}@" if self.user else ""
        return f"postgresql://{user}/{quote(self.database, safe='')}?{urlencode(self.libpq_options(session), safe='/,:')}"


def read_database_url(url: str) -> DatabaseUrl:
    """Return what a PostgreSQL *url* says; raise DatabaseUrlError."""
    scheme = _SCHEME.match(url)
    if not scheme:
        raise DatabaseUrlError("it must begin with postgresql://")
    rest, _mark, query = url[scheme.end() :].partition("?")
    netloc, _slash, database = rest.partition("/")
    login, _at, places = netloc.rpartition("@")
    if "/" in database or "@" in database:
        # Perhaps of the password, so it is not shown
        raise DatabaseUrlError("a / or @ in the user's name or password must be written as %2F or %40")
    if not database:
        raise DatabaseUrlError("it must end with / and the name of the database, such as /preprovision")
    user, _colon, password = login.partition(":")
    hosts, options = _query(query)
    if hosts and places:
        raise DatabaseUrlError("it names hosts both before the database's name and in ?host=; name them once")
    hosts = hosts or _hosts(places.split(",") if places else [])
    _check_hosts(hosts)
    return DatabaseUrl(unquote(user), unquote(password), unquote(database), hosts, options)


def with_root(url: str, path: str) -> str:
    """Return a PostgreSQL *url* that trusts only servers whose certificate names them and is signed by the CAs in the file *path*.

    What the URL itself says about TLS stays.
    """
    given = read_database_url(url).options
    added = {"sslmode": "verify-full", "sslrootcert": path}
    query = urlencode({name: value for name, value in added.items() if name not in given}, safe="/")
    return f"{url}{'&' if '?' in url else '?'}{query}" if query else url


def _query(query: str) -> tuple[tuple[DatabaseHost, ...], dict[str, str]]:
    """Return the hosts and the options that a URL's query names."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        raise DatabaseUrlError("what follows ? must be options such as sslmode=verify-full, with & in between") from None
    named: dict[str, list[str]] = {"host": [], "hostaddr": [], "port": []}
    options: dict[str, str] = {}
    for name, value in pairs:
        if name in named:
            named[name] += value.split(",")
        elif name == "target_session_attrs":
            raise DatabaseUrlError("the service sets target_session_attrs itself, since only a primary can be written; remove it")
        elif name in options:
            raise DatabaseUrlError(f"it has the option {name} twice")
        else:
            options[name] = value
    if named["hostaddr"]:
        raise DatabaseUrlError("hostaddr is not supported; write the addresses as hosts")
    ports = named["port"]
    if ports and not named["host"]:
        raise DatabaseUrlError(f"?port={ports[0]} has no ?host=; write the port behind each host, as in db1:{ports[0]}")
    if ports and len(ports) not in (1, len(named["host"])):
        raise DatabaseUrlError(f"?port= has {len(ports)} ports for {len(named['host'])} hosts; give one for all, or one for each")
    hosts = _hosts(named["host"], ports * len(named["host"]) if len(ports) == 1 else ports, True)
    return hosts, options


def _hosts(places: Sequence[str], ports: Sequence[str] = (), in_query: bool = False) -> tuple[DatabaseHost, ...]:
    return tuple(_host(unquote(place), ports[number] if ports else "", in_query) for number, place in enumerate(places))


def _host(place: str, port: str, in_query: bool) -> DatabaseHost:
    """Return a host. In a query, libpq takes an IPv6 address without brackets, and the ports stand for themselves."""
    if place.startswith(("/", "@")):
        return DatabaseHost(place, _port(port, place))
    if in_query and _is_address(place):
        return DatabaseHost(place, _port(port, place))
    found = _HOST.fullmatch(place)
    if ":" in place and _is_address(place):
        raise DatabaseUrlError(f"'{place}' is not in brackets; write [{place}]")
    if not found:
        # What follows the colon may be a password
        shown = place.partition(":")[0]
        raise DatabaseUrlError(f"'{shown}' is not a host; write a name, an IPv4 address or an IPv6 address in brackets")
    name = found[1]
    if not name:
        raise DatabaseUrlError("it has an empty host; there is a comma too many")
    if name.startswith("["):
        name = name[1:-1]
        if ":" not in name or not _is_address(name):
            raise DatabaseUrlError(f"'{place}' is not an IPv6 address in brackets")
    elif not _is_address(name) and (not _NAME.fullmatch(name) or re.fullmatch(r"[0-9.]+", name)):
        raise DatabaseUrlError(f"'{name}' is neither an address nor a host name")
    return DatabaseHost(name, _port(found[2] or port, name))


def _port(port: str, name: str) -> int:
    if not port:
        return _DEFAULT_PORT
    if not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) < 65536:
        raise DatabaseUrlError(f"the port of {name} must be a number from 1 to 65535")
    return int(port)


def _check_hosts(hosts: Sequence[DatabaseHost]) -> None:
    if len(hosts) > MAX_HOSTS:
        raise DatabaseUrlError(f"it has {len(hosts)} hosts; at most {MAX_HOSTS} are tried in time")
    seen: set[DatabaseHost] = set()
    for host in hosts:
        if host in seen:
            raise DatabaseUrlError(f"it names the host {host} twice")
        seen.add(host)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
