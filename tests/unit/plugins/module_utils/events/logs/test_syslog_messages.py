# SPDX-License-Identifier: GPL-3.0-or-later
"""Log messages of a resync: formatted from the factory templates, and recognised in log lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.common.mac import Mac
from ansible_collections.voip.preprovision.plugins.module_utils.events.logs.syslog_messages import (
    DEFAULTS,
    PhoneMessage,
    format_message,
    recognise,
)
from ansible_collections.voip.preprovision.plugins.module_utils.families.catalogue import BUILTIN
from ansible_collections.voip.preprovision.plugins.module_utils.phones.phone import Phone

MACROS = {
    **Phone("ata", Mac("00005e005301"), BUILTIN.find_model("ATA192")).macros,
    "SCHEME": "https",
    "SERVIP": "192.0.2.1",
    "PORT": "443",
    "PATH": "/device/00005e005301.cfg",
    "ERR": "http_get failed",
}
CISCO = Mac("000e08abcdef")


@pytest.mark.parametrize(
    ("event", "what", "detail"),
    [
        ("request", "Requesting resync ", "https://192.0.2.1:443/device/00005e005301.cfg"),
        ("success", "Successful resync ", "https://192.0.2.1:443/device/00005e005301.cfg"),
        ("failure", "Resync failed: ", "http_get failed"),
        ("upgrade request", "Requesting upgrade ", "https://192.0.2.1:443/device/00005e005301.cfg"),
        ("upgrade success", "Successful upgrade ", "https://192.0.2.1:443/device/00005e005301.cfg -- http_get failed"),
        ("upgrade failure", "Upgrade failed: ", "http_get failed"),
    ],
)
def test_formats_and_recognises_factory_templates(event, what, detail):
    text = f"ATA192-MPP 00:00:5e:00:53:01 -- {what}{detail}"
    assert format_message(DEFAULTS[event], MACROS) == text
    assert recognise(text) == PhoneMessage("ATA192-MPP", Mac("00005e005301"), event, detail)


def test_an_empty_template_disables_its_message():
    assert format_message("", MACROS) is None


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        # examples of the guides, with their dash
        (
            "CP-78xx-3PCC 00:0e:08:ab:cd:ef \u2013- Requesting resync tftp://192.168.1.200/basic.txt",
            PhoneMessage("CP-78xx-3PCC", CISCO, "request", "tftp://192.168.1.200/basic.txt"),
        ),
        (
            "CP-88xx-3PCC 00:0e:08:ab:cd:ef \u2013- Successful resync tftp://192.168.1.200/basic.txt",
            PhoneMessage("CP-88xx-3PCC", CISCO, "success", "tftp://192.168.1.200/basic.txt"),
        ),
        # other dashes, no space, what a log puts before it, upper case, details
        (
            "SPA504G 00:0e:08:ab:cd:ef \u2014 Resync failed: File not found \r",
            PhoneMessage("SPA504G", CISCO, "failure", "File not found"),
        ),
        ("SPA504G 00:0e:08:ab:cd:ef --Resync failed", PhoneMessage("SPA504G", CISCO, "failure", "")),
        (
            "2025-01-02T03:04:05+00:00 192.0.2.20 user.notice <62>ATA192-MPP 00:0E:08:AB:CD:EF -- Successful resync x -- OK",
            PhoneMessage("<62>ATA192-MPP", CISCO, "success", "x -- OK"),
        ),
        ("a 00:0e:08:ab:cd:ef -- Requesting upgrade u", PhoneMessage("a", CISCO, "upgrade request", "u")),
        ("a 00:0e:08:ab:cd:ef -- Successful upgrade u -- ", PhoneMessage("a", CISCO, "upgrade success", "u --")),
        ("a 00:0e:08:ab:cd:ef -- Upgrade failed: u", PhoneMessage("a", CISCO, "upgrade failure", "u")),
        # nothing of the kind
        ("", None),
        ("-- Requesting resync tftp://192.0.2.1/x", None),
        ("SPA504G 00:0e:08:ab:cd -- Requesting resync x", None),
        ("SPA504G 00:0e:08:ab:cd:ef -- Resync", None),
        ("00:0e:08:ab:cd:ef -- Requesting resync x", None),
        # no phone has such an address
        ("SPA504G ff:ff:ff:ff:ff:ff -- Requesting resync x", None),
        ("SPA504G 00:00:00:00:00:00 -- Requesting resync x", None),
    ],
)
def test_recognises_messages(line, expected):
    assert recognise(line) == expected


DASHES = ["-", "\u2010", "\u2011", "\u2012", "\u2013", "\u2014", "\u2015", "\u2212", "\ufe58", "\ufe63", "\uff0d"]


def as_logged(data: bytes) -> str:
    """Return a message as rsyslogd writes it to a phone's log, see extensions/molecule/station/files/logs.py."""
    return "".join(chr(byte) if byte < 0x80 else f"#{byte:03o}" for byte in data)


@pytest.mark.parametrize("what", ["Successful resync", "Resync failed:"])
@pytest.mark.parametrize(
    ("first", "second"), [*((dash, dash) for dash in DASHES), *((dash, "-") for dash in DASHES), ("\u2013", "")]
)
def test_recognises_every_dash(first, second, what):
    message = f"SPA504G 00:0e:08:ab:cd:ef {first}{second} {what} tftp://192.0.2.1/x"
    encoded = [message.encode()]
    if {first, second} <= {"-", "", "\u2013", "\u2014"}:
        encoded.append(message.encode("cp1252"))
    for data in encoded:
        for line in (as_logged(data), data.decode("utf-8", "replace"), data.decode("latin-1")):
            assert recognise(line) == recognise(f"SPA504G 00:0e:08:ab:cd:ef -- {what} tftp://192.0.2.1/x"), line


@given(st.text(max_size=200), st.sampled_from(["", "SPA504G 00:0e:08:ab:cd:ef -- Requesting resync ", "ff:ff:ff:ff:ff:ff -- "]))
def test_any_line_is_read(text, start):
    recognise(start + text)


def test_takes_linear_time_on_a_long_line(stop_when_hung):
    recognise("x" * 1_000_000)
