# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Controller side of the firmware_tree module: verify images, send what the target lacks, and have all of them served at once."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any, NamedTuple

from ansible import constants as C
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.module_utils.urls import open_url
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ..module_utils.families import BUILTIN, FamilyError
from ..module_utils.firmware import FirmwareError, Image, gaps, read_catalogue
from ..module_utils.firmware_package import MOST_BYTES, Package, PackageError
from ..module_utils.firmware_store import Stored, conflict
from ..plugin_utils.options import read_options

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "path": {"type": "path", "default": "/srv/preprovision"},
    "images": {"type": "list", "elements": "dict", "default": []},
    "families": {"type": "dict", "default": {}},
    "state": {"type": "str", "default": "present", "choices": ["present", "checked"]},
    "limit": {"type": "int", "default": MOST_BYTES},
    "cache": {"type": "path", "default": "~/.cache/voip-preprovision/firmware"},
}

_MODULE = "voip.preprovision.firmware_store"
_BLOCK = 1024 * 1024
_PIECE = 16 * _BLOCK
"""Bytes that are sent at a time; progress is told after each piece."""
_SPARE = 8 * _BLOCK
"""Bytes that stay free on the target."""


class Source(NamedTuple):
    """An image that is on the controller and right."""

    path: str
    size: int
    stored: Stored
    """As it will be on the target."""


class ActionModule(ActionBase):
    """Wiring: catalogue -> verified files -> what the target lacks -> one image after the other -> one swap."""

    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Serve the images, and say what changed."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        self._variables = task_vars or {}
        self._options = options = read_options("firmware_tree", ARGUMENT_SPEC, self._task.args)
        try:
            catalogue = BUILTIN.extended(options["families"])
            images = read_catalogue(options["images"], catalogue)
            # A file that several entries name, for phones that differ, is one image
            result.update(self._serve({image.sha256: image for image in images}, images))
        except (FamilyError, FirmwareError) as error:
            raise AnsibleActionFail(str(error)) from None
        return result

    def _serve(self, images: Mapping[str, Image], entries: tuple[Image, ...]) -> dict[str, Any]:
        if self._options["state"] == "checked":
            for sentence in gaps(entries):
                Display().warning(f"firmware_images: {sentence}")
            self._verify({digest: image for digest, image in images.items() if self._find(image)}, entries)
            return {"changed": False}
        seen = self._ask({"digests": [*images]})
        for digest, found in seen["stored"].items():
            _check_loads(images[digest], found["files"], entries)
        missing = {digest: image for digest, image in images.items() if digest not in seen["stored"]}
        gone = {digest: name for digest, name in seen["all"].items() if digest not in images}
        result = {
            "changed": bool(missing) or not seen["serves"],
            "sent": [image.name for image in missing.values()],
            "removed": [name or digest for digest, name in gone.items()],
        }
        if self._task.diff:
            result["diff"] = self._diff(seen["all"], images)
        if result["changed"] and not self._task.check_mode:
            self._replace(images, entries, missing, seen)
        return result

    def _replace(
        self, images: Mapping[str, Image], entries: tuple[Image, ...], missing: Mapping[str, Image], seen: Mapping[str, Any]
    ) -> None:
        for image in missing.values():
            if image.is_url and not self._find(image):
                self._download(image)
        sources = self._verify(missing, entries)
        stored = {digest: Stored(**found) for digest, found in seen["stored"].items()}
        everything = {digest: sources[digest].stored if digest in sources else stored[digest] for digest in images}
        problem = conflict(everything)
        if problem:
            raise FirmwareError(f"firmware_images: {problem}")
        self._check_space(sources, images, seen)
        for number, (digest, source) in enumerate(sources.items(), 1):
            self._send(images[digest], source, f"{number} of {len(sources)}")
        self._ask({"digests": [*images], "publish": True})

    # -- on the controller

    def _find(self, image: Image) -> str:
        """Return where the file is, or nothing where it has not been downloaded yet."""
        if image.is_url:
            path = self._cached(image)
            return path if os.path.exists(path) else ""
        # The collection's own playbooks lie where no user's file does, so beside the inventory is a place too
        inventory = os.path.join(str(self._variables.get("inventory_dir") or "."), image.file)
        places = [os.path.abspath(self._loader.path_dwim(image.file)), os.path.abspath(inventory)]
        found = next((place for place in places if os.path.isfile(place)), "")
        if not found:
            raise FirmwareError(f"firmware_images: {image.name}: there is no such file on the controller ({' or '.join(places)})")
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
                    f"firmware_images: {image.name} has {size:,} bytes, and the catalogue says {image.size:,};"
                    f" it is cut off, or another ({path})"
                )
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            _check_digest(image, digest, path)
            files = {image.name: (size, digest)}
            if image.is_package:
                files = _digests(Package(file, self._options["limit"]))
        return Source(path, size, Stored(image.name, files))

    def _download(self, image: Image) -> None:
        most = image.size or self._options["limit"]
        path = self._cached(image)
        digest = hashlib.sha256()
        _tell(f"downloads {image.name}")
        try:
            os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
            with _replacing(path) as file, contextlib.closing(open_url(image.file, timeout=60)) as answer:
                whole = int(answer.headers.get("Content-Length") or 0)
                while block := answer.read(_BLOCK):
                    file.write(block)
                    digest.update(block)
                    if file.tell() > most:
                        raise FirmwareError(f"firmware_images: {image.name} has more than {most:,} bytes where its URL leads")
                    if not file.tell() % _PIECE:
                        _tell_progress(f"has downloaded of {image.name}", file.tell(), whole)
                # What is kept is right
                _check_digest(image, digest.hexdigest(), "where its URL leads")
        except FirmwareError:
            raise
        except (OSError, ValueError) as error:
            raise FirmwareError(f"firmware_images: {image.name} could not be downloaded: {error}") from error

    # -- to the target

    def _check_space(self, sources: Mapping[str, Source], images: Mapping[str, Image], seen: Mapping[str, Any]) -> None:
        """Raise FirmwareError unless there is room for all of it; a package is there beside its parts for a while."""
        needed = sum(size for source in sources.values() for size, _digest in source.stored.files.values()) + _SPARE
        needed += max((source.size for digest, source in sources.items() if images[digest].is_package), default=0)
        arriving = max((source.size for source in sources.values()), default=0) + _SPARE
        places = [(f"{self._options['path']}/firmware", needed, seen["free"])]
        if seen["apart"]:
            places.append(("the folder that Ansible sends files to", arriving, seen["free_on_arrival"]))
        names = ", ".join(images[digest].name for digest in sources)
        for place, wanted, free in places if sources else ():
            if wanted > free:
                raise FirmwareError(
                    f"there is no space for {names}: it needs {_megabytes(wanted)} in {place}, and {_megabytes(free)} are free;"
                    " make room, or take images out of firmware_images. Nothing was changed"
                )

    def _send(self, image: Image, source: Source, which: str) -> None:
        _tell(f"sends {image.name} ({_megabytes(source.size)}), {which}")
        shell = self._connection._shell
        # Ansible removes the last one that was made, and without pipelining the module that looked has had one
        folder = shell.tmpdir or self._make_tmp_path()
        pieces: list[str] = []
        try:
            for number, piece in enumerate(_pieces(source)):
                pieces.append(shell.join_path(folder, f"{image.sha256[:16]}-{number:04d}"))
                self._transfer_file(piece, pieces[-1])
                if (number + 1) * _PIECE < source.size:
                    _tell_progress(f"has sent of {image.name}", (number + 1) * _PIECE, source.size)
            self._fixup_perms2((folder, *pieces))
        except AnsibleError as error:
            raise AnsibleActionFail(f"firmware_tree: {image.name} could not be sent: {error}; what was served still is") from error
        added = {"digest": image.sha256, "name": image.name, "pieces": pieces, "package": image.is_package}
        self._ask({"add": {**added, "most": self._options["limit"]}})

    def _ask(self, arguments: dict[str, Any]) -> dict[str, Any]:
        given = {"path": self._options["path"], **arguments}
        answer: dict[str, Any] = self._execute_module(_MODULE, module_args=given, task_vars=self._variables)
        if answer.get("failed"):
            raise AnsibleActionFail(f"firmware_tree: {answer.get('msg', 'the target did not answer')}", result=answer)
        return answer

    def _diff(self, before: Mapping[str, str], images: Mapping[str, Image]) -> dict[str, str]:
        place = f"{self._options['path']}/firmware"
        after = {digest: image.name for digest, image in images.items()}
        sides = ["".join(sorted(f"{name} sha256:{digest}\n" for digest, name in side.items())) for side in (before, after)]
        headers = {"before_header": f"{place} (live)", "after_header": f"{place} (inventory)"}
        return {**headers, "before": sides[0], "after": sides[1]}


def _check_digest(image: Image, digest: str, place: str) -> None:
    """Raise FirmwareError unless the digest of what is at *place* is the image's. A URL may hold a password."""
    if digest != image.sha256:
        raise FirmwareError(
            f"firmware_images: {image.name} has the sha256 {digest}, and the catalogue says {image.sha256};"
            f" it is damaged, or another ({place})"
        )


def _check_loads(image: Image, files: Iterable[str], entries: Iterable[Image]) -> None:
    """Raise FirmwareError unless each file that a rule would name is in the image."""
    for entry in entries:
        if entry.sha256 == image.sha256 and entry.load not in files:
            most = 8
            raise FirmwareError(
                f"firmware_images: {image.name} has no part that is called {entry.load}, as load says;"
                f" it has {', '.join([*files][:most])}"
            )


def _digests(package: Package) -> dict[str, tuple[int, str]]:
    """Return size and SHA-256 of each part; raise PackageError for one that is damaged."""
    found = {}
    for part in package.parts:
        digest = hashlib.sha256()
        for block in package.blocks(part.name):
            digest.update(block)
        found[part.name] = (part.size, digest.hexdigest())
    return found


def _pieces(source: Source) -> Iterator[str]:
    """Yield paths of files that hold the image piece by piece; each is gone when the next is asked for."""
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
    """Open a file that takes the place of *path* once it is whole."""
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


def _tell(text: str) -> None:
    Display().display(f"firmware: {text}")


def _tell_progress(what: str, done: int, whole: int) -> None:
    of = f" of {_megabytes(whole)} ({done * 100 // whole} %)" if whole else ""
    _tell(f"{what} {_megabytes(done)}{of}")
