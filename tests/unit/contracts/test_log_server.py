# SPDX-License-Identifier: GPL-3.0-or-later
"""What the log server hides in a phone's line is what the collection hides everywhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ansible_collections.voip.preprovision.plugins.module_utils.common.redaction import HIDDEN, redact_urls

VARIABLES = yaml.safe_load((Path(__file__).parents[3] / "roles/log_server/vars/main.yml").read_text())
SECRETS = VARIABLES["__log_server_secrets"]

LINES = [
    "https://prov.example.net/x.cfg?token=abc123",
    "Requesting resync https://anna:hunter2@prov.example.net/x.cfg?a=1&access_token=abc&b=2",
    "http://prov.example.net/?a=1;api_key=x&Signature=y#z",
    "a line that has nothing = secret",
    "192.0.2.1:69/ata192.cfg",
]


def hidden(line: str) -> str:
    """Return *line* as the log server writes it, by the expressions in its configuration."""
    for secret in SECRETS * VARIABLES["__log_server_secrets_in_a_line"]:
        found = re.search(secret["before"] + _for_python(secret["value"]) + secret["after"], line, re.IGNORECASE)
        if found:
            begins = re.search(secret["before"], found[0], re.IGNORECASE)
            line = line.replace(found[0], f"{begins[0]}{HIDDEN}{secret['after']}")
    return line


def _for_python(expression: str) -> str:
    """Return a POSIX expression for Python, which wants a bracket in a set to be escaped."""
    return expression.replace("[^]", r"[^\]")


@pytest.mark.parametrize("line", LINES)
def test_the_log_server_hides_what_redact_urls_hides(line):
    assert hidden(line) == redact_urls(line)


def test_some_lines_hold_a_secret():
    assert sum(redact_urls(line) != line for line in LINES) == 3
