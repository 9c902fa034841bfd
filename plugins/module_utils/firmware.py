# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Firmware: a catalogue of images, which phone gets which of them, and the Upgrade_Rule that leads it there.

Sources: "Upgrade rule" of the SPA, ATA 191/192 and MPP provisioning guides (alternatives with conditions, no options in brackets,
the server named), and a public rule for SPA50x in two steps. What no source settles, and so is a choice made here: the last
alternative has a condition too, so that a phone that runs its target asks for nothing, whatever it takes for another load.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from .families import Catalogue, ModelError
from .mac import Mac
from .rules import Alternative, Comparison, Operand, Place, Rule, RuleError, parse_url
from .versions import Number, NumberError, read_number

LATEST = "latest"
PACKAGE = ".zip"

_KEYS = ("file", "sha256", "size", "version", "minimum", "family", "models", "hardware", "load")
_REQUIRED = ("file", "sha256", "version")
_NAME = re.compile(r"(?!\.)[A-Za-z0-9._~+,=@-]{1,200}")
_DIGEST = re.compile("[0-9a-f]{64}", re.IGNORECASE)
_SHORT = re.compile(r"[0-9]+(?:\.[0-9]+)+")
_URL = re.compile("https?://", re.IGNORECASE)


class FirmwareError(ValueError):
    """A catalogue cannot be used, or a phone cannot have its firmware; one sentence a line."""


@dataclass(frozen=True, slots=True)
class Image:
    """One entry of the catalogue."""

    file: str
    """Path on the controller, or URL."""
    sha256: str
    version: str
    """As the phone's ``$SWVER`` says it."""
    models: tuple[str, ...]
    load: str
    """Name of the file that the rule leads to: the file itself, or one in a package."""
    hardware: tuple[str, ...] = ()
    """Revisions that it is for, in capitals; empty: all."""
    minimum: str = ""
    """The oldest version that can step to it, or empty."""
    size: int = 0
    """Bytes; 0 where nobody says."""

    @property
    def name(self) -> str:
        """Name of the file without its folder."""
        return _base(self.file)

    @property
    def is_url(self) -> bool:
        """Whether the file is to be downloaded."""
        return bool(_URL.match(self.file))

    @property
    def is_package(self) -> bool:
        """Whether the file is unpacked."""
        return self.name.lower().endswith(PACKAGE)

    @property
    def number(self) -> Number:
        """The version as phones compare it."""
        return read_number(self.version)

    def fits(self, hardware: str) -> bool:
        """Whether it is for that revision."""
        return not self.hardware or hardware.upper() in self.hardware

    def plain(self) -> dict[str, Any]:
        """Return what of_plain() takes, fit for JSON."""
        return asdict(self)

    @classmethod
    def of_plain(cls, values: Mapping[str, Any]) -> Image:
        """Undo plain(), also after JSON has made lists of tuples."""
        fields: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
        return cls(**fields)


class Wanted(NamedTuple):
    """What a phone's variables say of its firmware."""

    version: str = ""
    """A version, LATEST, or nothing: its firmware is left alone."""
    hardware: str = ""
    held: bool = False
    """Whether it shall fetch no firmware at all."""
    share: int = 100
    """Per cent of the phones with these variables that get it already."""


class Upgrade(NamedTuple):
    """The way of one phone to its firmware."""

    steps: tuple[Image, ...]
    """Stepping stones in their order, and the target."""
    exact: bool
    """Whether a phone that runs something newer goes back to the target."""

    def rule(self, base: str) -> str:
        """Return the Upgrade_Rule; *base*: URL of the folder of images."""
        below = self.steps[0].minimum
        # Without anything that leads to the first stone, older phones must not fall through to the second
        floor = [_compared("ge", below)] if below else []
        alternatives = []
        for image, following in zip(self.steps, [*self.steps[1:], None], strict=True):
            last = _compared("ne" if self.exact else "lt", image.version)
            condition = (*floor, last if following is None else _compared("lt", following.minimum))
            alternatives.append(Alternative(condition, (), (Place(base + image.load),)))
        return str(Rule(tuple(alternatives)))


def _compared(operator: str, version: str) -> Comparison:
    return Comparison(Operand("$SWVER", False), operator, Operand(version, False))


# -- the catalogue


def read_catalogue(entries: Any, catalogue: Catalogue, where: str = "firmware_images") -> tuple[Image, ...]:
    """Read and check the inventory's list of images; raise FirmwareError with everything that is wrong."""
    if not isinstance(entries, Sequence) or isinstance(entries, str | bytes):
        raise FirmwareError(f"{where}: it is a {type(entries).__name__}; write a list of images")
    images, problems = [], []
    for number, entry in enumerate(entries, 1):
        label = f"{where}: image {number}"
        if isinstance(entry, Mapping) and isinstance(entry.get("file"), str):
            label += f" ({_base(entry['file'])})"
        try:
            images.append(_read(entry, catalogue))
        except FirmwareError as error:
            problems.append(f"{label}: {error}")
    problems += [f"{where}: {problem}" for problem in _conflicts(images)]
    if problems:
        raise FirmwareError("\n".join(problems))
    return tuple(images)


def _read(entry: Any, catalogue: Catalogue) -> Image:
    if not isinstance(entry, Mapping):
        raise FirmwareError(f"it is a {type(entry).__name__}; write a mapping of {', '.join(_KEYS)}")
    for key in entry:
        if key not in _KEYS:
            near = difflib.get_close_matches(str(key), _KEYS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(_KEYS)}"
            raise FirmwareError(f"the key '{key}' is not known; {hint}")
    for key in _REQUIRED:
        if not entry.get(key):
            raise FirmwareError(f"{key} is missing")
    file, digest, version = (_text(entry, key) for key in _REQUIRED)
    if not _NAME.fullmatch(_base(file)):
        raise FirmwareError(f"file: '{_base(file)}' is no name that all phones can ask for; use letters, digits and ._-+=,@~ alone")
    if not _DIGEST.fullmatch(digest):
        raise FirmwareError(f"sha256: '{digest}' is not 64 hexadecimal digits, as sha256sum prints them")
    image = Image(
        file=file,
        sha256=digest.lower(),
        version=version,
        models=_models(entry, catalogue),
        load=_load(entry, file),
        hardware=tuple(revision.upper() for revision in _texts(entry, "hardware")),
        minimum=_text(entry, "minimum"),
        size=_size(entry.get("size")),
    )
    _check_versions(image)
    return image


def _check_versions(image: Image) -> None:
    number = _version("version", image.version)
    if image.minimum:
        minimum = _version("minimum", image.minimum)
        if minimum.kind != number.kind:
            raise FirmwareError(
                f"minimum: {image.minimum} and version {image.version} are of two forms, which phones do not compare"
            )
        if minimum >= number:
            raise FirmwareError(f"minimum: {image.minimum} is not older than version {image.version}")


def _version(key: str, text: str) -> Number:
    try:
        number = read_number(text)
    except NumberError as error:
        raise FirmwareError(f"{key}: '{text}' {error}") from error
    if number.kind == "number":
        raise FirmwareError(f"{key}: '{text}' is a number; write the version as $SWVER of the phone says it")
    return number


def _models(entry: Mapping[str, Any], catalogue: Catalogue) -> tuple[str, ...]:
    family = _text(entry, "family")
    named = _texts(entry, "models")
    if not family and not named:
        raise FirmwareError("models is missing; name the models that it is for, or a whole family")
    if family and family not in catalogue.families:
        near = difflib.get_close_matches(family, catalogue.families, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(catalogue.families)}"
        raise FirmwareError(f"family: '{family}' is not known; {hint}")
    try:
        models = [catalogue.find_model(name) for name in named or catalogue.families[family].models]
    except ModelError as error:
        raise FirmwareError(f"models: {error}") from error
    for model in models:
        if family and model.family.name != family:
            raise FirmwareError(f"models: {model.name} is of the family {model.family.name}, not {family}")
        if not model.family.upgrade_rules:
            raise FirmwareError(f"the family {model.family.name} has no parameter for an upgrade rule")
    return tuple(dict.fromkeys(model.name for model in models))


def _load(entry: Mapping[str, Any], file: str) -> str:
    load, name = _text(entry, "load"), _base(file)
    if not name.lower().endswith(PACKAGE):
        if load and load != name:
            raise FirmwareError(f"load: only a {PACKAGE} holds other files than itself; leave it out")
        return name
    if not load:
        raise FirmwareError(
            "load is missing: say which file of the package Upgrade_Rule names, the .loads of an MPP or the .img of an ATA"
        )
    if not _NAME.fullmatch(load):
        raise FirmwareError(f"load: '{load}' is no name of a file that all phones can ask for")
    return load


def _size(value: Any) -> int:
    if value is None:
        return 0
    if isinstance(value, bool) or not re.fullmatch("[1-9][0-9]{0,14}", str(value)):
        raise FirmwareError(f"size: '{value}' is no number of bytes")
    return int(value)


def _text(entry: Mapping[str, Any], key: str) -> str:
    value = entry.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise FirmwareError(f"{key}: it is a {type(value).__name__}; write text, in quotes where YAML reads something else")
    return str.__str__(value)


def _texts(entry: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = entry.get(key)
    if value is None:
        return ()
    values = value if isinstance(value, list | tuple) else [value]
    return tuple(_text({key: item}, key) for item in values)


def _base(file: str) -> str:
    path = re.split("[?#]", file, maxsplit=1)[0] if _URL.match(file) else file
    return path.rpartition("/")[2]


def _conflicts(images: Sequence[Image]) -> list[str]:
    """Return a sentence on each pair of images between which no phone could choose, or that would share a file."""
    problems = []
    for position, image in enumerate(images):
        for other in images[:position]:
            both = [model for model in image.models if model in other.models]
            if both and image.number.kind != other.number.kind:
                problems.append(f"{other.name} and {image.name} are both for {both[0]}, and their versions are of two forms")
            elif both and image.number == other.number and _overlap(image.hardware, other.hardware):
                problems.append(
                    f"{other.name} and {image.name} are both {image.version} for {both[0]}; tell them apart by hardware"
                )
            if image.sha256 != other.sha256 and image.load.lower() == other.load.lower():
                problems.append(f"two images would be served as {image.load}; TFTP sees no difference between A and a")
            if image.sha256 == other.sha256 and image.name != other.name:
                problems.append(f"{other.name} and {image.name} have the same sha256, so that one of them is wrong")
    return list(dict.fromkeys(problems))


def _overlap(one: Sequence[str], other: Sequence[str]) -> bool:
    return not one or not other or bool({*one} & {*other})


# -- who gets what


class Chooser:
    """Finds the way of phones to their firmware; phones that are alike are looked at once."""

    def __init__(self, images: Iterable[Image]) -> None:
        self._images = tuple(images)
        self._found: dict[tuple[str, str, str], Upgrade | FirmwareError | None] = {}
        self._rules: dict[tuple[str, str, str, str], str] = {}

    def upgrade(self, model: str, wanted: Wanted) -> Upgrade | None:
        """Return the way of a phone of that model, or None when its firmware is left alone; raise FirmwareError."""
        if not wanted.version or wanted.held:
            return None
        asked = (model, wanted.version, wanted.hardware)
        if asked not in self._found:
            try:
                self._found[asked] = self._find(model, wanted)
            except FirmwareError as error:
                self._found[asked] = error
        found = self._found[asked]
        if isinstance(found, FirmwareError):
            raise found
        return found

    def rule(self, model: str, wanted: Wanted, base: str) -> str:
        """Return the Upgrade_Rule of that phone; empty where it has no upgrade, or images have no *base*."""
        upgrade = self.upgrade(model, wanted)
        if upgrade is None or not base:
            return ""
        asked = (model, wanted.version, wanted.hardware, base)
        if asked not in self._rules:
            self._rules[asked] = upgrade.rule(base)
        return self._rules[asked]

    def _find(self, model: str, wanted: Wanted) -> Upgrade | None:
        of_model = [image for image in self._images if model in image.models]
        # What all phones are told is nothing to those whose model has no image
        if not of_model and wanted.version == LATEST:
            return None
        limited = next((image for image in of_model if image.hardware), None)
        if limited and not wanted.hardware:
            raise FirmwareError(
                f"phone_hardware: it is missing, and {limited.name} ({limited.version}) is for {_listed(limited.hardware)} alone;"
                " take it from the label or the phone's page"
            )
        fitting = [image for image in of_model if image.fits(wanted.hardware)]
        exact = wanted.version != LATEST
        newest = max(fitting, key=lambda image: image.number, default=None)
        target = self._named(model, wanted, of_model, fitting) if exact else newest
        if target is None:
            raise FirmwareError(f"phone_hardware: no image for {model} is for {wanted.hardware}; {_right(fitting, of_model)}")
        return Upgrade(_steps(target, fitting), exact)

    def _named(self, model: str, wanted: Wanted, of_model: list[Image], fitting: list[Image]) -> Image:
        named = [image for image in fitting if _is_called(image.version, wanted.version)]
        if len(named) == 1:
            return named[0]
        if named:
            raise FirmwareError(f"phone_firmware: {wanted.version} could be {_either(named)}; write one of them in full")
        for image in of_model:
            if _is_called(image.version, wanted.version):
                raise FirmwareError(
                    f"phone_firmware: {image.name} ({image.version}) is for the hardware {_listed(image.hardware)},"
                    f" and phone_hardware is {wanted.hardware}; {_right(fitting, of_model)}"
                )
        for image in self._images:
            if _is_called(image.version, wanted.version):
                raise FirmwareError(
                    f"phone_firmware: {image.name} ({image.version}) is for {_listed(image.models)}, and not for {model};"
                    f" {_right(fitting, of_model)}"
                )
        raise FirmwareError(f"phone_firmware: the catalogue has no {wanted.version}; {_right(fitting, of_model)}")


def _right(fitting: Sequence[Image], of_model: Sequence[Image]) -> str:
    if fitting:
        return f"right would be {_either(fitting)}, or {LATEST}"
    return "no image fits it" if of_model else "the catalogue has none for its model"


def _either(images: Iterable[Image]) -> str:
    return " or ".join(image.version for image in sorted(images, key=lambda image: image.number))


def _listed(texts: Sequence[str]) -> str:
    most = 4
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more


def _is_called(version: str, asked: str) -> bool:
    """Whether *asked* means this version: in full, without its series, or as the dotted form of a release."""
    plain = version.lower()
    if asked.lower() in (plain, plain.partition(".")[2] if re.match("[a-z]", plain) else plain):
        return True
    number = read_number(version)
    if number.kind != "dashed" or not _SHORT.fullmatch(asked):
        return False
    return [part for part, _letters in number.key[0]] == [int(part) for part in asked.split(".")]


def _steps(target: Image, fitting: Sequence[Image]) -> tuple[Image, ...]:
    """Return the stepping stones to *target*, and itself: always the stone that the oldest version can step to."""
    steps = [target]
    while steps[0].minimum:
        image, minimum = steps[0], read_number(steps[0].minimum)
        stone = _stone([other for other in fitting if minimum <= other.number < image.number])
        if stone is None or (stone.minimum and read_number(stone.minimum) >= minimum):
            break
        steps.insert(0, stone)
    return tuple(steps)


def _stone(stones: Sequence[Image]) -> Image | None:
    """Return the newest of those that ask for the least."""
    asking = [read_number(stone.minimum) for stone in stones if stone.minimum]
    # One that asks for nothing comes before all
    if len(asking) == len(stones) and asking:
        stones = [stone for stone in stones if read_number(stone.minimum) == min(asking)]
    else:
        stones = [stone for stone in stones if not stone.minimum]
    return max(stones, key=lambda stone: stone.number, default=None)


def gaps(images: Sequence[Image]) -> list[str]:
    """Return a sentence on each image to which nothing in the catalogue leads older phones."""
    sentences = []
    for image in images:
        for model in image.models:
            fitting = [other for other in images if model in other.models and _overlap(image.hardware, other.hardware)]
            lowest = _steps(image, fitting)[0].minimum
            if lowest:
                sentences.append(
                    f"{image.name} ({image.version}) is reached from {lowest} on; nothing leads older phones such as a {model}"
                    " there, and they keep what they have"
                )
                break
    return sentences


def takes_part(mac: Mac, share: int) -> bool:
    """Whether a phone is among the first *share* per cent; who is at 10 is so at 20."""
    return int.from_bytes(hashlib.blake2b(mac.plain.encode(), digest_size=4).digest(), "big") % 100 < share


def check_base(url: str) -> None:
    """Raise FirmwareError unless *url* is that of a folder on a named server."""
    try:
        target = parse_url(url)
    except RuleError as error:
        raise FirmwareError(f"'{url}': {error}") from error
    if not target.server:
        raise FirmwareError(f"'{url}' names no server, and Upgrade_Rule needs one")
    if not target.path.endswith("/") or "$" in url:
        raise FirmwareError(f"'{url}' is no folder; write it with a / at its end, and without macros")
