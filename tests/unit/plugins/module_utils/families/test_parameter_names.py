# SPDX-License-Identifier: GPL-3.0-or-later
"""The families' parameter names, and suggestions for misspelt ones."""

from __future__ import annotations

import re
from collections.abc import Callable
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.families.parameter_names import KNOWN, Block, KnownNames, check

FAMILIES = sorted(KNOWN)

# Parameters used in preprovisioning, as the guides of all three families name them.
EVERYWHERE = """
Provision_Enable Resync_On_Reset Resync_Random_Delay Resync_At__HHmm_ Resync_At_Random_Delay Resync_Periodic
Resync_Error_Retry_Delay Forced_Resync_Delay Resync_From_SIP Resync_After_Upgrade_Attempt Resync_Trigger_1 Resync_Trigger_2
Resync_Fails_On_FNF Profile_Rule Profile_Rule_B Profile_Rule_C Profile_Rule_D Report_Rule DHCP_Option_To_Use Upgrade_Enable
Upgrade_Error_Retry_Delay Upgrade_Rule Log_Upgrade_Request_Msg Log_Upgrade_Success_Msg Log_Upgrade_Failure_Msg
GPP_A GPP_B GPP_G GPP_O GPP_P GPP_SA GPP_SB GPP_SC GPP_SD Restricted_Access_Domains Syslog_Server
Line_Enable_1_ Line_Enable_2_ Proxy_1_ Proxy_2_ Outbound_Proxy_1_ Register_1_ Register_Expires_1_ Display_Name_1_ User_ID_1_
Password_1_ Auth_ID_1_ Use_DNS_SRV_1_ DNS_SRV_Auto_Prefix_1_ NAT_Mapping_Enable_1_ NAT_Keep_Alive_Enable_1_ NAT_Keep_Alive_Msg_1_
NAT_Keep_Alive_Dest_1_ NAT_Keep_Alive_Intvl STUN_Enable STUN_Server EXT_IP EXT_RTP_Port_Min Dial_Plan_1_ SIP_Transport_1_
SIP_Port_1_ RTP_Port_Min RTP_Port_Max Preferred_Codec_1_ Dial_Tone
"""

ONLY = {
    "ata19x": """
        Log_Resync_Request_Msg Log_Resync_Success_Msg Log_Resync_Failure_Msg HTTPS_Name_Validate Downgrade_Rev_Limit Custom_CA_URL
        MIC_Cert_Refresh_Enable MIC_Cert_Refresh_Rule TLS_Min_Version FIPS_Mode Resync_At_HHmm Use_Outbound_Proxy_1_ Use_Auth_ID_2_
        FXS_Port_Impedance FAX_Enable_T38_2_ Cfwd_Sel8_Caller_2_ Speed_Dial_9_2_ RFC_2543_Call_Hold Reply_182_On_Call_Waiting_1_
        router-configuration/Router_Mode router-configuration/Bonjour_Enable router-configuration/Web_Login_Admin_Name
        router-configuration/Web_Login_Admin_Password router-configuration/Web_Login_Guest_Password
        router-configuration/WAN_Interface/WAN_Connection_Type router-configuration/Internet_Option/Host_Name
        router-configuration/DHCP_Server_Pool/Rule/DHCP_Server router-configuration/DHCP_Server_Pool/Rule/Local_IP
        router-configuration/DHCP_Server_Pool/Rule/Option_66 router-configuration/DHCP_Server_Pool/Rule/Option_159
        router-configuration/Time_Setup/Time_Server router-configuration/Web_Management/Web_Utility_Access_HTTPS
        router-configuration/TR_069/TR_069_Status router-configuration/SSH/SSH_ACCESS
        router-configuration/Log_Configuration/Syslog_Server_IP router-configuration/Log_Configuration/Syslog_Server_IP6
        router-configuration/Log_Configuration/Syslog_Server_Port router-configuration/Log_Configuration/Event_Log_Server
        router-configuration/Log_Configuration/Event_Log_Port router-configuration/Log_Configuration/Event_Log_Flag
        router-configuration/Log_Configuration/RAM_Log_Size router-configuration/Log_Configuration/PRT_Upload_Url
        router-configuration/Log_Configuration/PRT_Upload_Method router-configuration/Single_Port_Forwarding/Rule9
    """,
    "spa": """
        Log_Resync_Request_Msg Log_Resync_Success_Msg Log_Resync_Failure_Msg Admin_Passwd User_Password Debug_Server Debug_Level
        PSTN_Ring_Thru_Line_1_2_ Dial_Plan_1_2_ Dial_Plan_8_2_ Trunk_Group_1_ Trunk_Group_8_ VoIP_PIN_Tone PSTN_PIN_Tone Ring9_Name
        Ring9_Cadence Ring9_Caller_2_ CWT9_Cadence Auto_PSTN_Fallback_1_ SIP_TCP_Port_Min_Mod2 RTP_Port_Max_Mod4 User_ID_8_
        Downgrade_Rev_Limit Custom_CA_URL Custom_CA_RULE Use_Outbound_Proxy_1_ Use_Auth_ID_12_ Proxy_8_ Proxy_12_ Station_Name
        Extension_12_ Extended_Function_5_ Short_Name_4_ Unit_2_Key_32 Text_Logo Ring12 Enable_TR-069 SPA525-wifi-on
        router-configuration/Web_Login_Admin_Password router-configuration/Log_Configuration/Syslog_Server_IP
        router-configuration/Router_Mode router-configuration/QoS_Bandwidth_Control/WAN/QoS_Always_ON
    """,
    "mpp": """
        Log_Request_Msg Log_Success_Msg Log_Failure_Msg Admin_Password User_Password Custom_CA_Rule IKM_HTTP_Encrypt_Content
        DHCPv6_Option_To_Use User_Configurable_Resync Profile_Authentication_Type Report_to_Server periodic_upload_to_server
        Webex_Onboard_Enable Debug_Server Syslog_Identifier MIC_Cert_Refresh_Enable MIC_Cert_Refresh_Rule TLS_Min_Version FIPS_Mode
        PRT_Upload_Rule PRT_Upload_Method Proxy_16_ Extended_Function_10_ Unit_3_Key_28_ Enable_802.1X_Authentication PSK_16
        Peer_Firmware_Sharing Phone-wifi-on Speed_Dial_2_Name Web_Server_Port Voice_Mail_Server_1_ Enable_TR-069
    """,
}


@pytest.mark.parametrize("family", FAMILIES)
def test_names_used_in_preprovisioning_are_known(family: str) -> None:
    names = (EVERYWHERE + ONLY[family]).split()
    assert [name for name in names if not KNOWN[family].knows(name)] == []
    assert check(family, names) == []


@pytest.mark.parametrize(
    ("family", "path", "nearest"),
    [
        # a letter too few, too many, another
        ("ata19x", "Prxy_1_", "Proxy_1_"),
        ("spa", "Prxy_11_", "Proxy_11_"),
        ("mpp", "Provision_Enabled", "Provision_Enable"),
        ("mpp", "Resinc_Periodic", "Resync_Periodic"),
        ("ata19x", "Profile_Rul", "Profile_Rule"),
        ("ata19x", "PROFILE_RUL", "Profile_Rule"),
        ("mpp", "Unt_3_Key_21_", "Unit_3_Key_21_"),
        ("ata19x", "Cfwd_Sel7_Caler_2_", "Cfwd_Sel7_Caller_2_"),
        # case
        ("ata19x", "proxy_2_", "Proxy_2_"),
        ("spa", "PROVISION_ENABLE", "Provision_Enable"),
        ("mpp", "Custom_CA_RULE", "Custom_CA_Rule"),
        ("ata19x", "Mark_all_AVT_Packets", "Mark_All_AVT_Packets"),
        ("ata19x", "Use_Local_Addr_In_From_1_", "Use_Local_Addr_In_FROM_1_"),
        # underscores, as the guides print them, and hyphens
        ("ata19x", "Proxy_1", "Proxy_1_"),
        ("ata19x", "Line_Enable_2", "Line_Enable_2_"),
        ("mpp", "Resync_At_HHmm", "Resync_At__HHmm_"),
        ("spa", "Unit_1_Key_1_", "Unit_1_Key_1"),
        ("mpp", "Unit_1_Key_1", "Unit_1_Key_1_"),
        ("spa", "Auth_Resync_Reboot_1_", "Auth_Resync-Reboot_1_"),
        ("ata19x", "router-configuration/TR-069/TR_069_Status", "router-configuration/TR_069/TR_069_Status"),
        # the other family's name
        ("mpp", "Log_Resync_Request_Msg", "Log_Request_Msg"),
        ("mpp", "Log_Resync_Success_Msg", "Log_Success_Msg"),
        ("mpp", "Log_Resync_Failure_Msg", "Log_Failure_Msg"),
        ("ata19x", "Log_Request_Msg", "Log_Resync_Request_Msg"),
        ("mpp", "Admin_Passwd", "Admin_Password"),
        ("spa", "Admin_Password", "Admin_Passwd"),
        ("mpp", "Custom_CA_URL", "Custom_CA_Rule"),
        ("ata19x", "Custom_CA_Rule", "Custom_CA_URL"),
        # outside its section, or in the wrong one
        ("ata19x", "Web_Login_Admin_Password", "router-configuration/Web_Login_Admin_Password"),
        ("ata19x", "Syslog_Server_IP", "router-configuration/Log_Configuration/Syslog_Server_IP"),
        ("ata19x", "SSH/SSH_ACCESS", "router-configuration/SSH/SSH_ACCESS"),
        ("ata19x", "router-configuration/Profile_Rule", "Profile_Rule"),
        ("spa", "router-configuration/Log_Configuration/KERNEL/enable", "router-configuration/Log_Configuration/KERNEL/Enable"),
        ("spa", "router-configuration/Log_Configuration/SYSTEM/Enable", "router-configuration/Log_Configuration/System/Enable"),
        # no number, or one that no model has
        ("ata19x", "Dial_Plan", "Dial_Plan_1_"),
        ("ata19x", "Proxy_3_", "Proxy_1_"),
        ("mpp", "Resync_Trigger_3", "Resync_Trigger_1"),
        # nothing like it
        ("ata19x", "Colour_Of_The_Case", None),
        ("spa", "", None),
        ("ata19x", "Station_Name", None),
    ],
)
def test_unknown_name(family: str, path: str, nearest: str | None) -> None:
    assert not KNOWN[family].knows(path)
    assert KNOWN[family].nearest(path) == nearest
    assert check(family, ["Profile_Rule", path, "Proxy_1_"]) == [(path, nearest)]


def test_unknown_names_keep_their_order() -> None:
    assert check("mpp", ["Zrofile_Rule", "Provision_Enable", "Arofile_Rule"]) == [
        ("Zrofile_Rule", "Profile_Rule"),
        ("Arofile_Rule", "Profile_Rule"),
    ]


def test_a_family_without_a_list_accepts_any_name() -> None:
    assert "grandstream" not in KNOWN
    assert check("grandstream", ["P271", "no such name"]) == []


@pytest.mark.parametrize("family", FAMILIES)
def test_line_numbers_end_with_the_last_line(family: str) -> None:
    last = {"ata19x": 2, "spa": 12, "mpp": 16}[family]
    lines = [number for number in range(40) if KNOWN[family].knows(f"Proxy_{number}_")]
    assert lines == list(range(1, last + 1))
    assert not KNOWN[family].knows("Proxy_01_")
    assert not KNOWN[family].knows("RFC_2544_Call_Hold")


@pytest.mark.parametrize("family", FAMILIES)
def test_each_name_is_a_path_of_xml_elements(family: str) -> None:
    for name in KNOWN[family].names:
        for element in name.split("/"):
            assert ElementTree.fromstring(f"<{element}/>").tag == element  # noqa: S314


@pytest.mark.parametrize("family", FAMILIES)
def test_lists_are_sorted_without_duplicates(family: str) -> None:
    known = KNOWN[family]
    for block in known.blocks:
        assert block.names.split() == sorted(block.names.split())
    one_by_one = [name for block in known.blocks for name in KnownNames(known.lines, [block]).names]
    assert len(one_by_one) == len(set(one_by_one)) == len(known.names)
    # a pattern that repeats a name of its own block would not show above
    for block in known.blocks:
        patterns = block.names.split()
        assert sum(len(KnownNames(known.lines, [Block("", pattern)]).names) for pattern in patterns) == len(
            KnownNames(known.lines, [block]).names
        )


@pytest.mark.parametrize("family", FAMILIES)
def test_each_list_is_long_and_each_block_has_a_source(family: str) -> None:
    known = KNOWN[family]
    assert sum(len(block.names.split()) for block in known.blocks) > 400
    assert len(known.sources) == len(known.blocks)
    assert all(known.sources)


def test_braces() -> None:
    known = KnownNames(2, [Block("here", "GPP_{A-C} L_{n}_ Rule{0-1}_{n} X/{a,b}", "S/"), Block("there", "T_{9-10}")])
    assert known.names == {
        *("S/GPP_A", "S/GPP_B", "S/GPP_C", "S/L_1_", "S/L_2_", "S/Rule0_1", "S/Rule0_2", "S/Rule1_1", "S/Rule1_2"),
        *("S/X/a", "S/X/b", "T_9", "T_10"),
    }
    assert known.sources == ("here", "there")


PLAIN = st.sampled_from(FAMILIES).flatmap(lambda family: st.tuples(st.just(family), st.sampled_from(sorted(KNOWN[family].names))))


@given(PLAIN)
def test_a_known_name_is_its_own_nearest(case: tuple[str, str]) -> None:
    family, name = case
    assert KNOWN[family].nearest(name) == name


@given(PLAIN)
def test_finds_names_without_their_last_underscore(case: tuple[str, str]) -> None:
    family, name = case
    without = name.removesuffix("_")
    if not KNOWN[family].knows(without):
        assert KNOWN[family].nearest(without) == name


@given(PLAIN, st.sampled_from([str.upper, str.lower, str.swapcase, str.title]))
def test_finds_names_in_another_case(case: tuple[str, str], change: Callable[[str], str]) -> None:
    family, name = case
    changed = change(name)
    found = KNOWN[family].nearest(changed)
    assert found is not None
    assert found.casefold() == name.casefold() or KNOWN[family].knows(changed)


@given(PLAIN, st.data())
def test_finds_names_with_a_missing_character(case: tuple[str, str], data: st.DataObject) -> None:
    family, name = case
    place = data.draw(st.integers(0, len(name) - 1))
    found = KNOWN[family].nearest(name[:place] + name[place + 1 :])
    assert found is None or KNOWN[family].knows(found)
    # Short names may look like nothing any more; of long ones at most a number or the alternative spelling is another.
    if len(name) > 8:
        assert found is not None


@given(PLAIN, st.integers(17, 999))
def test_finds_names_with_a_line_number_that_does_not_exist(case: tuple[str, str], number: int) -> None:
    family, name = case
    changed = re.sub(r"_\d+_$", f"_{number}_", name)
    if changed != name and not KNOWN[family].knows(changed):
        found = KNOWN[family].nearest(changed)
        assert found is not None
        assert re.sub(r"\d+", "#", found).casefold() == re.sub(r"\d+", "#", name).casefold()
