# SPDX-License-Identifier: GPL-3.0-or-later
"""Run on a provisioning server, from a network namespace that stands for the Internet: what do its public addresses show?

    public.py PHASE PRIVATE PUBLIC...

PHASE: ``open`` (ports, board, health, the published file while the service is away), ``nat`` (two thousand phones and a guesser
behind one address), ``drained`` or ``closed``. PRIVATE: the address of the board. PUBLIC: the addresses for phones, IPv4 and IPv6.
"""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import datetime
import errno
import http.client
import json
import selectors
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

PHASE, PRIVATE, PUBLIC = sys.argv[1], sys.argv[2], sys.argv[3:]
FOLDER = Path("/etc/preprovision/certificates")
CURRENT = Path("/srv/preprovision/current")
# Of this run
AGENT = f"judge of published files {time.time_ns()}"
UNPUBLISHED = "/service/00005e005301-00000000.cfg"
# What phones need, and a port at which a decoy listens on all addresses
PORTS, DECOY = {80, 443}, 8053
# The scenario's servers serve their own zone
ZONE = {53}
SYSLOG = {514, 6514}
PHONES, GUESSES, SEALED = 2000, 3000, 500
THREADS = 8
# Nobody may see that there is anything
HIDDEN = ("/board", "/board/", "/board/login", "/api/phones", "/api/station", "/board/static/board.css", "/health/x")
# Behind this address they all are, and behind that one nobody guesses
NAT, NEIGHBOUR = "203.0.113.2", "203.0.113.3"
NAT6, NEIGHBOUR6 = "2001:db8:77::2", "2001:db8:78::3"
# Seconds for a log line to reach the journal, on a busy machine
TIMEOUT = 30


class Answer(collections.namedtuple("Answer", "status body headers")):
    """A web server's answer."""


def connect(address: str, tls: bool, source: str | None = None, certificate: str | None = None) -> http.client.HTTPConnection:
    # Nobody listens there if the source is of the other version of IP
    origin = (source, 0) if source else None
    if not tls:
        return http.client.HTTPConnection(address, 80, timeout=20, source_address=origin)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if certificate:
        context.load_cert_chain(certificate)
    return http.client.HTTPSConnection(address, 443, timeout=20, context=context, source_address=origin)


def ask(connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    return Answer(answer.status, answer.read(), dict(answer.getheaders()))


def ask_once(address: str, method: str, path: str, tls: bool = False, body: bytes | None = None, **headers: str) -> Answer:
    with contextlib.closing(connect(address, tls)) as connection:
        return ask(connection, method, path, body, **headers)


def on_server(*command: str) -> str:
    """Run a command in the server's own network."""
    return subprocess.run(["nsenter", "--net=/proc/1/ns/net", *command], check=True, stdout=subprocess.PIPE, text=True).stdout


def open_ports(address: str, ports: Iterator[int]) -> set[int]:
    """Return the TCP ports that accept a connection within two seconds."""
    found: set[int] = set()
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with selectors.DefaultSelector() as selector:
        for port in ports:
            client = socket.socket(family, socket.SOCK_STREAM)
            client.setblocking(False)
            if client.connect_ex((address, port)) == errno.EINPROGRESS:
                selector.register(client, selectors.EVENT_WRITE, port)
        end = time.monotonic() + 2
        while selector.get_map() and time.monotonic() < end:
            for key, _events in selector.select(0.2):
                if not key.fileobj.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    found.add(key.data)
                selector.unregister(key.fileobj)
                key.fileobj.close()
        for key in list(selector.get_map().values()):
            key.fileobj.close()
    return found


def answers_datagram(address: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(1)
        # The answer may come from another address
        client.sendto(b"anybody?", (address, port))
        try:
            return bool(client.recv(10))
        except OSError:
            return False


_DECOY = f"""
import selectors, socket
selector = selectors.DefaultSelector()
tcp = socket.create_server(("::", {DECOY}), family=socket.AF_INET6, dualstack_ipv6=True)
udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
udp.bind(("::", {DECOY}))
print("ready", flush=True)
while True:
    udp.sendto(*udp.recvfrom(100))
"""


@contextlib.contextmanager
def decoy() -> Iterator[None]:
    """Listen at a port of all of the server's addresses, as a program that somebody has installed."""
    command = ["nsenter", "--net=/proc/1/ns/net", "python3", "-c", _DECOY]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        if process.stdout:
            process.stdout.readline()
        try:
            yield
        finally:
            process.terminate()


def try_ports() -> Iterator[str]:
    with decoy():
        if DECOY not in open_ports(PRIVATE, iter([DECOY])) or not answers_datagram(PRIVATE, DECOY):
            yield f"the decoy does not listen at {PRIVATE}, so this test proves nothing"
        for address in PUBLIC:
            ports = open_ports(address, (port for port in [*range(1, 900), 5432, 6514, 8000, 8008, DECOY, 8080]))
            print(f"{address}: open are {sorted(ports)}")
            if not PORTS | ZONE <= ports <= PORTS | ZONE | SYSLOG:
                yield f"{address} has open ports {sorted(ports)}"
            if answers_datagram(address, DECOY):
                yield f"{address} answers by UDP at a port that is not for phones"


def try_syslog() -> Iterator[str]:
    """Log in each way that is open, and look for the line in the file of this sender."""
    for address in PUBLIC:
        source, ports = (NAT6 if ":" in address else NAT), open_ports(address, iter(SYSLOG))
        words = {f"judge {time.time_ns()} by {way}": way for way in ("udp", *(str(port) for port in sorted(ports)))}
        if not ports:
            continue
        for text, way in words.items():
            line = f"<14>{text}".encode()
            if way == "udp":
                with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as client:
                    client.bind((source, 0))
                    client.sendto(line, (address, 514))
                continue
            with contextlib.closing(connect(address, way == "6514", source)) as connection:
                connection.port = int(way)
                connection.connect()
                connection.sock.sendall(line + b"\n")
        log, end = Path(f"/var/log/preprovision/phones/{source}.log"), time.monotonic() + TIMEOUT
        while (missing := [text for text in words if not log.exists() or text not in log.read_text()]) and time.monotonic() < end:
            time.sleep(0.2)
        print(f"{address}: received logs by {', '.join(words.values())}")
        yield from (f"{address}: {log} does not hold {text!r}" for text in missing)


def try_board() -> Iterator[str]:
    for address in PUBLIC:
        for tls in (False, True):
            for method in ("GET", "HEAD", "POST"):
                nothing = ask_once(address, method, "/nothing-is-here/at-all", tls)
                for path in HIDDEN:
                    found = ask_once(address, method, path, tls)
                    differing = found.headers.keys() ^ nothing.headers.keys()
                    if found[:2] != nothing[:2] or differing:
                        yield f"{method} {address}{path}: {found.status} {differing} instead of {nothing.status}"
                if nothing.status != (405 if method == "POST" else 404):
                    yield f"{method} {address}: a path that is not there returned {nothing.status}"
            health = ask_once(address, "GET", "/health", tls)
            if health[:2] != (200, b"ok\n"):
                yield f"{address}: /health returned {health}"
    for path in ("/board/login", "/api/station"):
        answer = ask_once(PRIVATE, "GET", path, tls=True)
        if answer.status not in (200, 401):
            yield f"{PRIVATE}{path} returned {answer.status}"
    if (state := ask_once(PRIVATE, "GET", "/health").headers.get("Preprovision-State")) != "serving":
        yield f"{PRIVATE}/health says {state}"


def try_published() -> Iterator[str]:
    """Stop the service: phones must get the same bytes."""
    path = "/" + min(str(path.relative_to(CURRENT / "open")) for path in (CURRENT / "open/service").glob("*.cfg"))
    live = ask_once(PUBLIC[0], "GET", path)
    if live.status != 200:
        yield f"{path} returned {live.status} by the service"
    on_server("systemctl", "stop", "preprovision-service.socket", "preprovision-service.service")
    try:
        for address in PUBLIC:
            for tls in (False, True):
                sent = ask_once(address, "GET", path, tls, User_Agent=AGENT)
                if sent[:2] != live[:2]:
                    yield f"{address}{path} without the service: {sent.status}, {len(sent.body)} bytes instead of {len(live.body)}"
                again = ask_once(address, "GET", path, tls, If_None_Match=sent.headers.get("ETag", ""))
                head = ask_once(address, "HEAD", path, tls)
                if again[:2] != (304, b"") or head[:2] != (200, b"") or head.headers["Content-Length"] != str(len(live.body)):
                    yield f"{address}{path}: {again.status} for its own ETag, {head.status} for HEAD"
                for method, other in (("POST", path), ("POST", "/report/00005e005301.xml"), ("GET", UNPUBLISHED)):
                    away = ask_once(address, method, other, tls, b"x" if method == "POST" else None)
                    if away.status != 503 or "Retry-After" not in away.headers:
                        yield f"{method} {address}{other}: {away.status} {away.headers}"
                health = ask_once(address, "GET", "/health", tls)
                if health.status != 503 or "Retry-After" not in health.headers or b"database" in health.body:
                    yield f"{address}: /health returned {health}"
    finally:
        on_server("systemctl", "start", "preprovision-service.socket", "preprovision-service.service")
    yield from check_log(path)
    if (answer := ask_once(PUBLIC[0], "GET", path))[:2] != live[:2]:
        yield f"{path} returned {answer.status} after the service had come back"


def check_log(path: str) -> Iterator[str]:
    """The collector takes a line without an upstream for a file that nginx has sent."""
    end = time.monotonic() + TIMEOUT
    lines: list[str] = []
    while not lines and time.monotonic() < end:
        command = ["journalctl", "--quiet", "--output=cat", "--since=-2min", "--unit=nginx", "--grep", AGENT]
        lines = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True).stdout.splitlines()
        time.sleep(0.2)
    records = [json.loads(line[line.index("{") :]) for line in lines]
    if not records or {(record["status"], record["file"], record["upstream"]) for record in records} != {(200, path, "")}:
        yield f"nginx has logged {records[:2]}"


class Fleet:
    """Phones with certificates of a CA that the server knows, and their files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        ca = x509.load_pem_x509_certificate((FOLDER / "bench-ca.pem").read_bytes())
        signer = serialization.load_pem_private_key((FOLDER / "bench-ca.key").read_bytes(), None)
        self.key = ec.generate_private_key(ec.SECP256R1())
        secret = self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        day, now = datetime.timedelta(days=1), datetime.datetime.now(datetime.UTC)
        self.macs = [f"00005e00{number:04x}" for number in range(0x6000, 0x6000 + PHONES)]
        for number, mac in enumerate(self.macs):
            subject = x509.Name([x509.NameAttribute(x509.NameOID.SURNAME, mac)])
            builder = x509.CertificateBuilder(ca.subject, subject, self.key.public_key(), number + 1000, now - day, now + day)
            certificate = builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
            (folder / mac).write_bytes(certificate + secret)

    @contextlib.contextmanager
    def published(self) -> Iterator[None]:
        """Publish a file of each phone for its certificate, and sealed ones, which nobody can guess."""
        device, sealed = CURRENT / "device", CURRENT / "open/judged"
        made = [sealed] if device.exists() else [sealed, device]
        for folder in made:
            folder.mkdir()
            folder.chmod(0o755)
        files = [device / f"{mac}.cfg" for mac in self.macs] + [sealed / f"{mac}-0a1b2c3d.cfg" for mac in self.macs[:SEALED]]
        try:
            for path in files:
                path.write_text(path.name)
                path.chmod(0o644)
            yield
        finally:
            for path in files:
                path.unlink(missing_ok=True)
            for folder in made:
                folder.rmdir()


def guess(address: str, source: str, blocked: threading.Event) -> tuple[collections.Counter[int], list[str]]:
    """Guess names of phones' files in four ways over one connection."""
    statuses: collections.Counter[int] = collections.Counter()
    wrong = []
    with contextlib.closing(connect(address, True, source)) as connection:
        for number in range(GUESSES):
            mac = f"00005e01{number:04x}"
            path = (f"/device/{mac}.cfg", f"/service/{mac}.cfg", f"/customization?mac={mac}&model=ATA192", f"/{mac}/x")[number % 4]
            try:
                status = ask(connection, "GET", path, User_Agent="guesser").status
            except (http.client.HTTPException, OSError):
                connection.close()
                continue
            statuses[status] += 1
            if status == 429:
                blocked.set()
            if status == 200 and "customization" not in path:
                wrong.append(f"the guesser got {path}")
    return statuses, wrong


def fetch_own(fleet: Fleet, address: str, source: str, mac: str) -> int:
    with contextlib.closing(connect(address, True, source, str(fleet.folder / mac))) as connection:
        answer = ask(connection, "GET", f"/device/{mac}.cfg")
        return answer.status if answer.body == f"{mac}.cfg".encode() else -answer.status


def fetch_sealed(address: str, source: str, mac: str) -> int:
    with contextlib.closing(connect(address, False, source)) as connection:
        answer = ask(connection, "GET", f"/judged/{mac}-0a1b2c3d.cfg")
        return answer.status if answer.body == f"{mac}-0a1b2c3d.cfg".encode() else -answer.status


def try_nat() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as name:
        fleet = Fleet(Path(name))
        with fleet.published():
            for address in PUBLIC:
                yield from try_behind(fleet, address, *((NAT6, NEIGHBOUR6) if ":" in address else (NAT, NEIGHBOUR)))


def try_behind(fleet: Fleet, address: str, source: str, neighbour: str) -> Iterator[str]:
    with concurrent.futures.ThreadPoolExecutor(THREADS + 1) as pool:
        blocked = threading.Event()
        guesser = pool.submit(guess, address, source, blocked)
        blocked.wait(TIMEOUT)
        begun = time.monotonic()
        own = collections.Counter(pool.map(lambda mac: fetch_own(fleet, address, source, mac), fleet.macs))
        sealed = collections.Counter(pool.map(lambda mac: fetch_sealed(address, source, mac), fleet.macs[:SEALED]))
        seconds = time.monotonic() - begun
        statuses, wrong = guesser.result()
    print(
        f"{address}: behind one address, {dict(own)} by {PHONES} certificates and {dict(sealed)} by {SEALED} sealed names"
        f" in {seconds:.0f} s; their guesser {dict(sorted(statuses.items()))}"
    )
    yield from wrong
    if own != {200: PHONES} or sealed != {200: SEALED}:
        yield f"{address}: phones behind the guesser's address were refused"
    if not 900 <= statuses.total() - statuses[429] <= 1300:
        yield f"{address}: the guesser was answered {statuses.total() - statuses[429]} times"
    mac = fleet.macs[0]
    # From the blocked address: what proves itself is served, and all else is not
    for path, status in {
        f"/judged/{mac}-0a1b2c3d.cfg": 200,
        "/health": 200,
        f"/judged/{mac}-0a1b2c3e.cfg": 429,
        f"/judged/{mac}.cfg": 429,
        f"/customization?mac={mac}&model=ATA192": 429,
        "/nothing-is-here": 429,
    }.items():
        with contextlib.closing(connect(address, False, source)) as connection:
            if (found := ask(connection, "GET", path).status) != status:
                yield f"{address}{path} returned {found} to a blocked address, expected {status}"
    other = fetch_own(fleet, address, source, fleet.macs[1])
    with contextlib.closing(connect(address, True, source, str(fleet.folder / mac))) as connection:
        foreign = ask(connection, "GET", f"/device/{fleet.macs[1]}.cfg").status
    with contextlib.closing(connect(address, False, neighbour)) as connection:
        outside = ask(connection, "GET", "/nothing-is-here").status
    if (other, foreign, outside) != (200, 403, 404):
        yield f"{address}: own file {other}, another phone's {foreign}, another network {outside}"
    yield from check_report(address, source)


def check_report(address: str, source: str) -> Iterator[str]:
    """The guesser is reported, and its list of caught clients holds nobody else."""
    caught = [path.name.partition(".")[2] for path in Path("/run/preprovision-web/caught").iterdir()]
    network = source if "." in source else "2001:db8:77::"
    if network not in caught or len(set(caught) - {NAT, "2001:db8:77::"}):
        yield f"{address}: caught are {caught}, expected {network}"


def try_drained() -> Iterator[str]:
    for address in PUBLIC:
        for tls in (False, True):
            for method, path in (("GET", "/health"), ("GET", UNPUBLISHED), ("GET", "/"), ("POST", "/report/00005e005301.xml")):
                answer = ask_once(address, method, path, tls, b"x" if method == "POST" else None)
                if answer.status != 503 or not answer.headers.get("Retry-After", "").isdigit():
                    yield f"{method} {address}{path} of a drained server: {answer}"
    yield from check_private("draining")


def try_closed() -> Iterator[str]:
    for address in PUBLIC:
        for port in sorted(PORTS):
            begun = time.monotonic()
            try:
                socket.create_connection((address, port), 5).close()
                yield f"{address} port {port} is open on a closed server"
            except ConnectionRefusedError:
                pass
            except OSError as error:
                yield f"{address} port {port} of a closed server: {error} after {time.monotonic() - begun:.1f} s"
    yield from check_private("closed")


def check_private(state: str) -> Iterator[str]:
    health = ask_once(PRIVATE, "GET", "/health")
    if health.status != 200 or health.headers.get("Preprovision-State") != state:
        yield f"{PRIVATE}/health: {health}, expected {state}"


PHASES = {
    "open": (try_ports, try_syslog, try_board, try_published),
    "nat": (try_nat,),
    "drained": (try_drained,),
    "closed": (try_closed,),
}


def main() -> None:
    wrong = [sentence for judge in PHASES[PHASE] for sentence in judge()]
    print("\n".join(wrong[:50]))
    sys.exit(1 if wrong else 0)


main()
