# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Errors name file, line and column, and quote nothing of the file."""

from __future__ import annotations

DOCUMENTATION = r"""
name: hide_source_lines
type: aggregate
short_description: Let errors and warnings name lines of files, not quote them
description:
  - When a variable cannot be templated, or a key is there twice, Ansible quotes the line that it comes from and the two before it.
    In an inventory these may hold passwords of other phones in the clear.
  - With this plugin it names file, line and column alone. Files that are encrypted with Ansible Vault it never quotes anyway.
  - The collection's playbooks load it by themselves. For your own ones, name it in C(callbacks_enabled) of C(ansible.cfg).
  - The extra variable or variable of a play C(preprovision_no_log), when false, turns it off.
  - What Ansible finds wrong while it reads the inventory's own files, before a play begins, it quotes all the same.
version_added: 0.1.0
author:
  - voip.preprovision contributors (@voip-preprovision)
"""

import contextlib
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.callback import CallbackBase

try:
    from ansible._internal._datatag._tags import Origin
    from ansible._internal._errors._error_utils import RedactAnnotatedSourceContext, SourceContext
except ImportError:
    SourceContext = None

SWITCH = "preprovision_no_log"


class CallbackModule(CallbackBase):
    """Tasks run in processes that are forked off this one, and take over what is set here."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "voip.preprovision.hide_source_lines"

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._redaction: Any = None
        if SourceContext is None:
            self._display.warning("This release of Ansible always quotes lines of files in errors; keep secrets in a vault.")
        self._hide(True)

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Follow the switch, which may be set for one play."""
        variables = play.get_variable_manager().get_vars(play=play, include_hostvars=False)
        wanted = True
        with contextlib.suppress(TypeError):
            wanted = boolean(variables.get(SWITCH, True))
        self._hide(wanted)

    def _hide(self, wanted: bool) -> None:
        if SourceContext is None or wanted == (self._redaction is not None):
            return
        if wanted:
            self._redaction = RedactAnnotatedSourceContext()
            self._redaction.__enter__()
            self._quote = SourceContext.from_value
            SourceContext.from_value = self._locate
        else:
            SourceContext.from_value = self._quote
            self._redaction.__exit__(None, None, None)
            self._redaction = None

    def _locate(self, value: Any) -> Any:
        """Redaction alone would hide the place too."""
        origin = value if isinstance(value, Origin) else Origin.get_tag(value)
        return SourceContext.from_origin(origin) if origin else self._quote(value)
