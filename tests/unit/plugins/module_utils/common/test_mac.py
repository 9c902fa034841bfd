# SPDX-License-Identifier: GPL-3.0-or-later
"""Every spelling of a MAC address, read and written, and invalid ones."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.common.mac import STYLES, Mac, MacError, format_mac, parse_mac

SPELLINGS = {
    "plain": "00005e0053ab",
    "upper": "00005E0053AB",
    "colon": "00:00:5e:00:53:ab",
    "dash": "00-00-5e-00-53-ab",
    "dot": "0000.5e00.53ab",
}
HOW = "write twelve hexadecimal digits, such as 00:00:5e:00:53:01"

# The lowest bit of the first byte marks groups.
numbers = st.integers(min_value=1, max_value=2**48 - 1).filter(lambda number: not number & 1 << 40)
unicast = numbers.map(lambda number: f"{number:012x}")


@pytest.mark.parametrize("name", SPELLINGS)
def test_spellings(name):
    assert getattr(Mac("00005e0053ab"), name) == SPELLINGS[name]
    assert str(Mac("00005e0053ab")) == SPELLINGS["colon"]


@pytest.mark.parametrize(
    "text",
    [
        *SPELLINGS.values(),
        "00:00:5E:00:53:AB",
        "00-00-5E-00-53-AB",
        "0000.5E00.53AB",
        "0000:5e00:53ab",
        "0000-5e00-53ab",
        "00005e-0053ab",
        "00005e:0053ab",
        "00 00 5e 00 53 ab",
        "00.00.5e.00.53.ab",
        "00:00:5e:00:53:aB",
        "  00005E0053AB\r\n",
    ],
)
def test_accepts_valid_macs(text):
    assert parse_mac(text) == Mac("00005e0053ab")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", f"'' is not a MAC address; {HOW}"),
        ("00005e0053a", f"'00005e0053a' is not a MAC address; {HOW}"),
        ("00005e0053abc", f"'00005e0053abc' is not a MAC address; {HOW}"),
        ("00005e0053ag", f"'00005e0053ag' is not a MAC address; {HOW}"),
        ("0:0:5e:0:53:ab", f"'0:0:5e:0:53:ab' is not a MAC address; {HOW}"),
        ("00:00-5e:00-53:ab", f"'00:00-5e:00-53:ab' is not a MAC address; {HOW}"),
        ("00:00:5e:00:53", f"'00:00:5e:00:53' is not a MAC address; {HOW}"),
        ("00:00:5e:00:53:ab:cd", f"'00:00:5e:00:53:ab:cd' is not a MAC address; {HOW}"),
        ("FCH2118DGQP", f"'FCH2118DGQP' is not a MAC address; {HOW}"),
        ("\u0660" * 12, f"'{chr(0x660) * 12}' is not a MAC address; {HOW}"),
        ("01005e000001", "'01005e000001' is a group (multicast) address, which no phone has; check the first two digits"),
        ("FF:FF:FF:FF:FF:FF", "'FF:FF:FF:FF:FF:FF' is a group (multicast) address, which no phone has; check the first two digits"),
        ("00:00:00:00:00:00", "'00:00:00:00:00:00' is the all-zero address, which no phone has; check the label"),
        (5301, "the MAC address 5301 is not text; quote it, such as '00:00:5e:00:53:01'"),
        (None, "the MAC address None is not text; quote it, such as '00:00:5e:00:53:01'"),
        (b"00005e0053ab", "the MAC address b'00005e0053ab' is not text; quote it, such as '00:00:5e:00:53:01'"),
    ],
)
def test_rejects_invalid_macs(text, message):
    with pytest.raises(MacError, match=f"^{re.escape(message)}$"):
        parse_mac(text)


@pytest.mark.parametrize(
    ("style", "text"),
    [
        ("bare", "00005e0053ab"),
        ("bare_upper", "00005E0053AB"),
        ("colon", "00:00:5e:00:53:ab"),
        ("hyphen", "00-00-5e-00-53-ab"),
        ("cisco", "0000.5e00.53ab"),
    ],
)
def test_styles(style, text):
    assert format_mac(Mac("00005e0053ab"), style) == text


@given(unicast, st.sampled_from(sorted(STYLES)))
def test_parses_every_style(plain, style):
    assert parse_mac(format_mac(Mac(plain), style)) == Mac(plain)


def test_rejects_unknown_styles():
    with pytest.raises(MacError, match=r"^unknown style 'dots'; expected one of bare, bare_upper, colon, hyphen, cisco$"):
        format_mac(Mac("00005e0053ab"), "dots")


@given(unicast)
def test_parses_every_spelling(plain):
    mac = parse_mac(plain)
    assert mac.plain == plain
    assert {parse_mac(getattr(mac, name)) for name in SPELLINGS} == {mac}


@given(unicast, unicast)
def test_sorts_numerically(one, other):
    assert (Mac(one) < Mac(other)) == (int(one, 16) < int(other, 16))
