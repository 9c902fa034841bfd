# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the profiles module; its code runs on the controller, as the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: profiles
short_description: Publish the profiles of many phones at once
description:
  - Renders, compresses and seals the bootstrap, preprovision and service profiles of all phones on the controller, in one
    pass in memory, and sends what differs from what is live in one transfer. The target builds a new generation beside the
    live one and swaps one symbolic link, so that TFTP and HTTP see all of it at once; a run that is interrupted leaves the
    old one served.
  - Sealing is repeatable, so the task reports a change only when a profile's content changed, and check mode is exact.
  - Bad variables of any phone stop the task before anything changes; all are reported together.
  - A phone is an inventory host (O(phones)), or a row of a file (O(rows)) that never becomes one. Both have the variables
    C(phone_mac) and C(phone_model), and those that the guide to phone variables lists.
  - A phone's parameters are merged in this order, later ones winning. The typed variables, the layers
    C(phone_parameters_<layer>) in alphabetical order, C(phone_parameters), C(phone_lines).
version_added: 0.1.0
author:
  - voip.preprovision contributors (@voip-preprovision)
options:
  dest:
    description:
      - Folder to publish on the target. Web and TFTP servers serve C(current/open) below it; the web server serves
        C(current/device) to device certificates alone.
    type: path
    required: true
  state:
    description:
      - V(present) publishes. V(checked) looks at all phones on the controller and changes nothing. V(previous) goes
        back to the generation before the newest one; doing so twice changes nothing more.
    type: str
    default: present
    choices: [present, checked, previous]
  kinds:
    description:
      - Kinds of profile to publish; files of other kinds stay as they are.
    type: list
    elements: str
    default: [bootstrap, preprovision, service]
    choices: [bootstrap, preprovision, service]
  purge:
    description:
      - Whether profiles of phones that are not listed are removed. A file that this module did not make is never removed.
    type: bool
    default: false
  explain:
    description:
      - Name of one phone. Nothing is published; RV(explanation) says where each of its parameters comes from.
    type: str
  bench_url:
    description:
      - URL of a phone's preprovision profile on the bench, with macros such as C($MA). It must be HTTPS, since that profile
        tells the phone its key. Required unless O(state=previous).
    type: str
  remote_url:
    description:
      - URL of a phone's service profile at the customer's, with macros. The phone's C(Profile_Rule) becomes this with C(--key).
      - C({key_id}) in it becomes eight digits that tell one key of a phone from another; it must be there to change
        keys. Required unless O(state=previous).
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
extends_documentation_fragment:
  - voip.preprovision.phones
  - voip.preprovision.phones.published
notes:
  - Keys and passwords are masked in results, diffs, warnings and errors, whatever C(preprovision_no_log) says. What a parameter is
    called tells whether it is one; so do options of rules, and the passwords and tokens of URLs.
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
    dest: /srv/preprovision
    phones: "{{ groups['phones'] }}"
    bench_url: https://prov.example.net/device/$MA.cfg
    remote_url: https://prov.example.com/service/$MA-{key_id}.cfg
    ca_url: http://prov.example.net/bench-ca.pem
    master_key: "{{ vault_master_key }}"
    purge: true

- name: Publish the phones of a customer database
  voip.preprovision.profiles:
    dest: /srv/preprovision
    rows: customers.sqlite
    query: SELECT mac AS phone_mac, model AS phone_model, customer AS phone_customer FROM units WHERE shipped IS NULL
    groups:
      all:
        phone_resync:
          periodic: 86400
      customer:
        example:
          phone_parameters_customer:
            Proxy_1_: sip.example.com
    bench_url: https://prov.example.net/device/$MA.cfg
    remote_url: https://prov.example.com/service/$MA-{key_id}.cfg
    master_key: "{{ vault_master_key }}"

- name: Go back to what was published before
  voip.preprovision.profiles:
    dest: /srv/preprovision
    state: previous
"""

RETURN = r"""
generation:
  description: Name of the generation that is live after the task.
  returned: when O(state) is V(present) or V(previous)
  type: str
  sample: "000042"
published:
  description: Names of the phones with a file that was (in check mode, would be) sent.
  returned: when O(state=present)
  type: list
  elements: str
unchanged:
  description: Names of the phones whose files are live already.
  returned: when O(state=present)
  type: list
  elements: str
removed:
  description: Names of the phones that are no longer listed and whose files went.
  returned: when O(state=present)
  type: list
  elements: str
files:
  description: Number of files of the listed phones and of their models.
  returned: when O(state=present)
  type: int
sent:
  description: Number of files that were (in check mode, would be) sent.
  returned: when O(state=present)
  type: int
explanation:
  description:
    - One item a parameter of each profile. Secret values are hidden.
  returned: when O(explain) is set
  type: list
  elements: dict
  contains:
    kind:
      description: Kind of profile.
      type: str
    parameter:
      description: Name of the parameter, sections before it.
      type: str
    value:
      description: Its value.
      type: str
    variable:
      description: Phone variable that it comes from; empty for what every phone gets.
      type: str
    origin:
      description: Group, host or row that sets this variable.
      type: str
"""
