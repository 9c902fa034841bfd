# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What phones demand of a server's certificate: its chain, names, validity, keys and uses.

Sources: those of tls_facts; RFC 5280 and RFC 5246 for the rest.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

from ..common.text_tables import printable
from ..families.model import Family
from .chain import Certificate, is_signed_by, read_certificates, signing_path
from .findings import Code, Finding, Findings, Level
from .name_matching import covers, names_server, same_name
from .requests import MAX_COMMON_NAME
from .tls_facts import TlsFacts

_MAX_KEY_BITS = 4096
_SERVER_AUTH = "1.3.6.1.5.5.7.3.1"
_ANY_USE = "2.5.29.37.0"
_SENT = "the server's chain"


@dataclass(frozen=True)
class Endpoint:
    """Where phones meet the server."""

    name: str
    """FQDN that they look for."""
    address: str
    """IPv4 address that answered."""
    resolved: Sequence[str]
    """IPv4 addresses of the name."""


@dataclass(frozen=True)
class Demands:
    """What the phones of one family demand."""

    family: Family
    facts: TlsFacts
    roots: str | None
    """PEM of the roots that they carry; None where they are not known."""
    resync_period: int = 86400
    """Seconds until their next resync."""
    expires_within: int = 30
    """Days before a certificate's end from which it is a warning."""


class CertificateSummary(TypedDict):
    """What a certificate says, for people."""

    subject: str
    names: list[str]
    issuer: str
    not_before: str
    not_after: str
    key: str
    signature: str
    chain_length: int
    public_key: str


def summarise(chain: str) -> CertificateSummary:
    """Return what the first certificate of a PEM chain says; raise CertificateError."""
    sent = read_certificates(chain, _SENT)
    first = sent[0]
    return {
        "subject": printable(first.subject),
        "names": [printable(name) for name in (*(first.dns_names or ()), *first.addresses)],
        "issuer": printable(first.issuer),
        "not_before": first.not_before.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "not_after": first.not_after.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "key": f"{first.key} {first.key_size}",
        "signature": first.digest,
        "chain_length": len(sent),
        "public_key": first.public_key_digest,
    }


def compare_servers(certificates: Mapping[str, CertificateSummary]) -> list[Finding]:
    """Return how the certificates of servers behind one name differ; *certificates*: address -> its certificate."""
    findings = Findings()
    addresses = list(certificates)
    for address in addresses[1:]:
        first, other = certificates[addresses[0]], certificates[address]
        if other["public_key"] != first["public_key"]:
            what = f"{addresses[0]} and {address} have certificates of different keys"
            findings.warning(Code.KEYS_DIFFER, what, "install one key and one certificate for the name on all of its servers")
        elif other != first:
            ends = f"until {first['not_after']} and until {other['not_after']}"
            what = f"{addresses[0]} and {address} have different certificates of one key, {ends}"
            findings.warning(Code.CERTIFICATES_DIFFER, what, "install the newer one on both")
    return findings.as_found


def check_certificate(chain: str, endpoint: Endpoint, demands: Demands, now: datetime.datetime) -> list[Finding]:
    """Check the PEM *chain* that phones get at *endpoint*; errors come first.

    *now*: with time zone. Raise CertificateError when a PEM text cannot be read.
    """
    findings = Findings(demands.facts.uncertain)
    sent = read_certificates(chain, _SENT)
    path = signing_path(sent[0], sent[1:])
    _check_order(findings, sent, path)
    if demands.roots is None:
        what = "it is not known whether phones carry the root of this chain"
        findings.warning(Code.NO_ROOTS, what, "give the roots that these phones carry, in roots")
    else:
        path = _find_root(findings, path, read_certificates(demands.roots, "roots"), demands.family)
    _check_signers(findings, path)
    _check_common_name(findings, sent[0], endpoint.name, demands.facts)
    _check_san(findings, sent[0], endpoint.name, demands.facts)
    _check_address(findings, endpoint, demands.facts)
    for certificate in path:
        label = label_of(certificate, sent[0])
        _check_times(findings, certificate, label, demands, now)
        _check_key(findings, certificate, label, demands.facts)
        if not certificate.own_issuer or certificate is sent[0]:
            _check_signature(findings, certificate, label)
    _check_uses(findings, sent[0])
    return findings.by_level


def label_of(certificate: Certificate, first: Certificate) -> str:
    """Return what messages call a certificate of the chain that begins with *first*."""
    return "the server's certificate" if certificate is first else f"the certificate of '{printable(certificate.subject)}'"


def format_time(time: datetime.datetime) -> str:
    """Return a time as messages show it."""
    return time.astimezone(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")


def unresolved(name: str) -> Finding:
    """Return the finding that the name has no address in DNS."""
    what = f"the name {name} has no IPv4 address in DNS, so phones can neither find nor accept the server"
    return Finding(Level.ERROR, Code.NOT_RESOLVED, what, f"give {name} an A record with the server's address")


# -- the chain


def _check_order(findings: Findings, sent: Sequence[Certificate], path: Sequence[Certificate]) -> None:
    used = {certificate.der for certificate in path}
    for certificate in sent:
        if certificate.der not in used:
            what = f"the server sends the certificate of '{printable(certificate.subject)}', which signs nothing in its chain"
            findings.warning(Code.UNNEEDED_CERTIFICATE, what, "remove it from the server's file")
    if [certificate.der for certificate in sent if certificate.der in used] != [certificate.der for certificate in path]:
        what = "the server sends its certificates in the wrong order"
        remedy = "put the server's own certificate first in its file, and each signer after the certificate that it signed"
        findings.error(Code.WRONG_ORDER, what, remedy)


def _find_root(findings: Findings, path: list[Certificate], roots: Sequence[Certificate], family: Family) -> list[Certificate]:
    """Return *path* with its root from *roots*, if it is there."""
    last = path[-1]
    if any(root.der == last.der for root in roots):
        _check_root_sent(findings, path)
        return path
    root = next((root for root in roots if is_signed_by(last, root)), None)
    if root is not None:
        return [*path, root]
    _explain_missing_root(findings, path, roots, family)
    return path


def _check_root_sent(findings: Findings, path: Sequence[Certificate]) -> None:
    if len(path) == 1:
        remedy = "sign it with a root that stays the same when the server's certificate is renewed"
        findings.warning(Code.SELF_SIGNED, "the server's certificate is its own root", remedy)
    else:
        what = f"the server also sends the root '{printable(path[-1].subject)}', which phones must have already"
        findings.info(Code.ROOT_SENT, what, "remove it from the server's file to save bytes")


def _explain_missing_root(findings: Findings, path: Sequence[Certificate], roots: Sequence[Certificate], family: Family) -> None:
    last = path[-1]
    load = f", or name its root in {family.custom_ca}, fetched by TFTP or HTTP before" if family.custom_ca else ""
    remedy = f"have the server's certificate signed by a root that phones of {family.name} carry{load}"
    if last.own_issuer and len(path) == 1:
        what = "the server's certificate is self-signed, and these phones do not carry it as a root"
        findings.error(Code.SELF_SIGNED, what, remedy)
    elif last.own_issuer:
        what = f"the chain ends with the root '{printable(last.subject)}', which these phones do not carry"
        findings.error(Code.UNKNOWN_ROOT, what, remedy)
    elif any(root.subject == last.issuer for root in roots):
        what = f"these phones carry a root '{printable(last.issuer)}', but with a different key from the one that signed the chain"
        findings.error(Code.ROOT_MISMATCH, what, remedy)
    else:
        what = f"the chain ends below '{printable(last.issuer)}', which the server does not send and these phones do not carry"
        append = "append the certificate of that signer, and of those above it, to the server's file"
        findings.error(Code.MISSING_INTERMEDIATE, what, f"{append}; if it is the root, {remedy}")


def _check_signers(findings: Findings, path: Sequence[Certificate]) -> None:
    for below, signer in enumerate(path[1:]):
        if not signer.is_ca or (signer.key_usage is not None and "keyCertSign" not in signer.key_usage):
            what = f"'{printable(signer.subject)}' signs a certificate of the chain but is not allowed to: it is not a CA"
            findings.error(Code.NOT_A_CA, what, "have the certificate signed by a CA")
        elif signer.path_length is not None and signer.path_length < below:
            what = f"'{printable(signer.subject)}' allows {signer.path_length} CAs below itself, and the chain has {below}"
            findings.error(Code.PATH_TOO_LONG, what, "have the certificate signed with fewer CAs in between")


# -- names


def _check_common_name(findings: Findings, certificate: Certificate, name: str, facts: TlsFacts) -> None:
    for common_name in certificate.common_names:
        _check_common_name_text(findings, common_name, name)
    if not facts.common_name:
        return
    names = certificate.common_names
    if not names:
        what = "the certificate has no common name, where phones look for the server's name"
        findings.error(Code.NO_COMMON_NAME, what, f"get a certificate with the common name {name}", "common_name")
    elif not all(names_server(common_name, name) for common_name in names):
        found = " and ".join(f"'{printable(common_name)}'" for common_name in names)
        what = f"the common name is {found}, and phones look for {name}"
        remedy = f"get a certificate with the common name {name}, optionally followed by a slash and information"
        findings.error(Code.COMMON_NAME_MISMATCH, what, remedy, "common_name")
    elif len(names) > 1:
        what = f"the certificate has {len(names)} common names, and phones may look at any of them"
        findings.warning(Code.SEVERAL_COMMON_NAMES, what, "get a certificate with one")


def _check_common_name_text(findings: Findings, common_name: str, name: str) -> None:
    if len(common_name) > MAX_COMMON_NAME:
        what = f"the common name '{printable(common_name)}' has {len(common_name)} characters; {MAX_COMMON_NAME} are allowed"
        remedy = "get a certificate with a shorter name, or with less information after the slash"
        findings.error(Code.COMMON_NAME_LONG, what, remedy)
    if not (common_name.isascii() and common_name.isprintable()):
        what = f"the common name '{printable(common_name)}' contains characters that are invalid in a host name"
        findings.error(Code.COMMON_NAME_CHARACTERS, what, f"get a certificate with the common name {name}")


def _check_san(findings: Findings, certificate: Certificate, name: str, facts: TlsFacts) -> None:
    names = certificate.dns_names
    if names is None:
        _check_missing_san(findings, certificate, name, facts)
        return
    fitting = [pattern for pattern in names if covers(pattern, name)]
    remedy = f"get a certificate with DNS:{name} in its subject alternative name"
    if not fitting and (facts.checks_san or not facts.common_name):
        listed = ", ".join(f"'{printable(pattern)}'" for pattern in (*names, *certificate.addresses)) or "no name"
        what = f"the subject alternative name has {listed}, and phones look for {name}"
        findings.error(Code.SAN_MISMATCH, what, remedy + _unless(facts), "checks_san")
    elif not fitting:
        what = f"the subject alternative name lacks {name}, so any client that checks it refuses the server"
        findings.warning(Code.SAN_MISMATCH, what, remedy)
    elif not any(same_name(pattern, name) for pattern in fitting):
        what = f"only the wildcard '{printable(fitting[0])}' matches {name}, and not all phones accept wildcards"
        findings.warning(Code.WILDCARD, what, remedy)


def _check_missing_san(findings: Findings, certificate: Certificate, name: str, facts: TlsFacts) -> None:
    if facts.checks_san:
        what = "the certificate has no subject alternative name, which phones check"
        remedy = f"get a certificate with the subject alternative name DNS:{name}{_unless(facts)}"
        findings.error(Code.NO_SAN, what, remedy, "checks_san")
    elif not facts.common_name and not any(same_name(common_name, name) for common_name in certificate.common_names):
        what = f"neither the common name nor a subject alternative name is {name}"
        remedy = f"get a certificate with the common name {name} and the subject alternative name DNS:{name}"
        findings.error(Code.NAME_MISMATCH, what, remedy, "common_name")


def _unless(facts: TlsFacts) -> str:
    is_parameter = facts.common_name and "checks_san" not in facts.uncertain
    return ", or set HTTPS_Name_Validate to No" if is_parameter else ""


def _check_address(findings: Findings, endpoint: Endpoint, facts: TlsFacts) -> None:
    name, address = endpoint.name, endpoint.address
    if not endpoint.resolved:
        findings.add(unresolved(name))
    elif address not in endpoint.resolved:
        what = f"the name {name} resolves to {', '.join(endpoint.resolved)}, but {address} answered, and phones compare the two"
        remedy = f"give {name} an A record with {address}, or run the server at the address to which the name resolves"
        if facts.checks_address:
            findings.error(Code.ADDRESS_MISMATCH, what, remedy, "checks_address")
        else:
            findings.warning(Code.ADDRESS_MISMATCH, what, remedy)


# -- one certificate


def _check_times(findings: Findings, certificate: Certificate, label: str, demands: Demands, now: datetime.datetime) -> None:
    end = certificate.not_after
    remedy = "install one that is valid longer"
    if now < certificate.not_before:
        what = f"{label} is valid from {format_time(certificate.not_before)}, and it is {format_time(now)} now"
        findings.error(Code.NOT_YET_VALID, what, "correct the clock of this machine or of the signer, or wait")
    if end < now:
        findings.error(Code.EXPIRED, f"{label} expired on {format_time(end)}", remedy)
    elif end < now + datetime.timedelta(seconds=demands.resync_period):
        what = f"{label} expires on {format_time(end)}, before the phones' next resync in {demands.resync_period} seconds"
        findings.error(Code.EXPIRES_BEFORE_RESYNC, what, remedy)
    elif end < now + datetime.timedelta(days=demands.expires_within):
        what = f"{label} expires on {format_time(end)}, in less than {demands.expires_within} days"
        findings.warning(Code.EXPIRES_SOON, what, remedy)


def _check_key(findings: Findings, certificate: Certificate, label: str, facts: TlsFacts) -> None:
    kind, size = certificate.key, certificate.key_size
    remedy = "get one with an RSA key of 2048 bits"
    if kind == "EC":
        if facts.needs_rsa:
            findings.error(Code.KEY_TYPE, f"{label} has an elliptic curve key, and phones need RSA", remedy, "needs_rsa")
    elif kind != "RSA":
        findings.error(Code.KEY_TYPE, f"{label} has a key of type {kind}, which no phone supports", remedy)
    elif size < 1024:
        findings.error(Code.KEY_SMALL, f"{label} has an RSA key of {size} bits, which can be broken", remedy)
    elif size < 2048:
        what = f"{label} has an RSA key of {size} bits, which only old phones accept"
        findings.warning(Code.KEY_OLD, what, f"{remedy}, unless these phones are too old for it")
    elif size > _MAX_KEY_BITS:
        what = f"{label} has an RSA key of {size} bits, which may be too large or slow for phones"
        findings.warning(Code.KEY_LARGE, what, remedy)


def _check_signature(findings: Findings, certificate: Certificate, label: str) -> None:
    remedy = "have it signed with SHA-256"
    if certificate.digest == "md5":
        findings.error(Code.SIGNATURE_WEAK, f"{label} is signed with MD5, which can be forged", remedy)
    elif certificate.digest == "sha1":
        findings.warning(Code.SIGNATURE_OLD, f"{label} is signed with SHA-1, which only old phones accept", remedy)
    elif certificate.digest not in ("sha256", "sha384", "sha512"):
        algorithm = certificate.digest or "an unknown algorithm"
        findings.warning(Code.SIGNATURE_UNKNOWN, f"{label} is signed with {algorithm}", remedy)


def _check_uses(findings: Findings, certificate: Certificate) -> None:
    remedy = "get one made for a server"
    usage = certificate.key_usage
    if certificate.is_ca:
        findings.warning(Code.IS_CA, "the server's certificate is a CA certificate, which may sign others", remedy)
    required = {"digitalSignature", "keyEncipherment"} if certificate.key == "RSA" else {"digitalSignature"}
    missing = sorted(required - (required if usage is None else usage))
    if missing:
        add = findings.error if len(missing) == len(required) else findings.warning
        what = f"the server's certificate lacks the key usage {' and '.join(missing)}"
        add(Code.KEY_USAGE, what, f"{remedy}, with the key usage {' and '.join(sorted(required))}")
    extended = certificate.extended_key_usage
    if extended is not None and not extended & {_SERVER_AUTH, _ANY_USE}:
        what = "the server's certificate is not meant for servers: its extended key usage lacks serverAuth"
        findings.error(Code.EXTENDED_KEY_USAGE, what, remedy)
