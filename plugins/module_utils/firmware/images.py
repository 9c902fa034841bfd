# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The catalogue of firmware images: the inventory's entries, read and checked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..common.suggest import unknown
from ..common.validate import ValidationError, kind_of, read_text
from ..common.versions import Number, NumberError, NumberKind, read_number
from ..families.catalogue import Catalogue
from ..families.model import ModelError

PACKAGE = ".zip"

_KEYS = ("file", "sha256", "size", "version", "minimum", "family", "models", "hardware", "load")
_REQUIRED = ("file", "sha256", "version")
_NAME = re.compile(r"(?!\.)[A-Za-z0-9._~+,=@-]{1,200}")
_DIGEST = re.compile("[0-9a-f]{64}", re.IGNORECASE)
_URL = re.compile("https?://", re.IGNORECASE)


class FirmwareError(ValueError):
    """The catalogue is invalid, or a phone cannot get its firmware; one sentence per line."""


@dataclass(frozen=True, slots=True)
class Image:
    """One entry of the catalogue."""

    file: str
    """Path on the controller, or URL."""
    sha256: str
    version: str
    """As the phone reports it in ``$SWVER``."""
    models: tuple[str, ...]
    load: str
    """Name of the file that the Upgrade_Rule names: the file itself, or one in a package."""
    hardware: tuple[str, ...] = ()
    """Hardware revisions that it supports, in capitals; empty: all."""
    minimum: str = ""
    """The oldest version that can upgrade to it directly, or empty."""
    size: int = 0
    """Bytes; 0 where the entry has none."""

    @property
    def name(self) -> str:
        """The file's name without its folder."""
        return _base_name(self.file)

    @property
    def is_url(self) -> bool:
        """Whether the file has to be downloaded."""
        return bool(_URL.match(self.file))

    @property
    def is_package(self) -> bool:
        """Whether the file is unpacked before it is served."""
        return self.name.lower().endswith(PACKAGE)

    @property
    def number(self) -> Number:
        """The version as phones compare it."""
        return read_number(self.version)

    def fits(self, hardware: str) -> bool:
        """Tell whether the image supports that hardware revision."""
        return not self.hardware or hardware.upper() in self.hardware

    def plain(self) -> dict[str, Any]:
        """Return the fields in a form fit for JSON, from which of_plain() restores the image."""
        return asdict(self)

    @classmethod
    def of_plain(cls, values: Mapping[str, Any]) -> Image:
        """Restore an image from plain(), even after JSON has turned its tuples into lists."""
        fields: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
        return cls(**fields)


def read_catalogue(entries: object, catalogue: Catalogue, where: str = "firmware_images") -> tuple[Image, ...]:
    """Read and check the inventory's list of images; raise FirmwareError with everything that is wrong."""
    if not isinstance(entries, Sequence) or isinstance(entries, str | bytes):
        raise FirmwareError(f"{where}: it is {kind_of(entries)}; write a list of images")
    images, problems = [], []
    for number, entry in enumerate(entries, 1):
        label = f"{where}: image {number}"
        if isinstance(entry, Mapping) and isinstance(entry.get("file"), str):
            label += f" ({_base_name(entry['file'])})"
        try:
            images.append(_read(entry, catalogue))
        except FirmwareError as error:
            problems.append(f"{label}: {error}")
    problems += [f"{where}: {problem}" for problem in _conflicts(images)]
    if problems:
        raise FirmwareError("\n".join(problems))
    return tuple(images)


def _read(entry: object, catalogue: Catalogue) -> Image:
    if not isinstance(entry, Mapping):
        raise FirmwareError(f"it is {kind_of(entry)}; write a mapping of {', '.join(_KEYS)}")
    _check_keys(entry)
    file, digest, version = (_text(entry, key) for key in _REQUIRED)
    if not _NAME.fullmatch(_base_name(file)):
        raise FirmwareError(f"file: not every phone can request '{_base_name(file)}'; use only letters, digits and ._-+=,@~")
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


def _check_keys(entry: Mapping[str, Any]) -> None:
    for key in entry:
        if key not in _KEYS:
            raise FirmwareError(unknown("key", key, _KEYS))
    for key in _REQUIRED:
        if not entry.get(key):
            raise FirmwareError(f"{key} is missing; an image needs {', '.join(_REQUIRED)}")


def _check_versions(image: Image) -> None:
    number = _version("version", image.version)
    if image.minimum:
        minimum = _version("minimum", image.minimum)
        if minimum.kind != number.kind:
            raise FirmwareError(
                f"minimum: {image.minimum} and version {image.version} have different forms, which phones do not compare"
            )
        if minimum >= number:
            raise FirmwareError(f"minimum: {image.minimum} is not older than version {image.version}")


def _version(key: str, text: str) -> Number:
    try:
        number = read_number(text)
    except NumberError as error:
        raise FirmwareError(f"{key}: '{text}' {error}") from error
    if number.kind is NumberKind.NUMBER:
        raise FirmwareError(f"{key}: '{text}' is a number; write the version as the phone reports it in $SWVER")
    return number


def _models(entry: Mapping[str, Any], catalogue: Catalogue) -> tuple[str, ...]:
    family = _text(entry, "family")
    named = _texts(entry, "models")
    if not family and not named:
        raise FirmwareError("models is missing; list the models that the image supports, or set family")
    if family and family not in catalogue.families:
        raise FirmwareError(unknown("family", family, catalogue.families))
    try:
        models = [catalogue.find_model(name) for name in named or catalogue.families[family].models]
    except ModelError as error:
        raise FirmwareError(f"models: {error}") from error
    for model in models:
        if family and model.family.name != family:
            raise FirmwareError(f"models: {model.name} belongs to the family {model.family.name}, not {family}")
        if not model.family.upgrade_rules:
            raise FirmwareError(f"the family {model.family.name} has no parameter for an upgrade rule")
    return tuple(dict.fromkeys(model.name for model in models))


def _load(entry: Mapping[str, Any], file: str) -> str:
    load, name = _text(entry, "load"), _base_name(file)
    if not name.lower().endswith(PACKAGE):
        if load and load != name:
            raise FirmwareError(f"load: only a {PACKAGE} contains other files; remove load")
        return name
    if not load:
        raise FirmwareError(
            "load is missing; set it to the package's file that Upgrade_Rule must name: the .loads of an MPP, the .img of an ATA"
        )
    if not _NAME.fullmatch(load):
        raise FirmwareError(f"load: not every phone can request '{load}'; use only letters, digits and ._-+=,@~")
    return load


def _size(value: object) -> int:
    if value is None:
        return 0
    text = str(value)
    if isinstance(value, bool) or not re.fullmatch("[1-9][0-9]{0,14}", text):
        raise FirmwareError(f"size: '{value}' must be a whole number of bytes, of at least 1")
    return int(text)


def _text(entry: Mapping[str, Any], key: str) -> str:
    value = entry.get(key)
    if value is None:
        return ""
    try:
        return read_text(value)
    except ValidationError as error:
        raise FirmwareError(f"{key}: {error}") from error


def _texts(entry: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = entry.get(key)
    if value is None:
        return ()
    values = value if isinstance(value, list | tuple) else [value]
    return tuple(_text({key: item}, key) for item in values)


def _base_name(file: str) -> str:
    path = re.split("[?#]", file, maxsplit=1)[0] if _URL.match(file) else file
    return path.rpartition("/")[2]


def _conflicts(images: Sequence[Image]) -> list[str]:
    """Return a sentence on each pair of images that no phone could choose between or that would share a file."""
    problems = []
    for position, image in enumerate(images):
        for other in images[:position]:
            problems += _pair_conflicts(other, image)
    return list(dict.fromkeys(problems))


def _pair_conflicts(one: Image, other: Image) -> list[str]:
    problems = []
    shared = [model for model in other.models if model in one.models]
    if shared and other.number.kind != one.number.kind:
        problems.append(f"{one.name} and {other.name} are both for {shared[0]}, but their versions have different forms")
    elif shared and other.number == one.number and hardware_overlaps(one, other):
        problems.append(f"{one.name} and {other.name} are both {other.version} for {shared[0]}; tell them apart by hardware")
    if other.sha256 != one.sha256 and other.load.lower() == one.load.lower():
        problems.append(f"two images would be served as {other.load}; TFTP ignores case, so rename one of them")
    if other.sha256 == one.sha256 and other.name != one.name:
        problems.append(f"{one.name} and {other.name} have the same sha256; correct one of them")
    return problems


def hardware_overlaps(one: Image, other: Image) -> bool:
    """Tell whether some hardware revision could take either image."""
    return not one.hardware or not other.hardware or bool({*one.hardware} & {*other.hardware})
