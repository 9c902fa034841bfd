# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Options of the modules that read all phones: who they are, and what their profiles are made with."""

from __future__ import annotations


class ModuleDocFragment:
    """Ansible takes these texts into the documentation of who names ``voip.preprovision.phones`` and ``.phones.published``."""

    DOCUMENTATION = r"""
options:
  phones:
    description:
      - Names of the inventory hosts that are phones.
    type: list
    elements: str
    default: []
  rows:
    description:
      - File on the controller whose rows are phones, instead of O(phones). CSV (C(.csv), C(.tsv)), JSON Lines
        (C(.jsonl)) or SQLite (C(.db), C(.sqlite)). A column is a phone variable; a dot goes into it, as in
        C(phone_lines.1.user_id).
      - CSV and JSON Lines may be encrypted with Ansible Vault.
    type: path
  query:
    description:
      - Query that yields the rows of a SQLite file. Without it those of its table C(phones).
    type: str
  groups:
    description:
      - What rows share. Keys are C(all), or what follows C(phone_) in a variable, such as C(customer), C(site),
        C(model); below these, a value of that variable and the phone variables of all rows that have it. Later keys
        win, and a row wins over all.
    type: dict
    default: {}
  families:
    description:
      - Product families of your own, or corrections of known ones, by name. C(based_on) names the family that one resembles.
    type: dict
    default: {}
  complete:
    description:
      - Kinds that carry all parameters. The others are limited to what keeps a phone in touch with its server (rules,
        certificates, timers, logs, passwords of the web page).
      - A complete bootstrap profile has what all phones of its model share and what is not secret.
    type: list
    elements: str
    default: [service]
    choices: [bootstrap, preprovision, service]
  ca_url:
    description:
      - URL of the root certificate behind the bench's server certificate, for families that take one. Empty leaves the phone to
        its own roots.
    type: str
    default: ""
  remote_ca_url:
    description:
      - URL of the root certificate behind the customer's server certificate, for families that take one. Empty clears that of
        O(ca_url), whose maker nobody at the customer's need trust; not where O(remote_url) is HTTPS on the server of O(bench_url).
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
  preprovision_parameters:
    description:
      - Parameters of all preprovision profiles; a phone's own parameters win over them.
    type: dict
    default: {}
  plaintext_secrets:
    description:
      - Whether a file that anybody may read may hold a password, for families that cannot decrypt. Only for a closed bench.
    type: bool
    default: false
"""

    # What makes no difference to a phone that is made up for a check
    PUBLISHED = r"""
options:
  firmware_images:
    description:
      - Images that phones can have, as role C(firmware) documents them. C(phone_firmware) chooses among
        these; a phone that cannot have what it names stops the task.
    type: list
    elements: dict
    default: []
  firmware_url:
    description:
      - URL of the folder of images on the bench, with C(/) at its end, to which C(Upgrade_Rule) in preprovision profiles leads.
    type: str
    default: ""
  remote_firmware_url:
    description:
      - The same at the customer's, for service profiles. Empty clears the rule of the bench there.
    type: str
    default: ""
  bootstrap_parameters:
    description:
      - Parameters of all bootstrap profiles of families with profile rules, beside those rules. They must not be secret.
    type: dict
    default: {}
  unknown_parameters:
    description:
      - What to do about a parameter that the phone's family does not know and so would ignore in silence.
    type: str
    default: warn
    choices: [warn, error, ignore]
  master_key:
    description:
      - Secret from which the profile key of each phone without C(phone_profile_key) is derived, with HKDF and its MAC.
    type: str
  previous_master_key:
    description:
      - The master key of the keys that phones still hold, while they are led to those of O(master_key). Each phone's
        service profile is then published twice, and what it fetches with the old key names the new one.
    type: str
"""
