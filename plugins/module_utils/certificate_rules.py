# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What phones demand of a server's certificate and of its TLS, and what is wrong with one that they meet.

Sources: "HTTPS Provisioning" of the in-house chapter of the ATA 191/192 provisioning guide, which the SPA and MPP guides share: the
common name is the server's FQDN, optionally with a slash and information behind it; the server's address is compared with a DNS
lookup of that name; the signer is one that the unit carries. Parameter HTTPS_Name_Validate of the same guide: subject alternative
name. RFC 5280 and RFC 5246 for the rest.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from .certificates import USUAL_KEY, CertificateError
from .families import Family
from .x509_chain import (
    Certificate,
    blocks,
    in_order,
    is_signed_by,
    normalise_pem,
    public_bytes,
    read_certificates,
    read_key,
    read_request,
    shown,
    signing_path,
)

VERSIONS = ("TLS 1.0", "TLS 1.1", "TLS 1.2", "TLS 1.3")
LEVELS = ("error", "warning", "info")
"""error: phones refuse the server; warning: some may, or soon will; info: worth knowing."""

_LONGEST_COMMON_NAME = 64  # RFC 5280, ub-common-name
_LARGEST_KEY = 4096
_SERVER_AUTH = "1.3.6.1.5.5.7.3.1"
_ANY_USE = "2.5.29.37.0"


class Finding(NamedTuple):
    """One thing that is wrong, or worth knowing; *what* and *remedy* are clauses of one sentence."""

    level: str
    code: str
    what: str
    remedy: str

    @property
    def sentence(self) -> str:
        """Both together."""
        return f"{self.what}; {self.remedy}"

    @classmethod
    def of_error(cls, code: str, error: Exception) -> Finding:
        """Make an error of an exception, whose message is such a sentence, or its first clause alone."""
        what, _semicolon, remedy = str(error).partition("; ")
        return cls("error", code, what, remedy or "copy the file anew")


@dataclass(frozen=True)
class TlsFacts:
    """What one family does when it meets a server by HTTPS."""

    lowest: str = "TLS 1.0"
    highest: str = "TLS 1.2"
    """Lowest and highest version that it offers."""
    ciphers: tuple[str, ...] = ()
    """Ciphers that it offers, as OpenSSL names them; none where they are not known."""
    needs_rsa: bool = True
    """Whether the server's key, and those that sign, must be RSA."""
    common_name: bool = False
    """Whether the common name must be the server's FQDN, optionally with a slash and information behind it; else RFC 2818."""
    checks_san: bool = False
    """Whether the subject alternative name must hold the server's name."""
    checks_address: bool = False
    """Whether the server's address must be one that its name resolves to."""
    uncertain: frozenset[str] = frozenset(
        {"lowest", "highest", "ciphers", "needs_rsa", "common_name", "checks_san", "checks_address"}
    )
    """Names of facts that no source settles: what rests on them is no more than a warning."""

    @property
    def versions(self) -> tuple[str, ...]:
        """All versions that it offers; none where lowest and highest are the wrong way round."""
        return VERSIONS[VERSIONS.index(self.lowest) : VERSIONS.index(self.highest) + 1]

    def corrected(self, facts: Mapping[str, Any]) -> TlsFacts:
        """Return this with *facts* in the place of its own; those are certain then. Their names are those of the attributes."""
        return dataclasses.replace(self, **facts, uncertain=self.uncertain - facts.keys())


_CHAPTER = TlsFacts(
    common_name=True,
    checks_address=True,
    uncertain=frozenset({"lowest", "highest", "needs_rsa", "checks_san"}),
)
_FACTS: Mapping[str, TlsFacts] = {
    # SAN: HTTPS_Name_Validate, default Yes, since 11.1(0)MSR4 (CSCvv70173 in its release notes). Versions and ECDSA: no source.
    "ata19x": dataclasses.replace(_CHAPTER, checks_san=True, uncertain=_CHAPTER.uncertain - {"checks_san"}),
    # Ciphers: table 1-2 of the SPA provisioning guide 3.01 (SPA2102), without those of 56 and 40 bits. They go back to before TLS
    # 1.2, so that TLS 1.0 is inferred; later firmware of SPA1xx and SPA5xx may do more. RSA: administration guide of SPA300/500.
    "spa": dataclasses.replace(
        _CHAPTER,
        highest="TLS 1.0",
        ciphers=("DHE-RSA-AES256-SHA", "AES256-SHA", "DHE-RSA-AES128-SHA", "AES128-SHA", "RC4-SHA", "RC4-MD5"),
        uncertain=frozenset({"lowest", "highest", "ciphers", "checks_san"}),
    ),
    # A reported server with TLS 1.2 and 1.3 alone serves recent firmware (fusionpbx-install.sh, pull request 388). Else no source.
    "mpp": _CHAPTER,
}


def tls_facts(family: str) -> TlsFacts:
    """Return what is known of the family of that name; all is uncertain where nothing is, as for other vendors' families."""
    return _FACTS.get(family, TlsFacts())


class _Judge:
    """Collects what is found; a demand that rests on an uncertain fact is a warning."""

    def __init__(self, facts: TlsFacts) -> None:
        self.facts = facts
        self.findings: list[Finding] = []

    def add(self, level: str, code: str, what: str, remedy: str, fact: str = "") -> None:
        if level == "error" and fact in self.facts.uncertain:
            level = "warning"
            what += ", as far as is known"
        self.findings.append(Finding(level, code, what, remedy))


def by_level(findings: Iterable[Finding]) -> list[Finding]:
    """Sort errors to the front, otherwise in the order in which they were found."""
    return sorted(findings, key=lambda finding: LEVELS.index(finding.level))


def unresolved(name: str) -> Finding:
    """The name has no address in DNS."""
    what = f"the name {name} has no IPv4 address in DNS, so that phones neither find nor accept the server"
    return Finding("error", "not_resolved", what, f"give {name} an A record with the server's address")


def names_server(common_name: str, name: str) -> bool:
    """Tell whether a common name is *name*, alone or with a slash and information behind it, as ``pv.example.net/info``.

    Case does not matter; information must be printable ASCII. *name* is a host's, so that no wildcard fits.
    """
    return common_name.isascii() and common_name.isprintable() and _same(common_name.partition("/")[0], name)


def covers(pattern: str, name: str) -> bool:
    """Tell whether a DNS name of a certificate is *name*, or a wildcard for it, whose star stands for the whole first label."""
    star, _dot, domain = pattern.partition(".")
    if star != "*":
        return _same(pattern, name)
    return "." in domain and _same(domain, name.partition(".")[2])


def _same(one: str, other: str) -> bool:
    return one.isascii() and one.lower() == other.removesuffix(".").lower()


def check_certificate(
    chain: str,
    roots: str | None,
    *,
    name: str,
    resolved: Sequence[str],
    address: str,
    family: Family,
    facts: TlsFacts,
    now: datetime.datetime,
    resync_period: int,
    expires_within: int,
) -> list[Finding]:
    """Judge the PEM *chain* that *address* sent to a phone of *family* that looked for *name*; errors come first.

    *roots*: PEM of the roots that those phones carry; None where they are not known. *resolved*: addresses of *name*. *now*: with
    time zone. *resync_period* in seconds, *expires_within* in days. Raise CertificateError when a text cannot be read.
    """
    judge = _Judge(facts)
    sent = read_certificates(chain, "what the server sends")
    carried = [] if roots is None else read_certificates(roots, "roots")
    path = signing_path(sent[0], sent[1:])
    _check_order(judge, sent, path)
    if roots is None:
        judge.add(
            "warning",
            "no_roots",
            "it is not known whether phones carry the root of this chain",
            "give the roots that these phones carry, in roots",
        )
    else:
        path = _check_root(judge, path, carried, family)
    _check_signers(judge, path)
    _check_common_name(judge, sent[0], name)
    _check_san(judge, sent[0], name)
    _check_address(judge, name, resolved, address)
    for certificate in path:
        who = _who(certificate, sent[0])
        _check_times(judge, certificate, who, now, resync_period, expires_within)
        _check_key(judge, certificate, who)
        if not certificate.own_issuer or certificate is sent[0]:
            _check_signature(judge, certificate, who)
    _check_uses(judge, sent[0])
    return by_level(judge.findings)


def _who(certificate: Certificate, first: Certificate) -> str:
    return "the server's certificate" if certificate is first else f"the certificate of '{shown(certificate.subject)}'"


def _check_order(judge: _Judge, sent: Sequence[Certificate], path: Sequence[Certificate]) -> None:
    used = {certificate.der for certificate in path}
    for certificate in sent:
        if certificate.der not in used:
            judge.add(
                "warning",
                "unneeded_certificate",
                f"the server sends the certificate of '{shown(certificate.subject)}', which signs nothing in its chain",
                "take it out of the server's file",
            )
    if [certificate.der for certificate in sent if certificate.der in used] != [certificate.der for certificate in path]:
        judge.add(
            "error",
            "wrong_order",
            "the server sends its certificates in the wrong order",
            "write them into its file so that each signs the one before, the server's own first",
        )


def _check_root(judge: _Judge, path: list[Certificate], roots: Sequence[Certificate], family: Family) -> list[Certificate]:
    """Look for the root of *path* among *roots*; return the path with it."""
    last = path[-1]
    load = f", or name its root in {family.custom_ca}, fetched by TFTP or HTTP before" if family.custom_ca else ""
    sign = f"have the server's certificate signed by one that phones of {family.name} carry{load}"
    if any(root.der == last.der for root in roots):
        if len(path) == 1:
            judge.add(
                "warning",
                "self_signed",
                "the server's certificate is its own root",
                "sign it with a root that stays the same when the server's certificate is renewed",
            )
        else:
            judge.add(
                "info",
                "root_sent",
                f"the server sends the root '{shown(last.subject)}' too, which phones need to have already",
                "leave it out of the server's file to save bytes",
            )
        return path
    root = next((root for root in roots if is_signed_by(last, root)), None)
    if root is not None:
        return [*path, root]
    if last.own_issuer:
        code, what = "unknown_root", f"the chain ends with the root '{shown(last.subject)}', which these phones do not carry"
        if len(path) == 1:
            code, what = "self_signed", "the server's certificate is signed by itself, and these phones do not carry it as a root"
        judge.add("error", code, what, sign)
    elif any(root.subject == last.issuer for root in roots):
        judge.add(
            "error",
            "root_mismatch",
            f"the root '{shown(last.issuer)}' that these phones carry has another key than the one that signed the chain",
            sign,
        )
    else:
        judge.add(
            "error",
            "missing_intermediate",
            f"the chain ends below '{shown(last.issuer)}', which the server does not send and these phones do not carry",
            f"append the certificate of that signer, and of those above it, to the server's file; if it is the root, {sign}",
        )
    return path


def _check_signers(judge: _Judge, path: Sequence[Certificate]) -> None:
    for below, signer in enumerate(path[1:]):
        if not signer.is_ca or (signer.key_usage is not None and "keyCertSign" not in signer.key_usage):
            judge.add(
                "error",
                "not_a_ca",
                f"'{shown(signer.subject)}' signs a certificate of the chain, but may not: it is no CA's",
                "have the certificate signed by a CA",
            )
        elif signer.path_length is not None and signer.path_length < below:
            judge.add(
                "error",
                "path_too_long",
                f"'{shown(signer.subject)}' allows {signer.path_length} CAs below itself, and the chain has {below}",
                "have the certificate signed without so many in between",
            )


def _check_common_name(judge: _Judge, certificate: Certificate, name: str) -> None:
    names = certificate.common_names
    for common_name in names:
        if len(common_name) > _LONGEST_COMMON_NAME:
            judge.add(
                "error",
                "common_name_long",
                f"the common name '{shown(common_name)}' has {len(common_name)} characters; {_LONGEST_COMMON_NAME} are allowed",
                "have a certificate made with a shorter name, or with less information behind the slash",
            )
        if not (common_name.isascii() and common_name.isprintable()):
            judge.add(
                "error",
                "common_name_characters",
                f"the common name '{shown(common_name)}' holds characters that no name of a host has",
                f"have a certificate made with the common name {name}",
            )
    if not judge.facts.common_name:
        return
    if not names:
        judge.add(
            "error",
            "no_common_name",
            "the certificate has no common name, where phones look for the server's name",
            f"have a certificate made with the common name {name}",
            "common_name",
        )
    elif not all(names_server(common_name, name) for common_name in names):
        found = " and ".join(f"'{shown(common_name)}'" for common_name in names)
        judge.add(
            "error",
            "common_name_mismatch",
            f"the common name is {found}, and phones look for {name}",
            f"have a certificate made with the common name {name}, to which a slash and information may be added",
            "common_name",
        )
    elif len(names) > 1:
        judge.add(
            "warning",
            "several_common_names",
            f"the certificate has {len(names)} common names, and phones may look at any of them",
            "have a certificate made with one",
        )


def _check_san(judge: _Judge, certificate: Certificate, name: str) -> None:
    names = certificate.dns_names
    fitting = [pattern for pattern in names or () if covers(pattern, name)]
    if fitting:
        if not any(_same(pattern, name) for pattern in fitting):
            judge.add(
                "warning",
                "wildcard",
                f"only the wildcard '{shown(fitting[0])}' fits {name}, and not all phones take one",
                f"have a certificate made with DNS:{name} in its subject alternative name",
            )
    elif names is None:
        if judge.facts.checks_san:
            judge.add(
                "error",
                "no_san",
                "the certificate has no subject alternative name, which phones check",
                f"have a certificate made with the subject alternative name DNS:{name}{_unless(judge.facts)}",
                "checks_san",
            )
        elif not judge.facts.common_name and not any(_same(common_name, name) for common_name in certificate.common_names):
            judge.add(
                "error",
                "name_mismatch",
                f"neither the common name nor a subject alternative name is {name}",
                f"have a certificate made with the common name {name} and the subject alternative name DNS:{name}",
                "common_name",
            )
    elif judge.facts.checks_san or not judge.facts.common_name:
        listed = ", ".join(f"'{shown(pattern)}'" for pattern in (*names, *certificate.addresses)) or "no name"
        judge.add(
            "error",
            "san_mismatch",
            f"the subject alternative name holds {listed}, and phones look for {name}",
            f"have a certificate made with DNS:{name} in its subject alternative name{_unless(judge.facts)}",
            "checks_san",
        )
    else:
        judge.add(
            "warning",
            "san_mismatch",
            f"the subject alternative name lacks {name}, so that whoever checks it refuses the server",
            f"have a certificate made with DNS:{name} in its subject alternative name",
        )


def _unless(facts: TlsFacts) -> str:
    is_parameter = facts.common_name and "checks_san" not in facts.uncertain
    return ", or set HTTPS_Name_Validate to No" if is_parameter else ""


def _check_address(judge: _Judge, name: str, resolved: Sequence[str], address: str) -> None:
    if not resolved:
        judge.findings.append(unresolved(name))
    elif address not in resolved:
        judge.add(
            "error" if judge.facts.checks_address else "warning",
            "address_mismatch",
            f"the name {name} resolves to {', '.join(resolved)}, but {address} answered, and phones compare that",
            f"give {name} an A record with {address}, or let the server answer where the name leads",
            "checks_address",
        )


def _check_times(
    judge: _Judge, certificate: Certificate, who: str, now: datetime.datetime, resync_period: int, expires_within: int
) -> None:
    end = certificate.not_after
    renew = "install one that is valid longer"
    if now < certificate.not_before:
        judge.add(
            "error",
            "not_yet_valid",
            f"{who} is valid from {_date(certificate.not_before)}, and now it is {_date(now)}",
            "set the clock of this machine and of whoever signed it, or wait",
        )
    if end < now:
        judge.add("error", "expired", f"{who} expired on {_date(end)}", renew)
    elif end < now + datetime.timedelta(seconds=resync_period):
        judge.add(
            "error",
            "expires_before_resync",
            f"{who} expires on {_date(end)}, before phones come again in {resync_period} seconds",
            renew,
        )
    elif end < now + datetime.timedelta(days=expires_within):
        judge.add("warning", "expires_soon", f"{who} expires on {_date(end)}, in less than {expires_within} days", renew)


def _date(time: datetime.datetime) -> str:
    return time.astimezone(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")


def _check_key(judge: _Judge, certificate: Certificate, who: str) -> None:
    new = "have one made with an RSA key of 2048 bits"
    if certificate.key == "EC":
        if judge.facts.needs_rsa:
            judge.add("error", "key_type", f"{who} has an elliptic curve key, and phones need RSA", new, "needs_rsa")
    elif certificate.key != "RSA":
        judge.add("error", "key_type", f"{who} has a key of the kind {certificate.key}, which no phone knows", new)
    elif certificate.key_size < 1024:
        judge.add("error", "key_small", f"{who} has an RSA key of {certificate.key_size} bits, which can be broken", new)
    elif certificate.key_size < 2048:
        judge.add(
            "warning",
            "key_old",
            f"{who} has an RSA key of {certificate.key_size} bits, which only old units take",
            f"{new}, unless these phones are too old for it",
        )
    elif certificate.key_size > _LARGEST_KEY:
        judge.add(
            "warning",
            "key_large",
            f"{who} has an RSA key of {certificate.key_size} bits, which may be too large or slow for phones",
            new,
        )


def _check_signature(judge: _Judge, certificate: Certificate, who: str) -> None:
    new = "have it signed with SHA-256"
    if certificate.digest == "md5":
        judge.add("error", "signature_weak", f"{who} is signed with MD5, which can be forged", new)
    elif certificate.digest == "sha1":
        judge.add("warning", "signature_old", f"{who} is signed with SHA-1, which only old units take", new)
    elif certificate.digest not in ("sha256", "sha384", "sha512"):
        kind = certificate.digest or "a kind that is not known here"
        judge.add("warning", "signature_unknown", f"{who} is signed with {kind}", new)


def _check_uses(judge: _Judge, certificate: Certificate) -> None:
    new = "have one made for a server"
    usage = certificate.key_usage
    if certificate.is_ca:
        judge.add("warning", "is_ca", "the server's certificate is a CA's, which may sign others", new)
    wanted = {"digitalSignature", "keyEncipherment"} if certificate.key == "RSA" else {"digitalSignature"}
    missing = sorted(wanted - (wanted if usage is None else usage))
    if missing:
        judge.add(
            "error" if len(missing) == len(wanted) else "warning",
            "key_usage",
            f"the server's certificate lacks the key usage {' and '.join(missing)}",
            f"{new}, with the key usage {' and '.join(sorted(wanted))}",
        )
    extended = certificate.extended_key_usage
    if extended is not None and not extended & {_SERVER_AUTH, _ANY_USE}:
        judge.add(
            "error",
            "extended_key_usage",
            "the server's certificate is not meant for servers: its extended key usage lacks serverAuth",
            new,
        )


def check_protocols(protocols: Mapping[str, str], as_phone: str, facts: TlsFacts) -> list[Finding]:
    """Judge what a server accepts: *protocols* version -> cipher, empty where it refuses; *as_phone* the cipher that it agrees on
    with what the family offers."""
    judge = _Judge(facts)
    accepted = [version for version in VERSIONS if protocols.get(version)]
    common = [version for version in accepted if version in facts.versions]
    if not common:
        span = facts.lowest if facts.lowest == facts.highest else f"{facts.lowest} to {facts.highest}"
        judge.add(
            "error",
            "no_common_protocol",
            f"the server accepts {', '.join(accepted) or 'no version of TLS'}, and phones offer {span}",
            f"let the server accept {facts.highest}, on an address or port for these phones alone if it is an old version",
            "highest" if accepted and accepted[0] > facts.highest else "lowest",
        )
    elif not as_phone:
        offered = ", ".join(facts.ciphers) or "those that need an RSA certificate"
        judge.add(
            "error",
            "no_common_cipher",
            f"the server accepts none of the ciphers that phones offer: {offered}",
            "add one of them to the server's ciphers",
            "ciphers" if facts.ciphers else "needs_rsa",
        )
    for version in accepted:
        if version < "TLS 1.2" and any(newer > version for newer in common):
            judge.add(
                "info",
                "old_protocol",
                f"the server accepts {version}, which these phones do not need",
                "turn it off unless others need it",
            )
    return by_level(judge.findings)


def check_server_name(chain: str, without_name: str) -> list[Finding]:
    """Judge whether a client that sends no server name (RFC 6066) gets another certificate: PEM of both chains."""
    if chain == without_name:
        return []
    other = "another certificate" if without_name else "none"
    return [
        Finding(
            "warning",
            "needs_server_name",
            f"a phone that sends no server name in its first message, as old firmware does not, gets {other}",
            "make this server the default one at its address",
        )
    ]


def check_client_certificate(asked: bool, status: int | None) -> list[Finding]:
    """Judge how a server takes client certificates: whether it *asked*, and its HTTP *status* to one; 0: it cut the connection.

    nginx answers 400 to a certificate that it cannot verify or that is missing.
    """
    if not asked:
        what = "the server asks for no client certificate, so that it cannot tell one phone from another"
        return [Finding("info", "no_client_certificate", what, "let it ask for one before it gives out what is not sealed")]
    if status in (0, 400):
        how = "cuts the connection when it is shown" if status == 0 else "answers 400 to"
        what = f"the server {how} this client certificate"
        return [Finding("error", "client_certificate_refused", what, "add the root of that certificate to those that it trusts")]
    return []


def summary(chain: str) -> dict[str, Any]:
    """Tell what the first certificate of a PEM chain says, for people; raise CertificateError."""
    sent = read_certificates(chain, "what the server sends")
    first = sent[0]
    return {
        "subject": shown(first.subject),
        "names": [shown(name) for name in (*(first.dns_names or ()), *first.addresses)],
        "issuer": shown(first.issuer),
        "not_before": first.not_before.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "not_after": first.not_after.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "key": f"{first.key} {first.key_size}",
        "signature": first.digest,
        "chain_length": len(sent),
    }


class Signed(NamedTuple):
    """A certificate that may be installed."""

    pem: str
    """It and the rest of its chain, in the order in which a server sends them."""
    issuer: str
    not_before: datetime.datetime
    not_after: datetime.datetime
    """When the first in the chain ends."""


def take_signed(
    certificate_pem: str, key_pem: str, name: str, chain_pem: str, now: datetime.datetime, days_left: int, key_bits: int = USUAL_KEY
) -> Signed:
    """Return what is to be installed for the server *name*; raise CertificateError with the first problem of `check_pair`."""
    for problem in check_pair(certificate_pem, key_pem, name, chain_pem, now, days_left, key_bits):
        raise CertificateError(problem.sentence)
    chain = in_order([*read_certificates(certificate_pem, ""), *_rest(chain_pem)])
    return Signed(
        pem="".join(certificate.pem for certificate in chain),
        issuer=shown(chain[0].issuer),
        not_before=chain[0].not_before,
        not_after=min(certificate.not_after for certificate in chain),
    )


def check_pair(
    certificate_pem: str,
    key_pem: str,
    name: str,
    chain_pem: str,
    now: datetime.datetime,
    days_left: int = 0,
    key_bits: int = USUAL_KEY,
) -> list[Finding]:
    """Judge a certificate, its key and the rest of its chain before they are installed for the server *name*; all are errors.

    *key_pem*: the private key, or the signing request that was made with it. The certificate's text may hold the chain too;
    *chain_pem* may be empty. *now*: with time zone. *days_left*: how long all must be valid from then on. *key_bits*: the
    smallest RSA key that is wanted; one below USUAL_KEY, for the oldest phones alone, also allows that in the chain, and SHA-1.
    """
    problems: list[Finding] = []

    def refuse(code: str, what: str, remedy: str) -> None:
        problems.append(Finding("error", code, what, remedy))

    for where, text in (("the certificate", certificate_pem), ("the key", key_pem), ("the chain", chain_pem)):
        if "\r" in text or text.startswith("\ufeff"):
            refuse("pem_form", f"the file of {where} has Windows line ends or a byte order mark", "convert it, as dos2unix does")
    if blocks(certificate_pem, "PRIVATE KEY") or blocks(chain_pem, "PRIVATE KEY"):
        refuse("key_exposed", "a private key stands among the certificates, which everybody may read", "take it out of that file")
    key = _public_key(key_pem, problems)
    try:
        given = read_certificates(certificate_pem, "the certificate")
        rest = _rest(chain_pem)
    except CertificateError as error:
        problems.append(Finding.of_error("unreadable", error))
        return problems
    everything = list({certificate.der: certificate for certificate in (*given, *rest)}.values())
    own = next((certificate for certificate in everything if public_bytes(certificate.parsed.public_key()) == key), None)
    if key is not None and own is None:
        refuse(
            "key_mismatch",
            "the certificate belongs to another key",
            "install the certificate that was made from this key's request",
        )
    first = own or given[0]
    _check_chain_of_pair(everything, first, refuse)
    for common_name in first.common_names:
        if len(common_name) > _LONGEST_COMMON_NAME:
            refuse(
                "common_name_long",
                f"the common name '{shown(common_name)}' has {len(common_name)} characters",
                f"have a certificate made with at most {_LONGEST_COMMON_NAME}",
            )
    if not _names(first, name):
        listed = ", ".join(f"'{shown(text)}'" for text in (*first.common_names, *(first.dns_names or ()))) or "nobody"
        refuse("name_mismatch", f"the certificate is for {listed}, and the server is {name}", f"have one made for {name}")
    for certificate in signing_path(first, everything):
        who = _who(certificate, first)
        if now < certificate.not_before:
            refuse("not_yet_valid", f"{who} is valid from {_date(certificate.not_before)} on", "set the clock, or wait")
        elif certificate.not_after < now + datetime.timedelta(days=days_left):
            code = "expired" if certificate.not_after < now else "ends_soon"
            refuse(code, f"{who} {outlived(certificate.not_after, now, days_left)}", "have a new one made")
        _check_strength(certificate, who, key_bits if certificate is first else min(key_bits, USUAL_KEY), refuse)
    return problems


def _check_strength(certificate: Certificate, who: str, key_bits: int, refuse: Any) -> None:
    """Web servers refuse to start with what is weaker."""
    old = "or set certificates_key_bits to 1024, and web_server_tls to legacy, if phones are too old for it"
    if certificate.key == "RSA" and certificate.key_size < key_bits:
        what = f"{who} has an RSA key of {certificate.key_size} bits, and {key_bits} are wanted"
        refuse("key_small", what, f"have one made with a longer key, {old}")
    weak = ("md5",) if key_bits < USUAL_KEY else ("md5", "sha1")
    if certificate.digest in weak and not certificate.own_issuer:
        refuse("signature_weak", f"{who} is signed with {certificate.digest.upper()}", f"have it signed with SHA-256, {old}")


def outlived(end: datetime.datetime, now: datetime.datetime, days_left: int) -> str:
    """Say of a certificate that it ends too soon for the phones that are prepared *now*; both with time zone."""
    if end < now:
        return f"expired on {_date(end)}"
    return (
        f"expires on {_date(end)}, in {(end - now).days} days, and phones that leave now may come to it for "
        f"{days_left} days (certificates_renew_days)"
    )


def _rest(chain_pem: str) -> list[Certificate]:
    return read_certificates(chain_pem, "the chain") if normalise_pem(chain_pem) else []


def _public_key(key_pem: str, problems: list[Finding]) -> bytes | None:
    try:
        if blocks(key_pem, "CERTIFICATE REQUEST"):
            return read_request(key_pem, "the request")
        return read_key(key_pem, "the key")
    except CertificateError as error:
        problems.append(Finding.of_error("key", error))
        return None


def _check_chain_of_pair(everything: Sequence[Certificate], first: Certificate, refuse: Any) -> None:
    try:
        ordered = in_order(everything)
    except CertificateError:
        path = signing_path(first, everything)
        if len(path) == 1:
            what = f"the chain has no certificate of '{shown(first.issuer)}', which signed the server's"
        else:
            spare = _subjects(certificate for certificate in everything if certificate.der not in {link.der for link in path})
            what = f"the chain holds {spare}, which signs nothing in it"
        refuse("chain_mismatch", what, "give the certificates from the server's signer up to the root, and no others")
        return
    if [certificate.der for certificate in ordered] != [certificate.der for certificate in everything]:
        refuse(
            "wrong_order",
            "the certificates are in the wrong order",
            f"write them as {_subjects(ordered)}, each signed by the next",
        )


def _subjects(certificates: Iterable[Certificate]) -> str:
    return ", ".join(f"'{shown(certificate.subject)}'" for certificate in certificates)


def _names(certificate: Certificate, name: str) -> bool:
    if certificate.dns_names is not None:
        return any(covers(pattern, name) for pattern in certificate.dns_names)
    return any(names_server(common_name, name) for common_name in certificate.common_names)
