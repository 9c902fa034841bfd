# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Messages about unknown names: which known name was probably meant, or which names are possible."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_MIN_SIMILARITY = 0.6


def nearest(name: object, known: Iterable[str], min_similarity: float = _MIN_SIMILARITY) -> str:
    """Return the known name spelt most like *name*, ignoring case; empty if none is similar enough."""
    by_folded: dict[str, str] = {}
    for candidate in known:
        by_folded.setdefault(candidate.casefold(), candidate)
    near = difflib.get_close_matches(str(name).casefold(), by_folded, n=1, cutoff=min_similarity)
    return by_folded[near[0]] if near else ""


def most_similar(name: str, candidates: Iterable[str]) -> str:
    """Return the candidate spelt most like *name*; case decides between those that are alike otherwise."""
    return max(candidates, key=lambda candidate: (_similarity(name.casefold(), candidate.casefold()), _similarity(name, candidate)))


def _similarity(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one, other).ratio()


def did_you_mean(near: str | None) -> str:
    """Return the end of a message that suggests *near*, or nothing."""
    return f"; did you mean '{near}'?" if near else ""


def unknown(what: str, name: object, known: Iterable[str], min_similarity: float = _MIN_SIMILARITY) -> str:
    """Return ``unknown key 'x'; did you mean 'y'?``, or the names that are possible if none is similar."""
    names = list(known)
    near = nearest(name, names, min_similarity)
    return f"unknown {what} '{name}'" + (did_you_mean(near) or f"; {one_of(names)}")


def unknown_choice(what: str, choice: object, choices: Iterable[str]) -> str:
    """Return ``unknown digest 'x'; expected one of a, b``: where choices are few, all of them say more than the nearest."""
    return f"unknown {what} '{choice}'; {one_of(choices)}"


def one_of(known: Iterable[str]) -> str:
    """Return ``expected one of a, b, c``; an empty name stands in quotes."""
    names = ", ".join(name or "''" for name in known)
    return f"expected one of {names}" if names else "none is possible here"
