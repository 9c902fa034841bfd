# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The settings of a publication, declared once: name, type, default and meaning.

The argument specs of the modules that read them, their documentation, and the settings in the profile service's database all follow
from the fields of Settings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields
from enum import StrEnum
from typing import Any, NamedTuple

from ..families.model import BenchDelivery
from ..profiles.flat_profile import Parameters, read_parameters

KEY_ID = "{key_id}"
"""Placeholder in remote_url that distinguishes the keys of a phone."""


class ProfileKind(StrEnum):
    """What a profile is for."""

    BOOTSTRAP = "bootstrap"
    """The file that a factory-new unit of a model asks for."""
    PREPROVISION = "preprovision"
    """What a phone gets on the bench."""
    SERVICE = "service"
    """What a phone gets at the customer's."""


KINDS = tuple(kind.value for kind in ProfileKind)


class PublicationError(ValueError):
    """Nothing can be published with these settings; one sentence per line."""


class Option(NamedTuple):
    """A setting as users write it in YAML."""

    type: str
    """str, bool, dict or list."""
    description: tuple[str, ...]
    """Paragraphs in the markup of Ansible's documentation."""
    default: Any = None
    elements: str = ""
    choices: tuple[str, ...] = ()
    secret: bool = False


def _means(*description: str, choices: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"description": description, "choices": choices}


@dataclass(frozen=True)
class Settings:
    """What all phones of one publication share.

    A field is an option of the same name in every module that makes profiles, except for *kinds*, which the modules other than
    profiles choose themselves. bench_url and remote_url are required.
    """

    bench_url: str = field(
        metadata=_means(
            "URL of the preprovision profile of a phone with O(bench_delivery=certificate), with macros such as C($MA). It must be"
            " HTTPS, since that profile tells the phone its key."
        )
    )
    remote_url: str = field(
        metadata=_means(
            "URL of a phone's service profile at the customer's, with macros. C(Profile_Rule) becomes this with C(--key).",
            "C({key_id}) in it becomes eight digits that distinguish the keys of a phone; without it keys cannot be changed.",
        )
    )
    bench_delivery: str = field(
        default=BenchDelivery.TFTP.value,
        metadata=_means(
            "How a phone gets its preprovision profile on the bench, unless C(phone_bench_delivery) or its family's"
            " C(bench_delivery) says otherwise.",
            "V(tftp) publishes it under the name that a factory-new unit asks for, in a folder that the TFTP server shows only to"
            " the unit with that MAC address. It needs no certificate, but a closed bench.",
            "V(certificate) has the bootstrap profile lead to O(bench_url), where the web server asks for the unit's certificate."
            " It needs the roots of the phones' makers.",
            choices=tuple(delivery.value for delivery in BenchDelivery),
        ),
    )
    ca_url: str = field(
        default="",
        metadata=_means(
            "URL of the root certificate of the bench's server certificate, for families that take one. If empty, phones trust only"
            " their built-in roots."
        ),
    )
    remote_ca_url: str = field(
        default="",
        metadata=_means(
            "URL of the root certificate of the customer's server certificate, for families that take one. If empty, the bench's"
            " root is cleared, unless O(remote_url) is HTTPS on the server of O(bench_url)."
        ),
    )
    syslog_server: str = field(
        default="",
        metadata=_means(
            "Address that phones log to on the bench. If empty, profiles do not set it, and O(remote_syslog_server) has no effect."
        ),
    )
    remote_syslog_server: str = field(
        default="",
        metadata=_means(
            "Address that phones log to at the customer's. If empty, the bench's address is cleared, which would be another machine"
            " there."
        ),
    )
    firmware_images: Sequence[Mapping[str, Any]] = field(
        default=(),
        metadata=_means(
            "Firmware images that phones can have, as the role C(firmware) documents them. C(phone_firmware) chooses among these;"
            " a phone that asks for another one stops the task."
        ),
    )
    firmware_url: str = field(
        default="",
        metadata=_means(
            "URL of the folder of images on the bench, with C(/) at its end. C(Upgrade_Rule) in preprovision profiles points to it."
        ),
    )
    remote_firmware_url: str = field(
        default="",
        metadata=_means(
            "URL of the folder of images at the customer's, for service profiles. If empty, they clear the bench's rule."
        ),
    )
    bootstrap_parameters: Parameters = field(
        default_factory=dict,
        metadata=_means(
            "Parameters of all bootstrap profiles of families with profile rules, beside those rules. They must not be secret."
        ),
    )
    preprovision_parameters: Parameters = field(
        default_factory=dict,
        metadata=_means(
            "Parameters of all preprovision profiles of families with profile rules; a phone's own parameters win over them."
        ),
    )
    service_parameters: Parameters = field(
        default_factory=dict,
        metadata=_means(
            "Parameters of all service profiles of families with profile rules, such as timers; a phone's own parameters win over"
            " them."
        ),
    )
    kinds: tuple[str, ...] = field(
        default=KINDS,
        metadata=_means("Kinds of profile to publish; files of other kinds stay as they are.", choices=KINDS),
    )
    complete: tuple[str, ...] = field(
        default=("service",),
        metadata=_means(
            "Kinds that carry all parameters. The others are limited to what keeps a phone in touch with its server (rules,"
            " certificates, timers, logs, passwords of the web page).",
            "A complete bootstrap profile has what all phones of its model share and what is not secret.",
            choices=KINDS,
        ),
    )
    plaintext_secrets: bool = field(
        default=False,
        metadata=_means(
            "Whether a file that anybody can read may hold a password, for families that cannot decrypt. Only for a closed bench."
        ),
    )


_TYPES = {
    "str": ("str", ""),
    "bool": ("bool", ""),
    "Parameters": ("dict", ""),
    "tuple[str, ...]": ("list", "str"),
    "Sequence[Mapping[str, Any]]": ("list", "dict"),
}
"""Annotation -> type and type of elements in YAML."""


def _option(setting: Field[Any]) -> Option:
    kind, elements = _TYPES[str(setting.type)]
    default = {} if kind == "dict" else setting.default
    if default is MISSING:
        default = None
    elif kind == "list":
        default = [*default]
    return Option(kind, setting.metadata["description"], default, elements, setting.metadata["choices"])


OPTIONS: dict[str, Option] = {setting.name: _option(setting) for setting in fields(Settings)}
"""Every setting as users write it."""


def read_settings(given: Mapping[str, Any], kinds: Sequence[str]) -> Settings:
    """Return the settings among *given*, as read from YAML or JSON. *kinds*: what to publish.

    Raise ProfileError, naming the setting, for invalid parameters.
    """
    values = {name: given[name] for name in OPTIONS if name in given}
    for name, option in OPTIONS.items():
        if option.type == "dict":
            values[name] = read_parameters(values.get(name) or {}, f"{name}: ")
        elif option.type == "list" and option.choices and name in values:
            values[name] = tuple(values[name])
    return Settings(**{**values, "kinds": tuple(kinds)})
