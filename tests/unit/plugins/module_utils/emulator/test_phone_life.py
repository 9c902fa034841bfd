# SPDX-License-Identifier: GPL-3.0-or-later
"""A phone over time: remote customization, timers on a clock that jumps, upgrades, reports, loops and limits."""

from __future__ import annotations

import dataclasses
import itertools
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.common.mac import Mac
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.device.ports import (
    Lease,
    WireFailure,
    WireRequest,
    WireResponse,
)
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.fetching.fetcher import MAX_REQUESTS
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.phone import EmulatedPhone
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.resync.customization_client import VENDOR
from ansible_collections.voip.preprovision.plugins.module_utils.events.causes.failure_codes import FailureCode
from ansible_collections.voip.preprovision.plugins.module_utils.events.progress.customization_states import CustomizationState
from ansible_collections.voip.preprovision.plugins.module_utils.families.catalogue import BUILTIN
from ansible_collections.voip.preprovision.plugins.module_utils.phones.phone import Phone
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.flat_profile import build, read_parameters
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.sealing.aes128gcm import decrypt_content
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.sealing.openssl_enc import seal, unseal

KEY = "0123456789abcdef0123456789abcdef"
MAC = "00005e005301"
NOON = 1_781_524_800.0  # 2026-06-15 12:00 UTC
FACTORY = "tftp://192.0.2.1/ata192.cfg"
OWN = f"http://h/{MAC}.cfg"
RULE = "http://h/$MA.cfg"
CODES = set(FailureCode) - {FailureCode.UNREACHABLE, FailureCode.NO_LOG, FailureCode.NO_EVENT}


def profile(**values):
    return build(read_parameters(values))


class JumpingClock:
    """A clock that advances only by sleep()."""

    def __init__(self, now=NOON):
        self.time = now
        self.slept = []

    def now(self):
        return self.time

    def sleep(self, seconds):
        assert seconds >= 0
        self.slept.append(seconds)
        self.time += seconds


@dataclass
class Bench:
    """A bench as a table: URL -> response, content, a list of either to return in turn, or a function of the request."""

    files: dict[str, object]
    options: dict[int, str] | None = field(default_factory=lambda: {66: "192.0.2.1"})
    names: dict[str, Sequence[str]] = field(default_factory=dict)
    clock: JumpingClock = field(default_factory=JumpingClock)
    requested: list[str] = field(default_factory=list)
    requests: list[WireRequest] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    logged: list[str] = field(default_factory=list)

    def lease(self, _vendor_class: str) -> Lease | None:
        return None if self.options is None else Lease("192.0.2.20", self.options)

    def addresses(self, name: str) -> Sequence[str]:
        return self.names.get(name, (name,) if name[:1].isdigit() else ("192.0.2.1",))

    def fetch(self, request: WireRequest) -> WireResponse:
        url = f"{request.target.scheme}://{request.target.server}{request.target.path}"
        self.requested.append(url)
        self.requests.append(request)
        self.times.append(self.clock.now() - NOON)
        response = self.files.get(url, WireResponse(404))
        if isinstance(response, list):
            response = response.pop(0) if len(response) > 1 else response[0]
        if callable(response):
            response = response(request)
        return WireResponse(200, response) if isinstance(response, bytes) else response

    def log(self, _server: str, text: str) -> bool:
        self.logged.append(text)
        return True


def unit(model="ATA192", family=None, **more):
    found = BUILTIN.find_model(model)
    if family:
        found = dataclasses.replace(found, family=dataclasses.replace(found.family, **family))
    return EmulatedPhone(Phone("desk", Mac(MAC), found, serial="FCH0000D001"), rng=random.Random(1), **more)  # noqa: S311


def power_up(bench, phone=None, cycles=1):
    phone = phone or unit()
    for _number in range(cycles):
        phone.power_up(bench, bench.clock)
    return phone.report()


def of(report, step):
    return [(entry["what"], entry["outcome"], entry["detail"]) for entry in report["steps"] if entry["step"] == step]


# -- steps


def test_records_the_steps_of_a_successful_trip():
    first = profile(Profile_Rule=f"[--key {KEY}] {RULE}", Profile_Rule_B=f"[--key {KEY}] {RULE}", Syslog_Server="192.0.2.1")
    report = power_up(Bench({FACTORY: first, OWN: seal(profile(), KEY, "md5")}))
    assert [(step["step"], step["outcome"]) for step in report["steps"]] == [
        ("lease", "ok"),
        ("options", "ok"),
        ("name", "skipped"),
        ("fetch", "ok"),
        ("open", "ok"),
        ("apply", "ok"),
        ("log", "ok"),
        ("log", "ok"),
        ("name", "ok"),
        ("fetch", "ok"),
        ("open", "ok"),
        ("apply", "ok"),
        ("log", "ok"),
        ("customization", "ok"),
    ]
    assert of(report, "options") == [("DHCP", "ok", "option 66: 192.0.2.1")]
    assert of(report, "open")[1] == (OWN, "ok", "decrypted")
    assert report["failure"] == {"code": "", "step": "", "what": "", "facts": {}}
    assert {step["power_up"] for step in report["steps"]} == {1}


@pytest.mark.parametrize(
    ("options", "files", "code", "step"),
    [
        (None, {}, "no_lease", "lease"),
        ({6: "192.0.2.1"}, {}, "no_option", "options"),
        ({66: "http://h/"}, {}, "no_option", "options"),
        ({66: "gone"}, {}, "no_address", "name"),
        ({66: "192.0.2.1"}, {}, "not_found", "fetch"),
        ({66: "192.0.2.1"}, {FACTORY: WireResponse(0, failure=WireFailure.REFUSED)}, "refused", "fetch"),
        ({66: "192.0.2.1"}, {FACTORY: WireResponse(0, failure=WireFailure.TIMEOUT)}, "timeout", "fetch"),
        ({66: "192.0.2.1"}, {FACTORY: WireResponse(0, failure=WireFailure.TOO_LARGE)}, "too_large", "fetch"),
        ({66: "192.0.2.1"}, {FACTORY: WireResponse(0, failure=WireFailure.UNREACHABLE)}, "no_answer", "fetch"),
        ({66: "192.0.2.1"}, {FACTORY: WireResponse(0, failure=WireFailure.PROTOCOL)}, "no_answer", "fetch"),
        ({66: "192.0.2.1"}, {FACTORY: WireResponse(0, failure=WireFailure.TFTP)}, "forbidden", "fetch"),
        ({66: "192.0.2.1"}, {FACTORY: b"rubbish"}, "corrupt", "open"),
        ({66: "192.0.2.1"}, {FACTORY: b"Salted__12345678"}, "key_missing", "open"),
        ({66: "192.0.2.1"}, {FACTORY: profile(Profile_Rule_B="ftp://h/a")}, "rule", "apply"),
        ({66: "192.0.2.1"}, {FACTORY: profile(Profile_Rule_B="https://h/a")}, "no_root", "fetch"),
        ({66: "192.0.2.1"}, {FACTORY: profile(Proxy_1_="x")}, "no_own_file", "apply"),
        ({66: "192.0.2.1"}, {FACTORY: profile(Profile_Rule="http://h/all.cfg")}, "no_own_file", "apply"),
    ],
)
def test_failures_have_codes(options, files, code, step):
    report = power_up(Bench(files, options, names={"gone": ()}))
    failure = report["failure"]
    assert failure["code"] == code
    assert failure["what"] == report["cause"]
    assert failure["step"] == step
    if code != "no_own_file":
        assert [entry["outcome"] for entry in report["steps"] if entry["step"] == step][-1] == "failed"


def test_each_power_up_has_its_own_failure():
    bench = Bench({})
    phone = unit()
    assert power_up(bench, phone)["failure"]["code"] == "not_found"
    bench.options = None
    report = power_up(bench, phone)
    assert (report["failure"]["code"], report["cause"]) == ("no_lease", "power-up 2: no DHCP server assigned an address")


def test_other_locations_of_an_option_do_not_count_as_failures():
    bench = Bench({f"http://192.0.2.1/Cisco/CP-8851-3PCC/{MAC}.cfg": profile(Profile_Rule=RULE)})
    report = power_up(bench, unit("CP-8851-3PCC"))
    assert report["state"] == "preprovisioned"
    assert [outcome for _what, outcome, _detail in of(report, "fetch")] == ["skipped", "skipped", "skipped", "ok"]


def test_reports_the_failures_of_several_locations():
    report = power_up(Bench({}), unit("CP-8851-3PCC"))
    assert report["failure"]["code"] == "not_found"
    assert [other["code"] for other in report["failure"]["facts"]["others"]] == [*["not_found"] * 3, "no_root", "no_root"]


def test_records_messages_that_could_not_be_sent():
    bench = Bench({FACTORY: profile(Profile_Rule=RULE, Profile_Rule_B=RULE, Syslog_Server="192.0.2.1"), OWN: profile()})
    bench.log = lambda _server, _text: False
    report = power_up(bench)
    assert of(report, "log") == [("192.0.2.1", "failed", event) for event in ("success", "request", "success")]
    assert [message["sent"] for message in report["messages"]] == [False] * 3
    assert report["state"] == "preprovisioned"


def test_hides_secrets_from_before_a_reset():
    first = profile(Profile_Rule=RULE, Profile_Rule_B="http://h/secret-password", Password_1_="secret-password")
    bench = Bench({FACTORY: [first, WireResponse(404)], "http://h/secret-password": profile()})
    phone = unit()
    power_up(bench, phone)
    phone.factory_reset()
    assert "secret-password" not in json.dumps(power_up(bench, phone))


def test_hides_parameters_that_the_family_declares_secret():
    bench = Bench({FACTORY: profile(Profile_Rule_B="http://h/$C", GPP_C="nobody-may-know")})
    assert "nobody-may-know" not in json.dumps(power_up(bench, unit(family={"hidden": ("GPP_C",)})))


# -- addresses


def no_answer(failure):
    return lambda request: (
        WireResponse(0, failure=failure, error=failure) if request.address != "192.0.2.10" else WireResponse(200, profile())
    )


@pytest.mark.parametrize("failure", ["refused", "timeout", "unreachable"])
def test_tries_addresses_until_a_server_responds(failure):
    addresses = [f"192.0.2.{number}" for number in range(1, 12)]
    files = {FACTORY: profile(Profile_Rule=RULE, Profile_Rule_B="http://many/b"), "http://many/b": no_answer(failure)}
    bench = Bench(files, names={"many": addresses})
    assert power_up(bench)["state"] == "preprovisioned"
    assert [request.address for request in bench.requests[1:]] == addresses[:10]


def test_tries_at_most_ten_addresses_and_logs_when_none_responds():
    addresses = [f"192.0.2.{number}" for number in range(11, 31)]
    first = profile(Profile_Rule=RULE, Profile_Rule_B="http://many/b", Syslog_Server="192.0.2.1")
    bench = Bench({FACTORY: first, "http://many/b": no_answer("refused")}, names={"many": addresses})
    report = power_up(bench)
    assert [request.address for request in bench.requests[1:]] == addresses[:10]
    assert report["failure"]["code"] == "no_answer"
    assert "none of its 10 addresses responds" in bench.logged[-1]
    assert "Resync failed" in bench.logged[-1]


@pytest.mark.parametrize(
    "response",
    [
        WireResponse(404),
        WireResponse(503),
        WireResponse(0, failure=WireFailure.HANDSHAKE),
        WireResponse(0, failure=WireFailure.TOO_LARGE),
    ],
)
def test_tries_no_further_address_after_a_bad_response(response):
    files = {FACTORY: profile(Profile_Rule_B="http://many/b"), "http://many/b": response}
    bench = Bench(files, names={"many": ("192.0.2.1", "192.0.2.2")})
    power_up(bench)
    assert bench.requested.count("http://many/b") == 1


# -- certificates: verify_certificate of each request is called as the wire calls it


def secure(issued, **first):
    der = issued.certificate.public_bytes(Encoding.DER)

    def page(request):
        why = request.verify_certificate(der)
        return (
            WireResponse(0, failure=WireFailure.CERTIFICATE, error=why, certificate=der)
            if why
            else WireResponse(200, profile(), certificate=der)
        )

    url = "https://prov.example.net/b"
    return {
        FACTORY: profile(Profile_Rule=RULE, Profile_Rule_B=url, Custom_CA_URL="http://h/ca", **first),
        "http://h/ca": ROOTS,
        url: page,
    }


ROOTS = b"-----BEGIN CERTIFICATE-----\n"


@pytest.mark.parametrize(
    ("issue", "first", "code"),
    [
        ({}, {}, ""),
        ({"cn": "prov.example.net/info"}, {}, ""),
        ({"cn": "other.example.net"}, {}, "certificate_name"),
        ({"san": None}, {}, "certificate_name"),
        ({"san": None}, {"HTTPS_Name_Validate": "No"}, ""),
    ],
)
def test_verifies_names_in_certificates(tiny_ca, issue, first, code):
    bench = Bench(secure(tiny_ca.issue(**issue), **first))
    report = power_up(bench)
    assert report["failure"]["code"] == code
    assert of(report, "certificate")[-1][1] == ("failed" if code else "ok")
    assert bench.requests[-1].roots == ROOTS


def test_fetches_roots_again_after_a_reset(tiny_ca):
    bench = Bench(secure(tiny_ca.issue()))
    phone = unit()
    power_up(bench, phone, 2)
    assert bench.requested.count("http://h/ca") == 1
    phone.factory_reset()
    power_up(bench, phone)
    assert bench.requested.count("http://h/ca") == 2


def test_verifies_the_address_that_a_certificate_names(tiny_ca):
    bench = Bench(secure(tiny_ca.issue()))
    looked_up = iter([("192.0.2.1",)])
    bench.names = {}
    bench.addresses = lambda name: next(looked_up, ("192.0.2.9",)) if name == "prov.example.net" else ("192.0.2.1",)
    assert power_up(bench)["failure"]["code"] == "certificate_address"


@pytest.mark.parametrize(
    ("days", "failure", "code"),
    [
        ((-1, 90), WireFailure.CERTIFICATE_TIME, "certificate_time"),
        ((-90, -1), WireFailure.CHAIN, "certificate_time"),
        ((1, 90), WireFailure.CHAIN, "certificate_time"),
        ((-1, 90), WireFailure.CHAIN, "chain"),
    ],
)
def test_tells_expired_certificates_from_untrusted_ones(tiny_ca, days, failure, code):
    issued = tiny_ca.issue(days=days)
    files = secure(issued)
    der = issued.certificate.public_bytes(Encoding.DER)
    files["https://prov.example.net/b"] = WireResponse(0, failure=failure, certificate=der)
    bench = Bench(files, clock=JumpingClock(tiny_ca.now.timestamp()))
    assert power_up(bench)["failure"]["code"] == code


# -- remote customization

SERVICE = "http://rc.example.net/customization"
ASKED = f"{SERVICE}?mac=00005E005301&model=ATA192-MPP"


@pytest.mark.parametrize(
    ("options", "files", "state", "preprovisioned", "states"),
    [
        # DHCP leads to a profile: the service is not asked
        ({66: "192.0.2.1"}, {FACTORY: profile(Profile_Rule=RULE)}, CustomizationState.ABORTED, True, [CustomizationState.ABORTED]),
        # No option, or no file: the service is asked
        ({}, {ASKED: b""}, CustomizationState.UNAVAILABLE, False, [CustomizationState.PENDING, CustomizationState.UNAVAILABLE]),
        (
            {66: "192.0.2.1"},
            {ASKED: b""},
            CustomizationState.UNAVAILABLE,
            False,
            [CustomizationState.PENDING, CustomizationState.UNAVAILABLE],
        ),
        ({}, {ASKED: WireResponse(500)}, CustomizationState.PENDING, False, [CustomizationState.PENDING]),
        (
            {},
            {ASKED: WireResponse(0, failure=WireFailure.TIMEOUT)},
            CustomizationState.PENDING,
            False,
            [CustomizationState.PENDING],
        ),
        (
            {},
            {ASKED: b"http://h/sp"},
            CustomizationState.CUSTOM_PENDING,
            False,
            [CustomizationState.PENDING, CustomizationState.CUSTOM_PENDING],
        ),
        (
            {},
            {ASKED: b"nonsense"},
            CustomizationState.CUSTOM_PENDING,
            False,
            [CustomizationState.PENDING, CustomizationState.CUSTOM_PENDING],
        ),
        (
            {},
            {ASKED: b"http://h/sp\n", "http://h/sp": profile(Profile_Rule=RULE)},
            CustomizationState.ACQUIRED,
            True,
            [CustomizationState.PENDING, CustomizationState.CUSTOM_PENDING, CustomizationState.ACQUIRED],
        ),
        (
            {},
            {ASKED: f"[--key {KEY}] http://h/sp".encode(), "http://h/sp": seal(profile(Profile_Rule=RULE), KEY, "md5")},
            CustomizationState.ACQUIRED,
            True,
            [CustomizationState.PENDING, CustomizationState.CUSTOM_PENDING, CustomizationState.ACQUIRED],
        ),
    ],
)
def test_customization(options, files, state, preprovisioned, states):
    bench = Bench(files, options)
    report = power_up(bench, unit(customization=SERVICE))
    assert report["customization"] == state
    assert (report["state"] == "preprovisioned") is preprovisioned
    moves = [detail.partition(" -> ")[2] for _what, _outcome, detail in of(report, "customization") if " -> " in detail]
    assert moves == states
    assert KEY not in json.dumps(report)


def test_does_not_show_an_answer_that_is_not_a_rule():
    report = power_up(Bench({ASKED: profile(Password_1_="secret-password")}, {}), unit(customization=SERVICE))
    assert (report["customization"], report["failure"]["code"]) == (CustomizationState.CUSTOM_PENDING, "no_option")
    assert "secret-password" not in json.dumps(report)


def test_asks_no_service_without_a_lease():
    bench = Bench({ASKED: b"http://h/sp"}, None)
    assert power_up(bench, unit(customization=SERVICE))["customization"] == CustomizationState.OPEN
    assert bench.requested == []


def test_stays_open_without_a_service():
    report = power_up(Bench({}))
    assert report["customization"] == CustomizationState.OPEN
    assert of(report, "customization")[0][1] == "skipped"


@pytest.mark.parametrize(
    ("aborted_by", "files", "state"),
    [
        ("option", {}, CustomizationState.ABORTED),
        ("profile", {}, CustomizationState.UNAVAILABLE),
        ("option", {FACTORY: profile(Profile_Rule=RULE)}, CustomizationState.ABORTED),
    ],
)
def test_dhcp_aborts_customization(aborted_by, files, state):
    phone = unit(family={"customization_aborted_by": aborted_by}, customization=SERVICE)
    assert power_up(Bench({ASKED: b"", **files}), phone)["customization"] == state


@pytest.mark.parametrize(("version", "host"), [("11-1-0MPP-16", "webapps.cisco.com"), ("11-2-1MPP0001-006", "activate.cisco.com")])
def test_asks_the_vendors_service(version, host):
    bench = Bench({}, {})
    phone = unit(family={"firmware": version, "custom_ca": None}, customization=VENDOR, roots=ROOTS)
    power_up(bench, phone)
    assert bench.requested == [f"https://{host}/customization?mac=00005E005301&model=ATA192-MPP"]


def test_retries_dhcp_and_the_service():
    files = {FACTORY: [WireResponse(404), WireResponse(404), profile(Profile_Rule=RULE)], ASKED: [WireResponse(500), b"", b""]}
    bench = Bench(files)
    phone = unit(customization=SERVICE)
    phone.run(bench, bench.clock, NOON + 3 * 3600)
    assert bench.requested[:5] == [FACTORY, ASKED, FACTORY, ASKED, FACTORY]
    assert phone.report()["customization"] == CustomizationState.ABORTED


def test_a_profile_by_dhcp_aborts_customization_even_if_a_later_rule_fails():
    first = profile(Profile_Rule=RULE, Profile_Rule_B="http://h/b", Resync_Error_Retry_Delay="60")
    bench = Bench({FACTORY: first, OWN: profile(), "http://h/b": [WireResponse(500), profile()], ASKED: WireResponse(500)})
    phone = unit(customization=SERVICE)
    phone.run(bench, bench.clock, NOON + 30)
    assert phone.customization == CustomizationState.PENDING
    phone.resync(bench)
    assert phone.customization == CustomizationState.ABORTED
    phone.set_up_by_hand({"Profile_Rule_B": "http://h/b"})
    phone.factory_reset()
    bench.files[FACTORY] = WireResponse(404)
    phone.resync(bench)
    assert phone.customization == CustomizationState.PENDING


def test_acquired_phones_ask_again_only_after_a_reset():
    bench = Bench({ASKED: b"http://h/sp", "http://h/sp": profile(Profile_Rule=RULE), OWN: [WireResponse(404), profile()]}, {})
    phone = unit(customization=SERVICE)
    power_up(bench, phone, 3)
    assert bench.requested.count(ASKED) == 1
    phone.factory_reset()
    assert phone.report()["customization"] == CustomizationState.OPEN
    power_up(bench, phone)
    assert bench.requested.count(ASKED) == 2
    assert phone.report()["customization"] == CustomizationState.ACQUIRED


@pytest.mark.parametrize(
    "before",
    [CustomizationState.OPEN, CustomizationState.PENDING, CustomizationState.UNAVAILABLE, CustomizationState.CUSTOM_PENDING],
)
def test_set_up_by_hand(before):
    answers = {
        CustomizationState.OPEN: None,
        CustomizationState.PENDING: WireResponse(500),
        CustomizationState.UNAVAILABLE: b"",
        CustomizationState.CUSTOM_PENDING: b"http://h/sp",
    }
    bench = Bench({ASKED: answers[before]}, {})
    phone = unit(customization=SERVICE)
    if before != CustomizationState.OPEN:
        power_up(bench, phone)
    assert phone.customization == before
    phone.set_up_by_hand({"Profile_Rule": RULE})
    assert phone.customization == CustomizationState.ABORTED
    bench.requested.clear()
    power_up(bench, phone)
    assert bench.requested == [OWN]


def test_families_without_remote_customization():
    bench = Bench({}, {})
    assert power_up(bench, unit("SPA504G", customization=SERVICE))["customization"] == CustomizationState.OPEN
    assert bench.requested == []


# -- timers


def live(files, hours, phone=None, **first):
    """Run a phone for *hours* with its first file's parameters; return the times of requests for its own file, report and bench."""
    bench = Bench({FACTORY: profile(Profile_Rule=RULE, Resync_Random_Delay="0", **first), OWN: profile(), **files})
    phone = phone or unit(family={})
    phone.set_up_by_hand({"Resync_Random_Delay": "0"})
    phone.run(bench, bench.clock, NOON + hours * 3600)
    return [when for url, when in zip(bench.requested, bench.times, strict=True) if url == OWN], phone.report(), bench


def test_delays_the_first_contact():
    bench = Bench({FACTORY: profile(Profile_Rule=RULE)})
    unit().run(bench, bench.clock, NOON + 60)
    assert 0 < bench.times[0] <= 40
    idle = Bench({})
    unit().run(idle, idle.clock, NOON)
    assert idle.requested == []


def test_retries_dhcp():
    bench = Bench({FACTORY: profile(Profile_Rule=RULE)}, None)
    leases = iter([None, None, Lease("192.0.2.20", {66: "192.0.2.1"})])
    bench.lease = lambda _vendor_class: next(leases)
    phone = unit()
    phone.set_up_by_hand({"Resync_Random_Delay": "0", "Resync_Error_Retry_Delay": "30,600"})
    phone.run(bench, bench.clock, NOON + 700)
    assert (bench.requested, bench.times) == ([FACTORY], [630])
    assert phone.report()["state"] == "preprovisioned"


@pytest.mark.parametrize(
    ("first", "times"),
    [
        ({}, [3600, 7200, 10800]),
        ({"Resync_Periodic": "1800,5400"}, [1800, 7200]),
        ({"Resync_Periodic": "0"}, []),
        ({"Resync_Periodic": "never"}, [3600, 7200, 10800]),
        ({"Provision_Enable": "No"}, []),
    ],
)
def test_periodic_resyncs(first, times):
    assert live({}, 3, **first)[0] == times


def test_adds_random_parts():
    times = live({}, 24, Resync_Periodic="3600+600")[0]
    gaps = [later - earlier for earlier, later in zip([0, *times], times, strict=False)]
    assert all(3600 <= gap <= 4200 for gap in gaps)
    assert len(set(gaps)) > 5


@pytest.mark.parametrize(
    ("model", "delay", "times"),
    [
        ("ATA192", None, [3600, 7200, 10800, 14400]),
        ("ATA192", "600,1200", [3600, 4200, 5400, 6600, 7800, 9000, 10200, 11400, 12600, 13800]),
        ("ATA192", "0", [3600]),
        ("ATA192", "3600,x", [3600, 7200, 10800, 14400]),
    ],
)
def test_retries_errors(model, delay, times):
    first = {} if delay is None else {"Resync_Error_Retry_Delay": delay}
    assert live({OWN: WireResponse(503)}, 4, unit(model), **first)[0] == times


def test_multiplatform_phones_have_a_default_list():
    bench = Bench({})
    unit("CP-8851-3PCC").run(bench, bench.clock, NOON + 3600)
    starts = [when for url, when in zip(bench.requested, bench.times, strict=True) if url == "tftp://192.0.2.1/8851-3PCC.xml"]
    assert [round(later - earlier) for earlier, later in itertools.pairwise(starts)] == [60, 120, 240, 480, 960]


def test_retries_at_once_for_a_delay_of_zero_where_guides_say_so():
    bench = Bench({})
    phone = unit("SPA504G")
    phone.set_up_by_hand({"Resync_Error_Retry_Delay": "0", "Resync_Random_Delay": "0"})
    phone.run(bench, bench.clock, NOON + 10)
    assert bench.times == list(range(11))


def test_returns_to_the_period_after_a_success():
    answers = [WireResponse(503), WireResponse(404), profile(), WireResponse(503), profile()]
    times, report, _bench = live({OWN: answers}, 2.5, Resync_Error_Retry_Delay="60,120")
    assert times == [3600, 3660, 3780, 7380, 7440]
    assert report["next_resync"] == {"seconds": 3600.0, "timer": "Resync_Periodic"}
    assert report["cause"] == ""


def test_starts_again_with_the_first_rule_after_a_failure():
    files = {"http://h/b": [profile(), WireResponse(500), profile()], "http://h/c": profile()}
    times, _report, bench = live(files, 2, Profile_Rule_B="http://h/b", Profile_Rule_C="http://h/c", Resync_Error_Retry_Delay="60")
    later = [url for url, when in zip(bench.requested, bench.times, strict=True) if when]
    assert later == [OWN, "http://h/b", OWN, "http://h/b", "http://h/c", OWN, "http://h/b", "http://h/c"][: len(later)]
    assert times[:2] == [3600, 3660]


@pytest.mark.parametrize("name", ["Resync_At__HHmm_", "Resync_At_HHmm"])
def test_resync_at_replaces_the_period(name):
    times, report, _bench = live({}, 60, **{name: "1330", "Resync_Periodic": "60", "Resync_At_Random_Delay": "1200"})
    assert len(times) == 3
    assert all(5400 + day * 86400 <= when <= 6600 + day * 86400 for day, when in enumerate(times))
    assert report["next_resync"]["timer"] == "Resync_At"


@pytest.mark.parametrize(("model", "waited"), [("ATA192", 300 + 600), ("CP-8851-3PCC", 600)])
def test_calls_delay_a_resync(model, waited):
    factory = {"CP-8851-3PCC": "tftp://192.0.2.1/8851-3PCC.xml"}.get(model, FACTORY)
    bench = Bench({factory: profile(Profile_Rule=RULE, Resync_Random_Delay="0", Forced_Resync_Delay="600"), OWN: profile()})
    phone = unit(model)
    phone.set_up_by_hand({"Resync_Random_Delay": "0"})
    phone.busy_for = 300.0
    phone.run(bench, bench.clock, NOON + 2 * 3600 + waited)
    assert [when for url, when in zip(bench.requested, bench.times, strict=True) if url == OWN] == [3600 + waited, 7200 + waited]


def test_macros_hold_reason_and_age_of_the_resync():
    rule = "http://h/$MA?why=$PRVST&since=$PRVTMR"
    bench = Bench({FACTORY: profile(Profile_Rule=rule, Resync_Error_Retry_Delay="60", Resync_Random_Delay="0")})
    bench.files[f"http://h/{MAC}?why=1&since=3600"] = WireResponse(503)
    phone = unit()
    phone.set_up_by_hand({"Resync_Random_Delay": "0"})
    phone.run(bench, bench.clock, NOON + 3660)
    phone.resync(bench)
    assert bench.requested[1:] == [f"http://h/{MAC}?why={why}&since={since}" for why, since in ((1, 3600), (2, 60), (-1, 0))]


def test_triggers_may_use_counters():
    factory = "tftp://192.0.2.1/8851-3PCC.xml"
    first = {"Profile_Rule": RULE, "Resync_Trigger_1": "$PRVTMR ge 1000", "Resync_Periodic": "600"}
    bench = Bench({factory: profile(**first), OWN: profile()})
    phone = unit("CP-8851-3PCC")
    phone.set_up_by_hand({"Resync_Random_Delay": "0"})
    phone.run(bench, bench.clock, NOON + 3600)
    assert bench.times == [0, 1200, 2400, 3600]


@pytest.mark.parametrize(
    ("first", "times"),
    [
        # Evaluated once a minute
        ({"Resync_Trigger_1": "$PRVTMR ge 1000"}, [1020, 2040, 3060]),
        ({"Resync_Trigger_1": "1 eq 2", "Resync_Trigger_2": "$PRVTMR ge 1000"}, [1020, 2040, 3060]),
        ({"Resync_Trigger_2": "$PRVTMR ge 1000", "Resync_Periodic": "600"}, [600, 1200, 1800, 2400, 3000, 3600]),
        ({"Resync_Trigger_1": "nonsense"}, []),
        ({"Resync_Trigger_1": "$PRVTMR ge 1000", "Provision_Enable": "No"}, []),
    ],
)
def test_triggers_of_other_families_cause_a_resync(first, times):
    assert live({}, 1, **{"Resync_Periodic": "0", **first})[0] == times


def test_calls_delay_a_triggered_resync():
    bench = Bench({FACTORY: profile(Profile_Rule=RULE, Resync_Periodic="0", Resync_Trigger_1="1 eq 1"), OWN: profile()})
    phone = unit()
    phone.set_up_by_hand({"Resync_Random_Delay": "0", "Forced_Resync_Delay": "600"})
    phone.busy_for = 300.0
    phone.run(bench, bench.clock, NOON + 1000)
    assert [when for url, when in zip(bench.requested, bench.times, strict=True) if url == OWN] == [960]


@pytest.mark.parametrize(("trigger", "resyncs"), [("1 eq 1", True), ("1 eq 2", False), ("nonsense", False), ("", True)])
def test_triggers_of_multiplatform_phones_block_resyncs(trigger, resyncs):
    phone = unit("CP-8851-3PCC")
    phone.set_up_by_hand({"Resync_Trigger_1": trigger})
    bench = Bench({})
    report = power_up(bench, phone)
    assert bool(bench.requested) is resyncs
    assert (report["failure"]["code"] == "no_resync") is not resyncs


def test_a_requested_resync_may_have_its_own_rule():
    bench = Bench({FACTORY: profile(Profile_Rule=RULE), "http://h/once": profile(GPP_A="1")})
    phone = unit()
    assert phone.resync(bench, "http://h/once") is False
    phone.power_up(bench, bench.clock)
    assert phone.resync(bench, "http://h/once")
    assert bench.requested[-1] == "http://h/once"


# -- upgrades

ATA_RULE = (
    "($SWVER lt 11-2-1)? http://h/fw/ATA19X.11-2-1MPP0001-006.img | ($SWVER lt 12-0-1)? http://h/fw/ATA19x.12-0-1MPP0001-001.img"
)
FIRST, SECOND = "http://h/fw/ATA19X.11-2-1MPP0001-006.img", "http://h/fw/ATA19x.12-0-1MPP0001-001.img"


def upgrading(files, rule, model="ATA192", cycles=1, phone=None, **first):
    factory = f"tftp://192.0.2.1{BUILTIN.find_model(model).factory_file}"
    first = {"Profile_Rule": RULE, "Upgrade_Rule": rule, "Syslog_Server": "192.0.2.1", **first}
    bench = Bench({factory: profile(**first), OWN: profile(), **files})
    return power_up(bench, phone or unit(model), cycles), bench


def test_upgrades_through_intermediate_versions():
    report, bench = upgrading({FIRST: b"one", SECOND: b"two"}, ATA_RULE)
    assert bench.requested == [FACTORY, FIRST, OWN, SECOND, OWN]
    assert (report["firmware"], report["state"]) == ("12-0-1MPP0001-001", "preprovisioned")
    assert [request.headers["User-Agent"] for request in bench.requests if request.headers] == [
        f"Cisco/ATA192-MPP-{version} (FCH0000D001)" for version in ("11-1-0MPP-16", *["11-2-1MPP0001-006"] * 2, "12-0-1MPP0001-001")
    ]
    title = "<134>ATA192-MPP 00:00:5e:00:53:01 --"
    assert bench.logged[0] == f"{title} Successful resync {FACTORY.replace('192.0.2.1', '192.0.2.1:69')}"
    assert bench.logged[1] == f"{title} Requesting upgrade http://192.0.2.1:80/fw/ATA19X.11-2-1MPP0001-006.img"
    assert bench.logged[2] == f"{title} Successful upgrade http://192.0.2.1:80/fw/ATA19X.11-2-1MPP0001-006.img -- "


def test_fetches_the_files_that_a_load_names():
    load = "http://h/fw/sip88xx.12-0-1MPP-5.loads"
    files = {load: b"\x00kern.sbn\x00root.sbn\x00", "http://h/fw/kern.sbn": b"k", "http://h/fw/root.sbn": b"r"}
    report, bench = upgrading(files, f"($SWVER ne sip88xx.12-0-1MPP-5)? {load}", "CP-8851-3PCC")
    assert bench.requested[1:] == [*files, OWN]
    assert report["firmware"] == "sip88xx.12-0-1MPP-5"
    assert bench.requests[-1].headers["User-Agent"] == f"Cisco-CP-8851-3PCC/12.0.1 ({MAC})"


def test_fails_when_a_file_of_a_load_is_missing():
    load = "http://h/fw/sip88xx.12-0-1MPP-5.loads"
    report, _bench = upgrading({load: b"kern.sbn"}, load, "CP-8851-3PCC")
    assert report["failure"]["code"] == "upgrade"
    assert report["failure"]["facts"]["url"] == "http://h/fw/kern.sbn"
    assert report["firmware"] == "sip88xx.11-3-2MPP0001-609"


@pytest.mark.parametrize(
    ("rule", "first", "why"),
    [
        ("http://h/ATA19x.11-1-0MPP-16.img", {}, "this version is already running"),
        ("($SWVER lt 1-0-0)? http://h/x.img", {}, "no condition is true"),
        ("http://h/ATA19x.9-0-1.img", {"Downgrade_Rev_Limit": "10-0-0"}, "it is older than Downgrade_Rev_Limit 10-0-0"),
    ],
)
def test_skips_upgrades(rule, first, why):
    report, bench = upgrading({}, rule, **first)
    assert bench.requested == [FACTORY]
    assert of(report, "upgrade")[0][1:] == ("skipped", why)


def test_applies_assignments_of_an_upgrade_rule():
    rule = f'("$A" ne "done")? (GPP_A = "done"; Upgrade_Enable = "No";)! {FIRST}'
    report, bench = upgrading({FIRST: WireResponse(404)}, rule, cycles=2)
    assert bench.requested.count(FIRST) == 1
    assert report["state"] == "preprovisioned"


def test_upgrade_enable_switches_upgrades_off():
    report, bench = upgrading({}, FIRST, Upgrade_Enable="No")
    assert (bench.requested, report["state"]) == ([FACTORY], "preprovisioned")


def test_repeats_an_upgrade_only_when_the_rule_changes():
    files = {"http://h/x.img": b"x", "http://h/y.img": b"y"}
    phone = unit()
    report, bench = upgrading(files, "http://h/x.img", cycles=3, phone=phone)
    assert bench.requested.count("http://h/x.img") == 1
    assert report["firmware"] == "11-1-0MPP-16"
    assert "this upgrade has been done" in of(report, "upgrade")[-1][2]
    phone.set_up_by_hand({"Upgrade_Rule": "http://h/y.img"})
    power_up(bench, phone)
    assert bench.requested.count("http://h/y.img") == 1


def test_does_not_fetch_what_the_inactive_half_holds():
    phone = unit()
    _report, bench = upgrading({FIRST: b"1"}, FIRST, phone=phone)
    old = "http://h/fw/ATA19x.11-1-0MPP-16.img"
    phone.set_up_by_hand({"Upgrade_Rule": old})
    assert power_up(bench, phone)["firmware"] == "11-1-0MPP-16"
    assert old not in bench.requested


@pytest.mark.parametrize(
    ("response", "why"),
    [
        (WireResponse(404), "file not found"),
        (WireResponse(403), "HTTP status 403"),
        (b"", "the file is empty"),
        (b"other", "the checksum differs"),
    ],
)
def test_upgrades_that_fail(response, why):
    phone = unit(checksums={"ATA19X.11-2-1MPP0001-006.img": "00" * 32})
    report, bench = upgrading({FIRST: response}, FIRST, phone=phone)
    assert (report["failure"]["code"], report["firmware"]) == ("upgrade", "11-1-0MPP-16")
    assert why in report["cause"]
    assert "Upgrade failed: " in bench.logged[-1]
    # The profile was applied
    assert report["next_resync"]["timer"] == "Resync_Periodic"


def test_accepts_a_known_checksum():
    checksums = {"ATA19X.11-2-1MPP0001-006.img": "7692C3AD3540BB803C020B3AEE66CD8887123234EA0C6E7143C0ADD73FF431ED"}
    report, _bench = upgrading({FIRST: b"one"}, FIRST, phone=unit(checksums=checksums))
    assert report["firmware"] == "11-2-1MPP0001-006"


def test_macros_hold_the_last_upgrade():
    first = {"Syslog_Server": "192.0.2.1", "Log_Resync_Request_Msg": "$UPGERR, $UPGTMR s", "Resync_Periodic": "100"}
    bench = Bench({FACTORY: profile(Profile_Rule=RULE, Upgrade_Rule=FIRST, **first), OWN: profile()})
    phone = unit()
    phone.set_up_by_hand({"Resync_Random_Delay": "0"})
    phone.run(bench, bench.clock, NOON + 100)
    assert bench.logged[-2] == f"<134>{FIRST}: file not found, 100 s"


def test_reports_a_failed_resync_rather_than_a_failed_upgrade():
    report, _bench = upgrading({}, FIRST, Profile_Rule_B="http://h/b")
    assert (report["failure"]["code"], report["failure"]["facts"]["parameter"]) == ("not_found", "Profile_Rule_B")


def test_retries_failed_upgrades():
    bench = Bench(
        {
            FACTORY: profile(Profile_Rule=RULE, Upgrade_Rule=f"{FIRST}?try=$UPGST", Upgrade_Error_Retry_Delay="60,300"),
            OWN: profile(),
            f"{FIRST}?try=2": [WireResponse(500), b"good"],
        }
    )
    phone = unit()
    phone.set_up_by_hand({"Resync_Random_Delay": "0"})
    phone.run(bench, bench.clock, NOON + 3000)
    assert [(url[-1], when) for url, when in zip(bench.requested, bench.times, strict=True) if FIRST in url] == [
        ("1", 0),
        ("2", 60),
        ("2", 360),
    ]
    assert phone.report()["firmware"] == "11-2-1MPP0001-006"
    phone.set_up_by_hand({"Upgrade_Rule": "http://h/next?try=$UPGST"})
    power_up(bench, phone)
    assert bench.requested[-1] == "http://h/next?try=1"


@pytest.mark.parametrize(("minute", "code"), [(50, "upgrade"), (70, ""), (110, "report"), (210, "")])
def test_clears_failures_that_a_retry_resolves(minute, code):
    delays = {"Upgrade_Error_Retry_Delay": "3600", "Resync_After_Upgrade_Attempt": "No", "Resync_Periodic": "0"}
    reports = {"Report_Rule": "http://h/r", "Report_to_Server": "Periodically", "periodic_upload_to_server": "6000"}
    bench = Bench(
        {FACTORY: profile(Profile_Rule=RULE, Upgrade_Rule=FIRST, **delays, **reports), FIRST: [WireResponse(404), b"good"]}
    )
    bench.files["http://h/r"] = [WireResponse(500), WireResponse(200)]
    phone = unit()
    phone.set_up_by_hand({"Resync_Random_Delay": "0"})
    phone.run(bench, bench.clock, NOON + minute * 60)
    assert phone.report()["failure"]["code"] == code


def test_a_resync_does_not_retry_a_failed_upgrade_early():
    delays = {"Resync_Periodic": "100", "Upgrade_Error_Retry_Delay": "1050"}
    bench = Bench({FACTORY: profile(Profile_Rule=RULE, Upgrade_Rule=FIRST, **delays), OWN: profile()})
    phone = unit()
    phone.set_up_by_hand({"Resync_Random_Delay": "0"})
    phone.run(bench, bench.clock, NOON + 1100)
    assert [when for url, when in zip(bench.requested, bench.times, strict=True) if url == FIRST] == [0, 1050]


def test_stops_upgrades_that_lead_back():
    rule = f"($SWVER eq 11-2-1MPP0001-006)? {SECOND} | {FIRST}"
    report, bench = upgrading({FIRST: b"1", SECOND: b"2"}, rule)
    assert report["failure"]["facts"].get("version") == "11-2-1MPP0001-006"
    assert (report["failure"]["code"], bench.requested.count(SECOND)) == ("loop", 1)


def test_stops_endless_upgrades():
    bench = Bench({FACTORY: profile(Profile_Rule=f"{RULE}?$A", Upgrade_Rule="http://h/fw?$A", GPP_A="0")})
    counted = itertools.count(1)
    bench.files = _Counting(bench.files, counted)
    report = power_up(bench)
    assert report["failure"]["code"] == "loop"
    assert len(bench.requested) < 40


class _Counting(dict):
    """Every file names another one."""

    def __init__(self, files, counted):
        super().__init__(files)
        self.counted = counted

    def get(self, url, _default):
        if url in self:
            return self[url]
        return b"load" if "/fw" in url else profile(GPP_A=str(next(self.counted)))


def test_skips_the_resync_after_an_upgrade_where_it_is_off():
    _report, bench = upgrading({FIRST: b"1"}, FIRST, Resync_After_Upgrade_Attempt="No")
    assert bench.requested == [FACTORY, FIRST]


# -- reports


def reporting(rule, model="ATA192", response=None, **first):
    factory = f"tftp://192.0.2.1{BUILTIN.find_model(model).factory_file}"
    secrets = {"GPP_SA": "secret-one", "GPP_SB": "", "Password_1_": "secret-two", "GPP_A": "shown"}
    bench = Bench({factory: profile(Profile_Rule=f"[--key {KEY}] {RULE}", Report_Rule=rule, **secrets, **first)})
    phone = unit(model)
    phone.power_up(bench, bench.clock)
    bench.requests.clear()
    for url in ("http://h/r", "tftp://h/r", "http://h/s"):
        bench.files[url] = response or WireResponse(200)
    return phone.send_report(bench), bench, phone


@pytest.mark.parametrize(
    ("rule", "method", "kind"),
    [("http://h/r", "POST", "text/xml"), ("tftp://h/r", "PUT", None), ("[--uid u --pwd p-w-d-1] http://h/r", "POST", "text/xml")],
)
def test_reports(rule, method, kind):
    sent, bench, phone = reporting(rule)
    assert sent
    request = bench.requests[0]
    assert (request.method, request.headers.get("Content-Type")) == (method, kind)
    text = request.body.decode()
    assert "<GPP_A>shown</GPP_A>" in text
    assert "<Profile_Rule>[--key ****] http://h/$MA.cfg</Profile_Rule>" in text
    for secret in ("secret-one", "secret-two", KEY, "GPP_SA", "GPP_SB", "p-w-d-1"):
        assert secret not in text
    assert of(phone.report(), "report")[0][1] == "ok"


def test_sealed_reports():
    _sent, bench, _phone = reporting(f"[--key {KEY}] http://h/r")
    assert b"<GPP_A>shown</GPP_A>" in unseal(bench.requests[0].body, KEY, "md5")


def test_reports_with_content_encryption():
    _sent, bench, _phone = reporting("http://h/r", "CP-8851-3PCC", IKM_HTTP_Encrypt_Content="c2l4dGVlbiBieXRlcy4uLg")
    assert bench.requests[0].headers["Content-Encoding"] == "aes128gcm"
    text = decrypt_content(bench.requests[0].body, b"sixteen bytes...")
    assert b"<GPP_A>shown</GPP_A>" in text
    assert b"IKM" not in text


def test_reports_by_tftp_have_no_content_encryption():
    _sent, bench, _phone = reporting("tftp://h/r", "CP-8851-3PCC", IKM_HTTP_Encrypt_Content="c2l4dGVlbiBieXRlcy4uLg")
    assert b"<GPP_A>shown</GPP_A>" in bench.requests[0].body


def test_two_reports():
    _sent, bench, phone = reporting("[--delta] http://h/r [--status] http://h/s", "CP-8851-3PCC")
    assert b"shown" in bench.requests[0].body
    assert b"<Software_Version>sip88xx.11-3-2MPP0001-609</Software_Version>" in bench.requests[1].body
    phone.set_up_by_hand({"GPP_B": "changed"})
    phone.send_report(bench)
    assert b"<GPP_B>changed</GPP_B>" in bench.requests[2].body
    assert b"GPP_A" not in bench.requests[2].body


@pytest.mark.parametrize("response", [WireResponse(404), WireResponse(500), WireResponse(0, failure=WireFailure.REFUSED)])
def test_does_not_retry_failed_reports(response):
    sent, bench, phone = reporting("http://h/r", response=response)
    assert (sent, len(bench.requests)) == (False, 1)
    assert phone.report()["failure"]["code"] == "report"


def test_follows_report_rules():
    assert reporting("")[0]
    sent, _bench, phone = reporting("http://h/a b c d")
    assert (sent, phone.report()["failure"]["code"]) == (False, "report")


def test_reports_can_be_put():
    bench = Bench({FACTORY: profile(Profile_Rule=RULE, Report_Rule="http://h/r"), "http://h/r": WireResponse(201)})
    phone = unit(family={"report_method": "PUT"})
    phone.power_up(bench, bench.clock)
    assert phone.send_report(bench)
    assert bench.requests[-1].method == "PUT"


def test_periodic_reports():
    factory = "tftp://192.0.2.1/8851-3PCC.xml"
    first = {"Report_to_Server": "Periodically", "periodic_upload_to_server": "600", "Resync_Periodic": "0"}
    bench = Bench({factory: profile(Profile_Rule=RULE, Report_Rule="http://h/r", **first), "http://h/r": WireResponse(200)})
    phone = unit("CP-8851-3PCC")
    phone.set_up_by_hand({"Resync_Random_Delay": "0"})
    phone.run(bench, bench.clock, NOON + 1800)
    assert [when for url, when in zip(bench.requested, bench.times, strict=True) if url == "http://h/r"] == [600, 1200, 1800]


# -- options of rules


def test_hides_keys_of_rules_everywhere():
    first = profile(Profile_Rule=RULE, Profile_Rule_B=f"[--key {KEY}] http://h/{KEY}.cfg", Syslog_Server="192.0.2.1")
    report = power_up(Bench({FACTORY: first}))
    assert report["failure"]["facts"]["url"] == "http://h/****.cfg"
    assert KEY not in json.dumps(report)


def test_maps_aliases():
    first = profile(Profile_Rule_B="[--alias c] http://h/foreign", GPP_C="/Server = /flat-profile/Profile_Rule ;")
    report = power_up(Bench({FACTORY: first, "http://h/foreign": b"<x><Server>http://h/$MA</Server></x>"}))
    assert (report["state"], report["profile_rule"]) == ("preprovisioned", "http://h/$MA")


def test_srv_falls_back_to_a_records_and_says_so():
    report = power_up(Bench({FACTORY: profile(Profile_Rule=RULE, Profile_Rule_B="[--srv] http://h/b"), "http://h/b": profile()}))
    assert report["state"] == "preprovisioned"
    assert [detail for _what, outcome, detail in of(report, "name") if "SRV" in detail and outcome == "skipped"]


# -- loops and limits


@pytest.mark.parametrize(
    ("files", "cycles"),
    [
        # A file that points to itself
        ({FACTORY: profile(Profile_Rule="http://h/all", Profile_Rule_B="http://h/all"), "http://h/all": profile()}, 1),
        ({FACTORY: profile(Profile_Rule=FACTORY)}, 1),
        # Two that point to each other
        (
            {
                FACTORY: profile(Profile_Rule="http://h/a/$MA"),
                f"http://h/a/{MAC}": profile(Profile_Rule="http://h/b/$MA"),
                f"http://h/b/{MAC}": profile(Profile_Rule="http://h/a/$MA"),
            },
            3,
        ),
    ],
)
def test_finds_loops_of_profiles(files, cycles):
    assert power_up(Bench(files), cycles=cycles)["failure"]["code"] == "loop"


def test_a_reset_is_not_a_loop():
    bench = Bench({FACTORY: [profile(Profile_Rule=RULE), WireResponse(404), profile(Profile_Rule=RULE)]})
    phone = unit()
    assert power_up(bench, phone)["state"] == "preprovisioned"
    phone.factory_reset()
    assert power_up(bench, phone)["failure"]["code"] == "not_found"
    assert power_up(bench, phone)["state"] == "preprovisioned"


def test_a_steady_state_is_not_a_loop():
    files = {FACTORY: profile(Profile_Rule=RULE), OWN: profile(Profile_Rule=RULE)}
    assert power_up(Bench(files), cycles=4)["state"] == "preprovisioned"


def test_limits_requests():
    value = ";".join(f"h{number}" for number in range(60))
    bench = Bench({}, {66: value})
    report = power_up(bench, unit("CP-8851-3PCC", roots=ROOTS))
    assert len(bench.requested) == MAX_REQUESTS
    assert report["failure"]["code"] == "not_found"
    assert report["failure"]["facts"]["others"][-3]["code"] == "loop"


def test_limits_the_trace():
    bench = Bench({FACTORY: profile(Profile_Rule=RULE, Resync_Periodic="1"), OWN: profile()})
    phone = unit()
    phone.run(bench, bench.clock, NOON + 2200)
    report = phone.report()
    assert len(report["requests"]) == len(report["steps"]) == 2000


# -- any network

SECRETS = ("secret-gpp-sa", "secret-password", "0123456789abcdef0123456789abcdef", "secret-ikm-value", "secret-pwd")
RULE_NAMES = ("Profile_Rule", "Profile_Rule_B", "Profile_Rule_C", "Profile_Rule_D", "Upgrade_Rule", "Report_Rule")
RULES = st.sampled_from(
    [
        "",
        RULE,
        f"[--key {KEY}] http://h/$MA",
        "[--uid u --pwd secret-pwd] http://h/x",
        "https://h/y",
        "tftp://h/$MA.cfg",
        "/ata$PSN.cfg",
        "[--post a] http://h/p",
        "[--alias b] http://h/q",
        "($PRVTMR ge 10)? http://h/z | http://h/w",
        '(GPP_A = "$SA";)! http://h/$A',
        "http://h/$A?token=secret-gpp-sa",
        "[--srv] http://h/$MA",
        "what is this",
        "http://h/",
    ]
)
PARAMETERS = st.fixed_dictionaries(
    {"GPP_SA": st.just("secret-gpp-sa"), "Password_1_": st.just("secret-password")},
    optional={
        **dict.fromkeys(
            ("Profile_Rule", "Profile_Rule_B", "Profile_Rule_C", "Profile_Rule_D", "Upgrade_Rule", "Report_Rule"), RULES
        ),
        "IKM_HTTP_Encrypt_Content": st.just("secret-ikm-value"),
        "Resync_Periodic": st.sampled_from(["0", "600", "600+60", "60,1200", "x"]),
        "Resync_Error_Retry_Delay": st.sampled_from(["0", "60", "60,120+9"]),
        "Resync_At__HHmm_": st.sampled_from(["", "1300", "9999"]),
        "Resync_Fails_On_FNF": st.sampled_from(["Yes", "No"]),
        "Custom_CA_URL": st.sampled_from(["", "http://h/ca", "nonsense"]),
        "Syslog_Server": st.sampled_from(["", "192.0.2.1", "gone"]),
        "Report_to_Server": st.just("Periodically"),
        "Resync_Trigger_1": st.sampled_from(["", "1 eq 2", "("]),
    },
)
ANSWERS = st.one_of(
    st.sampled_from([200, 204, 301, 302, 307, 400, 401, 403, 404, 407, 500, 503]).map(
        lambda status: WireResponse(status, b"", {"location": "/x", "www-authenticate": "Basic", "proxy-authenticate": "Basic"})
    ),
    st.sampled_from(WireFailure).map(lambda failure: WireResponse(0, failure=failure, error=str(failure))),
    st.binary(max_size=40).map(lambda content: WireResponse(200, content)),
    st.binary(max_size=40).map(lambda content: WireResponse(200, content, {"content-encoding": "aes128gcm"})),
    st.text(max_size=20).map(lambda text: WireResponse(302, headers={"location": text})),
    st.text(max_size=20).map(lambda text: WireResponse(401, headers={"www-authenticate": text})),
    PARAMETERS.map(lambda values: WireResponse(200, profile(**values))),
    PARAMETERS.map(lambda values: WireResponse(200, seal(profile(**values), KEY, "md5"))),
)


class AnyNetwork:
    """Responds with anything, in any order."""

    def __init__(self, data, options):
        self.data = data
        self.options = options
        self.requests = 0

    def lease(self, _vendor_class):
        return None if self.options is None else Lease("192.0.2.20", self.options)

    def addresses(self, name):
        return self.data.draw(st.sampled_from([(), ("192.0.2.1",), ("192.0.2.1", "192.0.2.2")])) if name == "h" else (name,)

    def fetch(self, request):
        self.requests += 1
        assert request.method in ("GET", "POST", "PUT")
        assert request.target.scheme != "tftp" or not request.headers
        assert request.target.scheme == "https" or not request.roots
        return self.data.draw(ANSWERS)

    def log(self, _server, text):
        return self.data.draw(st.booleans()) and bool(text)


@given(
    st.data(),
    st.sampled_from(["ATA192", "SPA504G", "CP-8851-3PCC", "T46U", "VVX250"]),
    st.sampled_from([None, {}, {66: "h"}, {66: "192.0.2.1"}, {160: "http://h/x;https://h"}, {66: "::"}, {43: "\x01\x02"}]),
    st.sampled_from(["", SERVICE, VENDOR, "nonsense"]),
    PARAMETERS,
)
def test_survives_whatever_a_network_does(data, model, options, service, parameters):
    """No exception; requests are limited; timers are in the future; failures have known codes; no secret is reported."""
    network, clock = AnyNetwork(data, options), JumpingClock()
    phone = unit(model, roots=ROOTS, customization=service)
    if data.draw(st.booleans()):
        phone.set_up_by_hand(parameters)
    phone.power_up(network, clock)
    first = network.requests
    phone.run(network, clock, NOON + 4000)
    phone.send_report(network)
    report = phone.report()
    assert first <= 10 * MAX_REQUESTS
    assert clock.now() <= NOON + 4000
    assert report["failure"]["code"] in CODES | {""}
    assert bool(report["failure"]["code"]) == bool(report["cause"]) == (report["state"] == "failed")
    assert report["next_resync"]["seconds"] is None or 0 <= report["next_resync"]["seconds"] <= 86400 * 2
    shown = json.dumps(report)
    assert [secret for secret in SECRETS if secret in shown] == []


# -- failures


def test_reports_all_failures_since_power_up_and_what_else_is_wrong():
    bench = Bench({FACTORY: profile(Profile_Rule="http://h/all.cfg", Upgrade_Rule="http://h/ATA19X.12-0-1.img")})
    phone = unit()
    assert [one["code"] for one in power_up(bench, phone)["failures"]] == ["upgrade", "no_own_file"]
    # Its rule leads nowhere now, and the upgrade fails again
    report = power_up(bench, phone)
    assert [one["code"] for one in report["failures"]] == ["not_found", "upgrade", "no_own_file"]
    assert report["failure"] == report["failures"][0]
    assert all(one["what"].startswith("power-up 2: ") for one in report["failures"][:2])


def test_a_phone_without_failures_lists_none():
    report = power_up(Bench({FACTORY: profile(Profile_Rule=RULE), OWN: profile()}), cycles=2)
    assert (report["failure"]["code"], report["failures"]) == ("", [])


@pytest.mark.parametrize(("option", "named_by_dhcp"), [("https://h", True), ("192.0.2.1", False)])
def test_tells_whether_dhcp_has_named_the_server_that_is_refused(option, named_by_dhcp):
    refused = WireResponse(0, failure=WireFailure.CHAIN, error="unknown CA")
    files = {"tftp://192.0.2.1/8851-3PCC.xml": profile(Profile_Rule=f"https://h/{MAC}.cfg")}
    bench = Bench(files | {f"https://h/{name}": refused for name in ("", "8851-3PCC.xml", f"{MAC}.cfg")}, {66: option})
    facts = power_up(bench, unit("CP-8851-3PCC", roots=b"roots"), cycles=1 if named_by_dhcp else 2)["failure"]["facts"]
    assert facts["factory_roots"] is True
    assert facts.get("option") == (66 if named_by_dhcp else None)
