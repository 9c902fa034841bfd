# SPDX-License-Identifier: GPL-3.0-or-later
"""Examples in documents: Ansible's programs accept each command line, ansible-playbook finds what it names, and each block of YAML,
INI and shell can be read."""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from ansible.cli.config import ConfigCLI
from ansible.cli.doc import DocCLI
from ansible.cli.galaxy import GalaxyCLI
from ansible.cli.inventory import InventoryCLI
from ansible.cli.playbook import PlaybookCLI
from ansible.cli.vault import VaultCLI
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.splitter import parse_kv
from ansible.playbook.play import Play

from ansible_collections.voip.preprovision.plugins.module_utils.profiles.sealing.compression import compress
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.sealing.openssl_enc import seal

ROOT = Path(__file__).parents[3]
PROGRAMS = {
    "ansible-config": ConfigCLI,
    "ansible-doc": DocCLI,
    "ansible-galaxy": GalaxyCLI,
    "ansible-inventory": InventoryCLI,
    "ansible-playbook": PlaybookCLI,
    "ansible-vault": VaultCLI,
}
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix() for pattern in ("*.md", "docs/**/*.md", "roles/*/README.md") for path in ROOT.glob(pattern)
)
_BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")


def blocks(path: str, language: str) -> list[str]:
    """Return the text of a document's blocks of a language, without the indentation of the list that a block is in."""
    found = _BLOCK.findall((ROOT / path).read_text())
    return [re.sub(rf"^{indent}", "", text, flags=re.MULTILINE) for indent, name, text in found if name == language]


def commands(path: str) -> list[list[str]]:
    """Return the words of each complete command line of Ansible's programs in a document's shell blocks and spans of code."""
    text = (ROOT / path).read_text()
    lines = [line for block in blocks(path, "sh") for line in block.replace("\\\n", " ").splitlines()]
    lines += _SPAN.findall(_BLOCK.sub("", text))
    found = []
    for line in lines:
        match = re.search(rf"(?:^|\s)({'|'.join(PROGRAMS)}) (.*)$", line)
        # A placeholder in capitals, or a text that goes on, is no command line
        if match and not re.search(r"\.\.\.|\b[A-Z]{3,}\b|\|", match[2]):
            found.append([match[1], *shlex.split(match[2], comments=True)])
    return found


COMMANDS = [(path, shlex.join(words)) for path in DOCUMENTS for words in commands(path)]


def with_blocks(language: str) -> list[tuple[str, int]]:
    return [(path, number) for path in DOCUMENTS for number in range(len(blocks(path, language)))]


def test_examples_are_found():
    assert len(COMMANDS) > 50
    assert len(with_blocks("yaml")) > 50
    assert {"docs/guides/own_repository.md", "README.md"} <= {path for path, _command in COMMANDS}


@pytest.mark.parametrize(("path", "command"), COMMANDS)
def test_the_program_accepts_the_command_line(path, command):
    words = shlex.split(command)
    program = PROGRAMS[words[0]](words)
    program.init_parser()
    options = program.parser.parse_args(words[1:])
    for given in getattr(options, "extra_vars", None) or []:
        if given.startswith(("{", "[")):
            assert isinstance(json.loads(given), dict)
        else:
            assert set(parse_kv(given)) - {"_raw_params"}, given


PLAYBOOK_COMMANDS = sorted({command for _path, command in COMMANDS if command.startswith("ansible-playbook ")})


def loading_words(command: str) -> tuple[str, ...]:
    """Return the words of a command line that decide what ansible-playbook loads and selects, without variables and prompts."""
    options = ("--ask-vault-pass", "--check", "--diff", r"(?:-e|--extra-vars) (?:'[^']*'|\S+)")
    return tuple(shlex.split(re.sub(rf" (?:{'|'.join(options)})(?= |$)", "", command)))


@pytest.fixture(scope="module")
def listed(tmp_path_factory) -> dict[tuple[str, ...], tuple[int, str]]:
    """Return status and output of the command lines of ansible-playbook with ``--list-tasks``, in a folder as documents want it."""
    folder = tmp_path_factory.mktemp("repository")
    (folder / "inventories").symlink_to(ROOT / "inventories")
    # A repository of the user's own has its inventory in this folder
    (folder / "inventory").symlink_to(ROOT / "inventories/fleet")
    (folder / "site.yml").write_text(blocks("docs/guides/own_repository.md", "yaml")[0])
    (folder / "load_test.yml").write_text(blocks("docs/operators/load_test.md", "yaml")[0])
    password = folder / ".config/voip-preprovision/vault_password"
    password.parent.mkdir(parents=True)
    password.write_text("of a vault")
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache/collections"),
        "ANSIBLE_STDOUT_CALLBACK": "default",
        "HOME": str(folder),
    }
    words = sorted({loading_words(command) for command in [*PLAYBOOK_COMMANDS, *WRONG]})
    script = Path(__file__).parent / "list_tasks.py"
    given = json.dumps(words).replace("~/", f"{folder}/")
    done = subprocess.run(
        [sys.executable, script], cwd=folder, env=environment, input=given, capture_output=True, text=True, check=True
    )
    return dict(zip(words, json.loads(done.stdout), strict=True))


WRONG = [
    "ansible-playbook -i inventories/bench voip.preprovision.sight",
    "ansible-playbook -i inventories/bench voip.preprovision.report --tags fones",
    "ansible-playbook -i inventories/fleet voip.preprovision.provisioning_server --limit home-9",
    "ansible-playbook -i inventories/none voip.preprovision.site",
    "ansible-playbook -i inventories/bench voip.preprovision.site --chek",
]
"""What the test must find: a missing playbook, tag, host or inventory, and an option that does not exist."""


def works(command: str, listed: dict[tuple[str, ...], tuple[int, str]]) -> bool:
    """Return whether the command line is accepted and selects tasks, by each of its tags."""
    status, output = listed[loading_words(command)]
    tasks = re.findall(r"^      \S.*?\tTAGS: \[(.*)\]$", output, re.MULTILINE)
    wanted = re.findall(r"--tags (\S+)", command)
    tags = {tag for task in tasks for tag in task.split(", ")}
    return status == 0 and bool(tasks) and all(tag in tags for listing in wanted for tag in listing.split(","))


@pytest.mark.ansible
@pytest.mark.parametrize("command", PLAYBOOK_COMMANDS)
def test_ansible_finds_what_the_command_line_names(listed, command):
    assert works(command, listed), listed[loading_words(command)]


@pytest.mark.ansible
@pytest.mark.parametrize("command", WRONG)
def test_ansible_finds_mistakes_in_command_lines(listed, command):
    assert not works(command, listed)


# Programs that are neither ours nor Ansible's, and change or read a machine that a test has not: only their lines' syntax is tested
ON_OTHER_MACHINES = {"apt", "apt-get", "ip", "journalctl", "mv", "openssl", "pre-commit", "runuser", "ssh", "sysctl", "tar"}


def shell_commands(path: str) -> list[list[str]]:
    """Return the words of each command in a document's shell blocks, without assignments before it."""
    lines = [line for block in blocks(path, "sh") for line in block.replace("\\\n", " ").splitlines()]
    text = "\n".join(lines)
    # A quoted text may go on in the next line
    joined = re.sub(r"'[^']*'", lambda quoted: quoted[0].replace("\n", " "), text)
    return [words for line in joined.splitlines() if (words := shlex.split(re.sub(r"^(\w+=\S+ )+", "", line), comments=True))]


@pytest.mark.parametrize("path", DOCUMENTS)
def test_each_shell_command_is_of_a_tested_kind(path):
    """make: see test_documents; Ansible's programs: below; scripts of ours take the options; the rest is listed."""
    for program, *arguments in shell_commands(path):
        if program == "tests/machines/machine":
            assert (
                f"\n    {arguments[0]} " in f"\n{(ROOT / program).read_text()}"
                or f"  {arguments[0]} " in (ROOT / program).read_text()
            )
            program, *arguments = arguments[1:]
        if program.rpartition("/")[2] in ("python", "python3"):
            script = (ROOT / arguments[0]).read_text()
            assert [word for word in arguments if word.startswith("--") and f'"{word}"' not in script] == []
        else:
            assert program in {*PROGRAMS, *ON_OTHER_MACHINES, "ansible", "make", "podman", "."}, program


def test_the_command_to_look_into_a_profile_decrypts_one(tmp_path):
    (script,) = [block for block in blocks("docs/guides/phones.md", "sh") if block.startswith("openssl enc -d")]
    content = b"<flat-profile></flat-profile>"
    (name,) = re.findall(r"-in (\S+)", script)
    (tmp_path / name).write_bytes(seal(compress(content), "KEY", "md5"))
    assert subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, check=True).stdout == content


@pytest.mark.root(reason="makes network namespaces")
def test_the_commands_for_a_home_behind_a_nat_run():
    """In namespaces of their own; then the home reaches the customer's address through the router."""
    (script,) = [block for block in blocks("docs/reference/emulated_phone.md", "sh") if "ip netns add" in block]
    look = "ip -n home route get 198.51.100.1; ip netns exec router nft list ruleset; ip netns exec router ip -4 -brief address"
    inside = f"mount -t tmpfs none /run\n{script}\n{look}"
    done = subprocess.run(["unshare", "--net", "--mount", "bash", "-euc", inside], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "198.51.100.1 via 10.11.12.1 dev eth0" in done.stdout
    assert "masquerade" in done.stdout
    assert "198.51.100.2/24" in done.stdout


@pytest.mark.parametrize(("path", "number"), with_blocks("yaml"))
def test_ansible_loads_the_yaml(path, number):
    content = DataLoader().load(blocks(path, "yaml")[number], file_name=str(ROOT / path))
    assert isinstance(content, dict | list)
    for play in content if isinstance(content, list) else []:
        if isinstance(play, dict) and "hosts" in play:
            assert set(play) <= set(Play.fattributes), play


@pytest.mark.parametrize(("path", "number"), with_blocks("ini"))
def test_the_settings_can_be_read(path, number):
    settings = configparser.ConfigParser(interpolation=None)
    settings.read_string(blocks(path, "ini")[number])
    assert settings.sections()


@pytest.mark.parametrize(("path", "number"), with_blocks("sh"))
def test_the_shell_reads_the_commands(path, number):
    script = blocks(path, "sh")[number]
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
