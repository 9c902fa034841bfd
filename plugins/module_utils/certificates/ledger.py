# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The ledger of a station's certificates: when each was made, sent, signed and installed, and when it expires.

It depends only on the requests and on the files in the certificates' folder, so listing the folder is enough to tell whether it is
still up to date.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from ..common.text_tables import align
from .install_checks import describe_expiry
from .requests import CertificateError, Provider

LEDGER = "ledger"
"""Name of the ledger's file."""
BEFORE = 86400
"""Seconds before it is made from which a certificate is valid (role certificates)."""
MAX_ROWS = 40
"""Certificates in a report; those of phones come last, and a station may have thousands."""
SENT = "server.sent"
"""Name of the copy of the server's signing request that was sent to a CA."""

ROOTS = "device-roots.pem"
"""Name of the file of all CAs that sign phones' certificates, the bench CA first."""

Files: TypeAlias = Mapping[str, Mapping[str, Any]]
"""Path below the certificates' folder -> what ``find`` reports: checksum (but not of folders), mode, uid, gid, mtime."""

MISSING, EDITED, ACCESS = "missing", "edited", "mode or owner"
"""What can be wrong with a file; see Drift."""
OF_NEW_KEY, OF_NEW_CA = "of a new key", "of a new certificate of the bench CA"
"""Why a file is made again that was right."""

_ACCESS = ("0644", 0, 0)
"""The ledger's own mode, owner and group."""
_SECONDS = "%Y-%m-%dT%H:%M:%SZ"
_DATES = ("made", "sent", "signed", "installed", "expires")
_COLUMNS = ("certificate", "for", *_DATES, "signer")
_BENCH_CA = "bench CA"
_BENCH_CA_FILE = "bench-ca"
_DAMAGED = "the ledger of the certificates is damaged; remove it and set up the station again"


def format_ledger(
    requests: Sequence[Mapping[str, Any]],
    roots: Sequence[Mapping[str, str]],
    signed: Mapping[str, str],
    files: Files,
) -> str:
    """Return the ledger of what was requested and what exists, as JSON.

    *requests*: see CertificateRequest; *roots*: ``subject`` and ``sha256`` of makers' CAs; *signed*: ``issuer``, ``signed`` and
    ``expires`` of the certificate signed elsewhere, or empty.
    """
    ledger = {
        "requests": requests,
        "roots": [{"subject": root["subject"], "sha256": root["sha256"]} for root in roots],
        "certificates": [_row(request, signed, files) for request in requests],
        "files": {
            path: [file.get("checksum"), file["mode"], file["uid"], file["gid"]] for path, file in files.items() if path != LEDGER
        },
    }
    return json.dumps(ledger, sort_keys=True, indent=1) + "\n"


def _row(request: Mapping[str, Any], signed: Mapping[str, str], files: Files) -> dict[str, str]:
    file = request["file"]
    installed = files.get(f"{file}.pem", {}).get("mtime", 0.0)
    # The station installs a certificate as soon as it has signed it, so the file's time begins its validity
    times = {"signer": _BENCH_CA, "signed": _time(installed), "expires": _time(installed + request["days"] * 86400)}
    if request["provider"] == Provider.ELSEWHERE:
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


def is_sent(files: Files) -> bool:
    """Tell whether the current signing request of the server was sent."""
    return SENT in files and files[SENT]["checksum"] == files.get("server.csr", {}).get("checksum")


def is_settled(
    ledger: str,
    requests: Sequence[Mapping[str, Any]],
    files: Files,
    now: float,
    until: float,
) -> bool:
    """Tell whether the stored ledger is this one and the certificates are valid from *now* to *until* (seconds since 1970).

    A certificate's file is as old as the certificate, since only issuing writes it. That of a clock that was ahead may not be valid
    yet.
    """
    noted = [files.get(LEDGER, {}).get(part) for part in ("checksum", "mode", "uid", "gid")]
    if noted != [hashlib.sha1(ledger.encode(), usedforsecurity=False).hexdigest(), *_ACCESS]:
        return False
    own = [request for request in requests if request["provider"] != Provider.ELSEWHERE]
    made = [(files.get(f"{request['file']}.pem", {}).get("mtime", 0.0), request["days"]) for request in own]
    return all(time - BEFORE <= now and time + days * 86400 > until for time, days in made)


class Drift(NamedTuple):
    """A file below the certificates' folder that is not what was issued."""

    path: str
    what: str
    """MISSING, EDITED, ACCESS, or what follows from that of another file."""


def find_drift(text: str, requests: Sequence[Mapping[str, Any]], files: Files, unusable: Iterable[str] = ()) -> list[Drift]:
    """Return the files that are not as the ledger *text* has them, and those that have to be made again because of that.

    *unusable*: paths of edited keys that are no keys any more. A key that is lost takes its request and its certificate with it,
    and the bench CA's the certificates of all. Nothing is known of the others when the ledger itself is damaged.
    """
    try:
        noted = json.loads(text)["files"]
        found = {path: what for path, (digest, *access) in noted.items() if (what := _drift(files.get(path), digest, access))}
    except (ValueError, KeyError, TypeError, AttributeError):
        return [Drift(LEDGER, EDITED if LEDGER in files else MISSING)]
    found.pop(SENT, None)
    lost = {*unusable, *(path for path, what in found.items() if what == MISSING)}
    renewed = {request["file"] for request in requests if request["key_bits"] and f"{request['file']}.key" in lost}
    for name in renewed:
        found[f"{name}.csr"] = OF_NEW_KEY
    for request in requests:
        if request["provider"] != Provider.ELSEWHERE and {request["file"], _BENCH_CA_FILE} & renewed:
            found[f"{request['file']}.pem"] = OF_NEW_KEY
    if found.get(f"{_BENCH_CA_FILE}.pem", ACCESS) != ACCESS:
        found[ROOTS] = OF_NEW_CA
    if LEDGER in files and _drift(files[LEDGER], files[LEDGER].get("checksum"), list(_ACCESS)):
        found[LEDGER] = ACCESS
    return [Drift(path, what) for path, what in sorted(found.items())]


def _drift(file: Mapping[str, Any] | None, digest: str | None, access: Sequence[Any]) -> str:
    if file is None:
        return MISSING
    if file.get("checksum") != digest:
        return EDITED
    return "" if [file["mode"], file["uid"], file["gid"]] == list(access) else ACCESS


def read_ledger(text: str) -> list[dict[str, str]]:
    """Return one row per certificate; raise CertificateError when the text is not a ledger."""
    try:
        rows = json.loads(text)["certificates"]
        return [{column: str(row[column]) for column in _COLUMNS} for row in rows]
    except (ValueError, KeyError, TypeError) as error:
        raise CertificateError(_DAMAGED) from error


def read_device_roots(text: str) -> list[str]:
    """Return the subjects of the makers' CAs; raise CertificateError when the text is not a ledger."""
    try:
        return [str(root["subject"]) for root in json.loads(text)["roots"]]
    except (ValueError, KeyError, TypeError) as error:
        raise CertificateError(_DAMAGED) from error


def ending(rows: Sequence[Mapping[str, str]], now: datetime.datetime, days_left: int) -> list[str]:
    """Return one sentence for each certificate that phones rely on and that expires within *days_left* days from *now*."""
    return [
        f"the certificate '{row['certificate']}' {describe_expiry(end, now, days_left)}; "
        + ("set up the station again to renew it" if row["signer"] == _BENCH_CA else "have it renewed first")
        for row in rows
        if row["certificate"] in ("bench-ca", "server")
        and (end := datetime.datetime.strptime(row["expires"], _SECONDS).replace(tzinfo=datetime.UTC))
        < now + datetime.timedelta(days=days_left)
    ]


def waiting(rows: Sequence[Mapping[str, str]]) -> list[str]:
    """Return a sentence while the server's request was sent and it still uses the bench CA's certificate."""
    return [
        f"the signing request of {row['for']} was sent on {row['sent'][:10]}; until certificates_signed names the signed "
        "certificate, the server uses the bench CA's, which phones at customers do not trust"
        for row in rows
        if row["sent"] and row["signer"] == _BENCH_CA
    ]


def format_report(rows: Sequence[Mapping[str, str]], now: datetime.datetime, days_left: int, more: Iterable[str] = ()) -> str:
    """Return a table of up to MAX_ROWS certificates, followed by what has to be done and the sentences *more*."""
    others = len(rows) - MAX_ROWS
    rest = [f"and {others} more certificates of phones; the ledger on the station lists all"] if others > 0 else []
    notes = [*rest, *waiting(rows), *ending(rows, now, days_left), *more]
    lines = [tuple(_shown(column, row[column]) for column in _COLUMNS) for row in rows[:MAX_ROWS]]
    return "\n".join([*align(_COLUMNS, lines), *([""] if notes else []), *notes])


def _shown(column: str, value: str) -> str:
    return value[:10] if column in _DATES else value
