# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The parameter names that each Cisco family knows, with their sources. A phone silently ignores any other name.

How the names are written: ``{n}`` is a line or extension number from 1 to the family's last line, ``{1-8}`` and ``{A-P}`` are
ranges, ``{DNS,DNS6}`` is a choice. A section of the router's part stands before its names with a slash, as in a parameter's path.

How complete, and how sure:

* ata19x: whole, as far as two sources can tell: an export of both models that FusionPBX keeps as a template, read against the
  chapters "Voice Parameters" and "Router Configuration Parameters" of the provisioning guide (January 2026). Left out on purpose:
  the guide's names for an FXO port and for DECT, which these units do not have. The guide prints line parameters without the last
  underscore (``Line_Enable_1``); exports and all working templates have it, so it is wanted here. Where guide and export differ by
  more than that, both are known: ``IVR_Admin_Password`` and ``IVR_Admin_Passwd``, ``Resync_At_HHmm`` and ``Resync_At__HHmm_``,
  ``WAN_VALN_ID`` and ``WAN_VLAN_ID``, ``WAN_Static_IP6_Gateway`` and ``WAN_Static_IP6_Gatway``. Where they differ only by case
  (``Mark_all_AVT_Packets``, ``Use_Local_Addr_In_From_1_``) the export counts. Uncertain: ``Syslog_Server``, which is in no list of
  this family but in templates that serve it.
* spa: whole for SPA112 and 122, SPA301 to 525G2, SPA921 to 942 and SPA2102; the SPA3102's PSTN names come from one source, its
  ninth ring and its PIN tones from a public configuration of its firmware 5.1.10(GW), and the SPA8000's ports and trunk groups
  from public configurations of it; of the SPA8800, SPA9000, WIP310, WRP400 and PAP2T there is only what they share with these.
  One list serves models of fifteen years: a name that it knows may be unknown to an old model. Names in two cases
  (``Custom_CA_RULE``, ``LCD_Contrast`` and ``Lcd_Contrast``, ``RTP_ToS_DiffServ_Value_1_`` and ``RTP_TOS_DiffServ_Value_1_``) are
  in exports of different models. Left out on purpose: ``Admin_Password``, which one template of the SPA525G2 has where all others
  have ``Admin_Passwd``.
* mpp: nearly whole for the 88xx to firmware 12.0: an export of the 8811 to 8865, the XML reference (names since 11.3(2)) and the
  parameter tables of the guides on provisioning, security, features, calls, directories, audio, video and customization. Names that
  only the 68xx or the 78xx has may be missing; video and LED names are a part. The names of the 9800 (PhoneOS) are known too: late
  12.0 firmware shares many of them, and no source tells which. Uncertain: ``Cisco_Headset_Upgrade_Rule`` and
  ``Connected_Video_Key_List`` (guides name the field, not the element); ``Report_to_Server``, ``periodic_upload_to_server`` and
  ``LDAP_User_Name`` (the guides' spelling; exports have ``Report_To_Server``, ``Periodic_Upload_To_Server``, ``LDAP_Username``).

What phones only show (status pages) is not among the names, since no profile sets it. Exports have it all the same: STATUS lists
what FusionPBX's exports of an SPA525G2 (groups ``Info/...``) and an SPA122 (``About_Product``) show.

Sources: github.com/fusionpbx/fusionpbx ``resources/templates/provision`` (c7a00dc), github.com/wazo-platform/wazo-provd-plugins
``plugins/wazo_cisco_spa`` and ``plugins/wazo_cisco_sip`` (2321a3f), github.com/areytsman/Spa8000_Gateway_Config_Creator
(9deebf8), github.com/provisioner/Provisioner ``endpoint/cisco`` (573c129), github.com/sipXcom/sipxecs ``sipXcisco`` (e7fef03).
Under www.cisco.com/c/en/us/td/docs/voice_ip_comm: the ATA guide is ``cata/19x/3PCC/english/provguide``, chapters 0100, 0101 and
0110; the XML reference is ``cuipph/MPP/common/xml_ref_guide/tpcc_b_xml-command-ref.html`` (November 2025); the MPP guides are
``cuipph/MPP/7832/english/AG``, chapters 0101 and 01000, ``cuipph/MPP/common/ag_conf_7832_8832``,
``cuipph/MPP/common/ag_desk_mpp_6800_7800_8800`` and ``cuipph/MPP/8800/firmware/11-2-3``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import NamedTuple

from ..common.suggest import most_similar, nearest

_BRACES = re.compile(r"\{([^{}]*)\}")
_NUMBER = re.compile(r"\d+")
_SEPARATORS = re.compile(r"[\W_]+")
_MIN_SIMILARITY = 0.75


class Block(NamedTuple):
    """Names from one source."""

    source: str
    """Where the names were found."""
    names: str
    """The names, separated by white space, with braces as in the module's docstring."""
    section: str = ""
    """Prefix of each of them, with its slash."""


class KnownNames:
    """The names that one family knows."""

    def __init__(self, lines: int, blocks: Iterable[Block]) -> None:
        """*lines*: how many lines or extensions the family's largest model has."""
        self.blocks = tuple(blocks)
        self.lines = lines
        self._nearest: dict[str, str | None] = {}

    @property
    def sources(self) -> tuple[str, ...]:
        """Return where the names come from."""
        return tuple(block.source for block in self.blocks)

    @cached_property
    def names(self) -> frozenset[str]:
        """Return every name as a profile spells it, sections joined with slashes: Proxy_1_, router-configuration/SSH/SSH_ACCESS."""
        return frozenset(
            block.section + name
            for block in self.blocks
            for pattern in block.names.split()
            for name in _expand(pattern, self.lines)
        )

    def knows(self, path: str) -> bool:
        """Tell whether the family knows *path*; case counts, as it does for the phone."""
        return path in self.names

    def nearest(self, path: str) -> str | None:
        """Return the known name that *path* was probably meant to be, its numbers kept if they fit; None if nothing is similar."""
        if path not in self._nearest:
            self._nearest[path] = self._find(path)
        return self._nearest[path]

    def _find(self, path: str) -> str | None:
        # First names that differ only in case, underscores, hyphens or section; then names with a similar spelling
        plain = _plain(path)
        if plain in self._by_plain:
            return most_similar(path, self._by_plain[plain])
        shape = nearest(_shape(path), self._by_shape, _MIN_SIMILARITY)
        return most_similar(path, self._by_shape[shape]) if shape else None

    @cached_property
    def _by_plain(self) -> Mapping[str, list[str]]:
        return _grouped((_plain(name), name) for name in self.names)

    @cached_property
    def _by_shape(self) -> Mapping[str, list[str]]:
        return _grouped((_shape(name), name) for name in self.names)


def check(family: str, paths: Iterable[str], extra: tuple[str, ...] = ()) -> list[tuple[str, str | None]]:
    """Return each of *paths* that *family* does not know, with the nearest known name; a family without a list knows any name.

    *extra*: names that a user adds to the list.
    """
    known = KNOWN.get(family)
    if known is None:
        return []
    if extra:
        known = _extended(family, extra)
    return [(path, known.nearest(path)) for path in paths if not known.knows(path)]


@lru_cache(maxsize=16)
def _extended(family: str, extra: tuple[str, ...]) -> KnownNames:
    known = KNOWN[family]
    return KnownNames(known.lines, (*known.blocks, Block("the user's own families", " ".join(extra))))


def _expand(pattern: str, lines: int) -> list[str]:
    """Return the names that *pattern* stands for."""
    braces = _BRACES.search(pattern)
    if not braces:
        return [pattern]
    head, tail = pattern[: braces.start()], pattern[braces.end() :]
    return [name for choice in _choices(braces[1], lines) for name in _expand(head + choice + tail, lines)]


def _choices(text: str, lines: int) -> list[str]:
    if text == "n":
        text = f"1-{lines}"
    if "," in text:
        return text.split(",")
    first, last = text.split("-")
    if first.isdigit():
        return [str(number) for number in range(int(first), int(last) + 1)]
    return [chr(letter) for letter in range(ord(first), ord(last) + 1)]


def _plain(path: str) -> str:
    """Return the last element of *path* without case and separators, which are easily mistaken."""
    return _SEPARATORS.sub("_", path.rpartition("/")[2].casefold()).strip("_")


def _shape(path: str) -> str:
    """Return *path* without case and numbers, so that one comparison covers all lines."""
    return _NUMBER.sub("#", path.casefold())


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for key, name in sorted(pairs):
        groups.setdefault(key, []).append(name)
    return groups


_ROUTER = "router-configuration/"

_EVERY = Block(
    "exports in FusionPBX's templates of the ATA 192, the 8841 and the SPA phones; the XML reference and the ATA guide for a part",
    """
    AVT_Codec_Name AVT_Dynamic_Payload Ans_Call_Without_Reg_{n}_ Auth_ID_{n}_ Auth_INVITE_{n}_ Auth_Resync-Reboot_{n}_
    Auto_Register_When_Failover_{n}_ Blind_Attn-Xfer_Enable_{n}_ Blind_Transfer_Code Block_ANC_Act_Code Block_ANC_Deact_Code
    Block_CID_Act_Code Block_CID_Deact_Code Block_CID_Per_Call_Act_Code Block_CID_Per_Call_Deact_Code Busy_Tone CW_Act_Code
    CW_Deact_Code CW_Per_Call_Act_Code CW_Per_Call_Deact_Code Call_Return_Code Caller_ID_Header Cfwd_All_Act_Code
    Cfwd_All_Deact_Code Cfwd_Busy_Act_Code Cfwd_Busy_Deact_Code Cfwd_Dial_Tone Cfwd_No_Ans_Act_Code Cfwd_No_Ans_Deact_Code
    Codec_Negotiation_{n}_ Conference_Bridge_URL_{n}_ Conference_Tone Confirm_Tone DHCP_Option_To_Use DND_Act_Code DND_Deact_Code
    DNS_SRV_Auto_Prefix_{n}_ DTMF_Relay_MIME_Type DTMF_Tx_Method_{n}_ Default_Ring_{n}_ Dial_Plan_{n}_ Dial_Tone Display_Name_{n}_
    EXT_IP EXT_RTP_Port_Min EXT_SIP_Port_{n}_ Emergency_Number_{n}_ Enable_Web_Admin_Access Escape_Display_Name
    Feature_Dial_Services_Codes Feature_Key_Sync_{n}_ Force_G711a_Code Force_G711u_Code Force_G722_Code Force_G729a_Code
    Forced_Resync_Delay G711a_Codec_Name G711u_Codec_Name G722_Codec_Name G729a_Codec_Name G729a_Enable_{n}_ GPP_S{A-D} GPP_{A-P}
    Handle_VIA_received Handle_VIA_rport Holding_Tone Hook_Flash_MIME_Type INFOREQ_Dynamic_Payload INVITE_Expires
    Insert_VIA_received Insert_VIA_rport Interdigit_Long_Timer Interdigit_Short_Timer Line_Enable_{n}_ Log_Upgrade_Failure_Msg
    Log_Upgrade_Request_Msg Log_Upgrade_Success_Msg MWI_Dial_Tone Mailbox_ID_{n}_ Make_Call_Without_Reg_{n}_ Max_Auth Max_Forward
    Max_RTP_ICMP_Err Max_Redirection Message_Waiting_{n}_ NAT_Keep_Alive_Dest_{n}_ NAT_Keep_Alive_Enable_{n}_ NAT_Keep_Alive_Intvl
    NAT_Keep_Alive_Msg_{n}_ NAT_Mapping_Enable_{n}_ Network_Startup_Delay Off_Hook_Warning_Tone Outbound_Proxy_{n}_
    Outside_Dial_Tone Paging_Code Password_{n}_ Prefer_G711a_Code Prefer_G711u_Code Prefer_G722_Code Prefer_G729a_Code
    Preferred_Codec_{n}_ Profile_Rule Profile_Rule_{B-D} Prompt_Tone Provision_Enable Proxy_Fallback_Intvl_{n}_
    Proxy_Redundancy_Method_{n}_ Proxy_{n}_ RFC_2543_Call_Hold RTCP_Tx_Interval RTP_Packet_Size RTP_Port_Max RTP_Port_Min
    ReINVITE_Expires Redirect_Keep_Alive Refer-To_Target_Contact_{n}_ Refer_Target_Bye_Delay_{n}_ Referee_Bye_Delay_{n}_
    Referor_Bye_Delay_{n}_ Referral_Services_Codes Reg_Max_Expires Reg_Min_Expires Reg_Retry_Intvl Reg_Retry_Intvl_Cap
    Reg_Retry_Long_Intvl Reg_Retry_Long_Random_Delay Reg_Retry_Random_Delay Register_Expires_{n}_ Register_{n}_ Remove_Last_Reg
    Reorder_Delay Reorder_Tone Report_Rule Restricted_Access_Domains Resync_After_Upgrade_Attempt Resync_At_Random_Delay
    Resync_At__HHmm_ Resync_Error_Retry_Delay Resync_Fails_On_FNF Resync_From_SIP Resync_On_Reset Resync_Periodic
    Resync_Random_Delay Resync_Trigger_{1-2} Retry_Reg_RSC Reversed_Auth_Realm_{n}_ Ring_Back_Tone SIP_100REL_Enable_{n}_
    SIP_Accept_Language SIP_Port_{n}_ SIP_Proxy-Require_{n}_ SIP_Reg_User_Agent_Name SIP_Remote-Party-ID_{n}_ SIP_Server_Name SIP_T1
    SIP_T2 SIP_T4 SIP_TCP_Port_Max SIP_TCP_Port_Min SIP_Timer_B SIP_Timer_D SIP_Timer_F SIP_Timer_H SIP_Timer_J SIP_Transport_{n}_
    SIP_URI_{n}_ SIP_User_Agent_Name STUN_Enable STUN_Server STUN_Test_Enable Second_Preferred_Codec_{n}_ Secure_All_Call_Act_Code
    Secure_Call_Indication_Tone Secure_No_Call_Act_Code Secure_One_Call_Act_Code Secure_One_Call_Deact_Code Send_Resp_To_Src_Port
    Service_Annc_Base_Number Service_Annc_Extension_Codes Silence_Supp_Enable_{n}_ Sticky_183_{n}_ Substitute_VIA_Addr Syslog_Server
    Third_Preferred_Codec_{n}_ Try_Backup_RSC Upgrade_Enable Upgrade_Error_Retry_Delay Upgrade_Rule Use_Compact_Header
    Use_DNS_SRV_{n}_ Use_OB_Proxy_In_Dialog_{n}_ Use_Pref_Codec_Only_{n}_ User_ID_{n}_
    """,
)

_ATA_AND_SPA = Block(
    "FusionPBX's templates spa192 and spa122, Provisioner's linksysata, sipXecs' spa2102, chapter 0101 of the ATA guide",
    """
    Accept_Last_Act_Code Accept_Last_Caller_{n}_ Accept_Last_Deact_Code Accept_Last_Serv_{n}_ Accept_Media_Loopback_Request_{n}_
    Attn-Xfer_Act_Code Attn_Transfer_Serv_{n}_ Block_ANC_Serv_{n}_ Block_ANC_Setting_{n}_ Block_CID_Serv_{n}_ Block_CID_Setting_{n}_
    Block_Last_Act_Code Block_Last_Caller_{n}_ Block_Last_Deact_Code Block_Last_Serv_{n}_ CID_Act_Code CID_Deact_Code CID_Serv_{n}_
    CID_Setting_{n}_ CPC_Delay CPC_Duration CTI_Enable CWCID_Act_Code CWCID_Deact_Code CWCID_Serv_{n}_ CWCID_Setting_{n}_
    CWT_Frequency CWT{1-8}_Cadence CW_Setting_{n}_ Call_Back_Act_Code Call_Back_Busy_Act_Code Call_Back_Deact_Code Call_Back_Delay
    Call_Back_Expires Call_Back_Retry_Intvl Call_Back_Ring_{n}_ Call_Back_Serv_{n}_ Call_Redial_Code Call_Redial_Serv_{n}_
    Call_Return_Serv_{n}_ Call_Waiting_Serv_{n}_ Callee_Conn_Polarity_{n}_ Callee_On_Hook_Delay Caller_Conn_Polarity_{n}_
    Caller_ID_FSK_Standard Caller_ID_Method Cblk_Ring_Splash_Len_{n}_ Cfwd_All_Dest_{n}_ Cfwd_All_Serv_{n}_ Cfwd_Busy_Dest_{n}_
    Cfwd_Busy_Serv_{n}_ Cfwd_Last_Act_Code Cfwd_Last_Caller_{n}_ Cfwd_Last_Deact_Code Cfwd_Last_Dest_{n}_ Cfwd_Last_Serv_{n}_
    Cfwd_No_Ans_Delay_{n}_ Cfwd_No_Ans_Dest_{n}_ Cfwd_No_Ans_Serv_{n}_ Cfwd_Ring_Splash_Len_{n}_ Cfwd_Sel_Serv_{n}_
    Cfwd_Sel{1-8}_Caller_{n}_ Cfwd_Sel{1-8}_Dest_{n}_ Conference_Act_Code Conference_Bridge_Ports_{n}_ Custom_CA_URL DND_Serv_{n}_
    DND_Setting_{n}_ DNS_Query_TTL_Ignore DTMF_Playback_Length DTMF_Playback_Level DTMF_Process_AVT_{n}_ DTMF_Process_INFO_{n}_
    DTMF_Tx_Mode_{n}_ DTMF_Tx_Strict_Hold_Off_Time_{n}_ Default_CWT_{n}_ Detect_ABCD Dist_Ring_Act_Code Dist_Ring_Deact_Code
    Dist_Ring_Serv_{n}_ Dist_Ring_Setting_{n}_ Downgrade_Rev_Limit Echo_Canc_Enable_{n}_ Enable_IP_Dialing_{n}_ EncapRTP_Codec_Name
    EncapRTP_Dynamic_Payload FAX_CNG_Detect_Enable_{n}_ FAX_Codec_Symmetric_{n}_ FAX_Disable_ECAN_{n}_ FAX_Enable_T38_{n}_
    FAX_Line_Toggle_Code FAX_Passthru_Codec_{n}_ FAX_Passthru_Method_{n}_ FAX_Process_NSE_{n}_ FAX_T38_ECM_Enable_{n}_
    FAX_T38_Redundancy_{n}_ FAX_T38_Return_to_Voice_{n}_ FAX_Tone_Detect_Mode_{n}_ FAX_V21_Detect_Enable_{n}_ FXS_Port_Impedance
    FXS_Port_Input_Gain FXS_Port_Output_Gain Feature_Dial_Serv_{n}_ Feature_Invocation_Method Feature_Invocation_Tone
    Force_G726r32_Code G726-32_Enable_{n}_ G726r32_Codec_Name G726r32_Dynamic_Payload GW{1-4}_Auth_ID_{n}_
    GW{1-4}_NAT_Mapping_Enable_{n}_ GW{1-4}_Password_{n}_ Gateway_{1-4}_{n}_ Hold_Reminder_Ring_{n}_ Hook_Flash_Timer_Max
    Hook_Flash_Timer_Min Hook_Flash_Tx_Method_{n}_ IVR_Admin_Passwd Idle_Polarity_{n}_ Jitter_Buffer_Adjustment_{n}_
    Keep_Referee_When_REFER_Failed License_Keys Log_Resync_Failure_Msg Log_Resync_Request_Msg Log_Resync_Success_Msg MOH_Server_{n}_
    MWI_Serv_{n}_ Mailbox_Subscribe_Expires_{n}_ Mailbox_Subscribe_URL_{n}_ Mark_All_AVT_Packets Max_Session Media_Loopback_Code
    Media_Loopback_Mode_{n}_ Media_Loopback_Type_{n}_ Modem_Line_Toggle_Code NSE_Codec_Name NSE_Dynamic_Payload
    Network_Jitter_Level_{n}_ No_UDP_Checksum Password Playback_ABCD Prefer_G726r32_Code Protect_IVR_FactoryReset
    RTP-Start-Loopback_Codec RTP-Start-Loopback_Dynamic_Payload RTP_CoS_Value_{n}_ RTP_Log_Intvl_{n}_ RTP_ToS_DiffServ_Value_{n}_
    Recovery_URL Referral_Serv_{n}_ Reply_182_On_Call_Waiting_{n}_ Resident_Online_Number_{n}_ Restrict_Source_IP_{n}_
    Reuse_CID_Number_As_Name_{n}_ Ring_Back_2_Tone Ring_Frequency Ring_On_No_New_VM_{n}_ Ring_Voltage Ring_Waveform
    Ring{1-8}_Cadence Ring{1-8}_Caller_{n}_ Ring{1-8}_Name SAS_DLG_Refresh_Intvl_{n}_ SAS_Enable_{n}_ SAS_Inbound_RTP_Sink_{n}_
    SIP_CoS_Value_{n}_ SIP_GUID_{n}_ SIP_ToS_DiffServ_Value_{n}_ SIT{1-4}_RSC SIT{1-4}_Tone SP_Default Second_Dial_Tone
    Secure_Call_Serv_{n}_ Secure_Call_Setting_{n}_ Service_Announcement_Serv_{n}_ Silence_Threshold_{n}_ Speed_Dial_Act_Code
    Speed_Dial_Serv_{n}_ Speed_Dial_{2-9}_{n}_ Stats_In_BYE Symmetric_RTP_{n}_ Synchronized_Ring Three_Way_Call_Serv_{n}_
    Three_Way_Conf_Serv_{n}_ Transport_Protocol Unattn_Transfer_Serv_{n}_ Use_Anonymous_With_RPID_{n}_ Use_Auth_ID_{n}_
    Use_Local_Addr_In_FROM_{n}_ Use_Outbound_Proxy_{n}_ Use_Remote_Pref_Codec_{n}_ VMWI_Refresh_Intvl VMWI_Ring_Policy_{n}_
    VMWI_Ring_Splash_Len_{n}_ VMWI_Serv_{n}_ Xfer_When_Hangup_Conf_{n}_
    """,
)

_ATA_AND_MPP = Block(
    "chapter 0101 of the ATA guide; the XML reference and FusionPBX's template 9861 of MPP phones",
    """
    Auth_Support_RFC8760_{n}_ Call_Statistics Company_UUID_{n}_ Encryption_Method_{n}_ FIPS_Mode MIC_Cert_Refresh_Enable
    MIC_Cert_Refresh_Rule MediaSec_Over_TLS_Only_{n}_ MediaSec_Request_{n}_ Primary_Request_URL_{n}_ Secondary_Request_URL_{n}_
    Secure_Call_Option_{n}_ Survivability_Proxy_Fallback_Intvl_{n}_ Survivability_Proxy_{n}_ Survivability_Test_Mode TLS_Min_Version
    TLS_Name_Validate_{n}_
    """,
)

_SPA_AND_MPP = Block(
    "FusionPBX's templates 8841 and spa301 to spa525g2, Provisioner's spa5xx",
    """
    ACD_Login_Serv ACS_Password ACS_URL ACS_URL_In_Use ACS_Username Alert_Tone Alert_Tone_Off Alternate_Outbound_Proxy_{n}_
    Alternate_Proxy_{n}_ Asset_ID Attn_Transfer_Serv Auth_Page_Password_{n}_ Auth_Page_Realm_{n}_ Auth_Page_{n}_
    Auto_Ans_Page_On_Active_Call_{n}_ Auto_Answer_Page BACKUP_ACS_Password BACKUP_ACS_URL BACKUP_ACS_User BLF_Label_Display_Mode
    BLF_List_URI BXfer_On_Speed_Dial_Enable BXfer_To_Starcode_Enable Back_Light_Timer Background_Picture_Type Blind_Transfer_Serv
    Block_ANC_Serv Block_ANC_Setting Block_CID_Serv Block_CID_Setting Bluetooth_Mode Bluetooth_Volume Broadsoft_ACD_{n}_
    CISCO_XML_EXE_Auth_Mode CISCO_XML_EXE_Enable CWMP_V1.2_Support CW_Setting Cadence_{1-9} Call_Park_Code
    Call_Park_Monitor_Enable_{n}_ Call_Park_Serv Call_Pick_Up_Serv Call_Pickup_Audio_Notification Call_Pickup_Code Call_Pickup_Tone
    Call_Waiting_Tone Caller_ID_Map_{n}_ Cfwd_All_Dest Cfwd_All_Serv Cfwd_Busy_Dest Cfwd_Busy_Serv Cfwd_No_Ans_Delay
    Cfwd_No_Ans_Dest Cfwd_No_Ans_Serv Cfwd_Setting Conference_Package Conference_Serv Conferencing_Key_List Connect_on_Bootup
    Connected_Key_List Connection_Request_Password Connection_Request_URL Connection_Request_Username Connection_Type DND_Serv
    DND_Setting DNS_Query_Mode DNS_Server_Order Date_Format Daylight_Saving_Time_Enable Daylight_Saving_Time_Rule Debug_Level
    Debug_Server Dial_Assistance Dialing_Input_Key_List Dialog_SDP_Enable Dictionary_Server_Script Directory_Enable Directory_Name
    Directory_Password Directory_Type Disable_Local_Name_To_Header Display_Anonymous_From_Header Display_Diversion_Info Domain
    Dual_Registration_{n}_ EM_Enable EM_User_Domain Enable_BT Enable_Broadsoft_Hoteling_{n}_ Enable_CDP Enable_LLDP-MED Enable_SSLv3
    Enable_TR-069 Enable_VLAN Enable_Web_Server Extended_Function_{n}_ Extension_{n}_ G711a_Enable_{n}_ G711u_Enable_{n}_
    G722_Enable_{n}_ G729b_Codec_Name Gateway Group_Call_Pick_Up_Serv Group_Call_Pickup_Code Group_Paging_Script HTTP_Report_Method
    Handset_Volume Headset_Volume Hold_Key_List Hold_Package Hoteling_Subscription_Expires_{n}_ Idle_Key_List
    Ignore_DHCP_Time_Offset LDAP_Auth_Method LDAP_Client_DN LDAP_Corp_Dir_Name LDAP_Dir_Enable LDAP_Display_Attrs
    LDAP_First_Name_Filter LDAP_Item_3_Filter LDAP_Last_Name_Filter LDAP_Number_Mapping LDAP_Password LDAP_Search_Base
    LDAP_Search_Item_3 LDAP_Search_Item_4 LDAP_Server LDAP_Username Language_Selection Line Line_ID_Mapping Locale
    Log_Missed_Calls_for_EXT_{n} Logo_Type Miss_Call_Shortcut Missed_Call_Key_List NetMask Ntfy_Refer_On_1xx-To-Inv_{n}_
    Off_Hook_Key_List PC_Port_VLAN_ID PSK_{1-16} Page_Tone Paging_Serv Periodic_Inform_Enable Periodic_Inform_Interval
    Phone-UI-readonly Preferred_Audio_Device Primary_DNS Primary_NTP_Server Programmable_Softkey_Enable Progressing_Key_List
    RTP_TOS_DiffServ_Value_{n}_ Releasing_Key_List Restrict_MWI_{n}_ Ringer_Volume Ringing_Key_List Ring{1-12}
    SCA_Sticky_Auto_Line_Seize SIP_TOS_DiffServ_Value_{n}_ Screen_Saver_Enable Screen_Saver_Type Screen_Saver_Wait Secondary_DNS
    Secondary_NTP_Server Secure_Call_Serv Secure_Call_Setting Server_Type Service_Annc_Serv Set_G729_annexb_{n}_
    Set_Local_Time__HH_mm_ Share_Call_Appearance_{n}_ Share_Ext_{n}_ Shared_Active_Key_List Shared_Held_Key_List
    Shared_Line_DND_Cfwd_Enable Shared_User_ID_{n}_ Short_Name_{n}_ Silent_Ring_Duration Sip_Accept_Encoding Speaker_Volume
    Start-Conf_Key_List Start-Xfer_Key_List Static_IP Station_Display_Name Station_Name Sub_Max_Expires Sub_Min_Expires
    Sub_Retry_Intvl Subscribe_Delay Subscribe_Expires Subscribe_Retry_Interval Subscription_Expires_{n}_ System_Beep
    TR-069_DHCPOption_Init TR-069_Fallback_Support TR-069_Traceability TR-069_VoiceObject_Init Talk_Package Text_Logo Time_Format
    Time_Offset__HH_mm_ Time_Zone Use_Line_Keys_For_BLF_List User_Configurable_Resync User_Equal_Phone_{n}_ User_Password VLAN_ID
    VPN_Password VPN_Server VPN_Tunnel_Group VPN_User_Name Voice_Mail_Number Voice_Mail_Server_{n}_
    Voice_Mail_Subscribe_Interval_{n}_ Voice_Quality_Report_Address_{n}_ Web_Server_Port XML_Application_Service_Name
    XML_Application_Service_URL XML_Directory_Service_Name XML_Directory_Service_URL XML_Password XML_User_Name XSI_Host_Server
    anonymousIdentity_{1-3}_ cipherType_{1-3}_ clientCert_{1-3}_ eapType_{1-3}_ identity_{1-3}_ password_{1-3}_ profileEnable_{1-3}_
    profileLock_{1-3}_ profileName_{1-3}_ pskKey_{1-3}_ securityMode_{1-3}_ serverCert_{1-3}_ ssid_{1-3}_ ttlsAuthProto_{1-3}_
    wepKeyId_{1-3}_ wepKeyLen_{1-3}_ wepKey{0-3}_{1-3}_
    """,
)

_ATA = Block(
    "FusionPBX's template spa192, chapters 0100 and 0101 of the ATA guide",
    """
    AVT_Packet_Size Broadsoft_ALTC_{n}_ CONFCID_Serv_{n}_ CONFCID_Setting_{n}_ Call_Group_Pickup_Enable Call_Park_Enable
    Call_Pickup_Enable Call_Remind_Tone DTMF_Twist FXS_Port_Power_Limit HTTPS_Name_Validate IVR_Admin_Password Modem_Line_{n}_
    Profile_Stamp_{n}_ RTP_Tx_Packet_Size_Follows_Remote_SDP RTP_to_Proxy_in_Remote_Hold_{n}_ Registrar_Server_{n}_ Resync_At_HHmm
    SIP_Reg_Starting_Sequence_Number User_ID
    """,
)

_SPA = Block(
    "FusionPBX's, Wazo's and Provisioner's templates of SPA phones and of SPA adapters",
    """
    Admin_Passwd Call_UnPark_Code Default_Character_Encoding Echo_Canc_Adapt_Enable_{n}_ Echo_Supp_Enable_{n}_ Enable_DHCP_Server
    Enable_PC_Port_VLAN_Tagging Enable_WAN_Web_Server Force_G723_Code Force_G726r16_Code Force_G726r24_Code Force_G726r40_Code
    Force_L16_Code Force_LAN_Codec G723_Codec_Name G723_Enable_{n}_ G726-16_Enable_{n}_ G726-24_Enable_{n}_ G726-40_Enable_{n}_
    G726r16_Codec_Name G726r16_Dynamic_Payload G726r24_Codec_Name G726r24_Dynamic_Payload G726r40_Codec_Name G726r40_Dynamic_Payload
    G729b_Dynamic_Payload HostName Key_System_Auto_Discovery Key_System_IP_Address Linksys_Key_System Mini_Certificate_{n}_
    Multicast_Address Notify_Conference Prefer_G723_Code Prefer_G726r16_Code Prefer_G726r24_Code Prefer_G726r40_Code Prefer_L16_Code
    Random_REG_CID_On_Reboot Release_Unused_Codec_{n}_ SIP-B_Enable SIP_Debug_Option_{n}_ SPCP_Auto-detect SRTP_Private_Key_{n}_
    Set_Local_Date__mm_dd_ Speed_Dial_{2-9} Symmetric_RTP
    """,
)

_SPA_PHONES = Block(
    "FusionPBX's templates spa301 to spa525g2, spa921 to spa942, Provisioner's spa and spa5xx, sipXecs' spa508g and spa942",
    """
    ACD_Ext Accept_Media_Loopback_Request Access_Password_{1-4}_ Access_URL_{1-4}_ Access_User_Name_{1-4}_
    Acoustic_Echo_Canceller_Enable Application_LED Associated_Caller_ID_{1-4}_ Attendant_Console_Call_Park_Code
    Attendant_Console_Call_Pickup_Code Attendant_Console_Call_unPark_Code Attendant_Console_Font_Size Attendant_Console_LCD_Contrast
    Auth_Type Auto_Ans_GrPage_On_Active_Call BLF_Busy_LED BLF_Held_LED BLF_Idle_LED BLF_Ringing_LED BMP_Picture_Download_URL
    Back_Light_Enable Back_Light_Timer__sec_ Bluetooth_Additional_Input_Gain Bluetooth_Dial_Tone Bluetooth_Input_Gain
    CFWD_Notifier_{n}_ CFWD_Notify_Serv_{n}_ Call_Appearance_Per_Line Call_Back_Active_LED Call_Back_Serv Call_Feature_Sync_Ext
    Camera_Name_{1-4}_ City Client_DN Color_Scheme Corp_Dir_Name Custom_CA_Option Custom_CA_RULE DTMF_AVT_Packet_Interval_{n}_
    DTMF_Tx_Volume_for_AVT_Packet_{n}_ Deep_Bass Default_Ring__{n}__ Device_Feature_Sync_{n}_ Dictionary_Server_Copy
    Dictionary_Update_Status Directory_UserID Disabled_LED Display_Attr Display_Text_Message_on_Recv Door_Control_URL_{1-4}_
    Duplex_Mode EHS_Type EM_Mobile_Password EM_Mobile_User_ID EM_Phone_Password EM_Phone_User_ID Electronic_HookSwitch_Control
    Enable_Bonjour Enable_Video_VLAN Feed_Data_Update_Interval_m_ First_Name_Filter Handset_Additional_Input_Gain Handset_Input_Gain
    Handset_Version Headset_Additional_Input_Gain Headset_Input_Gain Hold_Target_Before_REFER Idle_LED Inband_DTMF_Boost
    L16_Codec_Name L16_Enable_{n}_ LCD_Contrast LDAP_item_4_Filter Lan_MTU Language_Selection_Copy Last_Name_Filter Layer_2_Logging
    Lcd_Contrast Line_Navigation Local_Active_LED Local_Held_LED Local_Progressing_LED Local_Ringing_LED Local_Seized_LED
    Low_Battery_Tone Media_Loopback_Mode Media_Loopback_Type Miss_Call_Banner Monitor_User_ID_{n}_ Mute_Enable NTP_Enable
    Number_Mapping Outbound_call_w_o_BLA_dialog_{n}_ PC_Port_VLAN_Highest_Priority PIN_Code PPPoE_Login_Name PPPoE_Login_Password
    PPPoE_Service_Name Parking_Lot_Busy_LED Parking_Lot_Idle_LED Phone-UI-user-mode PoE_Power_Required Port_Mirroring
    RSS_Feed_URL_{1-5} Record_Beep_Reminder Record_Enable Register_Failed_LED Registering_LED Remote_Active_LED Remote_Held_LED
    Remote_Progressing_LED Remote_Ringing_LED Remote_Seized_LED Remote_Undefined_LED SCA_Barge-In_Enable SCA_Line_ID_Mapping
    SMS_Serv SNRM_Day_Mode_LED SNRM_Night_Mode_LED SPA525-auto-detect-sccp SPA525-protocol SPA525-readonly SPA525-wifi-on
    SPA932_Call_Pickup_Code SRTP_Method Screen_Saver_Icon Screen_Saver_Refresh_Time Screen_Saver_Trigger_Time Scrolling_Timer_s_
    Search_Base Search_Item_3 Search_Item_3_Filter Search_Item_4 Search_Item_4_Filter Select_Background_Picture Select_Logo
    Send_Audio_To_Speaker Serv_Subscribe_Failed_LED Serv_Subscribing_LED Server Short_Name Show_DTMF_Digits_When_Connected
    Signaling_Protocol Softkey_Labels_Font Softkey_Navigation_Style Speakerphone_Additional_Input_Gain Speakerphone_DTMF_Masking
    Speakerphone_Enable Speakerphone_Input_Gain State State_Agent_{n}_ Street TR-069_DHCP_Inform_Timer TR-069_IGD_Support
    Test_Mode_Enable Text_Message Text_Message_From_3rd_Party Trunk_In-use_LED Trunk_No_Service_LED Trunk_Reserved_LED
    Unit_{1-2}_Enable Unit_{1-2}_Key_{1-32} User_Friendly_ID User_ID_with_Domain_{n}_ User_Name User_Web_Password Video_VLAN_ID
    Weather_Temperature_Unit Web_Serv WiFi_User_Access_Mode Zip_Code
    """,
)

_SPA_ADAPTERS = Block(
    "Provisioner's linksysata, sipXecs' spa2102 and spa8000, FusionPBX's spa3102",
    """
    Audio_Dump_Option1_{n}_ Audio_Dump_Option2_{n}_ Auth_Server Auto_NetService_Private_IP_Ranges Cloned_MAC_Address DHCP
    DHCP_Client_Starting_IP_Address DHCP_IP_Revalidate_Timer DHCP_Lease_Time DMZ_Host_IP_Address Enable_DMZ Enable_MAC_Clone_Service
    FAX_T38_V29_Only_{n}_ LAN_IP_Address LAN_Subnet_Mask Maximum_Uplink_Speed More_Echo_Suppression Multicast_Passthru
    Networking_Service Num_of_Ports_Reserved Number_of_Client_IP_Addresses PPPOE_Login_Name PPPOE_Login_Password PPPOE_Service_Name
    QOS_Policy QOS_QDisc Starting_Port TURN_Server WAN_Web_Server_Port
    """,
)

_SPA_PSTN = Block(
    "sipXecs' spa3102 alone; chapter 0101 of the ATA guide has the same names for a line 3",
    """
    Current_Limiting_Enable_{n}_ Detect_CPC_{n}_ Detect_Disconnect_Tone_{n}_ Detect_PSTN_Long_Silence_{n}_
    Detect_Polarity_Reversal_{n}_ Detect_VoIP_Long_Silence_{n}_ Dial_Plan_{1-8}_2__{n}_ Disconnect_Tone_{n}_
    FAX_CED_Detect_Enable_{n}_ FXO_Port_Impedance_{n}_ Line-In-Use_Voltage_{n}_ Line_1_Fallback_DP_{n}_
    Line_1_Signal_Hook_Flash_To_PSTN_{n}_ Line_1_VoIP_Caller_DP_{n}_ Min_CPC_Duration_{n}_ Off_Hook_While_Calling_VoIP_{n}_
    On-Hook_Speed_{n}_ One_Stage_Dialing_{n}_ Operational_Loop_Current_Min_{n}_ PSTN-To-VoIP_Call_Max_Dur_{n}_
    PSTN-To-VoIP_Gateway_Enable_{n}_ PSTN_Access_List_{n}_ PSTN_Answer_Delay_{n}_ PSTN_CID_For_VoIP_CID_{n}_
    PSTN_CID_Name_Prefix_{n}_ PSTN_CID_Number_Prefix_{n}_ PSTN_Caller_Auth_Method_{n}_ PSTN_Caller_Default_DP_{n}_
    PSTN_Caller_ID_Pattern_{n}_ PSTN_Caller_{1-8}_DP_{n}_ PSTN_Caller_{1-8}_PIN_{n}_ PSTN_Dial_Digit_Len_{n}_
    PSTN_Dialing_Delay_{n}_ PSTN_Hook_Flash_Len_{n}_ PSTN_Long_Silence_Duration_{n}_ PSTN_PIN_Digit_Timeout_{n}_
    PSTN_PIN_Max_Retry_{n}_ PSTN_Ring_Thru_CWT_Delay_{n}_ PSTN_Ring_Thru_Delay_{n}_ PSTN_Ring_Thru_Line_{n}_ PSTN_Ring_Timeout_{n}_
    PSTN_Silence_Threshold_{n}_ PSTN_To_SPA_Gain_{n}_ Ring_Frequency_Max_{n}_ Ring_Frequency_Min_{n}_ Ring_Indication_Delay_{n}_
    Ring_Threshold_{n}_ Ring_Timeout_{n}_ Ring_Validation_Time_{n}_ Ringer_Impedance_{n}_ SPA_To_PSTN_Gain_{n}_
    Tip_Ring_Voltage_Adjust_{n}_ VoIP-To-PSTN_Call_Max_Dur_{n}_ VoIP-To-PSTN_Gateway_Enable_{n}_ VoIP_Access_List_{n}_
    VoIP_Answer_Delay_{n}_ VoIP_Caller_Auth_Method_{n}_ VoIP_Caller_Default_DP_{n}_ VoIP_Caller_ID_Pattern_{n}_
    VoIP_Caller_{1-8}_DP_{n}_ VoIP_Caller_{1-8}_PIN_{n}_ VoIP_DLG_Refresh_Intvl_{n}_ VoIP_Long_Silence_Duration_{n}_
    VoIP_PIN_Digit_Timeout_{n}_ VoIP_PIN_Max_Retry_{n}_ VoIP_User_{1-8}_Auth_ID_{n}_ VoIP_User_{1-8}_DP_{n}_
    VoIP_User_{1-8}_Password_{n}_
    """,
)

_SPA_GATEWAYS = Block(
    "public configurations of the SPA3102 5.1.10(GW) and of the SPA8000 5.1.12 and 6.1",
    """
    Auto_PSTN_Fallback_{n}_ CWT9_Cadence Dial_Plan_{1-8}_{n}_ EXT_RTP_Port_Min_Mod{2-4} PSTN_PIN_Tone PSTN_Ring_Thru_Line_1_{n}_
    RTP_Port_{Max,Min}_Mod{2-4} Ring9_Cadence Ring9_Caller_{n}_ Ring9_Name SIP_TCP_Port_{Max,Min}_Mod{2-4} Trunk_Group_{n}_
    VoIP_PIN_Tone
    """,
)

_MPP = Block(
    "FusionPBX's templates 8811 to 8865, Wazo's wazo_cisco_sip for a part",
    """
    Admin_Password Attendant_Console_LCD_Brightness Call_Appearances_Per_Line Call_Unpark_Code Countdown_Timer_s_ Custom_CA_Rule
    DNS_Caching_Enable Directory_User_ID Display_Brightness Ehook_Enable Enable_802.1X_Authentication Enable_Direct_Action_Url
    Enable_Protocol Enable_URI_Dialing_{n}_ Force_G722.2_Code Force_ISAC_Code Force_OPUS_Code Force_iLBC_Code G722.2_Codec_Name
    G722.2_Dynamic_Payload G722.2_Enable_{n}_ HTTP_User_Agent_Name Hold_Reminder_Ring Hold_Reminder_Timer Hold_Target_Before_Refer
    Host_Name Inactivity_Timer_m_ Keep_Referee_When_Refer_Failed LDAP_Item_4_Filter Log_Failure_Msg Log_Request_Msg Log_Success_Msg
    Number_of_Units OPUS_Codec_Name OPUS_Dynamic_Payload OPUS_Enable_{n}_ PC_PORT_Enable PC_Port_Config PRT_Upload_Method
    PRT_Upload_Rule Phone-UI-User-Mode Picture_Download_URL Prefer_G722.2_Code Prefer_ISAC_Code Prefer_OPUS_Code Prefer_iLBC_Code
    Random_REG_CID_on_Reboot SCA_Barge-In-Enable Screen_Saver_Refresh_Period Session_Idle_Timeout Session_Max_Timeout
    Set_Local_Date__mm_dd_yyyy_ Set_iLBC_mode_{n}_ Speed_Dial_{2-9}_Name Speed_Dial_{2-9}_Number Switch_Port_Config
    Unit_{1-3}_Key_{1-40}_ frequencyMode_{1-3}_ iLBC_Codec_Name iLBC_Dynamic_Payload iLBC_Enable_{n}_ iSAC_Codec_Name
    iSAC_Dynamic_Payload iSAC_Enable_{n}_ passphrase_{1-3}_ wepKey_{1-3}_
    """,
)

_MPP_REFERENCE = Block(
    "the XML reference of MPP phones, for firmware 11.3(2) to 12.0(7)",
    """
    ACD_Logged-off_LED ACD_Logged-on_LED ACD_Status_{n}_ Accessibility Add_Contacts_to_Directory_Personal Allowed_APIs
    Assistant_Call_Filter Audio_Overload_Point_9dB Auth_Support_RFC8760 Auto_Available_After_Sign-In_{n}_
    Block_Anonymous_Call_Enable_{n}_ Broadsoft_Call_History_Key_List Browse_Mode_Enable CDC_Challenge_Password_1_
    CDC_Root_CA_Fingerprint_1_ CDC_Server_1_ CallInfo_Subscribe_{n}_ Call_Forward_Off_LED Call_Forward_On_LED
    Call_Waiting_Enable_{n}_ Certificate_Select Cfwd_All Cfwd_Busy Cfwd_No_Answer Control_Server_URL Customizable_PLK_Options
    DND_Off_LED DND_On_LED Device_Administration Device_Config_Version Disable_DF Disable_Side_USB_Port
    Display_Off_Idle_Timeout__mins_ Display_Password_Warnings Display_Recents_From Display_XMPP_User_ID_With_Top_Priority
    Divert_Off_LED Enable_Direct_PLK_Configuration Executive_Assistant_Role Factory_Reset_Menu Feature_Activation_Code_Sync_{n}_
    Firewall Firewall_Config Font_Size Forced_NAT64 Forward_Softkey Group_{1-10}_Paging_Script Keep_Focus_On_Active_Call
    Key_Again_Reset_Time Key_Double_Press_Time Key_Triple_Press_Time LDAP_Prompt_For_Empty_Credentials LDAP_StartTLS_Enable
    LDAP_Unified_Search_Enable LED_Indicator_In_Display_Off_Mode Max_Display_Records Office_Hours_Enabled PAC_URL PRT_HTTP_Header
    PRT_HTTP_Header_Value PRT_Upload_at_Crash Peripheral_Inventory_Enable Personal_Directory_Enable Precondition_Support_{n}_
    Profile_Rule_Menu Proxy_Host Proxy_Mode Proxy_Password Proxy_Port Proxy_Server_Requires_Authentication Proxy_Username
    Replace_Unresolved_Caller_Name_with_Number Report_Problem_Menu Require_Authentication_for_LCD_Menu_Access Ringer_Volume_Control
    SDP_IP_Preference SIP_IP_Preference SSRC_Reset_on_Rx_RE-INVITE SSRC_Reset_on_Tx_RE-INVITE Search_All_Enable
    Share_Line_Event_Package_Type Speed_Dials Status TLS_Cipher_List TLS_Client_Min_Version TLS_Server_Min_Version Trans_Auth_Rule
    Trans_Auth_Type Transition_Authorization_Error_Retry_Delay Unavailable_Reason_Code_Enable_{n}_ Use_Auto_Discovery__WPAD_
    User_Preferences Voice_Feedback_Enable Voice_Feedback_Speed Voice_Feedback_Volume Voice_Mail_Enable_{n}_ Webex_Calendar_Enable
    Webex_Directory_Enable Webex_Directory_Name Webex_Metrics_Enable Webex_Onboard_Enable Work_Days Working_Hours_End
    Working_Hours_Start X-SWITCH-INFO_Support XsiDir_EnterpriseCommon_Enable XsiDir_EnterpriseCommon_Name XsiDir_Enterprise_Enable
    XsiDir_Enterprise_Name XsiDir_GroupCommon_Enable XsiDir_GroupCommon_Name XsiDir_Group_Enable XsiDir_Group_Name
    XsiDir_Individual_Mode_Enable XsiDir_Personal_Enable XsiDir_Personal_Name ice_stun_enable
    """,
)

_MPP_GUIDES = Block(
    "the MPP guides and the 8800's release notes for 11.2(3); about half of them also in FusionPBX's template 9861",
    """
    Anywhere_Enable_{n}_ Auto_Collapse_Into_Line_Key Bandwidth_Allowance Block_CID_Enable_{n}_ Block_Nonproxy_SIP Boot_Display
    Broadcast_Echo CFWD_Enable_{n}_ CallLog_Associated_Line CallLog_Enable Call_Information_Enable_{n}_ Call_Recording_Protocol_{n}_
    Call_Recording_Serv Cfwd_No_Answer_Delay Cfwd_No_Answer_Dest Cisco_Headset_Upgrade_Rule Conference_Single_Hardkey_{n}_
    Connected_Meeting_Key_List Connected_Video_Key_List DHCP_VLAN_Option DHCPv6_Option_To_Use DND_Enable_{n}_ Disable_Back_USB_Port
    Disposition_Code_Enable_{n}_ Emergency_Escalation_Enable_{n}_ Enable_PC_Port_Mirror H264_BP0_Enable_{n}_ H264_BP1_Enable_{n}_
    H264_HP_Enable_{n}_ Handset_LED_Alert IKM_HTTP_Encrypt_Content LDAP_User_Name Login_Invisible Login_Password Login_Password_{n}_
    Login_User_ID Login_User_ID_{n}_ Logo_URL Network_Configuration P-Early-Media_Support_{n}_ PRT_Max_Timer PRT_Name
    Peer_Firmware_Sharing Peer_Firmware_Sharing_Log_Server Periodic_Upload_To_Server Phone-wifi-on Phone-wifi-type Phone_Background
    Privacy_Header_{n}_ Profile_Authentication_Type Queue_Status_Notification_Enable_{n}_ Report_To_Server Report_to_Server
    Reverse_Phone_Lookup_Serv SIP_Auth_ID SIP_Password SIP_SessionID_Support_{n}_ Session_Timer_m_ Syslog_Identifier Text_Display
    Trace_Enable_{n}_ Upload_Delay_On_Local_Change Use_Config_TOS VQ_Report_Interval_{n}_ Voice_Quality_Report_Group_{n}_
    XMPP_Enable XMPP_Password XMPP_Port XMPP_Server XMPP_User_ID XSI_Authentication_Type XSI_Authentication_Type_{n}_
    XSI_Host_Server_{n}_ periodic_upload_to_server
    """,
)

_PHONEOS = Block(
    "FusionPBX's template 9861, an export of PhoneOS",
    """
    AVT_16kHz_Dynamic_Payload AVT_48kHz_Dynamic_Payload Action_Button_Function Action_Button_Service_Destination Appearance
    Auto_Config BLF_Callpark_On_Line_Key_Enable BLF_List BLF_List_Feature_Options BXfer_To_Remote_Party_Number_Enable
    Compliant_Standard Custom_Menu_Name Debug_Mode_Visible Deep_Sleep_Enabled Dial_Out_Delay Dialed_in_Call_History
    Enable_Audible_Alert FEC_Enable_{n}_ Feature_Toggle_Action_Button Feature_Toggle_Audio_BNR Feature_Toggle_Crash_PRT
    Feature_Toggle_Favorite_button Feature_Toggle_Feature_Usage_Metrics Feature_Toggle_Hybrid_Meeting Feature_Toggle_Lyra_config
    Feature_Toggle_MS_RTP_DEBUG Feature_Toggle_MeetingNotify_ListMode Feature_Toggle_MeetingNotify_Support
    Feature_Toggle_Meeting_Metrics Feature_Toggle_Metrics_LineStatus Feature_Toggle_Metrics_Service Feature_Toggle_PRT_Metrics
    Feature_Toggle_SW_Channel_Schema Feature_Toggle_Support_RFC8760 Feature_Toggle_ThousandEyes Feature_Toggle_Upgrade_Metrics
    Feature_Toggle_Visual_Confirmation Feature_Toggle_Webex_APPAPI Feature_Toggle_Webex_Calendar Feature_Toggle_Webex_CallLog
    Feature_Toggle_Webex_Call_METRICS Feature_Toggle_Webex_Cloud Feature_Toggle_Webex_Directory Feature_Toggle_Webex_Hotdesking
    Feature_Toggle_Webex_METRICS Feature_Toggle_Webex_PRT Feature_Toggle_Webex_Reboot Feature_Toggle_Webex_Show_Issues
    Frequency_Band_{1-4}_ G722.2_OA_Dynamic_Payload Help_Desk_Enable Host_Guest_Status_{n}_ ICE_STUN_Enable IP_Mode
    IPv6_Connection_Type IPv6_Gateway IPv6_Primary_DNS IPv6_Secondary_DNS IPv6_Static_IP Idle_Timeout__mins_ Incoming_Audio KEM_Type
    Locale_Path Locale_Ver Log_Missed_Calls_{n}_ MARI_Enable_{n}_ Microphone_Audio Mute_Tone Network_Name_{1-4}_ Phone_LED_Alert
    Phone_Language Phone_Off_Time_After_Working_Hour_End__mins_ Phone_On_Time_Before_Working_Hour_Start__mins_ Prefix_Length
    Quick_Number_{0-9}_Name Quick_Number_{0-9}_Number RSFEC_Dynamic_Payload RTP_Before_ACK RX_ROC_Reset_on_Re-Key
    SSRC_Reset_on_RE-INVITE Security_Mode_{1-4}_ Service_Trigger Silent_Emergency_Call Unit_{1-3}_Extension_{1-40}_
    Unit_{1-3}_Line_Label_{1-40}_ Unit_{1-3}_Share_Call_Appearance_{1-40}_ Unit_{1-3}_Short_Name_{1-40}_ Unmute_Tone
    Use_low-bandwidth_OPUS_{n}_ User_Preferred_OffHook_Timer Wake_up_phone_screen_when_BLF_pickup_is_ringing Wi-Fi_Password_{1-4}_
    Wi-Fi_User_ID_{1-4}_ iLBC_30ms_Dynamic_Payload
    """,
)

_ROUTER_BOTH = Block(
    "FusionPBX's templates spa122 and spa192, chapter 0110 of the ATA guide",
    """
    Bonjour_Enable CLDP_Setting/{CDP_ENABLE,LAYER2_LOGGING_ENABLE,LLDP_ENABLE} DHCP_Server_Pool/Rule/TFTP_IP
    DHCP_Server_Pool/Rule/{Client_Lease_Time,DHCP_Client_Table,DHCP_Server,DNS_Proxy,Default_Gateway,Local_IP}
    DHCP_Server_Pool/Rule/{Max_DHCP_User,Option_159,Option_160,Option_66,Option_67,Starting_IP,Static_DNS,Subnet_Mask}
    Internet_Option/{DNS,DNS_Order,Domain_Name,Host_Name} Log_Configuration/{RAM_Log_Size,Syslog_Server_IP,Syslog_Server_Port}
    MAC_Address_Clone/{MAC_Address_Clone_Address,MAC_Address_Clone_Enabled} PHY_Port_Setting/{Flow_Control,Speed_Duplex}
    QoS_Bandwidth_Control/WAN/{QoS_Always_ON,Upstream_Bandwidth} Reset_Button_Enable Router_Mode
    SNMP/{Auth_Password,Auth_Protocol,Get_Community,Privacy_Password,Privacy_Protocol,RW_User,SNMPV3,SNMP_Enabled}
    SNMP/{SNMP_Trusted_IP,Set_Community,TRAP_IP_Address,TRAP_Port,TRAP_SNMP_Version} Software_DMZ/Rule1/{Private_IP,Status}
    Software_DMZ/Rule_Number TR_069/{TR_069_ACS_Password,TR_069_ACS_URL,TR_069_ACS_Username,TR_069_Connection_Request_Password}
    TR_069/{TR_069_Connection_Request_URL,TR_069_Connection_Request_Username,TR_069_Loopback_Binding}
    TR_069/{TR_069_Periodic_Inform_Enable,TR_069_Periodic_Inform_Interval,TR_069_Status}
    Time_Setup/{Auto_Adjust_Clock,Auto_Recovery_System_Time,Resync_Timer,Time_Mode,Time_Server,Time_Server_Mode,Time_Zone}
    VPN_Passthrough/{IPSec_Passthrough,L2TP_Passthrough,PPTP_Passthrough}
    WAN_Interface/{WAN_Connection_Type,WAN_DHCP_MTU_Mode,WAN_DHCP_MTU_Size,WAN_PPPoE_Keep_Alive,WAN_PPPoE_MTU_Mode}
    WAN_Interface/{WAN_PPPoE_MTU_Size,WAN_PPPoE_Password,WAN_PPPoE_Service_Name,WAN_PPPoE_User_Name,WAN_Static_IP_NET}
    WAN_Interface/{WAN_Static_MTU_Mode,WAN_Static_MTU_Size} WAN_VLAN_Setting/{WAN_VALN_ID,WAN_VLAN_Enable} Web_Login_Admin_Name
    Web_Login_Admin_Password Web_Login_Guest_Name Web_Login_Guest_Password
    Web_Management/{Allowed_Remote_IP_Address,Allowed_Remote_IP_Type,Remote_Management_Port,Remote_Web_Utility_Access}
    Web_Management/{Web_Remote_Management,Web_Remote_Upgrade,Web_Utility_Access_HTTP,Web_Utility_Access_HTTPS}
    """,
    _ROUTER,
)

_ROUTER_ATA = Block(
    "FusionPBX's template spa192, chapter 0110 of the ATA guide",
    """
    HTTP_Proxy/{PAC_URL,Proxy_Host,Proxy_Mode,Proxy_Password,Proxy_Port,Proxy_Server_Requires_Authentication}
    HTTP_Proxy/{Proxy_Username,Use_Auto_Discovery__WPAD_} Internet_Option/{DNS6,DNS6_Order}
    LAN_IP6_Setting/{LAN_DHCP6_Delegation_Enable,LAN_IP6_Address_Assign_Type,LAN_IP6_Prefix}
    Log_Configuration/{Event_Log_Flag,Event_Log_Port,Event_Log_Server,Log_Module,PRT_Max_Timer,PRT_Name,PRT_Upload_Method}
    Log_Configuration/{PRT_Upload_Url,Syslog_Server_IP6} Monitor_WAN_Port_Only Port_Range_Forwarding/Port_Range_Forwarding_Index
    Port_Range_Forwarding/Rule{0-9} QoS_Bandwidth_Control SNMP/{SNMP_Trusted_IP6,SNMP_Trusted_IP6_Prefix_Length}
    SSH/{SSH_ACCESS,SSH_Password,SSH_User_ID} Single_Port_Forwarding/Rule{0-9} Single_Port_Forwarding/Single_Port_Forwarding_Index
    Time_Setup/Daylight_Saving_Time_Rule WAN_Basic_Setting/{WAN_Media_Preference,WAN_Signal_Preference,WAN_Stack_Mode}
    WAN_IP6_Setting/{WAN_IP6_Allow_AutoConfig,WAN_IP6_Connection_Type,WAN_Static_IP6_Address,WAN_Static_IP6_Gateway}
    WAN_IP6_Setting/{WAN_Static_IP6_Gatway,WAN_Static_IP6_Prefix_Length} WAN_VLAN_Setting/WAN_VLAN_ID Web_Management/Admin_Access
    """,
    _ROUTER,
)

_ROUTER_SPA = Block(
    "only FusionPBX's template spa122",
    """
    Log_Configuration/KERNEL/{Enable,MAIL,Priority,RAM,Syslog} Log_Configuration/System/{Enable,MAIL,Priority,RAM,Syslog}
    Log_Configuration/{MAIL_Interval,MAIL_Log_Count,MAIL_Receiver,MAIL_Sender,MAIL_Smtp_Passwd,MAIL_Smtp_Port}
    Log_Configuration/{MAIL_Smtp_Server,MAIL_Smtp_User,MAIL_Subject,Status}
    """,
    _ROUTER,
)

KNOWN: Mapping[str, KnownNames] = MappingProxyType(
    {
        "ata19x": KnownNames(2, (_EVERY, _ATA_AND_SPA, _ATA_AND_MPP, _ATA, _ROUTER_BOTH, _ROUTER_ATA)),
        "spa": KnownNames(
            12,
            (
                _EVERY,
                _ATA_AND_SPA,
                _SPA_AND_MPP,
                _SPA,
                _SPA_PHONES,
                _SPA_ADAPTERS,
                _SPA_PSTN,
                _SPA_GATEWAYS,
                _ROUTER_BOTH,
                _ROUTER_SPA,
            ),
        ),
        "mpp": KnownNames(16, (_EVERY, _ATA_AND_MPP, _SPA_AND_MPP, _MPP, _MPP_REFERENCE, _MPP_GUIDES, _PHONEOS)),
    }
)
"""Family -> the names it knows. Families that are not here know any name."""

_SPA_STATUS = KnownNames(
    12,
    [
        Block(
            "FusionPBX's templates spa525g2 and spa122, which are exports",
            """
            Bluetooth_Connected Bluetooth_Enabled Bluetooth_Firmware_Version Bluetooth_MAC Broadcast_Bytes_Dropped
            Broadcast_Bytes_Recv Broadcast_Bytes_Sent Broadcast_Pkts_Dropped Broadcast_Pkts_Recv Broadcast_Pkts_Sent Burst_Duration
            Bytes_Recv Bytes_Sent Call_State Callback Client_Address Client_Certificate Client_Netmask Connected_Device_ID
            Current_Gateway Current_IP Current_Netmask Current_Time Custom_CA_Info Custom_CA_Provisioning_Status Customization
            Decode_Latency Decoder Discard_Rate Duration Elapsed_Time Encoder End_System_Delay External_IP Gap_Duration
            Hardware_Version Host_Name Hoteling_State IP_Status Jitter Last_Inform_Time Last_Registration_At Last_Session
            Last_Transaction_Status Licenses Loss_Rate MAC_Address MOS-CQ MOS-LQ Mapped_RTP_Port Mapped_SIP_Port Media_Loopback
            Message_Waiting Next_Registration_In_Seconds Operational_VLAN_ID Packet_Error Packets_Lost Packets_Recv Packets_Sent
            ParameterKey Peer_Name Peer_Phone Periodic_Inform_Time Product_Name RTP_Bytes_Recv RTP_Bytes_Sent RTP_Packets_Recv
            RTP_Packets_Sent R_Factor Registration_State Remote_Hold Ring_Tone_{1-2} Round_Trip_Delay SIP_Bytes_Recv SIP_Bytes_Sent
            SIP_Messages_Recv SIP_Messages_Sent SSID SW_Port Security_Mode Serial_Number Software_Version Standard_Channel Status
            TR-069_Feature Tone Type VPN_Connected Wireless_Connected Wireless_Enabled Wireless_MAC
            router-configuration/About_Product/{Firmware_Version,Model,Product_ID,Serial_Number,Version_ID}
            router-configuration/{Firmware_Build_Version,Firmware_Version,System_Model_Number}
            """,
        )
    ],
)
STATUS: Mapping[str, KnownNames] = MappingProxyType({"spa": _SPA_STATUS})
"""Family -> what its phones only show, and ignore in a profile."""
