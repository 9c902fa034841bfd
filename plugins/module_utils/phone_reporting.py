# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an emulated unit reports of its parameters, as Report_Rule says.

Sources: "Report rule" of the SPA and MPP guides: by TFTP it is written, by HTTP posted (or put, see Family.report_method); --key
seals it as a profile is sealed; RFC 8188 without --key where the unit has keying material; GPP_SA to GPP_SD and that material are
left out. Guesses: passwords are left out too, and keys within rules are masked; --delta sends what has changed since the last
report, and --status what the unit is.
"""

from __future__ import annotations

from collections.abc import Mapping

from .families import Family
from .phone_diary import ResyncError
from .phone_fetching import Wish
from .phone_memory import Memory
from .profile import HIDDEN, NAME, Setting, build, is_secret
from .profile_opening import OpeningError, keying_material
from .rules import Destination
from .sealing import AES128GCM, SealingError, encrypt_content, seal

_DEEPEST = 16


def reported(parameters: Mapping[str, str], family: Family) -> dict[str, str]:
    """Return the parameters that may be told, as they may be told."""
    return {
        path: family.shown(path, value)
        for path, value in parameters.items()
        if not is_secret(path)
        and family.shown(path, value) != HIDDEN
        and path.count("/") < _DEEPEST
        and all(NAME.fullmatch(part) for part in path.split("/"))
    }


def report_wish(parameter: str, destination: Destination, memory: Memory, before: Mapping[str, str]) -> Wish:
    """Return what is sent to *destination*; *before* is what was reported last. Raise ResyncError."""
    family, options = memory.family, destination.options
    told = reported(memory.parameters, family)
    if "status" in options:
        told = {
            "Product_Name": memory.phone.model.product,
            "Serial_Number": memory.phone.serial,
            "Software_Version": memory.version,
        }
    elif "delta" in options:
        told = {path: value for path, value in told.items() if before.get(path) != value}
    body = build({path: Setting(value) for path, value in told.items()})
    tftp = destination.target.scheme == "tftp"
    headers = {"Content-Type": "text/xml"}
    try:
        if "key" in options:
            body = seal(body, options["key"], family.digest)
        elif not tftp and memory.parameters.get(family.ikm_parameter):
            body = encrypt_content(body, keying_material(family, memory.parameters))
            headers["Content-Encoding"] = AES128GCM
    except (SealingError, OpeningError) as error:
        raise ResyncError("report", str(error), parameter=parameter) from error
    return Wish(parameter, body=body, method="PUT" if tftp else family.report_method, headers=headers)
