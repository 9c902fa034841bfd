# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters for databases: how a service reaches one, and which addresses it is fenced in by."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.voip.preprovision.plugins.filter.databases import database_ca, database_plan, database_server_plan

SECRET = "s" * 40


@pytest.mark.parametrize(
    ("url", "fence"),
    [
        ("sqlite:////var/lib/x.sqlite", []),
        ("postgresql:///preprovision?host=/run/postgresql", []),
        ("postgresql://me@192.0.2.21/preprovision", ["192.0.2.21"]),
        ("postgresql://me@192.0.2.21,[2001:db8::22]:5433,localhost/preprovision", ["192.0.2.21", "2001:db8::22", "localhost"]),
        ("postgresql:///preprovision?host=192.0.2.21,192.0.2.22", ["192.0.2.21", "192.0.2.22"]),
        # Which addresses a name has, only its lookup says
        ("postgresql://me@192.0.2.21,db2.example.net/preprovision", []),
    ],
)
def test_fence(url, fence):
    assert database_plan(url)["fence"] == fence


def test_a_root_is_added_to_the_url():
    plan = database_plan("postgresql://me@192.0.2.21/preprovision", "/etc/ca.pem")
    assert plan["url"] == "postgresql://me@192.0.2.21/preprovision?sslmode=verify-full&sslrootcert=/etc/ca.pem"


@pytest.mark.parametrize(
    ("url", "root", "sentence"),
    [
        (
            "postgresql://me:secret@192.0.2.21,,192.0.2.22/preprovision",
            "",
            "profile_service_database: it has an empty host; there is a comma too many",
        ),
        (
            "postgresql:///preprovision",
            "/etc/ca.pem",
            "profile_service_database_ca: profile_service_database names no server, so nothing is encrypted",
        ),
    ],
)
def test_mistakes(url, root, sentence):
    with pytest.raises(AnsibleFilterError) as refused:
        database_plan(url, root)
    assert str(refused.value) == sentence


def test_services_get_the_ca_of_the_servers():
    plan = database_server_plan(
        {"db1": "192.0.2.21"}, "db1", ["192.0.2.31"], "preprovision", "me", "a long enough password", SECRET
    )
    assert plan["credentials"]["ca"] == database_ca(SECRET)


def test_a_weak_secret_is_not_shown():
    with pytest.raises(AnsibleFilterError) as refused:
        database_ca("short one")
    assert str(refused.value) == "database_server_secret has 9 characters; use at least 32 random ones"
