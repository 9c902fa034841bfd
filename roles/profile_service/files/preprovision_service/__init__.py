# SPDX-License-Identifier: GPL-3.0-or-later
"""The profile service: profiles generated on demand, reports, events, and the board.

`domain` is not in this folder: the role installs the packages of plugins/module_utils that the service needs under this name.
"""
