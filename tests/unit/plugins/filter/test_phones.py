# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters that turn inventory hosts into phones, and reports into a table."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.voip.preprovision.plugins.filter.phones import (
    device_certificates,
    emulated_phones,
    find_phone,
    known_phones,
    load_test_table,
    phone_table,
    resync_table,
)


class Host(dict):
    """An inventory host whose other variables must not be looked up."""

    def __getitem__(self, name):
        assert name.startswith("phone_"), name
        return super().__getitem__(name)


HOSTVARS = {
    "desk": Host(
        phone_mac="00-00-5E-00-53-01", phone_model="ata192", phone_serial="FCH0000D001", phone_address="192.0.2.20", vault=1
    ),
    "door": Host(phone_mac="0000.5e00.5302", phone_model="SPA504G"),
    "twin": Host(phone_mac="00005e005301", phone_model="SPA504G"),
    "wrong": Host(phone_mac="00:00:5e:00:53", phone_model="SPA504G"),
    "odd": Host(phone_mac="00:00:5e:00:53:05", phone_model="SPA504"),
    "station": Host(),
}


def test_returns_emulated_phones():
    assert emulated_phones(HOSTVARS, ["desk", "door"], "/c") == [
        {
            "name": "desk",
            "mac": "00:00:5e:00:53:01",
            "model": "ATA192",
            "serial": "FCH0000D001",
            "certificate": "/c/00005e005301.pem",
            "private_key": "/c/00005e005301.key",
        },
        {
            "name": "door",
            "mac": "00:00:5e:00:53:02",
            "model": "SPA504G",
            "serial": "00005E005302",
            "certificate": "/c/00005e005302.pem",
            "private_key": "/c/00005e005302.key",
        },
    ]


def test_returns_device_certificates():
    assert device_certificates(HOSTVARS, ["desk", "door"]) == [
        {"mac": "00:00:5e:00:53:01", "model": "ATA192", "serial": "FCH0000D001"},
        {"mac": "00:00:5e:00:53:02", "model": "SPA504G", "serial": "00005E005302"},
    ]


def test_returns_known_phones():
    assert known_phones(HOSTVARS, ["desk", "door"]) == [
        {"name": "desk", "mac": "00:00:5e:00:53:01", "address": "192.0.2.20"},
        {"name": "door", "mac": "00:00:5e:00:53:02"},
    ]


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (["wrong"], "phone wrong: phone_mac: '00:00:5e:00:53' is not a MAC address; write twelve hexadecimal digits"),
        (["odd"], "phone odd: phone_model: unknown model 'SPA504'; did you mean 'SPA504G'?"),
        (["station"], "phone station: the variable phone_mac is missing"),
        (["nobody"], "phone nobody: the inventory has no host of this name"),
        (["desk", "twin"], "phones desk and twin: phone_mac: all have 00:00:5e:00:53:01"),
    ],
)
@pytest.mark.parametrize("filtered", [known_phones, device_certificates, lambda *given: emulated_phones(*given, "/c")])
def test_rejects_invalid_phones(filtered, names, sentence):
    with pytest.raises(AnsibleFilterError) as caught:
        filtered(HOSTVARS, names)
    assert sentence in str(caught.value)


def request(url, behaviour="A", sealed=False):
    return {"url": url, "protocol": url.split(":")[0], "behaviour": behaviour, "sealed": sealed}


def test_prints_a_table():
    reports = [
        {
            "name": "desk",
            "model": "ATA192",
            "mac": "00:00:5e:00:53:01",
            "address": "192.0.2.20",
            "requests": [
                request("tftp://192.0.2.1/ata192.cfg"),
                request("http://prov.example.net/a", ""),
                request("https://prov.example.net:8443/b.cfg", sealed=True),
            ],
            "state": "preprovisioned",
            "profile_rule": "[--key ****] http://h/$MA",
            "cause": "",
        },
        {
            "name": "reception",
            "model": "SPA504G",
            "mac": "00:00:5e:00:53:02",
            "address": "",
            "requests": [],
            "state": "failed",
            "profile_rule": "/spa$PSN.cfg",
            "cause": "power-up 1: no DHCP server assigned an address",
        },
    ]
    assert phone_table(reports).splitlines() == [
        "phone      model    MAC                lease       files                  resync          Profile_Rule now",
        "---------  -------  -----------------  ----------  ---------------------  --------------  -------------------------",
        "desk       ATA192   00:00:5e:00:53:01  192.0.2.20  TFTP  /ata192.cfg      preprovisioned  [--key ****] http://h/$MA",
        "                                                   HTTP  /a (try again)",
        "                                                   HTTPS /b.cfg (sealed)",
        "reception  SPA504G  00:00:5e:00:53:02  none        none                   failed          /spa$PSN.cfg",
        "",
        "reception: power-up 1: no DHCP server assigned an address",
    ]


def test_prints_only_the_header_without_reports():
    assert phone_table([]).startswith("phone")


@pytest.mark.parametrize(
    ("who", "name"),
    [
        ("desk", "desk"),
        ("FCH0000D001", "desk"),
        ("fch0000d001", "desk"),
        ("S/N: FCH0000D001 ", "desk"),
        ("S/N:", None),
        ("00:00:5E:00:53:01", "desk"),
        ("00005e005302", "door"),
        ("00:00:5e:00:53:09", None),
        ("nobody", None),
    ],
)
def test_finds_a_phone_beside_invalid_ones(who, name):
    found = find_phone(HOSTVARS, ["wrong", "desk", "door", "odd", "station"], who)
    assert found.get("name") == name
    if name:
        assert set(found) == {"name", "mac", "model", "serial"}


def test_finds_a_phone_by_a_serial_number_of_digits():
    hostvars = {"desk": {"phone_mac": "00:00:5e:00:53:01", "phone_model": "ATA192", "phone_serial": 4711}}
    assert find_phone(hostvars, ["desk"], "4711")["serial"] == "4711"
    assert find_phone({"desk": {**hostvars["desk"], "phone_serial": None}}, ["desk"], "None") == {}


def test_rejects_an_invalid_phone_that_was_found():
    with pytest.raises(AnsibleFilterError, match="phone odd: phone_model"):
        find_phone(HOSTVARS, ["odd"], "odd")


def test_prints_the_resyncs_of_runs():
    found = {"tried": 9, "failed": 1, "longest": 2.04, "addresses": {"203.0.113.1": {"answered": 8, "unanswered": 2}}}
    heading, _line, row = resync_table({"killed": {"resyncs": found}}).splitlines()
    assert heading.split()[:4] == ["run", "resyncs", "failed", "longest"]
    assert row.split() == ["killed", "9", "1", "2.0", "203.0.113.1:", "10", "(2)"]


def test_prints_a_load_test_table():
    statistics = {"phones": 1, "preprovisioned": 1, "failures": {}, "addresses": 1, "given_twice": [], "messages": 2, "times": {}}
    assert load_test_table(statistics).startswith("1 of 1 phones preprovisioned\n")
