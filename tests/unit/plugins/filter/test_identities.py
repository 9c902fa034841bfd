# SPDX-License-Identifier: GPL-3.0-or-later
"""MAC addresses in all styles, and User-Agents as mappings."""

from __future__ import annotations

import re

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.voip.preprovision.plugins.filter.identities import mac_format, parse_user_agent


@pytest.mark.parametrize(
    ("style", "spelling"),
    [
        ("bare", "00005e0053ab"),
        ("bare_upper", "00005E0053AB"),
        ("colon", "00:00:5e:00:53:ab"),
        ("hyphen", "00-00-5e-00-53-ab"),
        ("cisco", "0000.5e00.53ab"),
    ],
)
@pytest.mark.parametrize("mac", ["00005E0053AB", "00:00:5e:00:53:ab", " 0000.5E00.53ab\n"])
def test_formats_mac_addresses(mac, style, spelling):
    assert mac_format(mac, style) == spelling


@pytest.mark.parametrize(
    ("mac", "style", "message"),
    [
        (
            "00:00:5e:00:53",
            "bare",
            "'00:00:5e:00:53' is not a MAC address; write twelve hexadecimal digits, such as 00:00:5e:00:53:01",
        ),
        (5301, "bare", "the MAC address 5301 is not text; quote it, such as '00:00:5e:00:53:01'"),
        ("00005e0053ab", "linux", "unknown style 'linux'; expected one of bare, bare_upper, colon, hyphen, cisco"),
    ],
)
def test_rejects_invalid_mac_and_style(mac, style, message):
    with pytest.raises(AnsibleFilterError, match=f"^{re.escape(message)}$"):
        mac_format(mac, style)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Cisco/ATA192-MPP-11-1-0MPP-16 (FCH2118DGQP)", ("Cisco", "ATA192", "11-1-0MPP-16", "FCH2118DGQP", "")),
        ("Cisco-CP-7832-3PCC/11.0.1 (00005e0053ab)", ("Cisco", "CP-7832-3PCC", "11.0.1", "", "00:00:5e:00:53:ab")),
        ("Cisco/SPA504G-7.4.4 (00005E0053AB)(CBT141100HR)", ("Cisco", "SPA504G", "7.4.4", "CBT141100HR", "00:00:5e:00:53:ab")),
        ("Linksys/SPA-942-6.1.5(a) (88019FA42805)", ("Linksys", "SPA942", "6.1.5(a)", "88019FA42805", "")),
        ("Mozilla/5.0 (X11; Linux x86_64)", ("", "", "", "", "")),
        ("-", ("", "", "", "", "")),
        ("", ("", "", "", "", "")),
    ],
)
def test_parses_user_agents(text, parts):
    assert parse_user_agent(text) == dict(zip(("vendor", "product", "firmware", "serial", "mac"), parts, strict=True))


def test_rejects_user_agent_that_is_not_text():
    with pytest.raises(AnsibleFilterError, match=r"^the User-Agent must be text, not empty$"):
        parse_user_agent(None)
