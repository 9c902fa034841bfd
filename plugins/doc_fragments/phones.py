# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Options of the modules that make profiles, as publication_options.py declares them."""

from __future__ import annotations

from ansible_collections.voip.preprovision.plugins.plugin_utils.publication_options import (
    KEYS,
    KINDS,
    PHONES,
    PUBLICATION,
    SETTINGS,
    TRUST,
    documentation,
)


class ModuleDocFragment:
    """Ansible adds these texts to the documentation of modules that name ``voip.preprovision.phones``, ``.phones.keys`` ..."""


# Not in the class's body, where yamllint of ansible-test takes every assignment for a literal text
_PARTS = {"DOCUMENTATION": (PUBLICATION, PHONES, SETTINGS), "KEYS": (KEYS,), "KINDS": (KINDS,), "TRUST": (TRUST,)}
for _name, _options in _PARTS.items():
    setattr(ModuleDocFragment, _name, documentation(*_options))
