# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Collect Debian packages of any release, with their dependencies, in one archive that apt reads without a network."""

from __future__ import annotations

import hashlib
import io
import os
import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from ..common.processes import run_program
from .commands import apt_error
from .footprint import across_roles

RELEASES = ("bookworm", "trixie")
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_FIELDS = re.compile(r"^(?:Filename|Size|SHA256|MD5sum|SHA1):.*\n", re.MULTILINE)


class OfflineError(ValueError):
    """Packages cannot be collected; the message says why."""


class Collected(NamedTuple):
    """The content of the archive."""

    packages: list[str]
    """Each as name=version."""
    bytes: int


def wanted() -> list[str]:
    """Return all packages that site can install, whatever the settings."""
    return sorted({*across_roles("packages"), *across_roles("optional_packages")})


def mirrors() -> tuple[str, str]:
    """Return the URLs that apt on this machine gets Debian and its security updates from; empty if it has none."""
    listing = _run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(SUITE)", "Created-By: Packages"], {})
    found = dict(line.split(" ", 1)[::-1] for line in listing.splitlines() if " " in line)
    main = [uri for suite, uri in found.items() if "security" not in suite and "debian" in uri]
    security = [uri for suite, uri in found.items() if "security" in suite]
    return (main or [""])[0].rstrip("/"), (security or [""])[0].rstrip("/")


def sources(release: str, mirror: str, security: str) -> str:
    """Return the lines of sources.list for the release."""
    lines = [f"deb [signed-by={_KEYRING}] {mirror} {suite} main" for suite in (release, f"{release}-updates")]
    if security:
        lines.append(f"deb [signed-by={_KEYRING}] {security} {release}-security main")
    return "\n".join(lines) + "\n"


def collect(folder: str, target: str, release: str, architecture: str, mirror: str, security: str) -> Collected:
    """Collect the packages that site installs in the archive *target*, completely or not at all; *folder*: for temporary files."""
    if not os.path.exists(_KEYRING):
        raise OfflineError(f"{_KEYRING} is missing, which verifies Debian's packages; install debian-archive-keyring")
    environment = _prepare(folder, sources(release, mirror, security), architecture)
    _run(["apt-get", "update", "--error-on=any"], environment)
    _run(["apt-get", "install", "--yes", "--download-only", "--no-install-recommends", *wanted()], environment)
    archives = os.path.join(folder, "archives")
    names = sorted(name for name in os.listdir(archives) if name.endswith(".deb"))
    stanzas = list(_stanzas(archives, names))
    part = f"{target}.part"
    try:
        with tarfile.open(part, "w", format=tarfile.GNU_FORMAT) as bundle:
            index = "\n".join(stanzas).encode()
            info = tarfile.TarInfo("Packages")
            info.size, info.mode = len(index), 0o644
            bundle.addfile(info, io.BytesIO(index))
            for name in names:
                bundle.add(os.path.join(archives, name), name, filter=_without_owner)
        os.rename(part, target)
    finally:
        if os.path.exists(part):
            os.unlink(part)
    return Collected([_named(stanza) for stanza in stanzas], os.stat(target).st_size)


def _without_owner(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.mode, info.uid, info.gid, info.uname, info.gname = 0o644, 0, 0, "root", "root"
    return info


def _prepare(folder: str, text: str, architecture: str) -> Mapping[str, str]:
    """Create folders and settings for an apt to which nothing seems installed; return the environment that selects them."""
    for name in ("archives/partial", "lists/partial", "etc/preferences.d", "etc/trusted.gpg.d"):
        os.makedirs(os.path.join(folder, name))
    settings = {
        "Dir::State::status": "status",
        "Dir::State::extended_states": "extended",
        "Dir::State::lists": "lists",
        "Dir::Cache::archives": "archives",
        "Dir::Etc::sourcelist": "sources.list",
        "Dir::Etc::preferences": "etc/preferences",
        "Dir::Etc::preferencesparts": "etc/preferences.d",
    }
    lines = [f'{name} "{os.path.join(folder, value)}";' for name, value in settings.items()]
    lines += ['Dir::Etc::sourceparts "-";', 'Dir::Cache::pkgcache "";', 'Dir::Cache::srcpkgcache "";']
    lines += [f'APT::Architecture "{architecture}";', f'APT::Architectures "{architecture}";', 'APT::Sandbox::User "root";']
    for name, content in (("status", ""), ("sources.list", text), ("apt.conf", "\n".join(lines) + "\n")):
        with open(os.path.join(folder, name), "w") as file:
            file.write(content)
    return {"APT_CONFIG": os.path.join(folder, "apt.conf")}


def _stanzas(folder: str, names: Sequence[str]) -> Iterator[str]:
    """Yield each package's entry in a Packages index."""
    for name in names:
        path = os.path.join(folder, name)
        control = _FIELDS.sub("", _run(["dpkg-deb", "--field", path], {})).strip("\n")
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        yield f"{control}\nFilename: ./{name}\nSize: {os.stat(path).st_size}\nSHA256: {digest}\n"


def _named(stanza: str) -> str:
    fields = dict(re.findall(r"^(Package|Version): (.*)$", stanza, re.MULTILINE))
    return f"{fields['Package']}={fields['Version']}"


def _run(command: Sequence[str], environment: Mapping[str, str]) -> str:
    try:
        done = run_program(command, text=True, env={**os.environ, "LC_ALL": "C.UTF-8", **environment})
    except FileNotFoundError as error:
        raise OfflineError(f"{command[0]} is missing; collect packages on a Debian host, of any release") from error
    if done.returncode:
        raise OfflineError(f"{command[0]}: {apt_error(done.stderr, done.returncode)}")
    return done.stdout
