# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Cisco's families: ATA 191/192, SPA1xx/3xx/5xx/8xxx/9xx, PAP2T, the 68xx/78xx/88xx multiplatform ("3PCC") and the 98xx phones.

Sources: their provisioning guides, the MPP migration guide for DHCP options, and field captures of vendor classes and User-Agents.
"""

from __future__ import annotations

import dataclasses

from ..profiles.sealing.model import Digest
from .maker_roots import device_roots, server_roots
from .model import Family, PasswordRule

_RESYNC = {
    "resync.enable": ("Provision_Enable",),
    "resync.on_reset": ("Resync_On_Reset",),
    "resync.random_delay": ("Resync_Random_Delay",),
    "resync.at": ("Resync_At__HHmm_",),
    "resync.at_random_delay": ("Resync_At_Random_Delay",),
    "resync.periodic": ("Resync_Periodic",),
    "resync.error_retry_delay": ("Resync_Error_Retry_Delay",),
    "resync.forced_delay": ("Forced_Resync_Delay",),
    "resync.from_sip": ("Resync_From_SIP",),
    "resync.after_upgrade": ("Resync_After_Upgrade_Attempt",),
    "resync.fails_on_missing_file": ("Resync_Fails_On_FNF",),
}
_NAT = {
    "nat.mapping": ("NAT_Mapping_Enable_{n}_",),
    "nat.keep_alive": ("NAT_Keep_Alive_Enable_{n}_",),
    "nat.keep_alive_interval": ("NAT_Keep_Alive_Intvl",),
    "nat.keep_alive_message": ("NAT_Keep_Alive_Msg_{n}_",),
    "nat.keep_alive_destination": ("NAT_Keep_Alive_Dest_{n}_",),
    "nat.stun": ("STUN_Enable",),
    "nat.stun_server": ("STUN_Server",),
    "nat.stun_test": ("STUN_Test_Enable",),
    "nat.external_address": ("EXT_IP",),
    "nat.external_rtp_port": ("EXT_RTP_Port_Min",),
    "nat.substitute_via": ("Substitute_VIA_Addr",),
    "nat.respond_to_source_port": ("Send_Resp_To_Src_Port",),
    "nat.handle_via_received": ("Handle_VIA_received",),
    "nat.handle_via_rport": ("Handle_VIA_rport",),
    "nat.insert_via_received": ("Insert_VIA_received",),
    "nat.insert_via_rport": ("Insert_VIA_rport",),
}
_LOG_MESSAGES = {
    "log_messages.resync_request": ("Log_Resync_Request_Msg",),
    "log_messages.resync_success": ("Log_Resync_Success_Msg",),
    "log_messages.resync_failure": ("Log_Resync_Failure_Msg",),
    "log_messages.upgrade_request": ("Log_Upgrade_Request_Msg",),
    "log_messages.upgrade_success": ("Log_Upgrade_Success_Msg",),
    "log_messages.upgrade_failure": ("Log_Upgrade_Failure_Msg",),
}
# What units that can have either firmware request for Cisco's own call control, see docs/guides/reset.md
_OF_OTHER_FIRMWARE = ("/SEP$MAU.cnf.xml", "/XMLDefault.cnf.xml")
LINE_SETTINGS = {
    "enable": "Line_Enable_{n}_",
    "proxy": "Proxy_{n}_",
    "outbound_proxy": "Outbound_Proxy_{n}_",
    "use_outbound_proxy": "Use_Outbound_Proxy_{n}_",
    "register": "Register_{n}_",
    "register_expires": "Register_Expires_{n}_",
    "display_name": "Display_Name_{n}_",
    "user_id": "User_ID_{n}_",
    "password": "Password_{n}_",
    "use_auth_id": "Use_Auth_ID_{n}_",
    "auth_id": "Auth_ID_{n}_",
    "dial_plan": "Dial_Plan_{n}_",
    "use_dns_srv": "Use_DNS_SRV_{n}_",
}
_CISCO = Family(
    name="cisco",
    profile_rules=("Profile_Rule", "Profile_Rule_B", "Profile_Rule_C", "Profile_Rule_D"),
    upgrade_rules=("Upgrade_Rule",),
    upgrade_enable="Upgrade_Enable",
    report_rules=("Report_Rule",),
    triggers=("Resync_Trigger_1", "Resync_Trigger_2"),
    digest=Digest.MD5,
    settings={
        **_RESYNC,
        **_NAT,
        **_LOG_MESSAGES,
        "syslog.server": ("Syslog_Server",),
    },
    line_settings=LINE_SETTINGS,
)
_ATA_LOG = "router-configuration/Log_Configuration"
_SPA = dataclasses.replace(
    _CISCO,
    name="spa",
    known_names="spa",
    device_roots=device_roots("spa"),
    server_roots=server_roots("spa"),
    models=(
        *("SPA112", "SPA122", "SPA232D", "SPA2102", "SPA3102", "SPA8000", "SPA8800"),
        *("SPA301", "SPA303", "SPA501G", "SPA502G", "SPA504G", "SPA508G", "SPA509G", "SPA512G", "SPA514G"),
        *("SPA525G", "SPA525G2", "SPA901", "SPA921", "SPA922", "SPA941", "SPA942", "SPA962"),
    ),
    series=r"SPA(\w+)",
    factory_rule="/spa$PSN.cfg",
    tried_in_vain=_OF_OTHER_FIRMWARE,
    dhcp_sources=(66, 160, 159, 150),
    options_parameter="DHCP_Option_To_Use",
    zero_retries=True,
    load_pattern=r"(?i)spa.*?-(\d+-\d+-\d+\w*)\.bin",
    load_dots=True,
    priority="",
    vendor_classes=("Cisco SPA", "LINKSYS SPA"),
    vendor_class="Cisco {model}",
    user_agent="Cisco/{model}-{firmware} ({MAC})({serial})",
    firmware="7.6.2",
    settings={
        **_CISCO.settings,
        # Adapters have it for each line, phones once
        "nat.symmetric_rtp": ("Symmetric_RTP_{n}_", "Symmetric_RTP"),
        "syslog.debug_server": ("Debug_Server",),
        "web.enable": ("Enable_Web_Server",),
        "web.admin_password": ("Admin_Passwd",),
        "web.user_password": ("User_Password",),
    },
    password_rule=PasswordRule(longest=32),
)

# Field captures have only the first file; vendor class and User-Agent are inferred from those of Linksys' SPA phones
_PAP2T = dataclasses.replace(
    _SPA,
    name="pap2t",
    device_roots=device_roots("pap2t"),
    server_roots=server_roots("pap2t"),
    models=("PAP2T",),
    series=r"PAP(\w+)",
    factory_rule="/init.cfg",
    tried_in_vain=(),
    load_pattern=r"(?i)pap2t-(\d+-\d+-\d+\w*)\.bin",
    vendor_classes=("LINKSYS PAP",),
    vendor_class="LINKSYS {model}",
    user_agent="Linksys/{model}-{firmware} ({serial})",
    firmware="5.1.6",
)
_MPP = dataclasses.replace(
    _CISCO,
    name="mpp",
    known_names="mpp",
    device_roots=device_roots("mpp"),
    server_roots=server_roots("mpp"),
    models=tuple(
        f"CP-{number}-3PCC"
        for number in (
            *(6821, 6841, 6851, 6861, 6871, 7811, 7821, 7832, 7841, 7861),
            *(8811, 8832, 8841, 8845, 8851, 8861, 8865),
        )
    ),
    series=r"CP-(\d+-3PCC)",
    factory_rule="/$PSN.xml",
    tried_in_vain=_OF_OTHER_FIRMWARE,
    # The 2018 guide prints "&PN.cfg" as the factory rule
    aliases=("/$PN.cfg",),
    custom_ca="Custom_CA_Rule",
    ikm_parameter="IKM_HTTP_Encrypt_Content",
    dhcp_sources=(66, 160, 159, 150, 60, 43, 125),
    options_parameter="DHCP_Option_To_Use",
    error_retry_delay="60,120,240,480,960,1920,3840,7680,15360,30720,61440,86400",
    waits_for_idle=False,
    trigger_blocks=True,
    load_pattern=r"(?i)((?:sip|PHONEOS-)[a-z0-9]+\..+)\.loads",
    customization_hosts=("activate.cisco.com", "webapps.cisco.com"),
    probes=True,
    block_size=1428,
    vendor_classes=("CP-6", "CP-7", "CP-8"),
    user_agent="Cisco-{model}/{firmware} ({mac})",
    user_agent_parameter="HTTP_User_Agent_Name",
    firmware="11.3.2",
    software_version="sip88xx.11-3-2MPP0001-609",
    settings={
        **_CISCO.settings,
        "log_messages.resync_request": ("Log_Request_Msg",),
        "log_messages.resync_success": ("Log_Success_Msg",),
        "log_messages.resync_failure": ("Log_Failure_Msg",),
        "syslog.debug_server": ("Debug_Server",),
        "syslog.identifier": ("Syslog_Identifier",),
        "web.enable": ("Enable_Web_Server",),
        "web.admin_password": ("Admin_Password",),
        "web.user_password": ("User_Password",),
    },
    # An outbound proxy or an auth ID that is set is used
    line_settings={**LINE_SETTINGS, "use_outbound_proxy": "", "use_auth_id": ""},
    password_rule=PasswordRule(shortest=8, kinds=3),
)

# Parameters, DHCP options and log messages are in an export of a 9861; files, vendor class and User-Agent are inferred from MPP
_PHONEOS = dataclasses.replace(
    _MPP,
    name="phoneos",
    device_roots=device_roots("phoneos"),
    server_roots=server_roots("phoneos"),
    models=("DP-9841", "DP-9851", "DP-9861", "DP-9871"),
    series=r"DP-(\d+)",
    aliases=("/$PN.xml", "/$PN.cfg"),
    dhcp_sources=(66, 160, 159, 150),
    vendor_classes=("DP-98",),
    firmware="3.2.1",
    software_version="",
)
CISCO_FAMILIES = (
    dataclasses.replace(
        _CISCO,
        name="ata19x",
        known_names="ata19x",
        device_roots=device_roots("ata19x"),
        server_roots=server_roots("ata19x"),
        models=("ATA191", "ATA192"),
        series=r"ATA(\d+)",
        product="{model}-MPP",
        factory_rule="/ata$PSN.cfg",
        tried_in_vain=("/ATA$MAU.cnf.xml", *_OF_OTHER_FIRMWARE),
        custom_ca="Custom_CA_URL",
        customization_hosts=("activate.cisco.com", "webapps.cisco.com"),
        load_pattern=r"(?i)ATA19x\.(\d+-\d+-\d+.*)\.(?:img|bin)",
        dhcp_sources=(66,),
        reads_urls=False,
        vendor_classes=("CISCO ATA19",),
        vendor_class="CISCO {product}",
        user_agent="Cisco/{product}-{firmware} ({serial})",
        firmware="11-1-0MPP-16",
        settings={
            **_CISCO.settings,
            "nat.symmetric_rtp": ("Symmetric_RTP_{n}_",),
            "resync.at": ("Resync_At__HHmm_", "Resync_At_HHmm"),
            "syslog.server": ("Syslog_Server", f"{_ATA_LOG}/Syslog_Server_IP", f"{_ATA_LOG}/Event_Log_Server"),
            "syslog.port": (f"{_ATA_LOG}/Syslog_Server_Port", f"{_ATA_LOG}/Event_Log_Port"),
            "web.admin_name": ("router-configuration/Web_Login_Admin_Name",),
            "web.admin_password": ("router-configuration/Web_Login_Admin_Password",),
        },
        password_rule=PasswordRule(shortest=8),
    ),
    _SPA,
    _MPP,
    _PAP2T,
    _PHONEOS,
)

SETTINGS = frozenset(name for family in CISCO_FAMILIES for name in family.settings)
"""Typed settings that a family can have a parameter for."""
