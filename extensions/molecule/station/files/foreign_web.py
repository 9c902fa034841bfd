# SPDX-License-Identifier: GPL-3.0-or-later
"""Serve a folder by HTTP and HTTPS with Python's own server; HTTPS requires a client certificate. foreign_web.py FOLDER"""

import http.server
import ssl
import sys
import threading
from functools import partial


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serve HTTP/1.0, the default of http.server."""

    def log_request(self, code="-", size="-"):
        shown = self.connection.getpeercert() if isinstance(self.connection, ssl.SSLSocket) else {}
        subject = "/".join(value for part in shown.get("subject", ()) for _name, value in part)
        print(int(code), self.path, subject or "-", self.headers.get("User-Agent", "-"), flush=True)


def main():
    folder = sys.argv[1]
    handler = partial(Handler, directory=f"{folder}/http")
    plain = http.server.ThreadingHTTPServer(("198.18.9.1", 80), handler)
    secured = http.server.ThreadingHTTPServer(("198.18.9.1", 443), handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{folder}/server.pem", f"{folder}/server.key")
    context.load_verify_locations(f"{folder}/maker.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    secured.socket = context.wrap_socket(secured.socket, server_side=True)
    threading.Thread(target=plain.serve_forever, daemon=True).start()
    secured.serve_forever()


if __name__ == "__main__":
    main()
