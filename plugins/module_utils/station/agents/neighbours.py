# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keep the guard of the TFTP server and the kernel's neighbour table of one mind about whose each address of the bench is.

dnsmasq reads from that table whose file a client gets, and the kernel keeps an entry as long as there is room.

    python3 -m preprovision.station.agents.neighbours load RULES INTERFACE NETWORK...
    python3 -m preprovision.station.agents.neighbours forget SECONDS ENDED SILENT LEASES INTERFACE NETWORK...

load: load the guard's rules, with what the kernel knows, in one step. forget: remove from the kernel's table what the guard is to
forget within SECONDS, or has forgotten. LEASES: the DHCP server's lease file. An address belongs to a MAC whose lease of it is
over for ENDED seconds at most, so that another unit can have it, if the MAC is silent: the guard is to forget it within SILENT
seconds.
NETWORK: the networks that it guards.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from ...common.processes import run_program
from ...dhcp.lease_file import read_ended

_TABLE = "bridge preprovision_tftp"


def read_neighbours(listing: str, networks: Sequence[IPv4Network]) -> dict[str, str]:
    """Return the MAC of each address in *networks*, from the output of ``ip -json -4 neighbour``.

    Without entries that failed, which have no MAC, and permanent ones, which somebody has set.
    """
    return {
        entry["dst"]: entry["lladdr"]
        for entry in json.loads(listing or "[]")
        if "lladdr" in entry
        and "PERMANENT" not in entry.get("state", ())
        and any(IPv4Address(entry["dst"]) in network for network in networks)
    }


def known_pairs(neighbours: Mapping[str, str]) -> str:
    """Return the nftables commands that tell the guard what the kernel knows."""
    if not neighbours:
        return ""
    pairs = ", ".join(f"{address} . {mac}" for address, mac in neighbours.items())
    return f"add element {_TABLE} active {{ {', '.join(neighbours)} }}\nadd element {_TABLE} pairs {{ {pairs} }}\n"


def read_active(listing: str) -> dict[str, int]:
    """Return the seconds until the guard forgets each address, from the output of ``nft --json list set``."""
    return {element["val"]: int(element["expires"]) for element in _elements(listing)}


def read_pairs(listing: str) -> dict[str, str]:
    """Return the MAC that each address belongs to, from the same output for the other set."""
    return dict(element["val"]["concat"] for element in _elements(listing))


def _elements(listing: str) -> Iterable[Mapping[str, Any]]:
    for item in json.loads(listing)["nftables"]:
        for element in item.get("set", {}).get("elem", ()):
            yield element["elem"]


def shortened_pairs(pairs: Mapping[str, str], seconds: int) -> str:
    """Return the nftables commands by which each address belongs to its MAC for *seconds* from now on, unless it is heard again."""
    orders = [
        f"{order} element {_TABLE} {name} {{ {element}{end} }}\n"
        for address, mac in pairs.items()
        for name, element in (("active", address), ("pairs", f"{address} . {mac}"))
        for order, end in (("delete", ""), ("add", f" timeout {seconds}s"))
    ]
    return "".join(orders)


def silent_addresses(neighbours: Iterable[str], left: Mapping[str, int], seconds: int) -> list[str]:
    """Return the *neighbours* of which less than *seconds* are *left*, as read_active() returns them."""
    return [address for address in neighbours if left.get(address, 0) < seconds]


def _ask_kernel(interface: str, networks: Sequence[str]) -> dict[str, str]:
    listing = _output("ip", "-json", "-4", "neighbour", "show", "dev", interface)
    return read_neighbours(listing, [IPv4Network(network) for network in networks])


def _output(*command: str) -> str:
    done = run_program(command, stdout=subprocess.PIPE, text=True)
    done.check_returncode()
    return done.stdout


def _load(rules: str, interface: str, networks: Sequence[str]) -> int:
    with open(rules) as file:
        text = file.read()
    loading = text + known_pairs(_ask_kernel(interface, networks))
    return run_program(["nft", "-f", "-"], data=loading, stdout=None, text=True).returncode


def _forget(seconds: int, ended: int, silent: int, leases: str, interface: str, networks: Sequence[str]) -> int:
    neighbours = _ask_kernel(interface, networks)
    # Read last, so an address that was silent and speaks just now stays
    try:
        left = read_active(_list_set("active"))
    except subprocess.CalledProcessError:
        sys.stderr.write("the guard is not loaded, as while the TFTP server restarts; nothing was forgotten\n")
        return 0
    free = read_ended(leases)
    late = {address: free[address] for address, more in left.items() if ended < more < silent and address in free}
    left |= dict.fromkeys(_shorten(late, ended) if late else (), ended)
    orders = "".join(f"neighbour del {address} dev {interface}\n" for address in silent_addresses(neighbours, left, seconds))
    # An entry that has gone meanwhile is no error
    run_program(["ip", "-force", "-batch", "-"], data=orders, stderr=subprocess.DEVNULL, text=True)
    return 0


def _shorten(late: Mapping[str, str], ended: int) -> Iterable[str]:
    """Let the addresses that belong to these MACs do so for *ended* seconds more; return them."""
    known = read_pairs(_list_set("pairs"))
    pairs = {address: mac for address, mac in late.items() if known.get(address) == mac}
    # One that has gone meanwhile makes all wait for the next time
    orders = shortened_pairs(pairs, ended)
    done = run_program(["nft", "-f", "-"], data=orders, stderr=subprocess.DEVNULL, text=True)
    return [] if done.returncode else pairs


def _list_set(name: str) -> str:
    return _output("nft", "--json", "list", "set", *_TABLE.split(), name)


def main(arguments: Sequence[str]) -> int:
    """Load or forget."""
    if arguments[0] == "load":
        rules, interface, *networks = arguments[1:]
        return _load(rules, interface, networks)
    seconds, ended, silent, leases, interface, *networks = arguments[1:]
    return _forget(int(seconds), int(ended), int(silent), leases, interface, networks)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
