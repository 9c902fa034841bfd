# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Prove that an answer on the wire came from the partner of a pair of DHCP servers.

A MAC and an IPv4 address are easy to copy, so neither is proof. A station that hears an answer with its partner's address asks the
partner whether exactly this answer was sent, and the partner, which remembers what its own server has sent, says yes. Question and
reply carry an HMAC with the pair's key (RFC 2104), and a reply holds for one question only. A stranger's answer is not confirmed,
even while the partner is up, and even with the partner's addresses.

Both travel as Ethernet frames of the EtherType for local experiments (IEEE 802, RFC 9542, appendix B.2), so they need no address,
no port, and no other wire than the bench's.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import struct
from dataclasses import dataclass
from enum import IntEnum

from ..common.mac import Mac
from .frames import Datagram

ETHERTYPE = 0x88B5

PATIENCE = 5.0
"""Seconds within which the partner must confirm an answer."""

_ASK_AGAIN = 0.25
_REMEMBERED = 120.0
_MAX_SENT = 65536
# A stranger's flood of made-up answers is not asked about without end
_MAX_DOUBTS = 4096

# A locally administered group address: switches pass it on to all ports, and no other program listens to it
_GROUP = bytes.fromhex("335056500001")
_HEADER = struct.Struct("!6s6sH")
_MESSAGE = struct.Struct("!4sB32s16s")
_MAGIC = b"vppp"
_TAG_LENGTH = 32


class _Kind(IntEnum):
    QUESTION = 1
    REPLY = 2


@dataclass(frozen=True)
class PartnerKey:
    """Who the partner is: its address on the bench, and the key that only the two stations have."""

    address: str
    key: bytes


def fingerprint(datagram: Datagram) -> bytes:
    """Return what identifies an answer: 32 bytes over its content and both addresses of its sender."""
    return hashlib.sha256(f"{datagram.source_mac.plain} {datagram.source} ".encode() + datagram.data).digest()


@dataclass
class _Doubt:
    datagram: Datagram
    nonce: bytes
    begun: float
    asked: float


class Confirmations:
    """What this station's server has sent, and the partner's answers that are not confirmed yet. Times are monotonic seconds."""

    def __init__(self, partner: PartnerKey, mac: Mac) -> None:
        """*mac*: this station's own, on the bench."""
        self.partner = partner
        self._mac = bytes.fromhex(mac.plain)
        self._sent: dict[bytes, float] = {}
        self._doubts: dict[bytes, _Doubt] = {}

    def note_sent(self, datagram: Datagram, now: float) -> None:
        """Remember an answer of this station's own server."""
        mark = fingerprint(datagram)
        self._sent.pop(mark, None)
        self._sent[mark] = now
        while self._sent and (len(self._sent) > _MAX_SENT or next(iter(self._sent.values())) < now - _REMEMBERED):
            del self._sent[next(iter(self._sent))]

    def has_sent(self, datagram: Datagram) -> bool:
        """Return whether this station's own server has sent this answer, which a loop on the wire returns."""
        return fingerprint(datagram) in self._sent

    def ask(self, datagram: Datagram, now: float) -> bytes:
        """Doubt an answer until it is confirmed; return the frame that asks for it, empty if it was asked for already."""
        mark = fingerprint(datagram)
        if mark in self._doubts or len(self._doubts) >= _MAX_DOUBTS:
            return b""
        doubt = self._doubts[mark] = _Doubt(datagram, secrets.token_bytes(16), now, now)
        return self._frame(_Kind.QUESTION, mark, doubt.nonce)

    def hear(self, frame: bytes) -> bytes:
        """Take a frame of ETHERTYPE; return the frame to send, or nothing. Whatever has no valid HMAC is ignored."""
        body = frame[_HEADER.size : _HEADER.size + _MESSAGE.size]
        tag = frame[_HEADER.size + _MESSAGE.size :][:_TAG_LENGTH]
        if len(body) < _MESSAGE.size or not hmac.compare_digest(tag, self._tag(body)):
            return b""
        _magic, kind, mark, nonce = _MESSAGE.unpack(body)
        if kind == _Kind.QUESTION and mark in self._sent:
            return self._frame(_Kind.REPLY, mark, nonce)
        doubt = self._doubts.get(mark)
        if kind == _Kind.REPLY and doubt and hmac.compare_digest(doubt.nonce, nonce):
            del self._doubts[mark]
        return b""

    def due(self, now: float) -> list[bytes]:
        """Return the frames that ask again, since a frame may be lost."""
        frames = []
        for mark, doubt in self._doubts.items():
            if now >= doubt.asked + _ASK_AGAIN:
                doubt.asked = now
                frames.append(self._frame(_Kind.QUESTION, mark, doubt.nonce))
        return frames

    def refused(self, now: float) -> list[Datagram]:
        """Return, once, the answers that the partner has not confirmed in time."""
        late = [mark for mark, doubt in self._doubts.items() if now >= doubt.begun + PATIENCE]
        return [self._doubts.pop(mark).datagram for mark in late]

    def has_doubts(self, before: float) -> bool:
        """Return whether an answer that came before this time is neither confirmed nor refused."""
        return any(doubt.begun < before for doubt in self._doubts.values())

    @property
    def pause(self) -> float:
        """Seconds for which nothing is due, except when a frame comes."""
        return _ASK_AGAIN if self._doubts else PATIENCE

    def _frame(self, kind: _Kind, mark: bytes, nonce: bytes) -> bytes:
        body = _MESSAGE.pack(_MAGIC, kind, mark, nonce)
        return _HEADER.pack(_GROUP, self._mac, ETHERTYPE) + body + self._tag(body)

    def _tag(self, body: bytes) -> bytes:
        return hmac.digest(self.partner.key, body, "sha256")
