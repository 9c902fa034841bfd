# SPDX-License-Identifier: GPL-3.0-or-later
"""Log in to one server's board, and go on at another: session.py NAME PASSWORD FIRST SECOND (private addresses)."""

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


def main() -> None:
    """Log in, and look at the board of the other server."""
    name, password, first, second = sys.argv[1:]
    _status, cookie, page = ask(first, "GET", "/board/login")
    token = re.search(r'name="token" value="([^"]+)"', page)
    check(token is not None, page)
    fields = {"token": token[1] if token else "", "then": "", "name": name, "password": password}
    status, cookie, page = ask(first, "POST", "/board/login", cookie, fields)
    check(status == 303, (status, page))
    status, _same, page = ask(second, "GET", "/board/")
    check(status == 303, (status, page))
    for address in (first, second):
        status, _same, page = ask(address, "GET", "/board/", cookie)
        check(status == 200, (address, status, page))
    login = base64.b64encode(f"{name}:{password}".encode()).decode()
    keys = {ask(address, "GET", "/api/manifest.pem", login=login)[2] for address in (first, second)}
    check(len(keys) == 1 and min(keys).startswith("-----BEGIN PUBLIC KEY-----"), keys)
    print("the session goes on at the other server")


main()
