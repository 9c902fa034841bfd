# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a station lacks before real phones can fetch their profiles with the certificates of their maker.

Pure and without certificates: CAs appear by their subjects, as RFC 4514 writes them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..families.model import Family

_WORD = re.compile(r"\w+")
# Makers write it or leave it out
_COMMON_WORDS = frozenset({"ca"})


@dataclass(frozen=True)
class Trust:
    """Whom a station trusts, and by whom it is trusted."""

    device_roots: Sequence[str]
    """Subjects of the makers' CAs that it knows."""
    server_signers: Sequence[str]
    """Subjects of the CAs that signed its server's certificate, directly or above; empty: the bench CA did."""
    gives_bench_root: bool
    """Whether bootstrap profiles name the bench CA's root for the families that take one."""


class FamilyPhones(NamedTuple):
    """The phones of one family that fetch their preprovision profile with a certificate."""

    family: Family
    phones: int
    without_password: int
    """How many of them have no password of the web server to use instead."""


def is_named(subject: str, name: str) -> bool:
    """Tell whether a CA with that *subject* is the one that its maker calls *name*.

    All words of the name must be in the subject, in any case and order: makers' documents seldom give the exact common name.
    """
    words = set(_words(name))
    return bool(words) and words <= set(_words(subject))


def _words(text: str) -> list[str]:
    return [word for word in _WORD.findall(text.casefold()) if word not in _COMMON_WORDS]


def lacks_device_root(family: Family, device_roots: Sequence[str]) -> bool:
    """Tell whether no CA of the family's maker is among the subjects *device_roots*; if nothing is known of these, any counts."""
    if not family.device_roots:
        return not device_roots
    return not any(is_named(subject, name) for subject in device_roots for name in family.device_roots)


def missing_roots(families: Iterable[Family], device_roots: Sequence[str]) -> list[str]:
    """Return one sentence for each family whose phones a station with these CAs (subjects) cannot recognise."""
    return [
        f"family {family.name}: {_no_device_root(family)}; with bench delivery by certificate its phones would get nothing"
        for family in families
        if lacks_device_root(family, device_roots)
    ]


def missing_for_certificate(groups: Iterable[FamilyPhones], trust: Trust) -> list[str]:
    """Return one sentence for each family whose phones cannot fetch their profile with a certificate."""
    return [sentence for group in groups if (sentence := _missing_for_family(group, trust))]


def _missing_for_family(group: FamilyPhones, trust: Trust) -> str:
    family = group.family
    problems = []
    if group.without_password and lacks_device_root(family, trust.device_roots):
        problems.append(_no_device_root(family))
    problems += _server_problem(family, trust)
    if not problems:
        return ""
    number = "1 phone" if group.phones == 1 else f"{group.phones} phones"
    return (
        f"family {family.name} ({number}): bench delivery is certificate, but {', and '.join(problems)}; "
        "see docs/guides/certificates.md, or deliver by tftp"
    )


def server_is_accepted(family: Family, trust: Trust) -> bool:
    """Tell whether the family's phones accept the server's certificate by their factory roots, without the bench CA's root."""
    return bool(trust.server_signers) and not _server_problem(family, trust)


def _no_device_root(family: Family) -> str:
    if family.device_roots:
        return f"certificates_device_roots has no CA of the maker ({_listed(family.device_roots)})"
    return "certificates_device_roots is empty, and needs the CA of the maker, of which nothing public is known"


def _server_problem(family: Family, trust: Trust) -> list[str]:
    """Return at most one problem: what is wrong with the signer of the server's certificate."""
    signed_elsewhere = bool(trust.server_signers)
    if family.custom_ca is not None:
        if signed_elsewhere or trust.gives_bench_root:
            return []
        return [f"the bench CA signed the server's certificate, and no URL of its root is set for {family.custom_ca}"]
    if family.server_roots:
        if any(is_named(subject, name) for subject in trust.server_signers for name in family.server_roots):
            return []
        return [f"certificates_signed must name a server certificate that the maker signed ({_listed(family.server_roots)})"]
    return [] if signed_elsewhere else ["certificates_signed must name a server certificate of a public CA that these phones know"]


def _listed(names: Sequence[str]) -> str:
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))
