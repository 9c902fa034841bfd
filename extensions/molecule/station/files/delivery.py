# SPDX-License-Identifier: GPL-3.0-or-later
"""Run on a station, from a machine on its bench: who gets which phone's file, with curl; and what a guesser of names gets.

Arguments: station's address and name, folder of its certificates, how many names are guessed per protocol.
"""

from __future__ import annotations

import collections
import concurrent.futures
import datetime
import http.client
import itertools
import ssl
import subprocess
import sys
import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

STATION, NAME, FOLDER, COUNT = sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])
OWN, OTHER, UNKNOWN = "00005e005301", "00005e005302", "00005e0053ff"
DEVICE = Path("/srv/preprovision/current/device")
SECRET = (DEVICE / f"{OTHER}.cfg").read_bytes()
# Addresses of the bench that the guessers have, and a phone that goes on meanwhile
HTTP_GUESSER, HTTPS_GUESSER, CLIMBER, PHONE = (f"{STATION.rpartition('.')[0]}.{host}" for host in (11, 12, 13, 9))

CN, SURNAME, PLACE, UNIT, NUMBER = (
    getattr(x509.NameOID, name) for name in ("COMMON_NAME", "SURNAME", "LOCALITY_NAME", "ORGANIZATIONAL_UNIT_NAME", "SERIAL_NUMBER")
)
# Certificate: its subject, and whether it opens the file of OWN
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
ODD = list(SUBJECTS)[list(SUBJECTS).index("own/O=other") :]


def paths(mac: str) -> list[str]:
    """Spellings of one path, all of which mean the same."""
    escaped = "".join(f"%{ord(letter):02x}" for letter in mac)
    return [f"/device/{mac}.cfg", f"//device//{mac}.cfg", f"/nothing/../device/{mac}.cfg", f"/%64evice/{escaped}.cfg"]


# Path: whose, and the status for its owner
OWNED = [(path, mac, "200") for mac in (OWN, OTHER, UNKNOWN) for path in paths(mac)]
OWNED += [(f"/device/{mac.upper()}.cfg", mac, "404") for mac in (OWN, OTHER)]
# Whatever is shown
OPEN = [
    ("/spa504G.cfg", "200"),
    ("/", "403"),
    ("/device/", "403"),
    ("/device/manifest.jsonl", "403"),
    ("/../device/00005e005302.cfg", "400"),
    ("/%2e%2e/device/00005e005302.cfg", "400"),
    ("/.refused", "404"),
    ("/.missing", "404"),
]


class Certificates:
    """Makes certificates as vendors, careless administrators and thieves do."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        (folder / "key.pem").write_bytes(
            self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )
        self.ca = x509.load_pem_x509_certificate((FOLDER / "bench-ca.pem").read_bytes())
        self.ca_key = serialization.load_pem_private_key((FOLDER / "bench-ca.key").read_bytes(), None)

    def make(self, number: int, kind: str) -> list[str]:
        """Return curl's arguments that show this one."""
        subject = x509.Name([x509.NameAttribute(oid, value) for oid, value in SUBJECTS[kind][0]])
        day, now = datetime.timedelta(days=1), datetime.datetime.now(datetime.UTC)
        first = {"expired": now - 9 * day, "not yet valid": now + 2 * day}.get(kind, now - day)
        # A thief's CA has the right name
        issuer, key = {"self-made": (subject, self.key), "other CA": (self.ca.subject, self.key)}.get(
            kind, (self.ca.subject, self.ca_key)
        )
        builder = x509.CertificateBuilder(issuer, subject, self.key.public_key(), number + 1, first, first + 3 * day)
        path = self.folder / f"{number}.pem"
        path.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        return ["--cert", str(path), "--key", str(self.folder / "key.pem")]


def ask(url: str, arguments: list[str], output: Path) -> tuple[str, bytes]:
    """Ask with curl: status and what came."""
    output.unlink(missing_ok=True)
    command = ["curl", "--silent", "--path-as-is", "--max-time", "20", "--output", str(output), "--write-out", "%{http_code}"]
    command += ["--cacert", str(FOLDER / "bench-ca.pem"), "--resolve", f"{NAME}:443:{STATION}", *arguments, url]
    status = subprocess.run(command, stdout=subprocess.PIPE, check=False).stdout.decode()
    return status, output.read_bytes() if output.exists() else b""


def matrix() -> list[str]:
    """Ask for every path with every certificate; return what is wrong."""
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

        def judge(case: tuple[int, tuple[str, list[str], str, str, str]]) -> tuple[str, str, str, str, str, bytes]:
            number, (kind, arguments, scheme, path, expected) = case
            host = NAME if scheme == "https" else STATION
            return kind, scheme, path, expected, *ask(f"{scheme}://{host}{path}", arguments, folder / f"answer{number}")

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for kind, scheme, path, expected, status, body in pool.map(judge, enumerate(cases)):
                counts[f"{scheme} {status}"] += 1
                if status != expected:
                    wrong.append(f"{kind}: {scheme} {path} gave {status}, not {expected}")
                if SECRET in body or b"Index of" in body:
                    wrong.append(f"{kind}: {scheme} {path} gave what is not its own")
                if status == "200" and "device" in path and body != (DEVICE / f"{OWN}.cfg").read_bytes():
                    wrong.append(f"{kind}: {scheme} {path} gave another file")
    print(f"{len(cases)} questions with {len(shown)} certificates:", dict(sorted(counts.items())))
    return wrong


def guessed(number: int) -> str:
    return f"00005e00{number:04x}"


def guess(scheme: str, source: str, count: int) -> list[str]:
    """Ask for many phones' files over one connection, without a certificate; return what is wrong."""
    connection: http.client.HTTPConnection
    if scheme == "https":
        context = ssl.create_default_context(cafile=str(FOLDER / "bench-ca.pem"))
        context.check_hostname = False
        connection = http.client.HTTPSConnection(STATION, timeout=20, source_address=(source, 0), context=context)
    else:
        connection = http.client.HTTPConnection(STATION, timeout=20, source_address=(source, 0))
    answers: collections.Counter[tuple[str, int, int]] = collections.Counter()
    cut_after, wrong = 0, []
    for index in range(count):
        # Those that there are come among the first
        mac = guessed((0x5300 + index) % 65536)
        for place in ("device", "service"):
            connection.request("GET", f"/{place}/{mac}.cfg", headers={"User-Agent": "guesser"})
            answer = connection.getresponse()
            body = answer.read()
            answers[place, answer.status, len(body)] += 1
            if SECRET in body or answer.status == 200:
                wrong.append(f"{scheme}: /{place}/{mac}.cfg was given to the guesser")
            if answer.status == 429 and not cut_after:
                cut_after = index + 1
    print(f"{scheme}: {count} addresses guessed, cut off at the {cut_after}th:", dict(answers))
    kinds = {(place, status) for place, status, _size in answers}
    if len(answers) != len(kinds) or not kinds <= {("device", 403), ("service", 404), ("device", 429), ("service", 429)}:
        wrong.append(f"{scheme}: known and unknown phones are answered differently: {dict(answers)}")
    if not cut_after:
        wrong.append(f"{scheme}: the guesser was not cut off")
    return wrong


def names_of_climbers() -> list[str]:
    """Ways out of a folder, more than 2,000."""
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
    ends = ["etc/passwd", "etc/shadow", f"device/{OTHER}.cfg", "manifest.jsonl"]
    return [f"{start}{up * depth}{end}" for start, up, depth, end in itertools.product(starts, ups, range(1, 10), ends)]


def is_taken(body: bytes) -> bool:
    return SECRET in body or b"root:" in body or b'"path"' in body


def climb_by_http() -> list[str]:
    wrong, statuses = [], collections.Counter()
    connection = http.client.HTTPConnection(STATION, timeout=20, source_address=(CLIMBER, 0))
    for name in names_of_climbers():
        connection.request("GET", name)
        answer = connection.getresponse()
        body = answer.read()
        statuses[answer.status] += 1
        if is_taken(body) or answer.status not in (400, 403, 404, 429):
            wrong.append(f"http: {name} gave {answer.status}")
    print(f"http: {len(names_of_climbers())} ways out:", dict(statuses))
    return wrong


def phone_goes_on(stop: concurrent.futures.Future[list[str]]) -> list[str]:
    """Fetch the own file again and again as a phone at another address, until the guesser has ended."""
    wrong, rounds = [], 0
    own = FOLDER / "devices" / OWN
    with tempfile.TemporaryDirectory() as folder:
        while not stop.done() or not rounds:
            rounds += 1
            arguments = ["--interface", PHONE, "--cert", f"{own}.pem", "--key", f"{own}.key"]
            status, _body = ask(f"https://{NAME}/device/{OWN}.cfg", arguments, Path(folder) / "answer")
            if status != "200":
                wrong.append(f"a phone got {status} while others guessed")
    print(f"a phone was served {rounds - len(wrong)} of {rounds} times meanwhile")
    return wrong


def main() -> None:
    wrong = matrix()
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        guessers = [pool.submit(guess, "http", HTTP_GUESSER, COUNT), pool.submit(guess, "https", HTTPS_GUESSER, COUNT)]
        wrong += phone_goes_on(guessers[1])
        for guesser in guessers:
            wrong += guesser.result()
    wrong += climb_by_http()
    print("\n".join(wrong[:50]))
    sys.exit(1 if wrong else 0)


main()
