# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the DHCP server's configuration and lease file say about phones: those of ISC DHCP or of Kea."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..dhcp.dhcpd_configuration import option_name
from ..dhcp.kea_configuration import options_of
from ..dhcp.kea_paths import CONFIGURATION as KEA_CONFIGURATION
from ..dhcp.kea_paths import LEASES as KEA_LEASES
from ..dhcp.lease_file import current_path, read_statements, read_text
from ..dhcp.packets import show_option
from ..events.diagnosis.known_facts import LeaseFacts, Reservation
from ..events.logs.log_lines import clean

_HOST = re.compile(r"host (\S+) \{ hardware ethernet ([0-9a-f:]{17});(?: fixed-address ([0-9.]+);)? \}")


CONFIGURATION = "/etc/dhcp/dhcpd.conf"


def current_configuration() -> str:
    """Return the path of the configuration of the station's DHCP server."""
    return KEA_CONFIGURATION if current_path() == KEA_LEASES else CONFIGURATION


def read_leases(path: str) -> list[LeaseFacts]:
    """Return the latest lease of each address."""
    return [
        {
            "address": address,
            "mac": said.get("hardware ethernet", "").replace(":", ""),
            "state": said.get("binding state", ""),
            "starts": said.get("starts", ""),
            "ends": said.get("ends", ""),
            "class": clean(said.get("set vendor-class-identifier", "").strip('"')),
        }
        for address, said in read_statements(read_text(path)).items()
    ]


def read_reservation(path: str, mac: str) -> Reservation:
    """Return the phone's name in the server's configuration, and its fixed address; empty for an unknown phone."""
    nothing: Reservation = {}
    return next(
        (Reservation(name=name, address=address) for address, other, name in reserved_phones(path) if other == mac), nothing
    )


def reserved_phones(path: str) -> Iterator[tuple[str, str, str]]:
    """Yield address, MAC address and name of each phone in the server's configuration."""
    text = _read(path)
    for subnet in _read_kea(text).get("subnet4", ()):
        for host in subnet.get("reservations", ()):
            yield host.get("ip-address", ""), host["hw-address"].replace(":", ""), host.get("user-context", {}).get("name", "")
    for name, mac, address in _HOST.findall(text):
        yield address, mac.replace(":", ""), name


def _read_kea(text: str) -> dict[str, Any]:
    """Return the configuration of Kea in *text*; nothing if it is another server's."""
    if not text.lstrip().startswith("{"):
        return {}
    try:
        found: dict[str, Any] = json.loads(text)["Dhcp4"]
    except (ValueError, KeyError, TypeError):
        return {}
    return found


def _read(path: str) -> str:
    """Return the text of a file; nothing if it cannot be read."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def read_offered(path: str) -> dict[str, str]:
    """Return the options that the server offers to all phones, by their names in dhcpd's configuration."""
    text = _read(path)
    kea = _read_kea(text)
    if kea:
        options = options_of({"Dhcp4": kea})
        return {option_name(code): _show(code, value) for code, value in options.items()}
    network = text.partition("\nshared-network ")[2].partition("\n}")[0]
    return {name: clean(value) for name, value in re.findall(r"^\s+option (\S+) (.*);$", network, re.MULTILINE)}


def _show(code: int, value: bytes) -> str:
    """Return an option's value as dhcpd's configuration has it: texts in quotes, addresses without."""
    shown = show_option(code, value)
    if isinstance(shown, list):
        return ", ".join(shown)
    return clean(f'"{shown}"' if isinstance(shown, str) and shown.encode() == value else str(shown))
