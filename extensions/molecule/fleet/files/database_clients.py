# SPDX-License-Identifier: GPL-3.0-or-later
"""Resync phones all the time, as many at once as given, and print how that went, as JSON.

    database_clients.py ADDRESS SECONDS THREADS

Runs on a provisioning server, with the standard library only. A phone waits up to ten seconds for its profile and comes again.
A file /run/database-clients.stop that is made later ends it.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
from collections import Counter
from pathlib import Path

STOP = Path("/run/database-clients.stop")
TIMEOUT = 10
PAUSE = 0.2


class Phones:
    """Phones that resync one after the other."""

    def __init__(self, address: str, end: float) -> None:
        self.address = address
        self.end = end
        self.answers: Counter[str] = Counter()
        self.longest = 0.0
        self.failures: list[tuple[float, str]] = []
        self.lock = threading.Lock()

    def run(self, first: int) -> None:
        """Resync until the end."""
        number = first
        while time.time() < self.end and not STOP.exists():
            number = (number + 1) % 200
            self.resync(number)
            time.sleep(PAUSE)

    def resync(self, number: int) -> None:
        """Fetch one phone's profile."""
        began = time.time()
        connection = http.client.HTTPConnection(self.address, timeout=TIMEOUT)
        try:
            connection.request("GET", f"/live/00005e0053{number:02x}.cfg")
            response = connection.getresponse()
            body = response.read()
            answer = str(response.status) if body or response.status != 200 else "empty"
        except OSError as error:
            answer = type(error).__name__
        finally:
            connection.close()
        took = time.time() - began
        with self.lock:
            self.answers[answer] += 1
            self.longest = max(self.longest, took)
            if answer != "200":
                self.failures.append((round(began, 1), answer))


def main() -> None:
    """Run all phones."""
    address, seconds, threads = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
    STOP.unlink(missing_ok=True)
    phones = Phones(address, time.time() + seconds)
    started = [threading.Thread(target=phones.run, args=(number * 200 // threads,)) for number in range(threads)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    print(json.dumps({"answers": phones.answers, "longest": round(phones.longest, 2), "failures": phones.failures[:20]}))


if __name__ == "__main__":
    main()
