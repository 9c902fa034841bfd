# SPDX-License-Identifier: GPL-3.0-or-later
"""A phone's power-up: requests, handling of responses, log messages, and redaction."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.common.mac import Mac
from ansible_collections.voip.preprovision.plugins.module_utils.common.redaction import HIDDEN
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.device.ports import Lease, WireRequest, WireResponse
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.fetching.fetcher import (
    MAX_LOGINS,
    MAX_REDIRECTIONS,
    behaviour,
)
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.phone import EmulatedPhone
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.wire.system_clock import SystemClock
from ansible_collections.voip.preprovision.plugins.module_utils.families.catalogue import BUILTIN
from ansible_collections.voip.preprovision.plugins.module_utils.phones.phone import Phone
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.flat_profile import build, read_parameters
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.sealing.aes128gcm import encrypt_content
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.sealing.compression import compress
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.sealing.openssl_enc import seal

KEY = "0123456789abcdef0123456789abcdef"
MAC = "00005e005301"
BASIC = WireResponse(401, headers={"www-authenticate": 'Basic realm="x"'})
PEM = b"-----BEGIN CERTIFICATE-----\n"
OWN = f"https://prov.example.net/device/{MAC}.cfg"
SERVICE = f"http://prov.example.net/service/{MAC}.cfg"
CA = "http://prov.example.net/bench-ca.pem"
NEXT = "https://prov.example.net/device/$MA.cfg"


def profile(**values):
    return build(read_parameters(values))


@dataclass
class Station:
    """A bench as a table: URL -> response, or a list of responses to return in turn."""

    files: dict[str, WireResponse | bytes | list[WireResponse]]
    options: dict[int, str] | None = field(default_factory=lambda: {66: "192.0.2.1"})
    requested: list[str] = field(default_factory=list)
    trusted: list[bytes] = field(default_factory=list)
    logins: list[str | None] = field(default_factory=list)
    bodies: list[str | None] = field(default_factory=list)
    logged: list[tuple[str, str]] = field(default_factory=list)

    def lease(self, vendor_class: str) -> Lease | None:
        return None if self.options is None else Lease("192.0.2.20", self.options)

    def fetch(self, request: WireRequest) -> WireResponse:
        url = f"{request.target.scheme}://{request.target.server}{request.target.path}"
        self.requested.append(url)
        self.trusted.append(request.roots)
        self.logins.append(request.headers.get("Authorization"))
        self.bodies.append(None if request.method == "GET" else request.body.decode())
        response = self.files.get(url, WireResponse(404))
        if isinstance(response, list):
            response = response.pop(0)
        return WireResponse(200, response) if isinstance(response, bytes) else response

    def addresses(self, name: str) -> Sequence[str]:
        return (name,) if name[0].isdigit() else ("192.0.2.1",)

    def log(self, server: str, text: str) -> bool:
        self.logged.append((server, text))
        return True


def unit(model: str = "ATA192", **more) -> EmulatedPhone:
    return EmulatedPhone(Phone("desk", Mac(MAC), BUILTIN.find_model(model), serial="FCH0000D001"), **more)


def power_up(files, model="ATA192", options=None, cycles=1, **more):
    """Return the report and the station after *cycles* power-ups."""
    station = Station(files, **({"options": options} if options else {}))
    phone = unit(model, **more)
    for _number in range(cycles):
        phone.power_up(station, SystemClock())
    return phone.report(), station


def bench(preprovision: bytes, **bootstrap):
    """Return the files of a bench whose bootstrap profile leads an ATA192 to *preprovision*."""
    first = {"Profile_Rule": NEXT, "Profile_Rule_B": NEXT, "Custom_CA_URL": CA, **bootstrap}
    return {"tftp://192.0.2.1/ata192.cfg": profile(**first), CA: PEM, OWN: preprovision}


REMOTE = profile(Profile_Rule=f"[--key {KEY}] http://prov.example.net/service/$MA.cfg", Profile_Rule_B="")


# -- the whole way


def test_the_two_trips():
    files = bench(compress(REMOTE), Syslog_Server="192.0.2.1")
    files[SERVICE] = seal(compress(profile(Password_1_="sesame-1001")), KEY, "md5")
    report, station = power_up(files, cycles=2)
    assert report["cause"] == ""
    assert report["state"] == "preprovisioned"
    assert station.requested == ["tftp://192.0.2.1/ata192.cfg", CA, OWN, SERVICE]
    assert [request["power_up"] for request in report["requests"]] == [1, 1, 1, 2]
    assert [request["parameter"] for request in report["requests"]] == [
        *("Profile_Rule", "Custom_CA_URL", "Profile_Rule_B", "Profile_Rule"),
    ]
    assert [request["sealed"] for request in report["requests"]] == [False, False, False, True]
    assert report["profile_rule"] == f"[--key {HIDDEN}] http://prov.example.net/service/$MA.cfg"
    assert report["address"] == "192.0.2.20"
    assert report["dhcp_options"] == {"66": "192.0.2.1"}
    assert report["parameters"] == 5


def test_fails_if_the_factory_rule_stays():
    report, _station = power_up({"tftp://192.0.2.1/ata192.cfg": profile(Proxy_1_="sip.example.net")})
    assert (report["state"], report["cause"]) == (
        "failed",
        "Profile_Rule is still the factory rule; no fetched profile sets it",
    )


def test_fails_if_the_rule_is_the_same_for_all_phones():
    report, _station = power_up({"tftp://192.0.2.1/ata192.cfg": profile(Profile_Rule="http://prov.example.net/all.cfg")})
    assert "names no file that is only for this phone; put $MA into it" in report["cause"]


@pytest.mark.parametrize("macro", ["$MA", "$MAU", "$MAC", "$SN", "$(MA:0:12)"])
def test_accepts_a_rule_that_names_the_phone_by_any_macro(macro):
    rule = f"http://prov.example.net/p?unit={macro}"
    report, _station = power_up({"tftp://192.0.2.1/ata192.cfg": profile(Profile_Rule=rule)})
    assert report["state"] == "preprovisioned"


@pytest.mark.parametrize("parameter", ["Provision_Enable", "Resync_On_Reset"])
def test_does_not_resync_where_a_parameter_forbids_it(parameter):
    report, station = power_up({"tftp://192.0.2.1/ata192.cfg": profile(**{parameter: "No"})}, cycles=2)
    assert len(station.requested) == 1
    assert "does not resync" in report["cause"]


def test_reports_that_no_dhcp_server_responds():
    phone = unit()
    phone.power_up(Station({}, options=None), SystemClock())
    report = phone.report()
    assert report["cause"] == "power-up 1: no DHCP server assigned an address"
    assert (report["address"], report["dhcp_options"], report["requests"]) == ("", {}, [])


def test_reports_on_a_phone_that_was_never_switched_on():
    assert unit().report()["cause"] == "the phone requested no file"


# -- which rules


def test_follows_rules_in_order_and_skips_empty_ones():
    first = profile(Profile_Rule="", Profile_Rule_B="http://h/b", Profile_Rule_C="", Profile_Rule_D="http://h/$MA")
    _report, station = power_up(
        {"tftp://192.0.2.1/ata192.cfg": first, "http://h/b": profile(), f"http://h/{MAC}": profile()}, cycles=2
    )
    assert station.requested == ["tftp://192.0.2.1/ata192.cfg", *("http://h/b", f"http://h/{MAC}") * 2]


def test_reads_each_rule_after_the_profile_before_it():
    files = {
        "tftp://192.0.2.1/ata192.cfg": profile(Profile_Rule_B="http://h/b"),
        "http://h/b": profile(Profile_Rule_B="", Profile_Rule_C="http://h/c"),
        "http://h/c": profile(Profile_Rule="http://h/$MA"),
    }
    report, station = power_up(files)
    assert station.requested == list(files)
    assert report["profile_rule"] == "http://h/$MA"


def test_a_failure_ends_the_resync_but_applied_parameters_stay():
    first = profile(Profile_Rule="http://h/$MA", Profile_Rule_B="http://h/b", Profile_Rule_C="http://h/c")
    report, station = power_up({"tftp://192.0.2.1/ata192.cfg": first})
    assert station.requested == ["tftp://192.0.2.1/ata192.cfg", "http://h/b"]
    assert report["cause"] == "power-up 1: Profile_Rule_B: http://h/b: file not found"
    assert report["profile_rule"] == "http://h/$MA"


def test_names_are_case_sensitive_and_the_last_value_wins():
    document = b"<flat-profile><profile_rule>http://h/x</profile_rule>" + (
        b"<Profile_Rule>http://h/one</Profile_Rule><Profile_Rule>http://h/$MA</Profile_Rule></flat-profile>"
    )
    report, _station = power_up({"tftp://192.0.2.1/ata192.cfg": document})
    assert report["profile_rule"] == "http://h/$MA"


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ("http://h/a | http://h/b", "column 1: this alternative has no condition"),
        ("($SWVER ne 1)? http://h/a", "column 2: the sides have different forms"),
        ("ftp://h/a", "column 1: unknown scheme 'ftp'"),
        (f"[--cipher x --key {KEY}] http://h/a", "column 2: unknown option of a Profile_Rule"),
        ("[--key $SA] http://h/a", "column 8: --key has no value"),
    ],
)
def test_reports_invalid_rules(rule, why):
    report, _station = power_up({"tftp://192.0.2.1/ata192.cfg": profile(Profile_Rule_B=rule)})
    assert why in report["cause"]
    assert KEY not in json.dumps(report)


@pytest.mark.parametrize(
    ("rule", "url"),
    [
        ("($SWVER lt 11-1-0MPP-17)? http://h/old | http://h/new", "http://h/old"),
        ("($SWVER ge 11-1-0MPP-17)? http://h/old | http://h/new", "http://h/new"),
        ('("$CCERT" eq "Installed")? http://h/a | http://h/$UID1', "http://h/1001"),
        ("($PRVST eq 0 and $REGTMR1 lt 300)? http://h/a", "http://h/a"),
        ("$B", "http://h/$MA"),
    ],
)
def test_alternatives(rule, url):
    first = profile(Profile_Rule_B=rule, User_ID_1_="1001", GPP_B='("$A" eq "")? /x | http://h/$MA')
    _report, station = power_up({"tftp://192.0.2.1/ata192.cfg": first})
    assert station.requested[1:] == [url]


def test_skips_a_rule_without_a_true_condition():
    first = profile(Profile_Rule="http://h/$MA", Profile_Rule_B="(1 eq 2)? http://h/b", Profile_Rule_C="http://h/c")
    _report, station = power_up({"tftp://192.0.2.1/ata192.cfg": first, "http://h/c": profile()})
    assert station.requested[1:] == ["http://h/c"]


def test_applies_assignments_before_fetching():
    first = profile(
        Profile_Rule='("$A" ne "done")? (GPP_A = "done"; Profile_Rule_B = "http://h/x$A/$$A";)! http://h/$A/$MA | http://h/$MA',
        Resync_Fails_On_FNF="No",
    )
    report, station = power_up({"tftp://192.0.2.1/ata192.cfg": first}, cycles=3)
    assert station.requested[1:] == [f"http://h//{MAC}", "http://h/x/done", f"http://h/{MAC}", "http://h/x/done"]
    assert report["state"] == "preprovisioned"


def test_a_rule_may_only_assign():
    first = profile(Profile_Rule="http://h/$MA", Profile_Rule_B='(Profile_Rule_C = "http://h/c";)!', Profile_Rule_C="http://h/b")
    _report, station = power_up({"tftp://192.0.2.1/ata192.cfg": first, "http://h/c": profile()})
    assert station.requested[1:] == ["http://h/c"]


def test_reports_an_invalid_profile_rule_before_it_is_followed():
    report, _station = power_up({"tftp://192.0.2.1/ata192.cfg": profile(Profile_Rule=f"[--key {KEY} http://h/$MA")})
    assert report["state"] == "failed"
    assert "cannot be followed: column 1: the bracket, or a quotation mark in it, is not closed" in report["cause"]
    assert KEY not in json.dumps(report)


def test_hides_tokens_in_urls():
    rules = {"Profile_Rule": "http://h/$MA", "Profile_Rule_B": f"http://h/b?a=b&token={KEY}", "Profile_Rule_C": "http://h/c"}
    report, station = power_up({"tftp://192.0.2.1/ata192.cfg": profile(**rules)})
    assert f"http://h/b?a=b&token={KEY}" in station.requested
    assert "http://h/b?a=b&token=****" in report["cause"]
    assert KEY not in json.dumps(report)


@pytest.mark.parametrize(
    ("model", "files", "paths"),
    [
        ("T46U", {f"/{MAC}.cfg": b"#!version:1.0.0.1\naccount.1.enable = 1\n"}, [f"/{MAC}.cfg"]),
        ("HT802", {f"/cfg{MAC}.xml": b"<gs_provision><config><P2>x</P2></config></gs_provision>"}, [f"/cfg{MAC}.xml"]),
        (
            "VVX250",
            {"/000000000000.cfg": b"<APPLICATION/>", f"/{MAC}-config.cfg": b'<PHONE_CONFIG><ALL a="1"/></PHONE_CONFIG>'},
            ["/000000000000.cfg", f"/{MAC}-config.cfg"],
        ),
    ],
)
def test_families_without_rules_fetch_fixed_files(model, files, paths):
    report, station = power_up({f"tftp://192.0.2.1{path}": content for path, content in files.items()}, model)
    assert (report["state"], report["cause"], report["parameters"]) == ("preprovisioned", "", 1)
    assert station.requested == [f"tftp://192.0.2.1{path}" for path in paths]


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (None, "file not found"),
        (b"rubbish", "the profile does not begin with #!version:1.0.0.1"),
        (b"Salted__12345678", "the file is encrypted"),
    ],
)
def test_reports_fixed_files_that_cannot_be_used(content, cause):
    report, _station = power_up({f"tftp://192.0.2.1/{MAC}.cfg": content} if content else {}, "T46U")
    assert report["state"] == "failed"
    assert report["cause"].startswith(f"power-up 1: tftp://192.0.2.1/{MAC}.cfg: {cause}")


# -- responses


@pytest.mark.parametrize(
    ("status", "letter"),
    [
        *((200, "A"), (204, "A"), (301, "follow"), (302, "follow"), (303, "C"), (304, "C"), (307, "C"), (400, "C"), (401, "login")),
        *((403, "C"), (404, "B"), (407, "login"), (410, "C"), (500, "C"), (501, "C"), (502, "C"), (503, "C"), (504, "C"), (0, "C")),
    ],
)
def test_status_table(status, letter):
    assert behaviour(status) == letter


@pytest.mark.parametrize(
    ("response", "letter", "why"),
    [
        (WireResponse(404), "B", "file not found"),
        (WireResponse(403), "C", "HTTP status 403"),
        (WireResponse(503), "C", "HTTP status 503"),
        (WireResponse(0, error="Connection timed out"), "C", "Connection timed out"),
        (WireResponse(200, b"<flat-profile><A>"), "B", "not well-formed"),
        (WireResponse(200, b"\x1f\x8b rubbish"), "B", "the gzip data is damaged"),
        (WireResponse(200, b"<html></html>"), "B", "root element is <html>"),
        (WireResponse(200, b""), "B", "not well-formed"),
        (WireResponse(200, seal(REMOTE, KEY, "md5")), "B", "the file is encrypted, but the rule has no --key"),
    ],
)
def test_bad_responses(response, letter, why):
    report, _station = power_up(bench(response))
    assert report["state"] == "failed"
    assert report["cause"].startswith(f"power-up 1: Profile_Rule_B: {OWN}: ")
    assert why in report["cause"]
    assert [request["behaviour"] for request in report["requests"]] == ["A", "A", letter]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (seal(compress(REMOTE), "f" * 32, "md5"), "the key does not fit"),
        (seal(compress(REMOTE), KEY, "sha256"), "the digest is not md5"),
        (REMOTE, "the file is not encrypted"),
        (seal(REMOTE, KEY, "md5")[:-3], "cut off"),
    ],
)
def test_reports_files_that_cannot_be_decrypted(content, why):
    report, _station = power_up({**bench(REMOTE), SERVICE: content}, cycles=2)
    assert report["cause"].startswith(f"power-up 2: Profile_Rule: {SERVICE}: ")
    assert why in report["cause"]
    assert KEY not in json.dumps(report)


def test_file_not_found_may_count_as_success():
    first = profile(Profile_Rule="http://h/$MA", Profile_Rule_B="http://h/b", Resync_Fails_On_FNF="No")
    report, _station = power_up({"tftp://192.0.2.1/ata192.cfg": first})
    assert report["state"] == "preprovisioned"
    assert report["requests"][-1]["status"] == 404


@pytest.mark.parametrize("status", [301, 302])
def test_follows_redirections_to_other_servers(status):
    files = {
        "http://h/a": WireResponse(status, headers={"location": "/moved/a"}),
        "http://h/moved/a": WireResponse(status, headers={"location": "tftp://192.0.2.1/a"}),
        "tftp://192.0.2.1/a": profile(Profile_Rule="http://h/$MA"),
        "tftp://192.0.2.1/ata192.cfg": profile(Profile_Rule_B="http://h/a"),
    }
    report, station = power_up(files)
    assert station.requested[1:] == ["http://h/a", "http://h/moved/a", "tftp://192.0.2.1/a"]
    assert [request["behaviour"] for request in report["requests"]] == ["A", "", "", "A"]
    assert report["state"] == "preprovisioned"


def test_stops_a_redirection_loop():
    files = {
        "tftp://192.0.2.1/ata192.cfg": profile(Profile_Rule_B="http://h/a"),
        "http://h/a": WireResponse(302, headers={"location": "/a"}),
    }
    report, station = power_up(files)
    assert len(station.requested) == 1 + 1 + MAX_REDIRECTIONS
    assert report["cause"] == f"power-up 1: Profile_Rule_B: http://h/a: more than {MAX_REDIRECTIONS} redirections"


def test_reports_a_redirection_to_an_invalid_url():
    files = {
        "tftp://192.0.2.1/ata192.cfg": profile(Profile_Rule_B="http://h/a"),
        "http://h/a": WireResponse(302, headers={"location": "ftp://h/a"}),
    }
    report, _station = power_up(files)
    assert "redirects to an invalid URL" in report["cause"]


def test_login():
    files = {
        "tftp://192.0.2.1/ata192.cfg": profile(Profile_Rule_B='[--uid desk --pwd "open sesame"] http://h/$MA'),
        f"http://h/{MAC}": [BASIC, WireResponse(200, profile(Profile_Rule="http://h/$MA"))],
    }
    report, station = power_up(files)
    assert station.logins == [None, None, "Basic ZGVzazpvcGVuIHNlc2FtZQ=="]
    assert report["state"] == "preprovisioned"
    assert "sesame" not in json.dumps(report)


@pytest.mark.parametrize(
    ("options", "times", "hint"),
    [("", 1, ", and the rule has no --uid"), ("[--uid desk --pwd wrong-one] ", 1 + MAX_LOGINS, "")],
)
def test_login_refused(options, times, hint):
    files = {"tftp://192.0.2.1/ata192.cfg": profile(Profile_Rule_B=f"{options}http://h/a"), "http://h/a": BASIC}
    report, station = power_up(files)
    assert station.requested.count("http://h/a") == times
    assert report["cause"] == f"power-up 1: Profile_Rule_B: http://h/a: HTTP status 401{hint}"


def test_posts():
    first = profile(Profile_Rule_B="[--post c --uid u --pwd p] http://h/a", GPP_C="mac=$MA&key=$SA&a=$A", GPP_A="1", GPP_SA=KEY)
    files = {
        "tftp://192.0.2.1/ata192.cfg": first,
        "http://h/a": [BASIC, WireResponse(302, headers={"location": "/b"})],
        "http://h/b": profile(Profile_Rule="http://h/$MA"),
    }
    report, station = power_up(files)
    assert station.bodies == [None, *(f"mac={MAC}&key=$SA&a=1",) * 2, None]
    assert report["state"] == "preprovisioned"


def test_does_not_post_by_tftp():
    _report, station = power_up({"tftp://192.0.2.1/ata192.cfg": profile(Profile_Rule_B="[--post c] tftp://h/a", GPP_C="x")})
    assert station.requested[1:] == ["tftp://h/a"]
    assert station.bodies == [None, None]


# -- content encryption (RFC 8188)

ENCRYPTED = {"content-encoding": "aes128gcm"}
IKM = b"sixteen bytes..."


def encrypted(rule, ikm_text, content, encoding="aes128gcm", model="CP-8851-3PCC"):
    first = profile(Profile_Rule=rule, IKM_HTTP_Encrypt_Content=ikm_text)
    factory = BUILTIN.find_model(model).factory_file
    files = {
        f"tftp://192.0.2.1{factory}": first,
        f"http://h/{MAC}": WireResponse(200, content, headers={"content-encoding": encoding}),
    }
    return power_up(files, model, cycles=2)


def base64url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


@pytest.mark.parametrize("rule", ["http://h/$MA", f"[--key {KEY}] http://h/$MA"])
@pytest.mark.parametrize("padding", ["", "=="])
def test_content_encoding_takes_precedence_over_a_key(rule, padding):
    content = encrypt_content(compress(profile(Profile_Rule="http://h/next/$MA")), IKM)
    report, _station = encrypted(rule, base64url(IKM) + padding, content)
    assert report["state"] == "preprovisioned"
    assert report["profile_rule"] == "http://h/next/$MA"
    assert [request["sealed"] for request in report["requests"]] == [False, True]


def test_uses_the_key_without_content_encoding():
    report, _station = encrypted(f"[--key {KEY}] http://h/$MA", base64url(IKM), seal(profile(), KEY, "md5"), encoding="")
    assert report["state"] == "preprovisioned"


def test_keying_material_may_be_plain_text():
    model = BUILTIN.find_model("CP-8851-3PCC")
    plain = dataclasses.replace(model, family=dataclasses.replace(model.family, ikm_encoding="text"))
    phone = EmulatedPhone(Phone("desk", Mac(MAC), plain))
    phone.power_up(
        Station(
            {
                "tftp://192.0.2.1/8851-3PCC.xml": profile(Profile_Rule_B="http://h/$MA", IKM_HTTP_Encrypt_Content=IKM.decode()),
                f"http://h/{MAC}": WireResponse(
                    200, encrypt_content(profile(Profile_Rule="http://h/$MA"), IKM), headers={"content-encoding": "aes128gcm"}
                ),
            }
        ),
        SystemClock(),
    )
    assert phone.report()["state"] == "preprovisioned"


@pytest.mark.parametrize(
    ("ikm_text", "encoding", "why"),
    [
        ("", "aes128gcm", "IKM_HTTP_Encrypt_Content is empty"),
        ("!" + KEY, "aes128gcm", "IKM_HTTP_Encrypt_Content is not valid base64url"),
        (KEY[:5], "aes128gcm", "IKM_HTTP_Encrypt_Content is not valid base64url"),
        (base64url(IKM[::-1]), "aes128gcm", f"http://h/{MAC}: "),
        (base64url(IKM), "", "the profile is not UTF-8 text"),
    ],
)
def test_content_that_cannot_be_decrypted(ikm_text, encoding, why):
    report, _station = encrypted("http://h/$MA", ikm_text, encrypt_content(b"<flat-profile/>", IKM), encoding)
    assert report["state"] == "failed"
    assert why in report["cause"]
    assert report["requests"][-1]["behaviour"] == "B"
    assert not ikm_text or ikm_text not in json.dumps(report)


def test_families_without_content_encryption():
    report, _station = encrypted("http://h/$MA", base64url(IKM), encrypt_content(b"<flat-profile/>", IKM), model="ATA192")
    assert "it was sent with Content-Encoding: aes128gcm, which the family ata19x cannot decrypt" in report["cause"]


# -- server discovery


@pytest.mark.parametrize("model", ["ATA192", "SPA504G", "CP-8851-3PCC"])
def test_first_file(model):
    _report, station = power_up({}, model)
    assert station.requested[0] == f"tftp://192.0.2.1{BUILTIN.find_model(model).factory_file}"


TAILS = ("/8851-3PCC.xml", f"/Cisco/CP-8851-3PCC/{MAC}.cfg")


@pytest.mark.parametrize(
    ("model", "options", "urls"),
    [
        ("ATA192", {66: "prov.example.net", 150: "192.0.2.9"}, ["tftp://prov.example.net/ata192.cfg"]),
        ("SPA504G", {150: "192.0.2.8 192.0.2.9"}, ["tftp://192.0.2.8/spa504G.cfg", "tftp://192.0.2.9/spa504G.cfg"]),
        ("SPA504G", {66: "192.0.2.1", 160: "http://h/"}, ["tftp://192.0.2.1/spa504G.cfg"]),
        ("SPA504G", {160: "http://h/x"}, ["http://h/x", "http://h/x/spa504G.cfg"]),
        ("CP-8851-3PCC", {66: "192.0.2.1"}, [f"{s}://192.0.2.1{tail}" for s in ("tftp", "http") for tail in TAILS]),
        ("CP-8851-3PCC", {66: "http://h/path"}, ["http://h/path", *(f"http://h/path{tail}" for tail in TAILS)]),
        ("CP-8851-3PCC", {160: "http://h:8080"}, [f"http://h{tail}" for tail in TAILS]),
        ("CP-8851-3PCC", {66: "http://v;http://w"}, [f"http://{h}{tail}" for h in "vw" for tail in TAILS]),
    ],
)
def test_finds_the_server_by_dhcp_options(model, options, urls):
    _report, station = power_up({}, model, options)
    assert station.requested == urls


@pytest.mark.parametrize(
    ("model", "options", "why"),
    [
        ("ATA192", {6: "192.0.2.1"}, "neither does DHCP (option 66)"),
        ("ATA192", {160: "http://h/"}, "neither does DHCP (option 66)"),
        ("SPA504G", {6: "192.0.2.1"}, "neither does DHCP (option 66 or 160 or 159 or 150)"),
        ("ATA192", {66: "http://h/"}, "DHCP option 66 is the URL http://h/; this family expects an address or a host name"),
        ("CP-8851-3PCC", {66: "ftp://h/"}, "DHCP option 66: column 1: unknown scheme 'ftp'"),
        ("CP-8851-3PCC", {66: "192.0.2.1"}, "file not found (and 5 other locations failed too)"),
    ],
)
def test_reports_dhcp_options_that_cannot_be_used(model, options, why):
    report, _station = power_up({}, model, options)
    assert why in report["cause"]


# -- root certificates


@pytest.mark.parametrize(
    ("model", "words"), [("ATA192", "; Custom_CA_URL names none"), ("CP-8851-3PCC", "; Custom_CA_Rule names none"), ("SPA504G", "")]
)
def test_phones_without_any_root_cannot_verify_a_server(model, words):
    files = {f"tftp://192.0.2.1{BUILTIN.find_model(model).factory_file}": profile(Profile_Rule_B=NEXT)}
    report, station = power_up(files, model)
    assert len(station.requested) == 1
    assert report["failure"]["code"] == "no_root"
    assert report["cause"].endswith(f"{OWN}: the phone has no root certificate to verify the server with{words}")


@pytest.mark.parametrize("model", ["ATA192", "SPA504G", "CP-8851-3PCC"])
def test_phones_of_every_family_trust_their_factory_roots(model):
    factory_file = f"tftp://192.0.2.1{BUILTIN.find_model(model).factory_file}"
    report, station = power_up({factory_file: profile(Profile_Rule=NEXT, Profile_Rule_B=NEXT), OWN: profile()}, model, roots=PEM)
    assert report["cause"] == ""
    assert station.trusted == [b"", PEM]


def test_adds_custom_roots_to_those_from_the_factory():
    phone, station = unit(roots=b"factory"), Station(bench(profile(Profile_Rule=NEXT)))
    phone.power_up(station, SystemClock())
    assert station.trusted == [b"", b"", b"factory\n" + PEM]
    phone.factory_reset()
    station.files["tftp://192.0.2.1/ata192.cfg"] = profile(Profile_Rule=NEXT, Profile_Rule_B=NEXT)
    phone.power_up(station, SystemClock())
    assert station.trusted[-1] == b"factory"


def test_replaces_custom_roots_by_those_from_another_url():
    other = "http://prov.example.net/other.pem"
    files = {**bench(profile(Profile_Rule=NEXT, Custom_CA_URL=other)), other: b"-----BEGIN CERTIFICATE-----other"}
    _report, station = power_up(files, cycles=2, roots=b"factory")
    assert station.trusted[-1] == b"factory\n-----BEGIN CERTIFICATE-----other"


def test_fetches_custom_roots_once_and_keeps_them_when_switched_off():
    files = bench(REMOTE)
    files[OWN] = profile(Profile_Rule=NEXT)
    report, station = power_up(files, cycles=3)
    assert report["state"] == "preprovisioned"
    assert station.requested.count(CA) == 1
    assert {roots for url, roots in zip(station.requested, station.trusted, strict=True) if url == OWN} == {PEM}


@pytest.mark.parametrize(
    ("response", "why"),
    [(WireResponse(404), "file not found"), (WireResponse(200, b"<html>"), "the file contains no PEM certificate")],
)
def test_reports_custom_roots_that_cannot_be_used(response, why):
    report, station = power_up({**bench(REMOTE), CA: response})
    assert OWN not in station.requested
    assert CA in report["cause"]
    assert why in report["cause"]


@pytest.mark.parametrize(("has_certificate", "name"), [(True, "Ins"), (False, "Not")])
def test_certificate_macro(has_certificate, name):
    files = {"tftp://192.0.2.1/ata192.cfg": profile(Profile_Rule_B="http://h/$(CCERT:0:3)")}
    _report, station = power_up(files, has_certificate=has_certificate)
    assert station.requested[-1] == f"http://h/{name}"


# -- secrets


def test_secret_macros_expand_only_in_brackets():
    files = {
        "tftp://192.0.2.1/ata192.cfg": profile(GPP_SA=KEY, GPP_A="shown", Profile_Rule_B="[--key $SA] http://h/$A/$SA"),
        "http://h/shown/$SA": seal(profile(Profile_Rule="http://h/$MA"), KEY, "md5"),
    }
    report, station = power_up(files)
    assert station.requested[-1] == "http://h/shown/$SA"
    assert report["state"] == "preprovisioned"
    assert KEY not in json.dumps(report)


@pytest.mark.parametrize(
    "rule",
    [
        f"[--key {KEY}] http://h/$MA",
        f'[--key "{KEY}"] http://h/$MA',
        f"[--key={KEY}] http://h/$MA",
        f"[--uid u --pwd {KEY}] http://h/$MA",
        f"[--key {KEY} http://h/$MA",
        f"http://h/$MA?password={KEY}",
    ],
)
def test_masks(rule):
    files = {"tftp://192.0.2.1/ata192.cfg": profile(Profile_Rule=rule, Admin_Passwd=KEY, Profile_Rule_B="http://h/b")}
    report, _station = power_up(files, cycles=2)
    assert KEY not in json.dumps(report)
    assert HIDDEN in report["profile_rule"]


def test_does_not_report_values_of_parameters():
    files = {"tftp://192.0.2.1/ata192.cfg": profile(Profile_Rule="http://h/$MA", Password_1_="sesame-1001", User_ID_1_="1001-user")}
    report, _station = power_up(files)
    assert "1001" not in json.dumps(report)


# -- syslog


def family_unit(**attributes):
    found = BUILTIN.find_model("ATA192")
    model = dataclasses.replace(found, family=dataclasses.replace(found.family, **attributes))
    return EmulatedPhone(Phone("desk", Mac(MAC), model, serial="FCH0000D001"))


@pytest.mark.parametrize(("logs_to_new_server", "expected"), [(True, ["F5", "R5", "O6"]), (False, ["R5", "O5", "R6", "F6"])])
def test_the_success_message_goes_to_the_new_or_the_old_log_server(logs_to_new_server, expected):
    files = bench(profile(Profile_Rule="http://h/b", Profile_Rule_B="", Syslog_Server="192.0.2.6"), Syslog_Server="192.0.2.5")
    station = Station({**files, "http://h/b": profile(Syslog_Server="")})
    phone = family_unit(logs_to_new_server=logs_to_new_server)
    for _number in range(2):
        phone.power_up(station, SystemClock())
    title = "<134>ATA192-MPP 00:00:5e:00:53:01 --"
    words = {
        "F5": ("192.0.2.5", f"{title} Successful resync tftp://192.0.2.1:69/ata192.cfg"),
        "R5": ("192.0.2.5", f"{title} Requesting resync https://192.0.2.1:443/device/{MAC}.cfg"),
        "O5": ("192.0.2.5", f"{title} Successful resync https://192.0.2.1:443/device/{MAC}.cfg"),
        "O6": ("192.0.2.6", f"{title} Successful resync https://192.0.2.1:443/device/{MAC}.cfg"),
        "R6": ("192.0.2.6", f"{title} Requesting resync http://192.0.2.1:80/b"),
        "F6": ("192.0.2.6", f"{title} Successful resync http://192.0.2.1:80/b"),
    }
    # The last profile names no log server any more
    assert station.logged == [words[name] for name in [*expected, *(["R6"] if logs_to_new_server else [])]]


@pytest.mark.parametrize("logs_to_new_server", [True, False])
def test_the_failure_message_goes_to_the_log_server_from_before(logs_to_new_server):
    phone = family_unit(logs_to_new_server=logs_to_new_server)
    station = Station({**bench(WireResponse(403), Syslog_Server="192.0.2.5")})
    phone.power_up(station, SystemClock())
    assert station.logged[-1] == ("192.0.2.5", f"<134>ATA192-MPP 00:00:5e:00:53:01 -- Resync failed: {OWN}: HTTP status 403")


def test_a_failure_is_logged_with_its_cause():
    _report, station = power_up(bench(WireResponse(403), Syslog_Server="192.0.2.5"))
    assert station.logged[-1][1] == f"<134>ATA192-MPP 00:00:5e:00:53:01 -- Resync failed: {OWN}: HTTP status 403"


def test_logs_a_rule_without_a_server():
    _report, station = power_up(bench(REMOTE, Syslog_Server="192.0.2.5", Profile_Rule_B="http://h"))
    assert station.logged == [
        ("192.0.2.5", "<134>ATA192-MPP 00:00:5e:00:53:01 -- Successful resync tftp://192.0.2.1:69/ata192.cfg"),
        (
            "192.0.2.5",
            "<134>ATA192-MPP 00:00:5e:00:53:01 -- Resync failed: column 8: the URL has no path; write /FILE, or http://SERVER/FILE",
        ),
    ]


def test_the_router_section_may_name_the_syslog_server():
    section = {"router-configuration": {"Log_Configuration": {"Syslog_Server_IP": "192.0.2.6"}}}
    _report, station = power_up(bench(REMOTE, **section))
    assert {server for server, _text in station.logged} == {"192.0.2.6"}


def test_templates_of_the_profile():
    files = bench(REMOTE, Syslog_Server="192.0.2.5", Log_Resync_Request_Msg="", Log_Resync_Success_Msg="$SN $SERV $A", GPP_A="a")
    _report, station = power_up(files)
    assert [text for _server, text in station.logged] == [
        f"<134>FCH0000D001 {server} a" for server in ("192.0.2.1", "prov.example.net")
    ]


def test_both_kinds_of_syslog_and_tftp_are_exercised():
    families = BUILTIN.families.values()
    assert {bool(family.priority) for family in families} == {True, False}
    assert {family.block_size is None for family in families} == {True, False}
