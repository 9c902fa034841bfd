# SPDX-License-Identifier: GPL-3.0-or-later
"""An emulated phone asks the service for its customer, follows its live profile, and reports."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from preprovision_service.store.tables import Report
from sqlalchemy import select

from ansible_collections.voip.preprovision.plugins.module_utils.common.mac import Mac
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.device.ports import Lease, WireRequest, WireResponse
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.phone import EmulatedPhone
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.wire.system_clock import SystemClock
from ansible_collections.voip.preprovision.plugins.module_utils.families.catalogue import BUILTIN
from ansible_collections.voip.preprovision.plugins.module_utils.phones.phone import Phone

MAC, KEY = "00005e005301", "a-key-of-the-desk-phone"
PHONES: dict[str, dict[str, Any]] = {
    "desk": {"phone_mac": MAC, "phone_model": "ATA192", "phone_customer": "example", "phone_profile_key": KEY},
}
LIVE = f"[--key {KEY}] http://prov.example.net/live/$MA.cfg"


class InProcess:
    """The service, as nginx passes requests of a phone with its own certificate."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def lease(self, _vendor_class: str) -> Lease:
        return Lease("192.0.2.20", {})

    def addresses(self, _name: str) -> Sequence[str]:
        return ("192.0.2.1",)

    def log(self, _server: str, _text: str) -> bool:
        return True

    def fetch(self, request: WireRequest) -> WireResponse:
        subject = f"O=Cisco,CN=ATA192\\, MAC: {MAC},OU=ATA192"
        headers = {"X-Preprovision-Verify": "SUCCESS", "X-Preprovision-Subject": subject, **request.headers}
        response = self.client.open(request.target.path, method=request.method, headers=headers, data=request.body or None)
        return WireResponse(response.status_code, response.data, {name.lower(): value for name, value in response.headers})


@pytest.mark.parametrize(
    ("url", "state", "code"),
    [
        ("http://prov.example.net/live/$MA.cfg", "Custom Pending", "no_option"),
        (LIVE, "Acquired", ""),
        ("", "Unavailable", "no_option"),
    ],
)
def test_remote_customization(
    sync_phones: Callable[..., None], app: Flask, client: FlaskClient, url: str, state: str, code: str
) -> None:
    sync_phones(app, PHONES, customers={"example": {"redirect": "", "provisioning_url": url}})
    unit = EmulatedPhone(
        Phone("desk", Mac(MAC), BUILTIN.find_model("ATA192")), customization="http://prov.example.net/customization"
    )
    unit.power_up(InProcess(client), SystemClock())
    report = unit.report()
    assert (report["customization"], report["failure"]["code"]) == (state, code)


def test_reports(sync_phones: Callable[..., None], app: Flask, client: FlaskClient) -> None:
    sync_phones(app, PHONES, customers={"example": {"redirect": "", "provisioning_url": LIVE}})
    unit = EmulatedPhone(
        Phone("desk", Mac(MAC), BUILTIN.find_model("ATA192")), customization="http://prov.example.net/customization"
    )
    network = InProcess(client)
    unit.power_up(network, SystemClock())
    unit.set_up_by_hand({"Report_Rule": f"[--key {KEY}] http://prov.example.net/report/$MA.xml"})
    assert unit.send_report(network)
    with app.extensions["sessions"]() as session:
        body = session.scalars(select(Report)).one().body
    assert b"<Report_Rule>[--key ****] http://prov.example.net/report/$MA.xml</Report_Rule>" in body
