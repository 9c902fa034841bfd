# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an emulated unit holds: its parameters, its firmware, its lease, and the macros and secrets that follow from them."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from .firmware_loads import agent_version
from .macros import KNOWN, SECRET
from .phone import Phone
from .phone_network import Lease
from .profile import HIDDEN, is_secret, shown_urls
from .user_agent import format_user_agent

_SHORTEST_SECRET = 4  # shorter ones would blot out half of every text and are no secrets
_NO = ("no", "0")
_HARDWARE = "1.0.0"
_GENERAL = "ABCDEFGHIJKLMNOP"


@dataclass
class Memory:
    """The state of one unit."""

    phone: Phone
    factory_roots: bytes = field(repr=False)
    has_certificate: bool
    chance: random.Random = field(repr=False)
    parameters: dict[str, str] = field(default_factory=dict, repr=False)
    roots: bytes = field(default=b"", repr=False)
    roots_url: str = ""
    keys: set[str] = field(default_factory=set, repr=False)
    """Secrets that rules had in them."""
    version: str = ""
    """What runs, as $SWVER."""
    inactive: str = ""
    """What lies in the other half of the flash."""
    lease: Lease | None = None
    counters: dict[str, str] = field(default_factory=dict)
    """Macros that change from resync to resync: PRVST, PRVTMR, UPGST, UPGTMR, UPGERR."""

    def __post_init__(self) -> None:
        self.family = self.phone.model.family
        self.version = self.family.software_version or self.family.firmware
        self.reset()

    def reset(self) -> None:
        """Go back to factory settings; firmware stays."""
        # Families that can be told of other roots by URL start without any.
        self.roots = b"" if self.family.custom_ca else self.factory_roots
        self.roots_url = ""
        self.keys |= self._secret_values()
        self.parameters.clear()
        self.parameters.update(dict.fromkeys(self.family.profile_rules[:1], self.family.factory_rule))

    @property
    def user_agent(self) -> str:
        """The header of that name."""
        version = agent_version(self.version, self.family)
        return format_user_agent(self.phone.model, self.phone.mac, self.phone.serial, version)

    def get(self, setting: str, default: str = "") -> str:
        """Return the value of a typed setting, as ``resync.periodic``; *default* where it has none."""
        return next((self.parameters[path] for path in self.family.paths(setting) if path in self.parameters), default)

    def is_no(self, parameter: str) -> bool:
        """Tell whether a parameter is No."""
        return self.parameters.get(parameter, "").lower() in _NO

    @property
    def syslog_server(self) -> str:
        """Where it logs to."""
        return next((value for name in self.family.paths("syslog.server") if (value := self.parameters.get(name))), "")

    def macros(self) -> dict[str, str]:
        """All macros of a rule. What an emulated unit has no notion of is as in one that has just been switched on: a guess."""
        user = self.family.line_settings.get("user_id", "")
        lines = {name: name.removeprefix("UID") for name in KNOWN if name.startswith("UID")}
        return {
            **{letter: self.parameters.get(f"GPP_{letter}", "") for letter in _GENERAL},
            **{name: self.parameters.get(user.format(n=number), "") for name, number in lines.items()},
            **self.phone.macros,
            **dict.fromkeys(("PRVST", "UPGST", "PRVTMR", "UPGTMR", "REGTMR1", "REGTMR2"), "0"),
            **dict.fromkeys(("EXTIP", "UPGERR", "EMS"), ""),
            **dict.fromkeys(("ORIGTYPE", "AUTHSTATUS"), "none"),
            "CCERT": "Installed" if self.has_certificate else "Not Installed",
            "IP": self.lease.address if self.lease else "",
            "SWVER": self.version,
            "HWVER": self.phone.firmware.hardware or _HARDWARE,
            **self.counters,
        }

    def secret_macros(self) -> dict[str, str]:
        """Those that expand only where a rule takes a secret."""
        return {name: self.parameters.get(f"GPP_{name}", "") for name in SECRET}

    def _secret_values(self) -> set[str]:
        named = (*self.family.hidden, self.family.key_parameter, self.family.ikm_parameter)
        return {value for name, value in self.parameters.items() if is_secret(name) or name in named}

    def hider(self) -> Callable[[str], str]:
        """Return what takes the secrets that the unit has met so far out of a text."""
        known = sorted(self.keys | self._secret_values(), key=len, reverse=True)
        long = [secret for secret in known if len(secret) >= _SHORTEST_SECRET]

        def hide(text: str) -> str:
            text = shown_urls(text)
            for secret in long:
                text = text.replace(secret, HIDDEN)
            return text

        return hide
