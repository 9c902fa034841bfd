# SPDX-License-Identifier: GPL-3.0-or-later
"""Refusals: their stored form reads back, and what nginx and the profile service log are the reasons known here."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.events.logs.refusals import Refusal, RefusalReason, read_refusal

ROLES = Path(__file__).parents[6] / "roles"
NGINX = ROLES / "web_server/templates/etc/nginx/conf.d/preprovision.conf.j2"


def test_nginx_logs_every_reason_in_these_words():
    logged = re.findall(r'^ *"~\*?\^/\\\.refused:[^"]*" "([^"]+)";$', NGINX.read_text(), re.MULTILINE)
    assert sorted(logged) == sorted(RefusalReason)


@pytest.mark.parametrize(
    "reason", ["", *RefusalReason, f"{RefusalReason.INVALID_CERTIFICATE}: x", "a reason of the service (with brackets)"]
)
@pytest.mark.parametrize("path", ["/device/00005e005301.cfg", "/x (HTTP 500, /y)", "/a)"])
def test_reads_back_what_it_has_written(reason, path):
    refusal = Refusal(403, path, str(reason))
    assert read_refusal(str(refusal)) == refusal


@given(st.text())
def test_reads_any_text(text):
    found = read_refusal(text)
    assert found.reason == text if not found.status else str(found) == text
