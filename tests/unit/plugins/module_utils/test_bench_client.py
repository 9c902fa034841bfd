# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of a DHCP message as servers may lay them out, and what curl tells. The rest is exercised by phones on a real bench."""

from __future__ import annotations

import subprocess

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.bench_client import read_answer, read_options
from ansible_collections.voip.preprovision.plugins.module_utils.phone_behaviour import Answer


def message(options, file=b"", server_name=b""):
    return bytes(44) + server_name.ljust(64, b"\0") + file.ljust(128, b"\0") + b"\x63\x82\x53\x63" + options


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (message(b"\x35\x01\x05\xff"), {53: b"\5"}),
        (message(b"\0\0\x35\x01\x05\0\x42\x03abc\xff\x06\x01z"), {53: b"\5", 66: b"abc"}),
        (message(b"\x42\x03abc\x35\x01\x05\x42\x02de\xff"), {53: b"\5", 66: b"abcde"}),
        (message(b"\x34\x01\x01\xff", file=b"\x42\x02ab\xff"), {52: b"\1", 66: b"ab"}),
        (message(b"\x34\x01\x03\xff", file=b"\x42\x02ab\xff", server_name=b"\x43\x01c\xff"), {52: b"\3", 66: b"ab", 67: b"c"}),
        (message(b"\x42\x00\xff", file=b"\x43\x01c\xff"), {66: b""}),
        # cut off
        (message(b"\x42\x09abc"), {66: b"abc"}),
        (message(b"\x42"), {66: b""}),
        (message(b"\x34\x00\xff"), {52: b""}),
        (message(b""), {}),
        (b"", {}),
    ],
)
def test_options(data, expected):
    assert read_options(data) == expected


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
