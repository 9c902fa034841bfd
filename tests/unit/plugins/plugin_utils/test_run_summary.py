# SPDX-License-Identifier: GPL-3.0-or-later
"""A few lines say what a run did."""

from __future__ import annotations

import pytest

from ansible_collections.voip.preprovision.plugins.plugin_utils.run_summary import (
    MAX_DETAILS,
    Section,
    describe_changes,
    describe_section,
)


def describe(section, *hosts):
    return list(describe_section(section, hosts or ("station",)))


@pytest.mark.parametrize(
    ("section", "line"),
    [
        (Section("bench", True, has_run=True), "  bench            ok"),
        (Section("packet_capture", True), "  packet_capture   skipped"),
        (Section("bench", True, has_run=True, failed=["station"]), "  bench            failed"),
        (Section("phones_of_another", True, has_run=True), "  phones_of_another ok"),
    ],
)
def test_a_role_has_one_line(section, line):
    assert describe(section) == [line]


def test_a_task_that_changed_nothing_has_no_line():
    assert describe(Section("Check the machine", False, has_run=True)) == []


def test_a_change_names_the_task_and_what_it_changed():
    section = Section("dhcp_server", True, has_run=True)
    section.add_change("Configure and run it", "station", ["wrote /etc/dhcp/dhcpd.conf", "restarted it: it runs\nwith another"])
    section.add_change("Install it", "station", [])
    assert describe(section) == [
        "  dhcp_server      2 changed",
        "    Configure and run it",
        "      wrote /etc/dhcp/dhcpd.conf",
        "      restarted it: it runs",
        "    Install it",
    ]


def test_a_change_outside_of_roles_has_one_line():
    section = Section("Record the host's state", False, has_run=True)
    section.add_change("Record the host's state", "station", [])
    assert describe(section) == ["  Record the host's state: changed"]


def test_hosts_are_named_where_they_differ():
    section = Section("bench", True, has_run=True, failed=["b"])
    section.add_change("Install", "a", ["wrote /x", "wrote /y"])
    section.add_change("Install", "b", ["wrote /x"])
    section.add_change("Start", "b", ["started y"])
    assert describe(section, "a", "b") == [
        "  bench            failed (b)",
        "    Install",
        "      wrote /x",
        "      wrote /y (a)",
        "    Start (b)",
        "      started y",
    ]


def test_a_long_list_is_cut_and_counted():
    section = Section("bench", True, has_run=True)
    section.add_change("Install", "station", [f"wrote /{number}" for number in range(MAX_DETAILS + 3)])
    assert describe(section)[-2:] == [f"      wrote /{MAX_DETAILS - 1}", "      and 3 more; -v shows all"]


@pytest.mark.parametrize(
    ("changed", "is_prediction", "line"),
    [
        (["bench", "dhcp_server", "bench"], False, "Changed: bench, dhcp_server"),
        (["bench"], True, "Would change: bench"),
        ([], False, "Nothing changed."),
        ([], True, "Nothing would change."),
    ],
)
def test_the_end_names_what_changed(changed, is_prediction, line):
    assert describe_changes(changed, is_prediction) == line
