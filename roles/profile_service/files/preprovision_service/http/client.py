# SPDX-License-Identifier: GPL-3.0-or-later
"""The client behind a request, from the headers that nginx sets or empties, whatever a client has sent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from flask import request

from ..domain.certificates.client_identity import OWNER_PATTERN
from ..domain.events.logs.refusals import RefusalReason

_OWNER = re.compile(OWNER_PATTERN, re.IGNORECASE)
_REFUSALS = {
    "": RefusalReason.NOT_HTTPS,
    "NONE": RefusalReason.NO_CERTIFICATE,
    "SUCCESS": RefusalReason.OTHER_CERTIFICATE,
}


class ClientIdentity(NamedTuple):
    """Address, user agent and certificate of a client."""

    address: str
    agent: str
    verify: str
    """``SUCCESS`` if the client certificate was verified; see $ssl_client_verify of nginx."""
    subject: str

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> ClientIdentity:
        """Read the identity from a WSGI environment."""
        return cls(
            environ.get("HTTP_X_PREPROVISION_ADDRESS", ""),
            environ.get("HTTP_USER_AGENT", "")[:512],
            environ.get("HTTP_X_PREPROVISION_VERIFY", ""),
            environ.get("HTTP_X_PREPROVISION_SUBJECT", "")[:1024],
        )

    def owns(self, mac: str) -> bool:
        """Return whether the client proved with its certificate that it is the phone *mac*."""
        return self.verify == "SUCCESS" and _OWNER.match(f"SUCCESS:/device/{mac}.cfg:{self.subject}") is not None

    @property
    def refusal(self) -> RefusalReason:
        """The reason why this client may not have a file of a phone that it does not own."""
        return _REFUSALS.get(self.verify, RefusalReason.INVALID_CERTIFICATE)


def client_identity() -> ClientIdentity:
    """Return the identity of the client that sent the current request."""
    return ClientIdentity.from_environ(request.environ)


def client_address() -> str:
    """Return the address of the client that sent the current request."""
    return client_identity().address or request.remote_addr or ""
