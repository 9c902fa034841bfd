# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a machine has the addresses that its services are to listen on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_LOOPBACK = ("127.0.0.1", "::1")
# An address of a link says nothing without its interface (RFC 4007)
_LINK_LOCAL = "fe80:"


class OwnAddressError(ValueError):
    """The machine lacks an address; the message names the variable, the machine, and what to do."""


def own_addresses(facts: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the machine's addresses, by the facts that the module setup gathers."""
    found = [*facts.get("all_ipv4_addresses", ()), *facts.get("all_ipv6_addresses", ())]
    return [address for address in found if not address.startswith(_LINK_LOCAL)]


def check_own(machine: str, variable: str, wanted: Sequence[str], own: Sequence[str], public: bool = False) -> None:
    """Raise OwnAddressError unless *machine* has all *wanted* addresses among its *own*, or for a bench, its loopback's.

    *variable* names them. *public*: they are those at which phones at home reach the machine.
    """
    lacking = [address for address in wanted if address not in own and (public or address not in _LOOPBACK)]
    if lacking:
        remedy = (
            "name addresses that it has in provisioning_server_addresses"
            if public
            else "run the role bench on it first, which brings up bench_address, or name an address that it has"
        )
        raise OwnAddressError(
            f"{variable}: {machine} does not have {', '.join(lacking)}, only {', '.join(own) or 'none'}; {remedy}."
        )
