# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests of shipped phones: as CSV, and as JSON with an Ed25519 signature.

    openssl pkeyutl -verify -rawin -pubin -inkey manifest.pem -sigfile manifest.json.sig -in manifest.json

prints ``Signature Verified Successfully`` if the station with the public key manifest.pem has signed manifest.json.
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, fields

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from .domain.profiles.keys import hkdf

FORMAT = "voip.preprovision manifest 2"
MIN_SECRET_LENGTH = 32
# Spreadsheets take a cell that begins with one of these for a formula, or look behind it for one
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\0")

HOW_TO_VERIFY = """manifest.json is signed with Ed25519. To verify it with OpenSSL 3:

    openssl pkeyutl -verify -rawin -pubin -inkey manifest.pem -sigfile manifest.json.sig -in manifest.json

manifest.pem came with this archive, so compare it with the station's public key that you obtained earlier.
manifest.csv is for people and is not signed. Cells that begin with = + - or @ have an apostrophe in front.
"""


@dataclass(frozen=True)
class Item:
    """One phone as it was shipped. Times are ISO 8601 with an offset, or empty if unknown."""

    mac: str
    serial: str
    model: str
    customer: str
    name: str
    firmware: str
    profile_hash: str
    """ETag of the profile that it fetched last."""
    certificate_subject: str
    scanned_in: str
    profile_fetched: str
    packed: str
    operator: str
    evidence: str
    """What proved that it had fetched its profile: ``address``, ``tftp`` or ``certificate``; empty if nothing did."""
    override: str
    """The operator's reason for packing it without evidence, or empty."""


COLUMNS = tuple(field.name for field in fields(Item))


def to_csv(items: Iterable[Item]) -> bytes:
    """Return the items as CSV in UTF-8."""
    return format_csv(COLUMNS, (vars(item).values() for item in items)).encode("utf-8", "backslashreplace")


def format_csv(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return CSV as in RFC 4180, in which no cell is a formula to a spreadsheet."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(columns)
    writer.writerows(map(_harmless, row) for row in rows)
    return text.getvalue()


def _harmless(cell: str) -> str:
    return "'" + cell if cell.startswith(_FORMULA) or cell.lstrip().startswith(_FORMULA) else cell


def to_json(items: Iterable[Item], *, made: str, operator: str, station: str, chosen: dict[str, str]) -> bytes:
    """Return the items with the manifest's author, time, station and filter; equal arguments yield equal bytes."""
    phones = [vars(item) for item in items]
    document = {
        "format": FORMAT,
        "made": made,
        "operator": operator,
        "station": station,
        "filter": chosen,
        "count": len(phones),
        "phones": phones,
    }
    return (json.dumps(document, indent=1) + "\n").encode()


def signing_key(secret: str) -> Ed25519PrivateKey:
    """Return the station's signing key, derived from the service's secret; refuse one that anybody could guess."""
    if len(secret) < MIN_SECRET_LENGTH:
        raise ValueError(f"the service's secret has {len(secret)} characters, but a signature needs at least {MIN_SECRET_LENGTH}")
    return Ed25519PrivateKey.from_private_bytes(hkdf(secret.encode(), b"voip.preprovision", b"manifest signature"))


def public_key(key: Ed25519PrivateKey) -> bytes:
    """Return the public half of *key* as PEM."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def to_archive(document: bytes, table: bytes, key: Ed25519PrivateKey) -> bytes:
    """Return a ZIP archive of the manifest as JSON and CSV, the signature, the public key, and instructions to verify it."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("manifest.json", document)
        file.writestr("manifest.json.sig", key.sign(document))
        file.writestr("manifest.pem", public_key(key))
        file.writestr("manifest.csv", table)
        file.writestr("README.txt", HOW_TO_VERIFY)
    return archive.getvalue()
