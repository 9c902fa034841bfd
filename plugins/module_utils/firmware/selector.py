# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which images a phone gets, and the Upgrade_Rule that leads it to them.

Sources: "Upgrade rule" of the SPA, ATA 191/192 and MPP provisioning guides (alternatives with conditions, no options in brackets,
an explicit server), and a public rule for SPA50x in two steps. One choice is ours, because no source settles it: the last
alternative has a condition too, so that a phone that runs its target requests nothing, whatever it would take for another load.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..common.versions import NumberKind, read_number
from ..profiles.rules.model import Alternative, Comparison, Operand, Operator, Rule, RuleError, RuleTarget
from ..profiles.rules.urls import parse_url
from .images import FirmwareError, Image, hardware_overlaps
from .policy import LATEST, FirmwarePolicy

_DOTTED = re.compile(r"[0-9]+(?:\.[0-9]+)+")
_MAX_LISTED = 4


class Upgrade(NamedTuple):
    """The images through which a phone reaches its firmware."""

    steps: tuple[Image, ...]
    """Intermediate images in their order, then the target."""
    exact: bool
    """Whether a phone that runs something newer goes back to the target."""

    def rule(self, base: str) -> str:
        """Return the Upgrade_Rule; *base*: URL of the folder of images."""
        minimum = self.steps[0].minimum
        # Phones too old for the first step must not fall through to the second
        floor = [_compare(Operator.GE, minimum)] if minimum else []
        alternatives = []
        for image, following in zip(self.steps, [*self.steps[1:], None], strict=True):
            last = _compare(Operator.NE if self.exact else Operator.LT, image.version)
            condition = (*floor, last if following is None else _compare(Operator.LT, following.minimum))
            alternatives.append(Alternative(condition, (), (RuleTarget(base + image.load),)))
        return str(Rule(tuple(alternatives)))


def _compare(operator: Operator, version: str) -> Comparison:
    return Comparison(Operand("$SWVER", False), operator, Operand(version, False))


class FirmwareSelector:
    """Selects the images of phones; phones with the same model and policy are examined once."""

    def __init__(self, images: Iterable[Image]) -> None:
        self._images = tuple(images)
        self._found: dict[tuple[str, str, str], Upgrade | FirmwareError | None] = {}
        self._rules: dict[tuple[str, str, str, str], str] = {}

    def upgrade(self, model: str, policy: FirmwarePolicy) -> Upgrade | None:
        """Return the upgrade of a phone of that model, or None when it keeps its firmware; raise FirmwareError."""
        if not policy.version or policy.held:
            return None
        key = (model, policy.version, policy.hardware)
        if key not in self._found:
            try:
                self._found[key] = self._find(model, policy)
            except FirmwareError as error:
                self._found[key] = error
        found = self._found[key]
        if isinstance(found, FirmwareError):
            raise found
        return found

    def rule(self, model: str, policy: FirmwarePolicy, base: str) -> str:
        """Return that phone's Upgrade_Rule; empty where it has no upgrade or *base* is empty."""
        upgrade = self.upgrade(model, policy)
        if upgrade is None or not base:
            return ""
        key = (model, policy.version, policy.hardware, base)
        if key not in self._rules:
            self._rules[key] = upgrade.rule(base)
        return self._rules[key]

    def _find(self, model: str, policy: FirmwarePolicy) -> Upgrade | None:
        of_model = [image for image in self._images if model in image.models]
        # "latest" may be set for all phones, even those of models without an image
        if not of_model and policy.version == LATEST:
            return None
        limited = next((image for image in of_model if image.hardware), None)
        if limited and not policy.hardware:
            raise FirmwareError(
                f"phone_hardware: it is missing, and {limited.name} ({limited.version}) is only for {_listed(limited.hardware)};"
                " copy it from the label or the phone's web page"
            )
        fitting = [image for image in of_model if image.fits(policy.hardware)]
        exact = policy.version != LATEST
        newest = max(fitting, key=lambda image: image.number, default=None)
        target = self._find_version(model, policy, of_model, fitting) if exact else newest
        if target is None:
            raise FirmwareError(f"phone_hardware: no image for {model} is for {policy.hardware}; {_suggest(fitting, of_model)}")
        return Upgrade(_steps(target, fitting), exact)

    def _find_version(self, model: str, policy: FirmwarePolicy, of_model: list[Image], fitting: list[Image]) -> Image:
        """Return the image that the policy names; raise FirmwareError that says why there is none."""
        named = [image for image in fitting if _is_called(image.version, policy.version)]
        if len(named) == 1:
            return named[0]
        if named:
            raise FirmwareError(f"phone_firmware: {policy.version} could be {_versions(named)}; write one of them in full")
        for image in of_model:
            if _is_called(image.version, policy.version):
                raise FirmwareError(
                    f"phone_firmware: {image.name} ({image.version}) is for the hardware {_listed(image.hardware)},"
                    f" and phone_hardware is {policy.hardware}; {_suggest(fitting, of_model)}"
                )
        for image in self._images:
            if _is_called(image.version, policy.version):
                raise FirmwareError(
                    f"phone_firmware: {image.name} ({image.version}) is for {_listed(image.models)}, not for {model};"
                    f" {_suggest(fitting, of_model)}"
                )
        raise FirmwareError(f"phone_firmware: the catalogue has no {policy.version}; {_suggest(fitting, of_model)}")


def _suggest(fitting: Sequence[Image], of_model: Sequence[Image]) -> str:
    if fitting:
        return f"use {_versions(fitting)}, or {LATEST}"
    return "no image fits this phone" if of_model else "the catalogue has no image for its model"


def _versions(images: Iterable[Image]) -> str:
    return " or ".join(image.version for image in sorted(images, key=lambda image: image.number))


def _listed(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - _MAX_LISTED} more" if len(texts) > _MAX_LISTED else ""
    return ", ".join(texts[:_MAX_LISTED]) + more


def _is_called(version: str, asked: str) -> bool:
    """Tell whether *asked* means this version: in full, without its series, or as a release in dotted form."""
    lower = version.lower()
    if asked.lower() in (lower, lower.partition(".")[2] if re.match("[a-z]", lower) else lower):
        return True
    number = read_number(version)
    if number.kind is not NumberKind.DASHED or not _DOTTED.fullmatch(asked):
        return False
    return [part for part, _letters in number.key[0]] == [int(part) for part in asked.split(".")]


def _steps(target: Image, fitting: Sequence[Image]) -> tuple[Image, ...]:
    """Return the images that lead to *target*, which is last; each step is the one that the oldest versions can take."""
    steps = [target]
    while steps[0].minimum:
        image, minimum = steps[0], read_number(steps[0].minimum)
        before = _easiest([other for other in fitting if minimum <= other.number < image.number])
        if before is None or (before.minimum and read_number(before.minimum) >= minimum):
            break
        steps.insert(0, before)
    return tuple(steps)


def _easiest(images: Sequence[Image]) -> Image | None:
    """Return the newest of the images with the lowest minimum; an image without a minimum comes before all others."""
    open_to_all = [image for image in images if not image.minimum]
    if not open_to_all and images:
        lowest = min(read_number(image.minimum) for image in images)
        open_to_all = [image for image in images if read_number(image.minimum) == lowest]
    return max(open_to_all, key=lambda image: image.number, default=None)


def gaps(images: Sequence[Image]) -> list[str]:
    """Return a sentence on each image that some older phones cannot reach through the catalogue."""
    sentences = []
    for image in images:
        for model in image.models:
            fitting = [other for other in images if model in other.models and hardware_overlaps(image, other)]
            lowest = _steps(image, fitting)[0].minimum
            if lowest:
                sentences.append(
                    f"{image.name} ({image.version}) can be reached only from {lowest} or newer; the catalogue has no step for"
                    f" older phones such as a {model}, which keep their firmware"
                )
                break
    return sentences


def check_base(url: str) -> None:
    """Raise FirmwareError unless *url* is that of a folder on a named server."""
    try:
        target = parse_url(url)
    except RuleError as error:
        raise FirmwareError(f"'{url}': {error}") from error
    if not target.server:
        raise FirmwareError(f"'{url}' names no server, which Upgrade_Rule needs")
    if not target.path.endswith("/") or "$" in url:
        raise FirmwareError(f"'{url}' is not a folder; end it with a / and use no macros")
