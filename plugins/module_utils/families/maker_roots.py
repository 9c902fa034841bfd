# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The makers' CAs: which sign the certificates of a family's phones, and which sign server certificates that these phones accept.

Each fact names its source. No certificate is shipped: users get them from where the makers publish them, and compare fingerprints.
docs/reference/maker_roots.md shows the table; a contract test compares it with the data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_CISCO_PKI = "https://www.cisco.com/security/pki/"
_CISCO_SIGNING = "software.cisco.com, Certificate Management (sign-in)"
_POLY_PKI = "http://pki.polycom.com/pki/"

SOURCES: Mapping[str, str] = {
    "A-guide": "Cisco, ATA 191/192 multiplatform provisioning guide, section HTTPS Provisioning",
    "A-mic": "Cisco, ATA 191 release notes for 12.0(1), section Manufacturing Installed Certificate Signature and SHA-256 Support",
    "BW": "Cisco, Webex for Cisco BroadWorks, section Certificates and Firewalls for multiplatform devices",
    "CA-list": "Cisco community, SPA Certificate Authority (CA) list (document 3129561)",
    "M-guide": "Cisco, IP Phone 7800/8800 multiplatform provisioning guides, section HTTPS",
    "OS-notes": "Cisco, PhoneOS release notes (Desk Phone 9800 Series, Video Phone 8875), requirements",
    "BIV": "Fingerprint computed from the certificate in CiscoDevNet/BootIntegrityValidator 2.2.1",
    "crt.sh": "Fingerprint in crt.sh, as transparency-dev/tesseract cites it",
    "SUDI": "Fingerprint computed from the certificate in Cisco's sample script device_validation.py 1.1; its signature verifies",
    "genie": "CiscoTestAutomation/genieparser, golden outputs of show crypto pki trustpoints: who signs whom",
    "webex-sdk": "Fingerprint pinned by Cisco's webex-js-sdk, tooling/generate-kms-caroots.js",
    "P-guide": "Poly, UC Software 5.9.0 administrator's guide, Using the Factory-Installed Certificate",
    "P-script": "Public scripts that download Poly's CAs: names and addresses",
    "Y-guide": "Yealink, administrator's guides of SIP-T2/T4/T5 phones, Supported Trusted and Server Certificates",
    "Y-report": "Third-party description of Yealink's provisioning, read in a code search without the repository's name",
}
"""Short name of a source -> what it is."""


@dataclass(frozen=True)
class MakerRoot:
    """One CA of a maker."""

    name: str
    """Its common name. If *uncertain* says so, what the maker calls it, whose words the certificate may spell otherwise."""
    maker: str
    devices_of: tuple[str, ...] = ()
    """Families whose phones' own certificates it signs, directly or through a CA below it."""
    servers_of: tuple[str, ...] = ()
    """Families that accept a server certificate below it."""
    issuer: str = ""
    """The CA that signed it; empty for a root, and where no source says."""
    sha256: str = ""
    """Fingerprint of the certificate, 64 hexadecimal digits; empty where no public source gives it."""
    published: str = ""
    """Where the maker publishes it."""
    sources: tuple[str, ...] = ()
    """Keys of SOURCES."""
    uncertain: str = ""
    """What no source settles; empty if nothing."""


MAKER_ROOTS: tuple[MakerRoot, ...] = (
    MakerRoot(
        "Cisco Root CA 2048",
        "Cisco",
        devices_of=("ata19x", "mpp"),
        sha256="8327bc8c9d69947b3de3c27511537267f59c21b9fa7b613fafbccd53b7024000",
        published=f"{_CISCO_PKI} (crca2048)",
        sources=("BW", "crt.sh", "BIV", "genie", "A-mic"),
        uncertain="for ata19x inferred: units made before their certificates were signed with SHA-256",
    ),
    MakerRoot(
        "Cisco Manufacturing CA",
        "Cisco",
        devices_of=("ata19x", "mpp"),
        issuer="Cisco Root CA 2048",
        sha256="c74d4b4a14519dd065191d96845e8d4ec851436bc559c4a45e24ca5c7c01fcd3",
        published=f"{_CISCO_PKI} (cmca)",
        sources=("BW", "SUDI", "genie", "A-mic"),
        uncertain="for ata19x inferred: units made before their certificates were signed with SHA-256",
    ),
    MakerRoot(
        "Cisco Root CA M1",
        "Cisco",
        devices_of=("mpp",),
        sha256="705eaafc3ff488030017d59832603eefad514171b583808675f45c190e6378f8",
        published=f"{_CISCO_PKI} (crcam1)",
        sources=("BW", "webex-sdk"),
        uncertain="which models",
    ),
    MakerRoot(
        "Cisco Root CA M2",
        "Cisco",
        devices_of=("ata19x", "mpp"),
        sha256="cd85167b3935e27bcc3b0f5fa24c8457882d0bb994f88269a7f72829d957eae9",
        published=f"{_CISCO_PKI} (crcam2)",
        sources=("BW", "BIV", "genie", "A-mic"),
        uncertain="for ata19x the source is about the other firmware of the same hardware",
    ),
    MakerRoot(
        "Cisco Manufacturing CA SHA2",
        "Cisco",
        devices_of=("ata19x", "mpp"),
        issuer="Cisco Root CA M2",
        sha256="95a0e58a998e802ac77ad529b9add8e5b40cf90af39a856db514a36346501ec5",
        published=f"{_CISCO_PKI} (cmca2)",
        sources=("BW", "SUDI", "genie", "A-mic"),
        uncertain="for ata19x the source is about the other firmware of the same hardware",
    ),
    MakerRoot(
        "Cisco Manufacturing CA III",
        "Cisco",
        devices_of=("mpp",),
        published=f"{_CISCO_PKI} (cmca3)",
        sources=("BW",),
        uncertain="fingerprint, signer, which models",
    ),
    MakerRoot(
        "Cisco Root CA 2099",
        "Cisco",
        devices_of=("mpp",),
        sha256="e7e12793643f18bee5b8e53ab5803bb3d59d8e63d14ce6346c004b0dfa34fecc",
        published=f"{_CISCO_PKI} (crca2099)",
        sources=("BW", "BIV", "OS-notes"),
        uncertain="which models",
    ),
    MakerRoot(
        "High Assurance SUDI CA",
        "Cisco",
        issuer="Cisco Root CA 2099",
        sha256="addb9f882c9931eb35aad51f08ebfc5030652c19a10129c0d6173ed8be704c2a",
        published=f"{_CISCO_PKI} (hasudi)",
        sources=("OS-notes", "BIV"),
        uncertain="known for Desk Phone 9800 and Video Phone 8875 only, which are in no family here",
    ),
    MakerRoot(
        "ACT2 SUDI CA",
        "Cisco",
        issuer="Cisco Root CA 2048",
        sha256="65fab04aef298be3b942e60e1a9417b9c0c6a18ee045f2d1114d5567426583fb",
        published=f"{_CISCO_PKI} (ACT2SUDICA)",
        sources=("BIV", "genie"),
        uncertain="known for routers and switches only; no source names a phone",
    ),
    MakerRoot(
        "Sipura CA",
        "Cisco",
        devices_of=("ata19x", "mpp", "pap2t", "spa"),
        servers_of=("ata19x", "mpp", "pap2t", "spa"),
        published=f"{_CISCO_SIGNING}: comes with a signed certificate, as spacroot.crt or spacroot.cert",
        sources=("A-guide", "M-guide", "CA-list"),
        uncertain="fingerprint and exact common name; guides of newer families repeat it, whose phones may have other certificates",
    ),
    MakerRoot(
        "Linksys CA",
        "Cisco",
        devices_of=("spa",),
        servers_of=("mpp", "spa"),
        published=_CISCO_SIGNING,
        sources=("CA-list", "M-guide"),
        uncertain="fingerprint and exact common name; that it signs phones' certificates too",
    ),
    MakerRoot(
        "Cisco Small Business CA",
        "Cisco",
        devices_of=("spa",),
        servers_of=("mpp", "spa"),
        published=_CISCO_SIGNING,
        sources=("CA-list", "M-guide"),
        uncertain="fingerprint and exact common name; that it signs phones' certificates too",
    ),
    MakerRoot(
        "Cisco 2k Small Business CA",
        "Cisco",
        devices_of=("spa",),
        servers_of=("ata19x", "mpp", "spa"),
        published=_CISCO_SIGNING,
        sources=("CA-list", "A-guide", "M-guide"),
        uncertain="fingerprint and exact common name; that it signs phones' certificates too; for ata19x from the guide's form",
    ),
    MakerRoot(
        "Polycom Root CA",
        "Poly",
        devices_of=("poly",),
        published=f"{_POLY_PKI}Polycom%20Root%20CA.crt (DER)",
        sources=("P-guide", "P-script"),
        uncertain="fingerprint (expires on 2044-03-09)",
    ),
    MakerRoot(
        "Polycom Equipment Policy CA",
        "Poly",
        devices_of=("poly",),
        issuer="Polycom Root CA",
        published=f"{_POLY_PKI}Polycom%20Equipment%20Policy%20CA.crt (DER)",
        sources=("P-guide", "P-script"),
        uncertain="fingerprint; its signer is inferred",
    ),
    MakerRoot(
        "Polycom Equipment Issuing CA 1",
        "Poly",
        devices_of=("poly",),
        issuer="Polycom Equipment Policy CA",
        published=f"{_POLY_PKI}Polycom%20Equipment%20Issuing%20CA%201.crt (DER)",
        sources=("P-script",),
        uncertain="fingerprint; its signer is inferred",
    ),
    MakerRoot(
        "Polycom Equipment Issuing CA 2",
        "Poly",
        devices_of=("poly",),
        issuer="Polycom Equipment Policy CA",
        published=f"{_POLY_PKI}Polycom%20Equipment%20Issuing%20CA%202.crt (DER)",
        sources=("P-script",),
        uncertain="fingerprint; its signer is inferred",
    ),
    MakerRoot(
        "Yealink Root CA",
        "Yealink",
        devices_of=("yealink", "yealink_dect"),
        sources=("Y-guide", "Y-report"),
        uncertain="fingerprint, where it is published, exact common name; for yealink_dect inferred",
    ),
    MakerRoot(
        "Yealink Equipment Issuing CA",
        "Yealink",
        devices_of=("yealink", "yealink_dect"),
        issuer="Yealink Root CA",
        sources=("Y-guide", "Y-report"),
        uncertain="fingerprint, where it is published, exact common name; for yealink_dect inferred",
    ),
)
"""Makers' CAs, each root before those below it. Nothing public was found on those of grandstream and snom."""


def device_roots(family: str) -> tuple[str, ...]:
    """Return the names of the CAs that sign the certificates of a family's phones; empty if nothing public is known."""
    return tuple(root.name for root in MAKER_ROOTS if family in root.devices_of)


def server_roots(family: str) -> tuple[str, ...]:
    """Return the names of the makers' CAs below which a family accepts a server certificate; empty if nothing public is known."""
    return tuple(root.name for root in MAKER_ROOTS if family in root.servers_of)
