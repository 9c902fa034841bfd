# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Lookup for the role certificates: the makers' CAs of certificates_device_roots."""

from __future__ import annotations

DOCUMENTATION = r"""
name: device_roots
author: voip.preprovision contributors (@voip-preprovision)
version_added: 0.1.0
short_description: Read the makers' CAs from files and folders
description:
  - "Internal: the role P(voip.preprovision.certificates#role) reads C(certificates_device_roots) with it."
  - Reads PEM, DER and PKCS#7 (C(.p7b)), and checks that each certificate is a CA's, is valid, and leads to a root among them.
options:
  _terms:
    description: Files and folders on the controller. Files may be encrypted with Ansible Vault.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Show the makers' CAs
  ansible.builtin.debug:
    msg: "{{ query('voip.preprovision.device_roots', 'files/makers') }}"
"""

RETURN = r"""
_list:
  description: The CAs, each once.
  type: list
  elements: dict
  contains:
    subject:
      description: Its subject.
      type: str
      sample: CN=Cisco Root CA M2,O=Cisco
    sha256:
      description: Its fingerprint, 64 hexadecimal digits.
      type: str
    pem:
      description: The certificate.
      type: str
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.voip.preprovision.plugins.module_utils.certificates.requests import CertificateError
from ansible_collections.voip.preprovision.plugins.module_utils.common.text_tables import printable
from ansible_collections.voip.preprovision.plugins.plugin_utils.certificate_files import read_device_roots
from ansible_collections.voip.preprovision.plugins.plugin_utils.phone_source import user_file


class LookupModule(LookupBase):
    def run(self, terms: Sequence[str], variables: Mapping[str, Any] | None = None, **_options: Any) -> list[dict[str, str]]:
        """Return the CAs; raise AnsibleLookupError with one line for each problem."""
        given = variables or {}

        def find(name: str) -> str | None:
            return self.find_file_in_search_path(given, "files", name, True) or user_file(given, name)

        try:
            roots = read_device_roots(map(str, terms), self._loader, find)
        except CertificateError as error:
            raise AnsibleLookupError(str(error)) from error
        return [
            {"subject": printable(root.subject), "sha256": hashlib.sha256(root.der).hexdigest(), "pem": root.pem} for root in roots
        ]
