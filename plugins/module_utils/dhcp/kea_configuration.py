# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The plan of a DHCP server as the configuration of kea-dhcp4, such that a client gets what ISC DHCP would give it.

Sources: the Kea Administrator Reference Manual of 2.2, 2.6 and 3.0 (DHCPv4 server, client classification, logging). Kea's
precedence is host, pool, subnet, class, global, unlike dhcpd's, where a class comes before the subnet: so the options of all
clients are global. A value is given as the bytes that travel, so nothing in it needs quoting, and a comment says it for people.

Kea reads even those bytes by its own definition of the option and sends what is left of them: of a URL in option 159 four letters,
of option 125 the enterprise. The hook flex_option sends bytes as they are, to whoever asks, so it sends all options that go to
everybody.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .kea_paths import HOOKS, LEASES, SOCKET
from .options import Option, OptionError
from .packets import show_option
from .server_options import DhcpPlan, VendorClass

VERSIONS = ("2.2", "2.6", "3.0")
"""Kea's releases in Debian 12, 13 and testing, oldest first."""

_DEFINED_OTHERWISE = frozenset({159})
"""Options that phones read as text, and Kea defines as something else (RFC 7618)."""

_LONE_KNOWN, _STRANGER, _UNLISTED = "KNOWN", "preprovision-stranger", "preprovision-unlisted"
_PLAIN = re.compile(r"[\x20-\x26\x28-\x7e]+")
_NOTHING = {"code": 254, "csv-format": False, "data": "00"}
"""An option that no phone requests: Kea 2.2 refuses to know a client for which it has nothing."""
_PROBATION = 120
_FOREVER = 0xFFFFFFFF
_RETRY = 500
_DEBUG_DETAIL = 50
_LOGGERS = {
    # With INFO, 2.6 and later write four lines for each message of a client
    "kea-dhcp4": "WARN",
    # What a client got is an event of the station
    "kea-dhcp4.leases": "INFO",
    # So is what it did not get, which no warning is to tell for each stranger
    "kea-dhcp4.bad-packets": "DEBUG",
    "kea-dhcp4.alloc-engine": "ERROR",
    # These warn at each start of what is meant so, and at each attempt to open the socket
    "kea-dhcp4.dhcp4": "ERROR",
    "kea-dhcp4.dhcpsrv": "ERROR",
}


def kea_configuration(plan: DhcpPlan, version: str, architecture: str) -> dict[str, Any]:
    """Return the content of kea-dhcp4.conf for Kea *version*, one of VERSIONS; raise OptionError for another one.

    *architecture*: Debian's name of it, as in HOOKS.
    """
    if version not in VERSIONS:
        raise OptionError(f"Kea {version} is not one of the releases that this collection configures: {', '.join(VERSIONS)}")
    number = VERSIONS.index(version)
    return {
        "Dhcp4": {
            # "comment" would do in the file, but not by the control socket
            "user-context": {"comment": "Managed by Ansible (voip.preprovision.dhcp_server)"},
            "interfaces-config": {
                "interfaces": [f"{plan.interface}/{plan.bench.address}"],
                "dhcp-socket-type": "raw",
                # Kea opens no socket on a bridge without a carrier, so it tries for as long as nothing is plugged in
                "service-sockets-max-retries": _FOREVER,
                "service-sockets-retry-wait-time": _RETRY,
            },
            # Within the bench's network; requests for addresses of others are dropped
            "authoritative": True,
            # Phones change their client identifier between boot stages; their MAC address identifies them
            "match-client-id": False,
            "echo-client-id": False,
            "host-reservation-identifiers": ["hw-address"],
            "reservations-global": False,
            "reservations-in-subnet": True,
            "reservations-out-of-pool": True,
            "decline-probation-period": _PROBATION,
            "dhcp-ddns": {"enable-updates": False},
            **_lifetimes(plan.lease_time),
            "option-data": [_option(option) for option in plan.options if not _is_flexible(option)],
            "client-classes": [*([] if plan.authoritative else [_foreign(plan)]), *_classes(plan, number), _stranger(plan)],
            "hooks-libraries": _hooks(plan, architecture),
            "subnet4": [_subnet(plan, number)],
            "lease-database": {"type": "memfile", "persist": True, "name": LEASES, "lfc-interval": 3600},
            # Whoever comes back gets the address that it had, as long as nobody else has it
            "expired-leases-processing": {"reclaim-timer-wait-time": 10, "hold-reclaimed-time": 7 * 86400},
            "multi-threading": {"enable-multi-threading": True, "thread-pool-size": 2, "packet-queue-size": 64},
            "loggers": [_logger(name, severity, number) for name, severity in _LOGGERS.items()],
            **_control(number),
        }
    }


def _lifetimes(seconds: int) -> dict[str, int]:
    """Whatever time a client asks for, it gets this one."""
    return {"valid-lifetime": seconds, "min-valid-lifetime": seconds, "max-valid-lifetime": seconds}


def _is_flexible(option: Option) -> bool:
    return option.always or option.code in _DEFINED_OTHERWISE


def _shown(option: Option) -> str:
    shown = show_option(option.code, option.data)
    return ", ".join(shown) if isinstance(shown, list) else str(shown)


def _option(option: Option, always: bool = False) -> dict[str, Any]:
    return {
        "code": option.code,
        "csv-format": False,
        "data": option.data.hex(),
        "always-send": always,
        "user-context": {"comment": _shown(option)},
    }


def _hooks(plan: DhcpPlan, architecture: str) -> list[dict[str, Any]]:
    """Return the hook that sends options to whoever asks: a family's, which come first, and else those of all clients."""
    owners: list[tuple[str, Option]] = [
        *((class_name(family), option) for family in plan.classes for option in family.options),
        *(("", option) for option in plan.options),
    ]
    options = [
        {
            "code": option.code,
            "add": f"0x{option.data.hex()}",
            **({"client-class": owner} if owner else {}),
            "comment": _shown(option),
        }
        for owner, option in owners
        if _is_flexible(option)
    ]
    library = f"{HOOKS.format(architecture)}/libdhcp_flex_option.so"
    return [{"library": library, "parameters": {"options": options}}] if options else []


def _classes(plan: DhcpPlan, number: int) -> list[dict[str, Any]]:
    """Return the families' classes, and those of clients without a request list, which get all options as from dhcpd."""
    families = [family for family in plan.classes if family.options]
    own = [
        _class(class_name(family), _condition(family.prefixes, family.others, number > 0), family.options) for family in families
    ]
    unlisted = [
        _class(
            f"{class_name(family)}-{_UNLISTED}", f"member('{class_name(family)}') and not option[55].exists", family.options, True
        )
        for family in families
    ]
    return [*own, *unlisted, _class(_UNLISTED, "not option[55].exists", plan.options, True)]


def _class(name: str, test: str, options: Iterable[Option], always: bool = False) -> dict[str, Any]:
    return {"name": name, "test": test, "option-data": [_option(option, always) for option in options if not _is_flexible(option)]}


def _foreign(plan: DhcpPlan) -> dict[str, Any]:
    """Kea answers no request for an address of another network, unless this is certainly the only server."""
    asked = "option[50].exists and not option[54].exists"
    outside = f"{asked} and not ({_is_inside('option[50].hex', plan)})"
    extended = f"not (pkt4.ciaddr == 0.0.0.0) and not ({_is_inside('pkt4.ciaddr', plan)})"
    return {"name": "DROP", "test": f"pkt4.msgtype == 3 and (({outside}) or ({extended}))"}


def _is_inside(address: str, plan: DhcpPlan) -> str:
    """Return the test for an address of the bench: its whole bytes, and the values that the next byte may have."""
    whole, bits = divmod(plan.bench.prefix, 8)
    network = bytes(map(int, plan.bench.network.split(".")))
    terms = [f"substring({address}, 0, {whole}) == 0x{network[:whole].hex()}"]
    if bits:
        values = range(network[whole], network[whole] + 2 ** (8 - bits))
        terms.append("(" + " or ".join(f"substring({address}, {whole}, 1) == 0x{value:02x}" for value in values) + ")")
    return " and ".join(terms)


def class_name(family: VendorClass) -> str:
    """Return the name of a family's class, which is none of those that Kea has by itself."""
    return f"family-{family.family}"


def _stranger(plan: DhcpPlan) -> dict[str, Any]:
    """However many units make up a MAC address, the pool recovers soon."""
    return {"name": _STRANGER, "test": "member('UNKNOWN')", **_lifetimes(plan.unknown_lease_time)}


def _condition(prefixes: Sequence[str], others: Sequence[str], folds_case: bool) -> str:
    """Return the test for "option 60 begins with one of these, in any case, and with no longer one of the *others*"."""
    terms = []
    for prefix in (prefix.lower() for prefix in prefixes):
        term = _begins(prefix) if folds_case else _begins_by_letter(prefix)
        longer = [other for other in others if other.startswith(prefix)]
        terms.append(f"({term} and not ({_condition(longer, (), folds_case)}))" if longer else f"({term})")
    return " or ".join(terms)


def _begins(prefix: str) -> str:
    return f"lcase(substring(option[60].hex, 0, {len(prefix)})) == {_literal(prefix)}"


def _begins_by_letter(prefix: str) -> str:
    """Kea 2.2 has no lcase(), so each letter is compared with both its forms."""
    parts = []
    for at, letter in enumerate(prefix):
        term = f"substring(option[60].hex, {at}, 1) == {_literal(letter)}"
        upper = f"substring(option[60].hex, {at}, 1) == {_literal(letter.upper())}"
        parts.append(f"({term} or {upper})" if letter.upper() != letter else term)
    return " and ".join(parts)


def _literal(text: str) -> str:
    """Return a string of Kea's expressions, which have no way to quote a quote."""
    return f"'{text}'" if _PLAIN.fullmatch(text) else f"0x{text.encode('ascii').hex()}"


def _subnet(plan: DhcpPlan, number: int) -> dict[str, Any]:
    only_known = {"client-class": _LONE_KNOWN} if number < 2 else {"client-classes": [_LONE_KNOWN]}
    pools = [{"pool": f"{part.first} - {part.last}", **only_known} for part in plan.known_pool]
    pools += [{"pool": f"{part.first} - {part.last}"} for part in plan.pool]
    reservations = [
        {
            "hw-address": phone.mac.colon,
            **({"ip-address": phone.address} if phone.address else {}),
            # A host name would be sent to the phone, which dhcpd does not do
            "user-context": {"name": phone.name},
            **({"option-data": [_NOTHING]} if number == 0 and not phone.address else {}),
        }
        for phone in plan.reservations
    ]
    return {"id": 1, "subnet": plan.bench.cidr, "interface": plan.interface, "pools": pools, "reservations": reservations}


def _logger(name: str, severity: str, number: int) -> dict[str, Any]:
    # By syslog, so that each line has its priority
    output = {"output": "syslog", "pattern": "%-5p [%c] %m\n"}
    detail = {"debuglevel": _DEBUG_DETAIL} if severity == "DEBUG" else {}
    return {"name": name, "severity": severity, **detail, "output_options" if number == 0 else "output-options": [output]}


def _control(number: int) -> dict[str, Any]:
    socket = {"socket-type": "unix", "socket-name": SOCKET}
    return {"control-socket": socket} if number < 2 else {"control-sockets": [socket]}


def options_of(configuration: Mapping[str, Any]) -> dict[int, bytes]:
    """Return the options that a configuration gives to all clients, by number."""
    server = configuration["Dhcp4"]
    listed = {entry["code"]: bytes.fromhex(entry["data"]) for entry in server["option-data"]}
    hooked = (entry for hook in server["hooks-libraries"] for entry in hook.get("parameters", {}).get("options", ()))
    return {**listed, **{entry["code"]: bytes.fromhex(entry["add"][2:]) for entry in hooked if "client-class" not in entry}}
