# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a unit goes on with the server whose certificate it has been shown; that its chain leads to a root is known by then.

Sources: "HTTPS Provisioning" of the in-house chapter: the common name is the server's FQDN, with a slash and information behind
it if wanted, and the server's address is one that this name resolves to; HTTPS_Name_Validate: the subject alternative name. What
each family checks is certificate_rules.tls_facts; a fact that no source settles is not checked. A server that a rule names by
address has no name to compare: its common name alone leads back to it, or its address stands in the subject alternative name.
"""

from __future__ import annotations

import datetime
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .certificate_rules import TlsFacts, covers, names_server
from .certificates import CertificateError
from .x509_chain import Certificate, read_certificates, shown


@dataclass
class ServerJudge:
    """Call it with the certificate, in DER: it returns why the unit hangs up, or nothing; code and found say more."""

    name: str
    """The server, as the rule names it."""
    address: str
    facts: TlsFacts
    validates_name: bool
    """HTTPS_Name_Validate."""
    resolve: Callable[[str], Sequence[str]]
    code: str = field(default="", init=False)
    """certificate_name or certificate_address when it was refused."""
    found: str = field(default="", init=False)
    """The names in the certificate."""

    def __call__(self, der: bytes) -> str:
        self.code = ""
        try:
            certificate = read_der(der)
        except CertificateError as error:
            self.code = "chain"
            return str(error)
        self.found = ", ".join(map(shown, _names(certificate)))
        return self._refuse_name(certificate) or self._refuse_address(certificate)

    def _refuse_name(self, certificate: Certificate) -> str:
        if self.facts.common_name:
            why = self._refuse_common_name(certificate)
        else:
            why = "" if self._in_san(certificate, fallback=True) else f"the certificate is not one of {self.name}"
        if not why and self.facts.checks_san and self.validates_name and not self._in_san(certificate, fallback=False):
            why = f"the subject alternative name does not hold {self.name}"
        self.code = "certificate_name" if why else ""
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
                self.code = "certificate_address"
                told = ", ".join(addresses) or "no address"
                return f"the certificate's name {shown(host)} leads to {told}, not to {self.address}"
        return ""


def _names(certificate: Certificate) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*certificate.common_names, *(certificate.dns_names or ()), *certificate.addresses]))


def read_der(der: bytes) -> Certificate:
    """Read one certificate; raise CertificateError."""
    return read_certificates(ssl.DER_cert_to_PEM_cert(der), "what the server sends")[0]


def out_of_time(der: bytes, now: float) -> str:
    """Tell what is wrong with a certificate's times; nothing when they are right, or it cannot be read."""
    try:
        certificate = read_der(der)
    except CertificateError:
        return ""
    moment = datetime.datetime.fromtimestamp(now, datetime.UTC)
    clock = f"and the unit's clock says {moment:%Y-%m-%d %H:%M} UTC"
    if moment < certificate.not_before:
        return f"the certificate is valid from {certificate.not_before:%Y-%m-%d %H:%M} UTC, {clock}"
    if moment > certificate.not_after:
        return f"the certificate expired on {certificate.not_after:%Y-%m-%d %H:%M} UTC, {clock}"
    return ""
