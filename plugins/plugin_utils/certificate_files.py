# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Certificates in files and folders of the controller. Files may be encrypted with Ansible Vault."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError

from ..module_utils.certificates.chain import Certificate, read_certificates
from ..module_utils.certificates.device_roots import Found, check_cas, read_ca_file
from ..module_utils.certificates.requests import CertificateError

_DEVICE_ROOTS = "certificates_device_roots"


def read_device_roots(names: Iterable[str], loader: Any, find: Callable[[str], str | None]) -> list[Certificate]:
    """Return the CAs of all files and folders, each once; raise CertificateError with one line for each problem.

    *loader*: Ansible's DataLoader; *find*: returns the path of a name in the play's search path.
    """
    found: list[Found] = []
    problems: list[str] = []
    for name in names:
        try:
            for path in _files(name, find):
                found += _read(path, loader)
        except CertificateError as error:
            problems.append(f"{_DEVICE_ROOTS}: {error}")
    if not problems:
        try:
            return check_cas(found, datetime.datetime.now(datetime.UTC))
        except CertificateError as error:
            problems = [f"{_DEVICE_ROOTS}: {line}" for line in str(error).splitlines()]
    raise CertificateError("\n".join(problems))


def _files(name: str, find: Callable[[str], str | None]) -> Iterator[Path]:
    """Yield the file, or all files of the folder and those below it in the order of their names; hidden ones do not count."""
    try:
        place = find(name)
    except AnsibleError:
        place = None
    if not place:
        raise CertificateError(f"{name} does not exist on the controller; name a file or folder with certificates")
    path = Path(place)
    if not path.is_dir():
        yield path
        return
    files = [
        file
        for file in sorted(path.rglob("*"))
        if file.is_file() and not any(part.startswith(".") for part in file.relative_to(path).parts)
    ]
    if not files:
        raise CertificateError(f"{name} is an empty folder; put the makers' certificates there, or remove it from the list")
    yield from files


def _read(path: Path, loader: Any) -> list[Found]:
    try:
        return read_ca_file(Path(loader.get_real_file(str(path))).read_bytes(), str(path))
    except (OSError, AnsibleError) as error:
        raise CertificateError(f"{path} cannot be read; let the user who runs Ansible read it") from error


def read_signers(files: Iterable[str], loader: Any, find: Callable[[str], str | None]) -> list[str]:
    """Return the subjects of the CAs that signed a server's certificate, directly or above, from the PEM files of its chain.

    The server's certificate is the first one. Raise CertificateError.
    """
    chain: list[Certificate] = []
    for name in filter(None, files):
        chain += read_certificates(_read_text(name, loader, find), name)
    return list(
        dict.fromkeys([*(certificate.issuer for certificate in chain), *(certificate.subject for certificate in chain[1:])])
    )


def _read_text(name: str, loader: Any, find: Callable[[str], str | None]) -> str:
    try:
        path = find(name)
        if not path:
            raise CertificateError(f"{name} does not exist on the controller")
        return Path(loader.get_real_file(path)).read_bytes().decode("utf-8", "replace")
    except (OSError, AnsibleError) as error:
        raise CertificateError(f"{name} cannot be read on the controller") from error
