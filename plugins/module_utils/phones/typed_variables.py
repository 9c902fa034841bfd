# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Typed phone variables: common settings, written once for all families, checked and turned into each family's parameters.

Ranges and units are those of the provisioning guides of the ATA 191/192 and MPP phones ("Provisioning parameters").
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from ..common.suggest import did_you_mean, nearest, unknown
from ..common.validate import ValidationError, kind_of, read_flag, read_number, read_text, read_text_or_digits
from ..families.model import Family, PasswordRule
from ..profiles.flat_profile import Parameters, ProfileError, Setting, check_text
from ..profiles.macros import KNOWN, names

_PERIODS = re.compile(r"\d+(\+\d+)?(,\d+(\+\d+)?)*", re.ASCII)
_TIME_OF_DAY = re.compile(r"([01]\d|2[0-3])[0-5]\d", re.ASCII)
_ADDRESS = re.compile(r"[A-Za-z0-9._-]+(:\d{1,5})?", re.ASCII)


class TypedSetting(NamedTuple):
    """One key of a typed variable: how to read its value, and what it means."""

    read: Callable[[Any], str | bool]
    description: str


def _number(minimum: int, maximum: int, unit: str = "") -> Callable[[Any], str]:
    return lambda value: str(read_number(value, minimum, maximum, unit))


def _periods(value: Any) -> str:
    text = ",".join(str(item) for item in value) if isinstance(value, list) else str(value)
    if not _PERIODS.fullmatch(text):
        raise ProfileError("must be seconds or a list of them such as 60,120,240, each with an optional random part such as 600+30")
    return text


def _time_of_day(value: Any) -> str:
    if not isinstance(value, str) or not _TIME_OF_DAY.fullmatch(value):
        raise ProfileError("must be a time HHmm between 0000 and 2359; write it in quotes, such as '0330'")
    return str.__str__(value)


def _address(value: Any) -> str:
    text = read_text(value)
    if text and not _ADDRESS.fullmatch(text):
        raise ProfileError("must be an address or a name, optionally with :port")
    return text


def _destination(value: Any) -> str:
    return "$PROXY" if value == "$PROXY" else _address(value)


def _check_macros(message: str, more: tuple[str, ...]) -> None:
    for name, column in names(message):
        if name not in KNOWN and name not in more:
            near = nearest(name, (*KNOWN, *more))
            raise ProfileError(f"has the unknown macro '${name}' at column {column}{did_you_mean(near and f'${near}')}")


_port = _number(1, 65535)

TYPED: Mapping[str, Mapping[str, TypedSetting]] = MappingProxyType(
    {
        "phone_nat": {
            "mapping": TypedSetting(read_flag, "whether lines send their outside address"),
            "keep_alive": TypedSetting(read_flag, "whether lines keep the router's mapping open"),
            "keep_alive_interval": TypedSetting(_number(1, 65535, "seconds"), "seconds between two keep-alive messages"),
            "keep_alive_message": TypedSetting(
                read_text_or_digits, "their content: `$NOTIFY`, `$REGISTER`, or text that is sent unchanged"
            ),
            "keep_alive_destination": TypedSetting(_destination, "their destination: `$PROXY`, or an address or a name"),
            "stun": TypedSetting(read_flag, "whether STUN is used; true by default with a stun_server"),
            "stun_server": TypedSetting(_address, "STUN server"),
            "stun_test": TypedSetting(read_flag, "whether the phone detects the type of NAT when it starts"),
            "external_address": TypedSetting(_address, "outside address, if it is fixed"),
            "external_rtp_port": TypedSetting(_port, "first outside RTP port"),
            "symmetric_rtp": TypedSetting(read_flag, "whether RTP goes to its source address, not the negotiated one"),
            "substitute_via": TypedSetting(read_flag, "whether the Via header contains the outside address"),
            "respond_to_source_port": TypedSetting(read_flag, "whether SIP responses go to the source port of the request"),
            "handle_via_received": TypedSetting(read_flag, "whether `received` in a Via header is processed"),
            "handle_via_rport": TypedSetting(read_flag, "whether `rport` in a Via header is processed"),
            "insert_via_received": TypedSetting(read_flag, "whether responses contain the source address in `received`"),
            "insert_via_rport": TypedSetting(read_flag, "whether responses contain the source port in `rport`"),
        },
        "phone_syslog": {
            "server": TypedSetting(_address, "server that the phone logs to"),
            "port": TypedSetting(_port, "UDP port of that server"),
            "debug_server": TypedSetting(_address, "server for debug messages"),
            "identifier": TypedSetting(read_text_or_digits, "prefix of each message: `$MA`, `$MAU`, `$MAC`, `$SN`"),
        },
        "phone_resync": {
            "enable": TypedSetting(read_flag, "whether the phone resyncs at all"),
            "on_reset": TypedSetting(read_flag, "whether it resyncs after a power-up"),
            "random_delay": TypedSetting(_number(0, 65535, "units"), "maximum delay of the first contact, in units of 20 s"),
            "at": TypedSetting(_time_of_day, "time of day as `'HHmm'`, instead of `periodic`"),
            "at_random_delay": TypedSetting(_number(600, 65535, "seconds"), "maximum delay after `at`, in seconds"),
            "periodic": TypedSetting(_periods, "seconds between resyncs; a list gives them one after the other"),
            "error_retry_delay": TypedSetting(_periods, "seconds until a failed resync is retried"),
            "forced_delay": TypedSetting(_number(0, 4294967, "seconds"), "seconds for which a resync waits for calls to end"),
            "from_sip": TypedSetting(read_flag, "whether a SIP NOTIFY starts a resync"),
            "after_upgrade": TypedSetting(read_flag, "whether an upgrade attempt is followed by a resync"),
            "fails_on_missing_file": TypedSetting(read_flag, "whether a missing file is a failure"),
        },
        "phone_web": {
            "enable": TypedSetting(read_flag, "whether the phone has a web page"),
            "admin_name": TypedSetting(read_text_or_digits, "name of the administrator's account"),
            "admin_password": TypedSetting(read_text_or_digits, "its password"),
            "user_password": TypedSetting(read_text_or_digits, "password of the user's account"),
        },
        "phone_log_messages": {
            "resync_request": TypedSetting(read_text_or_digits, "sent before a resync; empty turns it off"),
            "resync_success": TypedSetting(read_text_or_digits, "sent after success"),
            "resync_failure": TypedSetting(read_text_or_digits, "sent after failure"),
            "upgrade_request": TypedSetting(read_text_or_digits, "sent before a firmware upgrade"),
            "upgrade_success": TypedSetting(read_text_or_digits, "sent after success"),
            "upgrade_failure": TypedSetting(read_text_or_digits, "sent after failure"),
        },
    }
)
"""Phone variable -> key -> setting."""


def text_keys(variable: str) -> list[str]:
    """Return the keys of a typed *variable* whose values are text or numbers, not true or false."""
    return [key for key, setting in TYPED[variable].items() if setting.read is not read_flag]


class Reading(NamedTuple):
    """A variable's parameters, and a sentence on each setting that the phone's family would ignore."""

    parameters: Parameters
    ignored: tuple[str, ...] = ()


def read_typed(variable: str, values: Any, family: Family, lines: int) -> Reading:
    """Return the parameters of a typed *variable* for a phone of *family* with so many lines; raise ProfileError naming the key."""
    if not isinstance(values, Mapping):
        raise ProfileError(f"it is {kind_of(values)}; write a mapping of {', '.join(TYPED[variable])}")
    known = TYPED[variable]
    theme = variable.removeprefix("phone_")
    parameters: Parameters = {}
    ignored: list[str] = []
    for key, value in _with_implied(theme, values).items():
        if key not in known:
            raise ProfileError(unknown("key", key, known))
        if value is None:
            continue
        try:
            read = known[key].read(value)
            text = family.yes_no[not read] if isinstance(read, bool) else check_text(read)
            if theme == "log_messages":
                _check_macros(text, family.extra_macros)
            if key.endswith("_password"):
                _check_password(text, family.password_rule)
        except (ProfileError, ValidationError) as error:
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
