# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""When a published file has changed, as web servers tell: a time that follows from its content.

nginx makes an ETag of a file's time and size. Servers behind one name that have the same file must give it the same ETag, or a
phone that comes to another server fetches again what it has. When a file was written differs from server to server.
"""

from __future__ import annotations

_FIRST = 1_000_000_000
_SECONDS = 700_000_000
"""From September 2001 to November 2023: never in the future, which nginx and caches treat in another way."""


def content_time(digest: str) -> int:
    """Return seconds since 1970 for a content whose SHA-256 is *digest*, in hexadecimal digits."""
    return _FIRST + int(digest, 16) % _SECONDS
