# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Let emulated phones come up on a bench."""

from __future__ import annotations

DOCUMENTATION = r"""
module: emulated_phone
short_description: Let emulated phones come up on a bench, and tell how far they get
description:
  - Plugs factory-new phones into the target's bench bridge, each in a network namespace of its own with its own MAC address,
    and lets them do what such phones do.
  - They ask DHCP with their family's vendor class, fetch the factory-default file from the server in option 66 (or 160, 159,
    150), and follow C(Profile_Rule), C(Profile_Rule_B), C(Profile_Rule_C) and C(Profile_Rule_D) by TFTP, HTTP or HTTPS. They
    check the server's certificate, show their own, decrypt with the key that their rule gives, apply the parameters and send
    syslog messages.
  - Every packet is real, and comes from the system's clients C(udhcpc), C(curl) and the C library.
  - At the end the phones give their leases back, and nothing of them stays on the target but what its servers have logged. So the
    module never reports a change.
  - The random delay before a resync and the retries after a failed one are left out.
version_added: 0.1.0
author:
  - voip.preprovision contributors (@voip-preprovision)
requirements:
  - root on the target
  - the Debian packages udhcpc, curl, iproute2 and python3-cryptography on the target
options:
  phones:
    description:
      - The phones. The filter P(voip.preprovision.emulated_phones#filter) makes this list from inventory hosts.
    type: list
    elements: dict
    required: true
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
  timeout:
    description:
      - Seconds within which a phone must get its lease, and each file.
    type: int
    default: 30
  parallel:
    description:
      - How many phones are up at a time.
    type: int
    default: 16
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
"""

RETURN = r"""
phones:
  description: One entry for each phone, in the order of O(phones); empty in check mode. Keys and passwords are masked.
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
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.voip.preprovision.plugins.module_utils.bench_client import Identity, Wire, WireError
from ansible_collections.voip.preprovision.plugins.module_utils.families import BUILTIN, FamilyError
from ansible_collections.voip.preprovision.plugins.module_utils.phone import Phone, PhoneError, PhoneReader, read_phones
from ansible_collections.voip.preprovision.plugins.module_utils.phone_behaviour import Unit
from ansible_collections.voip.preprovision.plugins.module_utils.sealing import MISSING
from ansible_collections.voip.preprovision.plugins.module_utils.user_agent import format_user_agent

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "phones": {
        "type": "list",
        "elements": "dict",
        "required": True,
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
    "families": {"type": "dict", "default": {}},
    "bridge": {"type": "str", "default": "bench0"},
    "roots": {"type": "path"},
    "power_cycles": {"type": "int", "default": 1},
    "timeout": {"type": "int", "default": 30},
    "parallel": {"type": "int", "default": 16},
}


def read_units(options: list[dict[str, Any]], families: dict[str, Any]) -> list[Phone]:
    """Check the phones' options as phones' variables are checked; raise PhoneError, or FamilyError for the *families*."""
    reader = PhoneReader(BUILTIN.extended(families))
    variables = ((phone["name"], {f"phone_{key}": phone[key] for key in ("mac", "model", "serial")}) for phone in options)
    return read_phones(variables, reader)


def read_files(module: AnsibleModule) -> bytes:
    """Return the factory roots; fail unless all files that the options name can be read."""
    roots = b""
    wanted = {"roots": module.params["roots"]}
    for phone in module.params["phones"]:
        wanted |= {f"phone {phone['name']}: {option}": phone[option] for option in ("certificate", "private_key")}
    for option, path in wanted.items():
        try:
            if path is not None:
                with open(path, "rb") as file:
                    roots = file.read() if option == "roots" else roots
        except OSError as error:
            module.fail_json(msg=f"{option}: cannot read {path} on the target: {error.strerror}")
    return roots


def bring_up(wire: Wire, phone: Phone, options: dict[str, Any], roots: bytes, power_cycles: int) -> dict[str, Any]:
    """Start one phone as often as asked, as long as it succeeds, and report."""
    unit = Unit(phone, roots, has_certificate=options["certificate"] is not None)
    identity = Identity(
        mac=phone.mac,
        user_agent=format_user_agent(phone.model, phone.mac, phone.serial),
        block_size=phone.model.family.block_size,
        certificate=options["certificate"],
        private_key=options["private_key"],
    )
    for _number in range(power_cycles):
        try:
            with wire.plug_in(identity) as plug:
                unit.power_up(plug)
        except (WireError, OSError) as error:
            unit.fail(f"it cannot be plugged in: {error}")
        if unit.cause:
            break
    return unit.report()


def main() -> None:
    """Bring all phones up and report."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    options = module.params["phones"]
    for name in ("power_cycles", "timeout", "parallel"):
        if module.params[name] < 1:
            module.fail_json(msg=f"{name} is {module.params[name]}; it must be at least 1")
    try:
        phones = read_units(options, module.params["families"])
    except (FamilyError, PhoneError) as error:
        module.fail_json(msg=str(error))
    if module.check_mode:
        module.exit_json(changed=False, skipped=True, phones=[], msg="no phone comes up in check mode")
    if MISSING is not None:
        module.fail_json(msg="the Python package cryptography is missing; install the Debian package python3-cryptography")
    roots = read_files(module)
    try:
        with (
            Wire(module.params["bridge"], module.params["timeout"]) as wire,
            ThreadPoolExecutor(module.params["parallel"]) as pool,
        ):
            cycles = module.params["power_cycles"]
            reports = list(pool.map(lambda pair: bring_up(wire, *pair, roots, cycles), zip(phones, options, strict=True)))
    except WireError as error:
        module.fail_json(msg=str(error))
    failed = [report for report in reports if report["cause"]]
    if failed:
        causes = "\n".join(f"{report['name']}: {report['cause']}" for report in failed)
        module.fail_json(msg=f"{len(failed)} of {len(reports)} phones are not preprovisioned:\n{causes}", phones=reports)
    module.exit_json(changed=False, phones=reports)


if __name__ == "__main__":
    main()
