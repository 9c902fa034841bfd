# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Let emulated phones come up on a bench."""

from __future__ import annotations

DOCUMENTATION = r"""
module: emulated_phone
short_description: Let emulated phones come up on a bench, and tell how far they get
description:
  - Plugs factory-new phones into the target's bench bridge, one or a thousand, and lets them do what such phones do.
  - The phones are those in O(phones), and O(count) more that are made up.
  - They ask DHCP with their family's vendor class, fetch the factory-default file from the server in option 66 (or 160, 159,
    150), and follow C(Profile_Rule), C(Profile_Rule_B), C(Profile_Rule_C) and C(Profile_Rule_D) by TFTP, HTTP or HTTPS. They
    check the server's certificate, show their own, decrypt with the key that their rule gives, apply the parameters and send
    syslog messages.
  - Every packet is real. One process does it all, in one network namespace. DHCP carries each phone's own MAC address; what a phone
    sends after that comes from its own IP address, but from the MAC address that all of them share.
  - At the end the phones give their leases back, and nothing of them stays on the target but what its servers have logged. So the
    module never reports a change.
  - Without O(lifetime), the random delay before a resync and the retries after a failed one are left out. Leases are not renewed.
version_added: 0.1.0
author:
  - voip.preprovision contributors (@voip-preprovision)
requirements:
  - root on the target
  - the Debian packages iproute2 and python3-cryptography on the target
options:
  phones:
    description:
      - The phones. The filter P(voip.preprovision.emulated_phones#filter) makes this list from inventory hosts.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: What to call it in results.
        type: str
        required: true
      mac:
        description: MAC address in any usual spelling, in quotes.
        type: str
        required: true
      model:
        description: Model, as V(ATA192), V(SPA504G) or V(CP-8851-3PCC).
        type: str
        required: true
      serial:
        description: Serial number, which some families send in their User-Agent.
        type: str
        default: ""
      certificate:
        description: Path on the target of the phone's own certificate (PEM). Without it the phone shows none.
        type: path
      private_key:
        description: Path on the target of the key that belongs to O(phones[].certificate) (PEM).
        type: path
  count:
    description:
      - How many phones to make up, with the MAC addresses from O(first_mac) on. The station must know them, as phones that it has
        profiles for.
    type: int
    default: 0
  model:
    description:
      - Model of the phones that are made up.
    type: str
  first_mac:
    description:
      - MAC address of the first phone that is made up, in quotes. The others follow it.
    type: str
  certificates:
    description:
      - Folder on the target that holds certificates (PEM) of the phones that are made up, C(00005e005301.pem) and
        C(00005e005301.key) for O(first_mac=00:00:5e:00:53:01), or C(key.pem) for all. Without it they show none.
    type: path
  families:
    description:
      - Product families of your own, or corrections of known ones, as option O(voip.preprovision.profiles#module:families) takes
        them.
    type: dict
    default: {}
  bridge:
    description:
      - The bridge that the phones are plugged into.
    type: str
    default: bench0
  roots:
    description:
      - Path on the target of the root certificates (PEM) that phones carry from the factory.
      - Only families that cannot be told of a root by URL use it. The others start without any, and fetch the one that their
        C(Custom_CA_URL) or C(Custom_CA_Rule) names.
    type: path
  power_cycles:
    description:
      - How often each phone is started. V(1) is its trip to the bench. With V(2) it is started once more, as at the customer's,
        and follows the rule that it has then.
    type: int
    default: 1
  lifetime:
    description:
      - Seconds for which a phone stays on each time, by its own clock, and comes again as its timers say.
      - With V(0) it is switched off when its first resync and its upgrades have ended.
      - Statistics of trips are those of all this time.
    type: float
    default: 0.0
  speed:
    description:
      - How many times faster than the station's the phones' clocks run. With V(3600) an hour of O(lifetime) passes in a second.
      - What they wait for servers takes them so many times longer.
    type: float
    default: 1.0
  customization:
    description:
      - URL of a service for remote customization, which phones ask that DHCP does not lead to a profile. Role
        P(voip.preprovision.profile_service#role) has one. Without it no phone asks anybody.
    type: str
    default: ""
  checksums:
    description:
      - Name of a firmware file and its SHA-256 in hexadecimal digits. A phone refuses such a file if it has another one.
    type: dict
    default: {}
  timeout:
    description:
      - Seconds within which a phone must get its lease, and each file.
    type: int
    default: 30
  parallel:
    description:
      - How many phones are up at a time. Fewer, where the target lets a process open no more files than that; a phone needs two.
    type: int
    default: 1000
  ramp:
    description:
      - Seconds within which the phones are switched on, one after the other.
    type: float
    default: 0.0
  think:
    description:
      - Seconds that a phone waits at most before its first request, once it has its address, and between two power cycles. Each
        phone takes a random time. Statistics leave it out.
    type: float
    default: 0.0
  reports:
    description:
      - How many phones RV(phones) tells of at most. When there are more, those that failed come first.
    type: int
    default: 100
  plot:
    description:
      - File on the target for an SVG image, how long each phone's trip took over the moment when it was switched on. Nothing is
        drawn without it.
    type: path
attributes:
  check_mode:
    support: full
    description: Can run in C(check_mode) and return changed status without changing anything. No phone comes up then.
  diff_mode:
    support: none
    description: There is never a difference.
"""

EXAMPLES = r"""
- name: Bring one phone up on the bench, then at the customer's
  voip.preprovision.emulated_phone:
    phones:
      - name: desk-1
        mac: "00:00:5e:00:53:01"
        model: ATA192
        serial: FCH0000D001
        certificate: /etc/preprovision/certificates/devices/00005e005301.pem
        private_key: /etc/preprovision/certificates/devices/00005e005301.key
    power_cycles: 2

- name: Bring all phones of the inventory up
  voip.preprovision.emulated_phone:
    phones: "{{ hostvars | voip.preprovision.emulated_phones(groups['phones'], '/etc/preprovision/certificates/devices') }}"
    roots: /etc/preprovision/certificates/bench-ca.pem
  register: came_up

- name: Show how far they got
  ansible.builtin.debug:
    msg: "{{ came_up.phones | voip.preprovision.phone_table }}"

- name: Live through a day within a minute and a half
  voip.preprovision.emulated_phone:
    phones: "{{ hostvars | voip.preprovision.emulated_phones(groups['phones'], '/etc/preprovision/certificates/devices') }}"
    lifetime: 86400
    speed: 1000

- name: Switch 1,000 phones on within ten seconds
  voip.preprovision.emulated_phone:
    count: 1000
    model: ATA192
    first_mac: "02:00:5e:10:00:00"
    certificates: /etc/preprovision/certificates/devices
    ramp: 10
    plot: /tmp/trips.svg
  register: swarm

- name: Show how long they took
  ansible.builtin.debug:
    msg: "{{ swarm.statistics | voip.preprovision.swarm_table }}"
"""

RETURN = r"""
phones:
  description:
    - One entry for each phone, in the order of O(phones); empty in check mode. Keys and passwords are masked.
    - Of more than O(reports) phones, those that failed and a sample of the others.
  returned: always, once the options have been understood
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
      sample: desk-1
    mac:
      description: Its MAC address.
      type: str
      sample: "00:00:5e:00:53:01"
    model:
      description: Its model.
      type: str
      sample: ATA192
    address:
      description: The address that DHCP gave it last; empty when there was none.
      type: str
      sample: 192.0.2.20
    dhcp_options:
      description: Number and value of the DHCP options that it was given. Lists are separated by spaces.
      type: dict
      sample:
        "6": 192.0.2.1
        "66": 192.0.2.1
    requests:
      description: The files that it asked for, in order.
      type: list
      elements: dict
      contains:
        power_up:
          description: In which power cycle, from 1.
          type: int
        parameter:
          description: Which parameter named the file.
          type: str
          sample: Profile_Rule
        url:
          description: URL of the file.
          type: str
          sample: tftp://192.0.2.1/ata192.cfg
        protocol:
          description: V(tftp), V(http) or V(https).
          type: str
        status:
          description: HTTP status. For TFTP V(200) is a file and V(404) "file not found". V(0) is no answer.
          type: int
        bytes:
          description: Length of what came.
          type: int
        sealed:
          description: Whether it was encrypted.
          type: bool
        behaviour:
          description: V(A) is a success, V(B) not found or corrupt, V(C) another failure; empty for a redirection or a login.
          type: str
    messages:
      description: The syslog messages that it sent, in order.
      type: list
      elements: dict
      contains:
        server:
          description: Which server to.
          type: str
        text:
          description: The message.
          type: str
        sent:
          description: Whether it could leave the phone.
          type: bool
    state:
      description: >-
        V(preprovisioned) when every rule that it followed succeeded and its C(Profile_Rule) now names a file of its own; else
        V(failed).
      type: str
    cause:
      description: Why it failed, in one sentence; empty when it did not.
      type: str
    profile_rule:
      description: Its C(Profile_Rule) at the end.
      type: str
      sample: "[--key ****] http://prov.example.net/service/$MA.cfg"
    parameters:
      description: How many parameters it has been given.
      type: int
    steps:
      description: All that it did, in order.
      type: list
      elements: dict
      contains:
        step:
          description: >-
            V(lease), V(options), V(name), V(fetch), V(certificate), V(login), V(open), V(apply), V(log), V(report), V(upgrade) or
            V(customization).
          type: str
        what:
          description: What it was about, as a parameter or a URL.
          type: str
        outcome:
          description: V(ok), V(failed) or V(skipped).
          type: str
        detail:
          description: What came of it.
          type: str
        seconds:
          description: How long it took.
          type: float
        power_up:
          description: In which power cycle, from 1.
          type: int
    failure:
      description: Why it failed; texts are empty when it did not.
      type: dict
      contains:
        code:
          description: What kind of failure it is.
          type: str
          sample: not_found
        step:
          description: In which step.
          type: str
        what:
          description: The same as RV(phones[].cause).
          type: str
        facts:
          description: What is known of it.
          type: dict
    firmware:
      description: The firmware version that it has at the end.
      type: str
    customization:
      description: Its state of remote customization.
      type: str
      sample: Acquired
    next_resync:
      description: When it would come again.
      type: dict
      contains:
        seconds:
          description: Seconds until then.
          type: float
        timer:
          description: The parameter that says so; empty when it would not come again.
          type: str
    seconds:
      description: How long all power cycles took.
      type: float
statistics:
  description: What became of all phones, and how long it took. The filter P(voip.preprovision.swarm_table#filter) prints it.
  returned: when phones came up
  type: dict
  contains:
    phones:
      description: How many there were.
      type: int
      sample: 1000
    preprovisioned:
      description: How many are.
      type: int
      sample: 1000
    failures:
      description: Code of a failure and how many phones it befell.
      type: dict
      sample: {}
    addresses:
      description: How many different addresses they had in the end.
      type: int
    given_twice:
      description: A sentence on each address that was given to a phone while another had it.
      type: list
      elements: str
      sample: []
    messages:
      description: How many syslog messages left.
      type: int
    times:
      description:
        - For V(dhcp), V(tftp), V(http), V(https) and V(trip), which is all of a power cycle, C(number) of them and how many were
          C(unanswered), or did not succeed, and of the others C(min), C(median), C(p99) and C(max) in seconds.
      type: dict
      sample:
        dhcp: {number: 1000, unanswered: 0, min: 0.004, median: 0.021, p99: 0.09, max: 0.13}
"""

import os
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.voip.preprovision.plugins.module_utils.bench_wire import Identity, Wire, WireError, most_at_a_time
from ansible_collections.voip.preprovision.plugins.module_utils.families import BUILTIN, FamilyError
from ansible_collections.voip.preprovision.plugins.module_utils.phone import Phone, PhoneError, PhoneReader, read_phones
from ansible_collections.voip.preprovision.plugins.module_utils.phone_behaviour import Unit
from ansible_collections.voip.preprovision.plugins.module_utils.phone_network import SystemClock
from ansible_collections.voip.preprovision.plugins.module_utils.sealing import MISSING
from ansible_collections.voip.preprovision.plugins.module_utils.swarm import Measured, Sample, SwarmError, made_up, pause
from ansible_collections.voip.preprovision.plugins.module_utils.swarm_statistics import chosen, plot, summarise
from ansible_collections.voip.preprovision.plugins.module_utils.wire_http import ClientCertificate

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "phones": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "required_together": [("certificate", "private_key")],
        "options": {
            "name": {"type": "str", "required": True},
            "mac": {"type": "str", "required": True},
            "model": {"type": "str", "required": True},
            "serial": {"type": "str", "default": ""},
            "certificate": {"type": "path"},
            "private_key": {"type": "path", "no_log": False},
        },
    },
    "count": {"type": "int", "default": 0},
    "model": {"type": "str"},
    "first_mac": {"type": "str"},
    "certificates": {"type": "path"},
    "families": {"type": "dict", "default": {}},
    "bridge": {"type": "str", "default": "bench0"},
    "roots": {"type": "path"},
    "power_cycles": {"type": "int", "default": 1},
    "lifetime": {"type": "float", "default": 0.0},
    "speed": {"type": "float", "default": 1.0},
    "customization": {"type": "str", "default": ""},
    "checksums": {"type": "dict", "default": {}},
    "timeout": {"type": "int", "default": 30},
    "parallel": {"type": "int", "default": 1000},
    "ramp": {"type": "float", "default": 0.0},
    "think": {"type": "float", "default": 0.0},
    "reports": {"type": "int", "default": 100},
    "plot": {"type": "path"},
}

_AT_LEAST: Mapping[str, int] = {
    "count": 0,
    "power_cycles": 1,
    "lifetime": 0,
    "speed": 1,
    "timeout": 1,
    "parallel": 1,
    "ramp": 0,
    "think": 0,
    "reports": 1,
}
_STACK = 512 * 1024
_MOST_CAUSES = 20


def read_options(params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return all phones, those that are made up too; raise SwarmError for options that cannot be."""
    for name, least in _AT_LEAST.items():
        if params[name] < least:
            raise SwarmError(f"{name} is {params[name]:g}; it must be at least {least}")
    options = list(params["phones"])
    if params["count"]:
        missing = [name for name in ("model", "first_mac") if not params[name]]
        if missing:
            raise SwarmError(f"count makes phones up, and needs {' and '.join(missing)}")
        options += made_up(params["count"], params["model"], params["first_mac"], params["certificates"])
    if not options:
        raise SwarmError("there is no phone; name some in phones, or make some up with count")
    return options


def read_units(options: list[dict[str, Any]], families: dict[str, Any]) -> list[Phone]:
    """Check the phones' options as phones' variables are checked; raise PhoneError, or FamilyError for the *families*."""
    reader = PhoneReader(BUILTIN.extended(families))
    variables = ((phone["name"], {f"phone_{key}": phone[key] for key in ("mac", "model", "serial")}) for phone in options)
    return read_phones(variables, reader)


def read_files(module: AnsibleModule, options: Sequence[dict[str, Any]]) -> bytes:
    """Return the factory roots; fail unless all files that the options name can be read."""
    roots = b""
    wanted = {"roots": module.params["roots"]}
    for phone in options:
        wanted |= {f"phone {phone['name']}: {option}": phone[option] for option in ("certificate", "private_key")}
    for option, path in wanted.items():
        try:
            if path is not None:
                with open(path, "rb") as file:
                    roots = file.read() if option == "roots" else roots
        except OSError as error:
            module.fail_json(msg=f"{option}: cannot read {path} on the target: {error.strerror}")
    return roots


@dataclass
class Swarm:
    """Phones that come up on one wire."""

    wire: Wire
    roots: bytes
    params: Mapping[str, Any]
    """The module's options."""
    samples: list[Sample] = field(default_factory=list)
    """What they have measured so far."""
    _start: float = field(default=0.0, init=False)

    def bring_up(self, phones: Sequence[Phone], options: Sequence[dict[str, Any]], parallel: int) -> list[dict[str, Any]]:
        """Switch all phones on, and return their reports."""
        self._start = time.monotonic()
        delays = [self.params["ramp"] * index / len(phones) for index in range(len(phones))]
        # A thousand threads of the usual size would take more memory than a small machine promises
        threading.stack_size(_STACK)
        with ThreadPoolExecutor(parallel) as pool:
            return list(pool.map(self._bring_one_up, phones, options, delays))

    def _bring_one_up(self, phone: Phone, options: dict[str, Any], delay: float) -> dict[str, Any]:
        """Start one phone as often as asked, as long as it succeeds, and report."""
        unit = Unit(
            phone,
            self.roots,
            has_certificate=options["certificate"] is not None,
            customization=self.params["customization"],
            checksums=self.params["checksums"],
        )
        certificate = ClientCertificate(options["certificate"], options["private_key"]) if options["certificate"] else None
        identity = Identity(phone.mac, phone.model.family.block_size, certificate)
        time.sleep(max(0.0, self._start + delay - time.monotonic()))
        for number in range(self.params["power_cycles"]):
            if number:
                pause(self.params["think"])
            self._power_up(unit, identity, is_last=number == self.params["power_cycles"] - 1)
            if unit.cause:
                break
        return unit.report()

    def _power_up(self, unit: Unit, identity: Identity, is_last: bool) -> None:
        begin = time.monotonic()
        with self.wire.plug_in(identity) as plug:
            network = Measured(plug, self.samples.append, self.params["think"])
            self._live(unit, network)
            seconds = time.monotonic() - begin - network.paused
        failed = unit.report()["cause"] if is_last else unit.cause
        self.samples.append(Sample("trip", seconds, not failed, begin - self._start))

    def _live(self, unit: Unit, network: Measured) -> None:
        lifetime = self.params["lifetime"]
        if not lifetime:
            unit.power_up(network)
            return
        clock = SystemClock(self.params["speed"])
        unit.run(network, clock, clock.now() + lifetime)


def draw(module: AnsibleModule, samples: Sequence[Sample]) -> None:
    """Put the plot in its place, whole."""
    path = module.params["plot"]
    try:
        descriptor, temporary = tempfile.mkstemp(dir=module.tmpdir)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(plot(samples))
    except OSError as error:
        module.fail_json(msg=f"plot: cannot write {path} on the target: {error.strerror}")
    module.atomic_move(temporary, path)


def main() -> None:
    """Bring all phones up and report."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    params = module.params
    try:
        options = read_options(params)
        phones = read_units(options, params["families"])
    except (FamilyError, PhoneError, SwarmError) as error:
        module.fail_json(msg=str(error))
    if module.check_mode:
        module.exit_json(changed=False, skipped=True, phones=[], msg="no phone comes up in check mode")
    if MISSING is not None:
        module.fail_json(msg="the Python package cryptography is missing; install the Debian package python3-cryptography")
    roots = read_files(module, options)
    try:
        with Wire(params["bridge"], params["timeout"]) as wire:
            swarm = Swarm(wire, roots, params)
            reports = swarm.bring_up(phones, options, min(most_at_a_time(params["parallel"]), len(phones)))
    except WireError as error:
        module.fail_json(msg=str(error))
    if params["plot"]:
        draw(module, swarm.samples)
    results = {
        "phones": chosen(reports, params["reports"]),
        "statistics": summarise(reports, swarm.samples, wire.twice),
    }
    failed = [report for report in reports if report["cause"]]
    if failed:
        causes = [f"{report['name']}: {report['cause']}" for report in failed[:_MOST_CAUSES]]
        causes += [f"and {len(failed) - _MOST_CAUSES} more"] if len(failed) > _MOST_CAUSES else []
        module.fail_json(msg="\n".join([f"{len(failed)} of {len(reports)} phones are not preprovisioned:", *causes]), **results)
    module.exit_json(changed=False, **results)


if __name__ == "__main__":
    main()
