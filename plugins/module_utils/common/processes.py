# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Start other programs: the only place in the domain code that does.

Modules of Ansible have AnsibleModule.run_command for that. The domain code also runs in services on a station, where there
is no module, and needs time limits and the rights of other users, which run_command does not offer.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from typing import Any, Literal, overload


@overload
def run_program(
    command: Sequence[str],
    *,
    text: Literal[True],
    data: str | None = None,
    timeout: float | None = None,
    env: Mapping[str, str] | None = None,
    **options: Any,
) -> subprocess.CompletedProcess[str]: ...


@overload
def run_program(
    command: Sequence[str],
    *,
    text: Literal[False] = False,
    data: bytes | None = None,
    timeout: float | None = None,
    env: Mapping[str, str] | None = None,
    **options: Any,
) -> subprocess.CompletedProcess[bytes]: ...


def run_program(command: Sequence[str], *, text: bool = False, data: str | bytes | None = None, **options: Any) -> Any:
    """Run a program to its end and return its status and what it printed; *data* is its whole standard input.

    Its output is captured unless *options*, which are those of subprocess.run, say otherwise. The caller judges its status.
    Raise OSError if it cannot be started, and subprocess.TimeoutExpired after *timeout* seconds.
    """
    # Never the caller's own input: Ansible sends a module its parameters there
    options |= {"stdin": subprocess.DEVNULL} if data is None else {"input": data}
    if not {"stdout", "stderr"} & options.keys():
        options["capture_output"] = True
    return subprocess.run(command, text=text, check=False, **options)
