# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Requests that the station refused: status, path, and the reason that the web server or the profile service logs."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple


class RefusalReason(StrEnum):
    """Why a phone's own file was refused, as nginx and the profile service log it."""

    NOT_HTTPS = "not by HTTPS"
    NO_CERTIFICATE = "no client certificate"
    INVALID_CERTIFICATE = "a client certificate that is not valid"
    GENERIC_CERTIFICATE = "a client certificate of no phone in particular"
    OTHER_CERTIFICATE = "the client certificate of another phone"


_FAILED = "FAILED:"
_WITHOUT_REASON = re.compile(r"HTTP (?P<status>[0-9]{3}), (?P<path>.*)", re.DOTALL)
_WITH_REASON = re.compile(r"(?P<reason>.+?) \(HTTP (?P<status>[0-9]{3}), (?P<path>.*)\)", re.DOTALL)


class Refusal(NamedTuple):
    """A request that was refused; as text, what the database stores and people see."""

    status: int
    path: str
    reason: str = ""
    """A RefusalReason, also with what add_verify_error() adds, or another text of the profile service."""

    def __str__(self) -> str:
        answer = f"HTTP {self.status}, {self.path}"
        return f"{self.reason} ({answer})" if self.reason else answer


def add_verify_error(reason: str, verify: object) -> str:
    """Return *reason*, and for an invalid certificate what is wrong with it. *verify*: $ssl_client_verify of nginx."""
    if reason == RefusalReason.INVALID_CERTIFICATE and isinstance(verify, str) and verify.startswith(_FAILED):
        return f"{reason}: {verify.removeprefix(_FAILED)}"
    return reason


def verify_error_of(reason: str) -> str | None:
    """Return OpenSSL's text in what add_verify_error() made; empty if it has none, None for another reason."""
    name, _colon, error = reason.partition(": ")
    return error if name == RefusalReason.INVALID_CERTIFICATE else None


def read_refusal(text: str) -> Refusal:
    """Return what str() made of a refusal; a text of another form gives a refusal without a status."""
    match = _WITHOUT_REASON.fullmatch(text) or _WITH_REASON.fullmatch(text)
    if match is None:
        return Refusal(0, "", text)
    return Refusal(int(match["status"]), match["path"], match.groupdict().get("reason") or "")
