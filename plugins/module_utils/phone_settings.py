# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Typed phone variables: what most phones need, said once for all families, checked, and turned into each family's parameters.

Ranges and units are those of the provisioning guides of the ATA 191/192 and MPP phones ("Provisioning parameters").
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from .families import Family, PasswordRule
from .macros import KNOWN, names
from .profile import Parameters, ProfileError, Setting, check_text

_PERIODS = re.compile(r"\d+(\+\d+)?(,\d+(\+\d+)?)*", re.ASCII)
_TIME_OF_DAY = re.compile(r"([01]\d|2[0-3])[0-5]\d", re.ASCII)
_ADDRESS = re.compile(r"[A-Za-z0-9._-]+(:\d{1,5})?", re.ASCII)
_YES = ("yes", "true", "on", "1")
_NO = ("no", "false", "off", "0")


class TypedSetting(NamedTuple):
    """One key of a typed variable: how its value is read, and what it means."""

    read: Callable[[Any], str | bool]
    description: str


def read_flag(value: Any) -> bool:
    """Read true or false in any of their usual spellings; raise ProfileError."""
    if isinstance(value, bool):
        return value
    text = str(value).lower()
    if text not in (*_YES, *_NO):
        raise ProfileError("is neither true nor false")
    return text in _YES


def _number(least: int, most: int, unit: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if isinstance(value, bool) or not re.fullmatch("[0-9]{1,9}", str(value)) or not least <= int(value) <= most:
            raise ProfileError(f"is not a number of {unit} from {least} to {most}")
        return str(int(value))

    return read


def _periods(value: Any) -> str:
    text = ",".join(str(item) for item in value) if isinstance(value, list) else str(value)
    if not _PERIODS.fullmatch(text):
        raise ProfileError(
            "is not seconds, nor a list of them such as 60,120,240, each with a random part such as 600+30 if wanted"
        )
    return text


def _time_of_day(value: Any) -> str:
    if not isinstance(value, str) or not _TIME_OF_DAY.fullmatch(value):
        raise ProfileError("is not a time as HHmm between 0000 and 2359; write it in quotes, as '0330'")
    return str.__str__(value)


def _address(value: Any) -> str:
    text = str(value)
    if text and not _ADDRESS.fullmatch(text):
        raise ProfileError("is not an address or a name, with a port after : if wanted")
    return text


def _destination(value: Any) -> str:
    return "$PROXY" if value == "$PROXY" else _address(value)


def _text(value: Any) -> str:
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise ProfileError(f"is a {type(value).__name__}; write text")
    return str(value)


def _message(value: Any) -> str:
    text = _text(value)
    for name, column in names(text):
        if name not in KNOWN:
            near = difflib.get_close_matches(name, KNOWN, n=1)
            hint = f"; did you mean ${near[0]}?" if near else ""
            raise ProfileError(f"has the unknown macro ${name} at column {column}{hint}")
    return text


_port = _number(1, 65535, "a port")

TYPED: Mapping[str, Mapping[str, TypedSetting]] = MappingProxyType(
    {
        "phone_nat": {
            "mapping": TypedSetting(read_flag, "whether lines tell their outside address"),
            "keep_alive": TypedSetting(read_flag, "whether lines keep the router's mapping open"),
            "keep_alive_interval": TypedSetting(_number(1, 65535, "seconds"), "seconds between two of these messages"),
            "keep_alive_message": TypedSetting(_text, "what they are: `$NOTIFY`, `$REGISTER`, or text that is sent as it is"),
            "keep_alive_destination": TypedSetting(_destination, "where they go: `$PROXY`, or an address or a name"),
            "stun": TypedSetting(read_flag, "whether STUN is used; true as soon as there is a stun_server"),
            "stun_server": TypedSetting(_address, "STUN server"),
            "stun_test": TypedSetting(read_flag, "whether the phone finds out at its start which kind of NAT there is"),
            "external_address": TypedSetting(_address, "outside address, where it is fixed"),
            "external_rtp_port": TypedSetting(_port, "first outside RTP port"),
            "symmetric_rtp": TypedSetting(read_flag, "whether RTP goes back to where it came from, whatever was agreed"),
            "substitute_via": TypedSetting(read_flag, "whether the Via header has the outside address"),
            "respond_to_source_port": TypedSetting(read_flag, "whether SIP answers go to the port that a request came from"),
            "handle_via_received": TypedSetting(read_flag, "whether `received` in a Via header is heeded"),
            "handle_via_rport": TypedSetting(read_flag, "whether `rport` in a Via header is heeded"),
            "insert_via_received": TypedSetting(read_flag, "whether answers say in `received` where a request came from"),
            "insert_via_rport": TypedSetting(read_flag, "whether answers say in `rport` which port a request came from"),
        },
        "phone_syslog": {
            "server": TypedSetting(_address, "where the phone logs to"),
            "port": TypedSetting(_port, "UDP port of that server"),
            "debug_server": TypedSetting(_address, "where it sends debug messages"),
            "identifier": TypedSetting(_text, "what stands before each message: `$MA`, `$MAU`, `$MAC`, `$SN`"),
        },
        "phone_resync": {
            "enable": TypedSetting(read_flag, "whether the phone resyncs at all"),
            "on_reset": TypedSetting(read_flag, "whether it resyncs after a power-up"),
            "random_delay": TypedSetting(_number(0, 65535, "units"), "greatest delay of the first contact, in units of 20 s"),
            "at": TypedSetting(_time_of_day, "time of day as `'HHmm'`, instead of `periodic`"),
            "at_random_delay": TypedSetting(_number(600, 65535, "seconds"), "greatest delay after `at`, in seconds"),
            "periodic": TypedSetting(_periods, "seconds between resyncs; a list is gone through"),
            "error_retry_delay": TypedSetting(_periods, "seconds until a failed resync is tried again"),
            "forced_delay": TypedSetting(_number(0, 4294967, "seconds"), "seconds that a resync waits for calls to end"),
            "from_sip": TypedSetting(read_flag, "whether a SIP NOTIFY starts a resync"),
            "after_upgrade": TypedSetting(read_flag, "whether an upgrade attempt is followed by a resync"),
            "fails_on_missing_file": TypedSetting(read_flag, "whether a file that is not there is a failure"),
        },
        "phone_web": {
            "enable": TypedSetting(read_flag, "whether the phone has a web page"),
            "admin_name": TypedSetting(_text, "name of the administrator's account"),
            "admin_password": TypedSetting(_text, "its password"),
            "user_password": TypedSetting(_text, "password of the user's account"),
        },
        "phone_log_messages": {
            "resync_request": TypedSetting(_message, "sent before a resync; empty turns a message off"),
            "resync_success": TypedSetting(_message, "sent after it"),
            "resync_failure": TypedSetting(_message, "sent when it failed"),
            "upgrade_request": TypedSetting(_message, "sent before a firmware upgrade"),
            "upgrade_success": TypedSetting(_message, "sent after it"),
            "upgrade_failure": TypedSetting(_message, "sent when it failed"),
        },
    }
)
"""Phone variable -> key -> how its value is read."""


class Reading(NamedTuple):
    """The parameters of a variable, and a sentence on each that the phone's family would ignore."""

    parameters: Parameters
    ignored: tuple[str, ...] = ()


def read_typed(variable: str, values: Any, family: Family, lines: int) -> Reading:
    """Turn the typed *variable* into parameters of *family*, for a phone of so many lines; raise ProfileError naming the key."""
    if not isinstance(values, Mapping):
        raise ProfileError(f"it is a {type(values).__name__}; write a mapping of {', '.join(TYPED[variable])}")
    known = TYPED[variable]
    theme = variable.removeprefix("phone_")
    parameters: Parameters = {}
    ignored: list[str] = []
    for key, value in _with_implied(theme, values).items():
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
            raise ProfileError(f"the key '{key}' is not known; {hint}")
        if value is None:
            continue
        try:
            read = known[key].read(value)
            text = family.yes_no[not read] if isinstance(read, bool) else check_text(read)
            if key.endswith("_password"):
                _check_password(text, family.password_rule)
        except ProfileError as error:
            raise ProfileError(f"{key} {error}") from error
        paths = family.paths(f"{theme}.{key}")
        if not paths:
            ignored.append(f"{variable}: {key} has no parameter in the family {family.name}, which would ignore it")
        for path in paths:
            for number in range(1, lines + 1) if "{n}" in path else (0,):
                parameters[path.format(n=number)] = Setting(text)
    return Reading(parameters, tuple(ignored))


def _with_implied(theme: str, values: Mapping[str, Any]) -> Mapping[str, Any]:
    if theme == "nat" and values.get("stun_server") and values.get("stun") is None:
        return {**values, "stun": True}
    return values


def _check_password(text: str, rule: PasswordRule) -> None:
    kinds = sum(bool(re.search(kind, text)) for kind in ("[A-Z]", "[a-z]", "[0-9]", "[^A-Za-z0-9]"))
    if not rule.shortest <= len(text) <= rule.longest or kinds < rule.kinds or not re.fullmatch("[!-~]*", text):
        more = f", with {rule.kinds} of: capital, small letter, digit, other" if rule.kinds > 1 else ""
        raise ProfileError(f"must be {rule.shortest} to {rule.longest} printable ASCII characters without spaces{more}")
