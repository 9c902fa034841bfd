# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Decoding of a fetched profile: decrypt, decompress, map foreign names, and read the parameters.

Sources: "Profile compression/encryption", RFC 8188 of MPP 11.2(3), and "--alias" (SPA2102 guide: at most 30 mappings, the left side
may be the end of a path). A wrong key is told from a wrong digest by trying the other digest.
"""

from __future__ import annotations

import base64
import binascii
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping

from ...events.causes.failure_codes import FailureCode
from ...families.model import Family
from ...profiles.flat_profile import ProfileError, parse_xml, values
from ...profiles.formats import FORMATS
from ...profiles.sealing.aes128gcm import decrypt_content
from ...profiles.sealing.compression import decompress, is_compressed
from ...profiles.sealing.model import Digest, Sealing, SealingError, TruncatedError, WrongKeyError
from ...profiles.sealing.openssl_enc import is_sealed, unseal
from ..device.ports import WireResponse

MAX_MAPPINGS = 30
_MAPPING = re.compile(r"\s*/?([^\s=;]+)\s*=\s*/flat-profile/([^\s=;]+)\s*")
_MAX_DEPTH = 64


class ProfileDecodingError(Exception):
    """The file cannot be used."""

    def __init__(self, code: FailureCode, message: str) -> None:
        super().__init__(message)
        self.code = code


def encoding(response: WireResponse) -> str:
    """Return the Content-Encoding in lower case."""
    return response.headers.get("content-encoding", "").strip().lower()


def is_encrypted(response: WireResponse) -> bool:
    """Return whether the content is encrypted, by RFC 8188 or ``openssl enc``."""
    return encoding(response) == Sealing.AES128GCM or is_sealed(response.content)


def decode_profile(
    response: WireResponse, key: str | None, alias: str | None, family: Family, parameters: Mapping[str, str]
) -> dict[str, str]:
    """Return path -> value of the profile in *response*; raise ProfileDecodingError.

    *key*: the rule's --key; *alias*: the mappings that the rule's --alias names.
    """
    plain = decrypt(response, key, family, parameters)
    try:
        plain = decompress(plain) if is_compressed(plain) else plain
        return values(FORMATS[family.format].parse(plain)) if alias is None else _mapped(plain, alias)
    except (SealingError, ProfileError) as error:
        raise ProfileDecodingError(FailureCode.CORRUPT, str(error)) from error


def decrypt(response: WireResponse, key: str | None, family: Family, parameters: Mapping[str, str]) -> bytes:
    """Return the decrypted content; a Content-Encoding takes precedence over the rule's key. Raise ProfileDecodingError."""
    content = response.content
    if encoding(response) == Sealing.AES128GCM:
        return _decrypt_content(content, family, parameters)
    if key is not None:
        return _unseal(content, key, family.digest)
    if is_sealed(content):
        raise ProfileDecodingError(FailureCode.KEY_MISSING, "the file is encrypted, but the rule has no --key")
    return content


def _unseal(content: bytes, key: str, digest: str) -> bytes:
    if not digest:
        raise ProfileDecodingError(FailureCode.CORRUPT, "the rule has a --key, but this family cannot decrypt")
    if not is_sealed(content):
        raise ProfileDecodingError(
            FailureCode.NOT_SEALED, "the file is not encrypted, although the rule has a --key: it does not begin with 'Salted__'"
        )
    try:
        plain = unseal(content, key, digest)
    except TruncatedError as error:
        raise ProfileDecodingError(FailureCode.CORRUPT, str(error)) from error
    except SealingError as error:
        reason = str(error)
    else:
        if _is_plausible(plain):
            return plain
        reason = f"the key does not fit, or the digest is not {digest}"
    other = next((name for name in Digest if name != digest and _fits(content, key, name)), "")
    if other:
        raise ProfileDecodingError(FailureCode.DIGEST_WRONG, f"the digest is not {digest}: the key fits with {other}")
    raise ProfileDecodingError(FailureCode.KEY_WRONG, reason)


def _fits(content: bytes, key: str, digest: str) -> bool:
    try:
        return _is_plausible(unseal(content, key, digest))
    except SealingError:
        return False


def _is_plausible(plain: bytes) -> bool:
    """Return whether it looks like a profile: about 1 wrong key in 256 passes the padding check."""
    if is_compressed(plain) or plain.lstrip().startswith(b"<"):
        return True
    try:
        return "\0" not in plain.decode()
    except UnicodeDecodeError:
        return False


def _decrypt_content(content: bytes, family: Family, parameters: Mapping[str, str]) -> bytes:
    try:
        return decrypt_content(content, keying_material(family, parameters))
    except SealingError as error:
        code = FailureCode.KEY_WRONG if isinstance(error, WrongKeyError) else FailureCode.CORRUPT
        raise ProfileDecodingError(code, str(error)) from error


def keying_material(family: Family, parameters: Mapping[str, str]) -> bytes:
    """Return the keying material for aes128gcm; raise ProfileDecodingError."""
    name = family.ikm_parameter
    received = f"it was sent with Content-Encoding: {Sealing.AES128GCM}"
    if not name:
        raise ProfileDecodingError(FailureCode.CORRUPT, f"{received}, which the family {family.name} cannot decrypt")
    text = parameters.get(name, "")
    if not text:
        raise ProfileDecodingError(FailureCode.KEY_MISSING, f"{received}, but {name} is empty")
    if family.ikm_encoding != "base64url":
        return text.encode()
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise ProfileDecodingError(
            FailureCode.KEY_WRONG, f"{name} is not valid base64url, so the file cannot be decrypted"
        ) from error


# -- foreign names


def parse_mappings(text: str) -> dict[str, str]:
    """Parse ``/Foreign/path = /flat-profile/Parameter ;`` lines; raise ProfileError."""
    found: dict[str, str] = {}
    for part in filter(str.strip, text.split(";")):
        match = _MAPPING.fullmatch(part)
        if not match:
            raise ProfileError("--alias: write each mapping as /Foreign/path = /flat-profile/Parameter ;")
        found[match[1].strip("/")] = match[2]
    if not 0 < len(found) <= MAX_MAPPINGS:
        raise ProfileError(f"--alias: {len(found)} mappings; expected 1 to {MAX_MAPPINGS}")
    return found


def _mapped(document: bytes, text: str) -> dict[str, str]:
    """Return the parameters of a foreign document. Guess: what no mapping names is left out, also in a flat profile."""
    mappings = parse_mappings(text)
    found: dict[str, str] = {}
    for path, value in _leaves(parse_xml(document), "", 0):
        ends = [end for end in mappings if path == end or path.endswith(f"/{end}")]
        if ends:
            found[mappings[max(ends, key=len)]] = value
    return found


def _leaves(element: ET.Element, above: str, depth: int) -> Iterator[tuple[str, str]]:
    path = f"{above}{element.tag}"
    if depth > _MAX_DEPTH:
        raise ProfileError("the profile's sections are nested too deeply")
    if not len(element):
        yield path, " ".join((element.text or "").split("\n")).strip()
    for child in element:
        yield from _leaves(child, f"{path}/", depth + 1)
