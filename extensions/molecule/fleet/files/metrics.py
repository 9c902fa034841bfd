# SPDX-License-Identifier: GPL-3.0-or-later
"""Parse a server's figures with Prometheus' own parser: metrics.py NAME... <FIGURES. The server is drained."""

import sys

from prometheus_client.parser import text_string_to_metric_families

families = {found.name: found for found in text_string_to_metric_families(sys.stdin.read())}
lacking = set(sys.argv[1:]) - set(families)
if lacking:
    sys.exit(f"there is no {', '.join(sorted(lacking))}")
for name, found in families.items():
    if found.type != "gauge" or not found.documentation or not found.samples:
        sys.exit(f"{name} is not described")
values = {name: {tuple(one.labels.values()): one.value for one in found.samples} for name, found in families.items()}
for name, number, least in (
    ("preprovision_state", values["preprovision_state"][("draining",)], 1),
    ("preprovision_database_primary_up", values["preprovision_database_primary_up"][()], 1),
    ("preprovision_phones", sum(values["preprovision_phones"].values()), 3),
):
    if number < least:
        sys.exit(f"{name} is {values[name]}")
for name, found in sorted(values.items()):
    print(name, found)
