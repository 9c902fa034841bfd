# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What each family of phones is known to do when it meets an HTTPS server.

Sources: "HTTPS Provisioning" of the in-house chapter of the ATA 191/192 provisioning guide, which the SPA and MPP guides share: the
common name is the server's FQDN, optionally followed by a slash and information; the server's address is compared with a DNS lookup
of that name; the signer is one that the phone carries. Parameter HTTPS_Name_Validate of the same guide: subject alternative name.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

VERSIONS = ("TLS 1.0", "TLS 1.1", "TLS 1.2", "TLS 1.3")

Fact: TypeAlias = Literal["lowest", "highest", "ciphers", "needs_rsa", "common_name", "checks_san", "checks_address"]
"""Name of an attribute of TlsFacts."""


@dataclass(frozen=True)
class TlsFacts:
    """What the phones of one family offer and check."""

    lowest: str = "TLS 1.0"
    highest: str = "TLS 1.2"
    """Lowest and highest version that they offer."""
    ciphers: tuple[str, ...] = ()
    """Ciphers that they offer, as OpenSSL names them; empty where they are not known."""
    needs_rsa: bool = True
    """Whether the server's key and all keys that sign must be RSA."""
    common_name: bool = False
    """Whether the common name must be the server's FQDN, optionally followed by a slash and information; otherwise RFC 2818."""
    checks_san: bool = False
    """Whether the subject alternative name must contain the server's name."""
    checks_address: bool = False
    """Whether the server's address must be one that its name resolves to."""
    uncertain: frozenset[Fact] = frozenset(
        {"lowest", "highest", "ciphers", "needs_rsa", "common_name", "checks_san", "checks_address"}
    )
    """Facts that no source settles; a finding that rests on one is a warning at most."""

    @property
    def versions(self) -> tuple[str, ...]:
        """All versions that they offer; empty when lowest is above highest."""
        return VERSIONS[VERSIONS.index(self.lowest) : VERSIONS.index(self.highest) + 1]

    def corrected(self, facts: Mapping[str, Any]) -> TlsFacts:
        """Return these facts with some replaced, by the names of the attributes; a replaced fact is certain."""
        uncertain = frozenset(fact for fact in self.uncertain if fact not in facts)
        return dataclasses.replace(self, **facts, uncertain=uncertain)


_CHAPTER = TlsFacts(
    common_name=True,
    checks_address=True,
    uncertain=frozenset({"lowest", "highest", "needs_rsa", "checks_san"}),
)
# Ciphers: table 1-2 of the SPA provisioning guide 3.01 (SPA2102), without those of 56 and 40 bits. They predate TLS 1.2, hence
# TLS 1.0 is inferred; later firmware of SPA1xx and SPA5xx may support more. RSA: administration guide of SPA300/500.
_SPA = dataclasses.replace(
    _CHAPTER,
    highest="TLS 1.0",
    ciphers=("DHE-RSA-AES256-SHA", "AES256-SHA", "DHE-RSA-AES128-SHA", "AES128-SHA", "RC4-SHA", "RC4-MD5"),
    uncertain=frozenset({"lowest", "highest", "ciphers", "checks_san"}),
)
_FACTS: Mapping[str, TlsFacts] = {
    # SAN: HTTPS_Name_Validate, default Yes, since 11.1(0)MSR4 (CSCvv70173 in its release notes). Versions and ECDSA: no source.
    "ata19x": dataclasses.replace(_CHAPTER, checks_san=True, uncertain=_CHAPTER.uncertain - {"checks_san"}),
    "spa": _SPA,
    "pap2t": _SPA,
    # A server reported to offer only TLS 1.2 and 1.3 serves recent firmware (fusionpbx-install.sh, pull request 388). Otherwise no
    # source.
    "mpp": _CHAPTER,
}


def tls_facts(family: str) -> TlsFacts:
    """Return the facts of the family of that name; without a source, as for other vendors' families, all are uncertain."""
    return _FACTS.get(family, TlsFacts())
