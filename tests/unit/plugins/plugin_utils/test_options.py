# SPDX-License-Identifier: GPL-3.0-or-later
"""Arguments of tasks: text stays what was written, and anything else is an error."""

from __future__ import annotations

import datetime
import re

import pytest
from ansible.errors import AnsibleActionFail
from ansible.parsing.dataloader import DataLoader

from ansible_collections.voip.preprovision.plugins.plugin_utils.options import check_spelling, plain, read_options

SPEC = {
    "url": {"type": "str"},
    "key": {"type": "str", "no_log": True},
    "names": {"type": "list", "elements": "str"},
    "count": {"type": "int"},
    "purge": {"type": "bool"},
    "groups": {"type": "dict"},
}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"url": True}, "t: url must be text, not true or false; write it in quotes, such as 'on'"),
        ({"url": 1.1}, "t: url must be text, not a decimal fraction; write it in quotes, such as '1.10'"),
        ({"key": datetime.date(2026, 1, 31)}, "t: key must be text, not a date; write it in quotes, such as '2026-01-31'"),
        ({"names": ["desk", False]}, "t: names must be text, not true or false; write it in quotes, such as 'on'"),
        ({"key": ["x"]}, "t: key must be text, not a list or dictionary"),
    ],
)
def test_refuses_what_ansible_would_take_for_text(arguments, message):
    with pytest.raises(AnsibleActionFail, match=f"^{re.escape(message)}$"):
        read_options("t", SPEC, arguments)


def test_takes_digits_and_what_is_no_text():
    given = {"url": 5, "names": ["desk", 101], "count": "5", "purge": "yes", "groups": {1: {"a": 1.5}, False: True}}
    expected = {
        "url": "5",
        "key": None,
        "names": ["desk", "101"],
        "count": 5,
        "purge": True,
        "groups": {"1": {"a": 1.5}, False: True},
    }
    assert read_options("t", SPEC, given) == expected


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("{key: 0123456701234567}", "key"),
        ("{groups: {site: {a: {phone_serial: 012}}}}", "groups.site.a.phone_serial"),
        ("{names: [0123]}", "names.1"),
        ("{count: 010, key: '0123', purge: yes}", ""),
    ],
)
def test_refuses_numbers_that_were_written_otherwise(tmp_path, text, place):
    path = tmp_path / "x.yml"
    path.write_text(text)
    loader = DataLoader()
    arguments = loader.load_from_file(str(path))
    if not place:
        check_spelling("t", SPEC, arguments, loader)
        return
    message = f"t: {place}: the number in {path} line 1 is read as another one; write it in quotes, such as '0123'"
    with pytest.raises(AnsibleActionFail, match=f"^{re.escape(message)}$"):
        check_spelling("t", SPEC, arguments, loader)


def test_plain_values_have_no_tags(tmp_path):
    path = tmp_path / "x.yml"
    path.write_text("{a: text, b: 5, c: 1.5, d: [x, {1: y}], e: yes}")
    found = plain(DataLoader().load_from_file(str(path)))
    assert found == {"a": "text", "b": 5, "c": 1.5, "d": ["x", {"1": "y"}], "e": True}
    assert [type(value) for value in (*found, *found.values(), *found["d"])] == [*[str] * 6, int, float, list, bool, str, dict]
