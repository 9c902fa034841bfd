# SPDX-License-Identifier: GPL-3.0-or-later
"""What phones get and send."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from preprovision_service.http import reports as reports_module
from preprovision_service.http.reports import FORM, purge
from preprovision_service.store.tables import Phone, Report
from sqlalchemy import select, update

from ansible_collections.voip.preprovision.plugins.module_utils.profiles.flat_profile import parse, values
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.keys import key_id
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.sealing.aes128gcm import decrypt_content, encrypt_content
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.sealing.compression import compress, decompress
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.sealing.openssl_enc import seal, unseal

MAC = "00005e005301"
OTHER = "00005e005302"
PLAIN = "00005e005303"
KEY = "a-key-of-the-desk-phone"
OTHER_KEY = "a-key-of-the-door-phone"
URL = f"/live/{MAC}.cfg"
PHONES: dict[str, dict[str, Any]] = {
    "desk": {
        "phone_mac": MAC,
        "phone_model": "ATA192",
        "phone_customer": "example",
        "phone_profile_key": KEY,
        "phone_lines": [{"user_id": "1001", "password": "not to be shown"}],
    },
    "door": {"phone_mac": OTHER, "phone_model": "CP-8851-3PCC", "phone_sealing": "aes128gcm", "phone_profile_key": OTHER_KEY},
    "hall": {"phone_mac": PLAIN, "phone_model": "SPA504G", "phone_sealing": "none"},
}


def of(mac: str) -> dict[str, str]:
    """Return nginx's headers for a phone with its own certificate."""
    return {
        "X-Preprovision-Address": "192.0.2.20",
        "X-Preprovision-Verify": "SUCCESS",
        "X-Preprovision-Subject": f"O=Cisco,CN=ATA192\\, MAC: {mac},OU=ATA192",
    }


@pytest.fixture
def app(sync_phones: Callable[..., None], make_app: Callable[..., Flask]) -> Flask:
    """Return an application with three phones."""
    app = make_app()
    sync_phones(app, PHONES)
    return app


def logged(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Return the service's log, line by line."""
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


# -- profiles


def test_sealed_profile(client: FlaskClient, capsys: pytest.CaptureFixture[str]) -> None:
    answer = client.get(
        URL, headers={"X-Preprovision-Address": "192.0.2.20", "User-Agent": "Cisco/ATA192-MPP-11-1-0MPP-16 (FCH0000D001)"}
    )
    assert answer.status_code == 200
    profile = values(parse(decompress(unseal(answer.data, KEY, "md5"))))
    assert profile["User_ID_1_"] == "1001"
    assert profile["Profile_Rule"] == f"[--key {KEY}] http://prov.example.com/service/$MA-{key_id(KEY)}.cfg"
    assert int(answer.headers["Content-Length"]) == len(answer.data)
    (line,) = logged(capsys)
    assert line["kind"] == "profile"
    assert line["mac"] == MAC
    assert (line["status"], line["address"], line["what"]) == (200, "192.0.2.20", "service")
    assert f'"{line["etag"]}"' == answer.headers["ETag"]
    assert KEY not in str(line)


def test_head_and_not_modified(client: FlaskClient) -> None:
    whole = client.get(URL)
    head = client.head(URL)
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["Content-Length"] == str(len(whole.data))
    same = client.get(URL, headers={"If-None-Match": whole.headers["ETag"]})
    assert (same.status_code, same.data, same.headers["ETag"]) == (304, b"", whole.headers["ETag"])
    assert client.get(URL, headers={"If-None-Match": '"another"'}).status_code == 200
    assert client.head(URL, headers={"If-None-Match": whole.headers["ETag"]}).status_code == 304


def test_content_coding(client: FlaskClient) -> None:
    for path in (f"/live/{OTHER}.cfg", f"/live/{OTHER}.cfg.aes128gcm"):
        answer = client.get(path)
        assert answer.headers["Content-Encoding"] == "aes128gcm"
        assert b"<flat-profile>" in decompress(decrypt_content(answer.data, OTHER_KEY.encode()))
    assert client.get(f"{URL}.aes128gcm").status_code == 404


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        (f"/live/{MAC.upper()}.cfg", {}, 200),
        ("/live/00005e0053ff.cfg", {}, 404),
        ("/live/00005e0053ff.cfg", of("00005e0053ff"), 404),
        ("/live/desk.cfg", {}, 404),
        (f"/live/{PLAIN}.cfg", {}, 403),
        (f"/live/{PLAIN}.cfg", of(MAC), 403),
        (f"/live/{PLAIN}.cfg", of(PLAIN), 200),
        (f"/live/device/{MAC}.cfg", {}, 403),
        (f"/live/device/{MAC}.cfg", of(OTHER), 403),
        (f"/live/device/{MAC}.cfg", {**of(MAC), "X-Preprovision-Verify": "FAILED:expired"}, 403),
        (f"/live/device/{MAC}.cfg", {**of(MAC), "X-Preprovision-Subject": f"CN={MAC},OU={OTHER}"}, 403),
        (f"/live/device/{MAC}.cfg", of(MAC), 200),
        # Nobody learns which phones there are
        ("/live/device/00005e0053ff.cfg", {}, 403),
        ("/live/device/00005e0053ff.cfg", of("00005e0053ff"), 404),
    ],
)
def test_authorisation(client: FlaskClient, path: str, headers: dict[str, str], status: int) -> None:
    answer = client.get(path, headers=headers)
    assert answer.status_code == status
    assert status == 200 or not answer.data or path == "/live/desk.cfg"


def test_device_profile_contains_the_key(client: FlaskClient) -> None:
    answer = client.get(f"/live/device/{MAC}.cfg", headers=of(MAC))
    assert KEY in values(parse(decompress(answer.data)))["Profile_Rule"]


BY_TFTP = {"bench_delivery": "tftp", "syslog_server": "192.0.2.1"}


@pytest.mark.parametrize(
    ("publication", "variables", "status"),
    [
        (BY_TFTP, {}, 404),
        ({}, {"phone_bench_delivery": "tftp"}, 404),
        (BY_TFTP, {"phone_bench_delivery": "certificate"}, 200),
    ],
)
def test_a_key_that_is_delivered_by_tftp_is_not_here(
    sync_phones: Callable[..., None],
    app: Flask,
    client: FlaskClient,
    capsys: pytest.CaptureFixture[str],
    publication: dict[str, str],
    variables: dict[str, str],
    status: int,
) -> None:
    sync_phones(app, {"desk": {**PHONES["desk"], **variables}}, publication=publication)
    answer = client.get(f"/live/device/{MAC}.cfg", headers=of(MAC))
    assert answer.status_code == status
    (line,) = logged(capsys)
    assert line.get("reason") == (None if status == 200 else "no such profile")
    assert client.post(f"/live/device/{MAC}.cfg", headers=of(MAC)).status_code == status
    # A stranger does not learn how a phone gets it, and the service profile is the same as before
    assert client.get(f"/live/device/{MAC}.cfg").status_code == 403
    profile = values(parse(decompress(unseal(client.get(URL).data, KEY, "md5"))))
    assert profile["User_ID_1_"] == "1001"


def test_the_own_file_of_another_family_is_not_its_models(
    sync_phones: Callable[..., None], app: Flask, client: FlaskClient
) -> None:
    poly = {"phone_mac": MAC, "phone_model": "VVX411", "phone_lines": [{"user_id": "1001", "password": "not to be shown"}]}
    sync_phones(app, {"poly": poly}, publication=BY_TFTP)
    assert client.get(URL).status_code == 403
    answer = client.get(URL, headers=of(MAC))
    assert (answer.status_code, b"not to be shown" in answer.data) == (200, True)


def test_can_require_a_certificate(make_app: Callable[..., Flask], app: Flask) -> None:
    client = make_app(PROFILE_ACCESS="certificate").test_client()
    assert client.get(URL).status_code == 403
    assert client.get("/live/00005e0053ff.cfg").status_code == 403
    assert client.get(URL, headers=of(MAC)).status_code == 200


def test_serves_current_profiles(sync_phones: Callable[..., None], app: Flask, client: FlaskClient) -> None:
    before = client.get(URL)
    assert client.get(URL).data == before.data
    sync_phones(app, {"desk": {**PHONES["desk"], "phone_lines": [{"user_id": "2002", "password": "not to be shown"}]}})
    after = client.get(URL, headers={"If-None-Match": before.headers["ETag"]})
    assert values(parse(decompress(unseal(after.data, KEY, "md5"))))["User_ID_1_"] == "2002"
    sync_phones(app, {}, publication={"remote_url": "http://other.example.com/$MA.cfg"})
    moved = values(parse(decompress(unseal(client.get(URL).data, KEY, "md5"))))
    assert moved["Profile_Rule"].endswith("http://other.example.com/$MA.cfg")
    sync_phones(app, {}, removed=(MAC,))
    assert client.get(URL).status_code == 404


def test_keys_in_paths(sync_phones: Callable[..., None], make_app: Callable[..., Flask], app: Flask) -> None:
    client = make_app(PROFILE_PATH="/live/$MA-{key_id}.cfg").test_client()
    desk = {**PHONES["desk"], "phone_profile_key": "a-new-key-of-the-desk-phone", "phone_profile_key_previous": KEY}
    sync_phones(app, {"desk": desk})
    for key in (KEY, desk["phone_profile_key"]):
        assert b"<flat-profile>" in decompress(unseal(client.get(f"/live/{MAC}-{key_id(key)}.cfg").data, key, "md5"))
    assert client.get(f"/live/{MAC}-00000000.cfg").status_code == 404
    # Without, as the phone still expects it, so that it learns the new one
    assert app.test_client().get(URL).data == client.get(f"/live/{MAC}-{key_id(KEY)}.cfg").data


def test_reports_profiles_that_cannot_be_rendered(app: Flask, client: FlaskClient, capsys: pytest.CaptureFixture[str]) -> None:
    with app.extensions["sessions"].begin() as session:
        variables = json.dumps({"phone_mac": MAC, "phone_model": "ATA192"})
        session.execute(update(Phone).where(Phone.mac == MAC).values(variables=variables, version="scanned"))
    assert client.get(URL).status_code == 404
    # Not for one that shows who it is: 404 may count as a success
    assert client.get(URL, headers=of(MAC)).status_code == 503
    assert "there is no key to seal the service profile with" in logged(capsys)[-1]["reason"]


def test_redirection(sync_phones: Callable[..., None], app: Flask, make_app: Callable[..., Flask]) -> None:
    customers = {"example": {"redirect": "https://new.example.com/phones/", "provisioning_url": ""}}
    sync_phones(app, PHONES, customers=customers)
    answer = app.test_client().get(URL)
    assert (answer.status_code, answer.headers["Location"]) == (302, f"https://new.example.com/phones/{MAC}.cfg")
    sync_phones(app, PHONES, customers=customers, redirects={MAC: "https://$MA.example.com/profile"})
    answer = make_app(REDIRECT_STATUS=301).test_client().get(URL)
    assert (answer.status_code, answer.headers["Location"]) == (301, f"https://{MAC}.example.com/profile")
    assert app.test_client().get(f"/live/device/{MAC}.cfg").status_code == 403


# -- reports


def reports(app: Flask) -> list[Report]:
    """Return the stored reports."""
    with app.extensions["sessions"]() as session:
        return list(session.scalars(select(Report).order_by(Report.id)))


XML = b"<flat-profile><Uptime>1 day</Uptime></flat-profile>"


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_report_with_a_certificate(app: Flask, client: FlaskClient, method: str, capsys: pytest.CaptureFixture[str]) -> None:
    headers = {**of(MAC), "User-Agent": "<script>", "Content-Type": "text/xml"}
    answer = client.open(f"/report/{MAC}.xml", method=method, data=XML, headers=headers)
    assert (answer.status_code, answer.data) == (200, b"")
    (report,) = reports(app)
    assert (report.mac, report.body, report.sealed, report.address) == (MAC, XML, 0, "192.0.2.20")
    assert (report.agent, report.content_type) == ("<script>", "text/xml")
    assert report.subject == of(MAC)["X-Preprovision-Subject"]
    (line,) = logged(capsys)
    assert (line["kind"], line["mac"], line["status"]) == ("report", MAC, 200)


def test_sealed_report(app: Flask, client: FlaskClient) -> None:
    for digest in ("md5", "sha256"):
        assert client.post(f"/report/{MAC}.xml", data=seal(compress(XML), KEY, digest)).status_code == 200
    assert client.post(f"/report/{MAC}.xml", data=seal(XML, "another key, for tests", "sha256")).status_code == 403
    coded = encrypt_content(XML, KEY.encode())
    assert client.post(f"/report/{MAC}.xml", data=coded, headers={"Content-Encoding": "aes128gcm"}).status_code == 200
    assert client.post(f"/report/{MAC}.xml", data=coded[:-1], headers={"Content-Encoding": "aes128gcm"}).status_code == 403
    broken = {"data": coded[:-1], "headers": {"Content-Encoding": "aes128gcm", **of(MAC)}}
    assert client.post(f"/report/{MAC}.xml", **broken).status_code == 400
    assert [(report.body, report.sealed) for report in reports(app)] == [(XML, 1)] * 3


def test_rejects_unauthenticated_reports(app: Flask, client: FlaskClient, make_app: Callable[..., Flask]) -> None:
    assert client.post(f"/report/{MAC}.xml", data=XML).status_code == 403
    assert client.post(f"/report/{MAC}.xml", data=XML, headers=of(OTHER)).status_code == 403
    assert client.post("/report/00005e0053ff.xml", data=XML).status_code == 403
    assert client.post("/report/00005e0053ff.xml", data=XML, headers=of("00005e0053ff")).status_code == 404
    assert not reports(app)
    assert make_app(REPORT_ACCESS="anybody").test_client().post(f"/report/{MAC}.xml", data=XML).status_code == 200
    assert len(reports(app)) == 1


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("coding", ["", "aes128gcm"])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        XML,
        b"Salted__",
        seal(XML, "another key, for tests", "sha256"),
        seal(XML, "another key, for tests", "md5")[:-3],
        b"\x1f\x8b rubbish",
        b"x" * (256 * 1024 + 1),
    ],
    ids=["empty", "XML", "no salt", "another key", "cut off", "no gzip", "too large"],
)
def test_refusals_do_not_tell_which_phones_exist(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, method: str, coding: str, body: bytes
) -> None:
    work: list[str] = []
    for name in ("unseal", "decrypt_content"):
        found = getattr(reports_module, name)
        monkeypatch.setattr(reports_module, name, lambda *given, found=found, name=name: work.append(name) or found(*given))
    answers = []
    for mac in (MAC, OTHER, "00005e0053ff"):
        work.clear()
        answer = client.open(f"/report/{mac}.xml", method=method, data=body, headers={"Content-Encoding": coding} if coding else {})
        answers.append((answer.status_code, answer.data, answer.headers.to_wsgi_list(), len(work)))
    assert answers[0][0] in (403, 413)
    assert answers[1:] == answers[:1] * 2


BOMB = b'<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;&b;">]><a>&c;</a>'


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (BOMB, 400),
        (BOMB.decode().encode("utf-16"), 200),
        (b"\xef\xbb\xbf" + BOMB, 400),
        (b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', 400),
        (b"<a>&undeclared;</a>", 400),
        (b"<a><b></a>", 400),
        (b"<a>" * 50_000, 400),
        (b"x" * (256 * 1024), 200),
        (b"x" * (256 * 1024 + 1), 413),
        (gzip.compress(b"<a>" + b" " * 1_000_000 + b"</a>", mtime=0), 400),
        (gzip.compress(XML, mtime=0), 200),
        (b"", 200),
    ],
)
def test_hostile_bodies(app: Flask, client: FlaskClient, body: bytes, status: int) -> None:
    assert client.post(f"/report/{MAC}.xml", data=body, headers=of(MAC)).status_code == status
    # What is no XML at its beginning is kept as it is, and never parsed
    assert len(reports(app)) == (status == 200)


def test_sealed_bomb(app: Flask, client: FlaskClient) -> None:
    # Only XML that can be stored shows that the key was right
    assert client.post(f"/report/{MAC}.xml", data=seal(BOMB, KEY, "sha256")).status_code == 403
    coded = encrypt_content(BOMB.decode().encode("utf-16"), KEY.encode())
    assert client.post(f"/report/{MAC}.xml", data=coded, headers={"Content-Encoding": "aes128gcm"}).status_code == 400
    assert not reports(app)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.binary(max_size=300),
    prefix=st.sampled_from([b"", b"Salted__", b"<", b"\x1f\x8b", b"<!DOCTYPE"]),
    kind=st.text(max_size=20),
)
def test_any_body(client: FlaskClient, body: bytes, prefix: bytes, kind: str) -> None:
    encoded = kind.encode("ascii", "ignore").decode()
    if not encoded.isprintable():
        encoded = ""
    answer = client.post(f"/report/{MAC}.xml", data=prefix + body, headers={**of(MAC), "Content-Type": encoded})
    assert answer.status_code in (200, 400)


def test_form_with_a_request(app: Flask, client: FlaskClient) -> None:
    """A phone whose rule has --post gets its profile by POST."""
    data = {"mac": MAC, "version": "11.1"}
    answer = client.post(URL, data=data, headers=of(MAC))
    assert answer.data == client.get(URL).data
    (report,) = reports(app)
    assert (report.body, report.content_type) == (f"mac={MAC}&version=11.1".encode(), "application/x-www-form-urlencoded")
    # Without proof it gets the sealed profile, and its form is not stored
    assert client.post(URL, data=data).data == answer.data
    assert client.post(URL, data="x" * 300_000, headers=of(MAC)).status_code == 413
    assert client.put(URL, data=XML, headers=of(MAC)).data == b""
    assert client.put(URL, data=XML).status_code == 403
    assert len(reports(app)) == 2
    many = "&".join(f"n{number}=1" for number in range(200))
    headers = {**of(MAC), "Content-Type": "application/x-www-form-urlencoded"}
    assert client.post(f"/report/{MAC}.xml", data=many, headers=headers).status_code == 400


def test_keeps_few_recent_reports(make_app: Callable[..., Flask], app: Flask) -> None:
    app = make_app(REPORT_KEEP=2, REPORT_DAYS=7)
    client = app.test_client()
    for number in range(4):
        client.post(f"/report/{MAC}.xml", data=b"<a>%d</a>" % number, headers=of(MAC))
    client.post(f"/report/{OTHER}.xml", data=XML, headers=of(OTHER))
    assert [report.body for report in reports(app)] == [b"<a>2</a>", b"<a>3</a>", XML]
    with app.extensions["sessions"].begin() as session:
        session.execute(update(Report).where(Report.mac == MAC).values(time=Report.time - 7 * 24 * 3600 * 1000 - 1))
    purge(app)
    assert [report.body for report in reports(app)] == [XML]


# -- remote customization


def test_remote_customization(
    sync_phones: Callable[..., None], app: Flask, client: FlaskClient, capsys: pytest.CaptureFixture[str]
) -> None:
    customers = {"example": {"redirect": "", "provisioning_url": "https://prov.example.com/$MA.cfg"}}
    sync_phones(app, PHONES, customers=customers)
    path = "/customization"
    query = {"mac": "00:00:5E:00:53:01", "model": "ATA192-MPP"}
    answer = client.get(path, query_string=query)
    assert (answer.status_code, answer.text) == (200, "https://prov.example.com/$MA.cfg")
    assert client.post(path, data=query).text == answer.text
    assert {line["mac"] for line in logged(capsys)} == {MAC}
    for mac, model in ((MAC, "SPA504G"), (OTHER, "CP-8851"), ("00005e0053ff", "ATA192"), (MAC, "")):
        nothing = client.get(path, query_string={"mac": mac, "model": model})
        assert (nothing.status_code, nothing.data) == (200, b"")
        # The web server counts it as a guess
        assert nothing.headers["X-Accel-Redirect"] == "/.nothing"
    assert "X-Accel-Redirect" not in answer.headers
    assert client.get(path, query_string={"mac": "x"}).status_code == 400
    assert client.post(path, data={"mac": "x" * 5000}).status_code == 413


# -- profiles by what phones say of themselves

RULES = [
    {"field": "Software_Version", "below": "11-2-0MPP-1", "parameters": {"Resync_Periodic": 60, "GPP_P": "had {value}"}},
    {"field": "External_IP", "begins": "198.51.100.", "parameters": {"GPP_P": '<near & "far">'}},
]
OLD = b"<flat-profile><Software_Version>11-1-0MPP-16</Software_Version></flat-profile>"
FORM_OF_OLD = "Software_Version=11-1-0MPP-16&External_IP=198.51.100.7"


@pytest.fixture
def shaping(sync_phones: Callable[..., None], make_app: Callable[..., Flask]) -> Flask:
    """Return an application with rules."""
    app = make_app(POST_RULES=RULES)
    sync_phones(app, PHONES)
    return app


def parameters_of(answer: Any) -> dict[str, str]:
    return values(parse(decompress(unseal(answer.data, KEY, "md5"))))


@pytest.mark.parametrize(
    ("body", "headers", "content_type", "expected"),
    [
        (seal(OLD, KEY, "sha256"), {}, "text/xml", ("60", "had 11-1-0MPP-16")),
        (OLD, of(MAC), "text/xml", ("60", "had 11-1-0MPP-16")),
        (FORM_OF_OLD, of(MAC), FORM, ("60", '<near & "far">')),
        ("Software_Version=11-2-0MPP-1", of(MAC), FORM, None),
        ("x=1", of(MAC), FORM, None),
        # Nobody else may say so
        (OLD, {}, "text/xml", None),
        (OLD, of(OTHER), "text/xml", None),
        (FORM_OF_OLD, {}, FORM, None),
    ],
)
def test_a_phones_own_words_shape_its_profile(
    shaping: Flask,
    capsys: pytest.CaptureFixture[str],
    body: Any,
    headers: dict[str, str],
    content_type: str,
    expected: tuple[str, str] | None,
) -> None:
    client = shaping.test_client()
    usual = client.get(URL)
    capsys.readouterr()
    answer = client.post(URL, data=body, headers=headers, content_type=content_type)
    assert answer.status_code == 200
    found = parameters_of(answer)
    if expected is None:
        assert (answer.data, answer.headers["ETag"]) == (usual.data, usual.headers["ETag"])
    else:
        assert (found["Resync_Periodic"], found["GPP_P"], found["User_ID_1_"]) == (*expected, "1001")
        assert answer.headers["ETag"] != usual.headers["ETag"]
        assert logged(capsys)[-1]["shaped"] == "Resync_Periodic, GPP_P"
    # It is for this answer only
    assert client.get(URL).data == usual.data


def test_a_rule_that_does_not_fit_a_phone_leaves_its_profile_as_it_is(
    sync_phones: Callable[..., None], make_app: Callable[..., Flask], capsys: pytest.CaptureFixture[str]
) -> None:
    app = make_app(POST_RULES=[{"field": "x", "parameters": {"Profile_Rule": "[--key"}}])
    sync_phones(app, PHONES)
    client = app.test_client()
    usual = client.get(URL)
    answer = client.post(URL, data="x=1", headers=of(MAC), content_type=FORM)
    assert (answer.status_code, answer.data) == (200, usual.data)
    assert logged(capsys)[-1]["reason"].startswith("profile_service_post_rules: ")


def test_a_preprovision_profile_is_shaped_by_nothing(shaping: Flask) -> None:
    path = f"/live/device/{MAC}.cfg"
    client = shaping.test_client()
    usual = client.get(path, headers=of(MAC))
    answer = client.post(path, data=FORM_OF_OLD, headers=of(MAC), content_type=FORM)
    assert (answer.status_code, answer.data) == (200, usual.data)
