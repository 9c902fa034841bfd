# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The ledger of a station's certificates: when each was made, sent, signed and installed, and when it ends.

It is made of what lies in the folder of the certificates and of what is wanted there alone, so that one look at the folder tells
whether it still fits.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from .certificate_rules import outlived
from .certificates import CertificateError
from .tables import align

LEDGER = "ledger"
"""Name of its file."""
SENT = "server.sent"
"""Name of the copy of the server's signing request as it was sent to be signed."""

_SECONDS = "%Y-%m-%dT%H:%M:%SZ"
_COLUMNS = ("certificate", "for", "made", "sent", "signed", "installed", "expires", "signer")
_BENCH_CA = "bench CA"


def format_ledger(
    requests: Sequence[Mapping[str, Any]],
    roots: Sequence[str],
    signed: Mapping[str, str],
    files: Mapping[str, Mapping[str, Any]],
) -> str:
    """Note what was wanted and what is there, as JSON.

    *requests*: see certificates.CertificateRequest; *roots*: PEM texts of further roots; *signed*: ``issuer``, ``signed`` and
    ``expires`` of the certificate that somebody else signed, or nothing; *files*: path below the certificates' folder -> what
    ``find`` tells: checksum, mode, uid, gid, mtime.
    """
    ledger = {
        "requests": requests,
        "roots": [hashlib.sha256(text.encode()).hexdigest() for text in roots],
        "certificates": [_row(request, signed, files) for request in requests],
        "files": {
            path: [file["checksum"], file["mode"], file["uid"], file["gid"]] for path, file in files.items() if path != LEDGER
        },
    }
    return json.dumps(ledger, sort_keys=True, indent=1) + "\n"


def _row(request: Mapping[str, Any], signed: Mapping[str, str], files: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    file = request["file"]
    installed = files.get(f"{file}.pem", {}).get("mtime", 0.0)
    # What the station signs is installed in the same moment, and lasts from then on
    times = {"signer": _BENCH_CA, "signed": _time(installed), "expires": _time(installed + request["days"] * 86400)}
    if request["provider"] == "given":
        times = {"signer": signed["issuer"], "signed": signed["signed"], "expires": signed["expires"]}
    return {
        "certificate": file,
        "for": ", ".join(request["subject"].values()),
        "made": _time(files.get(f"{file}.key", {}).get("mtime", 0.0)),
        "sent": _time(files[SENT]["mtime"]) if file == "server" and is_sent(files) else "",
        "installed": _time(installed),
        **times,
    }


def _time(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(int(seconds), datetime.UTC).strftime(_SECONDS)


def is_sent(files: Mapping[str, Mapping[str, Any]]) -> bool:
    """Tell whether the server's signing request was sent as it is now."""
    return SENT in files and files[SENT]["checksum"] == files.get("server.csr", {}).get("checksum")


def is_settled(
    ledger: str,
    requests: Sequence[Mapping[str, Any]],
    files: Mapping[str, Mapping[str, Any]],
    until: float,
) -> bool:
    """Tell whether the station's ledger is this one and all that it signs is valid at *until* (seconds since 1970).

    A certificate's file is as old as the certificate: only issuing writes it.
    """
    noted = files.get(LEDGER, {}).get("checksum")
    if noted != hashlib.sha1(ledger.encode(), usedforsecurity=False).hexdigest():
        return False
    own = [request for request in requests if request["provider"] != "given"]
    return all(files.get(f"{request['file']}.pem", {}).get("mtime", 0.0) + request["days"] * 86400 > until for request in own)


def read_ledger(text: str) -> list[dict[str, str]]:
    """Return one row a certificate; raise CertificateError when the text is no ledger."""
    try:
        rows = json.loads(text)["certificates"]
        return [{column: str(row[column]) for column in _COLUMNS} for row in rows]
    except (ValueError, KeyError, TypeError) as error:
        raise CertificateError("the ledger of the certificates is damaged; remove it, and set the station up again") from error


def ending(rows: Sequence[Mapping[str, str]], now: datetime.datetime, days_left: int) -> list[str]:
    """Return one sentence for each certificate on which phones rely that does not last *days_left* days from *now* on."""
    return [
        f"the certificate '{row['certificate']}' {outlived(end, now, days_left)}; "
        + ("set the station up again, which renews it" if row["signer"] == _BENCH_CA else "have it renewed first")
        for row in rows
        if row["certificate"] in ("bench-ca", "server")
        and (end := datetime.datetime.strptime(row["expires"], _SECONDS).replace(tzinfo=datetime.UTC))
        < now + datetime.timedelta(days=days_left)
    ]


def waiting(rows: Sequence[Mapping[str, str]]) -> list[str]:
    """Return a sentence when the server's signing request was sent and the bench CA's certificate still serves."""
    return [
        f"the signing request of {row['for']} was sent on {row['sent'][:10]}; until certificates_signed names what comes back, "
        "the certificate of the bench CA serves, which phones at customers do not trust"
        for row in rows
        if row["sent"] and row["signer"] == _BENCH_CA
    ]


def format_report(rows: Sequence[Mapping[str, str]], now: datetime.datetime, days_left: int) -> str:
    """Return a table of one row a certificate, and below it what is to be done."""
    notes = [*waiting(rows), *ending(rows, now, days_left)]
    lines = [tuple(_shown(column, row[column]) for column in _COLUMNS) for row in rows]
    return "\n".join([*align(_COLUMNS, lines), *([""] if notes else []), *notes])


def _shown(column: str, value: str) -> str:
    return value[:10] if column in ("made", "sent", "signed", "installed", "expires") else value
