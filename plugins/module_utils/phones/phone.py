# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Phone: one phone's variables in their typed, checked form, wherever they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..common.mac import Mac
from ..families.model import BenchDelivery, Model
from ..firmware.policy import FirmwarePolicy
from ..profiles.flat_profile import Parameters
from ..profiles.sealing.model import Sealing
from .typed_variables import TYPED

LAYER = "phone_parameters_"
STRUCTURED = ("phone_lines", "phone_parameters", *TYPED)
"""Variables that are lists or mappings, besides the layers."""
PLAIN = (
    *("phone_mac", "phone_model", "phone_serial", "phone_customer", "phone_site", "phone_address"),
    *("phone_profile_key", "phone_profile_key_previous", "phone_profile_template"),
    *("phone_bench_delivery", "phone_sealing", "phone_sealing_previous"),
    *("phone_firmware", "phone_firmware_hold", "phone_firmware_rollout_percent", "phone_hardware"),
)
"""Variables that are text."""


class PhoneError(ValueError):
    """Variables are invalid; one sentence per line, each naming phone and variable."""


@dataclass(frozen=True, slots=True)
class Phone:
    """One phone. Fields with secrets stay out of repr()."""

    name: str
    mac: Mac
    model: Model
    serial: str = ""
    customer: str = ""
    site: str = ""
    address: str = ""
    """Reserved IPv4 address on the bench, or empty."""
    parameters: Parameters = field(default_factory=dict, repr=False)
    key: str | None = field(default=None, repr=False)
    """Passphrase of this phone's sealed profiles."""
    previous_key: str | None = field(default=None, repr=False)
    """Passphrase that the phone still uses until it has been moved to *key*."""
    bench_delivery: BenchDelivery | None = None
    """How it gets its preprovision profile on the bench; None if phone_bench_delivery is not set."""
    sealing: Sealing = Sealing.OPENSSL
    previous_sealing: Sealing | None = None
    """Sealing of the profile that the phone still requests; None if phone_sealing_previous is not set."""
    template: str = ""
    """Name of the user's own service profile template, or empty."""
    lines: tuple[Mapping[str, str], ...] = field(default=(), repr=False)
    """Entries of phone_lines, for that template."""
    firmware: FirmwarePolicy = field(default_factory=FirmwarePolicy)
    ignored: tuple[str, ...] = ()
    """A sentence on each parameter that the phone would ignore."""

    @property
    def macros(self) -> dict[str, str]:
        """The macros known before the phone is unpacked."""
        return {
            "MA": self.mac.plain,
            "MAU": self.mac.upper,
            "MAC": self.mac.colon,
            "PN": self.model.product,
            "PSN": self.model.series,
            "SN": self.serial,
        }
