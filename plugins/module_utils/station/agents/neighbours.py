# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keep the guard of the TFTP server and the kernel's neighbour table of one mind about whose each address of the bench is.

dnsmasq reads from that table whose file a client gets, and the kernel keeps an entry as long as there is room.

    python3 -m preprovision.station.agents.neighbours load RULES INTERFACE NETWORK...
    python3 -m preprovision.station.agents.neighbours forget SECONDS INTERFACE NETWORK...

load: load the guard's rules, with what the kernel knows, in one step. forget: remove from the kernel's table what the guard is to
forget within SECONDS, or has forgotten. NETWORK: the networks that it guards.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network
from typing import Any

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
    found: dict[str, int] = {}
    for item in json.loads(listing)["nftables"]:
        elements: Iterable[Mapping[str, Any]] = item.get("set", {}).get("elem", ())
        found |= {element["elem"]["val"]: int(element["elem"]["expires"]) for element in elements}
    return found


def silent_addresses(neighbours: Iterable[str], left: Mapping[str, int], seconds: int) -> list[str]:
    """Return the *neighbours* of which less than *seconds* are *left*, as read_active() returns them."""
    return [address for address in neighbours if left.get(address, 0) < seconds]


def _ask_kernel(interface: str, networks: Sequence[str]) -> dict[str, str]:
    listing = _output("ip", "-json", "-4", "neighbour", "show", "dev", interface)
    return read_neighbours(listing, [IPv4Network(network) for network in networks])


def _output(*command: str) -> str:
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout


def _load(rules: str, interface: str, networks: Sequence[str]) -> int:
    with open(rules) as file:
        text = file.read()
    loading = text + known_pairs(_ask_kernel(interface, networks))
    return subprocess.run(["nft", "-f", "-"], input=loading, check=False, text=True).returncode


def _forget(seconds: int, interface: str, networks: Sequence[str]) -> int:
    neighbours = _ask_kernel(interface, networks)
    # Read last, so an address that was silent and speaks just now stays
    try:
        left = read_active(_output("nft", "--json", "list", "set", *_TABLE.split(), "active"))
    except subprocess.CalledProcessError:
        sys.stderr.write("the guard is not loaded, as while the TFTP server restarts; nothing was forgotten\n")
        return 0
    orders = "".join(f"neighbour del {address} dev {interface}\n" for address in silent_addresses(neighbours, left, seconds))
    # An entry that has gone meanwhile is no error
    subprocess.run(["ip", "-force", "-batch", "-"], input=orders, stderr=subprocess.DEVNULL, check=False, text=True)
    return 0


def main(arguments: Sequence[str]) -> int:
    """Load or forget."""
    verb, value, interface, *networks = arguments
    return _load(value, interface, networks) if verb == "load" else _forget(int(value), interface, networks)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
