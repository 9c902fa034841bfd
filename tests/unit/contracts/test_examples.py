# SPDX-License-Identifier: GPL-3.0-or-later
"""Examples in documents: Ansible's programs accept each command line, and each block of YAML, INI and shell can be read."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import subprocess
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
