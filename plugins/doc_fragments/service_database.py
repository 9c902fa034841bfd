# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The option of modules that use the profile service's database."""

from __future__ import annotations


class ModuleDocFragment:
    """Ansible adds this text to the documentation of modules that name ``voip.preprovision.service_database``."""

    DOCUMENTATION = r"""
options:
  database:
    description:
      - SQLAlchemy URL of the profile service's database.
    type: str
    required: true
"""
