# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible loads the plugins in this folder with each playbook beside it, without any setting."""

from __future__ import annotations

from ansible_collections.voip.preprovision.plugins.callback.hide_source_lines import CallbackModule

__all__ = ["CallbackModule"]
