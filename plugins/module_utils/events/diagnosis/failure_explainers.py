# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What may have caused each failure of an emulated phone: the station's own faults first, then what the phone saw."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from ...common.services import DHCP_SERVERS
from ...common.suggest import nearest
from ..causes.causes import CLAUSES, Cause, Clause, cause_of_refusal
from ..causes.failure_codes import FailureCode
from ..logs.log_lines import EventKind
from ..logs.refusals import Refusal
from .failure_case import Case
from .known_facts import has_unit_file
from .phone_diagnosis import ADDRESS_REFUSED, NO_FREE_ADDRESS

_SERVERS = MappingProxyType({"tftp": "tftp", "http": "web", "https": "web"})
_NEAR = 0.75
_PUBLISH = "run the playbook profiles"
_OPTION_VARIABLES = (66, 160)
"""DHCP options that can hold a URL and have a variable of their own."""


# -- DHCP and names


def _no_lease(case: Case) -> Iterator[Clause]:
    yield from case.broken_bridge()
    yield from case.stopped(*DHCP_SERVERS)
    heard = [str(detail.get("what")) for detail in case.details(EventKind.LEASE)]
    if "none free" in heard[:3]:
        yield NO_FREE_ADDRESS
    elif "nak" in heard[:3]:
        yield ADDRESS_REFUSED
    elif heard:
        yield Clause(
            "the DHCP server received its request, but the response has not arrived",
            "read the DHCP server's journal, and look for another DHCP server on the bench",
        )
    else:
        yield Clause(
            "no DHCP request from it has arrived",
            "check that DHCP serves bench0, and that no firewall on the host blocks UDP port 67",
        )


def _no_option(case: Case) -> Iterator[Clause]:
    if "value" in case.facts:
        yield Clause(
            f"its family cannot follow what DHCP offers in option {case.facts.get('option')}, '{case.facts['value']}'",
            "set dhcp_server_option_66 to an address or a name, and run the playbook site",
        )
    options = case.facts.get("options")
    wanted = " or ".join(map(str, options)) if isinstance(options, list | tuple) else case.text("option") or "66"
    yield Clause(
        f"DHCP gave it an address, but not option {wanted}, which tells where its file is",
        "run the playbook site, which configures option 66, and look for another DHCP server on the bench",
    )


def _no_address(case: Case) -> Iterator[Clause]:
    name = case.server or "the server's name"
    yield from case.stopped("names")
    yield Clause(
        f"{name} has no address on the bench",
        f"check that dns_server_records, by default provisioning_name only, has {name} with its address, and run the playbook site",
    )


# -- no answer


def _silent(case: Case) -> Iterator[Clause]:
    yield from case.broken_bridge()
    service = _SERVERS.get(case.text("scheme"))
    yield from case.stopped(*([service] if service else ("tftp", "web")))
    address = case.text("address")
    ours = case.station_address
    if address and ours and address != ours:
        yield Clause(
            f"{case.server or address} leads to {address}, which is not this station ({ours})",
            "check the server's name in the URL, and what the bench's DNS server resolves it to",
        )
    if case.code == FailureCode.TIMEOUT and not list(case.stopped("tftp", "web")):
        yield Clause(
            f"{case.file} does not end in time",
            "find out what answers there, and whether the station is overloaded or a firewall blocks the transfer",
        )
    yield CLAUSES[Cause.NO_ANSWER]


def _too_large(case: Case) -> Iterator[Clause]:
    yield Clause(
        f"{case.file} is larger than any phone accepts",
        f"look at that file, since profiles have only a few kilobytes, and {_PUBLISH} to replace it",
    )


def _loop(case: Case) -> Iterator[Clause]:
    rule = case.text("profile_rule")
    yield Clause(
        f"its Profile_Rule '{rule}' leads back to itself" if rule else f"{case.file} leads back to itself",
        "look at Profile_Rule in that profile, and for redirections; it must lead to the phone's own file, once",
    )


def _redirects(case: Case) -> Iterator[Clause]:
    yield Clause(
        f"{case.file} is redirected more often than phones follow",
        "look at redirect and provisioning_url of its customer, and at what the other server responds",
    )


# -- what a server answers


def _not_found(case: Case) -> Iterator[Clause]:
    path = case.path or case.what
    name = path.rpartition("/")[2]
    near = _near(name, _offered(case))
    if near:
        yield Clause(
            f"it asks for {path}, which does not exist; what exists is called {near}",
            f"{_PUBLISH}, which writes every spelling that phones ask for, and remove the misnamed file",
        )
    if case.phone.get("generation") == "":
        yield Clause("nothing is published on this station", _PUBLISH)
    cause, remedy = CLAUSES[Cause.FILE_MISSING]
    yield Clause(f"it asks for {path}, which does not exist" if path else cause, remedy)


def _offered(case: Case) -> Iterable[str]:
    """Return the files in the folder where the requested one was looked for, by TFTP the unit's own one if it has one."""
    own = case.phone.get("own") or ()
    if case.text("scheme") == "tftp" and has_unit_file(case.phone) and case.phone.get("armed", True):
        return [file["path"] for file in own if not file.get("missing")]
    return case.phone.get("files") or ()


def _near(name: str, files: Iterable[str]) -> str:
    names = {path.rpartition("/")[2] for path in files} - {name}
    return nearest(name, sorted(names), _NEAR)


def _forbidden(case: Case) -> Iterator[Clause]:
    words = case.refusal()
    unreadable = [file["path"] for file in case.phone.get("own") or () if not file.get("readable", True)]
    if not words and any(f"/{path}".endswith(case.path) for path in unreadable):
        yield Clause(
            f"the {'TFTP' if case.text('scheme') == 'tftp' else 'web'} server may not read {case.path}, since its mode or group was"
            " changed",
            f"{_PUBLISH}, which corrects it",
        )
    if case.text("scheme") == "tftp":
        yield Clause(f"the TFTP server refused {case.path}", "read 'journalctl -u preprovision-tftp.service'")
        return
    cause, remedy = CLAUSES[cause_of_refusal(Refusal(403, case.path, words))]
    yield Clause(f"the web server refused {case.file}: {cause}", remedy)


def _http_status(case: Case) -> Iterator[Clause]:
    status = int(case.text("status") or 0)
    words = case.refusal()
    if status >= 500:
        yield from case.stopped("service")
    cause, remedy = CLAUSES[cause_of_refusal(Refusal(status, case.path, words))]
    yield Clause(f"{case.file} was answered with HTTP status {status or 'unknown'}: {cause}", remedy)


def _login(_case: Case) -> Iterator[Clause]:
    yield CLAUSES[Cause.LOGIN]


# -- certificates


def _factory_roots(case: Case) -> tuple[Clause, ...]:
    """Return a clause if DHCP led a factory-new phone to HTTPS: no profile can have named another root before."""
    option = case.facts.get("option")
    if not option or case.facts.get("factory_roots") is False:
        return ()
    variable = f"dhcp_server_option_{option} " if option in _OPTION_VARIABLES else ""
    clause = Clause(
        f"DHCP option {option} leads it to an https URL, and a factory-new unit trusts only the roots that its maker has built in",
        f"leave {variable}(option_{option} in dhcp_server_families) empty, so that phones come by TFTP, and run the playbook site;"
        " or deliver by certificate (phone_profiles_bench_delivery), and set certificates_signed to a certificate for"
        " provisioning_name that the maker, or a CA that its units know, has signed",
    )
    return (clause,)


def _no_root(case: Case) -> Iterator[Clause]:
    yield from _factory_roots(case) or (
        Clause(
            "it has no root certificate to verify the server with",
            "set phone_profiles_ca_url, or Custom_CA_URL in its bootstrap profile, to the root that issued the server's"
            " certificate",
        ),
    )


def _of_server(case: Case, *codes: str) -> Iterator[Clause]:
    """Yield what the station itself finds wrong with the certificate that it serves."""
    for problem in case.certificate_problems:
        if not codes or problem["code"] in codes:
            yield Clause(f"the server's certificate is not one that phones accept: {problem['what']}", problem["remedy"])


def _chain(case: Case) -> Iterator[Clause]:
    yield from case.wrong_clock()
    if any(problem["code"] == "name_mismatch" for problem in case.certificate_problems):
        yield from _certificate_name(case)
    yield from _of_server(case)
    yield from _factory_roots(case) or (
        Clause(
            "the server's certificate is not signed by the root that the phone trusts",
            "set phone_profiles_ca_url to the root that issued the server's certificate, and run the playbook site",
        ),
    )


def _certificate_name(case: Case) -> Iterator[Clause]:
    names = case.facts.get("names") or case.station.get("certificate", {}).get("names") or ()
    shown = ", ".join(map(str, names)) if isinstance(names, list | tuple) else str(names)
    of = f" (it is for {shown})" if shown else ""
    yield Clause(
        f"the server's certificate is not for {case.server or 'the name in the URL'}{of}",
        "issue one for that name (certificates_name, provisioning_name), and run the playbook site",
    )


def _certificate_address(case: Case) -> Iterator[Clause]:
    address = case.text("address") or "the address that answered"
    yield Clause(
        f"the server's name does not lead to {address}, which presented its certificate",
        "add the address to the name's list in dns_server_records, or use the server's name in the URL",
    )


def _certificate_time(case: Case) -> Iterator[Clause]:
    yield from case.wrong_clock()
    yield from _of_server(case, "expired", "ends_soon", "not_yet_valid")
    yield Clause(
        "the server's certificate is not valid by the phone's clock",
        "check the station's clock and option 42, and renew the certificate with the playbook site",
    )


def _handshake(case: Case) -> Iterator[Clause]:
    yield from case.stopped("web")
    yield Clause(
        "phone and server share no TLS version or cipher, or one of them closed the connection",
        "compare web_server_tls with what its family supports; old phones need legacy",
    )


# -- profiles


def _key_wrong(_case: Case) -> Iterator[Clause]:
    yield CLAUSES[Cause.NOT_DECRYPTED]


def _digest_wrong(_case: Case) -> Iterator[Clause]:
    yield Clause("its profile is sealed with the other digest", f"correct its family's digest in phone_families, and {_PUBLISH}")


def _key_missing(case: Case) -> Iterator[Clause]:
    yield Clause(
        f"{case.file} is sealed, and its rule has no key",
        f"add --key to Profile_Rule, as the preprovision profile does by itself, and {_PUBLISH}",
    )


def _not_sealed(case: Case) -> Iterator[Clause]:
    yield Clause(f"{case.file} is not sealed, and its rule has a key", f"{_PUBLISH}, and find out what else writes that file")


def _corrupt(case: Case) -> Iterator[Clause]:
    cause, remedy = CLAUSES[Cause.CORRUPT]
    yield Clause(f"{cause} ({case.file})", remedy)


def _rule(case: Case) -> Iterator[Clause]:
    yield Clause(
        f"it cannot follow its rule: {case.what}" if case.what else "it cannot follow its rule",
        "correct Profile_Rule; the filter parse_profile_rule shows how a phone reads it",
    )


def _no_own_file(case: Case) -> Iterator[Clause]:
    if has_unit_file(case.phone) and not case.phone.get("armed", True):
        yield from case.stopped("arming")
        yield Clause(
            "the TFTP server does not show it its own folder, since it is done",
            "scan it in again, or run the playbook profiles with -e phone_profiles_rearm= and its name",
        )
    elif any(detail.get("what") == "sent" for detail in case.details(EventKind.TFTP)):
        yield Clause(
            "it got its model's bootstrap profile by TFTP, which is for units that are not expected",
            "check that the inventory has it with this MAC address, and run the playbook profiles",
        )
    yield Clause(
        "its Profile_Rule does not end at a file of its own",
        "use $MA in phone_profiles_remote_url, and do not overwrite the Profile_Rule of the preprovision profile",
    )


def _no_resync(_case: Case) -> Iterator[Clause]:
    yield Clause(
        "its profile tells it not to resync",
        "set Provision_Enable and Resync_On_Reset to Yes in the parameters of that phone or of all phones",
    )


def _upgrade(case: Case) -> Iterator[Clause]:
    before = "the firmware could not be changed: "
    reason = case.text("reason")
    explainer = EXPLAINERS.get(reason)
    if explainer is None or explainer is _upgrade:
        yield Clause(f"{before}its Upgrade_Rule leads to no firmware for its model", "compare Upgrade_Rule with its model")
    else:
        yield from (Clause(f"{before}{cause}", remedy) for cause, remedy in explainer(replace(case, code=reason)))


def _report(case: Case) -> Iterator[Clause]:
    yield from case.stopped("service")
    yield Clause(
        "its report was not accepted",
        "check Report_Rule, profile_service_report_path and profile_service_report_access, and the profile service's journal",
    )


# -- what only the station can see


def _no_log(case: Case) -> Iterator[Clause]:
    yield from case.stopped("log")
    server = case.server
    ours = case.station_address
    if server and ours and server != ours:
        yield Clause(
            f"it logs to {server}, which is not this station ({ours})",
            "set phone_profiles_syslog_server to the station's address, and run the playbook profiles",
        )
    yield Clause(
        "its syslog messages do not arrive",
        "check that nothing on the host blocks UDP port 514, and read 'journalctl -u preprovision-log.service'",
    )


def _no_event(case: Case) -> Iterator[Clause]:
    yield from case.stopped("events")
    yield Clause(
        "its events do not reach the database, although the unit that brings them there runs",
        "restart it with 'systemctl restart preprovision-events.service', and read 'journalctl -u preprovision-events.service'; no"
        " line is lost meanwhile",
    )
    # It migrates the database, without which the collector waits
    yield from case.stopped("service")


def explain_unknown(_case: Case) -> Iterator[Clause]:
    yield CLAUSES[Cause.UNKNOWN]


EXPLAINERS: Mapping[str, Callable[[Case], Iterator[Clause]]] = MappingProxyType(
    {
        FailureCode.NO_LEASE: _no_lease,
        FailureCode.NO_OPTION: _no_option,
        FailureCode.NO_ADDRESS: _no_address,
        FailureCode.NO_ANSWER: _silent,
        FailureCode.REFUSED: _silent,
        FailureCode.TIMEOUT: _silent,
        FailureCode.UNREACHABLE: _silent,
        FailureCode.TOO_LARGE: _too_large,
        FailureCode.LOOP: _loop,
        FailureCode.REDIRECTS: _redirects,
        FailureCode.NOT_FOUND: _not_found,
        FailureCode.FORBIDDEN: _forbidden,
        FailureCode.HTTP_STATUS: _http_status,
        FailureCode.LOGIN: _login,
        FailureCode.NO_ROOT: _no_root,
        FailureCode.CHAIN: _chain,
        FailureCode.CERTIFICATE_NAME: _certificate_name,
        FailureCode.CERTIFICATE_ADDRESS: _certificate_address,
        FailureCode.CERTIFICATE_TIME: _certificate_time,
        FailureCode.HANDSHAKE: _handshake,
        FailureCode.KEY_WRONG: _key_wrong,
        FailureCode.DIGEST_WRONG: _digest_wrong,
        FailureCode.KEY_MISSING: _key_missing,
        FailureCode.NOT_SEALED: _not_sealed,
        FailureCode.CORRUPT: _corrupt,
        FailureCode.RULE: _rule,
        FailureCode.NO_OWN_FILE: _no_own_file,
        FailureCode.NO_RESYNC: _no_resync,
        FailureCode.UPGRADE: _upgrade,
        FailureCode.REPORT: _report,
        FailureCode.NO_LOG: _no_log,
        FailureCode.NO_EVENT: _no_event,
    }
)
