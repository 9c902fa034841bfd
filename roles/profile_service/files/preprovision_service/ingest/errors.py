# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors of the database, and warnings in the journal."""

from __future__ import annotations

import syslog

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError


class RetryLater(Exception):
    """Nothing was stored; the lines must be handed over again."""


def is_temporary(error: BaseException) -> bool:
    """Return whether the database is unavailable, locked, damaged or not migrated yet, rather than given values that do not fit."""
    return isinstance(error, (DBAPIError, PoolTimeoutError)) and not isinstance(error, (DataError, IntegrityError))


def cause_of(error: BaseException) -> str:
    """Return what went wrong, in one line and without the values that were to be stored."""
    return " ".join(str(getattr(error, "orig", None) or type(error).__name__).split())[:200]


def warn(text: str) -> None:
    """Write a warning to the journal."""
    syslog.syslog(syslog.LOG_WARNING, text)
