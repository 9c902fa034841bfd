# SPDX-License-Identifier: GPL-3.0-or-later
"""An emulated phone asks the service for its customer, follows its live profile, and reports."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from preprovision_service.database import Report
from sqlalchemy import select

from ansible_collections.voip.preprovision.plugins.module_utils.families import BUILTIN
from ansible_collections.voip.preprovision.plugins.module_utils.mac import Mac
from ansible_collections.voip.preprovision.plugins.module_utils.phone import Phone
from ansible_collections.voip.preprovision.plugins.module_utils.phone_behaviour import Unit
from ansible_collections.voip.preprovision.plugins.module_utils.phone_network import Answer, Ask, Lease

MAC, KEY = "00005e005301", "a-key-of-the-desk-phone"
PHONES: dict[str, dict[str, Any]] = {
    "desk": {"phone_mac": MAC, "phone_model": "ATA192", "phone_customer": "example", "phone_profile_key": KEY},
}
LIVE = f"[--key {KEY}] http://prov.example.net/live/$MA.cfg"


class InProcess:
    """The service, as nginx passes requests of a phone with a certificate of its own."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def lease(self, _vendor_class: str) -> Lease:
        return Lease("192.0.2.20", {})

    def addresses(self, _name: str) -> Sequence[str]:
        return ("192.0.2.1",)

    def log(self, _server: str, _text: str) -> bool:
        return True

    def fetch(self, ask: Ask) -> Answer:
        subject = f"O=Cisco,CN=ATA192\\, MAC: {MAC},OU=ATA192"
        headers = {"X-Preprovision-Verify": "SUCCESS", "X-Preprovision-Subject": subject, **ask.headers}
        answer = self.client.open(ask.target.path, method=ask.method, headers=headers, data=ask.body or None)
        return Answer(answer.status_code, answer.data, {name.lower(): value for name, value in answer.headers})


@pytest.mark.parametrize(
    ("url", "state", "code"),
    [
        ("http://prov.example.net/live/$MA.cfg", "Custom Pending", "no_option"),
        (LIVE, "Acquired", ""),
        ("", "Unavailable", "no_option"),
    ],
)
def test_remote_customization(
    put_in: Callable[..., None], app: Flask, client: FlaskClient, url: str, state: str, code: str
) -> None:
    put_in(app, PHONES, customers={"example": {"redirect": "", "provisioning_url": url}})
    unit = Unit(Phone("desk", Mac(MAC), BUILTIN.find_model("ATA192")), customization="http://prov.example.net/customization")
    unit.power_up(InProcess(client))
    report = unit.report()
    assert (report["customization"], report["failure"]["code"]) == (state, code)


def test_reports(put_in: Callable[..., None], app: Flask, client: FlaskClient) -> None:
    put_in(app, PHONES, customers={"example": {"redirect": "", "provisioning_url": LIVE}})
    unit = Unit(Phone("desk", Mac(MAC), BUILTIN.find_model("ATA192")), customization="http://prov.example.net/customization")
    network = InProcess(client)
    unit.power_up(network)
    unit.set_up_by_hand({"Report_Rule": f"[--key {KEY}] http://prov.example.net/report/$MA.xml"})
    assert unit.send_report(network)
    with app.extensions["sessions"]() as session:
        body = session.scalars(select(Report)).one().body
    assert b"<Report_Rule>[--key ****] http://prov.example.net/report/$MA.xml</Report_Rule>" in body
