# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of a template that write a parameter."""

from __future__ import annotations

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.profiles.formats import FORMATS
from ansible_collections.voip.preprovision.plugins.module_utils.publishing.written_names import WrittenNames

FLAT = """<flat-profile>
{# <User_ID_1>
   <User_ID_1> #}
<!-- <Proxy_1_>
-->
<User_ID_1>{{ lines[0].user_id }}</User_ID_1>
<Proxy_1_ ua="na">{{ parameters['Proxy_1_'] }}</Proxy_1_><Proxy_2_/>
{% for line in lines %}
<Password_{{ loop.index }}_>{{ line.password }}</Password_{{ loop.index }}_>
<{{ line.key }}_{{ loop.index }}_>1</{{ line.key }}_{{ loop.index }}_>
{% endfor %}
<S><Proxy_1_>1</Proxy_1_></S>
</flat-profile>
"""


@pytest.mark.parametrize(
    ("path", "lines"),
    [
        ("User_ID_1", [6]),
        ("Proxy_1_", [7, 12]),
        ("S/Proxy_1_", [7, 12]),
        ("Proxy_2_", [7]),
        ("Password_3_", [9]),
        ("Other_3_", [10]),
        ("Other", []),
        ("User.ID.1", []),
    ],
)
def test_lines_of_a_flat_profile(path, lines):
    assert WrittenNames(FLAT, FORMATS["flat-profile"]).lines_of(path) == lines


@pytest.mark.parametrize(
    ("kind", "text", "path", "lines"),
    [
        ("grandstream", '<config>\n<P1>1</P1>\n<item name="account.1">1</item></config>', "account.1", [3]),
        ("grandstream", "<config>\n<P1>1</P1></config>", "P1", [2]),
        ("yealink", "#!version:1.0.0.1\n#a = 1\nb = a\na = 1\n", "a", [4]),
        ("yealink", "#!version:1.0.0.1\naccount.{{ n }}.label = 1\n", "account.2.label", [2]),
        ("poly", '<PHONE_CONFIG>\n<ALL reg.1.address="1"\n reg.2.address="2"/></PHONE_CONFIG>', "reg.2.address", [3]),
        ("snom", '<phone-settings>\n<user_name idx="1">1</user_name>', "user_name.1", [2]),
    ],
)
def test_lines_of_other_formats(kind, text, path, lines):
    assert WrittenNames(text, FORMATS[kind]).lines_of(path) == lines
