# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether phones in the field would still find and decrypt their files: a station notes which master key their keys come from."""

from __future__ import annotations

from ..phones.phone import PhoneError
from ..profiles.keys import ProfileKeyError, fingerprint


def check_master_key(published: str, key: str | None, previous: str | None) -> str:
    """Return the fingerprint of *key*, the inventory's; empty without one.

    Raise PhoneError if *published*, the fingerprint of the key of the live files, is neither that of *key* nor that of *previous*,
    the key that phones are moved away from.
    """
    current, earlier = _fingerprint("master_key", key), _fingerprint("previous_master_key", previous)
    if published in ("", current, earlier):
        return current
    told = f"the inventory's has {current}" if current else "the inventory has none"
    raise PhoneError(
        f"phone_profiles_master_key: the phones were published with the key that has the fingerprint {published}, and {told}, so"
        " those in the field would never find their files again; bring back that key, or move it to"
        " phone_profiles_previous_master_key; if it is lost and no phone in the field has a key of it, run once with -e"
        " phone_profiles_replace_master_key=true"
    )


def _fingerprint(option: str, key: str | None) -> str:
    try:
        return fingerprint(key) if key else ""
    except ProfileKeyError as error:
        raise PhoneError(f"{option}: {error}") from error
