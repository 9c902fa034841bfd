# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Findings of certificate checks: how serious each is, what is wrong and what to do."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from typing import NamedTuple


class Level(StrEnum):
    """How serious a finding is, the most serious first."""

    ERROR = "error"
    """Phones refuse the server."""
    WARNING = "warning"
    """Some phones may refuse it, or soon will."""
    INFO = "info"


class Code(StrEnum):
    """Short name of a finding, for programs."""

    # The server and its address
    UNREACHABLE = "unreachable"
    NOT_RESOLVED = "not_resolved"
    ADDRESS_MISMATCH = "address_mismatch"
    KEYS_DIFFER = "keys_differ"
    CERTIFICATES_DIFFER = "certificates_differ"
    NO_COMMON_PROTOCOL = "no_common_protocol"
    NO_COMMON_CIPHER = "no_common_cipher"
    OLD_PROTOCOL = "old_protocol"
    NEEDS_SERVER_NAME = "needs_server_name"
    NO_CLIENT_CERTIFICATE = "no_client_certificate"
    CLIENT_CERTIFICATE_REFUSED = "client_certificate_refused"
    NO_MAKER_CA = "no_maker_ca"
    # Files
    UNREADABLE = "unreadable"
    PEM_FORM = "pem_form"
    KEY = "key"
    KEY_EXPOSED = "key_exposed"
    KEY_MISMATCH = "key_mismatch"
    # The chain
    NO_ROOTS = "no_roots"
    UNNEEDED_CERTIFICATE = "unneeded_certificate"
    WRONG_ORDER = "wrong_order"
    SELF_SIGNED = "self_signed"
    ROOT_SENT = "root_sent"
    ROOT_MISMATCH = "root_mismatch"
    UNKNOWN_ROOT = "unknown_root"
    MISSING_INTERMEDIATE = "missing_intermediate"
    CHAIN_MISMATCH = "chain_mismatch"
    NOT_A_CA = "not_a_ca"
    PATH_TOO_LONG = "path_too_long"
    # Names
    COMMON_NAME_LONG = "common_name_long"
    COMMON_NAME_CHARACTERS = "common_name_characters"
    NO_COMMON_NAME = "no_common_name"
    COMMON_NAME_MISMATCH = "common_name_mismatch"
    SEVERAL_COMMON_NAMES = "several_common_names"
    NO_SAN = "no_san"
    SAN_MISMATCH = "san_mismatch"
    NAME_MISMATCH = "name_mismatch"
    WILDCARD = "wildcard"
    # Validity
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"
    EXPIRES_BEFORE_RESYNC = "expires_before_resync"
    EXPIRES_SOON = "expires_soon"
    ENDS_SOON = "ends_soon"
    # Key, signature, uses
    KEY_TYPE = "key_type"
    KEY_SMALL = "key_small"
    KEY_OLD = "key_old"
    KEY_LARGE = "key_large"
    SIGNATURE_WEAK = "signature_weak"
    SIGNATURE_OLD = "signature_old"
    SIGNATURE_UNKNOWN = "signature_unknown"
    IS_CA = "is_ca"
    KEY_USAGE = "key_usage"
    EXTENDED_KEY_USAGE = "extended_key_usage"


class Finding(NamedTuple):
    """Something wrong or worth knowing; *what* and *remedy* are clauses of one sentence."""

    level: Level
    code: Code
    what: str
    remedy: str

    @property
    def sentence(self) -> str:
        """Both clauses together."""
        return f"{self.what}; {self.remedy}"

    def to_dict(self) -> dict[str, str]:
        """Return the fields as plain text."""
        return {"level": self.level.value, "code": self.code.value, "what": self.what, "remedy": self.remedy}

    @classmethod
    def of_error(cls, code: Code, error: Exception) -> Finding:
        """Return an error finding for an exception whose message is such a sentence, or only its first clause."""
        what, _semicolon, remedy = str(error).partition("; ")
        return cls(Level.ERROR, code, what, remedy or "copy the file again")


class Findings:
    """Collects findings. An error that rests on an uncertain fact becomes a warning."""

    def __init__(self, uncertain: Collection[str] = ()) -> None:
        """*uncertain*: names of the facts that no source settles."""
        self._uncertain = uncertain
        self._found: list[Finding] = []

    def error(self, code: Code, what: str, remedy: str, rests_on: str = "") -> None:
        """Add an error that rests on the fact of that name."""
        if rests_on in self._uncertain:
            self.warning(code, f"{what}, as far as is known", remedy)
        else:
            self.add(Finding(Level.ERROR, code, what, remedy))

    def warning(self, code: Code, what: str, remedy: str) -> None:
        """Add a warning."""
        self.add(Finding(Level.WARNING, code, what, remedy))

    def info(self, code: Code, what: str, remedy: str) -> None:
        """Add something worth knowing."""
        self.add(Finding(Level.INFO, code, what, remedy))

    def add(self, finding: Finding) -> None:
        """Add a finding."""
        self._found.append(finding)

    @property
    def as_found(self) -> list[Finding]:
        """The findings in the order in which they were added."""
        return list(self._found)

    @property
    def by_level(self) -> list[Finding]:
        """The findings, the most serious first."""
        return by_level(self._found)


def by_level(findings: Collection[Finding]) -> list[Finding]:
    """Return the findings, the most serious first, and otherwise in their order."""
    levels = list(Level)
    return sorted(findings, key=lambda finding: levels.index(finding.level))
