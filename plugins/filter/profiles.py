# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters for profiles: write them, derive their keys, seal and unseal them."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.voip.preprovision.plugins.module_utils.common.mac import MacError, parse_mac
from ansible_collections.voip.preprovision.plugins.module_utils.common.validate import kind_of
from ansible_collections.voip.preprovision.plugins.module_utils.families.catalogue import BUILTIN
from ansible_collections.voip.preprovision.plugins.module_utils.families.model import Family, FamilyError, ModelError
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.flat_profile import ProfileError
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.formats import FORMATS
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.keys import ProfileKeyError, derive_key
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.keys import service_secret as derive_service_secret
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.sealing.compression import compress as gzipped
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.sealing.compression import decompress, is_compressed
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.sealing.model import SealingError
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.sealing.openssl_enc import seal, unseal
from ansible_collections.voip.preprovision.plugins.module_utils.publishing.post_rules import PostRuleError, read_post_rules
from ansible_collections.voip.preprovision.plugins.module_utils.publishing.resync_timers import ResyncTimersError, propose_timers


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (FamilyError, ProfileError, ProfileKeyError, ResyncTimersError, SealingError) as error:
        # Not "from error": Ansible would append the library's message
        raise AnsibleFilterError(str(error)) from None


def profile_xml(parameters: object, family: str, families: Mapping[str, Any] | None = None) -> str:
    """Return a profile in its family's format."""
    if not isinstance(parameters, Mapping):
        raise AnsibleFilterError(f"the parameters are {kind_of(parameters)}; write a mapping of parameter names and values")
    with _translated():
        found = _find_family(family, families)
        kind = FORMATS[found.format]
        # No MAC address: the profile may be for many phones
        return kind.build(kind.read(parameters, found.yes_no), "").decode()


def _find_family(name: str, families: Mapping[str, Any] | None) -> Family:
    catalogue = BUILTIN.extended(families or {})
    if name in catalogue.families:
        return catalogue.families[name]
    try:
        return catalogue.find_model(name).family
    except ModelError as error:
        known = ", ".join(catalogue.families)
        raise AnsibleFilterError(f"unknown family '{name}' (expected one of {known}), and {error}") from error


def seal_profile(profile: object, key: object, digest: str = "md5", compress: bool = True) -> str:
    """Compress and encrypt a profile as ``gzip`` and ``openssl enc -aes-256-cbc -k`` do; return base64 text."""
    content = _text(profile, "profile").encode()
    with _translated():
        sealed = seal(gzipped(content) if compress else content, _text(key, "key"), digest)
    return base64.b64encode(sealed).decode("ascii")


def unseal_profile(sealed: object, key: object, digest: str = "md5") -> str:
    """Undo seal_profile."""
    try:
        content = base64.b64decode("".join(_text(sealed, "sealed profile").split()), validate=True)
    except ValueError:
        raise AnsibleFilterError("the sealed profile is not base64 text") from None
    with _translated():
        content = unseal(content, _text(key, "key"), digest)
        if is_compressed(content):
            content = decompress(content)
    try:
        return content.decode()
    except UnicodeDecodeError:
        # Not "from error": that one carries the content
        raise AnsibleFilterError(f"the key does not fit, or the digest is not {digest}: the result is not UTF-8 text") from None


def profile_key(mac: object, master: str) -> str:
    """Derive a phone's key."""
    with _translated():
        try:
            parsed = parse_mac(mac)
        except MacError:
            # Master key and MAC address may be swapped, so the input is not shown
            raise AnsibleFilterError("the input is not a MAC address; write MAC | profile_key(MASTER)") from None
        return derive_key(master, parsed)


def resync_timers(phones: object, servers: object = 1, resyncs_per_second: object = 300) -> dict[str, int | str]:
    """Return the timers of a fleet of phones as parameters; none without phones."""
    with _translated():
        proposed = propose_timers(phones, servers, resyncs_per_second).parameters()
    return proposed if int(str(phones)) else {}


def service_secret(master: str) -> str:
    """Derive the secret of the profile services; empty without a master key."""
    with _translated():
        return derive_service_secret(master) if master else ""


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise AnsibleFilterError(f"the {what} must be text, not {kind_of(value)}")
    try:
        value.encode()
    except UnicodeEncodeError:
        # Not "from error": that one carries the text
        raise AnsibleFilterError(f"the {what} is not valid Unicode text") from None
    return value


def post_rules(rules: object) -> object:
    """Return the rules of profiles that are asked for by POST, if all of them are valid."""
    try:
        read_post_rules(rules)
    except PostRuleError as error:
        raise AnsibleFilterError(f"profile_service_post_rules: {error}") from None
    return rules


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "profile_xml": profile_xml,
            "seal_profile": seal_profile,
            "unseal_profile": unseal_profile,
            "post_rules": post_rules,
            "profile_key": profile_key,
            "service_secret": service_secret,
            "resync_timers": resync_timers,
        }
