# SPDX-License-Identifier: GPL-3.0-or-later
"""Property tests try the same examples in every run, and no slow machine fails them; the service finds the domain code."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

from hypothesis import settings

# The role puts it beside the service's own
domain = sys.modules["preprovision_service.domain"] = ModuleType("preprovision_service.domain")
domain.__path__ = [str(Path(__file__).parents[2] / "plugins" / "module_utils")]

settings.register_profile("repeatable", max_examples=60, deadline=None, derandomize=True, database=None)
settings.load_profile("repeatable")
