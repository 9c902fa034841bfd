# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options of the modules that make profiles, declared once for argument specs and documentation.

What a publication consists of is declared in publishing/settings.py; this file adds which phones it is for, and the keys.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleActionFail

from ..module_utils.common.suggest import one_of
from ..module_utils.families.catalogue import Catalogue
from ..module_utils.firmware.images import read_catalogue
from ..module_utils.publishing.settings import OPTIONS, Option

PHONES: dict[str, Option] = {
    "phones": Option("list", ("Names of the inventory hosts that are phones.",), [], "str"),
    "rows": Option(
        "str",
        (
            "File on the controller whose rows are phones, instead of O(phones). CSV (C(.csv), C(.tsv)), JSON Lines (C(.jsonl)) or"
            " SQLite (C(.db), C(.sqlite)). A column is a phone variable; a dot goes into it, as in C(phone_lines.1.user_id).",
            "CSV and JSON Lines may be encrypted with Ansible Vault.",
            "Or the SQLAlchemy URL of a database that the controller reaches, without a password, such as"
            " C(postgresql://reader@192.0.2.50/customers). PostgreSQL needs C(python3-psycopg2) on the controller.",
        ),
    ),
    "rows_password": Option("str", ("Password for the database that O(rows) names.",), secret=True),
    "query": Option(
        "str",
        (
            "Query that yields the rows of a database or a SQLite file, with a phone variable as the name of each column, such as"
            " C(SELECT mac AS phone_mac, model AS phone_model FROM units). By default all rows of its table C(phones).",
        ),
    ),
    "groups": Option(
        "dict",
        (
            "Variables that rows share. Keys are C(all), or what follows C(phone_) in a variable, such as C(customer), C(site),"
            " C(model); below these, a value of that variable and the phone variables of all rows that have it. Later keys win, and"
            " a row wins over all.",
        ),
        {},
    ),
    "families": Option(
        "dict",
        ("Your own product families, or corrections of known ones, by name. C(based_on) names the family that one resembles.",),
        {},
    ),
}
"""Which phones there are, and what their models can do."""

SETTINGS: dict[str, Option] = {name: option for name, option in OPTIONS.items() if name != "kinds"}
"""What all modules that make profiles take."""

KINDS: dict[str, Option] = {"kinds": OPTIONS["kinds"]}

KEYS: dict[str, Option] = {
    "unknown_parameters": Option(
        "str",
        (
            "What to do about a parameter that the phone's family does not know, since the phone would ignore it silently.",
            "The same is done about other things that a phone ignores or takes as text: an element that a template writes twice,"
            " text beside elements, and an expression of a template language that nothing has rendered.",
        ),
        "warn",
        choices=("warn", "error", "ignore"),
    ),
    "master_key": Option(
        "str",
        ("Secret from which the profile key of each phone without C(phone_profile_key) is derived, with HKDF and its MAC.",),
        secret=True,
    ),
    "previous_master_key": Option(
        "str",
        (
            "The master key of the keys that phones still hold, while they move to those of O(master_key). Each phone's service"
            " profile is then published twice, and what it fetches with the old key names the new one.",
        ),
        secret=True,
    ),
}
"""What concerns the inventory's own phones, not those of a check."""

TRUST: dict[str, Option] = {
    "device_roots": Option(
        "list",
        (
            "Files and folders on the controller with the certificates of makers' CAs (PEM, DER or PKCS#7) by which the server"
            " recognises phones. If phones have O(bench_delivery=certificate) and something is missing that they need, the task"
            " stops before anything changes. Without this option, nothing is checked.",
        ),
        elements="str",
    ),
    "server_certificate": Option(
        "path",
        (
            "PEM file on the controller with the server's certificate, if another CA than the bench's signed it. Its chain may"
            " follow it.",
        ),
    ),
    "server_chain": Option("path", ("PEM file on the controller with the rest of that certificate's chain.",)),
    "exempt_phones": Option("list", ("MAC addresses of phones that have a password of the web server.",), [], "str"),
}
"""What the check of phones with delivery by certificate needs to know about the station."""

PUBLICATION = {
    "publication": Option(
        "dict",
        (
            "Phones and settings of a publication as one dictionary, which several modules can share. Its keys are options of this"
            " module; an option beside it wins.",
        ),
        {},
    )
}


def argument_spec(*groups: Mapping[str, Option]) -> dict[str, dict[str, Any]]:
    """Return options as Ansible's argument specs have them."""
    return {name: _spec(option) for group in groups for name, option in group.items()}


def _spec(option: Option) -> dict[str, Any]:
    return {**_shape(option), **({"no_log": True} if option.secret else {})}


def _shape(option: Option) -> dict[str, Any]:
    shape: dict[str, Any] = {"type": option.type}
    if option.default is not None:
        shape["default"] = option.default
    if option.elements:
        shape["elements"] = option.elements
    if option.choices:
        shape["choices"] = [*option.choices]
    return shape


def documentation(*groups: Mapping[str, Option]) -> str:
    """Return options as a documentation fragment has them; all JSON is YAML."""
    options = {name: {"description": [*option.description], **_shape(option)} for group in groups for name, option in group.items()}
    return json.dumps({"options": options})


def merge_publication(action: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a task with those below *publication* among them; raise AnsibleActionFail for others there."""
    own = dict(arguments)
    shared = own.pop("publication", {})
    if not isinstance(shared, Mapping):
        raise AnsibleActionFail(f"{action}: publication must be a dictionary of phones and settings")
    unknown = sorted(str(name) for name in shared if name not in PHONES and name not in SETTINGS)
    if unknown:
        raise AnsibleActionFail(f"{action}: publication: unknown option {', '.join(unknown)}; {one_of([*PHONES, *SETTINGS])}")
    return {**shared, **own}


def plain_settings(options: Mapping[str, Any], catalogue: Catalogue) -> dict[str, Any]:
    """Return the settings among a task's options as JSON can hold them; raise FirmwareError for invalid images.

    publishing.settings.read_settings() reads them, here and in the profile service.
    """
    images = read_catalogue(options["firmware_images"], catalogue)
    return {**{name: options[name] for name in SETTINGS}, "firmware_images": [image.plain() for image in images]}
