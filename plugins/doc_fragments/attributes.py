# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Attributes of modules that support check mode and return no diff."""

from __future__ import annotations


class ModuleDocFragment:
    """Ansible adds these texts to the documentation of modules that name ``voip.preprovision.attributes[.secrets]``."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    support: full
    description: Can run in C(check_mode) and return changed status without changing anything.
  diff_mode:
    support: none
    description: Returns no diff.
"""

    SECRETS = r"""
options: {}
attributes:
  check_mode:
    support: full
    description: Can run in C(check_mode) and return changed status without changing anything.
  diff_mode:
    support: none
    description: Returns no diff, since it would show secrets.
"""
