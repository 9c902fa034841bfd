# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files that a single unit gets by TFTP: each unit has a folder, and only the unit with that MAC address is shown it.

dnsmasq (``tftp-unique-root=mac``) looks only in the requesting unit's folder, if there is one, and for names in lower case
(``tftp-lowercase``). Source of this delivery: "In-house preprovisioning" of the ATA 191/192 provisioning guide, where a factory-new
unit resyncs to the file that its default rule names.
"""

from __future__ import annotations

from enum import StrEnum

from ..common.mac import Mac
from ..families.model import BenchDelivery, Model
from ..phones.phone import Phone
from .layout import UNITS
from .settings import Settings


class UnitFile(StrEnum):
    """Which file a phone gets by TFTP as its own; the profile service's database stores these values."""

    NONE = ""
    """None; its delivery is another."""
    OF_MODEL = "model"
    """Its preprovision profile, under the names that all units of its model request."""
    OWN_NAME = "own"
    """A file with a name of its own, for families without profile rules."""


def unit_file_of(phone: Phone, settings: Settings) -> UnitFile:
    """Return which file *phone* gets by TFTP as its own."""
    family = phone.model.family
    if bench_delivery_of(phone, settings) is not BenchDelivery.TFTP:
        return UnitFile.NONE
    if family.profile_rules:
        return UnitFile.OF_MODEL
    return UnitFile.OWN_NAME if family.own_file else UnitFile.NONE


def bench_delivery_of(phone: Phone, settings: Settings) -> BenchDelivery:
    """Return how *phone* gets its preprovision profile: as it says itself, or else its family, or else the publication."""
    return BenchDelivery(phone.bench_delivery or phone.model.family.bench_delivery or settings.bench_delivery)


def unit_folder(mac: Mac) -> str:
    """Return the unit's folder below the published one, such as ``units/00-00-5e-00-53-01``."""
    return f"{UNITS}/{mac.dash}"


def factory_names(model: Model) -> tuple[str, ...]:
    """Return the names that a factory-new unit requests, each with its leading slash and in lower case; empty if there are none."""
    if not model.family.factory_rule:
        return ()
    return tuple(dict.fromkeys(name.lower() for name in (model.factory_file, *map(model.expand, model.family.aliases))))
