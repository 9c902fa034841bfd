# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Check settings of services, and build those of the web server."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible.utils.display import Display

from ansible_collections.voip.preprovision.plugins.module_utils.bench.network import BenchError, check_addresses
from ansible_collections.voip.preprovision.plugins.module_utils.certificates.client_identity import (
    OWNER_PATTERN,
    WebAccessError,
    owner_pattern,
    password_lines,
    tls_settings,
)
from ansible_collections.voip.preprovision.plugins.module_utils.families.catalogue import BUILTIN
from ansible_collections.voip.preprovision.plugins.module_utils.families.model import FamilyError, ModelError
from ansible_collections.voip.preprovision.plugins.plugin_utils.number_spelling import NumberSpelling

_OLD_TLS = "web_server_tls: TLS 1.0 and 1.1 are on, which are broken; turn them off as soon as no old phone needs them"


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (BenchError, FamilyError, ModelError, WebAccessError) as error:
        raise AnsibleFilterError(str(error)) from error


def service_addresses(addresses: object, variable: str, ipv6: bool = False, may_be_empty: bool = False) -> list[str]:
    """Return the addresses on which a service listens, checked."""
    with _translated():
        checked = check_addresses(addresses, variable, ipv6)
    if not checked and not may_be_empty:
        raise AnsibleFilterError(f"{variable} is empty; name at least one {'' if ipv6 else 'IPv4 '}address to listen on")
    repeated = [address for number, address in enumerate(checked) if address in checked[:number]]
    if repeated:
        raise AnsibleFilterError(f"{variable} contains {repeated[0]} twice; name each address once")
    return list(checked)


def web_owner_pattern(path: str) -> str:
    """Return the regular expression that finds the owner of a file at *path*, a path with macros, in a certificate."""
    return owner_pattern(path)


def model_families(
    hostvars: Mapping[str, Mapping[str, Any]], names: Iterable[str], families: Mapping[str, Any] | None = None
) -> list[str]:
    """Return the names of the phones' product families, sorted."""
    with _translated():
        catalogue = BUILTIN.extended(families or {})
        models = {str(hostvars[name]["phone_model"]) for name in names if "phone_model" in hostvars[name]}
        return sorted({catalogue.find_model(model).family.name for model in models})


def web_access_plan(tls: str, families: Iterable[str], passwords: Mapping[str, str], key_bits: int = 2048) -> dict[str, Any]:
    """Return the values in the configuration of role web_server; none is secret."""
    problem = NumberSpelling().problem("web_server_passwords", passwords)
    if problem:
        raise AnsibleFilterError(problem)
    with _translated():
        settings = tls_settings(tls, families, int(key_bits))
        users = password_lines(passwords)
    if settings.level == "legacy":
        Display().warning(_OLD_TLS)
    return {**settings._asdict(), "owner": OWNER_PATTERN, "passwords": len(users)}


def web_password_file(passwords: Mapping[str, str]) -> str:
    """Return the text of an htpasswd file."""
    with _translated():
        return "".join(f"{line}\n" for line in password_lines(passwords))


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "service_addresses": service_addresses,
            "model_families": model_families,
            "web_access_plan": web_access_plan,
            "web_owner_pattern": web_owner_pattern,
            "web_password_file": web_password_file,
        }
