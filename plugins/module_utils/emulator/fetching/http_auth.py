# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""HTTP authentication for 401 and 407: Basic (RFC 7617) and Digest (RFC 7616, and RFC 2617 without qop), with MD5 and SHA-256."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_SCHEME = re.compile(rf"[\s,]*({_WORD})(?=[\s,]|$)(?!\s*=)")
_PARAMETER = re.compile(rf'[\s,]*({_WORD})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|({_WORD}))')
_DIGESTS: Mapping[str, str] = {"MD5": "md5", "SHA-256": "sha256"}
"""Algorithm -> hash, weakest first; each also with ``-sess``."""
_MAX_CHALLENGES = 8


@dataclass(frozen=True)
class Credentials:
    """User name and password."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Challenge:
    """One challenge: the scheme in lower case, and its parameters."""

    scheme: str
    parameters: Mapping[str, str]


def parse_challenges(header: str) -> list[Challenge]:
    """Parse WWW-Authenticate or Proxy-Authenticate, which may contain several challenges; stop at the first invalid one."""
    found: list[Challenge] = []
    position = 0
    while len(found) < _MAX_CHALLENGES and (scheme := _SCHEME.match(header, position)):
        position = scheme.end()
        parameters: dict[str, str] = {}
        while match := _PARAMETER.match(header, position):
            value = match[3] if match[2] is None else re.sub(r"\\(.)", r"\1", match[2])
            parameters.setdefault(match[1].lower(), value)
            position = match.end()
        found.append(Challenge(scheme[1].lower(), parameters))
    return found


def authorization(header: str, credentials: Credentials, method: str, uri: str, cnonce: str) -> str:
    """Return the value of the header that answers the strongest supported challenge; empty when none is supported.

    *uri*: the request's path and query; *cnonce*: the client's nonce, new for each call.
    """
    challenges = parse_challenges(header)
    best = max((challenge for challenge in challenges if _strength(challenge)), key=_strength, default=None)
    if best is None:
        return ""
    if best.scheme == "basic":
        return "Basic " + base64.b64encode(f"{credentials.user}:{credentials.password}".encode()).decode()
    return _digest(best.parameters, credentials, method, uri, cnonce)


def _strength(challenge: Challenge) -> int:
    """Return a rank for a challenge; 0 when it is not supported."""
    if challenge.scheme == "basic":
        return 1
    if challenge.scheme != "digest" or "nonce" not in challenge.parameters:
        return 0
    offered = challenge.parameters.get("qop")
    if offered is not None and "auth" not in _words(offered):
        return 0
    algorithm = _algorithm(challenge.parameters)
    return 2 + list(_DIGESTS).index(algorithm) if algorithm in _DIGESTS else 0


def _words(text: str) -> list[str]:
    return [word.strip().lower() for word in text.split(",")]


def _algorithm(parameters: Mapping[str, str]) -> str:
    return parameters.get("algorithm", "MD5").upper().removesuffix("-SESS")


def _digest(parameters: Mapping[str, str], credentials: Credentials, method: str, uri: str, cnonce: str) -> str:
    def hashed(text: str) -> str:
        # The server chooses the algorithm
        return hashlib.new(_DIGESTS[_algorithm(parameters)], text.encode(), usedforsecurity=False).hexdigest()

    realm, nonce = parameters.get("realm", ""), parameters["nonce"]
    secret = hashed(f"{credentials.user}:{realm}:{credentials.password}")
    if parameters.get("algorithm", "").lower().endswith("-sess"):
        secret = hashed(f"{secret}:{nonce}:{cnonce}")
    request = hashed(f"{method}:{uri}")
    count = "00000001"  # each nonce is used once: a refusal brings a new one
    has_qop = "qop" in parameters
    between = f"{nonce}:{count}:{cnonce}:auth" if has_qop else nonce
    fields = {
        "username": _quoted(credentials.user),
        "realm": _quoted(realm),
        "nonce": _quoted(nonce),
        "uri": _quoted(uri),
        "response": _quoted(hashed(f"{secret}:{between}:{request}")),
    }
    if "algorithm" in parameters:
        fields["algorithm"] = parameters["algorithm"]
    if "opaque" in parameters:
        fields["opaque"] = _quoted(parameters["opaque"])
    if has_qop:
        fields |= {"qop": "auth", "nc": count, "cnonce": _quoted(cnonce)}
    return "Digest " + ", ".join(f"{name}={value}" for name, value in fields.items())


def _quoted(text: str) -> str:
    # A line break in a challenge must not end a line of the request
    escaped = re.sub(r"[\x00-\x1f\x7f]", "", text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
