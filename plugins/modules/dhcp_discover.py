# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Discover other DHCP servers on an interface of the target."""

from __future__ import annotations

DOCUMENTATION = r"""
module: dhcp_discover
short_description: Report which other DHCP servers answer on an interface, and what they offer
description:
  - Sends a C(DHCPDISCOVER) like a DHCP client, and returns the offer of each server on the wire. It never requests an offer, so no
    lease is created; a server may reserve the address that it offered for a minute or two.
  - Does not change the interface. It must be up, but needs no address, may run a DHCP server or client, and may be a bridge.
  - Neither asks nor hears the target's own DHCP server on that interface. Every answer comes from the wire.
  - Also reports a machine with the target's own addresses, such as a second station set up from the same inventory.
version_added: 0.1.0
author:
  - voip.preprovision contributors (@voip-preprovision)
requirements:
  - root on the target
options:
  interface:
    description:
      - The interface to use, such as V(bench0).
    type: str
    required: true
  timeout:
    description:
      - Seconds to ask and listen. The module always waits for all of them, since another server may still answer.
      - ISC DHCP needs one second before it offers, dnsmasq three.
      - A switch port with spanning tree passes nothing for 30 seconds after it comes up.
    type: int
    default: 5
  attempts:
    description:
      - Number of questions, since a frame can be lost; one second apart, or closer if O(timeout) is short.
    type: int
    default: 2
  mac:
    description:
      - MAC address to ask with, in quotes. Without it, a random one that is locally administered.
    type: str
  vendor_class:
    description:
      - Vendor class (option 60) to ask with, such as V(CISCO ATA192-MPP), for servers that answer phones differently.
    type: str
  ignore:
    description:
      - Expected servers, by MAC address or by the IPv4 address of their server identifier, in quotes.
      - A MAC address is safer than an IPv4 address, which another server may use as well.
    type: list
    elements: str
    default: []
  partner:
    description:
      - IPv4 address of the other server of a pair. Its answers are expected if it confirms them with O(partner_key).
    type: str
  partner_key:
    description:
      - Key that only the two servers of the pair have.
    type: str
attributes:
  check_mode:
    support: full
    description: Runs normally in C(check_mode), since it changes nothing.
  diff_mode:
    support: none
    description: Never changes anything.
"""

EXAMPLES = r"""
- name: Discover other DHCP servers on the bench
  voip.preprovision.dhcp_discover:
    interface: bench0
  register: discovered

- name: Stop if there is another DHCP server
  ansible.builtin.assert:
    that: discovered.offers | length == 0
    fail_msg: "{{ discovered.msg }}"

- name: Show what a phone would be offered on the office LAN
  voip.preprovision.dhcp_discover:
    interface: enp1s0
    vendor_class: CISCO ATA192-MPP
    timeout: 10
    ignore: ["192.0.2.2"]
"""

RETURN = r"""
offers:
  description: The first answer of each server, in the order of arrival. Treat all of it as untrusted.
  returned: success
  type: list
  elements: dict
  contains:
    server:
      description: Its server identifier (option 54), or RV(offers[].source) if it sent none.
      type: str
      sample: 192.0.2.9
    server_mac:
      description: MAC address that the answer came from; the relay's, if there is one.
      type: str
      sample: "00:00:5e:00:53:09"
    source:
      description: IPv4 address that the answer came from.
      type: str
      sample: 192.0.2.9
    message:
      description: >-
        V(offer) or another type such as V(nak) or V(ack); V(bootp) if it has no type, V(damaged) if it is invalid.
      type: str
      sample: offer
    address:
      description: The offered address, or empty.
      type: str
      sample: 192.0.2.77
    relay:
      description: Address of the relay, or empty.
      type: str
      sample: ""
    next_server:
      description: Address of the TFTP server in the fixed part of the message (C(siaddr)), or empty.
      type: str
      sample: ""
    server_name:
      description: Name of the TFTP server in the fixed part (C(sname)), or empty.
      type: str
      sample: ""
    boot_file:
      description: File in the fixed part (C(file)), or empty.
      type: str
      sample: ""
    options:
      description: >-
        All its options, as C(option_) with the number. Those that phones are provisioned by are text (66, 67, 159, 160), lists of
        addresses (3, 6, 42, 150), or a number or its digits (132). Bytes other than printable ASCII appear as V(\\x0a). Options
        without a known form, such as 43, are in hexadecimal digits.
      type: dict
      sample:
        option_1: 255.255.255.0
        option_51: 3600
        option_66: prov.example.net
        option_150: [192.0.2.9]
    fault:
      description: Why the answer is invalid, or empty.
      type: str
      sample: ""
msg:
  description: One sentence on the servers that answered.
  returned: success
  type: str
  sample: On bench0 the DHCP server 192.0.2.9 (00:00:5e:00:53:09) offers 192.0.2.77
"""

from dataclasses import asdict
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.voip.preprovision.plugins.module_utils.common.mac import MacError, parse_mac
from ansible_collections.voip.preprovision.plugins.module_utils.dhcp.discovery import ProbeError, discover
from ansible_collections.voip.preprovision.plugins.module_utils.dhcp.packets import DhcpPacketError
from ansible_collections.voip.preprovision.plugins.module_utils.dhcp.partner import PartnerKey

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "interface": {"type": "str", "required": True},
    "timeout": {"type": "int", "default": 5},
    "attempts": {"type": "int", "default": 2},
    "mac": {"type": "str"},
    "vendor_class": {"type": "str"},
    "ignore": {"type": "list", "elements": "str", "default": []},
    "partner": {"type": "str"},
    "partner_key": {"type": "str", "no_log": True},
}


def main() -> None:
    """Run the module."""
    together = [("partner", "partner_key")]
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True, required_together=together)
    options = module.params
    for name in ("timeout", "attempts"):
        if options[name] < 1:
            module.fail_json(msg=f"{name} is {options[name]}; it must be at least 1")
    try:
        offers = discover(
            options["interface"],
            options["timeout"],
            options["attempts"],
            parse_mac(options["mac"]) if options["mac"] else None,
            options["vendor_class"] or "",
            options["ignore"],
            PartnerKey(options["partner"], options["partner_key"].encode()) if options["partner"] else None,
        )
    except MacError as error:
        module.fail_json(msg=f"mac: {error}")
    except (ProbeError, DhcpPacketError) as error:
        module.fail_json(msg=str(error))
    found = ", ".join(map(str, offers)) or f"no DHCP server answers within {options['timeout']} seconds"
    module.exit_json(changed=False, offers=[asdict(offer) for offer in offers], msg=f"On {options['interface']} {found}")


if __name__ == "__main__":
    main()
