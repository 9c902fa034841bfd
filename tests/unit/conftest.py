# SPDX-License-Identifier: GPL-3.0-or-later
"""Property tests try the same examples in every run, and no slow machine fails them."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("repeatable", max_examples=60, deadline=None, derandomize=True, database=None)
settings.load_profile("repeatable")
