# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Inventory hosts from a file of scanned labels."""

from __future__ import annotations

DOCUMENTATION = r"""
name: scans
short_description: Phones from a file of scanned labels
version_added: 0.1.0
author:
  - voip.preprovision contributors (@voip-preprovision)
description:
  - Reads what a bar code scanner typed into a file, and adds an inventory host for each unit, in groups by customer and model.
  - With a header line such as C(mac,serial,model,customer) the file is a table separated by commas, semicolons or tabs, with
    columns in any order. Columns may have common names in any case, such as C(MAC address), C(S/N), C(PID). A column C(name) names
    the host. A column with a name that begins with C(phone_) sets that variable; a dot reaches into a list or mapping, as in
    C(phone_lines.1.user_id).
  - Without a header each line is a code. The codes of one unit follow each other in any order; if one was skipped, blank lines
    around each unit keep the others together. A line such as C(customer=example), C(model=ATA192) or C(site=berlin) applies to the
    units after it. Labels before a code, such as C(MAC:) and C(S/N), are recognised.
  - Codes are read by the standards of labels. These are the symbology identifiers of ISO/IEC 15424, the envelope of ISO/IEC 15434,
    the data identifiers of ANS MH10.8.2, and the application identifiers of GS1. A QR code may also hold JSON, a URL, or names with
    values. Article numbers, part numbers, quantities and the like are refused, or skipped beside a unit's MAC address or serial
    number.
  - Twelve hexadecimal digits may be a MAC address or a serial number. The column or label decides, otherwise whether the first half
    is registered to a maker of phones, otherwise the check digit of a UPC, otherwise the unit's other code.
  - Reports all errors at once, with file and line. Rejects duplicate MAC addresses and serial numbers. Warns about a MAC address
    that is not registered to the maker of the model.
  - Ignores lines that begin with C(#).
notes:
  - Ansible warns and continues without the hosts of an invalid inventory source. Set C(any_unparsed_is_failed = true) in section
    C([inventory]) of C(ansible.cfg) to make it stop.
  - In an inventory folder, Ansible takes each file for an inventory source unless its name ends with one of C(ignore_extensions).
    C(.txt) is one of them, C(.csv) is not.
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
    description: The file of scans, relative to this configuration's folder; may begin with C(~).
    type: str
    required: true
  group:
    description: Group of all phones.
    type: str
    default: phones
  customer:
    description: Customer of units without one in the file.
    type: str
  model:
    description: Model of units without one in the file.
    type: str
  customer_group_prefix:
    description: Prefix of the names of customers' groups.
    type: str
    default: customer_
  model_group_prefix:
    description: Prefix of the names of models' groups.
    type: str
    default: model_
  families:
    description:
      - Your own families and models, as in O(voip.preprovision.profiles#module:families). An inventory plugin cannot see group
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

from ansible_collections.voip.preprovision.plugins.module_utils.families.catalogue import BUILTIN
from ansible_collections.voip.preprovision.plugins.module_utils.families.model import FamilyError
from ansible_collections.voip.preprovision.plugins.module_utils.phones.label_scans import Scans, decode, read_scans
from ansible_collections.voip.preprovision.plugins.module_utils.phones.scan_columns import Column
from ansible_collections.voip.preprovision.plugins.module_utils.phones.scan_units import ScanError
from ansible_collections.voip.preprovision.plugins.module_utils.phones.scanned_phones import ScannedPhone


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
        defaults = {Column.CUSTOMER: self.get_option("customer"), Column.MODEL: self.get_option("model")}
        prefixes = {
            Column.CUSTOMER: self.get_option("customer_group_prefix"),
            Column.MODEL: self.get_option("model_group_prefix"),
        }
        try:
            return read_scans(
                decode(path.read_bytes(), file),
                file,
                defaults={name: value for name, value in defaults.items() if value},
                catalogue=BUILTIN.extended(self.get_option("families")),
                prefixes=prefixes,
            )
        except OSError as error:
            raise AnsibleParserError(f"the file of scans {path} cannot be read: {error.strerror}") from None
        except (ScanError, FamilyError) as error:
            raise AnsibleParserError(str(error)) from error

    def _add(self, phone: ScannedPhone) -> None:
        all_phones = self.get_option("group")
        self.inventory.add_host(phone.name, all_phones)
        for group in phone.groups:
            self.inventory.add_group(group)
            self.inventory.add_child(all_phones, group)
            self.inventory.add_child(group, phone.name)
        for name, value in phone.variables.items():
            self.inventory.set_variable(phone.name, name, value)
        variables = dict(phone.variables)
        strict = self.get_option("strict")
        self._set_composite_vars(self.get_option("compose"), variables, phone.name, strict)
        self._add_host_to_composed_groups(self.get_option("groups"), variables, phone.name, strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), variables, phone.name, strict)
