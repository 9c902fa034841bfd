# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Look at an HTTPS server as phones do."""

from __future__ import annotations

DOCUMENTATION = r"""
module: server_certificate_check
short_description: Look at an HTTPS server as phones of a family do
description:
  - Shakes hands with a provisioning server from the target, and judges its certificate, its name and its protocols by what phones
    of a family accept.
  - It checks the chain and its order up to a root that these phones carry, the common name (which may have a slash and information
    behind the name), the subject alternative name, that the name resolves to the address that answered, validity until the phones
    come again, keys, signatures and uses, versions of TLS and ciphers.
  - What no public document settles for a family gives a warning at most; O(facts) says what your phones do.
  - A server that gives different certificates to different clients is judged by the one that phones of the family get.
  - Nothing is changed, neither on the target nor on the server.
version_added: 0.1.0
author:
  - voip.preprovision contributors (@voip-preprovision)
requirements:
  - the Debian packages openssl and python3-cryptography on the target
options:
  name:
    description:
      - Fully qualified name under which phones reach the server.
    type: str
    required: true
  address:
    description:
      - IPv4 address to look at. By default the first one of O(name) that answers, as phones do it.
    type: str
  port:
    description:
      - Port of the server.
    type: int
    default: 443
  name_server:
    description:
      - IPv4 address of the DNS server that phones ask, as the station itself. By default the target's own resolver is asked.
    type: str
  family:
    description:
      - Family of the phones.
    type: str
    required: true
    choices: [ata19x, spa, mpp, grandstream, yealink, yealink_dect, poly, snom]
  facts:
    description:
      - What your phones do, where it differs from what is known of the family or is better known. What is given here is certain.
    type: dict
    suboptions:
      lowest:
        description: Lowest version of TLS that they offer.
        type: str
        choices: [TLS 1.0, TLS 1.1, TLS 1.2, TLS 1.3]
      highest:
        description: Highest version of TLS that they offer.
        type: str
        choices: [TLS 1.0, TLS 1.1, TLS 1.2, TLS 1.3]
      ciphers:
        description: Ciphers that they offer, as openssl names them.
        type: list
        elements: str
      needs_rsa:
        description: Whether keys must be RSA.
        type: bool
      common_name:
        description: Whether the common name must be the server's name.
        type: bool
      checks_san:
        description: Whether the subject alternative name must hold the server's name, as C(HTTPS_Name_Validate) of ATAs says.
        type: bool
      checks_address:
        description: Whether the name must resolve to the server's address.
        type: bool
  roots:
    description:
      - Path on the target of the root certificates (PEM) that these phones carry, from the factory or by C(Custom_CA_URL). Without
        it nobody can tell whether they trust the server, which is a warning.
    type: path
  certificate:
    description:
      - Path on the target of a client certificate (PEM) to show. Without it only whether the server asks for one is told.
    type: path
  private_key:
    description:
      - Path on the target of the key that belongs to O(certificate) (PEM).
    type: path
  resync_period:
    description:
      - Seconds after which phones come again, their C(Resync_Periodic). The certificate must be valid then.
    type: int
    default: 86400
  expires_within:
    description:
      - Days before the end of the certificate from which on it is a warning.
    type: int
    default: 30
  fail_on:
    description:
      - The least serious finding that makes the module fail.
    type: str
    default: error
    choices: [error, warning, never]
  timeout:
    description:
      - Seconds within which the server must answer, each time.
    type: int
    default: 10
attributes:
  check_mode:
    support: full
    description: Can run in C(check_mode), and does the same there, since it changes nothing.
  diff_mode:
    support: none
    description: There is never a difference.
"""

EXAMPLES = r"""
- name: Check the station's certificate as ATAs see it
  voip.preprovision.server_certificate_check:
    name: prov.example.net
    name_server: 192.0.2.1
    family: ata19x
    roots: /etc/preprovision/certificates/bench-ca.pem

- name: List what is wrong with the customer's server, without failing
  voip.preprovision.server_certificate_check:
    name: prov.example.com
    family: spa
    roots: /etc/preprovision/cisco-2k-small-business-ca.pem
    resync_period: 604800
    fail_on: never
  register: looked

- name: Show it
  ansible.builtin.debug:
    msg: "{{ looked.findings | map(attribute='what') }}"
"""

RETURN = r"""
findings:
  description: What was found, errors first.
  returned: always, once the options have been understood
  type: list
  elements: dict
  contains:
    level:
      description: V(error) when phones refuse the server, V(warning) when some may or soon will, V(info) for the rest.
      type: str
    code:
      description: Short name of the finding.
      type: str
      sample: no_san
    what:
      description: What is wrong.
      type: str
      sample: the certificate has no subject alternative name, which phones check
    remedy:
      description: What to do.
      type: str
      sample: have a certificate made with the subject alternative name DNS:prov.example.net
address:
  description: The address that was looked at; empty when none answered.
  returned: always, once the options have been understood
  type: str
  sample: 192.0.2.1
resolved:
  description: All IPv4 addresses of O(name).
  returned: always, once the options have been understood
  type: list
  elements: str
certificate:
  description: What the server's certificate says; empty when there was none.
  returned: always, once the options have been understood
  type: dict
  contains:
    subject:
      description: Its subject.
      type: str
      sample: CN=prov.example.net
    names:
      description: Its subject alternative names.
      type: list
      elements: str
    issuer:
      description: Subject of the signer.
      type: str
    not_before:
      description: Begin of its validity.
      type: str
    not_after:
      description: End of its validity.
      type: str
      sample: "2027-01-31T12:00:00Z"
    key:
      description: Kind and size of its key.
      type: str
      sample: RSA 2048
    signature:
      description: Digest of its signature.
      type: str
      sample: sha256
    chain_length:
      description: How many certificates the server sends.
      type: int
protocols:
  description: Version of TLS and the cipher that the server chooses there; empty where it refuses the version.
  returned: always, once the options have been understood
  type: dict
  sample:
    TLS 1.1: ""
    TLS 1.2: ECDHE-RSA-AES256-GCM-SHA384
cipher:
  description: The cipher that the server chooses among those of the family; empty when there is none.
  returned: always, once the options have been understood
  type: str
asks_for_certificate:
  description: Whether the server asks for a client certificate.
  returned: always, once the options have been understood
  type: bool
status:
  description: HTTP status of C(/) with O(certificate); V(0) is no answer.
  returned: when O(certificate) is set and the server asks for one
  type: int
"""

import datetime
import socket
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.voip.preprovision.plugins.module_utils.bench_network import is_host_name
from ansible_collections.voip.preprovision.plugins.module_utils.certificate_rules import (
    LEVELS,
    VERSIONS,
    Finding,
    TlsFacts,
    by_level,
    check_certificate,
    check_client_certificate,
    check_protocols,
    check_server_name,
    summary,
    tls_facts,
    unresolved,
)
from ansible_collections.voip.preprovision.plugins.module_utils.certificates import CertificateError
from ansible_collections.voip.preprovision.plugins.module_utils.families import BUILTIN
from ansible_collections.voip.preprovision.plugins.module_utils.tls_probe import ProbeError, Server, UnreachableError, resolve
from ansible_collections.voip.preprovision.plugins.module_utils.x509_chain import MISSING, read_certificates

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "address": {"type": "str"},
    "port": {"type": "int", "default": 443},
    "name_server": {"type": "str"},
    "family": {"type": "str", "required": True, "choices": list(BUILTIN.families)},
    "facts": {
        "type": "dict",
        "options": {
            "lowest": {"type": "str", "choices": list(VERSIONS)},
            "highest": {"type": "str", "choices": list(VERSIONS)},
            "ciphers": {"type": "list", "elements": "str"},
            "needs_rsa": {"type": "bool"},
            "common_name": {"type": "bool"},
            "checks_san": {"type": "bool"},
            "checks_address": {"type": "bool"},
        },
    },
    "roots": {"type": "path"},
    "certificate": {"type": "path"},
    "private_key": {"type": "path", "no_log": False},
    "resync_period": {"type": "int", "default": 86400},
    "expires_within": {"type": "int", "default": 30},
    "fail_on": {"type": "str", "default": "error", "choices": ["error", "warning", "never"]},
    "timeout": {"type": "int", "default": 10},
}

RANGES = {"port": range(1, 2**16), "resync_period": range(2**31), "expires_within": range(36501), "timeout": range(1, 601)}


class OptionError(ValueError):
    """An option cannot be as it is; the message names it."""


def read_options(options: dict[str, Any]) -> tuple[TlsFacts, str | None]:
    """Check what the specification cannot; return the facts and the roots, or raise OptionError."""
    if not is_host_name(options["name"]) or "." not in options["name"]:
        raise OptionError(f"name is '{options['name']}'; it must be the fully qualified name that phones use, as prov.example.net")
    for option in ("address", "name_server"):
        try:
            socket.inet_pton(socket.AF_INET, options[option] or "192.0.2.1")
        except OSError as error:
            raise OptionError(f"{option} is '{options[option]}'; phones use IPv4 addresses alone, as 192.0.2.1") from error
    for option, span in RANGES.items():
        if options[option] not in span:
            raise OptionError(f"{option} is {options[option]}; it must be from {span[0]} to {span[-1]}")
    known = {key: value for key, value in (options["facts"] or {}).items() if value is not None}
    facts = tls_facts(options["family"]).corrected(known)
    if not facts.versions:
        raise OptionError(f"facts: lowest is {facts.lowest}, which is above highest, {facts.highest}; give both")
    if options["roots"] is None:
        return facts, None
    try:
        with open(options["roots"], encoding="utf-8", errors="replace") as file:
            roots = file.read()
        read_certificates(roots, f"roots: {options['roots']}")
    except OSError as error:
        raise OptionError(f"roots: cannot read {options['roots']} on the target: {error.strerror}") from error
    except CertificateError as error:
        raise OptionError(str(error)) from error
    return facts, roots


def look(options: dict[str, Any], facts: TlsFacts, roots: str | None) -> tuple[list[Finding], dict[str, Any]]:
    """Look at the server; return the findings and the rest of the module's result, or raise ProbeError."""
    resolved = resolve(options["name"], options["name_server"] or "", options["timeout"])
    told: dict[str, Any] = {
        "address": "",
        "resolved": list(resolved),
        "certificate": {},
        "protocols": {},
        "cipher": "",
        "asks_for_certificate": False,
    }
    silent: list[Finding] = []
    for address in [options["address"]] if options["address"] else resolved:
        server = Server(address, options["port"], options["name"], options["timeout"])
        try:
            offer = server.look(facts)
        except UnreachableError as error:
            silent.append(Finding.of_error("unreachable", error))
            continue
        # A phone goes on to the next address
        findings = [finding._replace(level="warning") for finding in silent]
        told |= {
            "address": address,
            "protocols": dict(offer.protocols),
            "cipher": offer.as_phone,
            "asks_for_certificate": offer.asks,
        }
        if options["certificate"] and offer.asks:
            told["status"] = server.show(options["certificate"], options["private_key"])
        try:
            told["certificate"] = summary(offer.chain)
            findings += check_certificate(
                offer.chain,
                roots,
                name=options["name"],
                resolved=resolved,
                address=address,
                family=BUILTIN.families[options["family"]],
                facts=facts,
                now=datetime.datetime.now(datetime.UTC),
                resync_period=options["resync_period"],
                expires_within=options["expires_within"],
            )
        except CertificateError as error:
            findings.append(Finding.of_error("unreadable", error))
        findings += check_server_name(offer.chain, offer.without_name)
        findings += check_protocols(offer.protocols, offer.as_phone, facts)
        findings += check_client_certificate(offer.asks, told.get("status"))
        return by_level(findings), told
    return silent or [unresolved(options["name"])], told


def main() -> None:
    """Look and tell."""
    module = AnsibleModule(
        argument_spec=ARGUMENT_SPEC, supports_check_mode=True, required_together=[("certificate", "private_key")]
    )
    options = module.params
    if MISSING is not None:
        module.fail_json(msg="the Python package cryptography is missing; install the Debian package python3-cryptography")
    try:
        facts, roots = read_options(options)
        findings, told = look(options, facts, roots)
    except (OptionError, ProbeError) as error:
        module.fail_json(msg=str(error))
    result = {"changed": False, "findings": [finding._asdict() for finding in findings], **told}
    severe = LEVELS[: LEVELS.index(options["fail_on"]) + 1] if options["fail_on"] in LEVELS else ()
    causes = [finding.sentence for finding in findings if finding.level in severe]
    if causes:
        where = f"{options['name']}, port {options['port']}"
        module.fail_json(msg="\n".join([f"{where}, is not fit for phones of the family {options['family']}:", *causes]), **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
