# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reports of an emulated phone's parameters, as Report_Rule demands.

Sources: "Report rule" of the SPA and MPP guides: written by TFTP, posted (or put, see Family.report_method) by HTTP; --key seals it
as a profile is sealed; RFC 8188 without --key where the phone has keying material; GPP_SA to GPP_SD and that material are left out.
Guesses: passwords are left out too, and keys within rules are masked; --delta sends what has changed since the last report, and
--status the phone's product, serial number and firmware.
"""

from __future__ import annotations

from collections.abc import Mapping

from ...common.redaction import HIDDEN, is_secret
from ...events.causes.failure_codes import FailureCode
from ...families.model import Family
from ...profiles.flat_profile import NAME, Setting, build
from ...profiles.rules.model import Destination
from ...profiles.sealing.aes128gcm import encrypt_content
from ...profiles.sealing.model import Sealing, SealingError
from ...profiles.sealing.openssl_enc import seal
from ..device.state import PhoneState
from ..device.trace import ResyncError
from ..fetching.fetcher import FileRequest
from ..fetching.profile_decoder import ProfileDecodingError, keying_material

_MAX_DEPTH = 16


def reportable_parameters(parameters: Mapping[str, str], family: Family) -> dict[str, str]:
    """Return the parameters that a report may contain, keys within rules masked."""
    return {
        path: family.redact(path, value)
        for path, value in parameters.items()
        if not is_secret(path)
        and family.redact(path, value) != HIDDEN
        and path.count("/") < _MAX_DEPTH
        and all(NAME.fullmatch(part) for part in path.split("/"))
    }


def build_report(parameter: str, destination: Destination, state: PhoneState, before: Mapping[str, str]) -> FileRequest:
    """Return the request that sends a report to *destination*; *before*: the parameters last reported. Raise ResyncError."""
    family, options = state.family, destination.options
    reported = reportable_parameters(state.parameters, family)
    if "status" in options:
        reported = {
            "Product_Name": state.phone.model.product,
            "Serial_Number": state.phone.serial,
            "Software_Version": state.version,
        }
    elif "delta" in options:
        reported = {path: value for path, value in reported.items() if before.get(path) != value}
    body = build({path: Setting(value) for path, value in reported.items()})
    tftp = destination.target.scheme == "tftp"
    headers = {"Content-Type": "text/xml"}
    try:
        if "key" in options:
            body = seal(body, options["key"], family.digest)
        elif not tftp and state.parameters.get(family.ikm_parameter):
            body = encrypt_content(body, keying_material(family, state.parameters))
            headers["Content-Encoding"] = Sealing.AES128GCM.value
    except (SealingError, ProfileDecodingError) as error:
        raise ResyncError(FailureCode.REPORT, str(error), parameter=parameter) from error
    return FileRequest(parameter, body=body, method="PUT" if tftp else family.report_method, headers=headers)
