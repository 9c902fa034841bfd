# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keep lines of inventory files out of errors and warnings; file, line and column stay."""

from __future__ import annotations

DOCUMENTATION = r"""
name: hide_source_lines
type: aggregate
short_description: Name the place of an error without quoting the file
description:
  - When a variable cannot be templated or a key is defined twice, Ansible quotes the offending line and the two before it.
    In an inventory, these lines may contain other phones' passwords in clear text.
  - With this plugin, Ansible names only file, line and column. It never quotes files that are encrypted with Ansible Vault.
  - The collection's playbooks load the plugin themselves. For your own playbooks, add it to C(callbacks_enabled) in C(ansible.cfg).
  - To turn it off, set the extra variable or play variable C(preprovision_no_log) to false.
  - Errors that Ansible finds in inventory files before a play begins still quote them.
  - ansible-core has no public interface for this. The plugin is tested with 2.19, 2.20 and 2.21. When it starts, it checks that
    lines are hidden. It warns once if the release is another one or the check fails; the play goes on in both cases.
version_added: 0.1.0
author:
  - voip.preprovision contributors (@voip-preprovision)
"""

import contextlib
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.callback import CallbackBase
from ansible.release import __version__ as CORE

try:
    from ansible._internal._datatag._tags import Origin
    from ansible._internal._errors._error_utils import RedactAnnotatedSourceContext, SourceContext
except ImportError:
    Origin = RedactAnnotatedSourceContext = SourceContext = None

SWITCH = "preprovision_no_log"
TESTED = ("2.19", "2.20", "2.21")
"""The release series of ansible-core that the tests run with."""

# What a release may raise whose internals differ from those of the tested ones
UNEXPECTED = (AttributeError, LookupError, TypeError, ValueError)


class CallbackModule(CallbackBase):
    """Hides source lines in this process; tasks run in processes forked from it, so they hide them too."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "voip.preprovision.hide_source_lines"

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._redaction: Any = None
        self._works = SourceContext is not None and self._begin()
        # Ansible shows equal warnings once, even if the plugin is loaded twice
        if not self._works:
            self._display.warning(
                f"hide_source_lines does not work with ansible-core {CORE}: errors may quote lines of files."
                " Keep secrets in a vault."
            )
        elif ".".join(CORE.split(".")[:2]) not in TESTED:
            self._display.warning(
                f"hide_source_lines is tested with ansible-core {', '.join(TESTED)}, not with {CORE}."
                " It hid a line in its own check; still, read errors before you pass them on."
            )

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Follow the switch, which may be set for one play."""
        variables = play.get_variable_manager().get_vars(play=play, include_hostvars=False)
        wanted = True
        with contextlib.suppress(TypeError):
            wanted = boolean(variables.get(SWITCH, True))
        if self._works:
            self._hide(wanted)

    def _begin(self) -> bool:
        """Begin to hide; return whether an error at this file's first line now names the place and nothing of the line."""
        try:
            self._hide(True)
            shown = str(SourceContext.from_value(Origin(path=__file__, line_num=1, col_num=3)))
        except UNEXPECTED:
            shown = ""
        if f"{__file__}:1:3" in shown and "SPDX" not in shown:
            return True
        with contextlib.suppress(*UNEXPECTED):
            self._hide(False)
        return False

    def _hide(self, wanted: bool) -> None:
        if wanted == (self._redaction is not None):
            return
        if wanted:
            self._original = vars(SourceContext)["from_value"]
            self._redaction = RedactAnnotatedSourceContext()
            self._redaction.__enter__()
            SourceContext.from_value = self._locate
        else:
            SourceContext.from_value = self._original
            redaction, self._redaction = self._redaction, None
            redaction.__exit__(None, None, None)

    def _locate(self, value: Any) -> Any:
        """Return the place of *value* alone, or None; redaction without this would print a note in place of lines each time."""
        origin = value if isinstance(value, Origin) else Origin.get_tag(value)
        return SourceContext.error(None, origin) if origin else None
