# SPDX-License-Identifier: GPL-3.0-or-later
"""What curl tells. The rest is exercised by phones on a real bench."""

from __future__ import annotations

import subprocess

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.bench_client import read_answer
from ansible_collections.voip.preprovision.plugins.module_utils.phone_behaviour import Answer


def curl(status, told, content=b""):
    return subprocess.CompletedProcess(["curl"], status, content, told)


@pytest.mark.parametrize(
    ("scheme", "fetched", "expected"),
    [
        ("http", curl(0, b'{"http_code": 200}\n', b"x"), Answer(200, b"x", error="no answer")),
        ("https", curl(0, b'{"http_code": 200}\nAES128GCM', b"x"), Answer(200, b"x", error="no answer", encoding="aes128gcm")),
        (
            "http",
            curl(0, b'{"http_code": 302, "redirect_url": "http://h/b"}\n'),
            Answer(302, location="http://h/b", error="no answer"),
        ),
        ("https", curl(60, b'{"http_code": 0, "errormsg": "self-signed"}\n'), Answer(0, error="self-signed")),
        ("http", curl(2, b"unknown option\nhint"), Answer(0, error="curl: unknown option\nhint")),
        ("tftp", curl(0, b'{"http_code": 0}\n', b"x"), Answer(200, b"x", error="TFTP failed with curl's status 0")),
        ("tftp", curl(68, b'{"http_code": 0}\n'), Answer(404, error="TFTP failed with curl's status 68")),
        ("tftp", curl(28, b'{"http_code": 0}\n'), Answer(0, error="no answer")),
    ],
)
def test_answers(scheme, fetched, expected):
    assert read_answer(fetched, scheme) == expected
