# SPDX-License-Identifier: GPL-3.0-or-later
"""Print a machine's state in JSON: packages, users, units, sockets, firewall, links, routes, kernel settings and files.

Only state that changes by itself is left out; see IGNORED. With two arguments, print the differences between two snapshots.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator

ROOTS = ("/boot", "/etc", "/home", "/opt", "/root", "/run", "/srv", "/usr", "/var")
# Changed by the machine itself, by a package manager's run or by a log-in; each with its reason
IGNORED = {
    r"/run/(systemd|udev|user|log|lock|dbus|credentials|ansible|cloud-init)(/|$)": "systemd's state of the current boot",
    r"/run/utmp$|/var/log/(wtmp|btmp|lastlog)": "records of log-ins",
    r"/root/\.ansible(/|$)|/tmp(/|$)": "Ansible's working folders",
    r"/var/log/journal(/|$)": "the machine's own journal",
    r"/var/log/(apt|dpkg\.log|alternatives\.log)": "the machine's own log of installations and removals",
    r"/var/(lib/apt|cache/apt)(/|$)": "package lists, which are fetched again",
    r"/var/lib/dpkg/(lock|lock-frontend|triggers/.*|status-old|available.*|(diversions|statoverride)-old)$": "dpkg's own",
    r"/var/lib/dpkg/status$": "reported package by package instead",
    r"/var/cache/(ldconfig|debconf)(/|$)|/etc/ld\.so\.cache$|/var/lib/systemd/catalog/database$": "rebuilt at each installation",
    r"/etc/(passwd|group|shadow|gshadow|subuid|subgid)-$": "the user tools' backup copies",
    r"/etc/(passwd|group|shadow|gshadow|subuid|subgid)$": "reported user by user instead",
    r"/var/lib/systemd/(deb-systemd-(user-)?helper-(enabled|masked)|timers|random-seed)(/|$)": "systemd's state files",
    r"/var/lib/(ucf|pam)(/|$)": "registries of package maintainer scripts",
    r"/run/netns$": "created by iproute2 for the emulated phones' namespaces; a reboot removes it",
    r"/run/chrony/chronyd\.pid$|/var/lib/chrony/chrony\.drift$": "the host's own time server keeps running",
    r"/__pycache__(/|$)|\.pyc$": "Python's compiled modules",
}
_IGNORED = re.compile("|".join(f"(?:{pattern})" for pattern in IGNORED))
_LIFETIMES = re.compile(r"\b(valid_lft|preferred_lft) \S+")


def run(*command: str) -> str:
    """Return a command's output; nothing if it does not exist."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        return ""


def files() -> Iterator[tuple[str, str]]:
    """Yield path and description of every file."""
    for root in ROOTS:
        device = os.lstat(root).st_dev if os.path.exists(root) else None
        for folder, folders, names in os.walk(root):
            folders[:] = [
                name
                for name in folders
                if not _IGNORED.search(f"{folder}/{name}")
                and (os.path.islink(f"{folder}/{name}") or os.lstat(f"{folder}/{name}").st_dev == device)
            ]
            for name in (*folders, *names):
                path = f"{folder}/{name}"
                if not _IGNORED.search(path):
                    yield path, describe(path)


def describe(path: str) -> str:
    """Return a file's mode, owner, and link target or digest."""
    found = os.lstat(path)
    text = f"{stat.filemode(found.st_mode)} {found.st_uid}:{found.st_gid}"
    if stat.S_ISLNK(found.st_mode):
        return f"{text} -> {os.readlink(path)}"
    if stat.S_ISREG(found.st_mode):
        with open(path, "rb") as file:
            return f"{text} {hashlib.file_digest(file, 'sha256').hexdigest()[:16]}"
    return text


def lines(text: str) -> dict[str, str]:
    """Return the lines, with single spaces, as keys."""
    return {" ".join(line.split()): "" for line in text.splitlines() if line.strip()}


def keyed(text: str, separator: str | None = None) -> dict[str, str]:
    """Return the rest of each line by its first field."""
    return {
        line.split(separator, 1)[0]: line.split(separator, 1)[1].strip()
        for line in text.splitlines()
        if len(line.split(separator, 1)) > 1
    }


def settings() -> dict[str, str]:
    """Return the kernel's network settings, without counters and changing values."""
    found = keyed(run("sysctl", "--all"), " = ")
    wanted = {name: value for name, value in found.items() if name.startswith("net.")}
    changing = re.compile(r"nf_conntrack|stat|\.neigh\.|random|\.nr_|tcp_fastopen_key")
    return {name: value for name, value in wanted.items() if not changing.search(name)}


def snapshot() -> dict[str, dict[str, str]]:
    """Return the whole state, by part and by name."""
    return {
        "packages": keyed(run("dpkg-query", "--show", "--showformat=${Package}:${Architecture} ${Version} ${db:Status-Abbrev}\n")),
        "automatic": lines(run("apt-mark", "showauto")),
        "users": keyed(run("getent", "passwd"), ":"),
        "groups": keyed(run("getent", "group"), ":"),
        "units": keyed(run("systemctl", "list-unit-files", "--no-legend", "--no-pager")),
        "running": lines(
            run("systemctl", "list-units", "--state=active", "--no-legend", "--plain", "--type=service,socket,timer,path")
        ),
        "failed": lines(run("systemctl", "list-units", "--state=failed", "--no-legend", "--plain")),
        "listening": lines(re.sub(r"users:\S+", "", run("ss", "-Hltun"))),
        "firewall": lines(run("nft", "list", "ruleset")),
        "links": lines(re.sub(r"^\d+: ", "", run("ip", "-brief", "link"), flags=re.MULTILINE)),
        "addresses": lines(_LIFETIMES.sub("", run("ip", "-brief", "address"))),
        "routes": lines(run("ip", "route") + run("ip", "-6", "route")),
        "kernel": settings(),
        "resolver": lines(run("cat", "/etc/resolv.conf")),
        "files": dict(files()),
    }


def compare(before: dict[str, dict[str, str]], after: dict[str, dict[str, str]]) -> list[str]:
    """Return a line for each difference."""
    differences = []
    for part in before:
        old, new = before[part], after[part]
        differences += [f"{part}: gone: {name} {old[name]}" for name in sorted(old.keys() - new.keys())]
        differences += [f"{part}: left: {name} {new[name]}" for name in sorted(new.keys() - old.keys())]
        differences += [
            f"{part}: changed: {name}: {old[name]} -> {new[name]}"
            for name in sorted(old.keys() & new.keys())
            if old[name] != new[name]
        ]
    return differences


if __name__ == "__main__":
    if len(sys.argv) == 1:
        json.dump(snapshot(), sys.stdout)
    else:
        with open(sys.argv[1]) as one, open(sys.argv[2]) as other:
            print(*compare(json.load(one), json.load(other)), sep="\n")
