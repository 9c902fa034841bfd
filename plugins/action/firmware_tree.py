# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Controller side of the firmware_tree module: verify images, send those that the target lacks, and publish all of them at once."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any, NamedTuple, TypedDict, cast

from ansible import constants as C
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.module_utils.urls import open_url
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ..module_utils.families.catalogue import BUILTIN
from ..module_utils.families.model import FamilyError
from ..module_utils.firmware.images import FirmwareError, Image, read_catalogue
from ..module_utils.firmware.packages import MAX_BYTES, Package, PackageError
from ..module_utils.firmware.selector import gaps
from ..module_utils.firmware.store import Content, Stored, conflict
from ..plugin_utils.options import read_options
from ..plugin_utils.target_module import TargetModule, failing
from ..plugin_utils.variable_specs import role_variables

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "path": {"type": "path", "default": "/srv/preprovision"},
    "images": {"type": "list", "elements": "dict", "default": []},
    "families": {"type": "dict", "default": {}},
    "state": {"type": "str", "default": "present", "choices": ["present", "checked"]},
    "limit": {"type": "int", "default": MAX_BYTES},
    "cache": {"type": "path", "default": "~/.cache/voip-preprovision/firmware"},
}

_BLOCK = 1024 * 1024
_PIECE = 16 * _BLOCK
"""Bytes that are sent at a time; progress is reported after each piece."""
_SPARE = 8 * _BLOCK
"""Bytes that stay free on the target."""
_MAX_LISTED = 8


class Source(NamedTuple):
    """A verified image on the controller."""

    path: str
    size: int
    stored: Stored
    """As it will be on the target."""


class StoreState(TypedDict):
    """What firmware_store returns when it only reads."""

    stored: dict[str, dict[str, Any]]
    all: dict[str, str]
    serves: bool
    free: int
    free_on_arrival: int
    apart: bool


class ActionModule(ActionBase):
    """Wiring: read the catalogue, verify files, send the missing images one by one, publish them all in one step."""

    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Serve the images; return what changed."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        self._variables = task_vars or {}
        self._options = options = read_options("firmware_tree", ARGUMENT_SPEC, self._task.args)
        self._store = TargetModule(self, "firmware_store", task_vars, "firmware_tree", path=options["path"])
        with failing(FamilyError, FirmwareError, reword=role_variables(task_vars or {})):
            catalogue = BUILTIN.extended(options["families"])
            images = read_catalogue(options["images"], catalogue)
            # Several entries may name one file, for different phones
            result.update(self._serve({image.sha256: image for image in images}, images))
        return result

    def _serve(self, images: Mapping[str, Image], entries: tuple[Image, ...]) -> dict[str, Any]:
        if self._options["state"] == "checked":
            for sentence in gaps(entries):
                Display().warning(f"firmware_images: {sentence}")
            self._verify({digest: image for digest, image in images.items() if self._find(image)}, entries)
            return {"changed": False}
        state = cast(StoreState, self._store.call(digests=[*images]))
        for digest, found in state["stored"].items():
            _check_loads(images[digest], found["files"], entries)
        missing = {digest: image for digest, image in images.items() if digest not in state["stored"]}
        result = {
            "changed": bool(missing) or not state["serves"],
            "sent": [image.name for image in missing.values()],
            "removed": [name or digest for digest, name in state["all"].items() if digest not in images],
        }
        if self._task.diff:
            result["diff"] = self._diff(state["all"], images)
        if result["changed"] and not self._task.check_mode:
            self._replace(images, entries, missing, state)
        return result

    def _replace(
        self, images: Mapping[str, Image], entries: tuple[Image, ...], missing: Mapping[str, Image], state: StoreState
    ) -> None:
        for image in missing.values():
            if image.is_url and not self._find(image):
                self._download(image)
        sources = self._verify(missing, entries)
        stored = {digest: Stored(**found) for digest, found in state["stored"].items()}
        everything = {digest: sources[digest].stored if digest in sources else stored[digest] for digest in images}
        problem = conflict(everything)
        if problem:
            raise FirmwareError(f"firmware_images: {problem}")
        self._check_space(sources, images, state)
        for number, (digest, source) in enumerate(sources.items(), 1):
            self._send(images[digest], source, f"{number} of {len(sources)}")
        self._store.call(digests=[*images], publish=True)

    # -- on the controller

    def _find(self, image: Image) -> str:
        """Return the file's path, or an empty text when it has not been downloaded yet."""
        if image.is_url:
            path = self._cached(image)
            return path if os.path.exists(path) else ""
        # The collection's own playbooks are far from the user's files, so look beside the inventory as well
        inventory = os.path.join(str(self._variables.get("inventory_dir") or "."), image.file)
        places = [os.path.abspath(self._loader.path_dwim(image.file)), os.path.abspath(inventory)]
        found = next((place for place in places if os.path.isfile(place)), "")
        if not found:
            raise FirmwareError(f"firmware_images: {image.name} does not exist on the controller ({' or '.join(places)})")
        return found

    def _cached(self, image: Image) -> str:
        return os.path.join(self._options["cache"], image.sha256, image.name)

    def _verify(self, images: Mapping[str, Image], entries: tuple[Image, ...]) -> dict[str, Source]:
        """Return the files of the images by digest; raise FirmwareError with everything that is wrong."""
        sources, problems = {}, []
        for digest, image in images.items():
            try:
                sources[digest] = self._read(image)
                _check_loads(image, sources[digest].stored.files, entries)
            except PackageError as error:
                problems.append(f"firmware_images: {image.name} {error}")
            except FirmwareError as error:
                problems.append(str(error))
            except OSError as error:
                problems.append(f"firmware_images: {image.name} cannot be read: {error.strerror}")
        if not problems:
            problem = conflict({digest: source.stored for digest, source in sources.items()})
            problems += [f"firmware_images: {problem}"] if problem else []
        if problems:
            raise FirmwareError("\n".join(problems))
        return sources

    def _read(self, image: Image) -> Source:
        path = self._find(image)
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if image.size and size != image.size:
                raise FirmwareError(
                    f"firmware_images: {image.name} has {size:,} bytes, but the catalogue says {image.size:,};"
                    f" it is truncated, or a different file ({path})"
                )
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            _check_digest(image, digest, path)
            files = {image.name: (size, digest)}
            if image.is_package:
                files = _digests(Package(file, self._options["limit"]))
        return Source(path, size, Stored(image.name, files))

    def _download(self, image: Image) -> None:
        max_bytes = image.size or self._options["limit"]
        path = self._cached(image)
        digest = hashlib.sha256()
        _show(f"downloading {image.name}")
        try:
            os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
            with _replacing(path) as file, contextlib.closing(open_url(image.file, timeout=60)) as answer:
                whole = int(answer.headers.get("Content-Length") or 0)
                while block := answer.read(_BLOCK):
                    file.write(block)
                    digest.update(block)
                    if file.tell() > max_bytes:
                        raise FirmwareError(f"firmware_images: {image.name} is longer than {max_bytes:,} bytes at its URL")
                    if not file.tell() % _PIECE:
                        _show_progress(f"downloaded {image.name}", file.tell(), whole)
                # Only a verified file stays in the cache
                _check_digest(image, digest.hexdigest(), "at its URL")
        except FirmwareError:
            raise
        except (OSError, ValueError) as error:
            raise FirmwareError(f"firmware_images: {image.name} could not be downloaded: {error}") from error

    # -- to the target

    def _check_space(self, sources: Mapping[str, Source], images: Mapping[str, Image], state: StoreState) -> None:
        """Raise FirmwareError unless all images fit; a package needs room beside its parts until it is unpacked."""
        needed = sum(size for source in sources.values() for size, _digest in source.stored.files.values()) + _SPARE
        needed += max((source.size for digest, source in sources.items() if images[digest].is_package), default=0)
        arriving = max((source.size for source in sources.values()), default=0) + _SPARE
        places = [(f"{self._options['path']}/firmware", needed, state["free"])]
        if state["apart"]:
            places.append(("the folder that Ansible sends files to", arriving, state["free_on_arrival"]))
        names = ", ".join(images[digest].name for digest in sources)
        for place, required, free in places if sources else ():
            if required > free:
                raise FirmwareError(
                    f"there is not enough space for {names}: {place} needs {_megabytes(required)} and has {_megabytes(free)};"
                    " free some, or remove images from firmware_images. Nothing was changed"
                )

    def _send(self, image: Image, source: Source, which: str) -> None:
        _show(f"sending {image.name} ({_megabytes(source.size)}), {which}")
        try:
            pieces = self._store.upload_pieces(_named_pieces(image, source))
        except AnsibleError as error:
            raise AnsibleActionFail(
                f"firmware_tree: {image.name} could not be sent: {error}; the images served so far are still served"
            ) from error
        added = {"digest": image.sha256, "name": image.name, "pieces": pieces, "package": image.is_package}
        self._store.call(add={**added, "max_bytes": self._options["limit"]})

    def _diff(self, before: Mapping[str, str], images: Mapping[str, Image]) -> dict[str, str]:
        place = f"{self._options['path']}/firmware"
        after = {digest: image.name for digest, image in images.items()}
        sides = ["".join(sorted(f"{name} sha256:{digest}\n" for digest, name in side.items())) for side in (before, after)]
        headers = {"before_header": f"{place} (live)", "after_header": f"{place} (inventory)"}
        return {**headers, "before": sides[0], "after": sides[1]}


def _check_digest(image: Image, digest: str, place: str) -> None:
    """Raise FirmwareError unless *digest*, of the content at *place*, is the image's. *place* is no URL: it may hold a password."""
    if digest != image.sha256:
        raise FirmwareError(
            f"firmware_images: {image.name} has the sha256 {digest}, but the catalogue says {image.sha256};"
            f" it is damaged, or a different file ({place})"
        )


def _check_loads(image: Image, files: Iterable[str], entries: Iterable[Image]) -> None:
    """Raise FirmwareError unless the image contains every file that a rule would name."""
    for entry in entries:
        if entry.sha256 == image.sha256 and entry.load not in files:
            raise FirmwareError(
                f"firmware_images: {image.name} does not contain {entry.load}, the file that its load names;"
                f" it contains {', '.join([*files][:_MAX_LISTED])}"
            )


def _digests(package: Package) -> dict[str, Content]:
    """Return the size and SHA-256 of each part; raise PackageError for a damaged one."""
    found = {}
    for part in package.parts:
        digest = hashlib.sha256()
        for block in package.blocks(part.name):
            digest.update(block)
        found[part.name] = (part.size, digest.hexdigest())
    return found


def _named_pieces(image: Image, source: Source) -> Iterator[tuple[str, str]]:
    """Yield the path of each piece and its name on the target; show progress when the next one is asked for."""
    for number, piece in enumerate(_pieces(source)):
        yield piece, f"{image.sha256[:16]}-{number:04d}"
        if (number + 1) * _PIECE < source.size:
            _show_progress(f"sent {image.name}", (number + 1) * _PIECE, source.size)


def _pieces(source: Source) -> Iterator[str]:
    """Yield the path of a file with each piece of the image in turn; the next piece overwrites it."""
    if source.size <= _PIECE:
        yield source.path
        return
    with open(source.path, "rb") as file, tempfile.NamedTemporaryFile(dir=C.DEFAULT_LOCAL_TMP) as piece:
        while block := file.read(_PIECE):
            piece.seek(0)
            piece.truncate()
            piece.write(block)
            piece.flush()
            yield piece.name


@contextlib.contextmanager
def _replacing(path: str) -> Iterator[IO[bytes]]:
    """Open a file that replaces *path* once it is complete."""
    descriptor, new = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".")
    try:
        with open(descriptor, "wb") as file:
            yield file
        os.replace(new, path)
    except BaseException:
        os.unlink(new)
        raise


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"


def _show(text: str) -> None:
    Display().display(f"firmware: {text}")


def _show_progress(what: str, done: int, whole: int) -> None:
    of = f" of {_megabytes(whole)} ({done * 100 // whole} %)" if whole else ""
    _show(f"{what}: {_megabytes(done)}{of}")
