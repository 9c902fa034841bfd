# SPDX-License-Identifier: GPL-3.0-or-later
"""What was shipped: a batch's packed phones as CSV, and as JSON with an Ed25519 signature beside it.

    openssl pkeyutl -verify -rawin -pubin -inkey manifest.pem -sigfile manifest.json.sig -in manifest.json

says ``Signature Verified Successfully`` when manifest.json is what the station with the public key manifest.pem has signed.
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

from .domain.keys import hkdf

FORMAT = "voip.preprovision manifest 1"
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\0")
# A spreadsheet takes what begins so for a formula, or looks behind it for one

HOW_TO_VERIFY = """manifest.json is signed with Ed25519. To verify it with OpenSSL 3:

    openssl pkeyutl -verify -rawin -pubin -inkey manifest.pem -sigfile manifest.json.sig -in manifest.json

manifest.pem came in this archive, so compare it with the station's public key that you had before.
manifest.csv is for people and is not signed. A cell that began with = + - or @ has an apostrophe before it.
"""


@dataclass(frozen=True)
class Item:
    """One phone as it was shipped. Times are ISO 8601 with an offset, empty where nothing is known."""

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


COLUMNS = tuple(field.name for field in fields(Item))


def to_csv(items: Iterable[Item]) -> bytes:
    """Return the items as CSV in UTF-8."""
    return format_csv(COLUMNS, (vars(item).values() for item in items)).encode("utf-8", "backslashreplace")


def format_csv(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return RFC 4180 CSV in which no cell is a formula to a spreadsheet."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(columns)
    writer.writerows(map(_harmless, row) for row in rows)
    return text.getvalue()


def _harmless(cell: str) -> str:
    return "'" + cell if cell.startswith(_FORMULA) or cell.lstrip().startswith(_FORMULA) else cell


def to_json(items: Iterable[Item], *, made: str, operator: str, station: str, chosen: dict[str, str]) -> bytes:
    """Return the items, and who has made the manifest when and where of which choice; the same for the same arguments."""
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
    """Return the key that a station signs with; another secret of the service makes another key."""
    return Ed25519PrivateKey.from_private_bytes(hkdf(secret.encode(), b"voip.preprovision", b"manifest signature"))


def public_key(key: Ed25519PrivateKey) -> bytes:
    """Return the public half of *key* as PEM."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def to_archive(document: bytes, table: bytes, key: Ed25519PrivateKey) -> bytes:
    """Return a ZIP archive of the manifest as JSON and CSV, its signature, the public key, and how to verify."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("manifest.json", document)
        file.writestr("manifest.json.sig", key.sign(document))
        file.writestr("manifest.pem", public_key(key))
        file.writestr("manifest.csv", table)
        file.writestr("README.txt", HOW_TO_VERIFY)
    return archive.getvalue()
