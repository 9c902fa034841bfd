# SPDX-License-Identifier: GPL-3.0-or-later
"""Have ansible-playbook load what each of many command lines names, and list its tasks.

One process forks for each: Ansible's own start costs more than the rest.
Standard input: a JSON list of lists of words. Standard output: a JSON list of [status, output].
"""

from __future__ import annotations

import json
import os
import sys
import tempfile

from ansible.cli.playbook import PlaybookCLI


def list_tasks(words: list[str]) -> tuple[int, str]:
    """Return the status and the output of a command line with ``--list-tasks``, run in a process of its own."""
    with tempfile.TemporaryFile("w+") as output:
        child = os.fork()
        if not child:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
            try:
                PlaybookCLI.cli_executor([*words, "--list-tasks"])
            except SystemExit as ended:
                sys.stdout.flush()
                os._exit(ended.code if isinstance(ended.code, int) else 1)
            os._exit(99)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        output.seek(0)
        return status, output.read()


if __name__ == "__main__":
    json.dump([list_tasks(words) for words in json.load(sys.stdin)], sys.stdout)
