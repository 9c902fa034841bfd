# SPDX-License-Identifier: GPL-3.0-or-later
"""The live side of a station: profiles made on the fly, status reports, events, and the board.

`domain`, which is not in this folder, is plugins/module_utils: the role puts the same files that playbooks use beside these.
"""
