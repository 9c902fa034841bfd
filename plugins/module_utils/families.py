# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What each product family does, as data.

Sources: provisioning guides of the ATA 191/192, SPA1xx/3xx/5xx/9xx and 68xx/78xx/88xx multiplatform ("3PCC") phones, and
field captures of their vendor classes and User-Agents. Where no source settles a value it is an attribute here, so that one
real unit can correct it in one place.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

from .macros import expand


class ModelError(ValueError):
    """No family knows this model; the message names the nearest one."""


@dataclass(frozen=True)
class Family:
    """One product family. Texts with ``{...}`` are formatted with the fields of a unit (see ``Model``)."""

    name: str
    models: tuple[str, ...]
    series: str
    """Regular expression; its first group in the model name is ``$PSN``."""
    product: str
    """What ``$PN`` expands to."""
    factory_rule: str
    """Profile_Rule of a factory-new unit; its expansion is the first file that the unit asks for."""
    digest: str
    """Digest of ``openssl enc`` that the firmware expects: md5 (OpenSSL before 1.1.0) or sha256."""
    vendor_classes: tuple[str, ...]
    """Prefixes of DHCP option 60, compared without case."""
    vendor_class: str
    """Option 60 as a unit sends it."""
    user_agent: str
    firmware: str
    """A firmware version in the family's own spelling, for emulated units."""
    request_message: str
    """Parameter that holds the template of the log message sent before a resync; the next two: after it."""
    success_message: str
    failure_message: str
    custom_ca: str | None
    """Parameter that names an extra root certificate by URL; None where the family has only its built-in roots."""
    syslog_servers: tuple[str, ...]
    """Parameters that hold the syslog server's address, sections joined with ``/``; which one counts is unknown, so all are set."""


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
        return expand(self.family.factory_rule, {"PN": self.product, "PSN": self.series})

    @property
    def vendor_class(self) -> str:
        """DHCP option 60 as this model sends it."""
        return self.family.vendor_class.format(model=self.name, product=self.product)


_FAMILIES = (
    Family(
        name="ata19x",
        models=("ATA191", "ATA192"),
        series=r"ATA(\d+)",
        product="{model}-MPP",
        factory_rule="/ata$PSN.cfg",
        digest="md5",
        vendor_classes=("CISCO ATA19",),
        vendor_class="CISCO {product}",
        user_agent="Cisco/{product}-{firmware} ({serial})",
        firmware="11-1-0MPP-16",
        request_message="Log_Resync_Request_Msg",
        success_message="Log_Resync_Success_Msg",
        failure_message="Log_Resync_Failure_Msg",
        custom_ca="Custom_CA_URL",
        syslog_servers=("Syslog_Server", "router-configuration/Log_Configuration/Syslog_Server_IP"),
    ),
    Family(
        name="spa",
        models=(
            *("SPA112", "SPA122", "SPA232D", "SPA2102", "SPA3102"),
            *("SPA301", "SPA303", "SPA501G", "SPA502G", "SPA504G", "SPA508G", "SPA509G", "SPA512G", "SPA514G"),
            *("SPA525G", "SPA525G2", "SPA901", "SPA921", "SPA922", "SPA941", "SPA942", "SPA962"),
        ),
        series=r"SPA(\w+)",
        product="{model}",
        factory_rule="/spa$PSN.cfg",
        digest="md5",
        vendor_classes=("Cisco SPA", "LINKSYS SPA"),
        vendor_class="Cisco {model}",
        user_agent="Cisco/{model}-{firmware} ({MAC})({serial})",
        firmware="7.6.2",
        request_message="Log_Resync_Request_Msg",
        success_message="Log_Resync_Success_Msg",
        failure_message="Log_Resync_Failure_Msg",
        custom_ca=None,
        syslog_servers=("Syslog_Server",),
    ),
    Family(
        name="mpp",
        models=tuple(
            f"CP-{number}-3PCC"
            for number in (
                *(6821, 6841, 6851, 6861, 6871, 7811, 7821, 7832, 7841, 7861),
                *(8811, 8832, 8841, 8845, 8851, 8861, 8865),
            )
        ),
        series=r"CP-(\d+-3PCC)",
        product="{model}",
        factory_rule="/$PSN.xml",
        digest="md5",
        vendor_classes=("CP-6", "CP-7", "CP-8"),
        vendor_class="{model}",
        user_agent="Cisco-{model}/{firmware} ({mac})",
        firmware="11.3.2",
        request_message="Log_Request_Msg",
        success_message="Log_Success_Msg",
        failure_message="Log_Failure_Msg",
        custom_ca="Custom_CA_Rule",
        syslog_servers=("Syslog_Server",),
    ),
)

FAMILIES: dict[str, Family] = {family.name: family for family in _FAMILIES}
"""Family name -> Family."""

MODELS: dict[str, Model] = {
    model: Model(model, family, family.product.format(model=model), re.findall(family.series, model)[0])
    for family in _FAMILIES
    for model in family.models
}
"""Model name as in ``phone_model`` -> Model."""

_BY_UPPER = {name.upper(): model for name, model in MODELS.items()}


def find_model(name: object) -> Model:
    """Return the model of that name, in any case; raise ModelError naming the nearest known one."""
    model = _BY_UPPER.get(str(name).strip().upper())
    if model is None:
        near = difflib.get_close_matches(str(name).upper(), _BY_UPPER, n=1, cutoff=0.5)
        hint = f"did you mean {_BY_UPPER[near[0]].name}?" if near else f"known are {', '.join(MODELS)}"
        raise ModelError(f"the model '{name}' is not known; {hint}")
    return model
