# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Profiles: their text, their keys, and how they are sealed."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.voip.preprovision.plugins.module_utils import sealing
from ansible_collections.voip.preprovision.plugins.module_utils.families import BUILTIN, Family, FamilyError, ModelError
from ansible_collections.voip.preprovision.plugins.module_utils.keys import ProfileKeyError, derive_key
from ansible_collections.voip.preprovision.plugins.module_utils.mac import MacError, parse_mac
from ansible_collections.voip.preprovision.plugins.module_utils.profile import ProfileError
from ansible_collections.voip.preprovision.plugins.module_utils.profile_formats import FORMATS


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (FamilyError, ProfileError, ProfileKeyError, sealing.SealingError) as error:
        # Not "from error": Ansible would append what a library says below it.
        raise AnsibleFilterError(str(error)) from None


def profile_xml(parameters: object, family: str, families: Mapping[str, Any] | None = None) -> str:
    """Return a profile in its family's format."""
    if not isinstance(parameters, Mapping):
        raise AnsibleFilterError(f"the parameters are a {type(parameters).__name__}; write a mapping of parameter names and values")
    with _translated():
        found = _find_family(family, families)
        kind = FORMATS[found.format]
        # No MAC address: the profile may be for many units.
        return kind.build(kind.read(parameters, found.yes_no), "").decode()


def _find_family(name: str, families: Mapping[str, Any] | None) -> Family:
    catalogue = BUILTIN.extended(families or {})
    if name in catalogue.families:
        return catalogue.families[name]
    try:
        return catalogue.find_model(name).family
    except ModelError as error:
        known = ", ".join(catalogue.families)
        raise AnsibleFilterError(f"there is no family '{name}' (known are {known}), and {error}") from error


def seal_profile(profile: object, key: object, digest: str = "md5", compress: bool = True) -> str:
    """Compress and encrypt a profile as ``gzip`` and ``openssl enc -aes-256-cbc -k`` do; return base64 text."""
    content = _text(profile, "profile").encode()
    with _translated():
        sealed = sealing.seal(sealing.compress(content) if compress else content, _text(key, "key"), digest)
    return base64.b64encode(sealed).decode("ascii")


def unseal_profile(sealed: object, key: object, digest: str = "md5") -> str:
    """Undo seal_profile."""
    try:
        content = base64.b64decode("".join(_text(sealed, "sealed profile").split()), validate=True)
    except ValueError:
        raise AnsibleFilterError("the sealed profile is not base64 text") from None
    with _translated():
        content = sealing.unseal(content, _text(key, "key"), digest)
        if sealing.is_compressed(content):
            content = sealing.decompress(content)
    try:
        return content.decode()
    except UnicodeDecodeError:
        # Not "from error": that one carries the content.
        raise AnsibleFilterError(f"the key does not fit, or the digest is not {digest}: what comes out is not UTF-8 text") from None


def profile_key(mac: object, master: str) -> str:
    """Derive a phone's key."""
    with _translated():
        try:
            parsed = parse_mac(mac)
        except MacError:
            # Master key and MAC address may be the wrong way round, so the input is not shown.
            raise AnsibleFilterError("the input is not a MAC address; write MAC | profile_key(MASTER)") from None
        return derive_key(master, parsed)


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise AnsibleFilterError(f"the {what} is a {type(value).__name__}, not text")
    try:
        value.encode()
    except UnicodeEncodeError:
        # Not "from error": that one carries the text.
        raise AnsibleFilterError(f"the {what} is not valid Unicode text") from None
    return value


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "profile_xml": profile_xml,
            "seal_profile": seal_profile,
            "unseal_profile": unseal_profile,
            "profile_key": profile_key,
        }
