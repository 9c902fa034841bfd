# SPDX-License-Identifier: GPL-3.0-or-later
"""The API under schemathesis: no internal errors, and responses as described, for anything allowed or forbidden.

Each run has fresh seeds; a failure says how to repeat it.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import warnings

import pytest
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from preprovision_service.http import api, auth
from preprovision_service.store.tables import Operator, Phone
from schemathesis.specs.openapi.checks import positive_data_acceptance

# Sends some twenty requests of each kind to each operation, for a third of the time of all other tests of the service
pytestmark = pytest.mark.slow

PASSWORD = "correct horse battery"
DESCRIPTION = json.loads(api.DESCRIPTION.read_text())
BASIC = {"Authorization": "Basic " + base64.b64encode(f"ann:{PASSWORD}".encode()).decode()}


# Path and method -> whether it takes anything
OPERATIONS = {
    (path, method): "requestBody" in methods[method] or "parameters" in methods[method] or "parameters" in methods
    for path, methods in DESCRIPTION["paths"].items()
    for method in methods.keys() & {"get", "post"}
}
ALLOWED = [(place, schemathesis.GenerationMode.POSITIVE) for place in OPERATIONS]
# What takes nothing can be asked for nothing wrong
FORBIDDEN = [(place, schemathesis.GenerationMode.NEGATIVE) for place, takes in OPERATIONS.items() if takes]
# A code that is not a label is rejected although it is text
UNJUDGED = [positive_data_acceptance]


@pytest.fixture
def described(make_app, monkeypatch):
    """The description of an application with an operator, whose password is quick to check, and phones."""
    app = make_app()
    monkeypatch.setattr(auth, "check_password_hash", lambda _stored, given: given == PASSWORD)
    # It tries wrong ones on purpose
    monkeypatch.setattr(auth, "PER_NAME", 10**6)
    monkeypatch.setattr(auth, "PER_ADDRESS", 10**6)
    with app.extensions["sessions"].begin() as session:
        session.add(Operator(name="ann", password="x"))
        for number in range(1, 4):
            plain = f"00005e00530{number}"
            session.add(
                Phone(mac=plain, name=plain, serial=f"FCH0000D00{number}", model="ATA192", family="ata19x", state="resynced")
            )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return schemathesis.openapi.from_wsgi("/api/openapi.json", app)


@pytest.mark.parametrize(("place", "mode"), [*ALLOWED, *FORBIDDEN], ids=str)
def test_responses_match_the_description(described, place, mode):
    path, method = place
    operation = described[path][method.upper()]

    number = int(os.environ.get("PREPROVISION_SEED", secrets.randbelow(2**32)))

    @seed(number)
    @settings(max_examples=20, suppress_health_check=list(HealthCheck), database=None)
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case):
        case.call_and_validate(headers=BASIC, excluded_checks=UNJUDGED)

    try:
        ask()
    except BaseException as error:
        error.add_note(f"To repeat it: PREPROVISION_SEED={number} make unit ARGS='{__file__}'")
        raise
