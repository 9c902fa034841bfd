# SPDX-License-Identifier: GPL-3.0-or-later
"""The bench's trip and the customer's trip in the check's table, of phones that really walk them on a bench that is a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.common.mac import Mac
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.device.habits import Habit
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.device.ports import (
    Lease,
    WireFailure,
    WireRequest,
    WireResponse,
)
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.phone import EmulatedPhone
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.wire.system_clock import SystemClock
from ansible_collections.voip.preprovision.plugins.module_utils.families.catalogue import BUILTIN
from ansible_collections.voip.preprovision.plugins.module_utils.phones.phone import Phone
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.flat_profile import build, read_parameters
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.sealing.openssl_enc import seal
from ansible_collections.voip.preprovision.plugins.module_utils.reports.check_report import (
    check_rows,
    failures,
    format_check,
    summarise_failures,
)

KEY = "0123456789abcdef0123456789abcdef"
MAC = "02005e005300"
FIRST = "tftp://192.0.2.1/ata192.cfg"
HERE = "prov.example.net"
ELSEWHERE = "prov.example.com"
ROOTS = b"-----BEGIN CERTIFICATE-----\n"
IMAGE = f"http://{HERE}/firmware/ATA19X.12-0-1.img"
FAR = {ELSEWHERE: ("203.0.113.5",)}
NO_ANSWER = WireResponse(0, failure=WireFailure.TIMEOUT, error="timed out")


def profile(**values):
    return build(read_parameters(values))


def leading(rule, **more):
    """Return a preprovision profile that leads to *rule*."""
    return profile(Profile_Rule=rule, Syslog_Server="192.0.2.1", **more)


@dataclass
class Bench:
    """URL -> response, and name -> addresses."""

    files: dict[str, WireResponse | bytes]
    names: dict[str, Sequence[str]] = field(default_factory=lambda: {HERE: ("192.0.2.1",)})
    option_66: str = "192.0.2.1"
    logged: list[str] = field(default_factory=list)

    def lease(self, _vendor_class: str) -> Lease | None:
        return Lease("192.0.2.20", {66: self.option_66, 1: "255.255.255.0"})

    def addresses(self, name: str) -> Sequence[str]:
        return (name,) if name[0].isdigit() else self.names.get(name, ())

    def fetch(self, request: WireRequest) -> WireResponse:
        response = self.files.get(f"{request.target.scheme}://{request.target.server}{request.target.path}", WireResponse(404))
        return WireResponse(200, response) if isinstance(response, bytes) else response

    def log(self, server: str, text: str) -> bool:
        if server == "192.0.2.1":
            self.logged.append(text)
        return True


def walk(files, model="ATA192", cycles=2, roots=b"", delivery="tftp", services=None, habits=(), **more):
    """Return the phone's rows by name, and the arguments of the report's functions. The station is prov.example.net."""
    bench = Bench(files, **more)
    phone = EmulatedPhone(Phone("test", Mac(MAC), BUILTIN.find_model(model), serial="FCH0000D001"), roots=roots, habits=habits)
    for _number in range(cycles):
        phone.power_up(bench, SystemClock())
        if phone.resync_failed:
            break
    station = {"bridge": {"address": "192.0.2.1"}, "services": services or {}}
    facts = {"mac": MAC, "log": bench.logged, "database": {"phone": None, "events": [{"kind": "lease"}, {"kind": "resync"}]}}
    known = {"station": station, "phones": [facts]}
    checked = {"deliveries": {MAC: delivery}, "names": [HERE]}
    report = phone.report()
    return {str(row.step): row for row in check_rows(report, known, checked)}, ([report], known, (), checked)


def results(rows, *wanted):
    return {step: row.result for step, row in rows.items() if row.result in wanted}


@pytest.mark.parametrize(
    ("server", "names", "response", "cause", "needed"),
    [
        (ELSEWHERE, {}, None, f"{ELSEWHERE} has no address on this bench, and is none", f"add {ELSEWHERE} to dns_server_records"),
        (ELSEWHERE, FAR, NO_ANSWER, f"{ELSEWHERE} (203.0.113.5) does not answer", "connect the bench with that server"),
        ("203.0.113.5", {}, NO_ANSWER, "203.0.113.5 does not answer on this bench", "connect the bench with that server"),
        (ELSEWHERE, FAR, WireResponse(404), f"{ELSEWHERE}, which is not this station, has no file", "in check_phones"),
        (ELSEWHERE, FAR, WireResponse(403), f"{ELSEWHERE}, which is not this station, has no file", "in check_phones"),
    ],
)
def test_a_server_elsewhere_is_not_here_and_does_not_fail(server, names, response, cause, needed):
    url = f"http://{server}/{MAC}.cfg"
    files = {FIRST: leading(f"[--key {KEY}] http://{server}/$MA.cfg"), **({url: response} if response else {})}
    rows, known = walk(files, names={HERE: ("192.0.2.1",), **names})
    assert results(rows, "failed", "-") == {}
    assert results(rows, "not here") == {"second trip": "not here", "decryption": "not here"}
    assert rows["second trip"].what == f"{server} is not this station"
    assert failures(*known) == []
    (note,) = [line for line in format_check(*known).splitlines() if line.startswith("not here")]
    assert note.startswith(f"not here, second trip: {cause}")
    assert needed in note


@pytest.mark.parametrize(
    ("rule", "names", "response", "row"),
    [
        # The bench's own DNS server is to resolve it
        (f"http://{HERE}/$MA.cfg", {}, None, "name"),
        (f"http://{HERE.upper()}./$MA.cfg", {}, None, "name"),
        (f"http://{HERE}/$MA.cfg", {HERE: ("192.0.2.1",)}, WireResponse(404), "second trip"),
        # Its records lead to another machine, which has to be there
        (f"http://{HERE}/$MA.cfg", {HERE: ("203.0.113.5",)}, NO_ANSWER, "second trip"),
        # Another name, but the station itself, or a machine on the bench's wire
        (f"http://{ELSEWHERE}/$MA.cfg", {ELSEWHERE: ("192.0.2.1",)}, WireResponse(404), "second trip"),
        (f"http://{ELSEWHERE}/$MA.cfg", {ELSEWHERE: ("192.0.2.7",)}, NO_ANSWER, "second trip"),
        ("http://192.0.2.7/$MA.cfg", {}, NO_ANSWER, "second trip"),
        # The phone has got a file that it cannot use
        (f"[--key {KEY}] http://{ELSEWHERE}/$MA.cfg", FAR, profile(), "decryption"),
        (f"http://{ELSEWHERE}/$MA.cfg", FAR, b"<flat-profile", "second trip"),
        # All phones would get the same file, wherever that is
        (f"http://{ELSEWHERE}/all.cfg", {}, None, "profile"),
        (f"http://{ELSEWHERE}/all.cfg", FAR, NO_ANSWER, "profile"),
        (f"( $SN eq x ? http://{ELSEWHERE}/$MA.cfg", {}, None, "second trip"),
    ],
)
def test_what_is_the_benchs_fault_fails(rule, names, response, row):
    server = rule.partition("//")[2].partition("/")[0]
    files = {FIRST: leading(rule), **({f"http://{server}/{MAC}.cfg": response} if response else {})}
    files |= {f"http://{server}/all.cfg": response} if response else {}
    rows, known = walk(files, names=names)
    assert results(rows, "failed") == {row: "failed"}
    assert failures(*known)[0].startswith(f"test, {row}: ")


def test_no_name_is_elsewhere_while_the_dns_server_is_down():
    rows, known = walk({FIRST: leading(f"http://{ELSEWHERE}/$MA.cfg")}, services={"names": "inactive"})
    assert results(rows, "failed") == {"name": "failed"}
    assert failures(*known)[0].startswith("test, name: The DNS server does not run.")


def test_the_benchs_trip_fails_by_whatever_server_it_leads_to():
    bootstrap = profile(Profile_Rule_B=f"https://{ELSEWHERE}/device/$MA.cfg")
    rows, known = walk({FIRST: bootstrap}, delivery="certificate", roots=ROOTS)
    assert results(rows, "failed") == {"name": "failed"}
    assert results(rows, "not here") == {}
    assert f"{ELSEWHERE} has no address on the bench" in failures(*known)[0]
    assert "dns_server_records" in failures(*known)[0]


def test_without_names_every_server_counts_as_the_benchs():
    _rows, (reports, known, left, checked) = walk({FIRST: leading(f"http://{ELSEWHERE}/$MA.cfg")})
    assert failures(reports, known, left, {"deliveries": checked["deliveries"]})[0].startswith("test, name: ")


@pytest.mark.parametrize("factory", [True, False])
def test_only_with_a_root_of_its_profile_can_a_phone_judge_a_certificate_elsewhere(factory):
    root = {} if factory else {"Custom_CA_URL": f"http://{HERE}/root.pem"}
    files = {
        FIRST: leading(f"https://{ELSEWHERE}/$MA.cfg", **root),
        f"http://{HERE}/root.pem": ROOTS,
        f"https://{ELSEWHERE}/{MAC}.cfg": WireResponse(0, failure=WireFailure.CHAIN, error="unknown CA"),
    }
    rows, known = walk(files, names={HERE: ("192.0.2.1",), **FAR}, roots=ROOTS)
    assert (rows["second trip"].result == "not here") == factory
    assert (rows["certificate"].result == "failed") == (not factory)
    assert bool(failures(*known)) == (not factory)


def test_messages_to_a_log_server_elsewhere_are_not_missed():
    service = profile(Syslog_Server="198.51.100.9")
    files = {FIRST: leading(f"http://{HERE}/$MA.cfg"), f"http://{HERE}/{MAC}.cfg": service}
    rows, _known = walk(files)
    assert (rows["syslog"].result, rows["syslog"].what) == ("ok", "2 of 2 messages arrived; those to 198.51.100.9 are not here")


def test_messages_to_a_wrong_server_on_the_bench_are_missed():
    own = profile(Profile_Rule=f"http://{HERE}/$MA.cfg", Syslog_Server="198.51.100.9")
    files = {FIRST: own, f"http://{HERE}/{MAC}.cfg": profile()}
    rows, known = walk(files)
    assert rows["syslog"].result == "failed"
    assert "It logs to 198.51.100.9, which is not this station" in failures(*known)[0]


def test_files_of_another_firmware_are_no_delivery():
    other = f"tftp://192.0.2.1/SEP{MAC.upper()}.cnf.xml"
    rows, _known = walk({other: b"of another firmware"}, habits=[Habit.OTHER_NAMES])
    assert results(rows, "failed") == {"profile": "failed"}
    assert rows["name"].result == "-"


# -- upgrades


@pytest.mark.parametrize("delivery", ["tftp", "certificate"])
def test_firmware_has_a_row_of_its_own(delivery):
    own = leading(f"[--key {KEY}] http://{HERE}/$MA.cfg", Profile_Rule_B="", Upgrade_Rule=IMAGE)
    device = f"https://{HERE}/device/{MAC}.cfg"
    first = own if delivery == "tftp" else profile(Profile_Rule_B=f"https://{HERE}/device/$MA.cfg", Upgrade_Rule=IMAGE)
    files = {FIRST: first, device: own, IMAGE: b"an image", f"http://{HERE}/{MAC}.cfg": seal(profile(), KEY, "md5")}
    rows, _known = walk(files, delivery=delivery, roots=ROOTS)
    assert results(rows, "failed", "-") == {}
    assert rows["upgrade"].what == "HTTP /firmware/ATA19X.12-0-1.img, 8 bytes: 1 files, now 12-0-1"
    assert rows["profile"].what.startswith("TFTP /ata192.cfg" if delivery == "tftp" else f"HTTPS /device/{MAC}.cfg")
    assert rows["bootstrap"].what.startswith("the first file" if delivery == "tftp" else "TFTP /ata192.cfg")
    assert rows["second trip"].what.startswith(f"HTTP /{MAC}.cfg")


def test_an_upgrade_that_is_not_needed_is_skipped():
    image = IMAGE.replace("12-0-1", BUILTIN.find_model("ATA192").family.firmware)
    files = {FIRST: leading(f"http://{HERE}/$MA.cfg", Upgrade_Rule=image), f"http://{HERE}/{MAC}.cfg": profile()}
    rows, _known = walk(files)
    assert (rows["upgrade"].result, rows["upgrade"].what) == ("skipped", "this version is already running")


@pytest.mark.parametrize(
    ("image", "elsewhere", "result"),
    [
        (IMAGE, HERE, "failed"),
        (IMAGE, ELSEWHERE, "failed"),
        (IMAGE.replace(HERE, "files.example.com"), HERE, "not here"),
        (IMAGE.replace(HERE, "files.example.com"), ELSEWHERE, "not here"),
    ],
)
def test_firmware_that_is_missing_fails_only_where_the_bench_is_to_have_it(image, elsewhere, result):
    """Whether or not the customer's server is here."""
    files = {FIRST: leading(f"http://{elsewhere}/$MA.cfg", Upgrade_Rule=image), f"http://{HERE}/{MAC}.cfg": profile()}
    rows, known = walk(files)
    assert rows["upgrade"].result == result
    assert rows["second trip"].result == ("ok" if elsewhere == HERE else "not here")
    assert [line.partition(":")[0] for line in failures(*known)] == (["test, upgrade"] if result == "failed" else [])


# -- an https URL from DHCP


@pytest.mark.parametrize("roots", [ROOTS, b""])
def test_a_factory_new_phone_that_dhcp_leads_to_https_needs_another_option_or_another_certificate(roots):
    refused = WireResponse(0, failure=WireFailure.CHAIN, error="unable to get local issuer certificate")
    urls = (f"https://{HERE}{path}" for path in ("/8851-3PCC.xml", f"/Cisco/CP-8851-3PCC/{MAC}.cfg", "/"))
    rows, known = walk(dict.fromkeys(urls, refused), "CP-8851-3PCC", option_66=f"https://{HERE}", roots=roots)
    assert results(rows, "failed") == {"certificate": "failed"}
    (line,) = failures(*known)
    assert "DHCP option 66 leads it to an https URL, and a factory-new unit trusts only the roots that its maker" in line
    assert "Leave dhcp_server_option_66 (option_66 in dhcp_server_families) empty, so that phones come by TFTP" in line
    assert "certificates_signed" in line
    # It cannot help, because no profile has reached the phone
    assert "phone_profiles_ca_url" not in format_check(*known)


# -- the summary


def test_the_summary_names_the_steps_once():
    assert summarise_failures([]) == ""
    lines = ["a, name: It. Do so.", "a, name: Or.", "station, names: x", *(f"p{number}, lease: x" for number in range(9))]
    assert summarise_failures(lines) == (
        "failed: a, name; station, names; p0, lease; p1, lease; p2, lease and 6 more."
        " The lines below the table say why, and what to do."
    )


def test_a_need_of_many_phones_is_told_once_and_they_keep_one_line_each():
    _rows, ([report], known, left, checked) = walk({FIRST: leading(f"http://{ELSEWHERE}/$MA.cfg")})
    lines = format_check([report] * 21, known, left, checked).splitlines()
    assert [line.split(maxsplit=3)[2:] for line in lines[2:23]] == [["all", "ok      not here: second trip"]] * 21
    assert sum(line.startswith("not here, ") for line in lines) == 1
