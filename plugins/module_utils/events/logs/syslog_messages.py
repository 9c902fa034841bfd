# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The syslog messages of a resync: format them as a phone does, and recognise them.

Sources: Log_Resync_*_Msg (ATA19x, SPA) and Log_*_Msg (MPP) of the provisioning guides, with their example lines. The guides print
dashes of other lengths, which come along when a template is copied from them, and omit the port, so recognition is tolerant.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ...common.mac import Mac, MacError, parse_mac
from ...profiles.macros import expand

DEFAULTS: Mapping[str, str] = {
    "request": "$PN $MAC -- Requesting resync $SCHEME://$SERVIP:$PORT$PATH",
    "success": "$PN $MAC -- Successful resync $SCHEME://$SERVIP:$PORT$PATH",
    "failure": "$PN $MAC -- Resync failed: $ERR",
    "upgrade request": "$PN $MAC -- Requesting upgrade $SCHEME://$SERVIP:$PORT$PATH",
    "upgrade success": "$PN $MAC -- Successful upgrade $SCHEME://$SERVIP:$PORT$PATH -- $ERR",
    "upgrade failure": "$PN $MAC -- Upgrade failed: $ERR",
}
"""Factory templates: event -> text with macros."""

# Unicode's dashes, minus signs and the hyphens that word processors write
_DASHES = "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"


def _dash_pattern() -> str:
    """Return a regular expression for a dash: as a character, or as its bytes in UTF-8 or cp1252.

    rsyslogd writes each such byte as # and three octal digits (parser.escape8BitCharactersOnReceive); other readers take it for
    Latin-1, or put U+FFFD in its place.
    """
    encoded = [dash.encode() for dash in _DASHES if not dash.isascii()] + [dash.encode("cp1252") for dash in "\u2013\u2014"]
    escaped = ["".join(f"#{byte:03o}" for byte in code) for code in encoded]
    return "|".join(map(re.escape, [*escaped, *(code.decode("latin-1") for code in encoded), *_DASHES, "\ufffd"]))


# Matches start only at words: starting at each letter would take quadratic time on a long line without spaces
_MESSAGE = re.compile(
    rf"(?<!\S)(?P<product>\S+) (?P<mac>(?:[0-9a-f]{{2}}:){{5}}[0-9a-f]{{2}}) (?:\S{{1,3}}|(?:{_dash_pattern()}){{1,3}}) ?"
    r"(?P<what>Requesting resync|Successful resync|Resync failed|Requesting upgrade|Successful upgrade|Upgrade failed):? ?"
    r"(?P<detail>.*)",
    re.IGNORECASE,
)
_EVENTS = {
    "requesting resync": "request",
    "successful resync": "success",
    "resync failed": "failure",
    "requesting upgrade": "upgrade request",
    "successful upgrade": "upgrade success",
    "upgrade failed": "upgrade failure",
}


@dataclass(frozen=True)
class PhoneMessage:
    """A recognised message."""

    product: str
    mac: Mac
    event: str
    """A key of DEFAULTS."""
    detail: str


def format_message(template: str, macros: Mapping[str, str]) -> str | None:
    """Return the text of a message, or None if an empty template disables it."""
    return expand(template, macros) or None


def recognise(line: str) -> PhoneMessage | None:
    """Return the resync or upgrade message in a log line; None if there is none."""
    match = _MESSAGE.search(line)
    if not match:
        return None
    try:
        mac = parse_mac(match["mac"])
    except MacError:
        return None
    return PhoneMessage(
        product=match["product"],
        mac=mac,
        event=_EVENTS[match["what"].lower()],
        detail=match["detail"].strip(),
    )
