# SPDX-License-Identifier: GPL-3.0-or-later
"""Customers and redirects as users write them."""

from __future__ import annotations

import re

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.phones.phone import PhoneError
from ansible_collections.voip.preprovision.plugins.plugin_utils.phone_records import read_customers, read_redirects

URL = "https://prov.example.com/$MA.cfg"


def test_a_customer_may_be_called_by_a_number():
    assert read_customers({1001: {"redirect": URL}}) == {"1001": {"provisioning_url": "", "redirect": URL}}


@pytest.mark.parametrize(
    ("customers", "message"),
    [
        ({False: {"redirect": URL}}, "customers: a name must be text, not true or false; write it in quotes, such as 'on'"),
        ({1.1: {"redirect": URL}}, "customers: a name must be text, not a decimal fraction; write it in quotes, such as '1.10'"),
        ({"x": {"url": URL}}, "customers: x: write a mapping with provisioning_url, redirect or both"),
    ],
)
def test_rejects_invalid_customers(customers, message):
    with pytest.raises(PhoneError, match=f"^{re.escape(message)}$"):
        read_customers(customers)


def test_rejects_redirects_of_what_is_no_address():
    with pytest.raises(PhoneError, match=r"^redirects: the MAC address 36915 is not text; quote it, "):
        read_redirects({36915: URL})
