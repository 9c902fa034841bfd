# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The files that are published for phones: what each holds, where it lies, and how it is protected.

Two trees. ``open/`` is for anybody who can reach the station, by TFTP, HTTP and HTTPS: it holds nothing secret in the clear.
``device/`` is for HTTPS clients with the certificate of the MAC that names the file.

Three kinds of profile: bootstrap (one a model, the factory-default file, without secrets, points at the next), preprovision (one a
phone, tells it its remote Profile_Rule with the key) and service (one a phone, what that rule fetches, sealed with that key).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from .families import MODELS, Model
from .macros import expand
from .phone import Phone, PhoneError
from .profile import Parameters, Setting, build, flatten, merge, nest
from .rules import RuleError, Target, parse_url
from .sealing import compress, seal

OPEN = "open"
DEVICE = "device"

# Bootstrap points both here: B is followed in the same resync, A is what a retry after a failure begins with.
_NEXT_RULES = ("Profile_Rule", "Profile_Rule_B")


@dataclass(frozen=True)
class Settings:
    """What all phones of one publication share."""

    bench_url: str
    """URL of a phone's preprovision profile on the bench, with macros; https, since that profile holds the key."""
    remote_url: str
    """URL of a phone's service profile at the customer's, with macros."""
    ca_url: str = ""
    """URL of the root certificate that the bench's server certificate is signed by; empty leaves it to the phone's own roots."""
    syslog_server: str = ""
    """Address that phones log to while they are on the bench; empty leaves both syslog settings alone."""
    remote_syslog_server: str = ""
    """Address that phones log to at the customer's; empty clears the bench's, which would be another machine there."""
    bootstrap_parameters: Parameters = field(default_factory=dict)
    preprovision_parameters: Parameters = field(default_factory=dict)
    complete: bool = False
    """Whether the preprovision profile carries the lines too."""


@dataclass(frozen=True)
class File:
    """One published file."""

    path: str
    """Below the published folder: ``open/ata192.cfg``."""
    owner: str
    """Phone or model that it is for."""
    kind: str
    content: bytes = field(repr=False)
    parameters: Parameters = field(repr=False)


class PublicationError(ValueError):
    """Nothing can be published with these settings; one sentence a line."""


def publish(phones: Iterable[Phone], settings: Settings) -> list[File]:
    """Return all files, ordered by path; raise PublicationError listing everything that is wrong."""
    bench, remote = _targets(settings)
    files = [file for model in MODELS.values() for file in _bootstrap_files(model, settings)]
    problems: list[str] = []
    for phone in phones:
        try:
            files += _phone_files(phone, settings, bench, remote)
        except PhoneError as error:
            problems.append(str(error))
    problems += _collisions(files)
    if problems:
        raise PublicationError("\n".join(problems))
    return sorted(files, key=lambda file: file.path)


def _targets(settings: Settings) -> tuple[Target, Target]:
    try:
        bench, remote = parse_url(settings.bench_url), parse_url(settings.remote_url)
    except RuleError as error:
        raise PublicationError(f"bench_url and remote_url: {error}") from error
    if bench.scheme != "https":
        raise PublicationError(
            f"bench_url: '{settings.bench_url}' is not https; the preprovision profile holds the phone's key in the clear"
        )
    if not remote.server:
        raise PublicationError(f"remote_url: '{settings.remote_url}' names no server; a phone at the customer's needs its name")
    return bench, remote


def _bootstrap_files(model: Model, settings: Settings) -> list[File]:
    parameters = settings.bootstrap_parameters
    for rule in _NEXT_RULES:
        parameters = merge(parameters, {rule: Setting(settings.bench_url)})
    if model.family.custom_ca and settings.ca_url:
        parameters = merge(parameters, {model.family.custom_ca: Setting(settings.ca_url)})
    if settings.syslog_server:
        parameters = merge(parameters, _syslog(model, settings.syslog_server))
    content = build(parameters)
    # Servers that fold case look for the lower-case name; the others get the name as the phone asks for it.
    names = sorted({model.factory_file, model.factory_file.lower()})
    return [File(OPEN + name, model.name, "bootstrap", content, parameters) for name in names]


def _syslog(model: Model, address: str) -> Parameters:
    parameters: Parameters = {}
    for path in model.family.syslog_servers:
        parameters = merge(parameters, nest(path, address))
    return parameters


def _phone_files(phone: Phone, settings: Settings, bench: Target, remote: Target) -> list[File]:
    if phone.key is None:
        raise PhoneError(
            f"phone {phone.name}: phone_profile_key: there is no key to seal its service profile with; set it, or a master key"
        )
    service = merge(phone.parameters, phone.lines)
    # The bench's second rule must not stay: at the customer's it would fail every resync.
    rules: Parameters = {
        "Profile_Rule": Setting(f"[--key {phone.key}] {settings.remote_url}"),
        "Profile_Rule_B": Setting(""),
    }
    preprovision = merge(settings.preprovision_parameters, rules)
    if settings.syslog_server:
        preprovision = merge(preprovision, _syslog(phone.model, settings.remote_syslog_server))
    preprovision = merge(preprovision, service if settings.complete else phone.parameters)
    return [
        _file(DEVICE, bench, phone, "preprovision", compress(build(preprovision)), preprovision),
        _file(
            OPEN,
            remote,
            phone,
            "service",
            seal(compress(build(service)), phone.key, phone.model.family.digest),
            service,
        ),
    ]


def _file(tree: str, target: Target, phone: Phone, kind: str, content: bytes, parameters: Parameters) -> File:
    path = expand(target.path, phone.macros)
    if tree == DEVICE:
        # The web server serves this tree under its own name.
        path = path.removeprefix(f"/{DEVICE}")
    if ".." in path or "?" in path or not path.strip("/") or path.endswith("/"):
        raise PhoneError(f"phone {phone.name}: the {kind} profile's path '{path}' cannot be a file")
    return File(tree + path, phone.name, kind, content, parameters)


def _collisions(files: list[File]) -> list[str]:
    owners: defaultdict[str, set[str]] = defaultdict(set)
    for file in files:
        owners[file.path.lower()].add(file.owner)
    return [
        f"{' and '.join(sorted(names))} would share the file {path}; put $MA into the URL that names it"
        for path, names in owners.items()
        if len(names) > 1
    ]


def parameter_values(file: File) -> dict[str, str]:
    """Return path -> value of the file's parameters, for comparing; values may be secret."""
    return flatten(file.parameters)
