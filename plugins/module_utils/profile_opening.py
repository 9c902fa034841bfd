# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a unit makes of a file that it has fetched: decrypt, decompress, map foreign names, and read the parameters.

Sources: "Profile compression/encryption", RFC 8188 of MPP 11.2(3), and "--alias" (SPA2102 guide: at most 30 mappings, the left side
may be the end of a path). A key that does not fit is told from a digest that does not by trying the other one.
"""

from __future__ import annotations

import base64
import binascii
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping

from .families import Family
from .phone_network import Answer
from .profile import ProfileError, parse_xml, values
from .profile_formats import FORMATS
from .sealing import AES128GCM, DIGESTS, SealingError, decompress, decrypt_content, is_compressed, is_sealed, unseal

MOST_MAPPINGS = 30
_MAPPING = re.compile(r"\s*/?([^\s=;]+)\s*=\s*/flat-profile/([^\s=;]+)\s*")
_DEEPEST = 64


class OpeningError(Exception):
    """The file is of no use; the code is one of Unit.report()'s."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def encoding(answer: Answer) -> str:
    """Return the Content-Encoding."""
    return answer.headers.get("content-encoding", "").strip().lower()


def is_encrypted(answer: Answer) -> bool:
    """Tell whether the answer is encrypted in either way."""
    return encoding(answer) == AES128GCM or is_sealed(answer.content)


def open_profile(
    answer: Answer, key: str | None, alias: str | None, family: Family, parameters: Mapping[str, str]
) -> dict[str, str]:
    """Return path -> value of the profile in *answer*; *key* and *alias* (the mappings) are the rule's. Raise OpeningError."""
    plain = decrypt(answer, key, family, parameters)
    try:
        plain = decompress(plain) if is_compressed(plain) else plain
        return values(FORMATS[family.format].parse(plain)) if alias is None else _mapped(plain, alias)
    except (SealingError, ProfileError) as error:
        raise OpeningError("corrupt", str(error)) from error


def decrypt(answer: Answer, key: str | None, family: Family, parameters: Mapping[str, str]) -> bytes:
    """Return what is in it; the header that says how counts before a key of the rule. Raise OpeningError."""
    content = answer.content
    if encoding(answer) == AES128GCM:
        return _decrypt_content(content, family, parameters)
    if key is not None:
        return _unseal(content, key, family.digest)
    if is_sealed(content):
        raise OpeningError("key_missing", "the file is encrypted, and the rule has no --key")
    return content


def _unseal(content: bytes, key: str, digest: str) -> bytes:
    if not digest:
        raise OpeningError("corrupt", "the rule has a --key, but this family cannot decrypt")
    if not is_sealed(content):
        raise OpeningError("not_sealed", "the file is not encrypted, though the rule has a --key: no 'Salted__' begins it")
    try:
        plain = unseal(content, key, digest)
    except SealingError as error:
        plain, reason = b"", str(error)
    else:
        if _is_plausible(plain):
            return plain
        reason = f"the key does not fit, or the digest is not {digest}"
    if "cut off" in reason:
        raise OpeningError("corrupt", reason)
    other = next((name for name in DIGESTS if name != digest and _fits(content, key, name)), "")
    if other:
        raise OpeningError("digest_wrong", f"the digest is not {digest}: the key fits with {other}")
    raise OpeningError("key_wrong", reason)


def _fits(content: bytes, key: str, digest: str) -> bool:
    try:
        return _is_plausible(unseal(content, key, digest))
    except SealingError:
        return False


def _is_plausible(plain: bytes) -> bool:
    """Tell whether it looks like a profile: one wrong key in 256 goes unnoticed otherwise."""
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
        code = "key_wrong" if "key does not fit" in str(error) else "corrupt"
        raise OpeningError(code, str(error)) from error


def keying_material(family: Family, parameters: Mapping[str, str]) -> bytes:
    """Return the key of aes128gcm; raise OpeningError."""
    name = family.ikm_parameter
    came = f"it came with Content-Encoding: {AES128GCM}"
    if not name:
        raise OpeningError("corrupt", f"{came}, which the family {family.name} cannot decrypt")
    text = parameters.get(name, "")
    if not text:
        raise OpeningError("key_missing", f"{came}, and {name} is empty")
    if family.ikm_encoding != "base64url":
        return text.encode()
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise OpeningError("key_wrong", f"{name} is not base64url, so that the file cannot be decrypted") from error


# -- foreign names


def read_mappings(text: str) -> dict[str, str]:
    """Read ``/Foreign/path = /flat-profile/Parameter ;`` lines; raise ProfileError."""
    found: dict[str, str] = {}
    for part in filter(str.strip, text.split(";")):
        match = _MAPPING.fullmatch(part)
        if not match:
            raise ProfileError("--alias: a mapping is written /Foreign/path = /flat-profile/Parameter ;")
        found[match[1].strip("/")] = match[2]
    if not 0 < len(found) <= MOST_MAPPINGS:
        raise ProfileError(f"--alias: there are {len(found)} mappings; from 1 to {MOST_MAPPINGS} are possible")
    return found


def _mapped(document: bytes, text: str) -> dict[str, str]:
    """Return the parameters of a foreign document. What no mapping names is left out, also in a flat profile: a guess."""
    mappings = read_mappings(text)
    found: dict[str, str] = {}
    for path, value in _leaves(parse_xml(document), "", 0):
        ends = [end for end in mappings if path == end or path.endswith(f"/{end}")]
        if ends:
            found[mappings[max(ends, key=len)]] = value
    return found


def _leaves(element: ET.Element, above: str, depth: int) -> Iterator[tuple[str, str]]:
    path = f"{above}{element.tag}"
    if depth > _DEEPEST:
        raise ProfileError("the profile's sections are nested too deep")
    if not len(element):
        yield path, " ".join((element.text or "").split("\n")).strip()
    for child in element:
        yield from _leaves(child, f"{path}/", depth + 1)
