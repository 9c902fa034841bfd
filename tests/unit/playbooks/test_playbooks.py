# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks as users start them: from the checkout, from a repository of their own, with variables of their inventory."""

from __future__ import annotations

import configparser
import json
import os
import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.ansible

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs/guides/own_repository.md").read_text()
PLAYBOOKS = sorted(path.stem for path in (ROOT / "playbooks").glob("*.yml"))
GROUPS = {
    "bench_clients": "bench_clients",
    "database": "database_servers",
    "fleet_check": "provisioning_servers",
    "provisioning_server": "provisioning_servers",
}
"""Playbook -> group of its hosts, if not stations."""
INVENTORY = """
stations:
  hosts:
    station: {ansible_connection: local, ansible_become: false, ansible_python_interpreter: %s}
"""


def play(folder: Path, *arguments: str, config: Path | None = None, installed: bool = True) -> subprocess.CompletedProcess[str]:
    """Run ansible-playbook in a folder; without *config*, with that of the folder. *installed*: whether it knows the collection."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    environment["ANSIBLE_NOCOLOR"] = "1"
    if installed:
        environment["ANSIBLE_COLLECTIONS_PATH"] = str(ROOT / ".cache/collections")
    if config:
        environment["ANSIBLE_CONFIG"] = str(config)
    command = [str(Path(sys.executable).with_name("ansible-playbook")), *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False, text=True)


@pytest.fixture
def repository(tmp_path) -> Path:
    """A repository of a user with one station."""
    (tmp_path / "inventory/group_vars/all").mkdir(parents=True)
    (tmp_path / "inventory/hosts.yml").write_text(INVENTORY % sys.executable)
    (tmp_path / "inventory/group_vars/all/main.yml").write_text("provisioning_name: prov.example.net\n")
    return tmp_path


@pytest.mark.parametrize("folder", [".", "playbooks"])
def test_site_of_the_checkout_sets_up_the_bench_by_default(folder):
    done = play(ROOT / folder, "site.yml", "--list-hosts", "--list-tasks", installed=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.findall(r"^ +(bench-pc|station)$", done.stdout, re.MULTILINE) == ["bench-pc"]
    assert "voip.preprovision.dhcp_server : Configure" in done.stdout


def test_both_folders_of_the_checkout_have_the_same_settings():
    here, below = (settings(ROOT / name / "ansible.cfg") for name in (".", "playbooks"))
    for name in ("inventory", "collections_path", "connection_plugins"):
        here["defaults"][name] = f"../{here['defaults'][name]}"
    assert below == here


def settings(path: Path) -> dict[str, dict[str, str]]:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(path)
    return {section: dict(parser[section]) for section in parser.sections()}


def test_what_serves_the_checkout_stays_out_of_the_collection():
    ignored = yaml.safe_load((ROOT / "galaxy.yml").read_text())["build_ignore"]
    names = ("site.yml", "playbooks/ansible.cfg", "playbooks/site.yml")
    assert [name for name in names if any(fnmatch(name, pattern) for pattern in ignored)] == ["site.yml", "playbooks/ansible.cfg"]


def test_site_of_a_repository_of_ones_own_works_as_documented(repository):
    site, *_others = re.findall(r"^```yaml\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
    (config,) = re.findall(r"^```ini\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
    assert len(site.splitlines()) == 2
    (repository / "site.yml").write_text(site)
    (repository / "ansible.cfg").write_text(config)
    assert play(repository, "site.yml", "--syntax-check").returncode == 0
    done = play(repository, "site.yml", "--list-tasks")
    assert (done.returncode, done.stderr) == (0, "")
    assert "voip.preprovision.dhcp_server : Configure" in done.stdout


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_every_playbook_refuses_misspelt_variables(repository, playbook):
    inventory = ("-i", "inventory", *(("-e", "teardown_hosts=stations") if playbook == "teardown" else ()))
    (repository / "inventory/hosts.yml").write_text(
        (INVENTORY % sys.executable).replace("stations", GROUPS.get(playbook, "stations"))
    )
    done = play(repository, *inventory, f"voip.preprovision.{playbook}", "-e", "bench_prots=x", config=ROOT / "ansible.cfg")
    assert "command line: unknown variable 'bench_prots'; did you mean 'bench_ports'?" in done.stdout + done.stderr
    assert re.search(r": ok=[01] +changed=0 .*failed=1 ", done.stdout)


def test_backup_reads_its_variables_from_the_inventory(repository):
    (repository / "inventory/group_vars/stations.yml").write_text('backup_passphrase: "one line and\\nanother one"\n')
    done = play(repository, "-i", "inventory", "voip.preprovision.backup", config=ROOT / "ansible.cfg")
    assert "backup_passphrase must be one line" in done.stdout + done.stderr


def test_restore_finds_a_backup_from_where_the_user_stands(repository):
    (repository / "inventory/group_vars/stations.yml").write_text("backup_passphrase: long enough for all\n")
    (repository / "backups").mkdir()
    (repository / "backups/a.backup.tar").write_text("no backup")
    restore = ("-i", "inventory", "voip.preprovision.restore", "-e", "backup_file=backups/a.backup.tar")
    done = play(repository, *restore, config=ROOT / "ansible.cfg")
    assert f"{repository}/backups/a.backup.tar is not a backup of a station" in " ".join((done.stdout + done.stderr).split())


@pytest.mark.parametrize("folder", ["", "inventory"])
def test_makers_certificates_are_found_beside_the_inventory_and_where_the_user_stands(repository, folder):
    (repository / folder / "makers").mkdir(parents=True)
    (repository / folder / "makers/root.pem").write_text("no certificate")
    variables = {
        "bench_address": "192.0.2.1/24",
        "certificates_device_roots": ["makers"],
        "phone_mac": "00:00:5e:00:53:01",
        "phone_model": "ATA192",
        "phone_profiles_bench_delivery": "certificate",
        "phone_profiles_hosts": ["station"],
        "phone_profiles_master_key": "a master key for tests",
        # With it, the group of the web server is there, too
        "preprovision_installed_packages": ["python3-cryptography"],
    }
    # Ansible would read a folder of certificates in a folder of inventories
    play_it = ("-i", "inventory/hosts.yml", "voip.preprovision.profiles", "--check", "-e", json.dumps(variables))
    done = play(repository, *play_it, config=ROOT / "ansible.cfg")
    assert f"certificates_device_roots: {repository / folder}/makers/root.pem" in " ".join((done.stdout + done.stderr).split())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "station: the board is at https://192.0.2.1/board/, on the bench.\nNext: "),
        (("--check",), "station is unchanged: this was check mode."),
    ],
    ids=["set up", "check mode"],
)
def test_site_says_what_to_do_next(repository, options, said):
    (station,) = yaml.safe_load((ROOT / "playbooks/station.yml").read_text())
    last = {"hosts": "stations", "gather_facts": False, "tasks": station["post_tasks"][-1:]}
    (repository / "last.yml").write_text(yaml.safe_dump([last]))
    variables = ("-e", "bench_address=192.0.2.1/24")
    done = play(repository, "-i", "inventory", "last.yml", *variables, *options, config=ROOT / "ansible.cfg")
    assert said in done.stdout
    commands = re.findall(r"ansible-playbook voip\.preprovision\.(\w+)", done.stdout)
    assert set(commands) <= set(PLAYBOOKS)
    assert bool(commands) != bool(options)


def test_a_server_leaves_service_only_if_another_one_takes_phones(tmp_path):
    states = {"serves": "serving", "new": "new", "closed": "changing", "dead": None, "other_name": "serving"}
    hosts = {
        name: {"ansible_connection": "local", "provisioning_name": "prov.example.net", "seen": seen}
        for name, seen in states.items()
    }
    hosts["other_name"]["provisioning_name"] = "other.example.net"
    # Nobody listens there
    hosts["dead"] |= {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
    common = {"hosts": "provisioning_servers", "gather_facts": False}
    look = {"ansible.builtin.set_fact": {"provisioning_server_state": "{{ seen }}"}}
    say = {"ansible.builtin.debug": {"msg": "{{ inventory_hostname }}: {{ fleet_has_others }}"}}
    plays = [
        {**common, "tasks": [{"ansible.builtin.raw": "true"}, look]},
        {**common, "serial": 1, "vars_files": [str(ROOT / "playbooks/vars/shared.yml")], "tasks": [say]},
    ]
    (tmp_path / "play.yml").write_text(yaml.safe_dump(plays))
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"provisioning_servers": {"hosts": hosts}}))

    def told(*arguments: str) -> dict[str, str]:
        done = play(tmp_path, "-i", "hosts.yml", "play.yml", *arguments, config=ROOT / "ansible.cfg")
        return dict(re.findall(r"(\w+): (True|False)", done.stdout))

    assert told() == {"serves": "False", "new": "True", "closed": "True", "other_name": "False"}
    # What this run leaves alone counts as serving
    assert told("--limit", "new,other_name") == {"new": "True", "other_name": "False"}
    assert told("--limit", "new,closed,dead") == {"new": "True", "closed": "True"}
    assert told("--limit", "new,closed,dead,serves") == {"serves": "False", "new": "True", "closed": "True"}
