# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait until a server has said for a while that its pair is whole: whole.py SECONDS; prints since when, in seconds since 1970.

A fault is noticed only after some seconds.
"""

import json
import socket
import sys
import time

SOCKET = "/run/kea/kea4-ctrl-socket"
WHOLE = ("hot-standby", "hot-standby", False)
STEADY = 8  # seconds


def states():
    """Return this server's state and its partner's."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(SOCKET)
        connection.sendall(b'{"command": "status-get"}')
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    (pair,) = json.loads(answer)["arguments"]["high-availability"]
    servers = pair["ha-servers"]
    remote = servers["remote"]
    return servers["local"]["state"], remote.get("last-state"), remote.get("communication-interrupted", False)


def main():
    end, since, said = time.monotonic() + float(sys.argv[1]), 0.0, ""
    while time.monotonic() < end:
        try:
            said = states()
        except (OSError, KeyError, ValueError) as error:
            said = repr(error)
        since = (since or time.time()) if said == WHOLE else 0.0
        if since and time.time() - since > STEADY:
            print(since)
            return 0
        time.sleep(0.25)
    print(said, file=sys.stderr)
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
