# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Why an emulated phone was not preprovisioned, as codes: the emulator reports one, diagnosis explains it.

Results of modules hold ``str(code)``: Ansible's templates and JSON take no enum.
"""

from __future__ import annotations

from enum import StrEnum


class FailureCode(StrEnum):
    """The failure that ended a phone's resync."""

    # DHCP and names
    NO_LEASE = "no_lease"
    NO_OPTION = "no_option"
    NO_ADDRESS = "no_address"
    """The server's name does not resolve."""

    # No answer, or none that ends
    NO_ANSWER = "no_answer"
    REFUSED = "refused"
    """Nothing listens on the port."""
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    TOO_LARGE = "too_large"
    LOOP = "loop"
    REDIRECTS = "redirects"

    # What a server answers
    NOT_FOUND = "not_found"
    FORBIDDEN = "forbidden"
    HTTP_STATUS = "http_status"
    """A status that has no code of its own."""
    LOGIN = "login"

    # The server's certificate
    NO_ROOT = "no_root"
    """The phone has no root certificate to verify the server with."""
    CHAIN = "chain"
    CERTIFICATE_NAME = "certificate_name"
    CERTIFICATE_ADDRESS = "certificate_address"
    """The certificate's name leads to an address other than the server's."""
    CERTIFICATE_TIME = "certificate_time"
    HANDSHAKE = "handshake"

    # Profiles and rules
    KEY_WRONG = "key_wrong"
    DIGEST_WRONG = "digest_wrong"
    KEY_MISSING = "key_missing"
    NOT_SEALED = "not_sealed"
    CORRUPT = "corrupt"
    RULE = "rule"
    """A rule that cannot be followed."""
    NO_OWN_FILE = "no_own_file"
    """The phone's rule does not end at a file of its own."""
    NO_RESYNC = "no_resync"
    """The profile turns resyncs off."""
    UPGRADE = "upgrade"
    REPORT = "report"

    # What only the station can see: no phone reports these codes
    NO_LOG = "no_log"
    """The phone's syslog messages have not arrived."""
    NO_EVENT = "no_event"
    """The database has no event of the phone."""
