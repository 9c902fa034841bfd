# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Gather what a station knows about single phones and about itself."""

from __future__ import annotations

DOCUMENTATION = r"""
module: phone_facts
short_description: Gather what a station knows about single phones and about itself
description:
  - Reads the leases and the configuration of ISC DHCP or Kea, the journal of the station's services, the phones' log lines, the
    published tree and, if it runs, the profile service's database. Changes nothing.
  - Asks each running service a question in its own protocol.
  - Omits whatever is missing, so it also works on a station whose services are down.
  - The filters P(voip.preprovision.check_table#filter) and P(voip.preprovision.phone_page#filter) print the results.
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
      - Host name by which phones reach the server; its certificate is checked for that name.
    type: str
    required: true
  wait:
    description:
      - Maximum seconds to wait until the database knows that each phone has released its last lease.
    type: float
    default: 0
  since:
    description:
      - Time of the earliest log lines and events to return, in seconds since 1970 by the target's clock.
    type: int
    default: 0
  controller_time:
    description:
      - Seconds since 1970 by another clock, which the station's is compared with; V(0) for none.
    type: int
    default: 0
  bridge:
    description:
      - Name of the bench's bridge.
    type: str
    default: bench0
  ports:
    description:
      - Interfaces that are to be ports of the bridge, as in C(bench_ports); an empty list for a virtual bench. Without this option
        nothing is reported of them.
    type: list
    elements: str
  path:
    description:
      - Folder in which profiles are published.
    type: path
    default: /srv/preprovision
  certificates:
    description:
      - Folder of the certificates.
    type: path
    default: /etc/preprovision/certificates
  logs:
    description:
      - Folder with the phones' log files.
    type: path
    default: /var/log/preprovision/phones
  leases:
    description:
      - The DHCP server's lease file, of ISC DHCP or, named C(*.csv), of Kea. By default that of the server that the station runs.
    type: path
  dhcp_configuration:
    description:
      - The DHCP server's configuration file. By default that of the server that the station runs.
    type: path
  code:
    description:
      - Folder with the profile service's Python package.
    type: path
    default: /usr/local/lib/preprovision-service
  owner:
    description:
      - User that runs the profile service.
    type: str
    default: preprovision-service
extends_documentation_fragment:
  - voip.preprovision.attributes
"""

EXAMPLES = r"""
- name: Gather what the station knows about a phone
  voip.preprovision.phone_facts:
    phones: ["00:00:5e:00:53:01"]
    name: prov.example.net
  register: known

- name: Print it
  ansible.builtin.debug:
    msg: "{{ known.phones[0] | voip.preprovision.phone_page(known.station) }}"
"""

RETURN = r"""
station:
  description: State of the station.
  returned: success
  type: dict
  contains:
    time:
      description: The station's time, in seconds since 1970.
      type: int
    clock_off:
      description: Seconds by which its clock is ahead of O(controller_time).
      type: int
    services:
      description: systemd's C(ActiveState) of each installed service; V(hung) if it is active, but does not answer.
      type: dict
    answers:
      description: What each service that is not active said of itself, or how it failed to answer.
      type: dict
    pages:
      description: What is wrong with each page that the web server passes on to the profile service; empty if nothing.
      type: dict
    full_folders:
      description: Folders that the services write to and whose file systems are full.
      type: list
      elements: str
    complaints:
      description: Warnings and errors of the services in the journal since O(since), each with service, priority and text.
      type: list
      elements: dict
    bridge:
      description: >-
        Name, state (V(up), V(down) or V(missing)) and address of the bench's bridge, and the state of each of O(ports) (V(up),
        V(no carrier), V(down), V(apart) or V(missing)).
      type: dict
    certificate:
      description: Names, issuer, validity and C(problems) of the server's certificate.
      type: dict
    offered:
      description: Options that DHCP offers to all phones, by their names in ISC DHCP's configuration.
      type: dict
phones:
  description: One entry for each of O(phones), in the same order.
  returned: success
  type: list
  elements: dict
  contains:
    who:
      description: The entry of O(phones).
      type: str
    mac:
      description: The phone's MAC address as twelve hexadecimal digits; empty if the phone is unknown.
      type: str
    lease:
      description: Its latest entry in the lease file.
      type: dict
    reservation:
      description: Its name and address in DHCP's configuration.
      type: dict
    events:
      description: Events from the logs of the services and of the phone, the latest last.
      type: list
      elements: dict
    log:
      description: The last lines that it has logged.
      type: list
      elements: str
    database:
      description: Its row and its events in the profile service's database; none without that service.
      type: dict
    generation:
      description: The published generation that is live.
      type: str
    files:
      description: Names of the files that every phone may fetch.
      type: list
      elements: str
    own:
      description: Its own files, each with its kind and the fingerprint of its content.
      type: list
      elements: dict
"""

import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.voip.preprovision.plugins.module_utils.common.mac import MacError, parse_mac
from ansible_collections.voip.preprovision.plugins.module_utils.dhcp.lease_file import current_path
from ansible_collections.voip.preprovision.plugins.module_utils.station.dhcp_facts import current_configuration, read_leases
from ansible_collections.voip.preprovision.plugins.module_utils.station.facts import (
    find_mac,
    is_missing_messages,
    read_database,
    read_phone,
    read_station,
)

_PAUSE = 0.5

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "phones": {"type": "list", "elements": "str", "default": []},
    "name": {"type": "str", "required": True},
    "wait": {"type": "float", "default": 0},
    "since": {"type": "int", "default": 0},
    "controller_time": {"type": "int", "default": 0},
    "bridge": {"type": "str", "default": "bench0"},
    "ports": {"type": "list", "elements": "str"},
    "path": {"type": "path", "default": "/srv/preprovision"},
    "certificates": {"type": "path", "default": "/etc/preprovision/certificates"},
    "logs": {"type": "path", "default": "/var/log/preprovision/phones"},
    "leases": {"type": "path"},
    "dhcp_configuration": {"type": "path"},
    "code": {"type": "path", "default": "/usr/local/lib/preprovision-service"},
    "owner": {"type": "str", "default": "preprovision-service"},
}


def spelled(who: str) -> str:
    """Return a MAC address as twelve hex digits, and anything else unchanged."""
    try:
        return parse_mac(who).plain
    except MacError:
        return who.strip()


def read_phones(asked: list[str], parameters: dict[str, Any], wait: float) -> list[dict[str, Any]]:
    """Return what the station knows of each phone; wait so many seconds for the last event of each."""
    kept = read_database(parameters["code"], parameters["owner"], asked, wait) if asked else None
    leases = read_leases(parameters["leases"])
    phones = []
    for who in asked:
        mac = find_mac(who, (kept or {}).get(who), parameters)
        facts = read_phone(mac, who, parameters, (kept or {}).get(who), leases) if mac else {}
        phones.append({"who": who, "mac": mac, **facts})
    return phones


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    parameters = module.params
    parameters["leases"] = parameters["leases"] or current_path()
    parameters["dhcp_configuration"] = parameters["dhcp_configuration"] or current_configuration()
    asked = [spelled(who) for who in parameters["phones"]]
    station = read_station(parameters)
    # Without the collector, no event would end the wait
    wait = parameters["wait"] if station["services"].get("events") == "active" else 0
    end = time.monotonic() + wait
    while True:
        phones = read_phones(asked, parameters, max(end - time.monotonic(), 0))
        # The phones' own lines take another way than those of the services, and may arrive later
        if time.monotonic() > end or not any(map(is_missing_messages, phones)):
            break
        time.sleep(_PAUSE)
    module.exit_json(changed=False, station=station, phones=phones)


if __name__ == "__main__":
    main()
