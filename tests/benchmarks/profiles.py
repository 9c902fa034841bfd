# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure a profile's cost, for inventory hosts and for rows, compared with the usual loop and with the limit.

    .venv/bin/python tests/benchmarks/profiles.py [limit] [loop] [again] [--hosts 10000] [--rows 100000] [--loop 20] [--pairs 5]

loop: playbooks take turns on the local connection: an empty one, one that loops ansible.builtin.template and openssl enc over a
few phones, one that publishes inventory hosts, one that publishes rows. A phone's cost is the time above that of the empty playbook
with the same inventory, divided by the number of phones; the ratio is the loop's cost divided by it.

limit: in one process, the bare Jinja2, gzip and AES calls for the same bytes from prepared values, compared with reading,
checking and rendering the same phones from their file.

again: the cost of publishing if nothing or one phone has changed, and of going back: seconds, and with a hundredth of the phones,
the files opened for writing and the calls of syncfs and fsync, counted with strace, which must be installed.

Phones are of 3 models and 20 customers, with 6 lines each; profiles are compressed with gzip and sealed with AES.
"""

from __future__ import annotations

import argparse
import csv
import gc
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT / ".cache/collections"))

MODELS = ("SPA504G", "CP-7841-3PCC", "CP-8851-3PCC")
CUSTOMERS = 20
LINES = 6
MASTER = "a benchmark needs no secrecy"
GROUPS = {
    "all": {
        "phone_resync": {"periodic": 86400, "on_reset": True, "from_sip": True},
        "phone_nat": {"mapping": True, "keep_alive": True, "stun_server": "stun.example.net"},
    },
    "customer": {
        f"customer_{number}": {
            "phone_parameters_customer": {
                **{f"Proxy_{line}_": f"sip{number}.example.net" for line in range(1, LINES + 1)},
                "Time_Zone": "GMT+01:00",
            }
        }
        for number in range(CUSTOMERS)
    },
}
PUBLICATION = {
    "bench_url": "https://prov.example.net/device/$MA.cfg",
    "remote_url": "http://prov.example.net/service/$MA-{key_id}.cfg",
    "master_key": MASTER,
    "purge": True,
}

# The same bytes as the module's profiles, except for the order of their parameters
SERVICE = """<?xml version="1.0"?>
<flat-profile>
<Profile_Rule>[--key {{ key }}] http://prov.example.net/service/$MA-{{ mark }}.cfg</Profile_Rule>
{% for line in lines %}{% set n = loop.index %}<Auth_ID_{{ n }}_>{{ line.auth_id }}</Auth_ID_{{ n }}_>
<Dial_Plan_{{ n }}_>{{ line.dial_plan }}</Dial_Plan_{{ n }}_>
<Display_Name_{{ n }}_>{{ line.display_name }}</Display_Name_{{ n }}_>
<NAT_Keep_Alive_Enable_{{ n }}_>Yes</NAT_Keep_Alive_Enable_{{ n }}_>
<NAT_Mapping_Enable_{{ n }}_>Yes</NAT_Mapping_Enable_{{ n }}_>
<Password_{{ n }}_>{{ line.password }}</Password_{{ n }}_>
<Register_{{ n }}_>{{ line.register }}</Register_{{ n }}_>
<User_ID_{{ n }}_>{{ line.user_id }}</User_ID_{{ n }}_>
{% endfor %}{% for name, value in parameters.items() %}<{{ name }}>{{ value }}</{{ name }}>
{% endfor %}</flat-profile>
"""
PREPROVISION = """<?xml version="1.0"?>
<flat-profile>
<Profile_Rule>[--key {{ key }}] http://prov.example.net/service/$MA-{{ mark }}.cfg</Profile_Rule>
<Profile_Rule_B></Profile_Rule_B>
{% for name, value in limited.items() %}<{{ name }}>{{ value }}</{{ name }}>
{% endfor %}</flat-profile>
"""
TYPED = {"Resync_Periodic": "86400", "Resync_On_Reset": "Yes", "Resync_From_SIP": "Yes"}


def phone(number: int) -> dict[str, Any]:
    """Return a phone's variables."""
    return {
        "phone_mac": f"02{number:010x}",
        "phone_model": MODELS[number % len(MODELS)],
        "phone_serial": f"SERIAL{number:06d}",
        "phone_customer": f"customer_{number % CUSTOMERS}",
        "phone_lines": [
            {
                "user_id": f"{number}{line}",
                "auth_id": f"auth{number}{line}",
                "password": f"password <{number}> {line}",
                "display_name": f"Room {number} & {line}",
                "dial_plan": "(xx.|*xx)",
                "register": "Yes",
            }
            for line in range(LINES)
        ],
    }


def item(number: int) -> dict[str, Any]:
    """Return a phone's values for the templates of the loop and of the limit, ready to use."""
    from ansible_collections.voip.preprovision.plugins.module_utils.common.mac import parse_mac
    from ansible_collections.voip.preprovision.plugins.module_utils.profiles.keys import derive_key, key_id

    variables = phone(number)
    key = derive_key(MASTER, parse_mac(variables["phone_mac"]))
    parameters = GROUPS["customer"][variables["phone_customer"]]["phone_parameters_customer"]
    return {
        "mac": variables["phone_mac"],
        "key": key,
        "mark": key_id(key),
        "lines": variables["phone_lines"],
        "parameters": {**parameters, **TYPED, "STUN_Enable": "Yes", "STUN_Server": "stun.example.net"},
        "limited": TYPED,
    }


def write_rows(path: Path, count: int) -> None:
    """Write phones as CSV."""
    keys = list(phone(0)["phone_lines"][0])
    plain = [name for name in phone(0) if name != "phone_lines"]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*plain, *(f"phone_lines.{line}.{key}" for line in range(1, LINES + 1) for key in keys)])
        for number in range(count):
            variables = phone(number)
            writer.writerow(
                [*(variables[name] for name in plain), *(line[key] for line in variables["phone_lines"] for key in keys)]
            )


def write_inventory(path: Path, count: int) -> None:
    """Write an inventory: one station, and *count* phones in groups by customer."""
    phones: dict[str, Any] = {"vars": GROUPS["all"], "hosts": {f"phone-{number}": phone(number) for number in range(count)}}
    inventory: dict[str, Any] = {
        "stations": {"hosts": {"station": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}}},
        "phones": phones,
    }
    for name, variables in GROUPS["customer"].items():
        number = int(name.split("_")[1])
        inventory[name] = {"hosts": {f"phone-{n}": {} for n in range(number, count, CUSTOMERS)}, "vars": variables}
    path.write_text(json.dumps(inventory), encoding="utf-8")


class Bench:
    """Write and run playbooks and inventories in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "service.j2").write_text(SERVICE)
        (folder / "preprovision.j2").write_text(PREPROVISION)
        self.environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        self.environment["ANSIBLE_CONFIG"] = str(PROJECT / "ansible.cfg")
        self.environment["ANSIBLE_COLLECTIONS_PATH"] = str(PROJECT / ".cache/collections")

    def playbook(self, name: str, tasks: list[dict[str, Any]]) -> None:
        """Write the playbook *name*."""
        play = [{"hosts": "stations", "gather_facts": False, "tasks": tasks}]
        (self.folder / f"{name}.json").write_text(json.dumps(play))

    def run(self, name: str, inventory: str, *wrapper: str) -> tuple[float, int]:
        """Run a playbook; return seconds, and the peak memory of its largest process in MiB."""
        command = [*wrapper, str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(self.folder / inventory)]
        start = time.perf_counter()
        process = subprocess.Popen(
            [*command, str(self.folder / f"{name}.json")], cwd=PROJECT, env=self.environment, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        output = process.stdout.read()
        _pid, status, usage = os.wait4(process.pid, 0)
        if status:
            sys.exit(f"{name} failed:\n{output}")
        return time.perf_counter() - start, usage.ru_maxrss // 1024

    def clear(self) -> None:
        """Remove published files."""
        for name in ("usual", "bulk"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        (self.folder / "usual").mkdir()


def usual_tasks(folder: Path, count: int) -> list[dict[str, Any]]:
    """Return the tasks of the usual loop: templates and openssl enc for each phone."""
    items = [item(number) for number in range(count)]
    label = {"loop": items, "loop_control": {"label": "{{ item.mac }}"}}
    flat = {
        "lines": "{{ item.lines }}",
        "parameters": "{{ item.parameters }}",
        "limited": "{{ item.limited }}",
        "key": "{{ item.key }}",
    }
    sealing = ["openssl", "enc", "-e", "-aes-256-cbc", "-md", "md5", "-k", "{{ item.key }}"]
    target = f"{folder}/usual/{{{{ item.mac }}}}"
    return [
        *(
            {
                "ansible.builtin.template": {"src": str(folder / f"{kind}.j2"), "dest": f"{target}.{kind}"},
                "vars": {**flat, "mark": "{{ item.mark }}"},
                **label,
            }
            for kind in ("preprovision", "service")
        ),
        {"ansible.builtin.command": {"argv": [*sealing, "-in", f"{target}.service", "-out", f"{target}.cfg"]}, **label},
    ]


def publication(folder: Path, **source: Any) -> dict[str, Any]:
    """Return the task that publishes phones."""
    return {"voip.preprovision.profiles": {"dest": f"{folder}/bulk", "device_group": "root", **PUBLICATION, **source}}


def calibration() -> str:
    """Time a fixed amount of work, for comparing absolute figures between machines."""
    start = time.perf_counter()
    sum(range(10_000_000))
    return f"calibration: sum(range(10,000,000)) takes {time.perf_counter() - start:.2f} s here"


def compare_with_loop(bench: Bench, hosts: int, rows: int, loop: int, pairs: int) -> None:
    """Print a phone's cost in each way."""
    folder = bench.folder
    bench.playbook("empty", [])
    bench.playbook("loop", usual_tasks(folder, loop))
    write_inventory(folder / "inventory-station.json", 0)
    write_inventory(folder / "inventory-hosts.json", hosts)
    write_rows(folder / "phones.csv", rows)
    write_rows(folder / "tenth.csv", rows // 10)
    bench.playbook("hosts", [publication(folder, phones="{{ groups['phones'] }}")])
    bench.playbook("rows", [publication(folder, rows=str(folder / "phones.csv"), groups=GROUPS)])
    bench.playbook("tenth", [publication(folder, rows=str(folder / "tenth.csv"), groups=GROUPS)])
    ways: list[tuple[str, str, int]] = [
        ("hosts", "inventory-hosts.json", hosts),
        ("rows", "inventory-station.json", rows),
        ("tenth", "inventory-station.json", rows // 10),
    ]
    ratios: dict[str, list[float]] = {name: [] for name, _inventory, _count in ways}
    costs: dict[str, list[float]] = {name: [] for name in ratios}
    memory = dict.fromkeys(ratios, 0)
    print(f"{'pair':>4} {'loop ms/phone':>14} {'way':>6} {'phones':>8} {'empty s':>8} {'ms/phone':>9} {'ratio':>7} {'MiB':>5}")
    for pair in range(1, pairs + 1):
        bench.clear()
        nothing = bench.run("empty", "inventory-station.json")[0]
        per_loop = (bench.run("loop", "inventory-station.json")[0] - nothing) / loop
        for name, inventory, count in ways:
            bench.clear()
            empty = bench.run("empty", inventory)[0]
            seconds, peak = bench.run(name, inventory)
            cost = (seconds - empty) / count
            costs[name].append(cost)
            ratios[name].append(per_loop / cost)
            memory[name] = max(memory[name], peak)
            figures = f"{empty:>8.1f} {cost * 1e3:>9.3f} {ratios[name][-1]:>7.0f} {peak:>5}"
            print(f"{pair:>4} {per_loop * 1e3:>14.0f} {name:>6} {count:>8} {figures}", flush=True)
    for name, values in ratios.items():
        spread = f"{min(values):.0f} to {max(values):.0f}"
        print(f"{name}: median ratio {statistics.median(values):.0f} ({spread}), peak {memory[name]} MiB")
    growth = [whole / tenth for whole, tenth in zip(costs["rows"], costs["tenth"], strict=True)]
    print(f"one of {rows} rows costs {statistics.median(growth):.2f} times one of {rows // 10}")


class NullTransfer:
    """Drop published files."""

    def add(self, path: str, fingerprint: str, owner: str, kind: str, content: bytes) -> None:
        """Drop one file."""


def limit_calls(bench: Bench, rows: int) -> tuple[Callable[[], object], ...]:
    """Return functions: make all profiles by bare calls; read and check all rows; publish all rows without writing."""
    import jinja2

    from ansible_collections.voip.preprovision.plugins.module_utils.families.catalogue import BUILTIN
    from ansible_collections.voip.preprovision.plugins.module_utils.phones.reader import PhoneReader
    from ansible_collections.voip.preprovision.plugins.module_utils.phones.rows import PhoneRows
    from ansible_collections.voip.preprovision.plugins.module_utils.profiles.sealing.compression import compress
    from ansible_collections.voip.preprovision.plugins.module_utils.profiles.sealing.openssl_enc import seal
    from ansible_collections.voip.preprovision.plugins.module_utils.publishing.publisher import Publisher
    from ansible_collections.voip.preprovision.plugins.module_utils.publishing.settings import Settings
    from ansible_collections.voip.preprovision.plugins.module_utils.publishing.transfer import Live
    from ansible_collections.voip.preprovision.plugins.plugin_utils import validate_phones as subject
    from ansible_collections.voip.preprovision.plugins.plugin_utils.phone_source import Entry
    from ansible_collections.voip.preprovision.plugins.plugin_utils.plan_changes import plan_changes

    path = bench.folder / "limit.csv"
    write_rows(path, rows)
    items = [item(number) for number in range(rows)]
    environment = jinja2.Environment(autoescape=True)
    service, preprovision = environment.from_string(SERVICE), environment.from_string(PREPROVISION)
    # As in the module: the garbage collector need not scan existing objects again
    gc.freeze()
    shared = [value for variables in (GROUPS["all"], *GROUPS["customer"].values()) for value in variables.values()]

    class Rows:
        def __iter__(self) -> Iterator[Entry]:
            for row in PhoneRows(str(path), groups=GROUPS):
                yield Entry(row.name, row.variables, row.where, row.problem)

    def bare() -> None:
        for values in items:
            seal(compress(service.render(values).encode()), values["key"], "md5")
            compress(preprovision.render(values).encode())

    def check() -> subject.ValidatedPhones:
        validation = subject.Validation(subject.ValidatedPhones(Rows(), reader(), publisher()))
        return subject.validate_phones(Rows(), validation, lambda *_values: None)

    def publish() -> None:
        plan_changes(check(), Live("", "salt", {}), True, NullTransfer(), lambda *_values: None)

    def reader() -> PhoneReader:
        return PhoneReader(BUILTIN, MASTER, None, shared)

    def publisher() -> Publisher:
        return Publisher(Settings(bench_url=PUBLICATION["bench_url"], remote_url=PUBLICATION["remote_url"]))

    return bare, check, publish


def compare_with_limit(bench: Bench, rows: int, pairs: int) -> None:
    """Print the cost of publishing compared with the unavoidable calls."""
    calls = limit_calls(bench, rows)

    def seconds(call: Callable[[], object]) -> float:
        start = time.perf_counter()
        call()
        return time.perf_counter() - start

    print(f"{'pair':>4} {'bare us/phone':>14} {'checked us':>11} {'whole us':>9} {'ratio':>6}")
    ratios = []
    for pair in range(1, pairs + 1):
        limit, checked, everything = (seconds(call) / rows * 1e6 for call in calls)
        ratios.append(everything / limit)
        print(f"{pair:>4} {limit:>14.0f} {checked:>11.0f} {everything:>9.0f} {ratios[-1]:>6.2f}", flush=True)
    print(f"median ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


def again(bench: Bench, rows: int, traced: int) -> None:
    """Print the cost of publishing again: seconds with all rows, and system calls with some of them, under strace."""
    if not shutil.which("strace"):
        sys.exit("this part needs strace (apt-get install strace)")
    folder = bench.folder
    write_inventory(folder / "inventory-station.json", 0)
    bench.playbook("empty", [])
    bench.playbook("rows", [publication(folder, rows=str(folder / "phones.csv"), groups=GROUPS)])
    bench.playbook(
        "back", [{"voip.preprovision.profiles": {"dest": f"{folder}/bulk", "device_group": "root", "state": "previous"}}]
    )
    steps = (("first", "rows"), ("nothing changed", "rows"), ("one phone changed", "rows"), ("back to the previous", "back"))
    results: dict[str, list[str]] = {name: [] for name, _playbook in steps}
    for count, strace in ((rows, False), (traced, True)):
        bench.clear()
        write_rows(folder / "phones.csv", count)
        empty = bench.run("empty", "inventory-station.json")[0]
        for name, playbook in steps:
            if name == "one phone changed":
                text = (folder / "phones.csv").read_text(encoding="utf-8")
                (folder / "phones.csv").write_text(text.replace("Room 7 &", "Hall 7 &"), encoding="utf-8")
            if strace:
                trace = folder / "trace"
                bench.run(
                    playbook,
                    "inventory-station.json",
                    "strace",
                    "-f",
                    "-qq",
                    "-y",
                    "-e",
                    "trace=openat,fsync,fdatasync,sync,syncfs",
                    "-o",
                    str(trace),
                )
                results[name] += calls(trace.read_text(errors="replace"), f"{folder}/bulk")
            else:
                results[name].append(f"{bench.run(playbook, 'inventory-station.json')[0] - empty:.1f}")
    print(
        f"{'':<22} {'s, ' + str(rows) + ' phones':>18} {'files written':>14} {'syncfs':>7} {'fsync':>6}  (calls: {traced} phones)"
    )
    for name, (seconds, written, syncfs, fsync) in results.items():
        print(f"{name:<22} {seconds:>18} {written:>14} {syncfs:>7} {fsync:>6}")


def calls(trace: str, below: str) -> list[str]:
    """Count, in strace's output, published files opened for writing and the calls that make them durable."""
    opened = [line for line in trace.splitlines() if "openat(" in line and re.search("O_WRONLY|O_RDWR|O_CREAT", line)]
    # The lock and the manifest are the publication's own
    published = [line for line in opened if below in line and not re.search(r"\.lock|manifest", line)]
    return [str(len(published)), str(trace.count(" syncfs(")), str(len(re.findall(r" f(?:data)?sync\(", trace)))]


def main() -> int:
    """Run the requested parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=["limit", "loop", "again"])
    parser.add_argument("--hosts", type=int, default=10_000)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--loop", type=int, default=20)
    parser.add_argument("--pairs", type=int, default=5)
    options = parser.parse_args()
    print(calibration())
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(Path(name))
        if "limit" in options.parts:
            compare_with_limit(bench, options.rows // 10, options.pairs)
        if "loop" in options.parts:
            compare_with_loop(bench, options.hosts, options.rows, options.loop, options.pairs)
        if "again" in options.parts:
            again(bench, options.rows, options.rows // 100)
    return 0


if __name__ == "__main__":
    sys.exit(main())
