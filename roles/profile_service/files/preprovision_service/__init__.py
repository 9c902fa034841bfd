# SPDX-License-Identifier: GPL-3.0-or-later
"""The live side of a station: profiles made on the fly, status reports, events, and the board.

`domain` is the collection's own domain code, the same files that its playbooks use.
"""
