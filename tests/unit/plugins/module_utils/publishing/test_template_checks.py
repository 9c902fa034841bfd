# SPDX-License-Identifier: GPL-3.0-or-later
"""What a phone would make of a user's own template is found before it is published."""

from __future__ import annotations

import dataclasses

import pytest
from sample_publication import MASTER, REQUIRED, SETTINGS

from ansible_collections.voip.preprovision.plugins.module_utils.families.catalogue import BUILTIN
from ansible_collections.voip.preprovision.plugins.module_utils.phones.reader import PhoneReader
from ansible_collections.voip.preprovision.plugins.module_utils.profiles import formats
from ansible_collections.voip.preprovision.plugins.module_utils.publishing.checks import Findings
from ansible_collections.voip.preprovision.plugins.module_utils.publishing.publisher import Publisher
from ansible_collections.voip.preprovision.plugins.module_utils.publishing.templates import ProfileTemplate

UNRENDERED = "that nothing has rendered; phones take it as text"


def findings(text: str, model: str = "SPA504G", settings=SETTINGS, **variables) -> Findings:
    required = REQUIRED.get(model, {"phone_mac": "00005e005305", "phone_model": model})
    phone = PhoneReader(BUILTIN, MASTER).read("desk", {**required, "phone_profile_template": "own.j2", **variables})
    found = Publisher(settings, {"own.j2": ProfileTemplate("own.j2", text)}).examine(phone)
    start = "phone_profile_template: "
    assert all(sentence.startswith(start) for sentences in found for sentence in sentences)
    return Findings(*([sentence.removeprefix(start) for sentence in sentences] for sentences in found))


def flat(*lines: str) -> str:
    return "\n".join(["<flat-profile>", *lines, "</flat-profile>"])


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (
            ["<Profile_Rule>[--key s3cret http://prov.example.com/$MA.cfg</Profile_Rule>"],
            "own.j2 line 2: Profile_Rule: column 1: the bracket, or a quotation mark in it, is not closed",
        ),
        (
            ["<Time_Zone>GMT</Time_Zone>", "", "<Upgrade_Rule>/spa.bin</Upgrade_Rule>"],
            "own.j2 line 4: Upgrade_Rule: column 1: an Upgrade_Rule must name a server, such as http://SERVER/FILE; it takes none"
            " from DHCP",
        ),
        (
            ["<Resync_Trigger_1>($PRVTMR gt 3)</Resync_Trigger_1>"],
            "own.j2 line 2: Resync_Trigger_1: column 1: a trigger is a condition without parentheses and ?, such as $PRVTMR ge 600",
        ),
        (
            [
                "{% for letter in 'BC' %}<Profile_Rule_{{ letter }}>ftp://x/y</Profile_Rule_{{ letter }}>{% if 0 %}",
                "{% endif %}{% endfor %}",
            ],
            "own.j2 line 2: Profile_Rule_B: column 1: unknown scheme 'ftp'; expected one of tftp, http, https",
        ),
        # A macro of the profile itself
        (
            ["<GPP_A>a b</GPP_A>", "<Profile_Rule>http://prov.example.com/$A</Profile_Rule>"],
            "own.j2 line 3: Profile_Rule: column 27 of the expanded rule: only a | with another alternative may follow a URL; a URL"
            " contains no blanks",
        ),
        (
            ["<Display_Name_1_>a&#x85;b</Display_Name_1_>"],
            "own.j2 line 2: Display_Name_1_ holds the character U+0085 at position 2, which no profile can carry to a phone",
        ),
    ],
)
def test_rejects_what_a_phone_would_skip_or_misread(lines, problem):
    found = findings(flat(*lines))
    assert found.problems[0] == problem
    assert found.ignored == []


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (
            ["<User_ID_1>1001</User_ID_1>"],
            "own.j2 line 2: the family spa does not know User_ID_1 and would ignore it; did you mean 'User_ID_1_'?",
        ),
        (
            ["{% for n in [1, 2] %}", "<User_ID_{{ n }}_>1</User_ID_{{ n }}_>", "<Prxy_{{ n }}_>1</Prxy_{{ n }}_>", "{% endfor %}"],
            "own.j2 line 4: the family spa does not know Prxy_1_ and would ignore it; did you mean 'Proxy_1_'?",
        ),
        (
            ["<User_ID_1_>{$account.1.user_id}</User_ID_1_>"],
            f"own.j2 line 2: User_ID_1_ holds an expression of Smarty, '{{$', {UNRENDERED}",
        ),
        (
            ["<User_ID_1_>{% raw %}{{ line.user_id }}{% endraw %}</User_ID_1_>"],
            f"own.j2 line 2: User_ID_1_ holds an expression of Jinja2, '{{{{', {UNRENDERED}",
        ),
        (
            ["<Proxy_1_>a</Proxy_1_>", "<Proxy_1_>b</Proxy_1_>"],
            "own.j2 lines 2, 3: Proxy_1_ is set 2 times, and only one of them counts",
        ),
        (
            ["{% for line in [1, 2] %}<Proxy_1_>{{ line }}</Proxy_1_>{% endfor %}"],
            "own.j2 line 2: Proxy_1_ is set 2 times, and only one of them counts",
        ),
        (
            ["<Proxy_1_>a</Proxy_1_>", "{if isset($x)}", "<Proxy_2_>a</Proxy_2_>"],
            "own.j2 line 3: the text '{if isset($x)}' stands outside all elements, and the phone skips it",
        ),
        (
            ["<Proxy_1_>a</Proxy_1_>{{ 's3cret' ~ 1 }}"],
            "own.j2: the text stands outside all elements, and the phone skips it",
        ),
        (
            ["<?php foreach ($lines as $line) ?>", "<Proxy_1_>a</Proxy_1_>"],
            "own.j2 line 2: the phone skips '<?php', a processing instruction",
        ),
        (
            ['<Proxy_1_ ua="none">a</Proxy_1_>'],
            "own.j2 line 2: Proxy_1_ has an unknown ua 'none'; expected one of na, ro, rw",
        ),
        # The template computes the element
        (
            ["", "{{ ('<Xy' ~ 'zzy>1</Xyzzy>') | safe }}"],
            "own.j2, line 3 of its output: the family spa does not know Xyzzy and would ignore it",
        ),
    ],
)
def test_reports_what_a_phone_would_ignore(lines, sentence):
    found = findings(flat(*lines))
    assert found.problems == []
    assert found.ignored[0] == sentence
    assert not any("s3cret" in each for each in found.ignored)


def test_accepts_what_phones_read():
    text = """<?xml version="1.0" encoding="UTF-8"?>
<flat-profile>
<!-- {if} <?php <Proxy_1_>twice</Proxy_1_> -->
<Profile_Rule>{{ parameters.Profile_Rule }}</Profile_Rule>
<Profile_Rule_B group="Provisioning/Configuration_Profile"> http://$A/x.cfg
</Profile_Rule_B>
<GPP_A>prov.example.com</GPP_A>
<Proxy_1_ ua="na">a</Proxy_1_>
<Dial_Plan_1_>
\t(xx|
\tyy)
</Dial_Plan_1_>
<router-configuration>
<DHCP_Server_Pool><Rule><Local_IP>192.0.2.1</Local_IP></Rule><Rule><Local_IP>192.0.2.129</Local_IP></Rule></DHCP_Server_Pool>
</router-configuration>
{% for line in lines %}
<User_ID_{{ loop.index }}_>{{ line.user_id }}</User_ID_{{ loop.index }}_>
<Password_{{ loop.index }}_>{{ line.password }}</Password_{{ loop.index }}_>
{% endfor %}
</flat-profile>
"""
    lines = [{"user_id": "1001", "password": "{{s3cret<?php"}]
    assert findings(text, phone_lines=lines) == Findings([], [])


def test_does_not_repeat_what_is_reported_of_the_variables():
    text = flat("{% for path, value in parameters.items() %}<{{ path }}>{{ value }}</{{ path }}>{% endfor %}")
    required = {**REQUIRED["SPA504G"], "phone_profile_template": "own.j2"}
    phone = PhoneReader(BUILTIN, MASTER).read("desk", {**required, "phone_parameters": {"Xyzzy": "1", "Prxy_1_": "{$x}"}})
    found = Publisher(SETTINGS, {"own.j2": ProfileTemplate("own.j2", text)}).examine(phone)
    assert found == Findings([], [*phone.ignored])
    assert len(found.ignored) == 3


@pytest.mark.parametrize(
    ("model", "text", "expected"),
    [
        (
            "T46U",
            "#!version:1.0.0.1\n{% for n in [1, 2] %}account.{{ n }}.label = {$label}\n{% endfor %}a = 1\na = 2\n",
            [
                f"own.j2 line 2: account.1.label holds an expression of Smarty, '{{$', {UNRENDERED}",
                f"own.j2 line 2: account.2.label holds an expression of Smarty, '{{$', {UNRENDERED}",
                "own.j2 lines 3, 4: a is set 2 times, and only one of them counts",
            ],
        ),
        (
            "HT802",
            "<gs_provision>\n<config>\n<P1>${x}</P1>x\n<P3>1</P3>\n<P3>2</P3></config></gs_provision>",
            [
                f"own.j2 line 3: P1 holds an expression of the shell, '${{', {UNRENDERED}",
                "own.j2 lines 4, 5: P3 is set 2 times, and only one of them counts",
                "own.j2 line 3: the text 'x' stands outside all elements, and the phone skips it",
            ],
        ),
        (
            "VVX250",
            '<PHONE_CONFIG><ALL\n a="<%= 1 %>"/>\nx</PHONE_CONFIG>'.replace("<%", "&lt;%"),
            [
                f"own.j2 line 2: a holds an expression of ERB, '<%', {UNRENDERED}",
                "own.j2 line 3: the text 'x' stands outside all elements, and the phone skips it",
            ],
        ),
        (
            "D345",
            '<settings>\n<phone-settings>\n<user_name idx="01">1</user_name></phone-settings></settings>',
            ["own.j2 line 3: user_name.01 cannot name a parameter of snom"],
        ),
    ],
)
def test_other_formats_are_checked_as_far_as_they_are_known(model, text, expected):
    assert findings(text, model) == Findings([], expected)


@pytest.mark.parametrize(
    ("sealing", "settings", "count"),
    [
        ("none", {}, 1),
        ("none", {"plaintext_secrets": True}, 0),
        ("none", {"kinds": ("bootstrap",)}, 0),
        ("openssl", {}, 0),
    ],
)
def test_rejects_a_secret_of_the_template_in_plaintext(sealing, settings, count):
    text = flat("<Admin_Passwd>s3cret</Admin_Passwd>")
    found = findings(text, settings=dataclasses.replace(SETTINGS, **settings), phone_sealing=sealing)
    problem = "Admin_Passwd would be in a file that anybody can read; seal it, or set plaintext_secrets if the bench is closed"
    assert found.problems == [f"own.j2 line 2: {problem}"] * count


def test_names_the_language_of_a_template_that_is_not_jinja2():
    found = findings(flat("{foreach $keys as $row}", "<Extension_{$row.id}_>1</Extension_{$row.id}_>", "{/foreach}"))
    assert found.problems == [
        "own.j2: its output is not a profile: the profile is not well-formed XML: not well-formed (invalid token): line 3, column"
        " 11; the line holds an expression of Smarty, '{$', that nothing has rendered"
    ]


def test_a_profile_is_parsed_once_when_it_is_checked_and_not_when_it_is_made(monkeypatch):
    kind = formats.FORMATS["flat-profile"]
    parsed = []

    def read_document(document: bytes):
        parsed.append(document)
        return kind.read_document(document)

    monkeypatch.setitem(formats.FORMATS, "flat-profile", kind._replace(read_document=read_document))
    text = flat("<Profile_Rule>{{ parameters.Profile_Rule }}</Profile_Rule>", "<Xyzzy>1</Xyzzy>")
    variables = {**REQUIRED["SPA504G"], "phone_profile_template": "own.j2"}
    phone = PhoneReader(BUILTIN, MASTER, "the master key of before").read("desk", variables)
    publisher = Publisher(SETTINGS, {"own.j2": ProfileTemplate("own.j2", text)})
    assert publisher.check(phone) == []
    assert len(parsed) == 1
    assert len(publisher.files(phone)) == 3
    assert len(parsed) == 1
