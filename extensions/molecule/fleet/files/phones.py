# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the fleet's phones: rows of three families, a third of each of which calls by HTTPS, and their certificates.

    phones.py FOLDER NAME COUNT

FOLDER has the maker's root.pem and root.key, which maker.sh makes; NAME is that of the servers. Writes phones.csv, with one phone
of each family before the COUNT others, which fleet_check and the playbook provisioning_server walk as; and devices.tar with the
phones' root and, by MAC address, their certificates and keys.
"""

from __future__ import annotations

import csv
import datetime
import io
import secrets
import sys
import tarfile
from pathlib import Path
from typing import cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

sys.path.insert(0, str(Path(__file__).parents[4]))
from plugins.module_utils.profiles.keys import key_id

MODELS = ("ATA192", "SPA504G", "CP-8851-3PCC")
COLUMNS = (
    "phone_mac", "phone_model", "phone_serial", "phone_customer", "phone_lines.1.user_id", "phone_lines.1.password",
    "phone_profile_key", "phone_parameters.Profile_Rule",
)  # fmt: skip


def certify(mac: str, model: str, serial: str, own: rsa.RSAPrivateKey, root: x509.Certificate, signer: rsa.RSAPrivateKey) -> bytes:
    """Return a certificate as real units of the maker have it: the subject names model, serial number and MAC address."""
    parts = ((NameOID.ORGANIZATIONAL_UNIT_NAME, model), (NameOID.LOCALITY_NAME, serial), (NameOID.SURNAME, mac))
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(kind, text) for kind, text in parts]))
        .issuer_name(root.subject)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=365))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(signer, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)


def add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    """Add a file that its owner alone may read."""
    entry = tarfile.TarInfo(f"fleet-phones/{name}")
    entry.size, entry.mode = len(content), 0o600
    archive.addfile(entry, io.BytesIO(content))


def main() -> None:
    """Make all phones anew."""
    maker, name, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    root = x509.load_pem_x509_certificate((maker / "root.pem").read_bytes())
    signer = cast(rsa.RSAPrivateKey, serialization.load_pem_private_key((maker / "root.key").read_bytes(), password=None))
    # Each unit has its own, but making them takes long, and no server compares them
    own = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = own.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    with tarfile.open(maker / "devices.tar", "w") as archive, (maker / "phones.csv").open("w", newline="") as file:
        add(archive, "root.pem", (maker / "root.pem").read_bytes())
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        for number in range(len(MODELS) + count):
            mac, model, serial = f"00005e0053{number:02x}", MODELS[number % 3], f"FCH0000D{number:03}"
            add(archive, f"{mac}.pem", certify(mac, model, serial, own, root, signer))
            add(archive, f"{mac}.key", private)
            key = rule = ""
            if number // 3 % 3 == 2:
                key = secrets.token_hex(32)
                rule = f"[--key {key}] https://{name}/service/$MA-{key_id(key)}.cfg"
            rows.writerow((mac, model, serial, "example", 2000 + number, f"demo-only-{number}", key, rule))


main()
