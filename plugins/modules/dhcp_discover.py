# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ask who else answers DHCP on an interface of the target."""

from __future__ import annotations

DOCUMENTATION = r"""
module: dhcp_discover
short_description: Tell which other DHCP servers answer on an interface, and what they offer
description:
  - Asks as a DHCP client does, with a C(DHCPDISCOVER), and returns what each server on the wire offers. It never requests an offer,
    so that no lease comes of it; a server may keep the address that it offered for a minute or two.
  - The interface stays as it is. It needs no address, a DHCP server or client may run on it, and it may be a bridge. It must be up.
  - The target's own DHCP server on that interface is neither asked nor heard. Every answer came in from the wire.
  - A machine with the target's own addresses is returned too, as a second station that was set up from the same inventory.
version_added: 0.1.0
author:
  - voip.preprovision contributors (@voip-preprovision)
requirements:
  - root on the target
options:
  interface:
    description:
      - The interface to ask on, as V(bench0).
    type: str
    required: true
  timeout:
    description:
      - For how many seconds to ask and to listen. All of them pass, since there may always be one more server.
      - ISC DHCP takes a second before it offers, dnsmasq takes three.
      - A switch port with spanning tree passes nothing for 30 seconds after it came up.
    type: int
    default: 5
  attempts:
    description:
      - How often to ask, since a frame can be lost; a second apart, or closer if O(timeout) is short.
    type: int
    default: 2
  mac:
    description:
      - MAC address to ask with, in quotes. Without it, a random one that is locally administered.
    type: str
  vendor_class:
    description:
      - Vendor class (option 60) to ask with, as V(CISCO ATA192-MPP), for servers that tell phones something else.
    type: str
  ignore:
    description:
      - Servers that may be there, by MAC address or by the IPv4 address that they identify themselves with, in quotes.
      - A MAC address says more than an IPv4 address, which any other server may have too.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    support: full
    description: Can run in C(check_mode) and return changed status without changing anything. It asks then too.
  diff_mode:
    support: none
    description: There is never a difference.
"""

EXAMPLES = r"""
- name: Ask who else answers DHCP on the bench
  voip.preprovision.dhcp_discover:
    interface: bench0
  register: discovered

- name: Refuse to start beside another DHCP server
  ansible.builtin.assert:
    that: discovered.offers | length == 0
    fail_msg: "{{ discovered.msg }}"

- name: See what a phone would be told on the office LAN
  voip.preprovision.dhcp_discover:
    interface: enp1s0
    vendor_class: CISCO ATA192-MPP
    timeout: 10
    ignore: ["192.0.2.2"]
"""

RETURN = r"""
offers:
  description: The first answer of each server, in the order in which they came. All of it was said by strangers.
  returned: success
  type: list
  elements: dict
  contains:
    server:
      description: Its server identifier (option 54), or RV(offers[].source) if it sent none.
      type: str
      sample: 192.0.2.9
    server_mac:
      description: MAC address that the answer came from. It is the relay's, if there is one.
      type: str
      sample: "00:00:5e:00:53:09"
    source:
      description: IPv4 address that the answer came from.
      type: str
      sample: 192.0.2.9
    message:
      description: >-
        V(offer); or another kind of answer, as V(nak), V(ack), and V(bootp) if it does not say. V(damaged) if it cannot be read.
      type: str
      sample: offer
    address:
      description: The address that it offers; empty if none.
      type: str
      sample: 192.0.2.77
    relay:
      description: Address of the relay; empty if there is none.
      type: str
      sample: ""
    next_server:
      description: Address of the TFTP server in the fixed part of the message (C(siaddr)); empty if none.
      type: str
      sample: ""
    server_name:
      description: Name of the TFTP server in the fixed part (C(sname)); empty if none.
      type: str
      sample: ""
    boot_file:
      description: File in the fixed part (C(file)); empty if none.
      type: str
      sample: ""
    options:
      description: >-
        All options that it sent, as C(option_) with the number. Those that phones are provisioned by are text (66, 67, 159, 160) or
        lists of addresses (3, 6, 42, 150). Bytes of a text that are not printable ASCII are written as V(\\x0a). What has no known
        form, as option 43, is in hexadecimal digits.
      type: dict
      sample:
        option_1: 255.255.255.0
        option_51: 3600
        option_66: prov.example.net
        option_150: [192.0.2.9]
    fault:
      description: Why the answer cannot be read; empty if it can.
      type: str
      sample: ""
msg:
  description: One sentence on who answers.
  returned: success
  type: str
  sample: On bench0 the DHCP server 192.0.2.9 (00:00:5e:00:53:09) offers 192.0.2.77
"""

from dataclasses import asdict
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.voip.preprovision.plugins.module_utils.dhcp_packets import DhcpPacketError
from ansible_collections.voip.preprovision.plugins.module_utils.dhcp_probe import ProbeError, discover
from ansible_collections.voip.preprovision.plugins.module_utils.mac import MacError, parse_mac

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "interface": {"type": "str", "required": True},
    "timeout": {"type": "int", "default": 5},
    "attempts": {"type": "int", "default": 2},
    "mac": {"type": "str"},
    "vendor_class": {"type": "str"},
    "ignore": {"type": "list", "elements": "str", "default": []},
}


def main() -> None:
    """Ask and report."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
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
        )
    except MacError as error:
        module.fail_json(msg=f"mac: {error}")
    except (ProbeError, DhcpPacketError) as error:
        module.fail_json(msg=str(error))
    told = ", ".join(map(str, offers)) or f"no DHCP server answers within {options['timeout']} seconds"
    module.exit_json(changed=False, offers=[asdict(offer) for offer in offers], msg=f"On {options['interface']} {told}")


if __name__ == "__main__":
    main()
