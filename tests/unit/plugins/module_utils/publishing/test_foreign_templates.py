# SPDX-License-Identifier: GPL-3.0-or-later
"""Templates in the shape of other systems': what is reported of them as they are, and the guide's translations."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sample_publication import MASTER, REQUIRED, SETTINGS

from ansible_collections.voip.preprovision.plugins.module_utils.families.catalogue import BUILTIN
from ansible_collections.voip.preprovision.plugins.module_utils.phones.phone import Phone
from ansible_collections.voip.preprovision.plugins.module_utils.phones.reader import PhoneReader
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.flat_profile import Parameters, values
from ansible_collections.voip.preprovision.plugins.module_utils.publishing.checks import Findings
from ansible_collections.voip.preprovision.plugins.module_utils.publishing.publisher import Publisher
from ansible_collections.voip.preprovision.plugins.module_utils.publishing.templates import ProfileTemplate

FOREIGN = Path(__file__).with_name("foreign_templates")
GUIDE = (Path(__file__).parents[5] / "docs/guides/templates.md").read_text()
ONLY_RULE, SPA504G, WAZO = re.findall(r"^```jinja\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
HEAD = '<?xml version="1.0" standalone="yes"?>\n'
LINES = [
    {"user_id": "1001", "password": "s3cret-1001", "display_name": "Reception"},
    {"user_id": "1002", "password": "s3cret-1002", "proxy": "sip2.example.com"},
]


def phone_of(model: str) -> Phone:
    parameters = {"Proxy_1_": "sip.example.com", "Primary_NTP_Server": "192.0.2.1", "Time_Zone": "GMT+01:00"}
    variables = {"phone_lines": LINES, "phone_parameters": parameters, "phone_web": {"admin_password": "S3cret-admin"}}
    return PhoneReader(BUILTIN, MASTER).read("desk", {**REQUIRED[model], **variables, "phone_profile_template": "own.j2"})


def publisher_of(text: str) -> Publisher:
    return Publisher(SETTINGS, {"own.j2": ProfileTemplate("own.j2", text)})


def examine(text: str, model: str = "SPA504G") -> Findings:
    return Findings(
        *(
            [each.removeprefix("phone_profile_template: ") for each in found]
            for found in publisher_of(text).examine(phone_of(model))
        )
    )


def profile(text: str, model: str = "SPA504G") -> dict[str, str]:
    made: list[Parameters] = [made for kind, made in publisher_of(text).profiles(phone_of(model)) if kind == "service"]
    return values(made[0])


def test_fusionpbx_as_it_is():
    found = examine((FOREIGN / "fusionpbx_spa504g.xml").read_text())
    assert found.problems == [
        "own.j2: its output is not a profile: the profile is not well-formed XML: not well-formed (invalid token): line 20, column"
        " 11; the line holds an expression of Smarty, '{$', that nothing has rendered"
    ]


def test_fusionpbx_with_lines_written_out():
    found = examine((FOREIGN / "fusionpbx_8851.xml").read_text(), "CP-8851-3PCC")
    assert found.problems == [
        "own.j2 lines 8, 10: Profile_Rule: column 8: invalid server; write a name, an IPv4 address or [IPv6 address], followed by"
        " :PORT if needed"
    ]
    end = "an expression of Smarty, '{$', that nothing has rendered; phones take it as text"
    assert found.ignored == [
        "own.j2 line 13: the family mpp does not know Log_Resync_Request_Msg and would ignore it; did you mean 'Log_Request_Msg'?",
        "own.j2 line 15: the family mpp does not know User_ID_1 and would ignore it; did you mean 'User_ID_1_'?",
        f"own.j2 line 4: Admin_Password holds {end}",
        "own.j2 line 6: STUN_Enable holds an expression of Smarty, '{if', that nothing has rendered; phones take it as text",
        f"own.j2 lines 8, 10: Profile_Rule holds {end}",
        f"own.j2 line 14: Station_Name holds {end}",
        f"own.j2 line 15: User_ID_1 holds {end}",
        f"own.j2 line 16: Password_1_ holds {end}",
        "own.j2 lines 8, 10: Profile_Rule is set 2 times, and only one of them counts",
        "own.j2 line 7: the text '{if isset ($http_auth_username)}' stands outside all elements, and the phone skips it",
        "own.j2 line 9: the text '{else}' stands outside all elements, and the phone skips it",
        "own.j2 line 11: the text '{/if}' stands outside all elements, and the phone skips it",
    ]


def test_wazo_as_it_is():
    found = examine((FOREIGN / "wazo_cisco_spa.tpl").read_text())
    assert found == Findings(["own.j2: 'ntp_enabled' is undefined"], [])


def test_the_guide_keeps_the_rule():
    assert examine(ONLY_RULE) == Findings([], [])
    assert profile(ONLY_RULE).keys() == {"Profile_Rule"}


def test_the_guide_translates_fusionpbx():
    assert examine(SPA504G) == Findings([], [])
    made = profile(SPA504G)
    assert (made["User_ID_1_"], made["Proxy_1_"], made["Proxy_2_"]) == ("1001", "sip.example.com", "sip2.example.com")
    assert (made["Short_Name_1_"], made["Short_Name_2_"], made["STUN_Enable"]) == ("Reception", "1002", "No")
    assert made["Admin_Passwd"] == "S3cret-admin"


@pytest.mark.parametrize("head", ["", HEAD])
def test_the_guide_makes_the_variables_of_wazo(head):
    base = (FOREIGN / "wazo_cisco_spa.tpl").read_text().removeprefix(HEAD)
    text = head + WAZO + base
    assert examine(text) == Findings([], [])
    made = profile(text)
    assert (made["User_ID_1_"], made["Auth_ID_2_"], made["Proxy_2_"]) == ("1001", "1002", "sip2.example.com")
    assert (made["Station_Name"], made["router-configuration/Time_Setup/Time_Server"]) == ("Reception", "192.0.2.1")


def test_the_guide_quotes_messages_of_the_code():
    found = examine((FOREIGN / "fusionpbx_8851.xml").read_text(), "CP-8851-3PCC")
    assert "the family mpp does not know Log_Resync_Request_Msg" in GUIDE
    assert any(message in GUIDE for message in (each.partition(": ")[2] for each in found.ignored))
