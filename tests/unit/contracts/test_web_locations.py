# SPDX-License-Identifier: GPL-3.0-or-later
"""Each location of the web server says whether its requests are about a phone: it sets $preprovision_file, or it does not."""

from __future__ import annotations

import re
from pathlib import Path

ROLES = Path(__file__).parents[3] / "roles"
MAC = '~* "([0-9a-f]{2}[-:.]?){5}[0-9a-f]{2}"'

# Whether requests of a location are for files that phones fetch; a new location needs a line here
LOCATIONS = {
    "@unverified": True,
    "= /bench-ca.pem": False,
    "^~ /firmware/": True,
    "^~ /device/": True,
    "/": True,
    MAC: True,
    # Reached from another location only, whose variable stays
    "= /.missing": False,
    "= /.nothing": False,
    "@nothing": False,
    "= /.refused": False,
    "^~ /.password/": False,
    # The profile service's
    "^~ {{ folder }}": True,
    "= {{ profile_service_customization_path }}": False,
    "= /health": False,
    "= /.health": False,
    "~ ^/(board|api)(/|$)": False,
    "= /metrics": False,
    '~ "^/\\.well-known/acme-challenge/([A-Za-z0-9_-]{1,128})$"': False,
    "@preprovision_published": False,
    "@preprovision_busy": False,
    "@preprovision_well": False,
    "@preprovision_unwell": False,
    "@drained": False,
}


def test_every_location_says_whether_it_is_about_phones():
    found = {}
    for path in sorted(ROLES.rglob("templates/etc/nginx/**/*.j2")):
        parts = re.split(r"^\s*location (.+) \{$", path.read_text(), flags=re.MULTILINE)
        found |= {name: "set $preprovision_file $uri;" in body for name, body in zip(parts[1::2], parts[2::2], strict=True)}
    assert found == LOCATIONS


def test_the_log_has_what_the_collector_reads():
    text = (ROLES / "web_server/templates/etc/nginx/conf.d/preprovision.conf.j2").read_text()
    assert '"file":"$preprovision_file","upstream":"$preprovision_upstream"}' in text
    # A default would be set again in an internal redirect, and so hide where the request had been
    assert "uninitialized_variable_warn off;" in text
    assert not re.search(r"set \$preprovision_file (?!\$uri;)", text)


def test_no_redirect_follows_the_host_header():
    web = (ROLES / "web_server/templates/etc/nginx/conf.d/preprovision.conf.j2").read_text()
    service = "".join(path.read_text() for path in (ROLES / "profile_service/templates/etc/nginx").rglob("*.j2"))
    assert "absolute_redirect off;" in web
    assert "proxy_set_header Host $preprovision_host;" in service
    assert re.findall(r"\$(?:http_)?host\b", web + service) == ["$host", "$host"], "but to compare it with the station's name"
