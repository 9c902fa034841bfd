# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Verification of a server by its certificate, as a phone does it once the chain is known to lead to a trusted root.

Sources: "HTTPS Provisioning" of the in-house chapter: the common name is the server's FQDN, with a slash and information behind
it if wanted, and the server's address is one that this name resolves to; HTTPS_Name_Validate: the subject alternative name.
tls_facts says what each family checks; checks that no source documents are left out. A server that a rule names by
address has no name to compare: either its common name resolves to that address, or the subject alternative name contains it.
"""

from __future__ import annotations

import datetime
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ...certificates.chain import Certificate, read_certificates
from ...certificates.name_matching import covers, names_server
from ...certificates.requests import CertificateError
from ...certificates.tls_facts import TlsFacts
from ...common.text_tables import printable
from ...events.causes.failure_codes import FailureCode


@dataclass
class ServerVerifier:
    """A WireRequest.verify_certificate that keeps the failure code and the names it found."""

    name: str
    """The server as written in the rule."""
    address: str
    facts: TlsFacts
    validates_name: bool
    """Whether HTTPS_Name_Validate is on."""
    resolve: Callable[[str], Sequence[str]]
    code: FailureCode | None = field(default=None, init=False)
    """Why the certificate was refused."""
    found: str = field(default="", init=False)
    """The names in the certificate, for people."""

    def __call__(self, der: bytes) -> str:
        """Return why the phone refuses this certificate; empty when it accepts it."""
        self.code = None
        try:
            certificate = parse_der(der)
        except CertificateError as error:
            self.code = FailureCode.CHAIN
            return str(error)
        self.found = ", ".join(map(printable, _certificate_names(certificate)))
        return self._refuse_name(certificate) or self._refuse_address(certificate)

    def _refuse_name(self, certificate: Certificate) -> str:
        if self.facts.common_name:
            why = self._refuse_common_name(certificate)
        else:
            why = "" if self._in_san(certificate, fallback=True) else f"the certificate is not for {self.name}"
        if not why and self.facts.checks_san and self.validates_name and not self._in_san(certificate, fallback=False):
            why = f"the subject alternative name does not contain {self.name}"
        self.code = FailureCode.CERTIFICATE_NAME if why else None
        return f"{why}; the certificate's names are {self.found or 'none'}" if why else ""

    def _refuse_common_name(self, certificate: Certificate) -> str:
        names = certificate.common_names
        if not names:
            return "the certificate has no common name"
        if self.name != self.address and not all(names_server(name, self.name) for name in names):
            return f"the common name is not {self.name}"
        return ""

    def _in_san(self, certificate: Certificate, fallback: bool) -> bool:
        if self.name == self.address:
            return self.address in certificate.addresses or (fallback and self.address in certificate.common_names)
        if certificate.dns_names is None:
            return fallback and any(covers(name, self.name) for name in certificate.common_names)
        return any(covers(name, self.name) for name in certificate.dns_names)

    def _refuse_address(self, certificate: Certificate) -> str:
        if not self.facts.checks_address:
            return ""
        for name in certificate.common_names:
            host = name.partition("/")[0]
            addresses = self.resolve(host)
            if self.address not in addresses:
                self.code = FailureCode.CERTIFICATE_ADDRESS
                resolved = ", ".join(addresses) or "no address"
                return f"the certificate's name {printable(host)} resolves to {resolved}, not to {self.address}"
        return ""


def _certificate_names(certificate: Certificate) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*certificate.common_names, *(certificate.dns_names or ()), *certificate.addresses]))


def parse_der(der: bytes) -> Certificate:
    """Parse one certificate; raise CertificateError."""
    return read_certificates(ssl.DER_cert_to_PEM_cert(der), "the server's certificate")[0]


def validity_error(der: bytes, now: float) -> str:
    """Return why a certificate is not valid at *now*; empty when it is, or cannot be parsed."""
    try:
        certificate = parse_der(der)
    except CertificateError:
        return ""
    moment = datetime.datetime.fromtimestamp(now, datetime.UTC)
    clock = f"and the phone's clock says {moment:%Y-%m-%d %H:%M} UTC"
    if moment < certificate.not_before:
        return f"the certificate is valid from {certificate.not_before:%Y-%m-%d %H:%M} UTC, {clock}"
    if moment > certificate.not_after:
        return f"the certificate expired on {certificate.not_after:%Y-%m-%d %H:%M} UTC, {clock}"
    return ""
