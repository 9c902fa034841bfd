# SPDX-License-Identifier: GPL-3.0-or-later
"""How the database's tables have come to be what `database` says: one step a file in `versions`."""
