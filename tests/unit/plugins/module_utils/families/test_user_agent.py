# SPDX-License-Identifier: GPL-3.0-or-later
"""User-Agent of provisioning requests: field captures, and every model's own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.common.mac import Mac
from ansible_collections.voip.preprovision.plugins.module_utils.families.catalogue import BUILTIN
from ansible_collections.voip.preprovision.plugins.module_utils.families.user_agent import (
    UserAgent,
    configured_user_agent,
    format_user_agent,
    parse_user_agent,
)

MAC = Mac("00005e0053ab")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Cisco/ATA192-MPP-11-1-0MPP-16 (FCH2118DGQP)",
            UserAgent("Cisco", "ATA192", "11-1-0MPP-16", None, "FCH2118DGQP"),
        ),
        (
            "Cisco/ATA191-MPP-11-1-0-MSR4 (FCH2443D9R4)",
            UserAgent("Cisco", "ATA191", "11-1-0-MSR4", None, "FCH2443D9R4"),
        ),
        (
            "Cisco-CP-7832-3PCC/11.0.1 (00562b043615)",
            UserAgent("Cisco", "CP-7832-3PCC", "11.0.1", Mac("00562b043615"), None),
        ),
        (
            "Cisco/SPA504G-7.4.4 (8843E157DDCC)(CBT141100HR)",
            UserAgent("Cisco", "SPA504G", "7.4.4", Mac("8843e157ddcc"), "CBT141100HR"),
        ),
        ("Cisco/SPA525G-7.4.7 (CBT141900G7)", UserAgent("Cisco", "SPA525G", "7.4.7", None, "CBT141900G7")),
        # a serial number that looks like a MAC address
        (
            "Linksys/SPA-942-6.1.5(a) (88019FA42805)",
            UserAgent("Linksys", "SPA942", "6.1.5(a)", None, "88019FA42805"),
        ),
        (
            "Linksys/SPA-962-6.1.5(a) (4MM00F903042)",
            UserAgent("Linksys", "SPA962", "6.1.5(a)", None, "4MM00F903042"),
        ),
        ("Linksys/SPA2102-5.2.10 (FM500F100000)", UserAgent("Linksys", "SPA2102", "5.2.10", None, "FM500F100000")),
        ("Linksys/PAP2T-5.1.6(LS) (FM500F100000)", UserAgent("Linksys", "PAP2T", "5.1.6(LS)", None, "FM500F100000")),
        # no serial number
        ("Linksys/SPA8000-6.1.3", UserAgent("Linksys", "SPA8000", "6.1.3", None, None)),
        ("Cisco/SPA504G-7.4.4", UserAgent("Cisco", "SPA504G", "7.4.4", None, None)),
        ("Cisco/ATA192-MPP-11-1-0MPP-16", UserAgent("Cisco", "ATA192", "11-1-0MPP-16", None, None)),
        ("Cisco-CP-7832-3PCC/11.0.1", UserAgent("Cisco", "CP-7832-3PCC", "11.0.1", None, None)),
        ("Sipura/SPA2000-3.1.5 (88012BA01234)", UserAgent("Sipura", "SPA2000", "3.1.5", None, "88012BA01234")),
        # an address that no phone has is not believed
        ("Cisco-CP-7832-3PCC/11.0.1 (ffffffffffff)", UserAgent("Cisco", "CP-7832-3PCC", "11.0.1", None, None)),
        # others, and nearly
        ("", None),
        ("Mozilla/5.0 (X11; Linux x86_64)", None),
        ("Cisco/ATA192-MPP-", None),
        ("Linksys/SPA8000-6.1.3 ", None),
        ("Linksys/SPA8000-6.1.3 ()", None),
        ("Cisco/ATA192-MPP-11-1-0MPP-16 (FCH2118DGQP) and more", None),
        ("Cisco/ATA192-MPP-11-1-0MPP-16 (FCH2118DGQP)\n", None),
        ("x Cisco/ATA192-MPP-11-1-0MPP-16 (FCH2118DGQP)", None),
        ("Cisco-CP-7832-3PCC/11.0.1 (00562b04361)", None),
        ("Cisco-CP-7832-3PCC/11.0.1\x1b[2J (00562b043615)", None),
        ("Cisco/ATA\u0661\u0669\u0662-MPP-11-1-0MPP-16 (FCH2118DGQP)", None),
        ("Cisco/ATA192-MPP-11-1-0MPP-16 (FCH2118DGQ\u00df)", None),
        ("Yealink SIP-T46U 108.86.0.20 00:15:65:00:00:00", None),
    ],
)
def test_captures(text, expected):
    assert parse_user_agent(text) == expected


@pytest.mark.parametrize(
    ("model", "text"),
    [
        ("ATA192", "Cisco/ATA192-MPP-11-1-0MPP-16 (FCH2118DGQP)"),
        ("SPA504G", "Cisco/SPA504G-7.6.2 (00005E0053AB)(FCH2118DGQP)"),
        ("CP-8851-3PCC", "Cisco-CP-8851-3PCC/11.3.2 (00005e0053ab)"),
    ],
)
def test_recognises_user_agents(model, text):
    assert format_user_agent(BUILTIN.find_model(model), MAC, "FCH2118DGQP") == text


@given(
    st.sampled_from(sorted(name for name, model in BUILTIN.models.items() if model.family.firmware)),
    st.integers(1, 2**40 - 1).map(lambda number: Mac(f"{number:012x}")),
    st.from_regex(r"[A-Z0-9]{11,12}", fullmatch=True),
    st.from_regex(r"[0-9][A-Za-z0-9.()-]{0,15}", fullmatch=True),
)
def test_every_model_is_recognised(name, mac, serial, firmware):
    found = parse_user_agent(format_user_agent(BUILTIN.models[name], mac, serial, firmware))
    assert found is not None
    assert (found.model, found.firmware) == (name, firmware)
    # Each family sends its MAC address, its serial number or both.
    assert {found.mac, found.serial} - {None} <= {mac, serial}
    assert found.mac or found.serial


@given(st.text())
def test_accepts_any_text(text):
    parse_user_agent(text)


MACROS = {"MA": "00005e0053ab", "SN": "FCH2118DGQP"}


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("", "Cisco-CP-8851-3PCC/11.3.2 (00005e0053ab)"),
        # What exports have
        ("$VERSION ($MA)", "Cisco-CP-8851-3PCC/11.3.2 (00005e0053ab)"),
        ("$VERSION", "Cisco-CP-8851-3PCC/11.3.2"),
        ("Example $(MA:6) $SN", "Example 0053ab FCH2118DGQP"),
        (" \t ", "Cisco-CP-8851-3PCC/11.3.2 (00005e0053ab)"),
        ("a\r\nX-Header: b\u00e4", "a??X-Header: b?"),
    ],
)
def test_a_configured_user_agent(text, sent):
    usual = format_user_agent(BUILTIN.find_model("CP-8851-3PCC"), MAC, "FCH2118DGQP")
    assert configured_user_agent(text, usual, MACROS) == sent


def test_version_is_all_where_there_are_no_parentheses():
    assert configured_user_agent("$VERSION x", "Acme 1.0", MACROS) == "Acme 1.0 x"
