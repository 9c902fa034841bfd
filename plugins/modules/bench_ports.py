# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Warn if no real phone can reach the bench."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bench_ports
short_description: Warn of ports of a bench by which no real phone can reach it
description:
  - "Internal: used by the role P(voip.preprovision.bench#role); not meant for playbooks."
  - Reads whether each port of the bridge has a carrier. Warns of one that has none, is switched off, missing or not in the bridge,
    and of a bench without ports. Changes nothing, and never fails for what it finds.
version_added: 0.1.0
author:
  - voip.preprovision contributors (@voip-preprovision)
options:
  ports:
    description:
      - The interfaces.
    type: list
    elements: str
    required: true
  bridge:
    description:
      - Name of the bench's bridge.
    type: str
    default: bench0
  wait:
    description:
      - Maximum seconds to wait until all ports have a carrier. Interfaces that were just switched on need some.
    type: float
    default: 0
extends_documentation_fragment:
  - voip.preprovision.attributes
"""

EXAMPLES = r"""
- name: Warn if no phone can reach the bench
  voip.preprovision.bench_ports:
    ports: [enp2s0]
    wait: 5
"""

RETURN = r"""
ports:
  description: Each of O(ports) with its state, V(up), V(no carrier), V(down), V(apart) or V(missing).
  returned: success
  type: dict
  sample: {enp2s0: up}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.voip.preprovision.plugins.module_utils.bench.ports import port_problems
from ansible_collections.voip.preprovision.plugins.module_utils.station.bench_ports import wait_for_ports

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "ports": {"type": "list", "elements": "str", "required": True},
    "bridge": {"type": "str", "default": "bench0"},
    "wait": {"type": "float", "default": 0},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    bridge = module.params["bridge"]
    ports = wait_for_ports(bridge, module.params["ports"], module.params["wait"])
    for problem in port_problems(bridge, ports):
        module.warn(f"bench: {problem}")
    module.exit_json(changed=False, ports=ports)


if __name__ == "__main__":
    main()
