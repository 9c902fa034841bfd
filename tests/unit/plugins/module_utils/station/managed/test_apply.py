# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose file a unit refuses: a role stops for its own, and leaves another role's to that role."""

from __future__ import annotations

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.station.managed.apply import blames_another_role
from ansible_collections.voip.preprovision.plugins.module_utils.station.managed.plan import ManagedFile, Plan, WholeCheck

SHARED = WholeCheck("/etc/nginx", "nginx -t -q", "/etc/nginx/conf.d/preprovision")
END = "\nnginx: configuration file /etc/nginx/nginx.conf test failed"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (f'host not found in upstream "x" in /etc/nginx/conf.d/preprovision-service.proxy:2{END}', True),
        (f'unknown directive "drift" in /etc/nginx/conf.d/preprovision.conf:7{END}', False),
        (f'unknown directive "drift" in /etc/nginx/nginx.conf:3{END}', False),
        (f'unknown directive "x" in /etc/nginx/conf.d/broken.conf:1{END}', False),
        ("A dependency job failed.", False),
    ],
)
def test_only_files_of_other_roles_are_left_to_them(said, expected):
    files = tuple(ManagedFile(path) for path in ("/etc/nginx/nginx.conf", "/etc/nginx/conf.d/preprovision.conf"))
    assert blames_another_role(said, Plan(files=files, checks=(SHARED,))) is expected
