# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Connect to a test machine by entering the namespaces of its PID 1, with pipelining; as cheap as a persistent SSH connection."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection import ConnectionBase

DOCUMENTATION = """
name: machine
short_description: Work on a test machine
description:
  - Runs commands in a container booted by C(tests/machines/machine).
author:
  - voip.preprovision contributors (@voip-preprovision)
options:
  remote_addr:
    description: Name of the machine.
    default: inventory_hostname
    vars:
      - name: inventory_hostname
      - name: ansible_host
"""


# podman exec would do, but takes longer to start than most modules take to run
PID_FILE = "/run/preprovision-machine-{}.pid"
ENVIRONMENT = ("env", "--ignore-environment", "HOME=/root", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")


class Connection(ConnectionBase):
    """Run commands with nsenter, in the environment of a fresh login."""

    transport = "machine"
    has_pipelining = True

    def _connect(self) -> Connection:
        return self

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        """Run *cmd* with *in_data* on its standard input."""
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        name = self.get_option("remote_addr")
        argv = ["nsenter", "--target", self._init(name), "--all", *ENVIRONMENT, "/bin/sh", "-c", cmd]
        done = subprocess.run(argv, input=in_data or b"", capture_output=True, check=False)
        return done.returncode, done.stdout, done.stderr

    def _init(self, name: str) -> str:
        try:
            init = Path(PID_FILE.format(name)).read_text().strip()
            # The PID of a removed machine may now belong to another process of the host
            found = Path(f"/proc/{init}/root/etc/hostname").read_text().strip()
        except OSError:
            found = ""
        if found != name:
            raise AnsibleConnectionFailure(f"{name} is not running; boot it: tests/machines/machine up {name} RELEASE")
        return init

    def put_file(self, in_path: str, out_path: str) -> None:
        """Copy a file to the machine."""
        super().put_file(in_path, out_path)
        self._copied(*self.exec_command(f"cat > {shlex.quote(out_path)}", Path(in_path).read_bytes()))

    def fetch_file(self, in_path: str, out_path: str) -> None:
        """Copy a file from the machine."""
        super().fetch_file(in_path, out_path)
        Path(out_path).write_bytes(self._copied(*self.exec_command(f"cat {shlex.quote(in_path)}")))

    def _copied(self, status: int, output: bytes, errors: bytes) -> bytes:
        if status:
            raise AnsibleConnectionFailure(f"{self.get_option('remote_addr')}: {errors.decode(errors='replace')}")
        return output

    def close(self) -> None:
        """Do nothing; no connection is kept open."""
