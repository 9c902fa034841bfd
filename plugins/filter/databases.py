# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters for databases: what a URL means for a service, and how their servers are configured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.voip.preprovision.plugins.module_utils.common.database_urls import (
    DatabaseUrlError,
    read_database_url,
    with_root,
)
from ansible_collections.voip.preprovision.plugins.module_utils.phones.row_database import RowDatabase, RowDatabaseError
from ansible_collections.voip.preprovision.plugins.module_utils.station.database_servers import (
    DatabaseServerError,
    Given,
    ca_of,
    plan,
)


def database_plan(url: str, root: str = "") -> dict[str, Any]:
    """Return how a service reaches the database at *url*; *root*: file of the CAs that sign the servers' certificates, if any."""
    if not url.startswith("postgresql"):
        return {"url": url, "servers": [], "fence": []}
    try:
        found = read_database_url(url)
        complete = with_root(url, root) if root else url
    except DatabaseUrlError as error:
        # Not "from error": Ansible would repeat it
        raise AnsibleFilterError(f"profile_service_database: {error}") from None
    servers = [host for host in found.hosts if not host.is_socket]
    if root and not servers:
        raise AnsibleFilterError("profile_service_database_ca: profile_service_database names no server, so nothing is encrypted")
    fence = [host.name for host in servers] if all(host.is_address for host in servers) else []
    return {"url": complete, "servers": [str(host) for host in servers], "fence": fence}


def rows_plan(url: str, query: str = "") -> dict[str, Any]:
    """Return how a service reaches the database of the phones' rows at *url*, which may be empty."""
    if not url:
        return {"servers": [], "fence": []}
    try:
        hosts = [host for host in RowDatabase(url, query).hosts if not host.is_socket]
    except RowDatabaseError as error:
        raise AnsibleFilterError(f"profile_service_rows: {error}") from None
    fence = [host.name for host in hosts] if all(host.is_address for host in hosts) else []
    return {"servers": [str(host) for host in hosts], "fence": fence}


def database_server_plan(
    members: Mapping[str, Any], host: str, clients: Sequence[Any], name: str, user: str, password: object, secret: object
) -> dict[str, Any]:
    """Return how a member of a database server is configured."""
    try:
        found = plan(host, Given(members, clients, name, user, password, secret))
    except DatabaseServerError as error:
        raise AnsibleFilterError(str(error)) from None
    return {**found._asdict(), "credentials": found.credentials._asdict()}


def database_ca(secret: object) -> str:
    """Return the certificate of the CA that signs the certificates of database servers with this secret, as PEM text."""
    try:
        return ca_of(secret)
    except DatabaseServerError as error:
        raise AnsibleFilterError(str(error)) from None


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "database_ca": database_ca,
            "database_plan": database_plan,
            "database_server_plan": database_server_plan,
            "rows_plan": rows_plan,
        }
