# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the profiles module; its code runs on the controller, as the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: profiles
short_description: Publish the profiles of many phones at once
description:
  - Renders, compresses and seals the bootstrap, preprovision and service profiles of all phones on the controller, in one pass in
    memory, and sends what changed to the target in one transfer. The target builds a new generation beside the live one and swaps
    one symbolic link, so that TFTP and HTTP see all of it at once.
  - Sealing is repeatable, so the task reports a change only when a profile's content changed, and check mode is exact.
  - Bad variables of any phone stop the task before anything changes; all are reported together.
  - Each phone is an inventory host that has the variables C(phone_mac) and C(phone_model), and, as wanted, C(phone_serial),
    C(phone_lines), C(phone_profile_key), C(phone_parameters) and C(phone_parameters_<layer>).
  - Layers are merged in the alphabetical order of their names; C(phone_parameters) comes last and wins.
version_added: 0.1.0
author:
  - voip.preprovision contributors (@voip-preprovision)
options:
  path:
    description:
      - Folder to publish on the target. Web and TFTP servers serve C(current/open) below it; the web server serves
        C(current/device) to device certificates alone.
    type: path
    required: true
  hosts:
    description:
      - Names of the inventory hosts that are phones.
    type: list
    elements: str
    required: true
  bench_url:
    description:
      - URL of a phone's preprovision profile on the bench, with macros such as C($MA). It must be HTTPS, since that profile
        tells the phone its key.
    type: str
    required: true
  remote_url:
    description:
      - URL of a phone's service profile at the customer's, with macros. The phone's C(Profile_Rule) becomes this with C(--key).
    type: str
    required: true
  ca_url:
    description:
      - URL of the root certificate behind the bench's server certificate, for families that take one. Empty leaves the phone to
        its own roots.
    type: str
    default: ""
  syslog_server:
    description:
      - Address that phones log to while they are on the bench. Empty leaves both syslog settings alone.
    type: str
    default: ""
  remote_syslog_server:
    description:
      - Address that phones log to at the customer's. Empty clears the bench's address, which would mean another machine there.
    type: str
    default: ""
  bootstrap_parameters:
    description:
      - Parameters of all bootstrap profiles, beside the profile rules. They must not be secret.
    type: dict
    default: {}
  preprovision_parameters:
    description:
      - Parameters of all preprovision profiles; a phone's own parameters win over them.
    type: dict
    default: {}
  complete:
    description:
      - Whether the preprovision profile carries the phone's lines too, so that it works before its first remote resync.
    type: bool
    default: false
  master_key:
    description:
      - Secret from which the profile key of each phone without C(phone_profile_key) is derived, with HKDF and its MAC.
    type: str
  device_group:
    description:
      - Group of the web server's workers, which alone may read the device profiles.
    type: str
    default: www-data
  keep:
    description:
      - How many earlier generations stay on the target.
    type: int
    default: 2
attributes:
  check_mode:
    support: full
    description: Can run in C(check_mode) and return changed status without changing anything.
  diff_mode:
    support: full
    description: The diff names phones and parameters, never a value.
  action:
    support: full
    description: Renders and seals on the controller, so that only what is served reaches the target.
"""

EXAMPLES = r"""
- name: Publish the profiles of all phones
  voip.preprovision.profiles:
    path: /srv/preprovision
    hosts: "{{ groups['phones'] }}"
    bench_url: https://prov.example.net/device/$MA.cfg
    remote_url: https://prov.example.com/service/$MA.cfg
    ca_url: http://prov.example.net/bench-ca.pem
    master_key: "{{ vault_master_key }}"
"""

RETURN = r"""
generation:
  description: Name of the generation that is live after the task.
  returned: success
  type: str
  sample: "000042"
phones:
  description: Number of phones.
  returned: success
  type: int
files:
  description: Number of published files.
  returned: success
  type: int
sent:
  description: Number of files that were (in check mode, would be) sent.
  returned: success
  type: int
removed:
  description: Number of files that are no longer published.
  returned: success
  type: int
"""
