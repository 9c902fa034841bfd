# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Hide secrets in what is shown: values of secret parameters, keys and passwords in rules, credentials and tokens in URLs."""

from __future__ import annotations

import re

HIDDEN = "****"
"""Stands for a secret."""

_SECRET_NAME = re.compile(r"pass(?!thr)|pwd|secret|IKM_|GPP_S[A-D]$|(?<![a-z])key(?![a-z])", re.IGNORECASE)
_RULE_SECRET = re.compile(r"--(key|pwd)[\s=]*(?:\"[^\"]*\"|[^\s\]]*)")
_URL_SECRET = re.compile(r"(://[^\s/:@]*:)[^\s/@]+@")
_QUERY_SECRET = re.compile(r"([?&;][^\s?&;=#]*(?:token|key|pass|pwd|secret|auth|sig)[^\s?&;=#]*=)[^\s&;#\]|\"]+", re.IGNORECASE)


def is_secret(path: str) -> bool:
    """Tell by its name whether a parameter's value must be hidden: passwords, keys, and what the phone itself never shows."""
    return _SECRET_NAME.search(path) is not None


def redact_parameter(path: str, value: str) -> str:
    """Return the value of a parameter as it may be shown: hidden if the parameter is secret, else as redact() returns it."""
    return HIDDEN if value and is_secret(path) else redact(value)


def redact(text: str) -> str:
    """Return *text* without the keys and passwords of profile rules and URLs."""
    return redact_urls(_RULE_SECRET.sub(rf"--\1 {HIDDEN}", text))


def redact_urls(text: str) -> str:
    """Return *text* without the passwords and tokens of URLs."""
    return _QUERY_SECRET.sub(rf"\1{HIDDEN}", _URL_SECRET.sub(rf"\1{HIDDEN}@", text))
