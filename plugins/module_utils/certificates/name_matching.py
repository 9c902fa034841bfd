# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether the names in a certificate are those of a server."""

from __future__ import annotations


def names_server(common_name: str, name: str) -> bool:
    """Tell whether a common name is *name*, optionally followed by a slash and information, such as ``pv.example.net/info``.

    Case does not matter; the information must be printable ASCII. *name* is a host name, so no wildcard matches it.
    """
    return common_name.isascii() and common_name.isprintable() and same_name(common_name.partition("/")[0], name)


def covers(pattern: str, name: str) -> bool:
    """Tell whether a certificate's DNS name is *name*, or a wildcard for it; the star stands for the whole first label."""
    star, _dot, domain = pattern.partition(".")
    if star != "*":
        return same_name(pattern, name)
    return "." in domain and same_name(domain, name.partition(".")[2])


def same_name(one: str, other: str) -> bool:
    """Tell whether two DNS names are the same; the second may end with the root's dot."""
    return one.isascii() and one.lower() == other.removesuffix(".").lower()
