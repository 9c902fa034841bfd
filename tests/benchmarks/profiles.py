# SPDX-License-Identifier: GPL-3.0-or-later
"""How much cheaper is the profiles module than the usual loop of ansible.builtin.template and openssl enc?

Interleaved runs of three playbooks on this machine (local connection): one that does nothing, one that loops over a few phones, and
one that publishes all phones. What is left after the empty playbook is taken off, divided by the phones, is the cost of one phone.

    .venv/bin/python tests/benchmarks/profiles.py [--phones 1000] [--loop 20] [--pairs 5]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]

TEMPLATE = """<flat-profile>
<Profile_Rule>[--key {{ item.key }}] http://prov.example.net/{{ item.mac }}.cfg</Profile_Rule>
{% for line in item.lines %}
<User_ID_{{ loop.index }}_>{{ line.user_id | e }}</User_ID_{{ loop.index }}_>
<Password_{{ loop.index }}_>{{ line.password | e }}</Password_{{ loop.index }}_>
<Display_Name_{{ loop.index }}_>{{ line.display_name | e }}</Display_Name_{{ loop.index }}_>
{% endfor %}
{% for name, value in item.parameters.items() %}
<{{ name }}>{{ value | e }}</{{ name }}>
{% endfor %}
</flat-profile>
"""


def phone(number: int) -> dict[str, object]:
    """Variables of one phone: two lines and thirty parameters."""
    return {
        "phone_mac": f"00005e{0x530000 + number:06x}",
        "phone_model": ("ATA192", "SPA504G", "CP-8851-3PCC")[number % 3],
        "phone_lines": [
            {"user_id": f"{number}{line}", "password": f"password {number} {line}", "display_name": f"Room {number} & {line}"}
            for line in (1, 2)
        ],
        "phone_parameters": {f"Parameter_{index}": f"value {index} of {number}" for index in range(30)},
    }


def plays(folder: Path, loop: int) -> dict[str, list[dict[str, object]]]:
    """Name -> tasks of the three rivals."""
    items = [
        {
            "mac": values["phone_mac"],
            "key": f"a key of sixteen or more {values['phone_mac']}",
            "lines": values["phone_lines"],
            "parameters": values["phone_parameters"],
        }
        for values in map(phone, range(loop))
    ]
    usual: list[dict[str, object]] = [
        {
            "ansible.builtin.template": {"src": str(folder / "profile.j2"), "dest": f"{folder}/usual/{{{{ item.mac }}}}.xml"},
            "loop": items,
            "loop_control": {"label": "{{ item.mac }}"},
        },
        {
            "ansible.builtin.command": {
                "argv": [
                    *("openssl", "enc", "-e", "-aes-256-cbc", "-md", "md5", "-k", "{{ item.key }}"),
                    *("-in", f"{folder}/usual/{{{{ item.mac }}}}.xml", "-out", f"{folder}/usual/{{{{ item.mac }}}}.cfg"),
                ]
            },
            "loop": items,
            "loop_control": {"label": "{{ item.mac }}"},
        },
    ]
    bulk: list[dict[str, object]] = [
        {
            "voip.preprovision.profiles": {
                "path": f"{folder}/bulk",
                "hosts": "{{ groups['phones'] }}",
                "bench_url": "https://prov.example.net/device/$MA.cfg",
                "remote_url": "http://prov.example.net/service/$MA.cfg",
                "master_key": "a benchmark needs no secrecy",
            }
        }
    ]
    return {"empty": [], "loop": usual, "profiles": bulk}


def main() -> int:
    """Run, and print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--phones", type=int, default=1000)
    parser.add_argument("--loop", type=int, default=20)
    parser.add_argument("--pairs", type=int, default=5)
    options = parser.parse_args()

    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["ANSIBLE_CONFIG"] = str(PROJECT / "ansible.cfg")
    environment["ANSIBLE_COLLECTIONS_PATH"] = str(PROJECT / ".cache/collections")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "profile.j2").write_text(TEMPLATE)
        station = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        phones = {f"phone-{number}": phone(number) for number in range(options.phones)}
        inventory = folder / "inventory.json"
        inventory.write_text(
            json.dumps({"stations": {"hosts": {"station": station}}, "phones": {"hosts": phones}}), encoding="utf-8"
        )
        rivals = plays(folder, options.loop)
        for rival, tasks in rivals.items():
            play = [{"hosts": "stations", "gather_facts": False, "tasks": tasks}]
            (folder / f"{rival}.json").write_text(json.dumps(play))

        def run(rival: str) -> float:
            for stale in ("usual", "bulk"):
                shutil.rmtree(folder / stale, ignore_errors=True)
            (folder / "usual").mkdir()
            start = time.perf_counter()
            command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(inventory), str(folder / f"{rival}.json")]
            subprocess.run(command, cwd=PROJECT, env=environment, check=True, stdout=subprocess.DEVNULL)
            return time.perf_counter() - start

        ratios = []
        print(f"{'pair':>4} {'empty s':>9} {'loop s/phone':>13} {'profiles s/phone':>17} {'ratio':>7}")
        for pair in range(1, options.pairs + 1):
            empty, loop, bulk = run("empty"), run("loop"), run("profiles")
            per_loop = (loop - empty) / options.loop
            per_bulk = (bulk - empty) / options.phones
            ratios.append(per_loop / per_bulk)
            print(f"{pair:>4} {empty:>9.2f} {per_loop:>13.4f} {per_bulk:>17.6f} {ratios[-1]:>7.0f}", flush=True)
    print(f"median ratio {statistics.median(ratios):.0f} ({min(ratios):.0f} to {max(ratios):.0f})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
