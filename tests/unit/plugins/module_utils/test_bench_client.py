# SPDX-License-Identifier: GPL-3.0-or-later
"""What curl tells. The rest is exercised by phones on a real bench."""

from __future__ import annotations

import subprocess

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.bench_client import read_answer
from ansible_collections.voip.preprovision.plugins.module_utils.phone_network import Answer


def curl(status, told, content=b""):
    return subprocess.CompletedProcess(["curl"], status, content, told)


@pytest.mark.parametrize(
    ("scheme", "fetched", "expected"),
    [
        ("http", curl(0, b'{"http_code": 200}\n{}', b"x"), Answer(200, b"x")),
        (
            "https",
            curl(0, b'{"http_code": 200}\n{"content-encoding": ["aes128gcm"], "x": ["a", "b"]}', b"x"),
            Answer(200, b"x", {"content-encoding": "aes128gcm", "x": "a, b"}),
        ),
        ("http", curl(0, b'{"http_code": 302}\n{"location":["/b"]\n}'), Answer(302, headers={"location": "/b"})),
        (
            "https",
            curl(60, b'{"http_code": 0, "errormsg": "self-signed"}\n{}'),
            Answer(0, failure="chain", error="self-signed"),
        ),
        (
            "http",
            curl(2, b"unknown option\nhint"),
            Answer(0, failure="protocol", error="curl: unknown option\nhint"),
        ),
        ("tftp", curl(0, b'{"http_code": 0}\n', b"x"), Answer(200, b"x")),
        ("tftp", curl(68, b'{"http_code": 0}\n'), Answer(404)),
        ("tftp", curl(28, b'{"http_code": 0}\n'), Answer(0, failure="timeout", error="no answer")),
    ],
)
def test_answers(scheme, fetched, expected):
    assert read_answer(fetched, scheme) == expected
