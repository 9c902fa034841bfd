# SPDX-License-Identifier: GPL-3.0-or-later
"""Expressions of other template languages in values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.profiles.leftovers import has_leftover, leftover


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("{$account.1.user_id}", ("{$", "Smarty")),
        ("http://{$domain_name}/x", ("{$", "Smarty")),
        ("{if isset($stun_server)}Yes{else}No{/if}", ("{if", "Smarty")),
        ("x{/foreach}", ("{/", "Smarty")),
        ("{{ sip_lines['1']['username'] }}", ("{{", "Jinja2")),
        ("{% if x %}", ("{%", "Jinja2")),
        ("<?php echo $line; ?>", ("<?php", "PHP")),
        ("<?= $line ?>", ("<?=", "PHP")),
        ("<%= @line %>", ("<%", "ERB")),
        ("${LINE}", ("${", "the shell")),
        ("#{line}", ("#{", "the shell")),
        ("[% line.user %]", ("[%", "Template Toolkit")),
        ("%(sip_proxy)s", ("%(", "Python")),
        ("%%extension_number%%", ("%%", "3CX")),
        ("%%param::ip%%", ("%%", "3CX")),
        ("__line1Ext__", ("__", "FreePBX")),
        ("{# who answers #}", ("{#", "Jinja2")),
        ("{* who answers *}", ("{* ", "Smarty")),
        ("{line_loop}{$ext}{/line_loop}", ("{", "Python")),
        ("a{/line_loop}", ("{/", "Smarty")),
        ("{while $x}a", ("{while", "Smarty")),
        ("{ldelim}", ("{ldelim", "Smarty")),
        ("<? echo $user ?>", ("<? ", "PHP")),
        ("<#if line??>1", ("<#", "FreeMarker")),
        ("1</#list>", ("</#", "FreeMarker")),
        ("#if($line)1#end", ("#", "Velocity")),
        ("$!{user.name}", ("$!{", "Velocity")),
        ("%BWLINEPORT-1%", ("%", "BroadWorks")),
        ("sip:%SIP_PROXY%:5060", ("%", "BroadWorks")),
        ("%(port)02d", ("%(", "Python")),
        ("{user_id}", ("{", "Python")),
        # Values of phones that look a little like them
        ("$MA $(MAU:8:2) $$ $PN", ("", "")),
        ("(*xx|[3469]11|0|00|[2-9]xxxxxx|1xxx[2-9]xxxxxxS0|<:1408>[2-9]xxxxxx)", ("", "")),
        ("350@-19,440@-19;2(.1/.1/1+2);10(*/0/1+2)", ("", "")),
        ("start=3/8/7/2:0:0;end=11/1/7/2:0:0;save=1", ("", "")),
        ("fnc=sd+blf+cp;sub=100@$PROXY;nme={if you please", ("", "")),
        ("{1} <b> 100%", ("", "")),
        ("%%", ("", "")),
        ("50%% off %(", ("", "")),
        ("a__b", ("", "")),
        ("*67|#31#", ("", "")),
        # Dial plans of Grandstream
        ("{ x+ | \\+x+ | *x+ | *xx*x+ }", ("", "")),
        ("{*x+|#xx|x*}", ("", "")),
        ("{xxxx}", ("", "")),
        ("{#xx+}", ("", "")),
        ("http://x/M%C3%A4%DF%", ("", "")),
        ("5% A%", ("", "")),
        ("#1 if(", ("", "")),
        ("", ("", "")),
    ],
)
def test_finds_the_first_expression(value, expected):
    assert leftover(value) == expected
    assert has_leftover(f"a\n{value}\nb") == bool(expected[0])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("{$account.1.password}", ("{$", "Smarty")),
        ("<?= $password ?>", ("<?=", "PHP")),
        ("{{ line.password }}", ("{{", "Jinja2")),
        ("a{{b}}", ("", "")),
        ("${x}y", ("", "")),
        ("__PASSWORD__", ("__", "FreePBX")),
        ("%(password)s", ("%(", "Python")),
        ("__a__b", ("", "")),
        ("{$", ("", "")),
    ],
)
def test_all_of_a_secret_must_be_an_expression(value, expected):
    assert leftover(value, secret=True) == expected


@given(st.text(), st.booleans())
def test_only_values_with_a_leftover_have_one(value, secret):
    opening, language = leftover(value, secret)
    assert bool(opening) == bool(language)
    assert opening in value
    assert has_leftover(value) or not opening
