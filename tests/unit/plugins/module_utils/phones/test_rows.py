# SPDX-License-Identifier: GPL-3.0-or-later
"""Phones as rows: three formats with one meaning, groups, and errors with file and line."""

from __future__ import annotations

import csv
import io
import json
import re
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.phones.rows import PhoneRows, RowsError

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
        # Columns at the end that a spreadsheet once had
        (f"{HEAD},,\n{MAC},ATA192,, \n", {"phone_mac": MAC, "phone_model": "ATA192"}),
        (f"{HEAD},, \n{MAC},ATA192\n", {"phone_mac": MAC, "phone_model": "ATA192"}),
        (f"phone_mac;phone_model\n{MAC};ATA192", {"phone_mac": MAC, "phone_model": "ATA192"}),
        (f"phone_mac\tphone_model\n{MAC}\tATA192", {"phone_mac": MAC, "phone_model": "ATA192"}),
        (f"{HEAD},phone_serial\n{MAC},ATA192,\n", {"phone_mac": MAC, "phone_model": "ATA192"}),
        (f"phone_mac,phone_lines.2.user_id\n{MAC},1002", {"phone_mac": MAC, "phone_lines": [{}, {"user_id": "1002"}]}),
        (f'\n  \r\nphone_mac;phone_serial\n\n;\n{MAC};"a\r\nb;""c"', {"phone_mac": MAC, "phone_serial": 'a\r\nb;"c'}),
        (f" phone_mac , phone_model\n{MAC},ATA192", {"phone_mac": MAC, "phone_model": "ATA192"}),
        (f"phone_mac,phone_lines.1.user_id,phone_lines.3.user_id\n{MAC},,", {"phone_mac": MAC}),
        (
            f"phone_lines.3.proxy,phone_mac,phone_lines.1.user_id,phone_lines.3.user_id,phone_lines.4.proxy\n,{MAC},1,3,",
            {"phone_mac": MAC, "phone_lines": [{"user_id": "1"}, {}, {"user_id": "3"}]},
        ),
        (f"phone_mac,phone_lines\n{MAC},null", {"phone_mac": MAC}),
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


def test_counts_blank_lines(rows):
    assert [row.where for row in rows(f"\n \n{HEAD}\n  \n{MAC},ATA192\n")] == ["phones.csv line 5"]


def test_rows_can_be_read_again(tmp_path):
    (tmp_path / "phones.csv").write_text(f"{HEAD}\n{MAC},ATA192\n")
    source = PhoneRows(str(tmp_path / "phones.csv"))
    assert list(source) == list(source) != []


def test_ignores_the_case_of_suffixes_and_byte_order_marks(rows):
    (row,) = rows(f'\ufeff\n{{"phone_mac": "{MAC}", "phone_lines.2.user_id": 7, "name": null}}\r\n', "PHONES.JSONL")
    assert row[:4] == ("00005e005301", "PHONES.JSONL line 2", {"phone_mac": MAC, "phone_lines": [{}, {"user_id": 7}]}, "")


def test_rows_are_read_one_by_one(tmp_path):
    path = tmp_path / "phones.csv"
    path.write_bytes(f"{HEAD}\n".encode() + f"{MAC},ATA192\n".encode() * 100_000 + b"\xff,x\n")
    source = PhoneRows(str(path))
    assert next(iter(source)).where == "phones.csv line 2"
    with pytest.raises(RowsError, match=r"phones\.csv line 100002: it is not UTF-8 text; save the file as UTF-8$"):
        list(source)


def test_a_header_without_rows_yields_no_phones(rows):
    assert rows(f"{HEAD}\n") == []


@pytest.mark.parametrize(
    ("content", "name", "problem"),
    [
        (f"{HEAD}\n{MAC}\n", "phones.csv", "it has 1 columns, but the header has 2"),
        (f'{HEAD}\n{MAC},"ATA192\n\n",\n', "phones.csv", "it has 3 columns up to line 4, but the header has 2"),
        (f'{HEAD}\n{MAC},"ATA"192"', "phones.csv", "its cells cannot be separated: ',' expected after '\"'; check its quotes"),
        (
            f'{HEAD}\n{MAC},"ATA192\n{MAC},ATA192\n',
            "phones.csv",
            "its cells cannot be separated up to line 3: unexpected end of data; check its quotes",
        ),
        (f"{HEAD}\n{MAC},{'x' * 200_000}\n", "phones.csv", "its cells cannot be separated: field larger than field limit"),
        (f"{HEAD}\n{MAC},ATA192,x\n", "phones.csv", "it has 3 columns, but the header has 2"),
        (f"{HEAD},,\n{MAC},ATA192,,x\n", "phones.csv", "the column 4 is not empty, but has no name in the header; name it"),
        (f"{HEAD},,\n{MAC},ATA192,,,\n", "phones.csv", "it has 5 columns, but the header has 2"),
        (
            f"{HEAD},phone_lines\n{MAC},ATA192,x\n",
            "phones.csv",
            "the column phone_lines is not JSON: Expecting value at column 1; write",
        ),
        ('phone_parameters\n"{""X"": NaN}"\n', "phones.csv", "the column phone_parameters is not JSON: NaN is not a JSON number;"),
        ('{"phone_lines": "[{]"}', "phones.jsonl", "the column phone_lines is not JSON: Expecting property name"),
        (
            "phone_lines,phone_lines.1.user_id\n[],1\n",
            "phones.csv",
            "it has both phone_lines and columns of its lines; fill in only one of the two",
        ),
        (
            "phone_parameters,phone_parameters.X\n[],1\n",
            "phones.csv",
            "the column phone_parameters.X goes into a value",
        ),
        (
            'phone_parameters,phone_parameters.X/Y\n"{""X"": 1}",1\n',
            "phones.csv",
            "the column phone_parameters.X/Y goes into a value that is not a mapping",
        ),
        ("\n{", "phones.jsonl", "it is not JSON: Expecting property name enclosed in double quotes at column 2"),
        ("[" * 100_000, "phones.jsonl", "it is not JSON: it is nested too deeply"),
        ("[]", "phones.jsonl", "it is not a JSON object"),
        ('{"name": true}', "phones.jsonl", "name must be text, not true or false; write it in quotes, such as 'on'"),
        ('{"name": 1.10}', "phones.jsonl", "name must be text, not a decimal fraction; write it in quotes, such as '1.10'"),
        ('{"phone_mak": 1}', "phones.jsonl", "unknown phone variable 'phone_mak'; did you mean 'phone_mac'?"),
    ],
)
def test_reports_invalid_rows(rows, content, name, problem):
    *others, row = rows(content, name)
    assert row.problem.startswith(problem)
    assert not others


@pytest.mark.parametrize(
    ("content", "name", "first"),
    [
        (f'{{"phone_mac": "{MAC}"}}\n{{\n{{"phone_mac": "{MAC}"}}\n', "phones.jsonl", 1),
        (f'phone_mac\n{MAC}\n"x"x\n{MAC}\n', "phones.csv", 2),
        # An unclosed quote reads at most one cell's limit
        (f'phone_mac\n{MAC}\n"x,{MAC}{"x" * 200_000}\n{MAC}\n', "phones.csv", 2),
    ],
)
def test_reads_rows_after_an_invalid_one(rows, content, name, first):
    found = rows(content, name)
    assert [row.where[-1] for row in found] == [str(first + number) for number in range(3)]
    assert [bool(row.problem) for row in found] == [False, True, False]


@pytest.mark.parametrize(
    ("content", "name", "more", "message"),
    [
        ("", "phones.csv", {}, "it has no header line with the columns' names"),
        ("mac,phone_model\n", "phones.csv", {}, "unknown phone variable 'mac'; did you mean 'phone_mac'?"),
        ("phone_mac,phone_mac\n", "phones.csv", {}, "two columns are called 'phone_mac'; rename or remove one"),
        ("phone_mac.x\n", "phones.csv", {}, "the column 'phone_mac.x' goes into phone_mac, which is text"),
        ("phone_lines.0.user_id\n", "phones.csv", {}, "the column 'phone_lines.0.user_id' names no line;"),
        ("phone_lines.1\n", "phones.csv", {}, "the column 'phone_lines.1' names no line;"),
        ("phone_lines.65.user_id\n", "phones.csv", {}, "lines from 1 to 64"),
        ("\nphone_mac,,phone_model,,\n", "phones.csv", {}, "phones.csv line 2: the column 2 has no name"),
        (
            "phone_mac,Product Number\n",
            "phones.csv",
            {},
            "phones.csv line 1: unknown phone variable 'Product Number'; did you mean",
        ),
        ("phone_nat.\n", "phones.csv", {}, "the column 'phone_nat.' does not say what it sets in phone_nat"),
        ("phone_parameters.X/\n", "phones.csv", {}, "does not say what it sets in phone_parameters"),
        (
            "phone_parameters.X/Y/Z,phone_parameters.X/Y\n",
            "phones.csv",
            {},
            "the column 'phone_parameters.X/Y' sets a value that is a section in the column 'phone_parameters.X/Y/Z'",
        ),
        (f'"{HEAD}\n{MAC},x\n', "phones.csv", {}, "phones.csv line 1: its header cannot be read: unexpected end of data"),
        (
            f"{HEAD}\n{MAC},\xe4\n".encode("latin-1"),
            "phones.csv",
            {},
            "phones.csv line 2: it is not UTF-8 text; save the file as UTF-8",
        ),
        (f"{HEAD}\n".encode("utf-16"), "phones.csv", {}, "phones.csv line 1: it is not UTF-8 text; save the file as UTF-8"),
        (f"{HEAD}\n{MAC},\0\n", "phones.csv", {}, "phones.csv line 2: it has a NUL byte"),
        ("{}\n\xff\n".encode("latin-1"), "phones.jsonl", {}, "phones.jsonl line 2: it is not UTF-8 text"),
        (
            "$ANSIBLE_VAULT;1.1;AES256\n",
            "phones.csv",
            {},
            "it is encrypted with Ansible Vault; pass its decrypted text",
        ),
        (
            "$ANSIBLE_VAULT;1.1;AES256\n",
            "phones.db",
            {},
            "it is encrypted with Ansible Vault; pass its decrypted text",
        ),
        ("", "phones.db", {}, "it is named .db but is not a SQLite file"),
        (HEAD, "phones.db", {"text": HEAD}, "a SQLite file cannot be read from a vault; encrypt CSV or JSON Lines"),
        (HEAD, "phones.csv", {"text": "SQLite format 3\0"}, "a SQLite file cannot be read from a vault; encrypt CSV or JSON Lines"),
        (b"SQLite format 3\0rest", "phones", {}, "SQLite reports: "),
        (HEAD, "phones.csv", {"query": "SELECT 1"}, "it is not a SQLite file, so it cannot be queried; remove query"),
        (HEAD, "phones.csv", {"groups": {"customers": {}}}, "groups: there is no variable phone_customers to group by;"),
        (
            HEAD,
            "phones.csv",
            {"groups": {"site": {False: {}}}},
            "groups: a site must be text, not true or false; write it in quotes, such as 'on'",
        ),
        (
            HEAD,
            "phones.csv",
            {"groups": {"customer": {1.1: {}}}},
            "groups: a customer must be text, not a decimal fraction; write it in quotes, such as '1.10'",
        ),
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
            "groups: all: unknown phone variable 'phone_parameter'; did you mean 'phone_parameters'?",
        ),
        (
            HEAD,
            "phones.csv",
            {"groups": {"all": {"name": "x"}}},
            "groups: all: unknown phone variable 'name'; expected one of phone_mac,",
        ),
    ],
)
def test_rejects_invalid_files(rows, content, name, more, message):
    with pytest.raises(RowsError) as caught:
        rows(content, name, **more)
    assert message in str(caught.value)


def test_rejects_a_missing_file(tmp_path):
    with pytest.raises(RowsError, match=r"/none\.csv: the phones cannot be read: No such file or directory$"):
        PhoneRows(str(tmp_path / "none.csv"))


def test_reports_a_file_that_disappears(tmp_path):
    path = tmp_path / "phones.csv"
    path.write_text(HEAD)
    source = PhoneRows(str(path))
    path.unlink()
    with pytest.raises(RowsError, match=r"/phones\.csv: the phones cannot be read: No such file or directory$"):
        list(source)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_reads_decrypted_text_like_the_file(rows, tmp_path, mark, end):
    content = mark + end.join([f"{HEAD},phone_serial", f'{MAC},ATA192,"a{end}b\u2028c"', "", "x", f"{MAC},SPA504G,"])
    found = list(PhoneRows(str(tmp_path / "phones.csv"), text=content))
    assert [row.where for row in found] == ["phones.csv line 2", "phones.csv line 5", "phones.csv line 6"]
    assert found == rows(content)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("DROP TABLE phones", "the query must begin with SELECT or WITH"),
        ("WITH x AS (SELECT 1) DELETE FROM phones", "SQLite reports: attempt to write a readonly database"),
        ("SELECT 1; DROP TABLE phones", "SQLite reports: You can only execute one statement at a time"),
        ("SELECT phone_mac, phone_mac FROM phones", "two columns are called 'phone_mac'; rename or remove one"),
        ("SELECT colour FROM phones", "SQLite reports: no such column: colour"),
        ("SELECT phone_mac AS mac FROM phones", "unknown phone variable 'mac';"),
    ],
)
def test_rejects_invalid_queries(tmp_path, query, message):
    path = database(tmp_path / "it's%20a?b#c.db", ["phone_mac"], [[MAC]])
    with pytest.raises(RowsError, match=re.escape(message)):
        list(PhoneRows(path, query))


def test_reads_the_rows_of_a_query(tmp_path):
    path = database(tmp_path / "customers.data", ["phone_mac", "phone_serial"], [[MAC, 7], ["00:00:5e:00:53:02", None]])
    found = list(PhoneRows(path, "SELECT phone_mac, phone_serial, 'ATA192' AS phone_model FROM phones ORDER BY phone_mac DESC"))
    assert [row.variables for row in found] == [
        {"phone_mac": "00:00:5e:00:53:02", "phone_model": "ATA192"},
        {"phone_mac": MAC, "phone_serial": 7, "phone_model": "ATA192"},
    ]
    assert [row.where for row in found] == ["customers.data row 1", "customers.data row 2"]


def test_a_missing_table_error_shows_the_query(tmp_path):
    path = str(tmp_path / "phones.db")
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE units (phone_mac)")
    connection.close()
    with pytest.raises(RowsError, match=r"SQLite reports: no such table: phones; the query was SELECT \* FROM phones$"):
        list(PhoneRows(path))


def test_rejects_blobs(tmp_path):
    path = database(tmp_path / "phones.db", ["phone_mac", "phone_serial"], [[MAC, b"x"], [MAC, "x"]])
    assert [(row.where, row.problem) for row in PhoneRows(path)] == [
        ("phones.db row 1", "the column phone_serial holds a BLOB; store text"),
        ("phones.db row 2", ""),
    ]


def test_opens_databases_read_only(tmp_path):
    path = database(tmp_path / "phones.db", ["phone_mac"], [[MAC]])
    before = (tmp_path / "phones.db").read_bytes()
    assert len(list(PhoneRows(path))) == 1
    assert [(entry.name, entry.read_bytes()) for entry in tmp_path.iterdir()] == [("phones.db", before)]


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


def test_later_groups_win_and_may_depend_on_earlier_ones(rows):
    groups = {
        "site": {"north": {"phone_serial": "site"}},
        "all": {"phone_customer": "example", "phone_serial": "all", "phone_address": "all"},
        "customer": {"example": {"phone_address": "customer"}, "other": {}},
    }
    found = rows(f"phone_mac,phone_site,phone_customer\n{MAC},north,\n{MAC},,other\n{MAC},,none\n", groups=groups)
    assert [(row.variables["phone_serial"], row.variables["phone_address"]) for row in found] == [
        ("all", "customer"),
        ("all", "all"),
        ("all", "all"),
    ]


def test_a_row_replaces_a_whole_variable(rows):
    groups = {"all": {"phone_parameters": {"X": 1}, "phone_lines": [{"user_id": "1"}]}}
    found = rows(f"phone_mac,phone_parameters.Y,phone_lines.2.user_id\n{MAC},2,2\n{MAC},,\n", groups=groups)
    assert found[0].variables == {"phone_mac": MAC, "phone_parameters": {"Y": "2"}, "phone_lines": [{}, {"user_id": "2"}]}
    assert found[1].variables == {"phone_mac": MAC, **groups["all"]}


def test_groups_may_be_numbers(tmp_path):
    path = database(tmp_path / "phones.db", ["phone_mac", "phone_customer"], [[MAC, 1001]])
    (row,) = PhoneRows(path, groups={"customer": {1001: {"phone_site": "x"}}})
    assert row.variables["phone_site"] == "x"


@pytest.mark.parametrize(
    ("value", "near"),
    [
        *((value, "Example Co 1") for value in ("example-co-1", "Exampel Co 1", "Example C 1", "Examplee Co 1", "Exampla Co 1")),
        ("NRW", "nrw"),
        # Other digits are another customer, and so is a short word with another letter
        *((value, "") for value in ("Example Co 2", "Example Co", "nrx", "something else", "Example Co 1", "")),
    ],
)
def test_reports_groups_that_look_misspelt(tmp_path, value, near):
    (tmp_path / "phones.csv").write_text(f"{HEAD},phone_customer\n" + f"{MAC},ATA912,{value}\n" * 2)
    groups = {"customer": {"Example Co 1": {}, "nrw": {}}, "model": {"ATA192": {}}}
    source = PhoneRows(str(tmp_path / "phones.csv"), groups=groups)
    assert len(list(source)) == 2
    assert source.missing_groups() == [
        f"phones.csv: groups has no customer '{value}', so its phones share nothing; did you mean '{near}'?"
    ] * bool(near)


texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\r\n,;\t\"'{[/."), min_size=1, max_size=8)
cells = st.none() | texts
LINE_KEYS = ("user_id", "password")
COLUMNS = (
    *("name", "phone_serial", "phone_customer", "phone_parameters.X", "phone_parameters.A/B/C", "phone_nat.stun_server"),
    *(f"phone_lines.{line}.{key}" for line in (1, 2, 3) for key in LINE_KEYS),
    *("phone_parameters_a", "phone_web"),
)
structures = st.dictionaries(texts, texts | st.integers() | st.booleans() | st.none() | st.dictionaries(texts, texts), max_size=3)
phones = st.fixed_dictionaries(
    {
        "phone_mac": st.integers(1, 255).map(lambda number: f"00005e0053{number:02x}"),
        **dict.fromkeys(COLUMNS[:-2], cells),
        **dict.fromkeys(COLUMNS[-2:], st.none() | structures),
    }
)
GROUPED = {"all": {"phone_site": "all"}, "customer": {"x": {"phone_serial": "x", "phone_web": {}}}}


def meant(phone):
    """Return a phone's variables from its columns, by a second, slow implementation."""
    variables = {"phone_site": "all"}
    if phone["phone_customer"] == "x":
        variables |= {"phone_serial": "x", "phone_web": {}}
    own = {
        "phone_mac": phone["phone_mac"],
        **{name: phone[name] for name in ("phone_serial", "phone_customer", "phone_parameters_a", "phone_web")},
        "phone_lines": [{key: phone[f"phone_lines.{line}.{key}"] for key in LINE_KEYS} for line in (1, 2, 3)],
        "phone_nat": {"stun_server": phone["phone_nat.stun_server"]},
        "phone_parameters": {"X": phone["phone_parameters.X"], "A": {"B": {"C": phone["phone_parameters.A/B/C"]}}},
    }
    own["phone_lines"] = [{key: value for key, value in line.items() if value is not None} for line in own["phone_lines"]]
    while own["phone_lines"] and not own["phone_lines"][-1]:
        own["phone_lines"].pop()
    if own["phone_nat"]["stun_server"] is None:
        del own["phone_nat"]
    if phone["phone_parameters.X"] is None:
        del own["phone_parameters"]["X"]
    if phone["phone_parameters.A/B/C"] is None:
        del own["phone_parameters"]["A"]
    for name in ("phone_lines", "phone_parameters"):
        if not own[name]:
            del own[name]
    return variables | {name: value for name, value in own.items() if value is not None}


@given(st.lists(phones, min_size=1, max_size=4), st.sampled_from(",;\t"))
def test_csv_json_and_sqlite_give_the_same_phones(tmp_path_factory, several, delimiter):
    folder = tmp_path_factory.mktemp("rows")
    names = ["phone_mac", *COLUMNS]
    rows = [[json.dumps(phone[name]) if isinstance(phone[name], dict) else phone[name] for name in names] for phone in several]
    buffer = io.StringIO(newline="")
    csv.writer(buffer, delimiter=delimiter).writerows([names, *rows])
    (folder / "phones.csv").write_text(buffer.getvalue(), encoding="utf-8", newline="")
    (folder / "phones.jsonl").write_text("".join(json.dumps(phone) + "\n" for phone in several))
    paths = [str(folder / "phones.csv"), str(folder / "phones.jsonl"), database(folder / "phones.db", names, rows)]
    expected = [(phone["name"] or phone["phone_mac"], meant(phone), "") for phone in several]
    for path in paths:
        assert [(row.name, row.variables, row.problem) for row in PhoneRows(path, groups=GROUPED)] == expected


@given(
    st.sampled_from(["phones.csv", "phones.jsonl", "phones.db"]),
    st.binary(max_size=60) | st.text('phone_mac,;"{}[]:\n\r\0\x851.', max_size=60).map(str.encode),
)
def test_any_text_gives_rows_or_an_error(tmp_path_factory, name, content):
    path = tmp_path_factory.mktemp("rows") / name
    for start in (b"", b"phone_mac,phone_lines\n", b"SQLite format 3\0"):
        path.write_bytes(start + content)
        reason, found = "", []
        try:
            found = list(PhoneRows(str(path)))
        except RowsError as error:
            reason = str(error)
        assert (reason or str(path)).startswith(str(path))
        assert all(row.where.startswith(name) for row in found)
