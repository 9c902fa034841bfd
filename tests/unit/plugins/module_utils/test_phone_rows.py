# SPDX-License-Identifier: GPL-3.0-or-later
"""Phones as rows: three forms, one meaning; groups; and what is refused, with file and line."""

from __future__ import annotations

import csv
import io
import json
import re
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.phone_rows import PhoneRows, RowsError

HEAD = "phone_mac,phone_model"
MAC = "00:00:5e:00:53:01"


@pytest.fixture
def rows(tmp_path):
    def make(content, name="phones.csv", **more):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return list(PhoneRows(str(path), **more))

    return make


def database(path, names, cells):
    columns = ", ".join(f'"{name}"' for name in names)
    with sqlite3.connect(path) as connection:
        connection.execute(f"CREATE TABLE phones ({columns})")
        connection.executemany(f"INSERT INTO phones VALUES ({', '.join('?' for _name in names)})", cells)  # noqa: S608
    connection.close()
    return str(path)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (f"{HEAD}\n{MAC},ATA192\n", {"phone_mac": MAC, "phone_model": "ATA192"}),
        (f"\ufeff{HEAD}\r\n\r\n{MAC},ATA192\r\n", {"phone_mac": MAC, "phone_model": "ATA192"}),
        (f"phone_mac;phone_model\n{MAC};ATA192", {"phone_mac": MAC, "phone_model": "ATA192"}),
        (f"phone_mac\tphone_model\n{MAC}\tATA192", {"phone_mac": MAC, "phone_model": "ATA192"}),
        (f"{HEAD},phone_serial\n{MAC},ATA192,\n", {"phone_mac": MAC, "phone_model": "ATA192"}),
        (f"phone_mac,phone_lines.2.user_id\n{MAC},1002", {"phone_mac": MAC, "phone_lines": [{}, {"user_id": "1002"}]}),
        (f"phone_mac,phone_nat.stun_server\n{MAC},x", {"phone_mac": MAC, "phone_nat": {"stun_server": "x"}}),
        (
            f"phone_mac,phone_parameters.router-configuration/SSH/Enable,phone_parameters_a.a.b\n{MAC},0,1",
            {
                "phone_mac": MAC,
                "phone_parameters": {"router-configuration": {"SSH": {"Enable": "0"}}},
                "phone_parameters_a": {"a.b": "1"},
            },
        ),
        (f'phone_mac,phone_parameters\n{MAC},"{{""X"": 1}}"', {"phone_mac": MAC, "phone_parameters": {"X": 1}}),
        (
            f'phone_mac,phone_parameters,phone_parameters.Y\n{MAC},"{{""X"": 1}}",2',
            {"phone_mac": MAC, "phone_parameters": {"X": 1, "Y": "2"}},
        ),
    ],
)
def test_columns(rows, content, expected):
    (row,) = rows(content)
    assert (row.variables, row.problem) == (expected, "")
    assert row.name == "00005e005301"


def test_names_and_places(rows):
    found = rows(f'name,{HEAD},phone_serial\ndesk,{MAC},ATA192,"two\nlines"\n\n,00:00:5e:00:53:02,ATA192,\n,bad,ATA192,\n')
    assert [(row.name, row.where) for row in found] == [
        ("desk", "phones.csv line 2"),
        ("00005e005302", "phones.csv line 5"),
        ("without a name", "phones.csv line 6"),
    ]


def test_rows_can_be_read_again(tmp_path):
    (tmp_path / "phones.csv").write_text(f"{HEAD}\n{MAC},ATA192\n")
    source = PhoneRows(str(tmp_path / "phones.csv"))
    assert list(source) == list(source) != []


def test_a_header_alone_is_no_phone(rows):
    assert rows(f"{HEAD}\n") == []


@pytest.mark.parametrize(
    ("content", "name", "problem"),
    [
        (f"{HEAD}\n{MAC}\n", "phones.csv", "it has 1 columns, and the header 2"),
        (f"{HEAD}\n{MAC},ATA192,x\n", "phones.csv", "it has 3 columns, and the header 2"),
        (f"{HEAD},phone_lines\n{MAC},ATA192,x\n", "phones.csv", "the column phone_lines is not JSON; write"),
        ("phone_lines,phone_lines.1.user_id\n[],1\n", "phones.csv", "it has both phone_lines and columns of its lines"),
        ("phone_parameters,phone_parameters.X\n[],1\n", "phones.csv", "phone_parameters.X goes into what is no mapping"),
        ("{", "phones.jsonl", "it is not JSON: "),
        ("[]", "phones.jsonl", "it is no JSON object"),
        ('{"phone_mak": 1}', "phones.jsonl", "the column 'phone_mak' is no phone variable; did you mean phone_mac?"),
    ],
)
def test_rows_that_cannot_be_read(rows, content, name, problem):
    *others, row = rows(content, name)
    assert row.problem.startswith(problem)
    assert not others


def test_a_bad_row_does_not_hide_the_others(rows):
    found = rows('{"phone_mac": "00:00:5e:00:53:01"}\n{\n{"phone_mac": "00:00:5e:00:53:02"}\n', "phones.jsonl")
    assert [bool(row.problem) for row in found] == [False, True, False]


@pytest.mark.parametrize(
    ("content", "name", "more", "message"),
    [
        ("", "phones.csv", {}, "it has no header line that names the columns"),
        ("mac,phone_model\n", "phones.csv", {}, "the column 'mac' is no phone variable; did you mean phone_mac?"),
        ("phone_mac,phone_mac\n", "phones.csv", {}, "two columns are called 'phone_mac'"),
        ("phone_mac.x\n", "phones.csv", {}, "the column 'phone_mac.x' goes into phone_mac, which is text"),
        ("phone_lines.0.user_id\n", "phones.csv", {}, "the column 'phone_lines.0.user_id' names no line;"),
        ("phone_lines.1\n", "phones.csv", {}, "the column 'phone_lines.1' names no line;"),
        (f'{HEAD}\n"{MAC}x', "phones.csv", {}, "unexpected end of data"),
        (f"{HEAD}\n".encode() + b"\xff,x\n", "phones.csv", {}, "it is not UTF-8 text"),
        ("$ANSIBLE_VAULT;1.1;AES256\n", "phones.csv", {}, "it is encrypted; only Ansible can read it"),
        (HEAD, "phones.csv", {"query": "SELECT 1"}, "it is no SQLite file, so there is nothing to query"),
        (HEAD, "phones.csv", {"groups": {"customers": {}}}, "groups: there is no variable phone_customers to group by;"),
        (HEAD, "phones.csv", {"groups": {"customer": []}}, "groups: customer is a list; write a mapping"),
        (
            HEAD,
            "phones.csv",
            {"groups": {"customer": {"x": []}}},
            "groups: customer x is a list; write a mapping of phone variables",
        ),
        (
            HEAD,
            "phones.csv",
            {"groups": {"all": {"phone_parameter": {}}}},
            "groups: all: 'phone_parameter' is no phone variable; did you mean phone_parameters?",
        ),
    ],
)
def test_files_that_cannot_be_read(rows, content, name, more, message):
    with pytest.raises(RowsError) as caught:
        rows(content, name, **more)
    assert message in str(caught.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(RowsError, match=r"/none\.csv: the phones cannot be read: No such file or directory$"):
        PhoneRows(str(tmp_path / "none.csv"))


def test_decrypted_text_is_read_instead_of_the_file(tmp_path):
    (row,) = PhoneRows(str(tmp_path / "phones.csv"), text=f"\ufeff{HEAD}\n{MAC},ATA192\n")
    assert row.variables["phone_model"] == "ATA192"


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("DROP TABLE phones", "the query must begin with SELECT or WITH"),
        ("SELECT colour FROM phones", "SQLite says: no such column: colour"),
        ("SELECT phone_mac AS mac FROM phones", "the column 'mac' is no phone variable;"),
    ],
)
def test_queries_that_fail(tmp_path, query, message):
    path = database(tmp_path / "it's 100%.db", ["phone_mac"], [[MAC]])
    with pytest.raises(RowsError, match=re.escape(message)):
        list(PhoneRows(path, query))


def test_a_query(tmp_path):
    path = database(tmp_path / "customers.data", ["phone_mac", "phone_serial"], [[MAC, 7], ["00:00:5e:00:53:02", None]])
    found = list(PhoneRows(path, "SELECT phone_mac, phone_serial, 'ATA192' AS phone_model FROM phones ORDER BY phone_mac DESC"))
    assert [row.variables for row in found] == [
        {"phone_mac": "00:00:5e:00:53:02", "phone_model": "ATA192"},
        {"phone_mac": MAC, "phone_serial": 7, "phone_model": "ATA192"},
    ]
    assert found[0].where == "customers.data row 1"


GROUPS = {
    "all": {"phone_nat": {"stun": True}, "phone_site": "all"},
    "model": {"ata192": {"phone_site": "model", "phone_serial": "model"}},
    "customer": {"example": {"phone_site": "customer", "phone_parameters_c": {"X": 1}}, "other": {}},
}


def test_groups(rows):
    header = "phone_mac,phone_model,phone_customer,phone_site"
    found = rows(f"{header}\n{MAC},ATA192,example,\n{MAC},Ata192,,\n{MAC},SPA504G,example,own\n", groups=GROUPS)
    assert [row.variables["phone_site"] for row in found] == ["customer", "model", "own"]
    assert [row.variables.get("phone_serial") for row in found] == ["model", "model", None]
    # The same objects, so that whoever reads many rows can tell what they share
    assert all(row.variables["phone_nat"] is GROUPS["all"]["phone_nat"] for row in found)


def test_groups_that_look_misspelt(tmp_path):
    (tmp_path / "phones.csv").write_text(f"{HEAD},phone_customer\n{MAC},SPA504G,exampel\n{MAC},ATA191,exampel\n{MAC},X,new\n")
    source = PhoneRows(str(tmp_path / "phones.csv"), groups=GROUPS)
    assert len(list(source)) == 3
    assert source.missing_groups() == [
        "phones.csv: groups has no customer 'exampel', so its phones share nothing; did you mean 'example'?"
    ]


texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)
phones = st.fixed_dictionaries(
    {"phone_mac": st.integers(1, 255).map(lambda number: f"00005e0053{number:02x}"), "phone_model": st.just("ATA192")},
    optional={
        "phone_serial": texts,
        "phone_lines": st.lists(st.fixed_dictionaries({"user_id": texts, "password": texts}), min_size=1, max_size=3),
    },
)


@given(st.lists(phones, min_size=1, max_size=4))
def test_three_forms_mean_the_same(tmp_path_factory, several):
    folder = tmp_path_factory.mktemp("rows")
    names = [
        "phone_mac",
        "phone_model",
        "phone_serial",
        *(f"phone_lines.{line}.{key}" for line in (1, 2, 3) for key in ("user_id", "password")),
    ]
    cells = [
        [
            *(phone.get(name, "") for name in names[:3]),
            *(
                phone.get("phone_lines", [])[line : line + 1][0][key] if len(phone.get("phone_lines", [])) > line else ""
                for line in range(3)
                for key in ("user_id", "password")
            ),
        ]
        for phone in several
    ]
    buffer = io.StringIO()
    csv.writer(buffer).writerows([names, *cells])
    (folder / "phones.csv").write_text(buffer.getvalue(), encoding="utf-8", newline="")
    (folder / "phones.jsonl").write_text("".join(json.dumps(phone) + "\n" for phone in several))
    files = [str(folder / "phones.csv"), str(folder / "phones.jsonl"), database(folder / "phones.db", names, cells)]
    assert [[row.variables for row in PhoneRows(path)] for path in files] == [several] * 3
