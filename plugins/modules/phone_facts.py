# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a station knows of single phones, and of itself."""

from __future__ import annotations

DOCUMENTATION = r"""
module: phone_facts
short_description: Tell what a station knows of single phones, and of itself
description:
  - Reads the leases and the configuration of ISC DHCP, the journal of the station's services, the log lines of the phones, the
    published tree and, where it runs, the profile service's database. Changes nothing.
  - What is missing is left out, so that a station of which half is down can be asked too.
  - The filters P(voip.preprovision.check_table#filter) and P(voip.preprovision.phone_page#filter) show it.
version_added: 0.1.0
author:
  - voip.preprovision contributors (@voip-preprovision)
requirements:
  - root on the target
  - the Debian package python3-cryptography on the target
options:
  phones:
    description:
      - MAC address in any spelling, serial number or name of each phone.
    type: list
    elements: str
    default: []
  name:
    description:
      - Name that phones find the server under, to judge its certificate.
    type: str
    required: true
  wait:
    description:
      - Seconds to wait at most until the database has heard that the last lease of each phone was given back.
    type: float
    default: 0
  since:
    description:
      - Of log lines and events, those from then on, in seconds since 1970 by the target's clock.
    type: int
    default: 0
  controller_time:
    description:
      - Seconds since 1970 by another clock, to judge the station's; V(0) for none.
    type: int
    default: 0
  bridge:
    description:
      - The bridge of the bench.
    type: str
    default: bench0
  path:
    description:
      - Folder that profiles are published in.
    type: path
    default: /srv/preprovision
  certificates:
    description:
      - Folder of the certificates.
    type: path
    default: /etc/preprovision/certificates
  logs:
    description:
      - Folder of the phones' log lines.
    type: path
    default: /var/log/preprovision/phones
  leases:
    description:
      - File of the leases of ISC DHCP.
    type: path
    default: /var/lib/dhcp/dhcpd.leases
  dhcp_configuration:
    description:
      - Configuration of ISC DHCP.
    type: path
    default: /etc/dhcp/dhcpd.conf
  code:
    description:
      - Folder that holds the package of the profile service.
    type: path
    default: /usr/local/lib/preprovision-service
  owner:
    description:
      - User of the profile service.
    type: str
    default: preprovision-service
attributes:
  check_mode:
    support: full
    description: Can run in C(check_mode) and return changed status without changing anything.
  diff_mode:
    support: none
    description: There is never a difference.
"""

EXAMPLES = r"""
- name: Ask what the station knows of a phone
  voip.preprovision.phone_facts:
    phones: ["00:00:5e:00:53:01"]
    name: prov.example.net
  register: known

- name: Show it
  ansible.builtin.debug:
    msg: "{{ known.phones[0] | voip.preprovision.phone_page(known.station) }}"
"""

RETURN = r"""
station:
  description: What the station says of itself.
  returned: success
  type: dict
  contains:
    time:
      description: Its clock, in seconds since 1970.
      type: int
    clock_off:
      description: How many seconds its clock is ahead of O(controller_time).
      type: int
    services:
      description: C(ActiveState) of systemd by service, of those that are installed.
      type: dict
    bridge:
      description: Name, state (V(up), V(down) or V(missing)) and address of the bench's bridge.
      type: dict
    certificate:
      description: Names, issuer, times and C(problems) of the server's certificate.
      type: dict
    offered:
      description: The options that DHCP has for all phones, by their names in its configuration.
      type: dict
phones:
  description: One entry for each of O(phones), in their order.
  returned: success
  type: list
  elements: dict
  contains:
    who:
      description: What was asked for.
      type: str
    mac:
      description: Its MAC address, as twelve hexadecimal digits; empty for one that is not known.
      type: str
    lease:
      description: What DHCP has written last of it.
      type: dict
    reservation:
      description: Its name and address in the configuration of DHCP.
      type: dict
    events:
      description: What the services' and its own lines say of it, the latest last.
      type: list
      elements: dict
    log:
      description: The last lines that it has sent.
      type: list
      elements: str
    database:
      description: Its row in the profile service's database and its events there; none where there is no such service.
      type: dict
    generation:
      description: The live generation of what is published.
      type: str
    files:
      description: The names that stand open to every phone.
      type: list
      elements: str
    own:
      description: Its own files, each with its kind and the mark of its content.
      type: list
      elements: dict
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.voip.preprovision.plugins.module_utils.mac import MacError, parse_mac
from ansible_collections.voip.preprovision.plugins.module_utils.station_facts import (
    find_mac,
    read_database,
    read_leases,
    read_phone,
    read_station,
)

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "phones": {"type": "list", "elements": "str", "default": []},
    "name": {"type": "str", "required": True},
    "wait": {"type": "float", "default": 0},
    "since": {"type": "int", "default": 0},
    "controller_time": {"type": "int", "default": 0},
    "bridge": {"type": "str", "default": "bench0"},
    "path": {"type": "path", "default": "/srv/preprovision"},
    "certificates": {"type": "path", "default": "/etc/preprovision/certificates"},
    "logs": {"type": "path", "default": "/var/log/preprovision/phones"},
    "leases": {"type": "path", "default": "/var/lib/dhcp/dhcpd.leases"},
    "dhcp_configuration": {"type": "path", "default": "/etc/dhcp/dhcpd.conf"},
    "code": {"type": "path", "default": "/usr/local/lib/preprovision-service"},
    "owner": {"type": "str", "default": "preprovision-service"},
}


def spelled(who: str) -> str:
    """Return a MAC address as twelve hex digits, and all else as it is."""
    try:
        return parse_mac(who).plain
    except MacError:
        return who.strip()


def main() -> None:
    """Wiring."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    parameters = module.params
    asked = [spelled(who) for who in parameters["phones"]]
    station = read_station(parameters)
    # What is down brings nothing that could be waited for
    wait = parameters["wait"] if station["services"].get("events") == "active" else 0
    kept = read_database(parameters["code"], parameters["owner"], asked, wait) if asked else None
    leases = read_leases(parameters["leases"])
    phones = []
    for who in asked:
        mac = find_mac(who, (kept or {}).get(who), parameters)
        told = read_phone(mac, who, parameters, (kept or {}).get(who), leases) if mac else {}
        phones.append({"who": who, "mac": mac, **told})
    module.exit_json(changed=False, station=station, phones=phones)


if __name__ == "__main__":
    main()
