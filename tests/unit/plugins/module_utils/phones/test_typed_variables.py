# SPDX-License-Identifier: GPL-3.0-or-later
"""Typed phone variables: each family's parameters, and invalid values."""

from __future__ import annotations

import re

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.families.catalogue import BUILTIN
from ansible_collections.voip.preprovision.plugins.module_utils.phones.typed_variables import TYPED, read_typed
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.flat_profile import ProfileError, values

LOG = "router-configuration/Log_Configuration"


def read(variable, family="ata19x", lines=0, **given):
    return read_typed(variable, given, BUILTIN.families[family], lines)


@pytest.mark.parametrize(
    ("variable", "family", "lines", "given", "expected"),
    [
        ("phone_nat", "ata19x", 0, {"stun_server": "stun.example.net"}, {"STUN_Enable": "Yes", "STUN_Server": "stun.example.net"}),
        (
            "phone_nat",
            "spa",
            0,
            {"stun_server": "192.0.2.1:3478", "stun": False},
            {"STUN_Enable": "No", "STUN_Server": "192.0.2.1:3478"},
        ),
        ("phone_nat", "mpp", 2, {"mapping": True}, {"NAT_Mapping_Enable_1_": "Yes", "NAT_Mapping_Enable_2_": "Yes"}),
        ("phone_nat", "mpp", 0, {"mapping": True, "keep_alive_interval": 15}, {"NAT_Keep_Alive_Intvl": "15"}),
        (
            "phone_nat",
            "spa",
            0,
            {"external_address": "192.0.2.9", "external_rtp_port": "5004"},
            {"EXT_IP": "192.0.2.9", "EXT_RTP_Port_Min": "5004"},
        ),
        ("phone_nat", "ata19x", 2, {"symmetric_rtp": True}, {"Symmetric_RTP_1_": "Yes", "Symmetric_RTP_2_": "Yes"}),
        ("phone_nat", "spa", 1, {"symmetric_rtp": True}, {"Symmetric_RTP_1_": "Yes", "Symmetric_RTP": "Yes"}),
        (
            "phone_nat",
            "mpp",
            1,
            {"keep_alive": True, "keep_alive_message": "$NOTIFY", "keep_alive_destination": "$PROXY", "stun_test": False},
            {
                "NAT_Keep_Alive_Enable_1_": "Yes",
                "NAT_Keep_Alive_Msg_1_": "$NOTIFY",
                "NAT_Keep_Alive_Dest_1_": "$PROXY",
                "STUN_Test_Enable": "No",
            },
        ),
        (
            "phone_nat",
            "ata19x",
            0,
            {
                "substitute_via": True,
                "respond_to_source_port": True,
                "handle_via_received": True,
                "handle_via_rport": True,
                "insert_via_received": False,
                "insert_via_rport": False,
            },
            {
                "Substitute_VIA_Addr": "Yes",
                "Send_Resp_To_Src_Port": "Yes",
                "Handle_VIA_received": "Yes",
                "Handle_VIA_rport": "Yes",
                "Insert_VIA_received": "No",
                "Insert_VIA_rport": "No",
            },
        ),
        ("phone_syslog", "spa", 0, {"server": "192.0.2.1"}, {"Syslog_Server": "192.0.2.1"}),
        (
            "phone_syslog",
            "ata19x",
            0,
            {"server": "192.0.2.1", "port": 5514},
            {
                "Syslog_Server": "192.0.2.1",
                f"{LOG}/Syslog_Server_IP": "192.0.2.1",
                f"{LOG}/Event_Log_Server": "192.0.2.1",
                f"{LOG}/Syslog_Server_Port": "5514",
                f"{LOG}/Event_Log_Port": "5514",
            },
        ),
        ("phone_syslog", "mpp", 0, {"identifier": "$MAU", "server": ""}, {"Syslog_Identifier": "$MAU", "Syslog_Server": ""}),
        ("phone_resync", "ata19x", 0, {"at": "0330"}, {"Resync_At__HHmm_": "0330", "Resync_At_HHmm": "0330"}),
        (
            "phone_resync",
            "mpp",
            0,
            {"at": "0330", "at_random_delay": 600},
            {"Resync_At__HHmm_": "0330", "Resync_At_Random_Delay": "600"},
        ),
        (
            "phone_resync",
            "mpp",
            0,
            {"periodic": [60, 120], "error_retry_delay": "600+30,3600"},
            {"Resync_Periodic": "60,120", "Resync_Error_Retry_Delay": "600+30,3600"},
        ),
        (
            "phone_resync",
            "spa",
            0,
            {"on_reset": "no", "from_sip": "1", "random_delay": 0},
            {"Resync_On_Reset": "No", "Resync_From_SIP": "Yes", "Resync_Random_Delay": "0"},
        ),
        (
            "phone_web",
            "ata19x",
            0,
            {"admin_name": "bench", "admin_password": "long enough".replace(" ", "-")},
            {"router-configuration/Web_Login_Admin_Name": "bench", "router-configuration/Web_Login_Admin_Password": "long-enough"},
        ),
        ("phone_web", "mpp", 0, {"admin_password": "Abcdefg1"}, {"Admin_Password": "Abcdefg1"}),
        ("phone_log_messages", "mpp", 0, {"resync_request": "$PN $MAC"}, {"Log_Request_Msg": "$PN $MAC"}),
        ("phone_log_messages", "spa", 0, {"resync_success": ""}, {"Log_Resync_Success_Msg": ""}),
        ("phone_resync", "spa", 0, {"periodic": None}, {}),
        ("phone_resync", "spa", 0, {"enable": "off", "on_reset": "TRUE"}, {"Provision_Enable": "No", "Resync_On_Reset": "Yes"}),
    ],
)
def test_parameters(variable, family, lines, given, expected):
    reading = read(variable, family, lines, **given)
    assert (values(reading.parameters), reading.ignored) == (expected, ())


@pytest.mark.parametrize(
    ("variable", "family", "given", "message"),
    [
        ("phone_nat", "spa", {"stun_servr": "x"}, "unknown key 'stun_servr'; did you mean 'stun_server'?"),
        ("phone_nat", "spa", {"zzz": 1}, f"unknown key 'zzz'; expected one of {', '.join(TYPED['phone_nat'])}"),
        (
            "phone_nat",
            "spa",
            {"stun_server": "a b"},
            "stun_server must be an address or a name, optionally with :port",
        ),
        ("phone_nat", "spa", {"mapping": "maybe"}, "mapping must be true or false"),
        ("phone_nat", "spa", {"external_rtp_port": 0}, "external_rtp_port must be a whole number between 1 and 65535"),
        (
            "phone_resync",
            "spa",
            {"at_random_delay": 599},
            "at_random_delay must be a whole number of seconds between 600 and 65535",
        ),
        ("phone_resync", "spa", {"random_delay": True}, "random_delay must be a whole number of units between 0 and 65535"),
        # digits of other scripts, which no phone reads
        (
            "phone_resync",
            "spa",
            {"periodic": "\u0663\u0666"},
            "periodic must be seconds or a list of them such as 60,120,240, each with an optional random part such as 600+30",
        ),
        (
            "phone_resync",
            "spa",
            {"at": "\u0660\u0663\u0663\u0660"},
            "at must be a time HHmm between 0000 and 2359; write it in quotes, such as '0330'",
        ),
        (
            "phone_nat",
            "spa",
            {"keep_alive_interval": "\u0663"},
            "keep_alive_interval must be a whole number of seconds between 1 and 65535",
        ),
        (
            "phone_nat",
            "spa",
            {"stun_server": "a:\u0663"},
            "stun_server must be an address or a name, optionally with :port",
        ),
        ("phone_resync", "spa", {"at": 330}, "at must be a time HHmm between 0000 and 2359; write it in quotes, such as '0330'"),
        ("phone_resync", "spa", {"at": "2400"}, "at must be a time HHmm between 0000 and 2359; write it in quotes, such as '0330'"),
        (
            "phone_resync",
            "spa",
            {"periodic": "1h"},
            "periodic must be seconds or a list of them such as 60,120,240, each with an optional random part such as 600+30",
        ),
        (
            "phone_log_messages",
            "spa",
            {"resync_request": "$PN $SERVERIP"},
            "resync_request has the unknown macro '$SERVERIP' at column 5; did you mean '$SERVIP'?",
        ),
        (
            "phone_web",
            "ata19x",
            {"admin_password": "short"},
            "admin_password must be 8 to 127 printable ASCII characters without spaces",
        ),
        (
            "phone_web",
            "mpp",
            {"admin_password": "alllowercase"},
            "admin_password must be 8 to 127 printable ASCII characters without spaces,"
            " with 3 of: capital, small letter, digit, other",
        ),
        (
            "phone_web",
            "spa",
            {"admin_password": "x" * 33},
            "admin_password must be 1 to 32 printable ASCII characters without spaces",
        ),
        (
            "phone_web",
            "spa",
            {"admin_password": ["x"]},
            "admin_password must be text, not a list; quote it where YAML reads something else",
        ),
        (
            "phone_log_messages",
            "spa",
            {"resync_request": "a\nb"},
            "resync_request holds the character U+000A at position 2, which no profile can carry to a phone",
        ),
    ],
)
def test_rejects_invalid_values(variable, family, given, message):
    with pytest.raises(ProfileError, match=f"^{re.escape(message)}$"):
        read(variable, family, **given)


def test_requires_a_mapping():
    with pytest.raises(ProfileError, match=r"^it is a list; write a mapping of enable, admin_name, admin_password, user_password$"):
        read_typed("phone_web", [], BUILTIN.families["spa"], 0)


def test_reports_settings_without_a_parameter():
    reading = read("phone_web", "ata19x", user_password="x-x-x-x-x")
    assert reading.ignored == ("phone_web: user_password has no parameter in the family ata19x, which would ignore it",)
    assert reading.parameters == {}


@pytest.mark.parametrize("family", ["ata19x", "spa", "mpp"])
def test_every_setting_of_a_family_belongs_to_a_typed_variable(family):
    known = {f"{variable.removeprefix('phone_')}.{key}" for variable, keys in TYPED.items() for key in keys}
    assert set(BUILTIN.families[family].settings) <= known


def test_the_families_settings_together_are_the_typed_variables():
    known = {f"{variable.removeprefix('phone_')}.{key}" for variable, keys in TYPED.items() for key in keys}
    assert {setting for family in BUILTIN.families.values() for setting in family.settings} == known


def test_spells_yes_and_no_like_the_family():
    yealink = BUILTIN.extended({"yealink": {"settings": {"web.enable": "static.web.enable"}}}).families["yealink"]
    for value, expected in ((True, "1"), ("no", "0")):
        assert values(read_typed("phone_web", {"enable": value}, yealink, 0).parameters) == {"static.web.enable": expected}


@pytest.mark.parametrize("family", ["grandstream", "yealink", "yealink_dect", "poly", "snom"])
@pytest.mark.parametrize("variable", TYPED)
def test_other_vendors_families_have_no_typed_variables(family, variable):
    key = list(TYPED[variable])[-1]
    reading = read(variable, family, 1, **{key: "yes" if key.startswith(("fails", "insert")) else "5004"})
    assert reading.parameters == {}
    assert reading.ignored == (f"{variable}: {key} has no parameter in the family {family}, which would ignore it",)
