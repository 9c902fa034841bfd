# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetch all published files from every address of a name, and compare them: same.py NAME ADDRESS... <paths.

Prints what differs and ends with 1, or the number of files. A phone that comes to another server with the ETag that the first one
gave it must get 304, and every address must show the same certificate.
"""

from __future__ import annotations

import hashlib
import http.client
import ssl
import sys

Answer = tuple[int, str, str, str]


def connect(address: str) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(address, 80, timeout=10)


def fetch(connection: http.client.HTTPConnection, name: str, path: str, etag: str = "") -> Answer:
    """Return status, ETag, date and digest of a file."""
    connection.request("GET", path, headers={"Host": name} | ({"If-None-Match": etag} if etag else {}))
    answer = connection.getresponse()
    digest = hashlib.sha256(answer.read()).hexdigest()
    return answer.status, answer.getheader("ETag", ""), answer.getheader("Last-Modified", ""), digest


def compare(name: str, addresses: list[str], paths: list[str]) -> list[str]:
    """Return what differs."""
    found = []
    connections = [connect(address) for address in addresses]
    for path in paths:
        answers = [fetch(connection, name, path) for connection in connections]
        if len(set(answers)) != 1 or answers[0][0] != 200 or not answers[0][1]:
            found.append(f"{path}: {answers}")
            continue
        again = {fetch(connection, name, path, answers[0][1])[0] for connection in connections}
        if again != {304}:
            found.append(f"{path}: {again} for a file that the phone has")
    certificates = {ssl.get_server_certificate((address, 443), timeout=10) for address in addresses}
    if len(certificates) != 1:
        found.append(f"{len(certificates)} certificates")
    return found


def main() -> None:
    """Compare, and report."""
    name, *addresses = sys.argv[1:]
    paths = sys.stdin.read().split()
    found = compare(name, addresses, paths)
    print("\n".join(found) or f"{len(paths)} files are the same from {len(addresses)} addresses")
    sys.exit(1 if found or not paths else 0)


main()
