# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Classify the NAT in front of the target."""

from __future__ import annotations

DOCUMENTATION = r"""
module: stun_check
short_description: Classify the NAT between the target and a STUN server, and report whether STUN helps phones behind it
description:
  - Sends STUN binding requests by UDP (RFC 8489) from the target, and compares the addresses that two or three servers see
    (RFC 5780). What the NAT's mapping depends on decides whether a phone in the target's place can be reached at the address that
    it learns by STUN.
  - A server with two addresses, such as the role stun_server sets up with C(stun_server_alternate_address), announces its second
    address and is asked at both. For a server with one address, name another port in O(alternates); the NAT's filtering is then not
    known.
version_added: 0.1.0
author:
  - voip.preprovision contributors (@voip-preprovision)
options:
  server:
    description: Name or IPv4 address of the STUN server. If the name has several addresses, the first is asked.
    type: str
    required: true
  port:
    description: UDP port of the server.
    type: int
    default: 3478
  alternates:
    description:
      - Further ports or servers that answer STUN, such as V(192.0.2.1:3479), asked if the server announces no second address.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds to wait for each response. There are up to five.
    type: int
    default: 3
attributes:
  check_mode:
    support: full
    description: Can run in C(check_mode) and return changed status without changing anything. It sends requests then, too.
  diff_mode:
    support: none
    description: Nothing is changed.
"""

EXAMPLES = r"""
- name: Find out whether phones in this network can use STUN
  voip.preprovision.stun_check:
    server: stun.example.net
    alternates: ["stun.example.net:3479"]
  register: found

- name: Fail in a network where they cannot
  ansible.builtin.assert:
    that: found.stun_helps
    fail_msg: "{{ found.msg }}"
"""

RETURN = r"""
msg:
  description: The result and what it means for a phone, as sentences.
  returned: success
  type: str
  sample: >-
    192.0.2.1:3478 sees 10.0.0.2:40000 as 198.51.100.7:40000: there is a port restricted cone NAT. STUN helps, and keep-alive
    messages keep the mapping open: phone_nat: {mapping: true, stun_server: 192.0.2.1:3478, keep_alive: true}. Responses from
    another port do not get in, so TFTP does not pass; provision by HTTPS.
nat:
  description:
    - The NAT's usual name. V(none), V(full cone), V(restricted cone), V(port restricted cone), V(cone) if RV(filtering) is not
      known, V(symmetric), V(unknown).
    - Behind V(symmetric), STUN is of no use to a phone, since each destination sees a port other than the STUN server's.
  returned: success
  type: str
  sample: symmetric
stun_helps:
  description: Whether a phone can be reached at the address that it learns by STUN. V(false) without NAT; V(none) if unknown.
  returned: success
  type: bool
  sample: false
tftp_passes:
  description: Whether responses from another port get in, as those of TFTP servers must. V(none) if unknown.
  returned: success
  type: bool
  sample: false
mapping:
  description: What the outside port depends on. V(independent), V(address_dependent), V(address_and_port_dependent), V(unknown).
  returned: success
  type: str
  sample: address_and_port_dependent
filtering:
  description: Who gets in, in the same terms. V(independent) means everybody; V(unknown) if the server has no second address.
  returned: success
  type: str
  sample: address_and_port_dependent
local:
  description: Address and port that the requests were sent from.
  returned: success
  type: str
  sample: 10.0.0.2:40000
mapped:
  description: Address and port that the server sees.
  returned: success
  type: str
  sample: 198.51.100.7:40000
others:
  description: Addresses and ports that the other servers see, in the order of the requests.
  returned: success
  type: list
  elements: str
  sample: ["198.51.100.7:40001"]
"""

import re
import socket
from contextlib import ExitStack
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.voip.preprovision.plugins.module_utils.nat.discovery import Behaviour, StunCheckError, UdpAsker, discover
from ansible_collections.voip.preprovision.plugins.module_utils.nat.stun import Endpoint

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "server": {"type": "str", "required": True},
    "port": {"type": "int", "default": 3478},
    "alternates": {"type": "list", "elements": "str", "default": []},
    "timeout": {"type": "int", "default": 3},
}


def _resolve(name: str, port: int) -> Endpoint:
    if not 1 <= port <= 65535:
        raise StunCheckError(f"{name}:{port} must have a port between 1 and 65535")
    try:
        return Endpoint(socket.gethostbyname(name), port)
    except (OSError, UnicodeError) as error:
        raise StunCheckError(f"the name {name} has no IPv4 address: {error}") from error


def _alternate(text: str) -> Endpoint:
    match = re.fullmatch(r"([^:\s]+):([0-9]{1,5})", text)
    if not match:
        raise StunCheckError(f"alternates: '{text}' must be an address or name with a port, such as 192.0.2.1:3479")
    return _resolve(match[1], int(match[2]))


def check(options: dict[str, Any]) -> Behaviour:
    """Return the NAT's behaviour; raise StunCheckError."""
    if options["timeout"] < 1:
        raise StunCheckError(f"timeout is {options['timeout']}; it must be at least 1")
    server = _resolve(options["server"], options["port"])
    alternates = [_alternate(text) for text in options["alternates"]]
    with ExitStack() as opened:
        return discover(lambda: opened.enter_context(UdpAsker(server, options["timeout"])), server, alternates)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        found = check(module.params)
    except StunCheckError as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=False,
        msg=str(found),
        nat=found.nat.value,
        stun_helps=found.stun_helps,
        tftp_passes=found.tftp_passes,
        mapping=found.mapping.value,
        filtering=found.filtering.value,
        local=str(found.local),
        mapped=str(found.mapped),
        others=[str(seen) for seen in found.others],
    )


if __name__ == "__main__":
    main()
