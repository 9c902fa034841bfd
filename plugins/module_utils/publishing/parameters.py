# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The parameters of each kind of profile."""

from __future__ import annotations

import base64
from collections.abc import Iterator

from ..families.model import BenchDelivery, Family
from ..firmware.policy import in_rollout
from ..firmware.selector import FirmwareSelector
from ..phones.phone import Phone
from ..profiles.flat_profile import Parameters, Setting
from ..profiles.rules.model import Target
from ..profiles.sealing.model import Sealing
from .files import CONTENT_ENCODING, seals_of, with_key_id
from .settings import ProfileKind, Settings
from .unit_files import bench_delivery_of


class ProfileParameters:
    """Computes the parameters of profiles, as path -> setting."""

    def __init__(self, settings: Settings, firmware: FirmwareSelector, bench: Target, remote: Target) -> None:
        """*bench* and *remote*: the parsed bench_url and remote_url."""
        self._settings = settings
        self._firmware = firmware
        same_server = (remote.server or "").lower() == (bench.server or "").lower()
        self._leaves_ca = remote.scheme != "https" or not same_server
        self._contact: dict[str, frozenset[str]] = {}

    def bootstrap(self, family: Family, shared: Parameters, leads_on: bool) -> Parameters:
        """Return the parameters of a bootstrap profile. *shared*: what all phones that get it have in common.

        *leads_on*: whether it leads to bench_url. With delivery by TFTP only units that are not expected get it.
        """
        settings = self._settings
        parameters = {path: setting for path, setting in shared.items() if family.redact(path, setting.value) == setting.value}
        if settings.syslog_server:
            parameters.update(dict.fromkeys(family.paths("syslog.server"), Setting(settings.syslog_server)))
        if family.profile_rules:
            parameters.update(settings.bootstrap_parameters)
        if not leads_on:
            return parameters
        # Both of the first two: B is followed in the same resync, and a retry after a failure begins with A
        parameters.update(dict.fromkeys(family.profile_rules[:2], Setting(settings.bench_url)))
        if family.custom_ca and settings.ca_url:
            parameters[family.custom_ca] = Setting(settings.ca_url)
        return parameters

    def preprovision(self, phone: Phone) -> Parameters:
        """Return the parameters of the phone's preprovision profile; its family must have profile rules."""
        family, settings = phone.model.family, self._settings
        parameters = {**settings.preprovision_parameters, **self._rule(phone)}
        # The bench's second rule must not stay: at the customer's it would fail every resync
        parameters.update(dict.fromkeys(family.profile_rules[1:2], Setting("")))
        by_tftp = bench_delivery_of(phone, settings) is BenchDelivery.TFTP
        if settings.syslog_server:
            # By TFTP no bootstrap profile has named it before; the service profile replaces it at the customer's
            server = settings.syslog_server if by_tftp else settings.remote_syslog_server
            parameters.update(dict.fromkeys(family.paths("syslog.server"), Setting(server)))
        # The CA of the bench must not be trusted at the customer's
        if family.custom_ca and (settings.remote_ca_url or (settings.ca_url and self._leaves_ca)):
            parameters[family.custom_ca] = Setting(settings.remote_ca_url)
        elif family.custom_ca and settings.ca_url and by_tftp:
            parameters[family.custom_ca] = Setting(settings.ca_url)
        parameters.update(self._upgrade(phone, settings.firmware_url))
        parameters.update(self._own(phone, ProfileKind.PREPROVISION))
        return parameters

    def service(self, phone: Phone) -> Parameters:
        """Return the parameters of the phone's service profile."""
        family, settings = phone.model.family, self._settings
        upgrade = self._upgrade(phone, settings.remote_firmware_url)
        logs: Parameters = {}
        if family.profile_rules and settings.syslog_server and bench_delivery_of(phone, settings) is BenchDelivery.TFTP:
            logs = dict.fromkeys(family.paths("syslog.server"), Setting(settings.remote_syslog_server))
        shared = settings.service_parameters if family.profile_rules else {}
        return {**shared, **self.leading(phone), **logs, **upgrade, **self._own(phone, ProfileKind.SERVICE)}

    def logs_on_bench(self, phone: Phone) -> bool:
        """Return whether the phone logs to the bench's server that it has applied its preprovision profile."""
        family, settings = phone.model.family, self._settings
        if not family.profile_rules or not settings.syslog_server:
            return False
        given = self.preprovision(phone)
        servers = [given[path].value for path in family.paths("syslog.server") if path in given]
        if family.logs_to_new_server:
            return settings.syslog_server in servers
        # It knows the bench's server from the bootstrap profile, which it gets only then
        return bool(servers) and bench_delivery_of(phone, settings) is BenchDelivery.CERTIFICATE

    def leading(self, phone: Phone) -> Parameters:
        """Return what gives a phone its key and leads it to its service profile."""
        family = phone.model.family
        if family.profile_rules:
            return self._rule(phone)
        if family.key_parameter and phone.key and phone.sealing is Sealing.OPENSSL:
            return {family.key_parameter: Setting(phone.key)}
        return {}

    def shared(self, family: Family) -> Iterator[tuple[str, Parameters]]:
        """Yield the publication's own parameters in profiles of this family, after the text that begins messages about them."""
        settings = self._settings
        kinds = (
            (ProfileKind.BOOTSTRAP, settings.bootstrap_parameters),
            (ProfileKind.PREPROVISION, settings.preprovision_parameters),
            (ProfileKind.SERVICE, settings.service_parameters),
        )
        for kind, given in kinds:
            if kind in settings.kinds and given and family.profile_rules:
                yield f"{kind}_parameters: ", given

    def _own(self, phone: Phone, kind: ProfileKind) -> Parameters:
        if kind in self._settings.complete:
            return phone.parameters
        family = phone.model.family
        contact = self._contact.get(family.name)
        if contact is None:
            contact = self._contact[family.name] = family.contact_paths
        # Rules are composed of parameters whose names begin with GPP_
        return {path: setting for path, setting in phone.parameters.items() if path in contact or path.startswith("GPP_")}

    def _rule(self, phone: Phone) -> Parameters:
        """Return what leads a phone to its service profile."""
        family = phone.model.family
        method, key = seals_of(phone)[0]
        url = with_key_id(self._settings.remote_url, key)
        if not key:
            return {family.profile_rules[0]: Setting(url)}
        if method == Sealing.AES128GCM:
            secret = key
            if family.ikm_encoding == "base64url":
                secret = base64.urlsafe_b64encode(secret.encode()).decode().rstrip("=")
            return {family.profile_rules[0]: Setting(url + CONTENT_ENCODING), family.ikm_parameter: Setting(secret)}
        return {family.profile_rules[0]: Setting(f"[--key {key}] {url}")}

    def _upgrade(self, phone: Phone, base: str) -> Parameters:
        """Return what leads a phone to its firmware, or forbids upgrades. *base*: the folder of images; empty if there is none."""
        family, wanted = phone.model.family, phone.firmware
        if not family.upgrade_rules:
            return {}
        upgrade = self._firmware.upgrade(phone.model.name, wanted)
        # A phone outside the rollout keeps what it has, its rule included
        if not wanted.held and not (upgrade and in_rollout(phone.mac, wanted.rollout_percent)):
            return {}
        rule = {family.upgrade_rules[0]: Setting(self._firmware.rule(phone.model.name, wanted, base))}
        return {**rule, family.upgrade_enable: Setting(family.yes_no[wanted.held])} if family.upgrade_enable else rule
