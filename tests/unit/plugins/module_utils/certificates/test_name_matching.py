# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of certificates and the servers that they match."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.certificates.name_matching import covers, names_server

labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
host_names = st.lists(labels, min_size=2, max_size=4).map(".".join)


@given(host_names, st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_ignores_information_after_a_slash(name, information):
    assert names_server(name, name)
    assert names_server(name.upper(), f"{name}.")
    assert names_server(f"{name}/{information}", name)


@given(host_names, host_names)
def test_other_names_do_not_match(name, other):
    assert names_server(name, other) == (name == other)
    assert names_server(f"{name}/{other}", other) == (name == other)
    assert not names_server(f"{other}.{name}/", name)


@given(st.text(), host_names)
def test_only_names_match(common_name, name):
    if names_server(common_name, name):
        assert common_name.isprintable()
        assert common_name.lower().split("/")[0] == name


@given(labels, host_names)
def test_a_wildcard_stands_for_one_label(label, domain):
    assert covers(f"*.{domain}", f"{label}.{domain}")
    assert covers(f"*.{domain}", f"{label}.{domain}".upper())
    assert not covers(f"*.{domain}", domain)
    assert not covers(f"*.{domain}", f"a.{label}.{domain}")
    assert not covers(f"{label}.{domain}", f"x{label}.{domain}")
    assert not names_server(f"*.{domain}", f"{label}.{domain}")


def test_a_wildcard_cannot_be_a_top_level_domain():
    assert not covers("*.net", "example.net")
    assert not covers("*", "net")
