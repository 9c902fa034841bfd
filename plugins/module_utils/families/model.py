# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""A product family and its models: every attribute in which families differ.

An attribute that no source settles is here all the same, so that one real phone can correct it in one place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, NamedTuple

from ..common.redaction import HIDDEN, redact_parameter
from ..profiles.formats import FLAT_PROFILE
from ..profiles.macros import expand
from ..profiles.sealing.model import Digest, Sealing

FILE = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~!&'()*+,;=:@-]{1,255})+")
"""Path of a file that phones and all servers spell alike: without macros and characters that a URL must encode."""

LINE_TEXTS = frozenset(
    ["proxy", "outbound_proxy", "register_expires", "display_name", "user_id", "password", "auth_id", "dial_plan"]
)
"""Keys of an entry of phone_lines that hold text or a number; the others are true or false."""

UNIT_MACROS = ("MA", "MAU", "MAC", "PN", "PSN", "SN")
"""Macros whose values are known before a phone is unpacked."""


class BenchDelivery(StrEnum):
    """How a phone gets its preprovision profile on the bench."""

    TFTP = "tftp"
    """By TFTP, under the name that a factory-new unit asks for; only the unit with its MAC address gets it."""
    CERTIFICATE = "certificate"
    """By HTTPS, where the bootstrap profile leads it; only a unit that shows its certificate gets it."""


class ModelError(ValueError):
    """No family knows this model; the message names the nearest known one."""


class FamilyError(ValueError):
    """A user's family cannot be used; the message names family and attribute."""


class PasswordRule(NamedTuple):
    """What the web page accepts as a password; *kinds*: how many of capital letter, small letter, digit and other it must have."""

    shortest: int = 1
    longest: int = 127
    kinds: int = 1


@dataclass(frozen=True)
class Family:
    """One product family. Texts with ``{...}`` are formatted with the fields of a phone, ``$...`` are macros."""

    name: str
    models: tuple[str, ...] = ()
    series: str = "(.+)"
    """Regular expression; its first group in the model name is ``$PSN``."""
    product: str = "{model}"
    """What ``$PN`` expands to."""
    format: str = FLAT_PROFILE
    """Name of the profiles' format in profiles.formats.FORMATS."""

    factory_rule: str = ""
    """Profile_Rule of a factory-new phone; its expansion is the first file that the phone requests. Empty: no file per model."""
    factory_text: str = ""
    """Content of that file if it is the same for all and holds no parameters."""
    aliases: tuple[str, ...] = ()
    """More names under which the bootstrap profile is published, with macros."""
    own_file: str = ""
    """File per phone that the family requests by itself, with macros; for families without rules."""
    tried_in_vain: tuple[str, ...] = ()
    """Names that units request before these, and that no station serves, so that their absence is no failure. With macros; ``?``
    stands for a digit."""
    bench_delivery: BenchDelivery | Literal[""] = ""
    """How the family's phones get their preprovision profile on the bench; empty: as the publication says."""
    profile_rules: tuple[str, ...] = ()
    """Parameters that hold a profile rule, in the order in which the phone follows them."""
    upgrade_rules: tuple[str, ...] = ()
    upgrade_enable: str = ""
    """Parameter that says whether a phone upgrades at all."""
    report_rules: tuple[str, ...] = ()
    triggers: tuple[str, ...] = ()
    """Parameters that hold a condition without parentheses."""
    custom_ca: str | None = None
    """Parameter that names an extra root certificate by URL; None if the family has only its built-in roots."""
    device_roots: tuple[str, ...] = ()
    """Names of the maker's CAs that sign the phones' own certificates, see maker_roots; empty if nothing public is known."""
    server_roots: tuple[str, ...] = ()
    """Names of the CAs below which the phones accept a server certificate without being told; empty if none is known by name."""

    digest: Digest | Literal[""] = ""
    """Digest of ``openssl enc`` that the firmware expects; empty: it cannot decrypt that format."""
    sealing: Sealing = Sealing.OPENSSL
    """How service profiles are sealed unless phone_sealing says otherwise."""
    key_parameter: str = ""
    """Parameter that holds the phone's passphrase, if it is not part of a rule."""
    hidden: tuple[str, ...] = ()
    """Parameters with secret values, though their names do not say so."""
    ikm_parameter: str = ""
    """Parameter that holds the key of RFC 8188 aes128gcm; empty: the family cannot decrypt that format."""
    ikm_encoding: str = "base64url"
    """What that parameter holds: ``base64url`` of the key, or the key itself as ``text``."""

    dhcp_sources: tuple[int, ...] = (66,)
    """DHCP options that can name the provisioning server; the first one present counts."""
    reads_urls: bool = True
    """Whether such an option may be a URL."""
    probes: bool = False
    """Whether the phone asks a server without path by tftp, http and https, each time for two files."""
    block_size: int | None = None
    """TFTP block size to negotiate; None negotiates nothing, as RFC 1350 clients do. No source: both kinds are exercised."""
    priority: str = "<134>"
    """Prefix of a syslog message. No source: both kinds are exercised."""
    vendor_classes: tuple[str, ...] = ()
    """Prefixes of DHCP option 60, compared without case."""
    vendor_class: str = "{model}"
    """Option 60 as a phone sends it."""
    user_agent: str = "{model}"
    """User-Agent of a phone's HTTP requests as long as nothing else is configured."""
    user_agent_parameter: str = ""
    """Parameter that holds it, with macros of which ``$VERSION`` is the usual one up to its parentheses; empty if none is known."""
    firmware: str = ""
    """A firmware version as the User-Agent spells it, for emulated phones."""
    software_version: str = ""
    """The same version as ``$SWVER`` spells it; empty: alike."""

    options_parameter: str = ""
    """Parameter that lists such options in the order to use instead; empty if the family has none."""
    random_delay_unit: int = 20
    """Seconds per unit of Resync_Random_Delay. SPA, ATA and MPP tables say 20; another MPP text says seconds."""
    error_retry_delay: str = "3600"
    """Resync_Error_Retry_Delay of a factory-new phone."""
    zero_retries: bool = False
    """Whether a Resync_Error_Retry_Delay of 0 means at once, as SPA guides say, or never, as ATA and MPP guides say."""
    waits_for_idle: bool = True
    """Whether Forced_Resync_Delay counts from the end of the last call, as SPA guides say, or from when the resync was due."""
    trigger_blocks: bool = False
    """Whether a false Resync_Trigger keeps the phone from resyncing, as MPP guides say, or a true one makes it resync, as ATA and
    SPA guides say."""
    load_pattern: str = ""
    """Regular expression of a firmware file's name; its group is the version as $SWVER. Empty: names have none."""
    load_dots: bool = False
    """Whether dashes in that group stand for dots."""
    report_method: str = "POST"
    """How a report is sent by HTTP: POST or PUT. By TFTP it is always written."""
    customization_hosts: tuple[str, ...] = ()
    """The maker's hosts for remote customization: of firmware from 11.2(1) on, and of older; empty if the family has none."""
    customization_aborted_by: str = "profile"
    """What ends remote customization: a profile that DHCP led to (SMB5736), or already the DHCP option (in-house chapter)."""

    settings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Typed setting (``resync.periodic``) -> paths of the parameters that hold it; ``{n}`` stands for each line's number. With
    several paths, it is unknown which one counts, so all are set."""
    line_settings: Mapping[str, str] = field(default_factory=dict)
    """Key of an entry of phone_lines -> path of its parameter, ``{n}`` for the line's number; empty: there is no such parameter."""
    logs_to_new_server: bool = True
    """Whether a phone logs that it has applied a profile to the log server that this profile names, or to the one from before. No
    source says."""
    yes_no: tuple[str, ...] = ("Yes", "No")
    """How the family writes true and false."""
    password_rule: PasswordRule = field(default_factory=PasswordRule)
    known_names: str = ""
    """Key of parameter_names.KNOWN that lists the family's parameters; empty: any name may be right."""
    extra_names: tuple[str, ...] = ()
    """Paths of parameters that the phones know though that list does not have them; ``{n}`` stands for each line's number."""
    extra_macros: tuple[str, ...] = ()
    """Macros that the phones expand in rules and log messages though no guide names them, without ``$``."""
    extra_schemes: tuple[str, ...] = ()
    """Schemes of URLs in rules that the phones know beside tftp, http and https, such as ``gds``."""

    def paths(self, setting: str) -> tuple[str, ...]:
        """Return the paths of the parameters that hold a typed setting; empty if the family has nothing like it."""
        return self.settings.get(setting, ())

    def redact(self, path: str, value: str) -> str:
        """Return the value of a parameter as it may be shown; see redaction.redact_parameter()."""
        hidden = value and path in (*self.hidden, self.key_parameter, self.ikm_parameter)
        return HIDDEN if hidden else redact_parameter(path, value)

    @property
    def contact_paths(self) -> frozenset[str]:
        """Return the paths that keep a phone in touch with its server: rules, roots, timers, logs and web passwords."""
        return self._paths(name for name in self.settings if not name.startswith("nat."))

    @property
    def all_paths(self) -> frozenset[str]:
        """Return the paths of all parameters that the family has an attribute for; ``{n}`` stands for each line's number."""
        return self._paths(self.settings) | {path for path in self.line_settings.values() if path} | {*self.hidden}

    def _paths(self, settings: Iterable[str]) -> frozenset[str]:
        rules = (*self.profile_rules, *self.upgrade_rules, *self.report_rules, *self.triggers)
        keys = (self.custom_ca or "", self.key_parameter, self.ikm_parameter, self.upgrade_enable)
        typed = (path for name in settings for path in self.paths(name))
        return frozenset(path for path in (*rules, *keys, *typed) if path)


@dataclass(frozen=True)
class Model:
    """One model of a family; ``product`` and ``series`` are the macros ``$PN`` and ``$PSN``."""

    name: str
    family: Family
    product: str
    series: str

    @property
    def factory_file(self) -> str:
        """Return the path of the file that a factory-new phone requests first, with its leading slash: ``/ata192.cfg``."""
        return self.expand(self.family.factory_rule)

    @property
    def vendor_class(self) -> str:
        """Return DHCP option 60 as this model sends it."""
        return self.family.vendor_class.format(model=self.name, product=self.product)

    def expand(self, text: str) -> str:
        """Return *text* with this model's macros expanded."""
        return expand(text, {"PN": self.product, "PSN": self.series})
