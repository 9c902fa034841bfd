# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Families of other vendors, as far as public documents go: names of files, format, names of a line's parameters.

Their phones ask for a file of their own by themselves. Only Grandstream's decrypt what openssl encrypts, once they know the key.
"""

from __future__ import annotations

from ..profiles.sealing.model import Digest, Sealing
from .cisco import LINE_SETTINGS
from .maker_roots import device_roots
from .model import Family

# Passwords in FusionPBX's templates of these models (c7a00dc): of administrator, user, accounts, ports, server and directory
_GRANDSTREAM_PASSWORDS = tuple(
    f"P{number}"
    for number in (
        *(2, 34, 196, 279, 281, 406, 506, 606, 706, 734, 1361, 1383, 1594, 1706, 1806, 2967),
        *range(4120, 4144),
        *(4505, 4512, 6714, 6769, 6773, 7903, 8024, 8221, 8395),
        *range(8404, 8432, 3),
        *(8452, 8472, 21908, 21909, 21914, 21915, 22022),
        *range(22137, 22162, 3),
        *(22430, 22434, 22438, 28110, 28124),
        *range(32004, 32050, 5),
    )
)
# Administrator's Guide of T2, T4 and T5 phones: boot files since firmware 81, and a common file whose number
# says the model, such as 028 and 108
_YEALINK_BOOT = ("/$MA.boot", "/y000000000000.boot")
_YEALINK_LINES = {
    **dict.fromkeys(LINE_SETTINGS, ""),
    "enable": "account.{n}.enable",
    "proxy": "account.{n}.sip_server.1.address",
    "outbound_proxy": "account.{n}.outbound_proxy.1.address",
    "use_outbound_proxy": "account.{n}.outbound_proxy_enable",
    "register_expires": "account.{n}.sip_server.1.expires",
    "display_name": "account.{n}.display_name",
    "user_id": "account.{n}.user_name",
    "auth_id": "account.{n}.auth_name",
    "password": "account.{n}.password",
}
OTHER_FAMILIES = (
    Family(
        name="grandstream",
        models=(
            *("HT801", "HT802", "HT812", "HT814", "HT818"),
            *("GXP1610", "GXP1625", "GXP1628", "GXP1630", "GXP2130", "GXP2135", "GXP2140", "GXP2160", "GXP2170"),
            *("GRP2612", "GRP2613", "GRP2614", "GRP2615", "GRP2616"),
        ),
        format="grandstream",
        yes_no=("1", "0"),
        own_file="/cfg$MA.xml",
        # SIP Device Provisioning Guide, 2012 and November 2023
        tried_in_vain=("/cfg$MA", "/cfg$MA.bin", "/cfg$PN.xml", "/cfg.xml"),
        digest=Digest.MD5,
        sealing=Sealing.NONE,
        key_parameter="P1359",
        hidden=_GRANDSTREAM_PASSWORDS,
        vendor_classes=("Grandstream", "HT8XX"),
        vendor_class="Grandstream {model}",
        line_settings=dict.fromkeys(LINE_SETTINGS, ""),
    ),
    Family(
        name="yealink",
        device_roots=device_roots("yealink"),
        models=(
            *("T31P", "T33G", "T42U", "T43U", "T46U", "T48U", "T53", "T53W", "T54W", "T57W"),
            *("T19P", "T21P", "T23G", "T27G", "T29G", "T40G", "T41S", "T42S", "T46S", "T48S"),
        ),
        format="yealink",
        yes_no=("1", "0"),
        own_file="/$MA.cfg",
        tried_in_vain=(*_YEALINK_BOOT, "/y000000000???.cfg"),
        sealing=Sealing.NONE,
        dhcp_sources=(66, 43),
        vendor_classes=("yealink",),
        vendor_class="yealink",
        line_settings=_YEALINK_LINES,
    ),
    Family(
        name="yealink_dect",
        device_roots=device_roots("yealink_dect"),
        models=("W52P",),
        format="yealink",
        yes_no=("1", "0"),
        factory_rule="/y000000000025.cfg",
        own_file="/$MA.cfg",
        tried_in_vain=_YEALINK_BOOT,
        sealing=Sealing.NONE,
        dhcp_sources=(66, 43),
        line_settings=_YEALINK_LINES,
    ),
    Family(
        name="poly",
        device_roots=device_roots("poly"),
        models=("VVX150", "VVX250", "VVX350", "VVX450", "VVX301", "VVX311", "VVX401", "VVX411", "VVX501", "VVX601"),
        format="poly",
        yes_no=("1", "0"),
        factory_rule="/000000000000.cfg",
        # The phone puts its own address in, and asks for that file next
        factory_text='<?xml version="1.0"?>\n<APPLICATION CONFIG_FILES="[PHONE_MAC_ADDRESS]-config.cfg"/>\n',
        own_file="/$MA-config.cfg",
        # Only then the master file of all phones
        tried_in_vain=("/$MA.cfg",),
        sealing=Sealing.NONE,
        dhcp_sources=(66, 160),
        vendor_classes=("Polycom",),
        vendor_class="Polycom-{model}",
        line_settings={
            **dict.fromkeys(LINE_SETTINGS, ""),
            "proxy": "reg.{n}.server.1.address",
            "outbound_proxy": "reg.{n}.outboundProxy.address",
            "register": "reg.{n}.server.1.register",
            "register_expires": "reg.{n}.server.1.expires",
            "display_name": "reg.{n}.displayName",
            "user_id": "reg.{n}.address",
            "auth_id": "reg.{n}.auth.userId",
            "password": "reg.{n}.auth.password",
        },
    ),
    Family(
        name="snom",
        models=("D315", "D335", "D345", "D375", "D385", "D712", "D713", "D717", "D735", "D765", "D785", "D815", "D862", "D865"),
        product="snom{model}",
        format="snom",
        yes_no=("on", "off"),
        factory_rule="/$PN.htm",
        own_file="/$PN-$MAU.htm",
        sealing=Sealing.NONE,
        vendor_classes=("snom",),
        vendor_class="snom{model}",
        line_settings={
            **dict.fromkeys(LINE_SETTINGS, ""),
            "enable": "user_active.{n}",
            "proxy": "user_host.{n}",
            "register_expires": "user_expiry.{n}",
            "outbound_proxy": "user_outbound.{n}",
            "display_name": "user_realname.{n}",
            "user_id": "user_name.{n}",
            "auth_id": "user_pname.{n}",
            "password": "user_pass.{n}",
        },
    ),
)
