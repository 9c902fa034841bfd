# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the profiles module; its code runs on the controller, as the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: profiles
short_description: Publish the profiles of many phones at once
description:
  - Renders, compresses and seals the bootstrap, preprovision and service profiles of all phones on the controller, in one
    pass in memory, and sends the differences from the live files in one transfer. The target builds a new generation beside the
    live one and swaps one symbolic link, so that TFTP and HTTP serve either the old generation or the new; after an interrupted
    run the old one is still served.
  - Sealing is repeatable, so the task reports a change only when a profile's content changed, and check mode is exact.
  - Invalid variables of any phone stop the task before anything changes; all are reported together.
  - A phone is an inventory host (O(phones)), or a row of a file (O(rows)) that never becomes one. Both have the variables
    C(phone_mac) and C(phone_model), and the others in the guide to phone variables.
  - A phone's parameters are merged in this order, later ones winning. The typed variables, the layers
    C(phone_parameters_<layer>) in alphabetical order, C(phone_parameters), C(phone_lines).
version_added: 0.1.0
author:
  - voip.preprovision contributors (@voip-preprovision)
options:
  dest:
    description:
      - Folder to publish on the target. Web and TFTP servers serve C(current/open) below it; the web server serves
        C(current/device) only to device certificates, and the TFTP server each folder in C(current/units) only to the unit with
        that MAC address.
    type: path
    required: true
  state:
    description:
      - V(present) publishes. V(checked) validates all phones on the controller and changes nothing. V(previous) goes
        back to the generation before the newest one; repeating it changes nothing more.
    type: str
    default: present
    choices: [present, checked, previous]
  purge:
    description:
      - Whether to remove profiles of phones that are not listed. Files that this module did not make are never removed.
    type: bool
    default: false
  explain:
    description:
      - Name of one phone. Nothing is published; RV(explanation) says what sets each of its parameters.
    type: str
  device_group:
    description:
      - Group of the web server's workers, the only one that can read the files that need a unit's certificate.
    type: str
    default: preprovision-web
  unit_group:
    description:
      - Group of the TFTP server, the only one that can read the files of single units.
    type: str
    default: preprovision-tftp
  keep:
    description:
      - Number of earlier generations to keep on the target.
    type: int
    default: 2
  replace_master_key:
    description:
      - Accept any O(master_key). Without this, the task stops before anything changes if the live files were published with another
        one than O(master_key) and O(previous_master_key), since phones in the field would never find their files again.
    type: bool
    default: false
  full:
    description:
      - Render all phones and read all live files. Without this, the task skips phones whose variables, groups, templates and
        settings are those of their live files, and files that nobody has touched. All live files are read once a day anyway.
      - Without O(master_key) all phones are always rendered, since their fingerprints could not be kept secret.
    type: bool
    default: false
extends_documentation_fragment:
  - voip.preprovision.phones
  - voip.preprovision.phones.keys
  - voip.preprovision.phones.kinds
  - voip.preprovision.phones.trust
notes:
  - Keys and passwords are masked in results, diffs, warnings and errors, whatever C(preprovision_no_log) says. They are recognised
    by parameter names, options of rules, and passwords and tokens in URLs.
attributes:
  check_mode:
    support: full
    description: Can run in C(check_mode) and return changed status without changing anything.
  diff_mode:
    support: full
    description: The diff names phones and parameters, never a value.
  action:
    support: full
    description: Renders and seals on the controller, so that only served files reach the target.
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

- name: Go back to the previous generation
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
  description: Names of the phones whose files were live already.
  returned: when O(state=present)
  type: list
  elements: str
removed:
  description: Names of the phones that are no longer listed and whose files were removed.
  returned: when O(state=present)
  type: list
  elements: str
files:
  description: Number of files of the listed phones and of their models.
  returned: when O(state=present)
  type: int
rendered:
  description: Number of phones whose profiles were made, because something that they are made of, or a live file, had changed.
  returned: when O(state=present)
  type: int
  sample: 2
sent:
  description: Number of files that were (in check mode, would be) sent.
  returned: when O(state=present)
  type: int
explanation:
  description:
    - One item for each parameter of each profile. Secret values are hidden.
  returned: when O(explain) is set
  type: list
  elements: dict
  contains:
    kind:
      description: Kind of profile.
      type: str
    parameter:
      description: Name of the parameter, after its sections.
      type: str
    value:
      description: Its value.
      type: str
    variable:
      description: Phone variable that it comes from; empty for parameters that every phone gets.
      type: str
    origin:
      description: Group, host or row that sets this variable.
      type: str
    ignored:
      description: Why the phone ignores the parameter, or takes it as text; empty if it does not.
      type: str
"""
