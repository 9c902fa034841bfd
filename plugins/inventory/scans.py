# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""A file of scanned labels as inventory hosts."""

from __future__ import annotations

DOCUMENTATION = r"""
name: scans
short_description: A file of scanned labels as phones
version_added: 0.1.0
author:
  - voip.preprovision contributors (@voip-preprovision)
description:
  - Reads what a bar code scanner typed into a file, and makes an inventory host of each unit, in groups by customer and model.
  - With a header line such as C(mac,serial,model,customer) the file is a table with commas, semicolons or tabs, its columns in any
    order. Columns are known by common names in any case, such as C(MAC address), C(S/N), C(PID). A column C(name) names the host. A
    column whose name begins with C(phone_) becomes that variable.
  - Without a header each line is a code. The codes of one unit follow each other in any order; where one was left out, blank lines
    around each unit keep the others together. A line such as C(customer=example), C(model=ATA192) or C(site=berlin) holds for what
    follows it. Labels before a code, such as C(MAC:) and C(S/N), are understood.
  - Twelve hexadecimal digits may be a MAC address or a serial number. The column or label decides, else whether the IEEE gave the
    first half to a maker of phones, else what the other code of the unit is.
  - Everything that is wrong is told at once, with file and line. A MAC address or serial number that comes twice is refused. A MAC
    address that does not fit the maker of the model is a warning.
  - Lines that begin with C(#) are comments.
notes:
  - Ansible warns and goes on without the hosts of an inventory source that is refused. With C(any_unparsed_is_failed = true) in
    section C([inventory]) of C(ansible.cfg) it stops.
  - In a folder that is an inventory, Ansible takes each file for an inventory source unless its name has one of the endings of
    C(ignore_extensions). C(.txt) is one of them, C(.csv) is not.
requirements:
  - netaddr (Python library on the controller)
extends_documentation_fragment:
  - ansible.builtin.constructed
options:
  plugin:
    description: Name of this plugin.
    type: str
    required: true
    choices: [voip.preprovision.scans]
  file:
    description: The file of scans, from the folder of this configuration on, or C(~).
    type: str
    required: true
  group:
    description: Group of all phones.
    type: str
    default: phones
  customer:
    description: Customer of the units whose customer the file does not say.
    type: str
  model:
    description: Model of the units whose model the file does not say.
    type: str
  customer_group_prefix:
    description: What the name of a customer's group begins with.
    type: str
    default: customer_
  model_group_prefix:
    description: What the name of a model's group begins with.
    type: str
    default: model_
  families:
    description:
      - Families and models of your own, as in O(voip.preprovision.profiles#module:families). An inventory plugin cannot see group
        variables.
    type: dict
    default: {}
"""

EXAMPLES = r"""
# phones.scans.yml
plugin: voip.preprovision.scans
file: phones.txt

# Units of one customer and model, scanned as bare codes
---
plugin: voip.preprovision.scans
file: ../pallet-7.csv
customer: example
model: ATA192

# Groups by site as well
---
plugin: voip.preprovision.scans
file: phones.txt
keyed_groups:
  - key: phone_site
    prefix: site
"""

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin, Constructable

from ansible_collections.voip.preprovision.plugins.module_utils.families import BUILTIN, FamilyError
from ansible_collections.voip.preprovision.plugins.module_utils.scans import (
    CUSTOMER,
    MODEL,
    ScanError,
    ScannedPhone,
    Scans,
    decode,
    read_scans,
)


class InventoryModule(BaseInventoryPlugin, Constructable):
    NAME = "voip.preprovision.scans"

    def verify_file(self, path: str) -> bool:
        return super().verify_file(path) and path.endswith(("scans.yml", "scans.yaml"))

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        scans = self._read(Path(path).parent)
        for warning in scans.warnings:
            self.display.warning(warning)
        self.inventory.add_group(self.get_option("group"))
        for phone in scans.phones:
            self._add(phone)

    def _read(self, folder: Path) -> Scans:
        file = self.get_option("file")
        path = folder / Path(file).expanduser()
        defaults = {CUSTOMER: self.get_option("customer"), MODEL: self.get_option("model")}
        try:
            return read_scans(
                decode(path.read_bytes(), file),
                file,
                defaults={name: value for name, value in defaults.items() if value},
                catalogue=BUILTIN.extended(self.get_option("families")),
                prefixes={CUSTOMER: self.get_option("customer_group_prefix"), MODEL: self.get_option("model_group_prefix")},
            )
        except OSError as error:
            raise AnsibleParserError(f"the file of scans {path} cannot be read: {error.strerror}") from None
        except (ScanError, FamilyError) as error:
            raise AnsibleParserError(str(error)) from error

    def _add(self, phone: ScannedPhone) -> None:
        everyone = self.get_option("group")
        self.inventory.add_host(phone.name, everyone)
        for group in phone.groups:
            self.inventory.add_group(group)
            self.inventory.add_child(everyone, group)
            self.inventory.add_child(group, phone.name)
        for name, value in phone.variables.items():
            self.inventory.set_variable(phone.name, name, value)
        variables = dict(phone.variables)
        strict = self.get_option("strict")
        self._set_composite_vars(self.get_option("compose"), variables, phone.name, strict)
        self._add_host_to_composed_groups(self.get_option("groups"), variables, phone.name, strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), variables, phone.name, strict)
