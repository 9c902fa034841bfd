# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Boot emulated phones, on a bench or at the customer's."""

from __future__ import annotations

DOCUMENTATION = r"""
module: emulated_phone
short_description: Boot emulated phones, on a bench or at the customer's, and report how far each one gets
description:
  - Connects phones with factory settings, one or a thousand, to the target's bench bridge, and boots them.
  - The phones are those in O(phones), and O(count) synthetic ones.
  - They request a lease with their family's vendor class, fetch the factory-default file from the server in option 66 (or 160, 159,
    150), and follow C(Profile_Rule), C(Profile_Rule_B), C(Profile_Rule_C) and C(Profile_Rule_D) by TFTP, HTTP or HTTPS. They
    verify the server's certificate, present their own, decrypt with the key in their rule, apply the parameters and send syslog
    messages.
  - All packets are real. One process sends them from one network namespace, where nftables makes every frame carry the phone's own
    MAC address, in ARP as in DHCP, TFTP and HTTP.
  - At the end the phones release their leases. Nothing remains on the target except what its servers have logged, so the module
    never reports a change.
  - With O(home), the phones are at the customer's instead. They need no bench, no root and no DHCP, start with what their
    O(phones[].parameters) say the bench has given them, and follow their rules from the target's own network, or from a network
    namespace, such as one behind a NAT.
  - Without O(lifetime), phones skip the random delay before a resync and do not retry a failed one. With it they also renew their
    leases.
version_added: 0.1.0
author:
  - voip.preprovision contributors (@voip-preprovision)
requirements:
  - root on the target, on a bench or with O(home.namespace)
  - the Debian package python3-cryptography on the target, on a bench also iproute2 and nftables
  - Linux 5.16 or later on the target, on a bench
options:
  phones:
    description:
      - The phones. The filter P(voip.preprovision.emulated_phones#filter) builds this list from inventory hosts.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the phone in results.
        type: str
        required: true
      mac:
        description: MAC address in any usual spelling, in quotes.
        type: str
        required: true
      model:
        description: Model, such as V(ATA192), V(SPA504G) or V(CP-8851-3PCC).
        type: str
        required: true
      serial:
        description: Serial number, which some families send in their User-Agent.
        type: str
        default: ""
      certificate:
        description: Path on the target of the phone's own certificate (PEM). Without it the phone presents none.
        type: path
      private_key:
        description: Path on the target of the key that belongs to O(phones[].certificate) (PEM).
        type: path
      roots:
        description: Path on the target of the root certificates (PEM) that this phone has from the factory, instead of O(roots).
        type: path
      parameters:
        description:
          - Parameters that the phone has when it is first switched on, in addition to factory settings, as if an earlier customer
            had set it up. With a C(Profile_Rule) that leads elsewhere, the phone never asks the bench.
          - At home, these are what the phone's preprovision profile has set, including its rule and key. They come from
            M(voip.preprovision.check_phones).
          - Ansible shows them in verbose output, so set C(no_log) for the task if there are keys among them.
        type: dict
        default: {}
      habits:
        description: What this phone does differently, in addition to O(habits).
        type: list
        elements: str
        choices: [vendor_class_nul, no_vendor_class, tftp_name_ff, other_names, asks_twice]
        default: []
      user_agent:
        description:
          - User-Agent that this phone sends by HTTP, as if it had been configured; empty for its family's.
          - It may contain macros, such as C($MA), and C($VERSION) for what the family's has before its parentheses.
          - A parameter for it in the phone's profile, such as C(HTTP_User_Agent_Name), wins.
        type: str
        default: ""
  count:
    description:
      - Number of synthetic phones, with consecutive MAC addresses from O(first_mac) on. The station must have profiles for them.
    type: int
    default: 0
  model:
    description:
      - Model of the synthetic phones.
    type: str
  first_mac:
    description:
      - MAC address of the first synthetic phone, in quotes.
    type: str
  certificates:
    description:
      - Folder on the target with certificates (PEM) of the synthetic phones, such as C(00005e005301.pem) and C(00005e005301.key)
        for O(first_mac=00:00:5e:00:53:01), or C(key.pem) for all. Without it they present none.
    type: path
  families:
    description:
      - Your own product families, or corrections to built-in ones, as in O(voip.preprovision.profiles#module:families).
    type: dict
    default: {}
  home:
    description:
      - Where the phones are at the customer's; V({}) for the target's own network and resolver. Without it they are on the bench.
    type: dict
    suboptions:
      name_servers:
        description:
          - Addresses of the name servers that the phones ask, instead of those that the target asks.
        type: list
        elements: str
        default: []
      records:
        description:
          - Names and their addresses in order, IPv4 or IPv6, which no name server is asked for.
          - With one address of several, the phones walk this very server.
        type: dict
        default: {}
      ip_mode:
        description:
          - Which records the phones use. With V(dual) they try the addresses of AAAA records first.
        type: str
        choices: [ipv4, ipv6, dual]
        default: ipv4
      namespace:
        description:
          - Network namespace on the target in which the phones are, as C(ip netns) lists it.
        type: str
  bridge:
    description:
      - Bridge to connect the phones to.
    type: str
    default: bench0
  roots:
    description:
      - Path on the target of the root certificates (PEM) that phones of every family have from the factory, which are those of
        their maker. A root that C(Custom_CA_URL) or C(Custom_CA_Rule) names is added to them.
      - No real phone has the bench's own CA from the factory, so a test that lists it here proves nothing about real phones.
      - Without any root, a phone cannot fetch by HTTPS.
    type: path
  habits:
    description:
      - What all phones of this run do differently, as some real units do.
      - V(vendor_class_nul) ends DHCP option 60 with a zero byte; V(no_vendor_class) sends no option 60.
      - V(tftp_name_ff) sends a byte 0xFF behind each file name that it reads by TFTP, and expects to be served all the same.
      - V(other_names) first requests by TFTP, after power-up, what units of the family try in vain, such as
        C(SEP<MAC>.cnf.xml) and C(XMLDefault.cnf.xml). Their absence is no failure, and their content is ignored.
      - V(asks_twice) sends each request for a file twice at the same time. If the responses differ, the phone reports the
        worse one.
    type: list
    elements: str
    choices: [vendor_class_nul, no_vendor_class, tftp_name_ff, other_names, asks_twice]
    default: []
  power_cycles:
    description:
      - How many times each phone is switched on. V(1) is its trip to the bench. With V(2) it is switched on again, as at the
        customer's site, and follows the rule it has by then. It is not after a resync that failed.
    type: int
    default: 1
  lifetime:
    description:
      - Seconds, by the phone's own clock, for which a phone stays on each time and resyncs by its timers.
      - With V(0) it is switched off when its first resync and its upgrades have ended.
      - Statistics of trips cover all of this time.
    type: float
    default: 0.0
  stop_file:
    description:
      - Path on the target of a file that ends the run before the end of O(lifetime) when it appears. Each phone completes the
        resync that it is doing.
      - So that a playbook can start phones with C(async), cause a fault, and end the run.
    type: path
  speed:
    description:
      - How many times faster the phones' clocks run than the station's. With V(3600), an hour of O(lifetime) passes in a second.
      - By the phones' clocks, servers take as many times longer to respond.
    type: float
    default: 1.0
  customization:
    description:
      - URL of a remote customization service, which phones ask when DHCP does not lead to a profile. Role
        P(voip.preprovision.profile_service#role) provides one. Without it no phone asks any service.
    type: str
    default: ""
  checksums:
    description:
      - Names of firmware files and their SHA-256 checksums in hexadecimal digits. A phone rejects a file with another checksum.
    type: dict
    default: {}
  timeout:
    description:
      - Seconds in which a phone must get its lease, and each file.
    type: int
    default: 30
  parallel:
    description:
      - How many phones are up at a time. Fewer where the target's limit of open files per process is lower; a phone needs two.
    type: int
    default: 1000
  ramp:
    description:
      - Seconds over which the phones are switched on, one after the other.
    type: float
    default: 0.0
  think_time:
    description:
      - Longest time in seconds that a phone waits between getting its address and its first request, and between two power cycles.
        Each phone waits a random time. Statistics leave it out.
    type: float
    default: 0.0
  reports:
    description:
      - Maximum number of phones that RV(phones) lists. If there are more, those that failed come first.
    type: int
    default: 100
  plot:
    description:
      - File on the target for an SVG plot of how long each phone's trip took, over the time when it was switched on. Without it
        nothing is plotted.
    type: path
attributes:
  check_mode:
    support: full
    description: Can run in C(check_mode) and return changed status without changing anything. No phone is booted then.
  diff_mode:
    support: none
    description: The module never changes anything.
"""

EXAMPLES = r"""
- name: Boot one phone on the bench, then at the customer's site
  voip.preprovision.emulated_phone:
    phones:
      - name: desk-1
        mac: "00:00:5e:00:53:01"
        model: ATA192
        serial: FCH0000D001
        certificate: /etc/preprovision/certificates/devices/00005e005301.pem
        private_key: /etc/preprovision/certificates/devices/00005e005301.key
    power_cycles: 2

- name: Boot all phones of the inventory
  voip.preprovision.emulated_phone:
    phones: "{{ hostvars | voip.preprovision.emulated_phones(groups['phones'], '/etc/preprovision/certificates/devices') }}"
    roots: /etc/preprovision/makers/roots.pem
  register: booted

- name: Show how far they got
  ansible.builtin.debug:
    msg: "{{ booted.phones | voip.preprovision.phone_table }}"

- name: Boot two phones that behave like certain real ones
  voip.preprovision.emulated_phone:
    phones:
      - name: second-hand
        mac: "00:00:5e:00:53:01"
        model: ATA192
        parameters:
          Profile_Rule: http://198.51.100.9/$MA.cfg
      - name: impatient
        mac: "00:00:5e:00:53:02"
        model: CP-8851-3PCC
        habits: [other_names, asks_twice]

- name: Run all phones through a day in a minute and a half
  voip.preprovision.emulated_phone:
    phones: "{{ hostvars | voip.preprovision.emulated_phones(groups['phones'], '/etc/preprovision/certificates/devices') }}"
    lifetime: 86400
    speed: 1000

- name: Let phones that have left the bench call one of two servers
  voip.preprovision.emulated_phone:
    phones: "{{ deployed.phones }}"
    home:
      records:
        prov.example.net: [203.0.113.2]
  no_log: true

- name: Keep phones at the customer's resyncing for two minutes, an hour in each five seconds
  voip.preprovision.emulated_phone:
    phones: "{{ deployed.phones }}"
    home:
      name_servers: [198.51.100.53]
      namespace: behind-nat
    lifetime: 86400
    speed: 720
    stop_file: /run/phones.stop
  no_log: true
  async: 300
  poll: 0

- name: Switch on 1,000 phones within ten seconds
  voip.preprovision.emulated_phone:
    count: 1000
    model: ATA192
    first_mac: "02:00:5e:10:00:00"
    certificates: /etc/preprovision/certificates/devices
    ramp: 10
    plot: /tmp/trips.svg
  register: load_test

- name: Show how long the trips took
  ansible.builtin.debug:
    msg: "{{ load_test.statistics | voip.preprovision.load_test_table }}"
"""

RETURN = r"""
phones:
  description:
    - One entry for each phone, in the order of O(phones); empty in check mode. Keys and passwords are masked.
    - Of more than O(reports) phones, those that failed and a sample of the others.
  returned: always, unless an option is invalid
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
      description: The last address that DHCP assigned; empty when there was none.
      type: str
      sample: 192.0.2.20
    dhcp_options:
      description: Number and value of the DHCP options in its lease. List items are separated by spaces.
      type: dict
      sample:
        "6": 192.0.2.1
        "66": 192.0.2.1
    requests:
      description: The files that it requested, in order.
      type: list
      elements: dict
      contains:
        power_up:
          description: Number of the power cycle, from 1.
          type: int
        parameter:
          description: The parameter that named the file.
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
          description: HTTP status. For TFTP, V(200) is a file and V(404) "file not found". V(0) is no response.
          type: int
        bytes:
          description: Length of the content.
          type: int
        sealed:
          description: Whether it was encrypted.
          type: bool
        behaviour:
          description: V(A) is success, V(B) not found or corrupt, V(C) any other failure; empty for a redirection or a login.
          type: str
        address:
          description: Address of the server that responded; empty if none did.
          type: str
        digest:
          description: SHA-256 checksum of encrypted content in hexadecimal digits; empty for any other.
          type: str
    messages:
      description: The syslog messages that it sent, in order.
      type: list
      elements: dict
      contains:
        server:
          description: The server it was sent to.
          type: str
        text:
          description: The message.
          type: str
        sent:
          description: Whether it was sent.
          type: bool
    state:
      description: >-
        V(preprovisioned) when every rule that it followed succeeded and its C(Profile_Rule) now names a file of its own; otherwise
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
      description: How many parameters are set.
      type: int
    steps:
      description: Everything it did, in order.
      type: list
      elements: dict
      contains:
        step:
          description: >-
            V(lease), V(options), V(name), V(fetch), V(certificate), V(login), V(open), V(apply), V(log), V(report), V(upgrade) or
            V(customization).
          type: str
        what:
          description: The subject, such as a parameter or a URL.
          type: str
        outcome:
          description: V(ok), V(failed) or V(skipped).
          type: str
        detail:
          description: The result.
          type: str
        seconds:
          description: How long it took.
          type: float
        power_up:
          description: Number of the power cycle, from 1.
          type: int
    failure:
      description: Why it failed; all values are empty when it did not.
      type: dict
      contains:
        code:
          description: Code of the failure.
          type: str
          sample: not_found
        step:
          description: The step that failed.
          type: str
        what:
          description: The same as RV(phones[].cause).
          type: str
        facts:
          description: Details, which depend on the code.
          type: dict
    failures:
      description: >-
        All failures since the last power-up, in order, each as RV(phones[].failure), and at the end what else would keep the phone
        from being preprovisioned.
      type: list
      elements: dict
    firmware:
      description: Its firmware version at the end.
      type: str
    customization:
      description: Its customization state.
      type: str
      sample: Acquired
    next_resync:
      description: When it would resync next.
      type: dict
      contains:
        seconds:
          description: Seconds until then, by its clock.
          type: float
        timer:
          description: The parameter that sets the timer; empty when it would not resync again.
          type: str
    seconds:
      description: How long all power cycles took.
      type: float
resyncs:
  description:
    - The resyncs of each phone, by the target's clock. A phone that tried the next address has not failed.
  returned: when phones were booted
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
    mac:
      description: Its MAC address.
      type: str
    model:
      description: Its model.
      type: str
    tried:
      description: Number of resyncs.
      type: int
    failed:
      description: How many of them failed.
      type: int
    longest:
      description: How long the longest took, in seconds.
      type: float
    addresses:
      description: Each server's address, with the number of requests that were C(answered) and C(unanswered).
      type: dict
      sample:
        203.0.113.1: {answered: 40, unanswered: 2}
    failures:
      description: The latest 100 failures, each with the time of its end (C(at), in seconds since 1970), C(seconds), C(code) and
        C(cause).
      type: list
      elements: dict
statistics:
  description: Statistics of all phones. The filter P(voip.preprovision.load_test_table#filter) formats them as a table.
  returned: when phones were booted
  type: dict
  contains:
    phones:
      description: Number of phones.
      type: int
      sample: 1000
    preprovisioned:
      description: Number of phones that are preprovisioned.
      type: int
      sample: 1000
    failures:
      description: Failure code and number of phones with that failure.
      type: dict
      sample: {}
    addresses:
      description: Number of different addresses at the end.
      type: int
    given_twice:
      description: A sentence for each address that was assigned to a phone while another had it.
      type: list
      elements: str
      sample: []
    messages:
      description: Number of syslog messages sent.
      type: int
    resyncs:
      description:
        - The sums of RV(resyncs), with C(phones_failed), the number of phones with a failed resync, and C(codes), the number of
          failures with each code.
      type: dict
    times:
      description:
        - For V(dhcp), V(tftp), V(http), V(https) and V(trip) (a whole power cycle), the C(number) of them, how many were
          C(unanswered) or failed, and C(min), C(median), C(p99) and C(max) of the others in seconds.
      type: dict
      sample:
        dhcp: {number: 1000, unanswered: 0, min: 0.004, median: 0.021, p99: 0.09, max: 0.13}
"""

import os
import tempfile
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.voip.preprovision.plugins.module_utils.emulator.device.habits import Habit
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.load.options import (
    IpMode,
    LoadTestError,
    LoadTestOptions,
    load_phones,
    read_options,
)
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.load.plot import plot
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.load.resyncs import total
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.load.samples import Sample
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.load.statistics import (
    describe_failures,
    select_reports,
    summarise,
)
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.wire.bench_lan import BenchLan, BenchLanError
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.wire.home import Home, HomeError
from ansible_collections.voip.preprovision.plugins.module_utils.emulator.wire.load_test import LoadTest, read_files
from ansible_collections.voip.preprovision.plugins.module_utils.families.model import FamilyError
from ansible_collections.voip.preprovision.plugins.module_utils.phones.phone import PhoneError
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.sealing.openssl_enc import MISSING

HABITS: dict[str, Any] = {"type": "list", "elements": "str", "choices": [str(habit) for habit in Habit], "default": []}
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
            "roots": {"type": "path"},
            "parameters": {"type": "dict", "default": {}},
            "habits": HABITS,
            "user_agent": {"type": "str", "default": ""},
        },
    },
    "count": {"type": "int", "default": 0},
    "model": {"type": "str"},
    "first_mac": {"type": "str"},
    "certificates": {"type": "path"},
    "families": {"type": "dict", "default": {}},
    "home": {
        "type": "dict",
        "options": {
            "name_servers": {"type": "list", "elements": "str", "default": []},
            "records": {"type": "dict", "default": {}},
            "ip_mode": {"type": "str", "choices": [str(mode) for mode in IpMode], "default": "ipv4"},
            "namespace": {"type": "str"},
        },
    },
    "bridge": {"type": "str", "default": "bench0"},
    "roots": {"type": "path"},
    "habits": HABITS,
    "power_cycles": {"type": "int", "default": 1},
    "lifetime": {"type": "float", "default": 0.0},
    "stop_file": {"type": "path"},
    "speed": {"type": "float", "default": 1.0},
    "customization": {"type": "str", "default": ""},
    "checksums": {"type": "dict", "default": {}},
    "timeout": {"type": "int", "default": 30},
    "parallel": {"type": "int", "default": 1000},
    "ramp": {"type": "float", "default": 0.0},
    "think_time": {"type": "float", "default": 0.0},
    "reports": {"type": "int", "default": 100},
    "plot": {"type": "path"},
}


def write_plot(module: AnsibleModule, samples: Sequence[Sample]) -> None:
    """Write the plot to a temporary file, and move it to its path."""
    path = module.params["plot"]
    try:
        descriptor, temporary = tempfile.mkstemp(dir=module.tmpdir)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(plot(samples))
    except OSError as error:
        module.fail_json(msg=f"plot: cannot write {path} on the target: {error.strerror}")
    module.atomic_move(temporary, path)


def open_network(options: LoadTestOptions) -> AbstractContextManager[BenchLan] | AbstractContextManager[Home]:
    """Return the network that the phones are connected to."""
    return BenchLan(options.bridge, options.timeout) if options.home is None else Home(options.home, options.timeout)


def main() -> None:
    """Boot all phones and report."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        options = read_options(module.params)
        phones = load_phones(options)
    except (FamilyError, PhoneError, LoadTestError) as error:
        module.fail_json(msg=str(error))
    if module.check_mode:
        module.exit_json(changed=False, skipped=True, phones=[], msg="check mode boots no phones")
    if MISSING is not None:
        module.fail_json(msg="the Python package cryptography is missing; install the Debian package python3-cryptography")
    try:
        roots = read_files(options)
        with open_network(options) as lan:
            load_test = LoadTest(lan, roots, options)
            reports = load_test.run(phones)
    except (LoadTestError, BenchLanError, HomeError) as error:
        module.fail_json(msg=str(error))
    if options.plot:
        write_plot(module, load_test.samples)
    results = {
        "phones": select_reports(reports, options.reports),
        "resyncs": load_test.resyncs,
        "statistics": {
            **summarise(reports, load_test.samples, lan.duplicate_addresses),
            "resyncs": total(load_test.resyncs),
        },
    }
    failures = describe_failures(reports)
    if failures:
        module.fail_json(msg=failures, **results)
    module.exit_json(changed=False, **results)


if __name__ == "__main__":
    main()
