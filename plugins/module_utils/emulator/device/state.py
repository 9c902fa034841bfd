# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""State of an emulated phone: parameters, firmware and lease, and the macros and secrets that follow from them."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from ...common.redaction import HIDDEN, is_secret, redact_urls
from ...families.user_agent import configured_user_agent, format_user_agent
from ...firmware.loads import agent_version
from ...phones.phone import Phone
from ...profiles.macros import KNOWN, SECRET
from .habits import Habit, vendor_class
from .ports import Lease
from .trace import Redactor

_MIN_SECRET_LENGTH = 4  # masking shorter ones would make every text unreadable, and they are no secrets
_NO = ("no", "0")
_HARDWARE = "1.0.0"
_GENERAL_PURPOSE = "ABCDEFGHIJKLMNOP"


@dataclass
class PhoneState:
    """The state of one phone."""

    phone: Phone
    factory_roots: bytes = field(repr=False)
    has_certificate: bool
    rng: random.Random = field(repr=False)
    habits: frozenset[Habit] = frozenset()
    own_user_agent: str = ""
    """User-Agent that was configured otherwise than by a parameter that is known, with macros; empty: the family's."""
    parameters: dict[str, str] = field(default_factory=dict, repr=False)
    roots: bytes = field(default=b"", repr=False)
    """All that the phone trusts, PEM."""
    roots_url: str = ""
    """Where those that are not from the factory came from."""
    keys: set[str] = field(default_factory=set, repr=False)
    """Secrets that rules contained."""
    version: str = ""
    """The running firmware, as in $SWVER."""
    inactive: str = ""
    """The firmware in the inactive half of the flash."""
    lease: Lease | None = None
    counters: dict[str, str] = field(default_factory=dict)
    """Macros that change from resync to resync: PRVST, PRVTMR, UPGST, UPGTMR, UPGERR."""

    def __post_init__(self) -> None:
        self.family = self.phone.model.family
        self.version = self.family.software_version or self.family.firmware
        self.reset()

    def reset(self) -> None:
        """Restore factory settings; firmware stays."""
        self.add_roots(b"", "")
        self.keys |= self._secret_values()
        self.own_user_agent = ""
        self.parameters.clear()
        self.parameters.update(dict.fromkeys(self.family.profile_rules[:1], self.family.factory_rule))

    def add_roots(self, roots: bytes, url: str) -> None:
        """Trust *roots* (PEM) from *url* in addition to the factory's; those from another URL are forgotten."""
        self.roots = b"\n".join(filter(None, (self.factory_roots, roots)))
        self.roots_url = url

    @property
    def vendor_class(self) -> str:
        """DHCP option 60; empty for none."""
        return vendor_class(self.phone.model.vendor_class, self.habits)

    @property
    def user_agent(self) -> str:
        """The value of the User-Agent header."""
        version = agent_version(self.version, self.family)
        usual = format_user_agent(self.phone.model, self.phone.mac, self.phone.serial, version)
        text = self.parameters.get(self.family.user_agent_parameter) or self.own_user_agent
        return configured_user_agent(text, usual, self.macros())

    def get(self, setting: str, default: str = "") -> str:
        """Return the value of a typed setting such as ``resync.periodic``, or *default* where it is not set."""
        return next((self.parameters[path] for path in self.family.paths(setting) if path in self.parameters), default)

    def is_no(self, parameter: str) -> bool:
        """Return whether a parameter is set to No."""
        return self.parameters.get(parameter, "").lower() in _NO

    @property
    def syslog_server(self) -> str:
        """The syslog server; empty when none is set."""
        return next((value for name in self.family.paths("syslog.server") if (value := self.parameters.get(name))), "")

    def macros(self) -> dict[str, str]:
        """Return all macros of a rule. Guess: macros of features that are not emulated have the values they have at power-up."""
        user = self.family.line_settings.get("user_id", "")
        lines = {name: name.removeprefix("UID") for name in KNOWN if name.startswith("UID")}
        return {
            **{letter: self.parameters.get(f"GPP_{letter}", "") for letter in _GENERAL_PURPOSE},
            **{name: self.parameters.get(user.format(n=number), "") for name, number in lines.items()},
            **self.phone.macros,
            **dict.fromkeys(("PRVST", "UPGST", "PRVTMR", "UPGTMR", "REGTMR1", "REGTMR2"), "0"),
            **dict.fromkeys(("EXTIP", "UPGERR", "EMS", "PDOM", "MUID", "MPWD", "PUID", "PPWD"), ""),
            **dict.fromkeys(("ORIGTYPE", "AUTHSTATUS"), "none"),
            "CCERT": "Installed" if self.has_certificate else "Not Installed",
            "IP": self.lease.address if self.lease else "",
            "SWVER": self.version,
            "HWVER": self.phone.firmware.hardware or _HARDWARE,
            **self.counters,
        }

    def secret_macros(self) -> dict[str, str]:
        """Return the macros that expand only where a rule takes a secret."""
        return {name: self.parameters.get(f"GPP_{name}", "") for name in SECRET}

    def remember_secrets(self, *secrets: str) -> None:
        """Keep secrets out of everything that is reported from now on."""
        self.keys.update(secrets)

    def _secret_values(self) -> set[str]:
        named = (*self.family.hidden, self.family.key_parameter, self.family.ikm_parameter)
        return {value for name, value in self.parameters.items() if is_secret(name) or name in named}

    def redactor(self) -> Redactor:
        """Return a function that masks every secret that the phone has met so far in a text."""
        known = sorted(self.keys | self._secret_values(), key=len, reverse=True)
        secrets = [secret for secret in known if len(secret) >= _MIN_SECRET_LENGTH]

        def redact(text: str) -> str:
            text = redact_urls(text)
            for secret in secrets:
                text = text.replace(secret, HIDDEN)
            return text

        return redact
