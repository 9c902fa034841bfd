# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Talk to kea-dhcp4 by its control socket: let it check its configuration file, and serve by it without a restart.

    python3 -m preprovision.dhcp.kea_control FILE

Source: the Kea Administrator Reference Manual, "Management API". A command is one JSON object, and so is the answer, after which
Kea closes the connection. Only who may enter the socket's folder reaches it: root, and Kea itself.
"""

from __future__ import annotations

import json
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .kea_paths import SOCKET

SECONDS = 30
"""A configuration with 40,000 known phones takes 5."""


class KeaError(Exception):
    """Kea refuses a command or does not answer; the message is one sentence."""


def command(name: str, arguments: Mapping[str, Any] | None = None, path: str = SOCKET, seconds: float = SECONDS) -> dict[str, Any]:
    """Return Kea's answer to a command; raise KeaError unless it has succeeded within *seconds*."""
    asked = {"command": name, **({"arguments": arguments} if arguments is not None else {})}
    end, parts = time.monotonic() + seconds, []
    try:
        with socket.socket(socket.AF_UNIX) as opened:
            opened.settimeout(seconds)
            opened.connect(path)
            opened.sendall(json.dumps(asked).encode())
            while part := opened.recv(1 << 16):
                parts.append(part)
                opened.settimeout(max(0.001, end - time.monotonic()))
        answer: dict[str, Any] = json.loads(b"".join(parts))
        result, text = answer["result"], str(answer.get("text", ""))
    except TimeoutError as error:
        raise KeaError(
            f"Kea does not answer {name} at {path} within {seconds:g} seconds; it goes on as it was configured"
        ) from error
    except OSError as error:
        raise KeaError(f"Kea cannot be asked at {path}: {error.strerror}; it goes on as it was configured") from error
    except (ValueError, KeyError, TypeError) as error:
        raise KeaError(
            f"Kea answers {name} at {path} with something else than a result; it goes on as it was configured"
        ) from error
    if result != 0:
        raise KeaError(f"Kea refuses {name}: {text}")
    return answer


def reload(file: str, path: str = SOCKET) -> None:
    """Let Kea check the configuration *file*, and serve by it only if that succeeds; raise KeaError and OSError."""
    command("config-test", json.loads(Path(file).read_text()), path)
    command("config-reload", path=path)


def main(arguments: Sequence[str]) -> int:
    """Reload, and say in one sentence why not."""
    try:
        reload(arguments[0])
    except KeaError as error:
        sys.stderr.write(f"<3>{error}\n")
        return 1
    except (OSError, ValueError) as error:
        sys.stderr.write(f"<3>{arguments[0]} cannot be read: {error}; Kea goes on as it was configured\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
