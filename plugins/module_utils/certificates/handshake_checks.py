# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What phones demand of a server's TLS: common versions and ciphers, and how it treats client certificates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..common.text_tables import printable
from ..families.model import Family
from .delivery_checks import lacks_device_root
from .findings import Code, Finding, Findings, Level
from .requests import BENCH_CA_NAME
from .tls_facts import VERSIONS, TlsFacts


def check_protocols(protocols: Mapping[str, str], as_phone: str, facts: TlsFacts) -> list[Finding]:
    """Check which versions and ciphers a server accepts; errors come first.

    *protocols*: version -> cipher, empty where the server refuses it. *as_phone*: the cipher agreed on with a phone of the family.
    """
    findings = Findings(facts.uncertain)
    accepted = [version for version in VERSIONS if protocols.get(version)]
    common = [version for version in accepted if version in facts.versions]
    if not common:
        span = facts.lowest if facts.lowest == facts.highest else f"{facts.lowest} to {facts.highest}"
        findings.error(
            Code.NO_COMMON_PROTOCOL,
            f"the server accepts {', '.join(accepted) or 'no version of TLS'}, and phones offer {span}",
            f"let the server accept {facts.highest}; if that is an old version, on an address or port only for these phones",
            "highest" if accepted and accepted[0] > facts.highest else "lowest",
        )
    elif not as_phone:
        offered = ", ".join(facts.ciphers) or "those that need an RSA certificate"
        findings.error(
            Code.NO_COMMON_CIPHER,
            f"the server accepts none of the ciphers that phones offer: {offered}",
            "add one of them to the server's ciphers",
            "ciphers" if facts.ciphers else "needs_rsa",
        )
    for version in accepted:
        if version < "TLS 1.2" and any(newer > version for newer in common):
            what = f"the server accepts {version}, which these phones do not need"
            findings.info(Code.OLD_PROTOCOL, what, "turn it off unless other clients need it")
    return findings.by_level


def check_server_name(chain: str, without_name: str) -> list[Finding]:
    """Check whether a client that sends no server name (RFC 6066) gets the same certificate; both chains are PEM."""
    if chain == without_name:
        return []
    other = "another certificate" if without_name else "none"
    what = f"a phone that sends no server name in its first message, such as one with old firmware, gets {other}"
    return [Finding(Level.WARNING, Code.NEEDS_SERVER_NAME, what, "make this server the default one at its address")]


def check_client_certificate(asked: bool, status: int | None) -> list[Finding]:
    """Check how a server treats client certificates: whether it *asked*, and its HTTP *status*; 0: it closed the connection.

    nginx answers 400 when a certificate is missing or cannot be verified.
    """
    if not asked:
        what = "the server asks for no client certificate, so it cannot tell phones apart"
        remedy = "let it ask for one before it serves unsealed files"
        return [Finding(Level.INFO, Code.NO_CLIENT_CERTIFICATE, what, remedy)]
    if status in (0, 400):
        how = "closes the connection when it gets" if status == 0 else "answers 400 to"
        what = f"the server {how} this client certificate"
        remedy = "add the root of that certificate to those that it trusts"
        return [Finding(Level.ERROR, Code.CLIENT_CERTIFICATE_REFUSED, what, remedy)]
    return []


def check_client_cas(family: Family, client_cas: Sequence[str]) -> list[Finding]:
    """Check whether a server knows the CA of the family's maker. *client_cas*: subjects that it named; empty if it named none."""
    makers = [subject for subject in client_cas if BENCH_CA_NAME not in subject]
    if not client_cas or not lacks_device_root(family, makers):
        return []
    named = ", ".join(f"'{printable(subject)}'" for subject in client_cas)
    what = f"the server accepts client certificates of {named}, and no CA of the maker of {family.name} is among them"
    wanted = f" ({', '.join(family.device_roots)})" if family.device_roots else ""
    remedy = f"add the maker's CA{wanted} to certificates_device_roots, or use no client certificates with these phones"
    return [Finding(Level.WARNING, Code.NO_MAKER_CA, what, remedy)]
