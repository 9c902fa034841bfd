# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The table of the playbook fleet_check: what phones at the customer's meet at each address of their servers' name.

A phone tries the addresses of a name in turn until a server responds, so a dead address costs it time, while a server that responds
wrongly costs it the resync.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_address
from typing import Any, NamedTuple, TypedDict

from ..certificates.findings import Code
from ..common.text_tables import align
from ..emulator.device.trace import Behaviour, FailureRow, Outcome, RequestRow, StepName
from ..emulator.phone_report import PhoneReport
from ..events.causes.causes import Clause, Diagnosis, diagnosis_of
from ..events.causes.failure_codes import FailureCode

_NAME = "name"
"""Stands for the name where a row has an address."""
_TOLD_OF_CERTIFICATES = frozenset(
    {Code.KEYS_DIFFER, Code.CERTIFICATES_DIFFER, Code.EXPIRES_SOON, Code.EXPIRES_BEFORE_RESYNC, Code.ENDS_SOON}
)
"""What a phone that walks does not notice."""
_HEADINGS = ("address", "phone", "result", "what")
_MAX_NAMED = 5
_SILENT = frozenset({FailureCode.NO_ANSWER, FailureCode.REFUSED, FailureCode.TIMEOUT, FailureCode.UNREACHABLE})
_REFUSED_CERTIFICATE = Clause(
    "phones refuse the certificate of {where}: {what}",
    "install the certificate that the other servers of {name} have, with its chain, on {host}",
)
_UNREADABLE = Clause(
    "{where} serves a file that the phone's key does not open: {what}",
    "publish the phones on all servers with the same phone_profiles_master_key",
)
_DRAINED = Clause(
    "{where} answers 503: it is drained, or its service or database is down and there is no sealed file of this phone",
    "let it serve again with -e drain=false, and read its journal",
)
_OTHER = Clause("at {where}: {what}", "read what the web server of {host} has logged")
_CAUSES: Mapping[str, Clause] = {
    FailureCode.NOT_FOUND: Clause(
        "{where} has no file {path} for this phone",
        "run the playbook provisioning_server for {host}, which publishes the phones there",
    ),
    FailureCode.FORBIDDEN: Clause(
        "{where} refuses {path}: {what}", "run the playbook provisioning_server for {host}, which repairs modes and groups of files"
    ),
    FailureCode.CORRUPT: Clause(
        "{where} serves a damaged file: {what}", "publish the phones on {host} again, and look for what has changed the file"
    ),
    FailureCode.NO_ROOT: Clause(
        "phones of this family have no root to verify {name} with",
        "name the file of their maker's roots in fleet_check_roots, or the URL of the server's root in"
        " phone_profiles_remote_ca_url",
    ),
    FailureCode.CERTIFICATE_TIME: Clause(
        "{where} shows a certificate out of its time: {what}", "install the renewed certificate on {host}"
    ),
    **dict.fromkeys(
        (FailureCode.CHAIN, FailureCode.CERTIFICATE_NAME, FailureCode.CERTIFICATE_ADDRESS, FailureCode.HANDSHAKE),
        _REFUSED_CERTIFICATE,
    ),
    **dict.fromkeys(
        (FailureCode.KEY_WRONG, FailureCode.DIGEST_WRONG, FailureCode.NOT_SEALED, FailureCode.KEY_MISSING), _UNREADABLE
    ),
}
"""Code of a failure -> cause and remedy, with the words of _explain() in braces."""


class Walk(TypedDict, total=False):
    """What the phones met at one address, or by the name alone."""

    address: str
    """Empty for the walk by the name alone."""
    phones: Sequence[PhoneReport]
    msg: str
    """Why there are no phones."""


class Fleet(NamedTuple):
    """What should be there."""

    name: str
    """The public name."""
    servers: Mapping[str, str]
    """Address -> the inventory's server."""

    @classmethod
    def of(cls, name: str, servers: Mapping[str, Sequence[str]]) -> Fleet:
        """Return the fleet of these *servers*, each with its addresses in any spelling; raise ValueError."""
        return cls(name, {str(ip_address(address)): host for host, addresses in servers.items() for address in addresses})


class Row(NamedTuple):
    """One row of the table."""

    address: str
    phone: str
    result: str
    what: str
    diagnosis: Diagnosis | None = None


def fleet_rows(walks: Iterable[Walk], fleet: Fleet) -> list[Row]:
    """Return a row for each phone at each address, and before them those of the name, if it was walked."""
    walks = list(walks)
    named = [walk for walk in walks if not walk["address"]]
    resolved = _resolved(named[0].get("phones", ()), fleet.name) if named else None
    rows = _name_rows(named[0], resolved or [], fleet) if named else []
    expected: dict[tuple[str, str], RequestRow] = {}
    for walk in walks:
        if walk["address"]:
            rows += _address_rows(walk, resolved, fleet, expected)
    return rows


def _resolved(phones: Iterable[PhoneReport], name: str) -> list[str]:
    """Return the addresses that the name led the phones to, in order."""
    for phone in phones:
        for step in phone["steps"]:
            if step["step"] == StepName.NAME and step["what"].lower() == name.lower() and step["outcome"] == Outcome.OK:
                return step["detail"].split(", ")
    return []


def _name_rows(walk: Walk, resolved: Sequence[str], fleet: Fleet) -> list[Row]:
    if "phones" not in walk:
        return [_failed(_NAME, "all", walk.get("msg", ""), Clause(walk.get("msg", ""), "run the playbook again with -v"))]
    rows = []
    strangers = [address for address in resolved if address not in fleet.servers]
    absent = [address for address in fleet.servers if address not in resolved]
    if not resolved:
        cause = f"the name {fleet.name} has no address where the phones run"
        remedy = "add its records to the zone, or name a resolver that knows them in fleet_check_name_servers"
        return [_failed(_NAME, "all", "no address", Clause(cause, remedy))]
    for address in strangers:
        cause = f"{fleet.name} leads to {address}, which no server of the inventory has"
        remedy = f"take {address} out of the zone, or add it to the provisioning_server_addresses of its server"
        rows.append(_failed(_NAME, "all", f"leads to {address}", Clause(cause, remedy)))
    for address in absent:
        cause = f"{fleet.name} does not lead to {address} of {fleet.servers[address]}, so that no phone calls it"
        remedy = f"add {address} to the zone, or take it out of provisioning_server_addresses"
        rows.append(Row(_NAME, "all", "warning", f"does not lead to {address}", diagnosis_of(Clause(cause, remedy))))
    if not strangers:
        rows.insert(0, Row(_NAME, "all", "ok", ", ".join(resolved)))
    rows += [_phone_row(_NAME, phone, fleet, None) for phone in walk["phones"] if phone["cause"]]
    return rows


def _address_rows(
    walk: Walk, resolved: Sequence[str] | None, fleet: Fleet, expected: dict[tuple[str, str], RequestRow]
) -> list[Row]:
    address = walk["address"]
    if "phones" not in walk:
        return [_failed(address, "all", walk.get("msg", ""), Clause(walk.get("msg", ""), "run the playbook again with -v"))]
    rows = []
    for phone in walk["phones"]:
        row = _phone_row(address, phone, fleet, resolved)
        other = None if row.diagnosis else _differs(phone, expected)
        rows.append(_differing_row(address, phone, other, fleet) if other else row)
    return rows


def _differs(phone: PhoneReport, expected: dict[tuple[str, str], RequestRow]) -> RequestRow | None:
    """Return what another server gave this phone in place of one of its files; remember the files that are new."""
    for request in phone["requests"]:
        if request["behaviour"] == Behaviour.SUCCESS:
            before = expected.setdefault((phone["name"], request["url"]), request)
            if (before["digest"], before["bytes"]) != (request["digest"], request["bytes"]):
                return before
    return None


def _differing_row(address: str, phone: PhoneReport, other: RequestRow, fleet: Fleet) -> Row:
    url, server = other["url"], _server(address, fleet)
    cause = f"{address} ({server}) serves other bytes of {url} than {other['address']}"
    remedy = "publish the phones on all servers with one run of the playbook provisioning_server, without --limit"
    return _failed(address, phone["name"], f"other bytes than {other['address']}", Clause(cause, remedy))


def _phone_row(address: str, phone: PhoneReport, fleet: Fleet, resolved: Sequence[str] | None) -> Row:
    if phone["cause"]:
        # Each phone is switched on once
        what = phone["cause"].removeprefix("power-up 1: ")
        return _failed(address, phone["name"], what, _explain(address, phone["failure"], fleet, resolved))
    fetched = [request for request in phone["requests"] if request["behaviour"] == Behaviour.SUCCESS]
    last = fetched[-1]
    what = f"{last['protocol'].upper()} /{last['url'].partition('://')[2].partition('/')[2]}, {last['bytes']} bytes"
    return Row(address, f"{phone['name']} ({phone['model']})", "ok", f"{what}, {phone['seconds']:.1f} s")


def _explain(address: str, failure: FailureRow, fleet: Fleet, resolved: Sequence[str] | None) -> Clause:
    """Return why a phone fails at this address."""
    facts, code = failure["facts"], failure["code"]
    host = _server(address, fleet)
    where = fleet.name if address == _NAME else f"{address} ({host})"
    if code in _SILENT:
        waits = " first, and each phone waits for it before it tries the next" if resolved and resolved[0] == address else ""
        leads = f"; {fleet.name} leads phones there{waits}" if resolved and address in resolved else ""
        back = "start its web server, or take it back into service with -e drain=false if it was drained with closed ports"
        return Clause(
            f"{where} does not answer{leads}", f"{back}; until it answers, take {address} out of the zone of {fleet.name}"
        )
    template = _DRAINED if code == FailureCode.HTTP_STATUS and facts.get("status") == 503 else _CAUSES.get(code, _OTHER)
    words = {
        "where": where,
        "host": host,
        "name": fleet.name,
        "path": facts.get("path", ""),
        "what": failure["what"].removeprefix("power-up 1: "),
    }
    return Clause(*(text.format_map(words) for text in template))


def _server(address: str, fleet: Fleet) -> str:
    return fleet.name if address == _NAME else fleet.servers.get(address, "a server that is not in the inventory")


def _failed(address: str, phone: str, what: str, clause: Clause) -> Row:
    return Row(address, phone, "failed", what, diagnosis_of(clause))


def certificate_rows(checked: Mapping[str, Any]) -> list[Row]:
    """Return rows on what phones do not notice yet; *checked*: the result of server_certificate_check, or of a skipped task."""
    if "findings" not in checked:
        why = checked.get("msg", "")
        unknown = Clause(f"the servers' certificates were not compared: {why}", "mend that, and run the playbook again")
        return [] if checked.get("skipped") else [Row("certificate", "all", "warning", why, diagnosis_of(unknown))]
    told = [one for one in checked["findings"] if one["code"] in _TOLD_OF_CERTIFICATES]
    return [Row("certificate", "all", "warning", one["what"], diagnosis_of(Clause(one["what"], one["remedy"]))) for one in told]


def format_fleet(rows: Sequence[Row]) -> str:
    """Return the table, and below it the cause and the remedy of each failure, each once."""
    lines, before = [], ""
    for row in rows:
        lines.append((row.address if row.address != before else "", *row[1:4]))
        before = row.address
    notes = dict.fromkeys(f"{one.diagnosis.cause} {one.diagnosis.remedy}" for one in rows if one.diagnosis)
    return "\n".join([*align(_HEADINGS, lines), *([""] if notes else []), *notes])


def summarise_fleet(rows: Sequence[Row]) -> str:
    """Return one sentence on the addresses that fail; empty if none does."""
    failed = list(dict.fromkeys(row.address for row in rows if row.result == "failed"))
    if not failed:
        return ""
    more = f" and {len(failed) - _MAX_NAMED} more" if len(failed) > _MAX_NAMED else ""
    return f"failed: {', '.join(failed[:_MAX_NAMED])}{more}. The lines below the table say why, and what to do."


def _normal(address: str) -> str:
    return str(ip_address(address)) if address else ""


def read_walks(results: Iterable[Mapping[str, Any]]) -> list[Walk]:
    """Return the walks from the results of a loop over addresses, an empty one for the name."""
    return [
        Walk(address=_normal(result.get("item", "")), **{name: result[name] for name in ("phones", "msg") if name in result})  # type: ignore[typeddict-item]
        for result in results
    ]
