# SPDX-License-Identifier: GPL-3.0-or-later
"""Paths with macros, such as ``/live/$MA-{key_id}.cfg``, as rules for Flask and as regular expressions."""

from __future__ import annotations

import re

from werkzeug.routing import BaseConverter

from ..domain.publishing.files import CONTENT_ENCODING
from ..domain.publishing.settings import KEY_ID

_MACRO = re.compile(r"\$MAU?(?![A-Z])|" + re.escape(KEY_ID))


class MacConverter(BaseConverter):
    """A MAC address as 12 hex digits."""

    regex = "[0-9a-fA-F]{12}"

    def to_python(self, value: str) -> str:
        """Return it in lower case."""
        return value.lower()


class KeyConverter(BaseConverter):
    """A key ID."""

    regex = "[0-9a-f]{8}"


CONVERTERS = {"profile_mac": MacConverter, "profile_key": KeyConverter}


def flask_rule(path: str) -> str:
    """Return Flask's rule for a path with macros."""
    return _MACRO.sub(lambda match: "<profile_key:key>" if match[0] == KEY_ID else "<profile_mac:mac>", path)


def profile_pattern(path: str, with_coding: bool) -> re.Pattern[str]:
    """Return a regular expression for a path with macros; *with_coding*: also with CONTENT_ENCODING at its end."""
    macros = {KEY_ID: f"(?P<key>{KeyConverter.regex})"}
    text = "".join(
        macros.get(part, f"(?P<mac>{MacConverter.regex})") if number % 2 else re.escape(part)
        for number, part in enumerate(re.split(f"({_MACRO.pattern})", path))
    )
    return re.compile(text + (f"(?P<coding>{re.escape(CONTENT_ENCODING)})?" if with_coding else ""))
