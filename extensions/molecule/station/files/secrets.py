# SPDX-License-Identifier: GPL-3.0-or-later
"""Run on the controller: plant unique secrets, let playbooks succeed and fail with them, and search for where they end up.

Arguments: the inventories, and machines in the form STATION=MACHINE. The output names where a secret was planted, never the secret.
"""

from __future__ import annotations

import contextlib
import csv
import gzip
import json
import os
import re
import stat
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from base64 import b64encode
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from ansible.parsing.vault import VaultLib, VaultSecret

COLLECTION = "voip.preprovision"
# Each planted secret begins and ends with this mark, so that it is found even if cut, escaped or folded
MARK = f"Kq{os.urandom(4).hex()}"
# Characters that XML, JSON, YAML, a shell or a URL escapes
ODD = ("'\"", "<&>", "\\n$(x)", "%20+", "\u00e9\u00df", ";|`x`", "", "#!~", "</x>&amp;", " :- ")
# Characters permitted in keys in rules, HTTP passwords and URLs
PLAIN = ("+/=", "%20", "%3c%3E", ";!~", "-._")
# Characters permitted for a database password in a URL
OF_URL = ("%2F", "-._", "%20", "!~")
# Nothing listens on this port
DATABASE = "postgresql://preprovision:{}@127.0.0.1:9/preprovision"
DRIVER = ("python3-psycopg2", "libpq5")
# Phones of the demo and of the scenario
PHONES = ["ata192-1", "spa504g-1", "cp7841-1", "acme100-1"]

# Where secrets belong, if the file is not readable by all
KEEPERS = (
    *("/srv/preprovision/", "/srv/canary/", "/etc/preprovision/certificates/", "/var/lib/preprovision-service/"),
    "/etc/preprovision-service.json",
)
# The journal is read with journalctl instead
NO_FILES = ("/proc", "/sys", "/dev/pts", "/var/log/journal", "/run/log/journal")
MAX_SIZE = 64 * 1024 * 1024
CONTROLLER = (str(Path.home() / ".ansible"), "/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - searched for files left by others

NGINX_FILES = ("/etc/nginx/preprovision.passwords", "/etc/nginx/conf.d/preprovision.conf")

STATION = "192.0.2.1"
# A unit that gets secrets by TFTP (see phone_profiles_preprovision_parameters), and a machine that is no unit
UNIT, UNIT_FILE = "00:00:5e:00:53:01", "ata192.cfg"
STRANGER, STRANGER_ADDRESS = "00:00:5e:00:53:08", "192.0.2.8"
IN_UNIT_FILE = {"a derived profile key", "phone_profiles_preprovision_parameters"}
# Plug a machine into the bench: name, MAC address, address (empty for one from DHCP)
PLUG_IN = """
ip netns add "$0" && ip link add "$0"0 type veth peer name eth0 address "$1" netns "$0" && ip link set "$0"0 master bench0 up
ip -n "$0" link set lo up && ip -n "$0" link set eth0 up
[ -z "$2" ] || exec ip -n "$0" address add "$2/24" dev eth0
printf '#!/bin/sh\\n[ "$1" != bound ] || ip address add "$ip/$mask" dev "$interface"\\n' >/run/judge-lease
chmod 0700 /run/judge-lease
exec ip netns exec "$0" udhcpc -f -n -q -t 10 -i eth0 -s /run/judge-lease
"""
# Files and folders of units that others than the TFTP server may read
OPEN_UNITS = """
find /srv/preprovision/generations -mindepth 3 -path '*/units/*' ! -type l '(' ! -group preprovision-tftp -o -perm /027 ')'
"""

BY_UNIT = "a unit's own file by TFTP"

# A secret leaked on purpose, which every search must find
CONTROL = "control"
CONTROL_FILE = "canary-control"
# Planted in the service's configuration
IN_SERVICE = "the password of the service's database"
# Secrets that the leaking run shows, and secrets in published profiles
SHOWN = {
    "phone_lines[].password",
    "phone_profile_key",
    "phone_parameters: GPP_SA",
    "--key of Profile_Rule_C",
    "web_server_passwords",
}
PUBLISHED = {
    "phone_web.admin_password",
    "phone_profile_key",
    "phone_parameters: GPP_SA",
    "--key of Profile_Rule_C",
    "a derived profile key",
}
TARGET = ("/tmp", "/var/tmp", "/dev/shm", "/run", "/etc", "/root/.ansible", "/var/log", "/var/lib", "/srv/preprovision")  # noqa: S108 - searched too

RECORDER = """
import json
import os

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "recorder"

    def _record(self, result, **_options):
        with open(os.environ["RECORDED"], "a", encoding="utf-8") as file:
            json.dump([result.host.name, result.task_name, result.result], file, default=str)
            file.write("\\n")

    v2_runner_on_ok = v2_runner_on_failed = v2_runner_on_unreachable = v2_runner_on_skipped = _record
    v2_runner_item_on_ok = v2_runner_item_on_failed = v2_runner_item_on_skipped = _record
"""


def imported(name: str, **variables: object) -> dict[str, object]:
    """Return a play that imports one of the collection's playbooks."""
    return {"import_playbook": f"{COLLECTION}.{name}", "vars": variables}


def spellings(text: str) -> list[bytes]:
    """Return a text unchanged, in hexadecimal, and in base64 at each of the three alignments."""
    raw = text.encode()
    coded = [b64encode(bytes(shift) + raw)[(0, 2, 3)[shift] : (len(raw) + shift) * 8 // 6] for shift in range(3)]
    return [raw, raw.hex().encode(), raw.hex().upper().encode(), *coded]


class Secrets:
    """Make secrets and find them again in any content."""

    def __init__(self) -> None:
        self.planted: dict[str, str] = {}
        self._mark = spellings(MARK)
        self._pieces: list[tuple[bytes, str]] = []
        self.made: dict[str, str] = {}
        self._made: list[tuple[bytes, str]] = []

    def plant(self, where: str, odd: Sequence[str] = ODD, end: str = "") -> str:
        """Return a new secret; *where* names it in reports."""
        tag = f"{len(self.planted):02x}{os.urandom(2).hex()}"
        text = f"{MARK}{tag}{odd[len(self.planted) % len(odd)]}{tag}{MARK}{end}"
        self.planted[text] = where
        self._pieces += [(piece, where) for half in (MARK + tag, tag + MARK) for piece in spellings(half)]
        return text

    def plant_plain(self, where: str) -> str:
        """Return a new secret without blanks, quotes and non-ASCII letters."""
        return self.plant(where, PLAIN)

    def add(self, text: str, what: str) -> None:
        """Add a secret that the station has generated itself."""
        if text not in self.made:
            self.made[text] = what
            self._made += [(piece, what) for piece in spellings(text)]

    def within(self, content: bytes) -> set[str]:
        """Return the names of the secrets in a content."""
        names = {name for piece, name in self._made if piece in content}
        if any(piece in content for piece in self._mark):
            names |= {name for piece, name in self._pieces if piece in content} or {"an unidentified part of a planted secret"}
        return names


class Watch:
    """Record command lines and environments of all new processes, here and on the machines, which are containers."""

    def __init__(self) -> None:
        self.seen: dict[str, set[bytes]] = {"cmdline": set(), "environ": set()}
        self._before = {*_processes()}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.02):
            for process in _processes():
                if process not in self._before:
                    for kind, seen in self.seen.items():
                        with contextlib.suppress(OSError):
                            seen.add(Path("/proc", process, kind).read_bytes())


def _processes() -> Iterator[str]:
    return (name for name in os.listdir("/proc") if name.isdigit())


class Machine:
    """Access a machine from outside it."""

    def __init__(self, station: str, name: str) -> None:
        self.station, self.name = station, name
        self.init = Path(f"/run/preprovision-machine-{name}.pid").read_text().strip()
        self.root = f"/proc/{self.init}/root"
        self._nginx = {path: Path(self.root + path).read_bytes() for path in NGINX_FILES}
        self._had = self._drivers()

    def _drivers(self) -> set[str]:
        listed = self.run("dpkg-query", "--show", "--showformat=${db:Status-Status} ${Package}\n").decode()
        return {name for name in DRIVER if f"installed {name}\n" in listed}

    def restore(self) -> None:
        """Restore the web server's files, and remove the database driver if it is new."""
        new = self._drivers() - self._had
        if new:
            self.run("apt-get", "purge", "--quiet", "--yes", *sorted(new))
        for path, content in self._nginx.items():
            Path(self.root + path).write_bytes(content)
        self.run("systemctl", "restart", "nginx.service")

    def run(self, *command: str, **options: Any) -> bytes:
        """Run a command on the machine; return what it prints."""
        argv = ["nsenter", "--target", self.init, "--all", "env", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", *command]
        return subprocess.run(argv, capture_output=True, check=True, **options).stdout

    @contextlib.contextmanager
    def plugged_in(self, name: str, mac: str, address: str = "") -> Iterator[None]:
        """Plug a machine into the bench, with an address or with one from DHCP."""
        try:
            self.run("sh", "-ec", PLUG_IN, name, mac, address)
            yield
        finally:
            self.run("ip", "netns", "delete", name)

    def unit_files(self) -> set[str]:
        """Return the names of units' own files."""
        units = Path(self.root, "srv/preprovision", os.readlink(f"{self.root}/srv/preprovision/current"), "units")
        return {path.name for path in units.glob("*/*") if path.is_file() and not path.is_symlink()}

    def fetch(self, name: str, file: str) -> bytes:
        """Fetch a file by TFTP from a machine on the bench; without an answer, or with an error, it is empty."""
        command = f"ip netns exec {name} curl --silent --max-time 2 tftp://{STATION}/{file} || true"
        return unpacked(self.run("sh", "-c", command))

    @contextlib.contextmanager
    def unwritable(self) -> Iterator[None]:
        """Make nginx's folder read-only and mount a small file system that is soon full."""
        self.run("mkdir", "-p", "/run/canary")
        self.run("mount", "-t", "tmpfs", "-o", "size=12k", "tmpfs", "/run/canary")
        self.run("mount", "--bind", "-o", "ro", "/etc/nginx", "/etc/nginx")
        try:
            yield
        finally:
            self.run("umount", "/etc/nginx", "/run/canary")
            self.run("rmdir", "/run/canary")

    @contextlib.contextmanager
    def invalid_nginx(self) -> Iterator[None]:
        """Break nginx's configuration."""
        neighbour = Path(self.root, "etc/nginx/conf.d/broken.conf")
        neighbour.write_text("nonsense on;\n")
        try:
            yield
        finally:
            neighbour.unlink()


def files(root: str, top: str, since: float, spared: str = "") -> Iterator[tuple[str, bool, bytes]]:
    """Yield path, readability for all, and content of each file below *top* changed since *since*."""
    folders = [(top, True)]
    while folders:
        folder, reachable = folders.pop()
        with contextlib.suppress(OSError):
            reachable = reachable and bool(os.stat(root + folder).st_mode & stat.S_IXOTH)
            for entry in os.scandir(root + (folder or "/")):
                path = f"{folder}/{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    if path not in NO_FILES and path != spared:
                        folders.append((path, reachable))
                    continue
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(status.st_mode) and status.st_ctime >= since and status.st_size <= MAX_SIZE:
                    yield path, reachable and bool(status.st_mode & stat.S_IROTH), unpacked(Path(entry.path).read_bytes())


def unpacked(content: bytes) -> bytes:
    """Return a file's content, and its decompressed content if it is gzip."""
    if content.startswith(b"\x1f\x8b"):
        with contextlib.suppress(OSError, EOFError, zlib.error):
            return content + gzip.decompress(content)
    return content


class Find(NamedTuple):
    """A place, and the names of the secrets found there."""

    place: str
    names: set[str]
    belongs: bool = False


class LeakTest:
    """Run playbooks, and search everything that they show and leave behind."""

    def __init__(self, folder: Path, inventories: list[str], machines: list[Machine]) -> None:
        self.folder, self.inventories, self.machines = folder, inventories, machines
        self.secrets = Secrets()
        self.early: list[Find] = []
        self.runs = 0
        self.bytes = 0
        self.begun = time.time()
        self.write("callbacks/recorder.py", RECORDER)
        self.write("vault-password", self.secrets.plant("the password of the vault"))
        self.vault = VaultLib([("default", VaultSecret((folder / "vault-password").read_bytes()))])

    def write(self, name: str, content: object) -> str:
        """Write text, bytes, or anything else as YAML; return the path."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not isinstance(content, str | bytes):
            # One value per line: Ansible's errors quote neighbouring lines of YAML, but nothing of JSON
            content = f"---\n{yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=1000)}"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    def run(
        self, name: str, playbook: list[dict[str, Any]], status: int, *options: str, inventories: list[str], kept: str = "kept"
    ) -> None:
        """Run a playbook with everything shown, logged and cached in the folder *kept*; raise unless it ends with *status*."""
        (self.folder / kept / "facts").mkdir(parents=True, exist_ok=True)
        environment = {
            **{name: value for name, value in os.environ.items() if name == "ANSIBLE_CONFIG" or not name.startswith("ANSIBLE_")},
            "ANSIBLE_LOG_PATH": str(self.folder / kept / "log"),
            "ANSIBLE_CACHE_PLUGIN": "jsonfile",
            "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(self.folder / kept / "facts"),
            "ANSIBLE_CALLBACK_PLUGINS": str(self.folder / "callbacks"),
            "ANSIBLE_CALLBACKS_ENABLED": "recorder",
            "ANSIBLE_DISPLAY_ARGS_TO_STDOUT": "1",
            "ANSIBLE_NOCOLOR": "1",
            "RECORDED": str(self.folder / kept / "recorded"),
        }
        command = [str(Path(sys.executable).parent / "ansible-playbook"), "-vvvv", "--diff", *options]
        command += [f"--inventory={inventory}" for inventory in inventories]
        command += ["--vault-password-file", str(self.folder / "vault-password"), self.write(f"{name}.yml", playbook)]
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if done.returncode != status:
            shown = re.sub(rf"\S*{MARK}\S*", "****", done.stdout.decode()[-4000:])
            raise RuntimeError(f"{name}: status {done.returncode}, expected {status}\n{shown}")
        self.runs += 1
        self.write(f"{kept}/output of {name}", done.stdout)

    # -- planted secrets

    def write_good_inventory(self) -> str:
        """Write an inventory with secrets in every variable that takes one, in addition to the scenario's own; return its path."""
        phones = self.good_phones()
        for name, variables in phones.items():
            self.write(f"good/host_vars/{name}.yml", variables)
        self.write_good_stations()
        self.write("good/hosts.yml", {"all": {"hosts": dict.fromkeys(phones)}})
        return str(self.folder / "good" / "hosts.yml")

    def good_phones(self) -> dict[str, dict[str, object]]:
        """Return more variables for phones of the scenario's inventory."""
        plant, plain = self.secrets.plant, self.secrets.plant_plain
        rules = {
            # The path does not exist
            "Profile_Rule_C": f"[--key {plain('--key of Profile_Rule_C')}] http://$(B)/no/$MA.cfg?token={plain('token in a URL')}",
            "Profile_Rule_D": f"[--uid desk --pwd {plain('--pwd of Profile_Rule_D')}] http://prov.example.net/nowhere/$MA.cfg",
            "GPP_B": "prov.example.net",
            "Report_Rule": f"[--key {plain('--key of Report_Rule')}] http://prov.example.net/report",
        }
        return {
            "ata192-1": {
                "phone_lines": [
                    {"user_id": "1001", "password": plant("phone_lines[].password")},
                    {"user_id": "1002", "password": "{{ vault_1002 }}"},
                ],
                "vault_1002": plant("a variable used in phone_lines[].password"),
                "phone_web": {
                    "admin_password": plant("phone_web.admin_password"),
                    "user_password": plant("phone_web.user_password"),
                },
                "phone_parameters": {
                    "GPP_SA": plant("phone_parameters: GPP_SA"),
                    "GPP_SD": {"value": plant("phone_parameters: GPP_SD with ua"), "ua": "na"},
                    "router-configuration": {"SSH": {"SSH_PASSWORD": plant("phone_parameters: a section")}},
                },
                "phone_parameters_10_layer": {"GPP_SB": plant("phone_parameters_<layer>")},
            },
            "spa504g-1": {
                "phone_profile_key": plain("phone_profile_key"),
                "phone_profile_key_previous": plain("phone_profile_key_previous"),
                "phone_profile_template": str(self.folder / "good" / "good.j2"),
                "template_secret": plant("a phone's variable used in a template"),
            },
            "acme100-1": {"phone_parameters": rules},
        }

    def write_good_stations(self) -> None:
        """Write the variables of all stations, a phone with an encrypted value, and a template."""
        plant, plain = self.secrets.plant, self.secrets.plant_plain
        # Ansible's errors quote no lines of an encrypted file, but do quote a file with encrypted values
        secret = (
            self.vault.encrypt(plant("phone_lines[].password, encrypted with Ansible Vault")).decode().replace("\n", "\n        ")
        )
        self.write("good/host_vars/cp7841-1.yml", f"---\nphone_lines:\n  - password: !vault |\n        {secret}\n")
        stations = {
            "phone_profiles_master_key": plant("phone_profiles_master_key"),
            "phone_profiles_previous_master_key": plant("phone_profiles_previous_master_key"),
            "phone_profiles_replace_master_key": True,
            "phone_profiles_preprovision_parameters": {"GPP_SC": plant("phone_profiles_preprovision_parameters")},
            "web_server_passwords": {"00:00:5e:00:53:02": plain("web_server_passwords")},
        }
        self.write("good/group_vars/stations.yml", stations)
        self.write(
            "good/good.j2",
            f"<flat-profile><GPP_SA>{plain('a template')}</GPP_SA><Password_1_>{{{{ lines[0].password }}}}</Password_1_>"
            "<Profile_Rule>{{ parameters.Profile_Rule }}</Profile_Rule></flat-profile>",
        )

    def write_bad_inventory(self) -> tuple[str, dict[str, str]]:
        """Write an inventory of stations that each fail in their own way; return its path, and each station's expected error."""
        phones = self.bad_phones()
        self.write_bad_files()
        self.write_bad_rows()
        # Station: its variables, and its expected error
        failures = {**self.bad_profiles([*phones]), **self.bad_settings(), **self.bad_passwords()}
        hosts = {}
        for number, (name, (variables, _error)) in enumerate(failures.items()):
            machine = self.machines[number % len(self.machines)]
            hosts[name] = {"ansible_host": machine.name, **variables}
        shared = {
            "ansible_connection": "machine",
            "ansible_become": False,
            "bench_address": "192.0.2.1/24",
            "bench_ports": [],
            "provisioning_name": "prov.example.net",
            "time_server_adjust_clock": False,
            "phone_profiles_hosts": ["good-1", "good-2"],
            "phone_profiles_master_key": self.secrets.plant("phone_profiles_master_key of failing stations"),
            # Not the one of the machines' phones
            "phone_profiles_replace_master_key": True,
            "phone_profiles_path": "/srv/canary/{{ inventory_hostname }}",
        }
        children = {"stations": {"hosts": hosts, "vars": shared}, "phones": {"hosts": phones}}
        self.write("bad/hosts.yml", {"all": {"children": children}})
        return str(self.folder / "bad" / "hosts.yml"), {name: error for name, (_variables, error) in failures.items()}

    def bad_phones(self) -> dict[str, dict[str, object]]:
        """Return phones that cannot be published, and two good ones."""
        plant, plain = self.secrets.plant, self.secrets.plant_plain

        def phone(number: int, **variables: object) -> dict[str, object]:
            own = {"phone_lines": [{"user_id": "1", "password": plant(f"phone_lines of phone {number}, beside bad phones")}]}
            return {"phone_mac": f"00:00:5e:00:53:{number:02x}", "phone_model": "SPA504G", **own, **variables}

        return {
            "good-1": phone(0x81),
            "good-2": phone(0x82, phone_profile_key=plain("phone_profile_key beside bad phones")),
            "list": phone(0x83, phone_lines=[{"password": [plant("phone_lines[].password as a list")]}]),
            "mapping": phone(0x84, phone_lines=[{"password": {"a": plant("phone_lines[].password as a mapping")}}]),
            "no-lines": phone(0x85, phone_lines=plant("phone_lines as text")),
            "key": phone(0x86, phone_lines=[{"pasword": plant("phone_lines[]: a misspelt key")}]),
            "control": phone(0x87, phone_lines=[{"password": plant("a password with a control character", end="\x07")}]),
            "blank": phone(0x88, phone_parameters={"GPP_SA": plant("a secret that ends with a blank", end=" ")}),
            "web": phone(0x89, phone_web=plant("phone_web as text")),
            "profile-key": phone(0x8A, phone_profile_key=[plant("phone_profile_key as a list")]),
            "profile-key-2": phone(0x8B, phone_profile_key=plant("phone_profile_key with a blank", [" "])),
            "old-key": phone(0x8C, phone_profile_key_previous={"a": plant("phone_profile_key_previous as a mapping")}),
            "rule": phone(0x8D, phone_parameters={"Profile_Rule": f"[--key {plain('--key of a bad rule')} http://example.net/$MA"}),
            "rule-2": phone(0x8E, phone_parameters={"Upgrade_Rule": f"http://me:{plain('password in a bad URL')}@example.net/a|"}),
            "undefined": phone(0x8F, phone_parameters={"GPP_SA": plant("a secret beside an undefined variable") + "{{ nothing }}"}),
            "computed": phone(0x90, s=plant("a computed name"), phone_parameters={"GPP_SA": "{{ {}[s] }}"}),
            "filter": phone(0x91, s=plant("input of a filter"), phone_parameters={"GPP_SA": "{{ s | ansible.builtin.from_json }}"}),
            "template": phone(0x92, phone_profile_template="bad.j2"),
            "template-2": phone(0x93, phone_profile_template="worse.j2"),
            "in-the-clear": phone(0x94, phone_model="T46S", phone_bench_delivery="certificate"),
            "vault": phone(0x95),
        }

    def write_bad_files(self) -> None:
        """Write the bad phones' variables and templates."""
        plant, plain = self.secrets.plant, self.secrets.plant_plain
        foreign = VaultLib([("default", VaultSecret(b"another password"))]).encrypt(plant("encrypted with another password"))
        indented = foreign.decode().replace("\n", "\n  ")
        self.write("bad/host_vars/vault.yml", f"---\nphone_profile_key: !vault |\n  {indented}\n")
        self.write("bad/templates/bad.j2", "<flat-profile>{{ lines[0].password }}{{ 1 // 0 }}</flat-profile>")
        self.write(
            "bad/templates/worse.j2",
            f"<flat-profile>\n{{{{ '{plain('a template with an error')}' | nofilter }}}}</flat-profile>",
        )

    def write_bad_rows(self) -> None:
        """Write good and bad rows."""
        plant, plain = self.secrets.plant, self.secrets.plant_plain
        rows = [
            ["name", "phone_mac", "phone_model", "phone_lines.1.password", "phone_parameters"],
            ["row-1", "00005e005381", "SPA504G", plant("phone_lines.1.password of a row"), "{}"],
            ["row-2", "00005e005382", "SPA504G", "", f'{{"GPP_SA": "{plain("broken JSON in a row")}"'],
            ["row-3", "00005e0053", "SPA504G", plant("phone_lines.1.password of a bad row"), "{}"],
            ["row-4", "00005e005384", "SPA504G", "", "{}", plant("a cell too many")],
        ]
        for name, kept in (("good.csv", rows[:2]), ("bad.csv", rows)):
            with open(self.folder / "bad" / name, "w", encoding="utf-8", newline="") as file:
                csv.writer(file).writerows(kept)
        (self.folder / "bad" / "bad.jsonl").write_text(
            f'{{"phone_mac": "00005e005381", "phone_profile_key": "{plain("broken JSON Lines")}\n'
        )

    def bad_profiles(self, phones: list[str]) -> dict[str, tuple[dict[str, object], str]]:
        """Return stations with bad phones, rows or folders."""
        plant = self.secrets.plant
        return {
            "explained": ({}, "phone mapping: phone_lines: line 1: password"),
            "many": ({"phone_profiles_hosts": phones}, "phone list: phone_lines: line 1: password"),
            "unwritable": ({"phone_profiles_path": "/proc/canary"}, "/proc/canary"),
            "full": ({"phone_profiles_path": "/run/canary"}, "No space left on device"),
            "rows": ({"phone_profiles_rows": "good.csv"}, "row-1: preprovision profile units/00-00-5e-00-53-81/spa504g.cfg"),
            "bad-rows": ({"phone_profiles_rows": "bad.csv"}, "(bad.csv line 3): the column phone_parameters is not JSON"),
            "bad-lines": ({"phone_profiles_rows": "bad.jsonl"}, "(bad.jsonl line 1): it is not JSON"),
            "groups": (
                {
                    "phone_profiles_rows": "good.csv",
                    "phone_profiles_groups": {"all": {"phone_web": {"admin_pasword": plant("phone_profiles_groups")}}},
                },
                "row-1 (good.csv line 2): phone_web: unknown key 'admin_pasword'",
            ),
        }

    def bad_settings(self) -> dict[str, tuple[dict[str, object], str]]:
        """Return stations with a bad database, key, URL or interpreter."""
        plant, plain = self.secrets.plant, self.secrets.plant_plain
        return {
            "database": (
                {"profile_service_database": DATABASE.format(plant("a database that does not exist", OF_URL))},
                "cannot be reached (connection to server",
            ),
            "database-kind": (
                {"profile_service_database": f"mysql://me:{plant('a database of another kind', OF_URL)}@db.example.net/x"},
                "profile_service_database a URL that begins with",
            ),
            "groups-text": ({"phone_profiles_groups": plant("phone_profiles_groups as text")}, "phone_profiles_groups"),
            "undefined-key": (
                {"phone_profiles_master_key": plant("a master key beside an undefined variable") + "{{ nothing }}"},
                "'nothing'",
            ),
            "short-key": ({"phone_profiles_master_key": MARK}, "master key has"),
            "key-list": (
                {"phone_profiles_master_key": [plant("phone_profiles_master_key as a list")]},
                "phone_profiles_master_key is text, not a list",
            ),
            "url": (
                {
                    "phone_profiles_bench_delivery": "certificate",
                    "phone_profiles_bench_url": f"http://me:{plain('password in bench_url')}@h.example.net/$MA",
                },
                "bench_url",
            ),
            "bootstrap": (
                {"phone_profiles_bootstrap_parameters": {"GPP_SA": plant("phone_profiles_bootstrap_parameters")}},
                "bootstrap_parameters: GPP_SA is secret",
            ),
            "crash": ({"ansible_python_interpreter": "/bin/cat"}, "Module result deserialization failed"),
        }

    def bad_passwords(self) -> dict[str, tuple[dict[str, object], str]]:
        """Return stations with bad web server passwords."""
        plant, plain = self.secrets.plant, self.secrets.plant_plain
        passwords = "web_server_passwords"
        return {
            "web-text": ({passwords: plant(f"{passwords} as text")}, passwords),
            "web-type": ({passwords: {"00:00:5e:00:53:81": [plant(f"{passwords}: a list")]}}, passwords),
            "web-swapped": ({passwords: {plain(f"{passwords} the wrong way round"): "00:00:5e:00:53:81"}}, f"{passwords}: "),
            "web-odd": ({passwords: {"00:00:5e:00:53:81": plant(f"{passwords}: a control character", end="\x07")}}, passwords),
            "web-undefined": ({passwords: {"00:00:5e:00:53:81": plant(f"{passwords}: undefined") + "{{ nothing }}"}}, "'nothing'"),
            "web-broken": (
                {
                    "web_server_request_rate": 7,
                    passwords: {"00:00:5e:00:53:81": plain(f"{passwords} before nginx's check fails")},
                },
                "would not be valid, so nothing was changed",
            ),
            "web-hidden": (
                {passwords: {"00:00:5e:00:53:81": plain(f"{passwords} where it cannot be written")}},
                "Read-only file system",
            ),
        }

    # -- runs

    def playbooks(self) -> None:
        """Run the playbooks so that they succeed and fail."""
        good, (bad, failures) = [*self.inventories, self.write_good_inventory()], self.write_bad_inventory()

        def server(hosts: str) -> dict[str, object]:
            there = {"preprovision_installed_packages": ["nginx", "logrotate"]}
            return {"hosts": hosts, "gather_facts": False, "roles": [f"{COLLECTION}.web_server"], "vars": there}

        site, profiles = imported("site"), imported("profiles", preprovision_installed_packages=["python3-cryptography"])
        tags = ("--tags", "web_server,phone_profiles")
        self.run("check mode", [profiles, server("stations")], 0, "--check", inventories=good)
        self.run("site", [site], 0, *tags, inventories=good)
        # Only one of the two phones gets all the way
        walk = ("-e", json.dumps({"check_phones": ["ata192-1", "acme100-1"]}))
        self.run("explain and check", [imported("explain", phone="acme100-1"), imported("check")], 2, *walk, inventories=good)
        self.collect()
        self.fetch_by_tftp()
        self.database()
        explained = imported("explain", phone="mapping", phone_profiles_hosts=["mapping"])
        self.run("failing explain", [explained], 2, inventories=[bad])
        web = {name for name in failures if name.startswith("web-")}
        # The whole playbook checks everything first, which takes long
        whole = {"web-swapped", "web-undefined"}
        with contextlib.ExitStack() as stack:
            for machine in self.machines:
                stack.enter_context(machine.unwritable())
            spared = ":!".join(["all", "explained", *(web - {"web-hidden"})])
            self.run("failing profiles", [profiles, server("web-hidden")], 2, "--limit", spared, inventories=[bad])
        with contextlib.ExitStack() as stack:
            for machine in self.machines:
                stack.enter_context(machine.invalid_nginx())
            self.run("failing web server", [server(":".join(web - whole - {"web-hidden"}))], 2, inventories=[bad])
        self.run("failing site", [site], 2, *tags, "--limit", ":".join(whole), inventories=[bad])
        returned: dict[str, str] = {}
        for line in (self.folder / "kept" / "recorded").read_text().splitlines():
            host, _task, result = json.loads(line)
            returned[host] = returned.get(host, "") + json.dumps(result)
        missing = {name: error for name, error in failures.items() if error not in returned[name]}
        if missing:
            raise RuntimeError(f"stations did not return their expected errors: {missing}")

    def collect(self) -> None:
        """Collect the secrets that the station has generated: the phones' keys in profiles, and the certificates' private keys."""
        for machine in self.machines:
            for path, _open, content in files(machine.root, "/srv/preprovision", self.begun):
                for key in re.findall(rb"--key ([0-9a-f]{64})\]", content) if "/device/" in path or "/units/" in path else ():
                    self.secrets.add(key.decode(), "a derived profile key")
            for path, _open, content in files(machine.root, "/etc/preprovision/certificates", 0):
                if path.endswith(".key"):
                    lines = content.decode().split("-----")[2].split()
                    self.secrets.add(lines[len(lines) // 2], f"the private key {path}")

    def fetch_by_tftp(self) -> None:
        """Fetch every unit's file from a machine that is no unit, which gets no secret, and one from the unit itself."""
        for machine in self.machines:
            names = machine.unit_files()
            folder = UNIT.replace(":", "-")
            with machine.plugged_in("stranger", STRANGER, STRANGER_ADDRESS):
                for name in sorted(names | {f"{folder}/{UNIT_FILE}", f"units/{folder}/{UNIT_FILE}"}):
                    self.early.append(self._found(f"{machine.station}: {name} by TFTP", machine.fetch("stranger", name)))
            # A station that delivers by certificate has none
            if names:
                with machine.plugged_in("unit", UNIT):
                    found = self._found(f"{machine.station}: {BY_UNIT}", machine.fetch("unit", UNIT_FILE))
                self.early.append(found._replace(belongs=True))

    def database(self) -> None:
        """Give the profile service a database that does not exist, and find the files that contain its password."""
        url = DATABASE.format(self.secrets.plant(IN_SERVICE, OF_URL))
        self.run("failing service", [self.service(profile_service_database=url)], 2, inventories=self.inventories)
        for machine in self.machines:
            for path, is_open, content in files(machine.root, "/etc", self.begun):
                found = self._found(f"{machine.station}: {path}", content)
                self.early.append(found._replace(belongs=path.startswith(KEEPERS) and not is_open))

    @staticmethod
    def service(**variables: object) -> dict[str, object]:
        """Return a play that sets up the profile service."""
        return {"hosts": "stations", "gather_facts": False, "roles": [f"{COLLECTION}.profile_service"], "vars": variables}

    def restore(self) -> None:
        """Publish the scenario's own inventory, and restore the web servers' files."""
        plays = [self.service(), imported("profiles", preprovision_installed_packages=["python3-cryptography"])]
        self.run("restore", plays, 0, "-e", "phone_profiles_replace_master_key=true", inventories=self.inventories)
        for machine in self.machines:
            machine.restore()

    # -- searches

    def leak(self) -> set[str]:
        """Leak one secret on purpose in every place that is searched later; return these places."""
        secret = self.secrets.plant(CONTROL)
        chosen = (
            "{{ phones | map('extract', hostvars) | map('dict2items') | flatten | selectattr('key', 'match', 'phone_|vault_') }}"
        )
        tasks = [
            {"ansible.builtin.debug": {"msg": [chosen, "{{ web_server_passwords }}", "{{ leaked | b64encode }}"]}},
            {"ansible.builtin.set_fact": {"kept": "{{ leaked }}", "cacheable": True}},
        ]
        play = {"hosts": "stations", "gather_facts": False, "tasks": tasks, "vars": {"phones": PHONES, "leaked": secret}}
        self.run("a leak", [play], 0, inventories=[*self.inventories, str(self.folder / "good" / "hosts.yml")], kept=CONTROL)
        places = {
            f"{CONTROL}/{name}" for name in ("log", "recorded", "output of a leak", *(f"facts/{m.station}" for m in self.machines))
        }
        places |= {"cmdline of a process", "environ of a process"}
        for place in CONTROLLER:
            Path(place).mkdir(exist_ok=True)
            Path(place, CONTROL_FILE).write_text(secret)
            places.add(f"{place}/{CONTROL_FILE}")
        for machine in self.machines:
            for place in TARGET:
                machine.run("mkdir", "-p", place)
                machine.run("cp", "/dev/stdin", f"{place}/{CONTROL_FILE}", input=gzip.compress(secret.encode()))
                places.add(f"{machine.station}: {place}/{CONTROL_FILE}")
            machine.run("logger", secret.encode().hex())
            machine.run("env", f"CONTROL={secret}", "sh", "-c", "sleep 0.3", secret)
            places.add(f"{machine.station}: the journal")
        return places

    def sweep(self) -> None:
        """Remove the leaked files, and the files published by failing stations."""
        for place in CONTROLLER:
            Path(place, CONTROL_FILE).unlink(missing_ok=True)
        for machine in self.machines:
            machine.run("rm", "-rf", "/srv/canary", *(f"{place}/{CONTROL_FILE}" for place in TARGET))

    def look(self, watch: Watch) -> Iterator[Find]:
        """Search every place."""
        for kept in ("kept", CONTROL):
            for path in sorted((self.folder / kept).glob("**/*")):
                if path.is_file():
                    # Names of fact files are the host's name with a prefix
                    place = f"{kept}/{path.relative_to(self.folder / kept)}".replace("/s1_", "/")
                    yield self._found(place, path.read_bytes())._replace(belongs=kept == CONTROL)
        for kind, seen in watch.seen.items():
            yield self._found(f"{kind} of a process", b"\n".join(seen))
        for top in CONTROLLER:
            for path, _open, content in files("", top, self.begun, str(self.folder)):
                yield self._found(path, content)
        for machine in self.machines:
            journal = machine.run("journalctl", "--quiet", "--output=export", f"--since=@{int(self.begun)}")
            yield self._found(f"{machine.station}: the journal", journal)
            for path, is_open, content in files(machine.root, "", self.begun):
                found = self._found(f"{machine.station}: {path}", content)
                yield found._replace(belongs=path.startswith(KEEPERS) and not is_open)

    def _found(self, place: str, content: bytes) -> Find:
        self.bytes += len(content)
        return Find(place, self.secrets.within(content))


def state(machine: Machine) -> dict[str, str]:
    """Return digests of the served files and of nginx's files."""
    live = f"/srv/preprovision/{os.readlink(f'{machine.root}/srv/preprovision/current')}"
    own = {f"{live}/{name}" for name in ("manifest.jsonl", "inputs", "evidence")}
    published = [path for path, _open, _content in files(machine.root, live, 0) if path not in own]
    return {
        path.removeprefix(live): sha256(Path(machine.root + path).read_bytes()).hexdigest() for path in (*NGINX_FILES, *published)
    }


def main() -> None:
    """Run the test and print figures; fail if a secret is in the wrong place, or if a deliberate leak is not found."""
    inventories = [argument for argument in sys.argv[1:] if "=" not in argument]
    machines = [Machine(*argument.split("=")) for argument in sys.argv[1:] if "=" in argument]
    with tempfile.TemporaryDirectory() as folder:
        test = LeakTest(Path(folder), inventories, machines)
        before = [state(machine) for machine in machines]
        try:
            with Watch() as watch:
                try:
                    test.playbooks()
                finally:
                    test.restore()
                leaked = test.leak()
            finds = [*test.early, *test.look(watch)]
        finally:
            test.sweep()
        unchanged = before == [state(machine) for machine in machines]
    problems = [f"leaked: {find.place}: {name}" for find in finds if not find.belongs for name in sorted(find.names - {CONTROL})]
    found = {find.place for find in finds if CONTROL in find.names}
    problems += [f"deliberate leak not found: {place}" for place in sorted(leaked - found)]
    problems += [f"not found in the output that shows it: {name}" for name in sorted(SHOWN - _names(finds, f"{CONTROL}/output"))]
    for machine in machines:
        if IN_SERVICE not in _names(test.early, f"{machine.station}: /etc/preprovision-service.json"):
            problems.append(f"{machine.station}: not found in the service's configuration: {IN_SERVICE}")
        of_unit = _names(test.early, f"{machine.station}: {BY_UNIT}")
        if machine.unit_files():
            problems += [f"{machine.station}: not found in {BY_UNIT}: {name}" for name in sorted(IN_UNIT_FILE - of_unit)]
        open_units = machine.run("sh", "-c", OPEN_UNITS).decode().splitlines()
        problems += [f"{machine.station}: others than the TFTP server may read {path}" for path in open_units]
        served = _names(finds, f"{machine.station}: /srv/preprovision/")
        problems += [f"{machine.station}: not found in published profiles: {name}" for name in sorted(PUBLISHED - served)]
    problems += [] if any(machine.unit_files() for machine in machines) else ["no station delivers units' files by TFTP"]
    problems += [] if unchanged else ["the served files or nginx's files have changed"]
    secrets = f"{len(test.secrets.planted)} secrets planted, {len(test.secrets.made)} generated by the machines"
    print(f"{secrets}, {test.runs} runs, {len(finds):,} places, {test.bytes:,} bytes searched")
    print("\n".join(problems) or "no secret was in the wrong place")
    sys.exit(bool(problems))


def _names(finds: list[Find], beginning: str) -> set[str]:
    return {name for find in finds if find.place.startswith(beginning) for name in find.names}


if __name__ == "__main__":
    main()
