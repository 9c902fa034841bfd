# SPDX-License-Identifier: GPL-3.0-or-later
"""The history of the database's tables: one step per file in `versions`, up to what `tables` declares."""
