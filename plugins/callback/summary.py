# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Show a run in few lines: a line for each role, what changed, what failed, and messages."""

from __future__ import annotations

DOCUMENTATION = r"""
name: summary
type: stdout
short_description: Show a line for each role, and what changed or failed
description:
  - Prints one line for each role of a play, with the tasks that changed something and, if a module returns a list C(changes), what
    they changed.
  - Errors, warnings, differences (C(--diff)) and the messages of M(ansible.builtin.debug) are printed in full. Tasks that changed
    nothing or were skipped are not.
  - With C(-v), prints everything, exactly as P(ansible.builtin.default#callback).
  - Choose it with C(stdout_callback = voip.preprovision.summary) in the section C([defaults]) of C(ansible.cfg), or for one run in
    the environment, with C(ANSIBLE_STDOUT_CALLBACK=voip.preprovision.summary). A playbook cannot choose it.
version_added: 0.1.0
author:
  - voip.preprovision contributors (@voip-preprovision)
extends_documentation_fragment:
  - default_callback
  - result_format_callback
requirements:
  - Set as C(stdout_callback) in the configuration.
notes:
  - O(display_ok_hosts) and O(display_skipped_hosts) count with C(-v) only.
"""

from typing import Any

from ansible import constants as C
from ansible import context
from ansible.playbook.task_include import TaskInclude
from ansible.plugins.callback.default import CallbackModule as DefaultCallback

from ..plugin_utils.run_summary import Section, describe_changes, describe_section

NO_HOSTS = "all:!all"
"""Pattern of plays for a kind of hosts that the inventory does not have."""


class CallbackModule(DefaultCallback):
    """The default callback, less what needs nobody's attention."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "voip.preprovision.summary"

    def __init__(self) -> None:
        super().__init__()
        self._quiet = self._display.verbosity == 0
        self._hosts: dict[str, None] = {}
        self._section: Section | None = None
        self._key: object = None
        self._title = ""
        self._had_tasks = False
        self._changed: list[str] = []
        self._last_message: str | None = None

    def set_options(self, *args: Any, **options: Any) -> None:
        """Take the options; with those of quiet runs, a task's banner is printed only before an error or a difference."""
        super().set_options(*args, **options)
        if self._quiet:
            self.set_option("display_ok_hosts", False)
            self.set_option("display_skipped_hosts", False)

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Begin a play."""
        if not self._quiet:
            super().v2_playbook_on_play_start(play)
            return
        self._end_section()
        self._play, self._hosts = play, {}
        self._title = f"\n{play.get_name().strip()}{' (check mode)' if play.check_mode else ''}"

    def v2_playbook_on_no_hosts_matched(self) -> None:
        """Name a play without hosts, but not one for a kind of hosts that the inventory does not have."""
        if self._quiet and NO_HOSTS in self._play.hosts:
            return
        self._show_title()
        super().v2_playbook_on_no_hosts_matched()

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        """Begin a task."""
        self._begin_task(task)
        super().v2_playbook_on_task_start(task, is_conditional)

    def v2_playbook_on_handler_task_start(self, task: Any) -> None:
        """Begin a handler."""
        self._begin_task(task)
        super().v2_playbook_on_handler_task_start(task)

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        """Count the play's hosts."""
        self._hosts[host.get_name()] = None
        super().v2_runner_on_start(host, task)

    def v2_runner_on_ok(self, result: Any) -> None:
        """Record what a task changed, and print its message."""
        if not self._quiet:
            super().v2_runner_on_ok(result)
        elif not isinstance(result.task, TaskInclude):
            self._show(result)
            self._record(result)

    def v2_runner_item_on_ok(self, result: Any) -> None:
        """Print an item's message."""
        if not self._quiet:
            super().v2_runner_item_on_ok(result)
        elif not isinstance(result.task, TaskInclude):
            self._show(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Print an error in full."""
        if self._section and not ignore_errors:
            self._section.failed.append(result.host.get_name())
        super().v2_runner_on_failed(result, ignore_errors)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """Print an error in full."""
        if self._section and not result.task.ignore_unreachable:
            self._section.failed.append(result.host.get_name())
        super().v2_runner_on_unreachable(result)

    def v2_runner_retry(self, result: Any) -> None:
        """Print nothing: the last attempt tells."""
        if not self._quiet:
            super().v2_runner_retry(result)

    def v2_playbook_on_include(self, included_file: Any) -> None:
        """Print nothing."""
        if not self._quiet:
            super().v2_playbook_on_include(included_file)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Print what changed, and the counts of each host."""
        if self._quiet:
            self._end_section()
            if not self._had_tasks:
                self._display.display(
                    "\nNo host matched; hosts belong to the groups stations, provisioning_servers and database_servers."
                )
            self._display.display("\n" + describe_changes(self._changed, bool(context.CLIARGS["check"])))
        super().v2_playbook_on_stats(stats)

    def _begin_task(self, task: Any) -> None:
        """End the section before, unless the task is of the same role."""
        self._had_tasks = True
        self._show_title()
        role = task._role
        # Not one that a task includes, such as to check variables
        listed = role is not None and not role.from_include
        key = role if listed else task._uuid
        if self._quiet and key != self._key:
            self._end_section()
            self._key = key
            title = role.get_name().rpartition(".")[2] if listed else task.get_name().strip().rpartition(" : ")[2]
            self._section = Section(title, listed)

    def _show_title(self) -> None:
        title, self._title = self._title, ""
        if title:
            self._display.display(title)

    def _end_section(self) -> None:
        section, self._section, self._key = self._section, None, None
        if not section:
            return
        color = C.COLOR_ERROR if section.failed else C.COLOR_CHANGED if section.changed else C.COLOR_OK
        for line in describe_section(section, self._hosts):
            self._display.display(line, color=color)
        if section.changed:
            self._changed.append(section.title)

    def _record(self, result: Any) -> None:
        if not self._section:
            return
        self._section.has_run = True
        found = [result.result, *(item for item in result.result.get("results", ()) if isinstance(item, dict))]
        if result.result.get("changed", False):
            details = [str(line) for part in found if isinstance(part.get("changes"), list) for line in part["changes"]]
            name = result.task.get_name().strip().rpartition(" : ")[2]
            self._section.add_change(name, result.host.get_name(), details)

    def _show(self, result: Any) -> None:
        """Print warnings, and the message of a task that asks for it to be printed always, as ansible.builtin.debug does."""
        self._handle_warnings_and_exception(result)
        if not result.result.get("_ansible_verbose_always", False) or "results" in result.result:
            return
        self._clean_results(result.result, result.task.action)
        message = result.result.get("msg")
        lines = message if isinstance(message, list) else [message]
        plain = all(isinstance(line, (str, int, float)) for line in lines)
        text = "\n".join(map(str, lines)) if plain else self._dump_results(result.result).strip("\n")
        if self._last_message != result.task._uuid:
            self._display.display("")
        self._last_message = result.task._uuid
        self._display.display(f"{result.host.get_name()}:\n{text}" if len(self._hosts) > 1 else text)
