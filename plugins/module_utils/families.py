# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What each product family does, as data; a user's inventory adds to it or corrects it.

Sources: provisioning guides of the ATA 191/192, SPA1xx/3xx/5xx/9xx and 68xx/78xx/88xx multiplatform ("3PCC") phones, the MPP
migration guide for DHCP options, and field captures of vendor classes and User-Agents. Where no source settles a value it is an
attribute here all the same, so that one real unit can correct it in one place.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

from .macros import expand
from .parameter_names import KNOWN
from .profile import HIDDEN, shown
from .profile_formats import FLAT_PROFILE, FORMATS
from .sealing import DIGESTS, OPENSSL, SEALINGS

FILE = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~!&'()*+,;=:@-]{1,255})+")
"""Path of a file that phones and all servers spell alike: what a URL must encode, and a macro that is left, is not in it."""

UNIT_MACROS = ("MA", "MAU", "MAC", "PN", "PSN", "SN")
"""Macros whose values are known before a unit is unpacked."""


class ModelError(ValueError):
    """No family knows this model; the message names the nearest one."""


class FamilyError(ValueError):
    """A user's family cannot be taken over; the message names family and attribute."""


class PasswordRule(NamedTuple):
    """What a web page's password must be: *kinds* counts of capital, small letter, digit, other."""

    shortest: int = 1
    longest: int = 127
    kinds: int = 1


@dataclass(frozen=True)
class Family:
    """One product family. Texts with ``{...}`` are formatted with the fields of a unit, ``$...`` are macros."""

    name: str
    models: tuple[str, ...] = ()
    series: str = "(.+)"
    """Regular expression; its first group in the model name is ``$PSN``."""
    product: str = "{model}"
    """What ``$PN`` expands to."""
    format: str = FLAT_PROFILE
    """Name of the profiles' format in profile_formats.FORMATS."""

    factory_rule: str = ""
    """Profile_Rule of a factory-new unit; its expansion is the first file that the unit asks for. Empty: no file of the model's."""
    factory_text: str = ""
    """Content of that file where it is the same for all, and none of parameters."""
    aliases: tuple[str, ...] = ()
    """Further names under which the bootstrap profile is published, with macros."""
    own_file: str = ""
    """File of one unit that the family asks for by itself, with macros; for families without rules."""
    profile_rules: tuple[str, ...] = ()
    """Parameters that hold a profile rule, in the order in which they are followed."""
    upgrade_rules: tuple[str, ...] = ()
    upgrade_enable: str = ""
    """Parameter that says whether a unit upgrades at all."""
    report_rules: tuple[str, ...] = ()
    triggers: tuple[str, ...] = ()
    """Parameters that hold a condition without parentheses."""
    custom_ca: str | None = None
    """Parameter that names an extra root certificate by URL; None where the family has only its built-in roots."""

    digest: str = ""
    """Digest of ``openssl enc`` that the firmware expects: md5 (OpenSSL before 1.1.0) or sha256; empty: it cannot decrypt that."""
    sealing: str = OPENSSL
    """How service profiles are sealed where phone_sealing says nothing: openssl, aes128gcm or none."""
    key_parameter: str = ""
    """Parameter that holds the unit's passphrase, where it is not part of a rule."""
    hidden: tuple[str, ...] = ()
    """Parameters whose values are secret, though their names do not say so."""
    ikm_parameter: str = ""
    """Parameter that holds the key of RFC 8188 aes128gcm; empty: the family cannot decrypt that."""
    ikm_encoding: str = "base64url"
    """What that parameter holds: base64url of the key, or text, the key itself."""

    dhcp_sources: tuple[int, ...] = (66,)
    """DHCP options that can name the provisioning server; the first that is there counts."""
    reads_urls: bool = True
    """Whether such an option may be a URL."""
    probes: bool = False
    """Whether a bare server is asked by tftp, http and https, each time for two files."""
    block_size: int | None = None
    """TFTP block size that is negotiated; None asks for none, as RFC 1350 clients do. No source: both kinds are exercised."""
    priority: str = "<134>"
    """What stands before a syslog message. No source: both kinds are exercised."""
    vendor_classes: tuple[str, ...] = ()
    """Prefixes of DHCP option 60, compared without case."""
    vendor_class: str = "{model}"
    """Option 60 as a unit sends it."""
    user_agent: str = "{model}"
    firmware: str = ""
    """A firmware version as the User-Agent spells it, for emulated units."""
    software_version: str = ""
    """The same as ``$SWVER``; empty: it is spelt alike."""

    options_parameter: str = ""
    """Parameter that lists such options in the order that counts instead; empty where the family has none."""
    random_delay_unit: int = 20
    """Seconds that one of Resync_Random_Delay stands for. SPA, ATA and MPP tables say 20; another MPP text says seconds."""
    error_retry_delay: str = "3600"
    """Resync_Error_Retry_Delay of a factory-new unit."""
    zero_retries: bool = False
    """Whether a Resync_Error_Retry_Delay of 0 means at once, as SPA guides say; else never, as those of ATA and MPP do."""
    waits_for_idle: bool = True
    """Whether Forced_Resync_Delay counts from the end of the last call, as SPA guides say; else from when the resync was due."""
    trigger_blocks: bool = False
    """Whether a Resync_Trigger that does not hold keeps the unit from resyncing, as MPP guides say; else one that holds leads to a
    resync, as those of ATA and SPA do."""
    load_pattern: str = ""
    """Regular expression of a firmware file's name; its group is the version, as $SWVER is then. Empty: names tell none."""
    load_dots: bool = False
    """Whether dashes of that group stand for dots."""
    report_method: str = "POST"
    """How a report travels by HTTP: POST, or PUT. By TFTP it is always written."""
    customization_hosts: tuple[str, ...] = ()
    """The maker's hosts for remote customization: of firmware from 11.2(1) on, and before; none where the family knows no such."""
    customization_aborted_by: str = "profile"
    """What of DHCP ends remote customization: the profile that it led to (SMB5736), or already the option (in-house chapter)."""

    settings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Typed setting (``resync.periodic``) -> paths of the parameters that hold it; ``{n}`` stands for each line's number. Several
    paths: which one counts is unknown, so all are set."""
    line_settings: Mapping[str, str] = field(default_factory=dict)
    """Key of an entry of phone_lines -> path of its parameter, ``{n}`` for the line's number; empty: the family has none."""
    yes_no: tuple[str, ...] = ("Yes", "No")
    """How the family writes true and false."""
    password_rule: PasswordRule = field(default_factory=PasswordRule)
    known_names: str = ""
    """Family in parameter_names.KNOWN whose parameters this one knows; empty: any name may be right."""

    def paths(self, setting: str) -> tuple[str, ...]:
        """Paths of the parameters that hold a typed setting; none where the family has nothing like it."""
        return self.settings.get(setting, ())

    def shown(self, path: str, value: str) -> str:
        """Return the value of a parameter as it may be shown: see profile.shown()."""
        hidden = value and path in (*self.hidden, self.key_parameter, self.ikm_parameter)
        return HIDDEN if hidden else shown(path, value)

    @property
    def contact_paths(self) -> frozenset[str]:
        """Paths of what keeps a unit in touch with its server: rules, roots, timers, logs and web passwords."""
        return self._paths(name for name in self.settings if not name.startswith("nat."))

    @property
    def all_paths(self) -> frozenset[str]:
        """Paths of all parameters that the family has an attribute for; ``{n}`` stands for each line's number."""
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
        """Path of the file that a factory-new unit asks for first, with its leading slash: ``/ata192.cfg``."""
        return self.expand(self.family.factory_rule)

    @property
    def vendor_class(self) -> str:
        """DHCP option 60 as this model sends it."""
        return self.family.vendor_class.format(model=self.name, product=self.product)

    def expand(self, text: str) -> str:
        """Put this model's macros into *text*."""
        return expand(text, {"PN": self.product, "PSN": self.series})


class Catalogue:
    """Families by name and models by name."""

    def __init__(self, families: Mapping[str, Family]) -> None:
        self.families = MappingProxyType(dict(families))
        models = {
            name: Model(name, family, family.product.format(model=name), _series(family, name))
            for family in families.values()
            for name in family.models
        }
        self.models = MappingProxyType(models)
        self._by_upper = {name.upper(): model for name, model in models.items()}

    def find_model(self, name: object) -> Model:
        """Return the model of that name, in any case; raise ModelError naming the nearest known one."""
        model = self._by_upper.get(str(name).strip().upper())
        if model is None:
            near = difflib.get_close_matches(str(name).upper(), self._by_upper, n=1, cutoff=0.5)
            hint = f"did you mean {self._by_upper[near[0]].name}?" if near else f"known are {', '.join(self.models)}"
            raise ModelError(f"the model '{name}' is not known; {hint}")
        return model

    def extended(self, changes: Mapping[str, Any]) -> Catalogue:
        """Return this catalogue with a user's families: name -> attributes of Family, and ``based_on`` for the rest of them.

        A known name corrects that family, and adds to its models. A model belongs to the family that names it last. Raise
        FamilyError.
        """
        if not isinstance(changes, Mapping):
            raise FamilyError(f"the families are a {type(changes).__name__}; write a mapping of names and attributes")
        families = dict(self.families)
        for name, attributes in changes.items():
            if not isinstance(attributes, Mapping):
                raise FamilyError(f"family {name}: it is a {type(attributes).__name__}; write a mapping of attributes")
            base = str(attributes.get("based_on", name))
            if "based_on" in attributes and base not in families:
                raise FamilyError(f"family {name}: based_on names the unknown family '{base}'; known are {', '.join(families)}")
            template = families.get(base, Family(str(name)))
            if base != name:
                template = dataclasses.replace(template, models=())
            own = {str(key): value for key, value in attributes.items() if key != "based_on"}
            family = dataclasses.replace(template, name=str(name), **_attributes(str(name), own, template))
            _check_family(family)
            taken = {model.upper() for model in family.models}
            for other in families.values():
                families[other.name] = dataclasses.replace(
                    other, models=tuple(model for model in other.models if model.upper() not in taken)
                )
            families[family.name] = family
        return Catalogue(families)


def _series(family: Family, model: str) -> str:
    match = re.fullmatch(family.series, model)
    if not match or not match[1]:
        raise FamilyError(f"family {family.name}: series '{family.series}' does not fit its model {model}")
    return match[1]


def _check_family(family: Family) -> None:
    """Raise FamilyError for attributes that do not go together, or would fail where they are used."""
    for attribute, fields in _FIELDS.items():
        try:
            getattr(family, attribute).format(**dict.fromkeys(fields, ""))
        except (AttributeError, IndexError, KeyError, ValueError) as error:
            raise FamilyError(
                f"family {family.name}: {attribute}: '{getattr(family, attribute)}' cannot be filled in;"
                f" in braces can stand {', '.join(fields)}"
            ) from error
    for attribute in ("factory_rule", "aliases", "own_file"):
        macros = UNIT_MACROS if attribute == "own_file" else _MODEL_MACROS
        for path in _texts(getattr(family, attribute)):
            if path and not FILE.fullmatch(expand(path, dict.fromkeys(macros, "x"))):
                raise FamilyError(
                    f"family {family.name}: {attribute}: '{path}' is not the path of a file, as /NAME;"
                    f" macros in it can be ${', $'.join(macros)}"
                )
    known = {name for built_in in _FAMILIES for name in built_in.settings}
    for setting in family.settings:
        if setting not in known:
            near = difflib.get_close_matches(setting, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(known))}"
            raise FamilyError(f"family {family.name}: settings: {setting} is not known; {hint}")
    kind = FORMATS[family.format]
    for path in family.all_paths:
        if not kind.takes(path.replace("{n}", "1")):
            raise FamilyError(f"family {family.name}: '{path}' cannot name a parameter of the format {family.format}")


def _attributes(name: str, given: Mapping[str, Any], template: Family) -> dict[str, Any]:
    known = {attribute.name: getattr(template, attribute.name) for attribute in dataclasses.fields(Family)}
    del known["name"]
    attributes: dict[str, Any] = {}
    for key, value in given.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
            raise FamilyError(f"family {name}: the attribute {key} is not known; {hint}")
        try:
            attributes[key] = _typed(key, value, known[key])
        except (TypeError, ValueError) as error:
            raise FamilyError(f"family {name}: {key}: {error}") from error
    return attributes


def _typed(key: str, value: Any, present: Any) -> Any:
    if key == "password_rule":
        return present._replace(**_password_rule(value, present))
    if key == "line_settings":
        return {**present, **{str(name): _text(path) for name, path in _mapping(value).items()}}
    if key == "settings":
        return {**present, **{str(name): _texts(paths) for name, paths in _mapping(value).items()}}
    if key == "models":
        return tuple(dict.fromkeys([*present, *_texts(value)]))
    if key == "dhcp_sources":
        return tuple(_number(code) for code in (value if isinstance(value, list) else [value]))
    if key == "block_size":
        return None if value is None else _number(value)
    if key == "custom_ca":
        return None if value is None else _text(value)
    if key == "yes_no":
        words = _texts(value)
        if len(set(words)) != 2:
            raise ValueError("it is not two texts, for true and for false")
        return words
    if isinstance(present, tuple):
        return _texts(value)
    if isinstance(present, bool):
        if not isinstance(value, bool):
            raise ValueError(f"'{value}' is neither true nor false")
        return value
    if isinstance(present, int):
        return _number(value)
    text = _text(value)
    if text not in _CHOICES.get(key, (text,)):
        raise ValueError(f"'{text}' is not known; use one of {', '.join(choice or repr(choice) for choice in _CHOICES[key])}")
    if key == "series" or (key == "load_pattern" and text):
        _check_pattern(text)
    return text


def _check_pattern(text: str) -> None:
    try:
        groups = re.compile(text).groups
    except re.error as error:
        raise ValueError(f"'{text}' is no regular expression: {error}") from error
    if groups < 1:
        raise ValueError(f"'{text}' has no group in parentheses")


def _password_rule(value: Any, present: PasswordRule) -> dict[str, int]:
    numbers = {str(name): _number(number) for name, number in _mapping(value).items()}
    if not set(numbers) <= set(present._fields):
        raise ValueError(f"its keys are {', '.join(present._fields)}")
    return numbers


def _number(value: Any) -> int:
    if isinstance(value, bool) or not re.fullmatch("[0-9]{1,9}", str(value)):
        raise TypeError(f"'{value}' is no number")
    return int(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"it is a {type(value).__name__}; write text, in quotes where YAML reads something else")
    return str.__str__(value)


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError(f"it is a {type(value).__name__}; write a mapping")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(_text(item) for item in (value if isinstance(value, list | tuple) else [value]))


_CHOICES: Mapping[str, tuple[str, ...]] = {
    "format": tuple(FORMATS),
    "digest": (*DIGESTS, ""),
    "sealing": SEALINGS,
    "ikm_encoding": ("base64url", "text"),
    "known_names": (*KNOWN, ""),
    "report_method": ("POST", "PUT"),
    "customization_aborted_by": ("profile", "option"),
}
_MODEL_MACROS = ("PN", "PSN")
_FIELDS: Mapping[str, tuple[str, ...]] = {
    "product": ("model",),
    "vendor_class": ("model", "product"),
    "user_agent": ("model", "product", "firmware", "mac", "MAC", "serial"),
}
"""Attribute -> what can stand in braces in it."""

_RESYNC = {
    "resync.enable": ("Provision_Enable",),
    "resync.on_reset": ("Resync_On_Reset",),
    "resync.random_delay": ("Resync_Random_Delay",),
    "resync.at": ("Resync_At__HHmm_",),
    "resync.at_random_delay": ("Resync_At_Random_Delay",),
    "resync.periodic": ("Resync_Periodic",),
    "resync.error_retry_delay": ("Resync_Error_Retry_Delay",),
    "resync.forced_delay": ("Forced_Resync_Delay",),
    "resync.from_sip": ("Resync_From_SIP",),
    "resync.after_upgrade": ("Resync_After_Upgrade_Attempt",),
    "resync.fails_on_missing_file": ("Resync_Fails_On_FNF",),
}
_NAT = {
    "nat.mapping": ("NAT_Mapping_Enable_{n}_",),
    "nat.keep_alive": ("NAT_Keep_Alive_Enable_{n}_",),
    "nat.keep_alive_interval": ("NAT_Keep_Alive_Intvl",),
    "nat.keep_alive_message": ("NAT_Keep_Alive_Msg_{n}_",),
    "nat.keep_alive_destination": ("NAT_Keep_Alive_Dest_{n}_",),
    "nat.stun": ("STUN_Enable",),
    "nat.stun_server": ("STUN_Server",),
    "nat.stun_test": ("STUN_Test_Enable",),
    "nat.external_address": ("EXT_IP",),
    "nat.external_rtp_port": ("EXT_RTP_Port_Min",),
    "nat.substitute_via": ("Substitute_VIA_Addr",),
    "nat.respond_to_source_port": ("Send_Resp_To_Src_Port",),
    "nat.handle_via_received": ("Handle_VIA_received",),
    "nat.handle_via_rport": ("Handle_VIA_rport",),
    "nat.insert_via_received": ("Insert_VIA_received",),
    "nat.insert_via_rport": ("Insert_VIA_rport",),
}
_LOG_MESSAGES = {
    "log_messages.resync_request": ("Log_Resync_Request_Msg",),
    "log_messages.resync_success": ("Log_Resync_Success_Msg",),
    "log_messages.resync_failure": ("Log_Resync_Failure_Msg",),
    "log_messages.upgrade_request": ("Log_Upgrade_Request_Msg",),
    "log_messages.upgrade_success": ("Log_Upgrade_Success_Msg",),
    "log_messages.upgrade_failure": ("Log_Upgrade_Failure_Msg",),
}
_LINES = {
    "enable": "Line_Enable_{n}_",
    "proxy": "Proxy_{n}_",
    "outbound_proxy": "Outbound_Proxy_{n}_",
    "use_outbound_proxy": "Use_Outbound_Proxy_{n}_",
    "register": "Register_{n}_",
    "register_expires": "Register_Expires_{n}_",
    "display_name": "Display_Name_{n}_",
    "user_id": "User_ID_{n}_",
    "password": "Password_{n}_",
    "use_auth_id": "Use_Auth_ID_{n}_",
    "auth_id": "Auth_ID_{n}_",
    "dial_plan": "Dial_Plan_{n}_",
    "use_dns_srv": "Use_DNS_SRV_{n}_",
}
# Passwords in FusionPBX's templates of these models (c7a00dc): of administrator, user, accounts, ports, server and directory
_GRANDSTREAM_PASSWORDS = tuple(
    f"P{number}"
    for number in (
        *(2, 34, 196, 279, 281, 406, 506, 606, 706, 734, 1361, 1383, 1594, 1706, 1806, 2967),
        *range(4120, 4144),
        *(4505, 4512, 6714, 6769, 6773, 7903, 8024, 8221, 8395),
        *range(8404, 8432, 3),
        *(8452, 8472, 21908, 21909, 21914, 21915, 22022),
        *range(22137, 22162, 3),
        *(22430, 22434, 22438, 28110, 28124),
        *range(32004, 32050, 5),
    )
)
_YEALINK_LINES = {
    **dict.fromkeys(_LINES, ""),
    "enable": "account.{n}.enable",
    "proxy": "account.{n}.sip_server.1.address",
    "outbound_proxy": "account.{n}.outbound_proxy.1.address",
    "use_outbound_proxy": "account.{n}.outbound_proxy_enable",
    "register_expires": "account.{n}.sip_server.1.expires",
    "display_name": "account.{n}.display_name",
    "user_id": "account.{n}.user_name",
    "auth_id": "account.{n}.auth_name",
    "password": "account.{n}.password",
}
_CISCO = Family(
    name="cisco",
    profile_rules=("Profile_Rule", "Profile_Rule_B", "Profile_Rule_C", "Profile_Rule_D"),
    upgrade_rules=("Upgrade_Rule",),
    upgrade_enable="Upgrade_Enable",
    report_rules=("Report_Rule",),
    triggers=("Resync_Trigger_1", "Resync_Trigger_2"),
    digest="md5",
    settings={
        **_RESYNC,
        **_NAT,
        **_LOG_MESSAGES,
        "syslog.server": ("Syslog_Server",),
    },
    line_settings=_LINES,
)
_ATA_LOG = "router-configuration/Log_Configuration"
_FAMILIES = (
    dataclasses.replace(
        _CISCO,
        name="ata19x",
        known_names="ata19x",
        models=("ATA191", "ATA192"),
        series=r"ATA(\d+)",
        product="{model}-MPP",
        factory_rule="/ata$PSN.cfg",
        custom_ca="Custom_CA_URL",
        customization_hosts=("activate.cisco.com", "webapps.cisco.com"),
        load_pattern=r"(?i)ATA19x\.(\d+-\d+-\d+.*)\.(?:img|bin)",
        dhcp_sources=(66,),
        reads_urls=False,
        vendor_classes=("CISCO ATA19",),
        vendor_class="CISCO {product}",
        user_agent="Cisco/{product}-{firmware} ({serial})",
        firmware="11-1-0MPP-16",
        settings={
            **_CISCO.settings,
            "nat.symmetric_rtp": ("Symmetric_RTP_{n}_",),
            "resync.at": ("Resync_At__HHmm_", "Resync_At_HHmm"),
            "syslog.server": ("Syslog_Server", f"{_ATA_LOG}/Syslog_Server_IP", f"{_ATA_LOG}/Event_Log_Server"),
            "syslog.port": (f"{_ATA_LOG}/Syslog_Server_Port", f"{_ATA_LOG}/Event_Log_Port"),
            "web.admin_name": ("router-configuration/Web_Login_Admin_Name",),
            "web.admin_password": ("router-configuration/Web_Login_Admin_Password",),
        },
        password_rule=PasswordRule(shortest=8),
    ),
    dataclasses.replace(
        _CISCO,
        name="spa",
        known_names="spa",
        models=(
            *("SPA112", "SPA122", "SPA232D", "SPA2102", "SPA3102"),
            *("SPA301", "SPA303", "SPA501G", "SPA502G", "SPA504G", "SPA508G", "SPA509G", "SPA512G", "SPA514G"),
            *("SPA525G", "SPA525G2", "SPA901", "SPA921", "SPA922", "SPA941", "SPA942", "SPA962"),
        ),
        series=r"SPA(\w+)",
        factory_rule="/spa$PSN.cfg",
        dhcp_sources=(66, 160, 159, 150),
        options_parameter="DHCP_Option_To_Use",
        zero_retries=True,
        load_pattern=r"(?i)spa.*?-(\d+-\d+-\d+\w*)\.bin",
        load_dots=True,
        priority="",
        vendor_classes=("Cisco SPA", "LINKSYS SPA"),
        vendor_class="Cisco {model}",
        user_agent="Cisco/{model}-{firmware} ({MAC})({serial})",
        firmware="7.6.2",
        settings={
            **_CISCO.settings,
            # Adapters have it for each line, phones once
            "nat.symmetric_rtp": ("Symmetric_RTP_{n}_", "Symmetric_RTP"),
            "syslog.debug_server": ("Debug_Server",),
            "web.enable": ("Enable_Web_Server",),
            "web.admin_password": ("Admin_Passwd",),
            "web.user_password": ("User_Password",),
        },
        password_rule=PasswordRule(longest=32),
    ),
    dataclasses.replace(
        _CISCO,
        name="mpp",
        known_names="mpp",
        models=tuple(
            f"CP-{number}-3PCC"
            for number in (
                *(6821, 6841, 6851, 6861, 6871, 7811, 7821, 7832, 7841, 7861),
                *(8811, 8832, 8841, 8845, 8851, 8861, 8865),
            )
        ),
        series=r"CP-(\d+-3PCC)",
        factory_rule="/$PSN.xml",
        # The 2018 guide prints "&PN.cfg" as the factory rule.
        aliases=("/$PN.cfg",),
        custom_ca="Custom_CA_Rule",
        ikm_parameter="IKM_HTTP_Encrypt_Content",
        dhcp_sources=(66, 160, 159, 150, 60, 43, 125),
        options_parameter="DHCP_Option_To_Use",
        error_retry_delay="60,120,240,480,960,1920,3840,7680,15360,30720,61440,86400",
        waits_for_idle=False,
        trigger_blocks=True,
        load_pattern=r"(?i)((?:sip|PHONEOS-)[a-z0-9]+\..+)\.loads",
        customization_hosts=("activate.cisco.com", "webapps.cisco.com"),
        probes=True,
        block_size=1428,
        vendor_classes=("CP-6", "CP-7", "CP-8"),
        user_agent="Cisco-{model}/{firmware} ({mac})",
        firmware="11.3.2",
        software_version="sip88xx.11-3-2MPP0001-609",
        settings={
            **_CISCO.settings,
            "log_messages.resync_request": ("Log_Request_Msg",),
            "log_messages.resync_success": ("Log_Success_Msg",),
            "log_messages.resync_failure": ("Log_Failure_Msg",),
            "syslog.debug_server": ("Debug_Server",),
            "syslog.identifier": ("Syslog_Identifier",),
            "web.enable": ("Enable_Web_Server",),
            "web.admin_password": ("Admin_Password",),
            "web.user_password": ("User_Password",),
        },
        # An outbound proxy or an auth ID that is set is used
        line_settings={**_LINES, "use_outbound_proxy": "", "use_auth_id": ""},
        password_rule=PasswordRule(shortest=8, kinds=3),
    ),
    # Other vendors, as far as public documents go: names of files, format, names of a line's parameters. Their phones ask for a
    # file of their own by themselves. Only Grandstream's decrypt what openssl encrypts, once they have been told the key.
    Family(
        name="grandstream",
        models=(
            *("HT801", "HT802", "HT812", "HT814", "HT818"),
            *("GXP1610", "GXP1625", "GXP1628", "GXP1630", "GXP2130", "GXP2135", "GXP2140", "GXP2160", "GXP2170"),
            *("GRP2612", "GRP2613", "GRP2614", "GRP2615", "GRP2616"),
        ),
        format="grandstream",
        yes_no=("1", "0"),
        own_file="/cfg$MA.xml",
        digest="md5",
        sealing="none",
        key_parameter="P1359",
        hidden=_GRANDSTREAM_PASSWORDS,
        vendor_classes=("Grandstream", "HT8XX"),
        vendor_class="Grandstream {model}",
        line_settings=dict.fromkeys(_LINES, ""),
    ),
    Family(
        name="yealink",
        models=(
            *("T31P", "T33G", "T42U", "T43U", "T46U", "T48U", "T53", "T53W", "T54W", "T57W"),
            *("T19P", "T21P", "T23G", "T27G", "T29G", "T40G", "T41S", "T42S", "T46S", "T48S"),
        ),
        format="yealink",
        yes_no=("1", "0"),
        own_file="/$MA.cfg",
        sealing="none",
        dhcp_sources=(66, 43),
        vendor_classes=("yealink",),
        vendor_class="yealink",
        line_settings=_YEALINK_LINES,
    ),
    Family(
        name="yealink_dect",
        models=("W52P",),
        format="yealink",
        yes_no=("1", "0"),
        factory_rule="/y000000000025.cfg",
        own_file="/$MA.cfg",
        sealing="none",
        dhcp_sources=(66, 43),
        line_settings=_YEALINK_LINES,
    ),
    Family(
        name="poly",
        models=("VVX150", "VVX250", "VVX350", "VVX450", "VVX301", "VVX311", "VVX401", "VVX411", "VVX501", "VVX601"),
        format="poly",
        yes_no=("1", "0"),
        factory_rule="/000000000000.cfg",
        # The phone puts its own address in, and asks for that file next.
        factory_text='<?xml version="1.0"?>\n<APPLICATION CONFIG_FILES="[PHONE_MAC_ADDRESS]-config.cfg"/>\n',
        own_file="/$MA-config.cfg",
        sealing="none",
        dhcp_sources=(66, 160),
        vendor_classes=("Polycom",),
        vendor_class="Polycom-{model}",
        line_settings={
            **dict.fromkeys(_LINES, ""),
            "proxy": "reg.{n}.server.1.address",
            "outbound_proxy": "reg.{n}.outboundProxy.address",
            "register": "reg.{n}.server.1.register",
            "register_expires": "reg.{n}.server.1.expires",
            "display_name": "reg.{n}.displayName",
            "user_id": "reg.{n}.address",
            "auth_id": "reg.{n}.auth.userId",
            "password": "reg.{n}.auth.password",
        },
    ),
    Family(
        name="snom",
        models=("D315", "D335", "D345", "D375", "D385", "D712", "D713", "D717", "D735", "D765", "D785", "D815", "D862", "D865"),
        product="snom{model}",
        format="snom",
        yes_no=("on", "off"),
        factory_rule="/$PN.htm",
        own_file="/$PN-$MAU.htm",
        sealing="none",
        vendor_classes=("snom",),
        vendor_class="snom{model}",
        line_settings={
            **dict.fromkeys(_LINES, ""),
            "enable": "user_active.{n}",
            "proxy": "user_host.{n}",
            "register_expires": "user_expiry.{n}",
            "outbound_proxy": "user_outbound.{n}",
            "display_name": "user_realname.{n}",
            "user_id": "user_name.{n}",
            "auth_id": "user_pname.{n}",
            "password": "user_pass.{n}",
        },
    ),
)

BUILTIN = Catalogue({family.name: family for family in _FAMILIES})
"""The families that the collection knows by itself."""
