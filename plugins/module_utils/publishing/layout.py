# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The folders of a published generation, and who reads each."""

from __future__ import annotations

OPEN = "open"
"""Anybody who can reach the station, by TFTP, HTTP and HTTPS: it holds nothing secret in the clear."""
DEVICE = "device"
"""HTTPS clients with the certificate of the MAC address that names the file."""
UNITS = "units"
"""A folder for each unit, which the TFTP server shows to the unit with that MAC address and to no other."""
