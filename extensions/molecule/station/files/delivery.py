# SPDX-License-Identifier: GPL-3.0-or-later
"""Run on a station, from a machine on its bench: try to fetch every phone's file with every kind of certificate, and guess names.

Arguments: the station's address and name, the folder of its certificates, the root that has signed the server's certificate, the
number of names to guess per protocol, and the delivery. By certificate, a unit's certificate opens its file; by TFTP, none opens
any. What nginx logs of refused certificates has the causes that the station's code knows.
"""

from __future__ import annotations

import collections
import concurrent.futures
import datetime
import http.client
import itertools
import json
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

sys.path.insert(0, "/usr/local/lib/preprovision-service")
from preprovision_service.domain.events.logs.verify_errors import VerifyFault, fault_of

STATION, NAME, FOLDER, ROOT, COUNT = sys.argv[1], sys.argv[2], Path(sys.argv[3]), sys.argv[4], int(sys.argv[5])
BY_TFTP = sys.argv[6] == "tftp"
OWN, OTHER, UNKNOWN = "00005e005301", "00005e005302", "00005e0053ff"
CURRENT = Path("/srv/preprovision/current")
OWN_FILE = CURRENT / ("units/00-00-5e-00-53-01/ata192.cfg" if BY_TFTP else f"device/{OWN}.cfg")
OTHER_FILE = CURRENT / ("units/00-00-5e-00-53-02/spa504g.cfg" if BY_TFTP else f"device/{OTHER}.cfg")
# By TFTP, nobody gets any unit's file by HTTP
SECRETS = [path.read_bytes() for path in ((OWN_FILE, OTHER_FILE) if BY_TFTP else (OTHER_FILE,))]
# Bench addresses of the guessers, and of a phone that fetches its file meanwhile
HTTP_GUESSER, HTTPS_GUESSER, ESCAPER, PHONE = (f"{STATION.rpartition('.')[0]}.{host}" for host in (11, 12, 13, 10))
# Seconds for a log line to reach the journal, on a busy machine
TIMEOUT = 60
# The machine with the phone's MAC address, which fetches by TFTP
PHONE_NAMESPACE = "unit"

CN, SURNAME, PLACE, UNIT, NUMBER = (
    getattr(x509.NameOID, name) for name in ("COMMON_NAME", "SURNAME", "LOCALITY_NAME", "ORGANIZATIONAL_UNIT_NAME", "SERIAL_NUMBER")
)
# Certificate: its subject, and whether it gives access to OWN's file
SUBJECTS = {
    "right": ([(UNIT, "ATA192"), (PLACE, "FCH0000D001"), (SURNAME, OWN)], True),
    "right, serial like a MAC": ([(UNIT, "SPA-962"), (PLACE, "88012BA01234"), (SURNAME, OWN)], True),
    "right, in capitals": ([(CN, f"CP-8841-SEP{OWN.upper()}")], True),
    "right, with colons": ([(CN, "00:00:5E:00:53:01")], True),
    "right, behind a comma": ([(CN, f"phone, {OWN}")], True),
    "neighbour's": ([(UNIT, "ATA192"), (SURNAME, "00005e005303")], False),
    "generic": ([(CN, "ciscogeneric"), (UNIT, "cisco.com"), (PLACE, "ciscogeneric"), (SURNAME, "ciscogeneric")], False),
    "expired": ([(SURNAME, OWN)], False),
    "not yet valid": ([(SURNAME, OWN)], False),
    "self-made": ([(SURNAME, OWN)], False),
    "tampered": ([(SURNAME, OWN)], False),
    "server's": ([(SURNAME, OWN)], False),
    "unknown CA": ([(SURNAME, OWN)], False),
    "other CA": ([(SURNAME, OWN)], False),
    "own/O=other": ([(CN, f"{OWN}/O={OTHER}")], False),
    "two names": ([(CN, OWN), (CN, OTHER)], False),
    "own, L=other in one value": ([(CN, f"{OWN},L={OTHER}")], False),
    "in a longer number": ([(CN, f"1{OWN}")], False),
    "in an EUI-64": ([(CN, "00:00:5e:00:53:01:00:01")], False),
    "NUL before": ([(CN, "\0" + OWN[2:])], False),
    "NUL and more": ([(CN, f"{OWN}\0{OTHER}")], False),
    "beyond ASCII": ([(CN, f"\u00e9{OWN}")], False),
}
# Certificate -> what is wrong with it
REASONS = {
    "expired": VerifyFault.EXPIRED,
    "not yet valid": VerifyFault.NOT_YET_VALID,
    "self-made": VerifyFault.SELF_SIGNED,
    # Its key is of another kind than that of the CA with the same name
    "other CA": VerifyFault.UNKNOWN_ISSUER,
    "tampered": VerifyFault.WRONG_SIGNATURE,
    "server's": VerifyFault.WRONG_PURPOSE,
    "unknown CA": VerifyFault.UNKNOWN_ISSUER,
    "SHA-1": VerifyFault.WEAK_DIGEST,
    "RSA-1024": VerifyFault.SHORT_KEY,
}
MADE_BY_OPENSSL = {"SHA-1": ("-sha1", "rsa:2048"), "RSA-1024": ("-sha256", "rsa:1024")}
ODD = list(SUBJECTS)[list(SUBJECTS).index("own/O=other") :]


def paths(mac: str) -> list[str]:
    """Return several spellings of one path, all equivalent."""
    escaped = "".join(f"%{ord(letter):02x}" for letter in mac)
    return [f"/device/{mac}.cfg", f"//device//{mac}.cfg", f"/nothing/../device/{mac}.cfg", f"/%64evice/{escaped}.cfg"]


# Path, its owner, and the status for that owner
OWNED = [(path, mac, "404" if BY_TFTP else "200") for mac in (OWN, OTHER, UNKNOWN) for path in paths(mac)]
OWNED += [(f"/device/{mac.upper()}.cfg", mac, "404") for mac in (OWN, OTHER)]
# Path, and the status with any certificate
OPEN = [
    ("/spa504G.cfg", "200"),
    ("/", "403"),
    ("/device/", "403"),
    ("/device/manifest.jsonl", "403"),
    ("/../device/00005e005302.cfg", "400"),
    ("/%2e%2e/device/00005e005302.cfg", "400"),
    ("/units/", "404"),
    ("/units/00-00-5e-00-53-01/ata192.cfg", "404"),
    ("//units//00-00-5e-00-53-02//spa504g.cfg", "404"),
    ("/device/../units/00-00-5e-00-53-01/ata192.cfg", "404"),
    ("/%75nits/00-00-5e-00-53-02/spa504g.cfg", "404"),
    ("/tftp/00-00-5e-00-53-01/ata192.cfg", "404"),
    ("/00-00-5e-00-53-01/ata192.cfg", "404"),
    ("/../units/00-00-5e-00-53-01/ata192.cfg", "400"),
    ("/.refused", "404"),
    ("/.missing", "404"),
]


class Certificates:
    """Make certificates like vendors, careless administrators and thieves."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        (folder / "key.pem").write_bytes(
            self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )
        self.ca = x509.load_pem_x509_certificate((FOLDER / "bench-ca.pem").read_bytes())
        self.ca_key = serialization.load_pem_private_key((FOLDER / "bench-ca.key").read_bytes(), None)

    def make(self, number: int, kind: str) -> list[str]:
        """Return the curl arguments that present a certificate of this kind."""
        if kind in MADE_BY_OPENSSL:
            return self._make_weak(number, *MADE_BY_OPENSSL[kind])
        subject = x509.Name([x509.NameAttribute(oid, value) for oid, value in SUBJECTS[kind][0]])
        day, now = datetime.timedelta(days=1), datetime.datetime.now(datetime.UTC)
        first = {"expired": now - 9 * day, "not yet valid": now + 2 * day}.get(kind, now - day)
        # A thief's CA has the right name
        issuer, key = {"self-made": (subject, self.key), "other CA": (self.ca.subject, self.key)}.get(
            kind, (self.ca.subject, self.ca_key)
        )
        if kind == "unknown CA":
            issuer, key = x509.Name([x509.NameAttribute(CN, "A CA that the station does not know")]), self.key
        builder = x509.CertificateBuilder(issuer, subject, self.key.public_key(), number + 1, first, first + 3 * day)
        if kind == "server's":
            builder = builder.add_extension(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        path = self.folder / f"{number}.pem"
        content = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
        if kind == "tampered":
            # The end of the signature
            content = content[:-1] + bytes([content[-1] ^ 1])
        path.write_text(ssl.DER_cert_to_PEM_cert(content))
        return ["--cert", str(path), "--key", str(self.folder / "key.pem")]

    def _make_weak(self, number: int, digest: str, algorithm: str) -> list[str]:
        path, key, request = (str(self.folder / f"{number}.{ending}") for ending in ("pem", "key", "csr"))
        make = ["req", "-new", "-newkey", algorithm, "-nodes", digest, "-subj", f"/SN={OWN}", "-keyout", key, "-out", request]
        ca = ["-CA", str(FOLDER / "bench-ca.pem"), "-CAkey", str(FOLDER / "bench-ca.key"), "-set_serial", str(number + 1)]
        for command in (make, ["x509", "-req", digest, "-in", request, *ca, "-days", "3", "-out", path]):
            subprocess.run(["openssl", *command], check=True, stderr=subprocess.DEVNULL)
        return ["--cert", path, "--key", key]


def try_reasons() -> list[str]:
    """Request a file with each certificate that is refused; return where nginx's reason is taken for another cause than it is."""
    begun = int(time.time())
    with tempfile.TemporaryDirectory() as name:
        certificates = Certificates(Path(name))
        for number, kind in enumerate(REASONS):
            certificate, key = certificates.make(number, kind)[1::2]
            context = ssl.create_default_context(cafile=ROOT)
            context.check_hostname = False
            # Otherwise this client refuses its own weak certificates
            context.set_ciphers("DEFAULT@SECLEVEL=0")
            context.load_cert_chain(certificate, key)
            connection = http.client.HTTPSConnection(STATION, timeout=20, context=context)
            connection.request("GET", f"/device/{OWN}.cfg", headers={"User-Agent": f"judge of reasons, {kind}"})
            connection.getresponse().read()
            connection.close()
    found: dict[str, VerifyFault | None] = {}
    end = time.monotonic() + TIMEOUT
    while len(found) < len(REASONS) and time.monotonic() < end:
        command = ["journalctl", "--quiet", "--output=cat", f"--since=@{begun}", "--grep", "judge of reasons"]
        lines = subprocess.run(command, stdout=subprocess.PIPE, check=False, text=True).stdout.splitlines()
        events = [json.loads(line[line.index("{") :]) for line in lines]
        found = {event["agent"].partition(", ")[2]: fault_of(event["verify"].partition(":")[2]) for event in events}
        time.sleep(0.2)
    print(f"{len(found)} reasons of nginx:", {kind: fault.name if fault else None for kind, fault in found.items()})
    return [f"{kind}: nginx's reason is read as {found.get(kind)}" for kind in REASONS if found.get(kind) != REASONS[kind]]


def holds_secret(body: bytes) -> bool:
    return any(secret in body for secret in SECRETS)


def fetch(url: str, arguments: list[str], output: Path) -> tuple[str, bytes]:
    """Fetch a URL with curl; return the status and the body."""
    output.unlink(missing_ok=True)
    command = ["curl", "--silent", "--path-as-is", "--max-time", "20", "--output", str(output), "--write-out", "%{http_code}"]
    command += ["--cacert", ROOT, "--resolve", f"{NAME}:443:{STATION}", *arguments, url]
    status = subprocess.run(command, stdout=subprocess.PIPE, check=False).stdout.decode()
    return status, output.read_bytes() if output.exists() else b""


def try_certificates() -> list[str]:
    """Request every path with every certificate; return the failures."""
    wrong: list[str] = []
    counts: collections.Counter[str] = collections.Counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        certificates = Certificates(folder)
        shown = {kind: (certificates.make(number, kind), SUBJECTS[kind][1]) for number, kind in enumerate(SUBJECTS)}
        shown["none"] = ([], False)
        shown["none, forged headers"] = (
            [
                "--header",
                "X-SSL-Client-Verify: SUCCESS",
                "--header",
                f"X-SSL-Client-S-DN: CN={OWN}",
                "--header",
                f"X-Forwarded-For: {OWN}",
            ],
            False,
        )
        cases = []
        for kind, (arguments, opens) in shown.items():
            for path, mac, status in OWNED[:: 2 if kind in ODD else 1]:
                cases.append((kind, arguments, "https", path, status if opens and mac == OWN else "403"))
            if kind not in ODD:
                cases += [(kind, arguments, "https", path, status) for path, status in OPEN]
        for kind in ("none", "none, forged headers"):
            cases += [(kind, shown[kind][0], "http", path, "403") for path, _mac, _status in OWNED]
            cases += [(kind, shown[kind][0], "http", path, status) for path, status in OPEN]

        def answer_to(case: tuple[int, tuple[str, list[str], str, str, str]]) -> tuple[str, str, str, str, str, bytes]:
            number, (kind, arguments, scheme, path, expected) = case
            host = NAME if scheme == "https" else STATION
            return kind, scheme, path, expected, *fetch(f"{scheme}://{host}{path}", arguments, folder / f"answer{number}")

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for kind, scheme, path, expected, status, body in pool.map(answer_to, enumerate(cases)):
                counts[f"{scheme} {status}"] += 1
                if status != expected:
                    wrong.append(f"{kind}: {scheme} {path} returned {status}, expected {expected}")
                if holds_secret(body) or b"Index of" in body:
                    wrong.append(f"{kind}: {scheme} {path} returned another phone's file or a listing")
                if status == "200" and "device" in path and body != OWN_FILE.read_bytes():
                    wrong.append(f"{kind}: {scheme} {path} returned a different file")
    print(f"{len(cases)} requests with {len(shown)} certificates:", dict(sorted(counts.items())))
    return wrong


def guessed_mac(number: int) -> str:
    return f"00005e00{number:04x}"


def guess(scheme: str, source: str, count: int) -> list[str]:
    """Request many phones' files over one connection, without a certificate; return the failures."""
    connection: http.client.HTTPConnection
    if scheme == "https":
        context = ssl.create_default_context(cafile=ROOT)
        context.check_hostname = False
        connection = http.client.HTTPSConnection(STATION, timeout=20, source_address=(source, 0), context=context)
    else:
        connection = http.client.HTTPConnection(STATION, timeout=20, source_address=(source, 0))
    answers: collections.Counter[tuple[str, int, int]] = collections.Counter()
    cut_after, wrong = 0, []
    for index in range(count):
        # Existing phones are among the first
        mac = guessed_mac((0x5300 + index) % 65536)
        for place in ("device", "service"):
            connection.request("GET", f"/{place}/{mac}.cfg", headers={"User-Agent": "guesser"})
            answer = connection.getresponse()
            body = answer.read()
            answers[place, answer.status, len(body)] += 1
            if holds_secret(body) or answer.status == 200:
                wrong.append(f"{scheme}: /{place}/{mac}.cfg was delivered to the guesser")
            if answer.status == 429 and not cut_after:
                cut_after = index + 1
    print(f"{scheme}: {count} MAC addresses guessed, cut off at number {cut_after}:", dict(answers))
    kinds = {(place, status) for place, status, _size in answers}
    if len(answers) != len(kinds) or not kinds <= {("device", 403), ("service", 404), ("device", 429), ("service", 429)}:
        wrong.append(f"{scheme}: known and unknown phones are answered differently: {dict(answers)}")
    if not cut_after:
        wrong.append(f"{scheme}: the guesser was not cut off")
    return wrong


def escaping_names() -> list[str]:
    """Return more than 2,000 names that try to leave the folder."""
    ups = [
        "../",
        "..%2f",
        "%2e%2e/",
        "%2e%2e%2f",
        "..\\",
        "..%5c",
        "%252e%252e%252f",
        "....//",
        "..;/",
        "%c0%ae%c0%ae/",
        "..%00/",
        "/..",
        "./../",
    ]
    starts = ["/", "/service/", "//", "/device/", "/%2f"]
    ends = ["etc/passwd", "etc/shadow", str(OTHER_FILE.relative_to(CURRENT)), "manifest.jsonl"]
    return [f"{start}{up * depth}{end}" for start, up, depth, end in itertools.product(starts, ups, range(1, 10), ends)]


def is_leaked(body: bytes) -> bool:
    return holds_secret(body) or b"root:" in body or b'"path"' in body


def escape_by_http() -> list[str]:
    wrong, statuses = [], collections.Counter()
    connection = http.client.HTTPConnection(STATION, timeout=20, source_address=(ESCAPER, 0))
    for name in escaping_names():
        connection.request("GET", name)
        answer = connection.getresponse()
        body = answer.read()
        statuses[answer.status] += 1
        if is_leaked(body) or answer.status not in (400, 403, 404, 429):
            wrong.append(f"http: {name} returned {answer.status}")
    print(f"http: {len(escaping_names())} escaping names:", dict(statuses))
    return wrong


def fetch_own(output: Path) -> bytes:
    """Fetch the phone's own file as the phone does."""
    if not BY_TFTP:
        own = FOLDER / "devices" / OWN
        arguments = ["--interface", PHONE, "--cert", f"{own}.pem", "--key", f"{own}.key"]
        return fetch(f"https://{NAME}/device/{OWN}.cfg", arguments, output)[1]
    # Fewer requests than the firewall allows
    time.sleep(0.5)
    command = ["ip", "netns", "exec", PHONE_NAMESPACE, "curl", "--silent", "--max-time", "5", f"tftp://{STATION}/{OWN_FILE.name}"]
    return subprocess.run(command, stdout=subprocess.PIPE, check=False).stdout


def fetch_meanwhile(stop: concurrent.futures.Future[list[str]]) -> list[str]:
    """Fetch a phone's own file repeatedly from another address until the guesser has finished."""
    wrong, rounds = [], 0
    with tempfile.TemporaryDirectory() as folder:
        while not stop.done() or not rounds:
            rounds += 1
            if fetch_own(Path(folder) / "answer") != OWN_FILE.read_bytes():
                wrong.append("a phone did not get its file during the guessing")
    print(f"a phone was served {rounds - len(wrong)} of {rounds} times during the guessing")
    return wrong


def main() -> None:
    wrong = [*try_certificates(), *try_reasons()]
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        guessers = [pool.submit(guess, "http", HTTP_GUESSER, COUNT), pool.submit(guess, "https", HTTPS_GUESSER, COUNT)]
        wrong += fetch_meanwhile(guessers[1])
        for guesser in guessers:
            wrong += guesser.result()
    wrong += escape_by_http()
    print("\n".join(wrong[:50]))
    sys.exit(1 if wrong else 0)


main()
