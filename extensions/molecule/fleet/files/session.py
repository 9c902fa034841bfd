# SPDX-License-Identifier: GPL-3.0-or-later
"""Log in to one server's board, and go on at another one.

    session.py login NAME PASSWORD ADDRESS OTHER
    session.py go_on COOKIE ADDRESS

ADDRESS is a private address of the server to ask. ``login`` prints the session's cookie, and makes sure that OTHER lets nobody in
without it and signs with the same key; ``go_on`` looks at the board with the cookie.
"""

from __future__ import annotations

import base64
import http.client
import re
import ssl
import sys
import urllib.parse


def ask(
    address: str, method: str, path: str, cookie: str = "", fields: dict[str, str] | None = None, login: str = ""
) -> tuple[int, str, str]:
    """Return status, the session's cookie and the page."""
    trust = ssl.create_default_context()
    # The address is not that of the certificate; what matters here is the session
    trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection(address, 443, timeout=20, context=trust)
    body = urllib.parse.urlencode(fields) if fields else None
    headers = {"Cookie": cookie} if cookie else {}
    if login:
        headers["Authorization"] = f"Basic {login}"
    if body:
        headers |= {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"https://{address}"}
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    page = answer.read().decode()
    given = re.match(r"[^;]+", answer.getheader("Set-Cookie", ""))
    return answer.status, given[0] if given else cookie, page


def check(is_right: bool, seen: object) -> None:
    """End the program, and print what was seen, if something is not right."""
    if not is_right:
        sys.exit(f"not as expected: {str(seen)[:1000]}")


def log_in(name: str, password: str, address: str, other: str) -> None:
    """Begin a session at a server."""
    _status, cookie, page = ask(address, "GET", "/board/login")
    token = re.search(r'name="token" value="([^"]+)"', page)
    check(token is not None, page)
    fields = {"token": token[1] if token else "", "then": "", "name": name, "password": password}
    status, cookie, page = ask(address, "POST", "/board/login", cookie, fields)
    check(status == 303, (status, page))
    go_on(cookie, address)
    status, _same, page = ask(other, "GET", "/board/")
    check(status == 303, (status, page))
    login = base64.b64encode(f"{name}:{password}".encode()).decode()
    keys = {ask(one, "GET", "/api/manifest.pem", login=login)[2] for one in (address, other)}
    check(len(keys) == 1 and min(keys).startswith("-----BEGIN PUBLIC KEY-----"), keys)
    print(cookie)


def go_on(cookie: str, address: str) -> None:
    """Use a session."""
    status, _same, page = ask(address, "GET", "/board/", cookie)
    check(status == 200, (address, status, page))


{"login": log_in, "go_on": go_on}[sys.argv[1]](*sys.argv[2:])
