# SPDX-License-Identifier: GPL-3.0-or-later
"""Run where Ansible is: plant secrets that are nowhere else, let playbooks succeed and fail with them, and look where they are.

Arguments: the inventories, and machines as STATION=MACHINE. What is printed says where a secret was planted, never which it is.
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
# Each planted secret begins and ends with it: however one is cut, escaped or folded, it is there
MARK = f"Kq{os.urandom(4).hex()}"
# What XML, JSON, YAML, a shell or a URL writes otherwise
ODD = ("'\"", "<&>", "\\n$(x)", "%20+", "\u00e9\u00df", ";|`x`", "", "#!~", "</x>&amp;", " :- ")
# What keys in rules, passwords of HTTP and URLs may be made of
PLAIN = ("+/=", "%20", "%3c%3E", ";!~", "-._")
# What the password of a database may be made of, in its URL
OF_URL = ("%2F", "-._", "%20", "!~")
# Nothing listens there
DATABASE = "postgresql://preprovision:{}@127.0.0.1:9/preprovision"
DRIVER = ("python3-psycopg2", "libpq5")
# Those of the demo and of the scenario
PHONES = ["ata192-1", "spa504g-1", "cp7841-1", "acme100-1"]

# Where secrets belong, if others may not read them
KEEPERS = (
    *("/srv/preprovision/", "/srv/canary/", "/etc/preprovision/certificates/", "/var/lib/preprovision-service/"),
    "/etc/preprovision-service.json",
)
# The journal is read as journalctl shows it
NO_FILES = ("/proc", "/sys", "/dev/pts", "/var/log/journal", "/run/log/journal")
LARGEST = 64 * 1024 * 1024
CONTROLLER = (str(Path.home() / ".ansible"), "/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - where others may have left something

TOLD_NGINX = ("/etc/nginx/preprovision.passwords", "/etc/nginx/conf.d/preprovision.conf")

# What is leaked on purpose, so that no search can come back empty
CONTROL = "control"
CONTROL_FILE = "canary-control"
# Where the service is told it
IN_SERVICE = "the password of the service's database"
# What that run shows, and what phones are told
SHOWN = {
    "phone_lines[].password",
    "phone_profile_key",
    "phone_parameters: GPP_SA",
    "--key of Profile_Rule_C",
    "web_server_passwords",
}
TOLD = {
    "phone_web.admin_password",
    "phone_profile_key",
    "phone_parameters: GPP_SA",
    "--key of Profile_Rule_C",
    "a derived profile key",
}
TARGET = ("/tmp", "/var/tmp", "/dev/shm", "/run", "/etc", "/root/.ansible", "/var/log", "/var/lib", "/srv/preprovision")  # noqa: S108 - likewise

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
    """Return a play that is one of the collection's playbooks."""
    return {"import_playbook": f"{COLLECTION}.{name}", "vars": variables}


def spellings(text: str) -> list[bytes]:
    """Return a text as it is, in hexadecimal, and in base64 with anything before and behind it."""
    raw = text.encode()
    coded = [b64encode(bytes(shift) + raw)[(0, 2, 3)[shift] : (len(raw) + shift) * 8 // 6] for shift in range(3)]
    return [raw, raw.hex().encode(), raw.hex().upper().encode(), *coded]


class Secrets:
    """What must not be seen."""

    def __init__(self) -> None:
        self.planted: dict[str, str] = {}
        self._mark = spellings(MARK)
        self._pieces: list[tuple[bytes, str]] = []
        self.made: dict[str, str] = {}
        self._made: list[tuple[bytes, str]] = []

    def plant(self, where: str, odd: Sequence[str] = ODD, end: str = "") -> str:
        """Return a new secret."""
        tag = f"{len(self.planted):02x}{os.urandom(2).hex()}"
        text = f"{MARK}{tag}{odd[len(self.planted) % len(odd)]}{tag}{MARK}{end}"
        self.planted[text] = where
        self._pieces += [(piece, where) for half in (MARK + tag, tag + MARK) for piece in spellings(half)]
        return text

    def plain(self, where: str) -> str:
        """Return one without blanks, quotes and letters beyond ASCII."""
        return self.plant(where, PLAIN)

    def add(self, text: str, what: str) -> None:
        """Take a secret that the station has made itself."""
        if text not in self.made:
            self.made[text] = what
            self._made += [(piece, what) for piece in spellings(text)]

    def within(self, content: bytes) -> set[str]:
        """Return which secrets are in it."""
        names = {name for piece, name in self._made if piece in content}
        if any(piece in content for piece in self._mark):
            names |= {name for piece, name in self._pieces if piece in content} or {"one of them, cut"}
        return names


class Watch:
    """Command lines and environments of all processes that begin meanwhile, here and on the machines, which are containers."""

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
    """A machine, looked at from outside."""

    def __init__(self, station: str, name: str) -> None:
        self.station, self.name = station, name
        self.init = Path(f"/run/preprovision-machine-{name}.pid").read_text().strip()
        self.root = f"/proc/{self.init}/root"
        self._told = {path: Path(self.root + path).read_bytes() for path in TOLD_NGINX}
        self._had = self._drivers()

    def _drivers(self) -> set[str]:
        listed = self.run("dpkg-query", "--show", "--showformat=${db:Status-Status} ${Package}\n").decode()
        return {name for name in DRIVER if f"installed {name}\n" in listed}

    def restore(self) -> None:
        """Tell the web server what it was told, and take the database's driver away."""
        new = self._drivers() - self._had
        if new:
            self.run("apt-get", "purge", "--quiet", "--yes", *sorted(new))
        for path, content in self._told.items():
            Path(self.root + path).write_bytes(content)
        self.run("systemctl", "restart", "nginx.service")

    def run(self, *command: str, **options: Any) -> bytes:
        """Run a command there; return what it prints."""
        argv = ["nsenter", "--target", self.init, "--all", "env", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", *command]
        return subprocess.run(argv, capture_output=True, check=True, **options).stdout

    @contextlib.contextmanager
    def obstructed(self) -> Iterator[None]:
        """Where nothing can be written into nginx's folder, and a small file system is full soon."""
        self.run("mkdir", "-p", "/run/canary")
        self.run("mount", "-t", "tmpfs", "-o", "size=12k", "tmpfs", "/run/canary")
        self.run("mount", "--bind", "-o", "ro", "/etc/nginx", "/etc/nginx")
        try:
            yield
        finally:
            self.run("umount", "/etc/nginx", "/run/canary")
            self.run("rmdir", "/run/canary")

    @contextlib.contextmanager
    def broken(self) -> Iterator[None]:
        """Where nginx refuses its configuration."""
        neighbour = Path(self.root, "etc/nginx/conf.d/broken.conf")
        neighbour.write_text("nonsense on;\n")
        try:
            yield
        finally:
            neighbour.unlink()


def files(root: str, top: str, since: float, spared: str = "") -> Iterator[tuple[str, bool, bytes]]:
    """Yield path, whether all may read it, and content of each file below *top* that has changed since then."""
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
                if stat.S_ISREG(status.st_mode) and status.st_ctime >= since and status.st_size <= LARGEST:
                    yield path, reachable and bool(status.st_mode & stat.S_IROTH), unpacked(Path(entry.path).read_bytes())


def unpacked(content: bytes) -> bytes:
    """Return what a file holds, and if it is compressed that too."""
    if content.startswith(b"\x1f\x8b"):
        with contextlib.suppress(OSError, EOFError, zlib.error):
            return content + gzip.decompress(content)
    return content


class Find(NamedTuple):
    """A place, and the secrets that are there."""

    place: str
    names: set[str]
    belongs: bool = False


class Judge:
    """Runs playbooks, and looks at whatever they show and leave."""

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
            # A value a line, of which errors would quote neighbours; of JSON they quote nothing
            content = f"---\n{yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=1000)}"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    def run(
        self, name: str, playbook: list[dict[str, Any]], status: int, *options: str, inventories: list[str], kept: str = "kept"
    ) -> None:
        """Run a playbook with everything shown, logged and cached; end all unless it ends with *status*. *kept*: where to."""
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
            raise RuntimeError(f"{name}: status {done.returncode} instead of {status}\n{shown}")
        self.runs += 1
        self.write(f"{kept}/output of {name}", done.stdout)

    # -- what is planted

    def good(self) -> str:
        """Write an inventory beside the scenario's own: secrets in every variable that takes one; return its path."""
        plant, plain = self.secrets.plant, self.secrets.plain
        rules = {
            # Leads nowhere
            "Profile_Rule_C": f"[--key {plain('--key of Profile_Rule_C')}] http://$(B)/no/$MA.cfg?token={plain('token in a URL')}",
            "Profile_Rule_D": f"[--uid desk --pwd {plain('--pwd of Profile_Rule_D')}] http://prov.example.net/nowhere/$MA.cfg",
            "GPP_B": "prov.example.net",
            "Report_Rule": f"[--key {plain('--key of Report_Rule')}] http://prov.example.net/report",
        }
        phones = {
            "ata192-1": {
                "phone_lines": [
                    {"user_id": "1001", "password": plant("phone_lines[].password")},
                    {"user_id": "1002", "password": "{{ vault_1002 }}"},
                ],
                "vault_1002": plant("a variable that phone_lines[].password names"),
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
                "template_secret": plant("a variable of a phone that a template names"),
            },
            "acme100-1": {"phone_parameters": rules},
        }
        for name, variables in phones.items():
            self.write(f"good/host_vars/{name}.yml", variables)
        # Ansible quotes no line of an encrypted file, but those of one with encrypted values
        secret = (
            self.vault.encrypt(plant("phone_lines[].password, encrypted with Ansible Vault")).decode().replace("\n", "\n        ")
        )
        self.write("good/host_vars/cp7841-1.yml", f"---\nphone_lines:\n  - password: !vault |\n        {secret}\n")
        stations = {
            "phone_profiles_master_key": plant("phone_profiles_master_key"),
            "phone_profiles_previous_master_key": plant("phone_profiles_previous_master_key"),
            "phone_profiles_preprovision_parameters": {"GPP_SC": plant("phone_profiles_preprovision_parameters")},
            "web_server_passwords": {"00:00:5e:00:53:02": plain("web_server_passwords")},
        }
        self.write("good/group_vars/stations.yml", stations)
        self.write("good/hosts.yml", {"all": {"hosts": dict.fromkeys(phones)}})
        self.write(
            "good/good.j2",
            f"<flat-profile><GPP_SA>{plain('a template')}</GPP_SA><Password_1_>{{{{ lines[0].password }}}}</Password_1_>"
            "<Profile_Rule>{{ parameters.Profile_Rule }}</Profile_Rule></flat-profile>",
        )
        return str(self.folder / "good" / "hosts.yml")

    def bad(self) -> tuple[str, dict[str, str]]:
        """Write an inventory of stations that each fail in a way of their own; return its path, and station -> what it says."""
        plant, plain = self.secrets.plant, self.secrets.plain

        def phone(number: int, **variables: object) -> dict[str, object]:
            own = {"phone_lines": [{"user_id": "1", "password": plant(f"a bad phone's neighbour, {number}")}]}
            return {"phone_mac": f"00:00:5e:00:53:{number:02x}", "phone_model": "SPA504G", **own, **variables}

        phones = {
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
            "undefined": phone(0x8F, phone_parameters={"GPP_SA": plant("beside what is undefined") + "{{ nothing }}"}),
            "computed": phone(0x90, s=plant("a computed name"), phone_parameters={"GPP_SA": "{{ {}[s] }}"}),
            "filter": phone(0x91, s=plant("input of a filter"), phone_parameters={"GPP_SA": "{{ s | ansible.builtin.from_json }}"}),
            "template": phone(0x92, phone_profile_template="bad.j2"),
            "template-2": phone(0x93, phone_profile_template="worse.j2"),
            "in-the-clear": phone(0x94, phone_model="T46S"),
            "vault": phone(0x95),
        }
        foreign = VaultLib([("default", VaultSecret(b"another password"))]).encrypt(plant("encrypted with another password"))
        indented = foreign.decode().replace("\n", "\n  ")
        self.write("bad/host_vars/vault.yml", f"---\nphone_profile_key: !vault |\n  {indented}\n")
        self.write("bad/templates/bad.j2", "<flat-profile>{{ lines[0].password }}{{ 1 // 0 }}</flat-profile>")
        self.write(
            "bad/templates/worse.j2", f"<flat-profile>\n{{{{ '{plain('a template that is wrong')}' | nofilter }}}}</flat-profile>"
        )
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
        passwords = "web_server_passwords"
        # Station: its variables, and what it says
        failures: dict[str, tuple[dict[str, object], str]] = {
            "explained": ({}, "phone mapping: phone_lines: Password_1_"),
            "many": ({"phone_profiles_hosts": [*phones]}, "phone list: phone_lines: Password_1_"),
            "unwritable": ({"phone_profiles_path": "/proc/canary"}, "/proc/canary"),
            "full": ({"phone_profiles_path": "/run/canary"}, "No space left on device"),
            "rows": ({"phone_profiles_rows": "good.csv"}, "row-1: preprovision profile device/00005e005381.cfg"),
            "bad-rows": ({"phone_profiles_rows": "bad.csv"}, "(bad.csv line 3): the column phone_parameters is not JSON"),
            "bad-lines": ({"phone_profiles_rows": "bad.jsonl"}, "(bad.jsonl line 1): it is not JSON"),
            "groups": (
                {
                    "phone_profiles_rows": "good.csv",
                    "phone_profiles_groups": {"all": {"phone_web": {"admin_pasword": plant("phone_profiles_groups")}}},
                },
                "row-1 (good.csv line 2): phone_web: the key 'admin_pasword' is not known",
            ),
            "database": (
                {"profile_service_database": DATABASE.format(plant("a database that is not there", OF_URL))},
                "the database does not do what it is asked for: OperationalError",
            ),
            "database-kind": (
                {"profile_service_database": f"mysql://me:{plant('a database of another kind', OF_URL)}@db.example.net/x"},
                "profile_service_database a URL that begins with",
            ),
            "groups-text": ({"phone_profiles_groups": plant("phone_profiles_groups as text")}, "phone_profiles_groups"),
            "undefined-key": (
                {"phone_profiles_master_key": plant("a master key beside what is undefined") + "{{ nothing }}"},
                "'nothing'",
            ),
            "short-key": ({"phone_profiles_master_key": MARK}, "master key has"),
            "key-list": (
                {"phone_profiles_master_key": [plant("phone_profiles_master_key as a list")]},
                "master_key is a list or mapping",
            ),
            "url": ({"phone_profiles_bench_url": f"http://me:{plain('password in bench_url')}@h.example.net/$MA"}, "bench_url"),
            "bootstrap": (
                {"phone_profiles_bootstrap_parameters": {"GPP_SA": plant("phone_profiles_bootstrap_parameters")}},
                "bootstrap_parameters: GPP_SA is secret",
            ),
            "crash": ({"ansible_python_interpreter": "/bin/cat"}, "Module result deserialization failed"),
            "web-text": ({passwords: plant(f"{passwords} as text")}, passwords),
            "web-type": ({passwords: {"00:00:5e:00:53:81": [plant(f"{passwords}: a list")]}}, passwords),
            "web-swapped": ({passwords: {plain(f"{passwords} the wrong way round"): "00:00:5e:00:53:81"}}, f"{passwords}: "),
            "web-odd": ({passwords: {"00:00:5e:00:53:81": plant(f"{passwords}: a control character", end="\x07")}}, passwords),
            "web-undefined": ({passwords: {"00:00:5e:00:53:81": plant(f"{passwords}: undefined") + "{{ nothing }}"}}, "'nothing'"),
            "web-broken": (
                {"web_server_request_rate": 7, passwords: {"00:00:5e:00:53:81": plain(f"{passwords} before nginx's check fails")}},
                "failed to validate",
            ),
            "web-hidden": (
                {passwords: {"00:00:5e:00:53:81": plain(f"{passwords} where it cannot be written")}},
                "the output has been hidden",
            ),
        }
        hosts = {}
        for number, (name, (variables, _told)) in enumerate(failures.items()):
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
            "phone_profiles_master_key": plant("phone_profiles_master_key of stations that fail"),
            "phone_profiles_path": "/srv/canary/{{ inventory_hostname }}",
        }
        children = {"stations": {"hosts": hosts, "vars": shared}, "phones": {"hosts": phones}}
        self.write("bad/hosts.yml", {"all": {"children": children}})
        return str(self.folder / "bad" / "hosts.yml"), {name: told for name, (_variables, told) in failures.items()}

    # -- what is run

    def playbooks(self) -> None:
        """Let all playbooks succeed and fail."""
        good, (bad, failures) = [*self.inventories, self.good()], self.bad()

        def server(hosts: str) -> dict[str, object]:
            there = {"installed_packages": ["nginx", "logrotate"]}
            return {"hosts": hosts, "gather_facts": False, "roles": [f"{COLLECTION}.web_server"], "vars": there}

        site, profiles = imported("site"), imported("profiles", installed_packages=["python3-cryptography"])
        tags = ("--tags", "web_server,phone_profiles")
        self.run("check mode", [profiles, server("stations")], 0, "--check", inventories=good)
        self.run("site", [site], 0, *tags, inventories=good)
        # One of the two phones comes all the way
        walk = ("-e", json.dumps({"check_phones": ["ata192-1", "acme100-1"]}))
        self.run("explain and check", [imported("explain", phone="acme100-1"), imported("check")], 2, *walk, inventories=good)
        self.collect()
        self.database()
        explained = imported("explain", phone="mapping", phone_profiles_hosts=["mapping"])
        self.run("failing explain", [explained], 2, inventories=[bad])
        web = {name for name in failures if name.startswith("web-")}
        # The whole playbook checks all first, which takes long
        whole = {"web-swapped", "web-undefined"}
        with contextlib.ExitStack() as stack:
            for machine in self.machines:
                stack.enter_context(machine.obstructed())
            spared = ":!".join(["all", "explained", *(web - {"web-hidden"})])
            self.run("failing profiles", [profiles, server("web-hidden")], 2, "--limit", spared, inventories=[bad])
        with contextlib.ExitStack() as stack:
            for machine in self.machines:
                stack.enter_context(machine.broken())
            self.run("failing web server", [server(":".join(web - whole - {"web-hidden"}))], 2, inventories=[bad])
        self.run("failing site", [site], 2, *tags, "--limit", ":".join(whole), inventories=[bad])
        returned: dict[str, str] = {}
        for line in (self.folder / "kept" / "recorded").read_text().splitlines():
            host, _task, result = json.loads(line)
            returned[host] = returned.get(host, "") + json.dumps(result)
        unheard = {name: told for name, told in failures.items() if told not in returned[name]}
        if unheard:
            raise RuntimeError(f"stations did not fail as they should have: {unheard}")

    def collect(self) -> None:
        """Take the secrets that the station has made: keys of phones in what they are told, and of certificates."""
        for machine in self.machines:
            for path, _open, content in files(machine.root, "/srv/preprovision", self.begun):
                for key in re.findall(rb"--key ([0-9a-f]{64})\]", content) if "/device/" in path else ():
                    self.secrets.add(key.decode(), "a derived profile key")
            for path, _open, content in files(machine.root, "/etc/preprovision/certificates", 0):
                if path.endswith(".key"):
                    lines = content.decode().split("-----")[2].split()
                    self.secrets.add(lines[len(lines) // 2], f"the private key {path}")

    def database(self) -> None:
        """Let the profile service have a database that is not there, and see who may read what it is told of it."""
        url = DATABASE.format(self.secrets.plant(IN_SERVICE, OF_URL))
        self.run("failing service", [self.service(profile_service_database=url)], 2, inventories=self.inventories)
        for machine in self.machines:
            for path, is_open, content in files(machine.root, "/etc", self.begun):
                found = self._found(f"{machine.station}: {path}", content)
                self.early.append(found._replace(belongs=path.startswith(KEEPERS) and not is_open))

    @staticmethod
    def service(**variables: object) -> dict[str, object]:
        """Return a play that sets the profile service up."""
        return {"hosts": "stations", "gather_facts": False, "roles": [f"{COLLECTION}.profile_service"], "vars": variables}

    def restore(self) -> None:
        """Publish what the scenario's own inventory says, and tell the web servers what they were told."""
        plays = [self.service(), imported("profiles", installed_packages=["python3-cryptography"])]
        self.run("restore", plays, 0, inventories=self.inventories)
        for machine in self.machines:
            machine.restore()

    # -- where secrets could be

    def leak(self) -> set[str]:
        """Leak one secret on purpose, wherever it is looked for later; return these places."""
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
        """Remove what was leaked into files, and what the stations that fail have published."""
        for place in CONTROLLER:
            Path(place, CONTROL_FILE).unlink(missing_ok=True)
        for machine in self.machines:
            machine.run("rm", "-rf", "/srv/canary", *(f"{place}/{CONTROL_FILE}" for place in TARGET))

    def look(self, watch: Watch) -> Iterator[Find]:
        """Look everywhere."""
        for kept in ("kept", CONTROL):
            for path in sorted((self.folder / kept).glob("**/*")):
                if path.is_file():
                    # Files of facts have the host's name behind a prefix
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
    """Return what the machine serves, and what its web server is told."""
    live = f"/srv/preprovision/{os.readlink(f'{machine.root}/srv/preprovision/current')}"
    published = [path for path, _open, _content in files(machine.root, live, 0) if not path.endswith("/manifest.jsonl")]
    return {
        path.removeprefix(live): sha256(Path(machine.root + path).read_bytes()).hexdigest() for path in (*TOLD_NGINX, *published)
    }


def main() -> None:
    """Judge, and print figures; fail if a secret is where it does not belong, or where it was leaked on purpose and not found."""
    inventories = [argument for argument in sys.argv[1:] if "=" not in argument]
    machines = [Machine(*argument.split("=")) for argument in sys.argv[1:] if "=" in argument]
    with tempfile.TemporaryDirectory() as folder:
        judge = Judge(Path(folder), inventories, machines)
        before = [state(machine) for machine in machines]
        try:
            with Watch() as watch:
                try:
                    judge.playbooks()
                finally:
                    judge.restore()
                leaked = judge.leak()
            finds = [*judge.early, *judge.look(watch)]
        finally:
            judge.sweep()
        unchanged = before == [state(machine) for machine in machines]
    problems = [f"leaked: {find.place}: {name}" for find in finds if not find.belongs for name in sorted(find.names - {CONTROL})]
    found = {find.place for find in finds if CONTROL in find.names}
    problems += [f"not found where it was leaked on purpose: {place}" for place in sorted(leaked - found)]
    problems += [f"not found in what shows it: {name}" for name in sorted(SHOWN - _names(finds, f"{CONTROL}/output"))]
    for machine in machines:
        if IN_SERVICE not in _names(judge.early, f"{machine.station}: /etc/preprovision-service.json"):
            problems.append(f"{machine.station}: not found in what the service is told: {IN_SERVICE}")
        served = _names(finds, f"{machine.station}: /srv/preprovision/")
        problems += [f"{machine.station}: not found in what phones are told: {name}" for name in sorted(TOLD - served)]
    problems += [] if unchanged else ["the machines are not as they were"]
    secrets = f"{len(judge.secrets.planted)} secrets planted, {len(judge.secrets.made)} of the machines' own"
    print(f"{secrets}, {judge.runs} runs, {len(finds):,} places, {judge.bytes:,} bytes searched")
    print("\n".join(problems) or "none was where it does not belong")
    sys.exit(bool(problems))


def _names(finds: list[Find], beginning: str) -> set[str]:
    return {name for find in finds if find.place.startswith(beginning) for name in find.names}


if __name__ == "__main__":
    main()
