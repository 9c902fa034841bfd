# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings, in the file that PREPROVISION_SERVICE_CONFIG names; by default, the one that the role writes."""

from __future__ import annotations

import json
import os
from pathlib import Path

CONFIG = "/etc/preprovision-service.json"


def read_settings() -> dict[str, object]:
    """Return the settings."""
    settings: dict[str, object] = json.loads(Path(os.environ.get("PREPROVISION_SERVICE_CONFIG", CONFIG)).read_text())
    return settings
