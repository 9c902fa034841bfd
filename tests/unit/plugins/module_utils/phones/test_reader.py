# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading phones from their variables: layers, lines, keys, and errors that name phone and variable."""

from __future__ import annotations

import datetime
import functools
import re
from typing import Any

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.common.mac import Mac
from ansible_collections.voip.preprovision.plugins.module_utils.families.catalogue import BUILTIN
from ansible_collections.voip.preprovision.plugins.module_utils.families.model import LINE_TEXTS, UNIT_MACROS
from ansible_collections.voip.preprovision.plugins.module_utils.firmware.policy import FirmwarePolicy
from ansible_collections.voip.preprovision.plugins.module_utils.phones.phone import PLAIN, PhoneError
from ansible_collections.voip.preprovision.plugins.module_utils.phones.reader import PhoneReader, read_phones
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.flat_profile import Setting, values
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.keys import derive_key
from ansible_collections.voip.preprovision.plugins.module_utils.publishing.publisher import Publisher
from ansible_collections.voip.preprovision.plugins.module_utils.publishing.settings import Settings

LINE_KEYS = BUILTIN.families["ata19x"].line_settings
MASTER = "a master key for tests"
LOG = "router-configuration/Log_Configuration"
OWN_KEY = "0123456789abcdef"
NESTED: dict[str, Any] = functools.reduce(lambda below, _level: {"A": below}, range(3000), {})
REQUIRED = {"phone_mac": "00-00-5E-00-53-01", "phone_model": "ata192"}


def read(master_key=None, **variables):
    return PhoneReader(master_key=master_key).read("desk-1", {**REQUIRED, **variables})


def test_required_variables_are_enough():
    phone = read()
    assert (phone.name, phone.mac, phone.model) == ("desk-1", Mac("00005e005301"), BUILTIN.find_model("ATA192"))
    assert (phone.serial, phone.customer, phone.address, phone.key) == ("", "", "", None)
    assert (phone.parameters, phone.ignored) == ({}, ())


def test_keeps_optional_variables():
    phone = read(phone_serial=4711, phone_customer="example", phone_address="192.0.2.20", phone_unknown=1, other=2)
    assert (phone.serial, phone.customer, phone.address) == ("4711", "example", "192.0.2.20")


def test_macros():
    assert read(phone_serial="S/N: fch2118dgqp").macros == {
        "MA": "00005e005301",
        "MAU": "00005E005301",
        "MAC": "00:00:5e:00:53:01",
        "PN": "ATA192-MPP",
        "PSN": "192",
        "SN": "FCH2118DGQP",
    }
    assert set(read().macros) == set(UNIT_MACROS)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"phone_parameters": {"X": "phone"}}, {"X": "phone"}),
        ({"phone_parameters_site": {"X": "site"}}, {"X": "site"}),
        # the phone's own win, in any order; layers are sorted by name
        ({"phone_parameters": {"X": "phone"}, "phone_parameters_zz": {"X": "zz", "Y": "zz"}}, {"X": "phone", "Y": "zz"}),
        ({"phone_parameters_b": {"X": "b"}, "phone_parameters_a": {"X": "a", "Y": "a"}}, {"X": "b", "Y": "a"}),
        ({"phone_parameters_10": {"X": "10"}, "phone_parameters_9": {"X": "9"}}, {"X": "9"}),
        # sections are merged, not replaced
        ({"phone_parameters_a": {"S": {"X": 1, "Y": 1}}, "phone_parameters": {"S": {"X": 2}}}, {"S/X": "2", "S/Y": "1"}),
        # a null leaves the value of an earlier layer
        ({"phone_parameters_a": {"X": "a"}, "phone_parameters": {"X": None}}, {"X": "a"}),
        ({"phone_parameters_a": {"X": "a"}, "phone_parameters": {"X": ""}}, {"X": ""}),
        ({"phone_parametersX": {"X": "a"}}, {}),
        # typed variables come first, lines last
        (
            {"phone_resync": {"periodic": 60}, "phone_parameters_a": {"Resync_Periodic": 120}},
            {"Resync_Periodic": "120"},
        ),
        (
            {"phone_parameters": {"User_ID_1_": "own", "Proxy_1_": "own"}, "phone_lines": [{"user_id": "line"}]},
            {"User_ID_1_": "line", "Proxy_1_": "own"},
        ),
    ],
)
def test_layers(variables, expected):
    assert values(read(**variables).parameters) == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], {}),
        (None, {}),
        ([{"user_id": 1001}], {"User_ID_1_": "1001"}),
        ([{"user_id": "1001"}, {}, {"user_id": "1003"}], {"User_ID_1_": "1001", "User_ID_3_": "1003"}),
        ([{"enable": True, "register": False, "proxy": None}], {"Line_Enable_1_": "Yes", "Register_1_": "No"}),
        (
            [dict.fromkeys(LINE_KEYS, "x")],
            {
                "Auth_ID_1_": "x",
                "Dial_Plan_1_": "x",
                "Display_Name_1_": "x",
                "Line_Enable_1_": "x",
                "Outbound_Proxy_1_": "x",
                "Password_1_": "x",
                "Proxy_1_": "x",
                "Register_1_": "x",
                "Register_Expires_1_": "x",
                "Use_Auth_ID_1_": "x",
                "Use_Outbound_Proxy_1_": "x",
                "Use_DNS_SRV_1_": "x",
                "User_ID_1_": "x",
            },
        ),
    ],
)
def test_lines(lines, expected):
    assert values(read(phone_lines=lines).parameters) == expected


@pytest.mark.parametrize("key", sorted(LINE_TEXTS - {"register_expires"}))
def test_a_line_takes_digits_as_text(key):
    assert read(phone_lines=[{key: 1001}]) == read(phone_lines=[{key: "1001"}])


def test_every_key_of_a_line_is_text_or_a_flag():
    flags = {"enable", "register", "use_outbound_proxy", "use_auth_id", "use_dns_srv"}
    assert flags | LINE_TEXTS == set(LINE_KEYS)
    assert not flags & LINE_TEXTS


def test_parameters_that_hold_no_text_may_be_true_or_false():
    flags = [
        "Line_Enable_1_",
        "Use_Auth_ID_1_",
        "SIP_Remote-Party-ID_1_",
        "Feature_Key_Sync_1_",
        "Block_CID_Serv",
        "Resync_On_Reset",
    ]
    assert values(read(phone_parameters=dict.fromkeys(flags, True)).parameters) == dict.fromkeys(flags, "Yes")


def test_a_line_carries_access_rights():
    assert read(phone_lines=[{"user_id": {"value": "1001", "ua": "na"}}]).parameters == {"User_ID_1_": Setting("1001", "na")}


@pytest.mark.parametrize(
    ("master_key", "variables", "expected"),
    [
        (None, {}, None),
        (MASTER, {}, derive_key(MASTER, Mac("00005e005301"))),
        (None, {"phone_profile_key": OWN_KEY}, OWN_KEY),
        (MASTER, {"phone_profile_key": OWN_KEY}, OWN_KEY),
        (MASTER, {"phone_profile_key": None}, derive_key(MASTER, Mac("00005e005301"))),
    ],
)
def test_keys(master_key, variables, expected):
    assert read(master_key, **variables).key == expected


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"phone_mac": None}, "the variable phone_mac is missing"),
        ({"phone_mac": ""}, "the variable phone_mac is missing"),
        ({"phone_model": None}, "the variable phone_model is missing"),
        (
            {"phone_mac": "00005e00530"},
            "phone_mac: '00005e00530' is not a MAC address; write twelve hexadecimal digits, such as 00:00:5e:00:53:01",
        ),
        ({"phone_model": "ATA190"}, "phone_model: unknown model 'ATA190'; did you mean 'ATA192'?"),
        ({"phone_profile_key": ""}, "phone_profile_key: the profile key has 0 characters; use at least 16 random ones"),
        ({"phone_profile_key": "secret"}, "phone_profile_key: the profile key has 6 characters; use at least 16 random ones"),
        (
            {"phone_profile_key_previous": ""},
            "phone_profile_key_previous: the profile key must be printable text, of at least one character",
        ),
        ({"phone_parameters": ["X"]}, "phone_parameters: it is a list; write a mapping of parameter names and values"),
        ({"phone_parameters": None}, "phone_parameters: it is empty; write a mapping of parameter names and values"),
        (
            {"phone_parameters_site": {"S": {"X": "secret "}}},
            "phone_parameters_site: S/X begins or ends with white space, which the phone would drop",
        ),
        ({"phone_lines": {"user_id": 1}}, "phone_lines: it must be a list of mappings, one for each line"),
        ({"phone_lines": ["1001"]}, "phone_lines: it must be a list of mappings, one for each line"),
        ({"phone_lines": [{}, {"userid": 1}]}, "phone_lines: line 2: unknown key 'userid'; did you mean 'user_id'?"),
        (
            {"phone_lines": [{"zzz": 1}]},
            f"phone_lines: line 1: unknown key 'zzz'; expected one of {', '.join(LINE_KEYS)}",
        ),
        ({"phone_serial": "S/N:"}, "phone_serial: 'S/N:' is only a label; write the serial number after it"),
        ({"phone_serial": ["x"]}, "phone_serial: must be text, not a list; quote it where YAML reads something else"),
        ({"phone_site": True}, "phone_site: must be text, not true or false; write it in quotes, such as 'on'"),
        ({"phone_customer": 1.5}, "phone_customer: must be text, not a decimal fraction; write it in quotes, such as '1.10'"),
        *(
            ({variable: value}, f"{variable}: must be text, not {kind}; write it in quotes, such as '{example}'")
            for value, kind, example in (
                (False, "true or false", "on"),
                (1.1, "a decimal fraction", "1.10"),
                (datetime.date(2026, 1, 31), "a date", "2026-01-31"),
            )
            for variable in PLAIN
            if variable not in ("phone_mac", "phone_firmware_hold") and not variable.startswith("phone_profile_key")
        ),
        ({"phone_profile_key": 1e20}, "phone_profile_key: the profile key is not text; write it in quotes, such as '1.10'"),
        (
            {"phone_profile_key_previous": True},
            "phone_profile_key_previous: the profile key is not text; write it in quotes, such as 'on'",
        ),
        *(
            ({"phone_lines": [{}, {key: value}]}, f"phone_lines: line 2: {key} is {kind}; write it in quotes, such as '{example}'")
            for key in ("user_id", "password", "proxy", "auth_id")
            for value, kind, example in (
                (True, "true or false", "on"),
                ({"value": False, "ua": "na"}, "true or false", "on"),
                (1.1, "a decimal fraction", "1.10"),
                (datetime.date(2026, 1, 31), "a date", "2026-01-31"),
            )
        ),
        *(
            ({"phone_parameters_x": parameters}, f"phone_parameters_x: {path} is true or false; write it in quotes, such as 'on'")
            for parameters, path in (
                ({"GPP_A": True}, "GPP_A"),
                ({"Password_1_": False}, "Password_1_"),
                ({"router-configuration": {"SSH": {"SSH_Password": True}}}, "router-configuration/SSH/SSH_Password"),
                ({"Proxy_1_": False}, "Proxy_1_"),
                ({"Dial_Plan_2_": {"value": True}}, "Dial_Plan_2_"),
                ({"Profile_Rule": False}, "Profile_Rule"),
                ({"router-configuration": {"Log_Configuration": {"Syslog_Server_IP": False}}}, f"{LOG}/Syslog_Server_IP"),
                ({"Log_Resync_Request_Msg": False}, "Log_Resync_Request_Msg"),
                ({"Resync_Periodic": False}, "Resync_Periodic"),
            )
        ),
        (
            {"phone_model": "HT802", "phone_parameters": {"P34": True}},
            "phone_parameters: P34 is true or false; write it in quotes, such as 'on'",
        ),
        (
            {"phone_model": "D385", "phone_parameters": {"user_host.1": True}},
            "phone_parameters: user_host.1 is true or false; write it in quotes, such as 'on'",
        ),
        *(
            ({"phone_web": {key: value}}, f"phone_web: {key} must be text, not {kind}; write it in quotes, such as '{example}'")
            for key in ("admin_name", "admin_password", "user_password")
            for value, kind, example in ((True, "true or false", "on"), (1.1, "a decimal fraction", "1.10"))
        ),
        (
            {"phone_syslog": {"server": 1.1}},
            "phone_syslog: server must be text, not a decimal fraction; write it in quotes, such as '1.10'",
        ),
        (
            {"phone_customer": "a\nb"},
            "phone_customer: holds the character U+000A at position 2, which no profile can carry to a phone",
        ),
        (
            {"phone_serial": "\ud800"},
            "phone_serial: holds the character U+D800 at position 1, which no profile can carry to a phone",
        ),
        (
            {"phone_parameters": {"A": NESTED}},
            f"phone_parameters: {'/'.join('A' * 17)} is a mapping, but no section is possible here",
        ),
        (
            {"phone_model": "T46U", "phone_parameters": {"S": {"X": "secret"}}},
            "phone_parameters: S is a mapping, but no section is possible here",
        ),
        (
            {"phone_lines": [{"password": "secret\n"}]},
            "phone_lines: line 1: password holds the character U+000A at position 7, which no profile can carry to a phone",
        ),
    ],
)
def test_rejects_invalid_variables(variables, message):
    with pytest.raises(PhoneError, match=f"^{re.escape(message)}$"):
        read(**variables)


def test_repr_shows_no_secret():
    phone = read(
        MASTER,
        phone_profile_key="secret-0123456789",
        phone_lines=[{"password": "secret"}],
        phone_parameters={"Admin_Passwd": "secret"},
    )
    assert "secret" not in repr(phone)


def test_phones_keep_their_order():
    phones = read_phones(
        [(name, {**REQUIRED, "phone_mac": f"00005e00530{name}"}) for name in "312"], PhoneReader(master_key=MASTER)
    )
    assert [phone.name for phone in phones] == ["3", "1", "2"]
    assert len({phone.key for phone in phones}) == 3


def test_all_problems_are_reported_together():
    one, other = "00:00:5e:00:53:01", "00:00:5e:00:53:02"
    with pytest.raises(PhoneError) as caught:
        read_phones(
            [
                ("a", {"phone_mac": one, "phone_model": "ATA192"}),
                ("b", {"phone_mac": other, "phone_model": "ATA19"}),
                ("c", {"phone_mac": "00005E005301", "phone_model": "SPA504G"}),
                ("d", {"phone_model": "ATA192"}),
                ("e", {"phone_mac": "0000.5e00.5301", "phone_model": "ATA191"}),
            ]
        )
    assert str(caught.value).splitlines() == [
        "phone b: phone_model: unknown model 'ATA19'; did you mean 'ATA192'?",
        "phone d: the variable phone_mac is missing",
        "phones a and c and e: phone_mac: all have 00:00:5e:00:53:01, and so the same file names; a MAC belongs to one phone",
    ]


@pytest.mark.parametrize("option", ["master_key", "previous_master_key"])
def test_rejects_a_bad_master_key_once_and_not_for_each_phone(option):
    with pytest.raises(PhoneError, match=rf"^{option}: the master key has 5 characters; use at least 16 random ones$"):
        PhoneReader(**{"master_key": MASTER, option: "short"})


@pytest.mark.parametrize(
    ("masters", "variables", "expected"),
    [
        ((MASTER, None), {}, (derive_key(MASTER, Mac("00005e005301")), None)),
        ((MASTER, OWN_KEY), {}, (derive_key(MASTER, Mac("00005e005301")), derive_key(OWN_KEY, Mac("00005e005301")))),
        ((MASTER, None), {"phone_profile_key": OWN_KEY}, (OWN_KEY, None)),
        ((MASTER, None), {"phone_profile_key_previous": OWN_KEY}, (derive_key(MASTER, Mac("00005e005301")), OWN_KEY)),
        # a new master key does not concern a phone with its own key
        ((MASTER, "the master key of before"), {"phone_profile_key": OWN_KEY}, (OWN_KEY, None)),
        (
            (MASTER, "the master key of before"),
            {"phone_profile_key": OWN_KEY, "phone_profile_key_previous": OWN_KEY[::-1]},
            (OWN_KEY, OWN_KEY[::-1]),
        ),
        # a key that phones already use is accepted, however weak
        *(
            ((MASTER, None), {"phone_profile_key_previous": weak}, (derive_key(MASTER, Mac("00005e005301")), weak))
            for weak in ("1", "with a space", '$ -"quote"')
        ),
        # an unchanged key has no previous one
        ((MASTER, MASTER), {}, (derive_key(MASTER, Mac("00005e005301")), None)),
        ((None, None), {"phone_profile_key": OWN_KEY, "phone_profile_key_previous": OWN_KEY}, (OWN_KEY, None)),
    ],
)
def test_changing_keys(masters, variables, expected):
    phone = PhoneReader(BUILTIN, *masters).read("desk-1", {**REQUIRED, **variables})
    assert (phone.key, phone.previous_key) == expected


@pytest.mark.parametrize(
    ("model", "sealing", "expected"),
    [
        ("ATA192", None, "openssl"),
        ("ATA192", "openssl", "openssl"),
        ("CP-8851-3PCC", "aes128gcm", "aes128gcm"),
        ("ATA192", "aes128gcm", "phone_sealing: the family ata19x cannot decrypt aes128gcm; use openssl"),
        ("ATA192", "rot13", "phone_sealing: unknown sealing 'rot13'; expected one of openssl, aes128gcm, none"),
    ],
)
def test_sealing(model, sealing, expected):
    try:
        found = PhoneReader().read("desk-1", {**REQUIRED, "phone_model": model, "phone_sealing": sealing}).sealing
    except PhoneError as error:
        found = str(error)
    assert found == expected


def test_previous_sealing():
    variables = {**REQUIRED, "phone_model": "CP-8851-3PCC", "phone_sealing": "aes128gcm"}
    found = [
        PhoneReader().read("desk-1", {**variables, **more}).previous_sealing
        for more in ({}, {"phone_sealing_previous": ""}, {"phone_sealing_previous": "openssl"})
    ]
    assert found == [None, None, "openssl"]
    with pytest.raises(PhoneError, match=r"^phone_sealing_previous: unknown sealing 'rot13'; expected one of openssl, "):
        PhoneReader().read("desk-1", {**variables, "phone_sealing_previous": "rot13"})


def test_shared_values_are_read_once_and_give_the_same_phone():
    shared = {"phone_parameters_site": {"Proxy_1_": "sip.example.net"}, "phone_nat": {"mapping": True}}
    reader = PhoneReader(shared=shared.values())
    # An own layer below and above, other models, other numbers of lines: none may get what another got
    for model in ("ATA192", "SPA504G", "ATA192"):
        for own in (
            {},
            {"phone_parameters_a": {"Proxy_1_": "a"}},
            {"phone_parameters": {"Proxy_1_": "z"}},
            {"phone_lines": [{}, {}]},
        ):
            variables = {**REQUIRED, "phone_model": model, **shared, **own}
            assert reader.read("x", variables) == PhoneReader().read("x", variables)


def test_origins():
    variables = {
        **REQUIRED,
        "phone_resync": {"periodic": 60, "on_reset": True},
        "phone_parameters_a": {"Resync_Periodic": 120, "Proxy_1_": "a"},
        "phone_parameters": {"Proxy_1_": "own"},
        "phone_lines": [{"user_id": "1001"}],
    }
    assert PhoneReader().origins(variables) == {
        "Resync_On_Reset": "phone_resync",
        "Resync_Periodic": "phone_parameters_a",
        "Proxy_1_": "phone_parameters",
        "User_ID_1_": "phone_lines",
    }


def test_reports_unknown_parameters():
    phone = read(phone_parameters_site={"Prxy_1_": "x"}, phone_web={"user_password": "long-enough"})
    assert phone.ignored == (
        "phone_web: user_password has no parameter in the family ata19x, which would ignore it",
        "phone_parameters_site: the family ata19x does not know Prxy_1_ and would ignore it; did you mean 'Proxy_1_'?",
    )


def test_reports_expressions_that_nothing_has_rendered():
    phone = read(phone_parameters={"STUN_Server": "{$stun_server}"}, phone_lines=[{"user_id": "{{ number }}", "password": "a{{b"}])
    end = "that nothing has rendered; phones take it as text"
    assert phone.ignored == (
        f"phone_parameters: STUN_Server holds an expression of Smarty, '{{$', {end}",
        f"phone_lines: User_ID_1_ holds an expression of Jinja2, '{{{{', {end}",
    )


def test_reports_line_keys_without_a_parameter():
    lines = [{"user_id": "1001", "use_auth_id": True}, {"use_auth_id": True}]
    phone = read(phone_model="CP-8851-3PCC", phone_lines=lines)
    assert values(phone.parameters) == {"User_ID_1_": "1001"}
    assert phone.ignored == ("phone_lines: use_auth_id has no parameter in the family mpp, which would ignore it",)


@pytest.mark.parametrize(
    ("model", "name", "access", "instead"),
    [
        *(("T46U", "a.b", access, ", so it is left out") for access in ("na", "ro", "rw")),
        ("GXP1630", "P1", "rw", ", so it is left out"),
        ("VVX250", "a.b", "ro", ", so it is left out"),
        ("D345", "user_host.1", "na", "; use ro or rw"),
        ("D345", "user_host.1", "ro", None),
        ("D345", "user_host.1", "rw", None),
        *(("SPA504G", "Proxy_1_", access, None) for access in ("na", "ro", "rw", None)),
        ("T46U", "a.b", None, None),
    ],
)
def test_reports_access_rights_that_a_format_cannot_express(model, name, access, instead):
    phone = read(phone_model=model, phone_parameters={name: {"value": "x", "ua": access}})
    family = phone.model.family.name
    assert phone.parameters[name].value == "x"
    assert phone.ignored == (
        (f"phone_parameters: profiles of the family {family} cannot express ua '{access}' of {name}{instead}",) if instead else ()
    )


def test_reports_access_rights_of_a_line():
    phone = read(phone_model="T46U", phone_lines=[{"user_id": {"value": "1001", "ua": "ro"}}])
    assert phone.ignored == (
        "phone_lines: profiles of the family yealink cannot express ua 'ro' of account.1.user_name, so it is left out",
    )


def test_reports_lines_that_a_family_does_not_have():
    assert read(phone_lines=[{}, {}, {}]).ignored == ("phone_lines: the family ata19x has no line 3 and would ignore it",)


def test_rejects_a_name_with_line_breaks():
    with pytest.raises(PhoneError, match=r"^its name: holds the character U\+000A at position 2, which"):
        PhoneReader().read("a\nb", REQUIRED)


def test_a_user_family_knows_the_parameters_of_its_base():
    acme = {"based_on": "spa", "models": ["ACME1"], "series": r"ACME(\d)"}
    variables = {**REQUIRED, "phone_model": "ACME1", "phone_parameters": {"Prxy_1_": "x"}}
    for family, count in ((acme, 1), ({**acme, "known_names": ""}, 0)):
        assert len(PhoneReader(BUILTIN.extended({"acme": family})).read("x", variables).ignored) == count


SECRET = "topsecret-canary"


@pytest.mark.parametrize(
    "variables",
    [
        *(
            {
                "phone_parameters": {
                    "Profile_Rule": rule,
                    "GPP_SA": SECRET,
                    "GPP_SB": f"{SECRET}://x",
                    "GPP_SC": f"{SECRET} {SECRET}",
                }
            }
            for rule in (
                *(
                    f"[--key {SECRET} http://x/y",
                    f"[--key{SECRET}] http://x/y",
                    f"[--{SECRET}] http://x/y",
                    f"--key {SECRET} http://x/y",
                ),
                *(
                    f'[--key "{SECRET}] http://x/y',
                    f"[--key {SECRET} {SECRET}] http://x/y",
                    f"http://u:{SECRET}@x/y",
                    f"({SECRET} eq 1)? /",
                ),
                *(
                    f'(GPP_SA = "{SECRET}")! http://x/y',
                    "$SA",
                    "$SB",
                    "http://$SA@x/y",
                    "[--key $SC] http://x/y",
                    f"[--pwd={SECRET}] /x",
                ),
            )
        ),
        *({"phone_parameters": {"Admin_Passwd": value}} for value in ([SECRET], f"{SECRET}\n", f"{SECRET} ", {"ua": SECRET})),
        *(
            {"phone_web": {"admin_password": value}}
            for value in (SECRET * 10, f"{SECRET} ", [SECRET], {"value": SECRET}, SECRET[:4])
        ),
        *({"phone_lines": value} for value in (SECRET, [SECRET], [{"password": [SECRET]}], [{"password": f"{SECRET}\0"}])),
        *(
            {name: value}
            for name in ("phone_profile_key", "phone_profile_key_previous")
            for value in ([SECRET], f"{SECRET}\ud800", f"{SECRET}\n")
        ),
        *({"phone_profile_key": value} for value in (SECRET[:9], f"{SECRET} x", f"-{SECRET}", f"{SECRET}$")),
        *(
            {name: value}
            for name in ("phone_nat", "phone_syslog", "phone_web", "phone_parameters_x")
            for value in (SECRET, [SECRET])
        ),
        {"phone_nat": {"stun_server": f"{SECRET} "}},
    ],
    ids=repr,
)
def test_errors_show_no_secret(variables):
    publisher = Publisher(Settings("https://prov.example.net/$MA.cfg", "http://prov.example.com/$MA-{key_id}.cfg"))
    given = {**REQUIRED, **variables}
    shown = ""
    try:
        shown = "\n".join(publisher.check(PhoneReader(master_key=MASTER).read("desk-1", given)))
    except PhoneError as error:
        causes = [error, error.__cause__, error.__cause__ and error.__cause__.__cause__]
        shown = "\n".join(f"{cause} {cause!r}" for cause in causes)
    assert shown
    assert SECRET[:9] not in shown


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, FirmwarePolicy()),
        ({"phone_firmware": "7.6.2", "phone_hardware": "V02"}, FirmwarePolicy("7.6.2", "V02")),
        ({"phone_firmware_hold": True}, FirmwarePolicy(held=True)),
        ({"phone_firmware_hold": "no", "phone_firmware_rollout_percent": 20}, FirmwarePolicy(rollout_percent=20)),
        ({"phone_firmware_hold": "", "phone_firmware_rollout_percent": "0"}, FirmwarePolicy(rollout_percent=0)),
    ],
)
def test_firmware(variables, expected):
    assert read(**variables).firmware == expected


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"phone_firmware": 7.6}, "phone_firmware: must be text, not a decimal fraction; write it in quotes, such as '1.10'"),
        ({"phone_firmware_hold": "maybe"}, "phone_firmware_hold: must be true or false"),
        (
            {"phone_firmware_rollout_percent": 101},
            "phone_firmware_rollout_percent: '101' must be a percentage between 0 and 100",
        ),
        ({"phone_firmware_rollout_percent": "ten"}, "phone_firmware_rollout_percent: 'ten' must be a percentage"),
    ],
)
def test_rejects_invalid_firmware_settings(variables, words):
    with pytest.raises(PhoneError) as caught:
        read(**variables)
    assert words in str(caught.value)


def test_reports_firmware_settings_of_a_family_without_upgrade_rule():
    ignored = read(phone_model="T46U", phone_firmware="1.2.3", phone_firmware_hold=True).ignored
    assert [sentence.partition(":")[0] for sentence in ignored] == ["phone_firmware", "phone_firmware_hold"]
