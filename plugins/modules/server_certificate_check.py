# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Check an HTTPS server as phones do."""

from __future__ import annotations

DOCUMENTATION = r"""
module: server_certificate_check
short_description: Check an HTTPS server as phones of a family do
description:
  - Connects to a provisioning server from the target, and checks whether phones of a family accept its certificate, its name and
    its protocols.
  - It checks the chain and its order up to a root that these phones carry, the common name (which may be followed by a slash and
    information), the subject alternative name, that the name resolves to the address that answered, validity until the phones'
    next resync, keys, signatures and uses, TLS versions and ciphers.
  - Where the server names the CAs whose client certificates it accepts, it warns if no CA of the family's maker is among them.
  - A demand that no public document confirms for a family gives only a warning; set O(facts) to what your phones do.
  - If a server has several certificates, it checks the one that phones of the family get.
  - Changes nothing on the target or the server.
version_added: 0.1.0
author:
  - voip.preprovision contributors (@voip-preprovision)
requirements:
  - the Debian packages openssl and python3-cryptography on the target
options:
  name:
    description:
      - Fully qualified name by which phones reach the server.
    type: str
    required: true
  address:
    description:
      - IPv4 address to check. By default the first address of O(name) that answers, as for phones.
    type: str
  addresses:
    description:
      - IPv4 and IPv6 addresses of servers behind O(name), all of which are checked. It excludes O(address).
      - An address that does not answer is an error then, and servers are compared with each other.
    type: list
    elements: str
    default: []
  all_addresses:
    description:
      - Whether to check all addresses of O(name), of A and AAAA records, as if O(addresses) listed them.
    type: bool
    default: false
  port:
    description:
      - Port of the server.
    type: int
    default: 443
  name_server:
    description:
      - IPv4 address of the DNS server that phones use, for example the station. By default the target's own resolver.
    type: str
  family:
    description:
      - Family of the phones.
    type: str
    required: true
    choices: [ata19x, spa, mpp, pap2t, phoneos, grandstream, yealink, yealink_dect, poly, snom]
  facts:
    description:
      - What your phones do, where it differs from the collection's facts on the family or these are uncertain. Facts set here are
        certain.
    type: dict
    suboptions:
      lowest:
        description: Lowest TLS version that they offer.
        type: str
        choices: [TLS 1.0, TLS 1.1, TLS 1.2, TLS 1.3]
      highest:
        description: Highest TLS version that they offer.
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
        description: Whether the subject alternative name must contain the server's name, as with C(HTTPS_Name_Validate) of ATAs.
        type: bool
      checks_address:
        description: Whether the name must resolve to the server's address.
        type: bool
  roots:
    description:
      - Path on the target of the root certificates (PEM) that these phones carry, from the factory or by C(Custom_CA_URL). Without
        it the module cannot tell whether they trust the server, and warns.
    type: path
  certificate:
    description:
      - Path on the target of a client certificate (PEM) to present. Without it, the module only reports whether the server asks for
        one.
    type: path
  private_key:
    description:
      - Path on the target of the private key of O(certificate) (PEM).
    type: path
  resync_period:
    description:
      - Seconds until the phones' next resync, their C(Resync_Periodic). The certificate must still be valid then.
    type: int
    default: 86400
  expires_within:
    description:
      - Warn when the certificate expires within this many days.
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
    description: Runs normally in C(check_mode), since it changes nothing.
  diff_mode:
    support: none
    description: Never changes anything.
"""

EXAMPLES = r"""
- name: Check the station's certificate as ATAs do
  voip.preprovision.server_certificate_check:
    name: prov.example.net
    name_server: 192.0.2.1
    family: ata19x
    roots: /etc/preprovision/certificates/bench-ca.pem

- name: Check each of the servers behind the public name
  voip.preprovision.server_certificate_check:
    name: prov.example.com
    family: mpp
    all_addresses: true

- name: List the findings on the customer's server without failing
  voip.preprovision.server_certificate_check:
    name: prov.example.com
    family: spa
    roots: /etc/preprovision/cisco-2k-small-business-ca.pem
    resync_period: 604800
    fail_on: never
  register: checked

- name: Show them
  ansible.builtin.debug:
    msg: "{{ checked.findings | map(attribute='what') }}"
"""

RETURN = r"""
findings:
  description: All findings, errors first.
  returned: always, once the options are valid
  type: list
  elements: dict
  contains:
    level:
      description: V(error) when phones refuse the server, V(warning) when some may or soon will, V(info) otherwise.
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
      sample: get a certificate with the subject alternative name DNS:prov.example.net
servers:
  description: One entry for each address, in the order in which they were checked.
  returned: with O(addresses) or O(all_addresses), once the options are valid
  type: list
  elements: dict
  contains:
    address:
      description: The address.
      type: str
    findings:
      description: The findings on it, as RV(findings).
      type: list
      elements: dict
    certificate:
      description: Its certificate, as RV(certificate).
      type: dict
address:
  description: The address that was checked, or the first of several that answered; empty when none did.
  returned: always, once the options are valid
  type: str
  sample: 192.0.2.1
resolved:
  description: All IPv4 addresses of O(name), and with O(addresses) or O(all_addresses) all IPv6 addresses.
  returned: always, once the options are valid
  type: list
  elements: str
certificate:
  description: The server's certificate; empty when there was none.
  returned: always, once the options are valid
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
      description: Start of its validity.
      type: str
    not_after:
      description: End of its validity.
      type: str
      sample: "2027-01-31T12:00:00Z"
    key:
      description: Type and size of its key.
      type: str
      sample: RSA 2048
    signature:
      description: Digest of its signature.
      type: str
      sample: sha256
    chain_length:
      description: Number of certificates that the server sends.
      type: int
    public_key:
      description: SHA-256 checksum of its public key in hexadecimal digits.
      type: str
protocols:
  description: The cipher that the server chooses for each TLS version; empty where it refuses the version.
  returned: always, once the options are valid
  type: dict
  sample:
    TLS 1.1: ""
    TLS 1.2: ECDHE-RSA-AES256-GCM-SHA384
cipher:
  description: The cipher that the server chooses from those of the family; empty when there is none.
  returned: always, once the options are valid
  type: str
asks_for_certificate:
  description: Whether the server asks for a client certificate.
  returned: always, once the options are valid
  type: bool
client_cas:
  description: Subjects of the CAs whose client certificates the server says to accept; empty where it says nothing.
  returned: always, once the options are valid
  type: list
  elements: str
status:
  description: HTTP status of C(/) with O(certificate); V(0) without an answer.
  returned: when O(certificate) is set and the server asks for one
  type: int
"""

import datetime
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any, NotRequired, TypedDict, cast

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.voip.preprovision.plugins.module_utils.certificates.chain import MISSING, read_certificates
from ansible_collections.voip.preprovision.plugins.module_utils.certificates.findings import Code, Finding, Level, by_level
from ansible_collections.voip.preprovision.plugins.module_utils.certificates.handshake_checks import (
    check_client_cas,
    check_client_certificate,
    check_protocols,
    check_server_name,
)
from ansible_collections.voip.preprovision.plugins.module_utils.certificates.requests import CertificateError
from ansible_collections.voip.preprovision.plugins.module_utils.certificates.server_checks import (
    CertificateSummary,
    Demands,
    Endpoint,
    check_certificate,
    compare_servers,
    summarise,
    unresolved,
)
from ansible_collections.voip.preprovision.plugins.module_utils.certificates.tls_facts import VERSIONS, tls_facts
from ansible_collections.voip.preprovision.plugins.module_utils.certificates.tls_scan import (
    Offer,
    ProbeError,
    RecordType,
    Server,
    UnreachableError,
    resolve,
)
from ansible_collections.voip.preprovision.plugins.module_utils.common.text_tables import printable
from ansible_collections.voip.preprovision.plugins.module_utils.common.validate import is_host_name, is_ipv4
from ansible_collections.voip.preprovision.plugins.module_utils.families.catalogue import BUILTIN

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "address": {"type": "str"},
    "addresses": {"type": "list", "elements": "str", "default": []},
    "all_addresses": {"type": "bool", "default": False},
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
    """An option is invalid; the message names it."""


class ServerReport(TypedDict):
    """One of several servers."""

    address: str
    findings: list[dict[str, str]]
    certificate: CertificateSummary | dict[str, str]


class Report(TypedDict):
    """What the module returns besides its findings."""

    address: str
    resolved: list[str]
    certificate: CertificateSummary | dict[str, str]
    protocols: dict[str, str]
    cipher: str
    asks_for_certificate: bool
    client_cas: list[str]
    status: NotRequired[int]
    servers: NotRequired[list[ServerReport]]


def read_demands(options: dict[str, Any]) -> Demands:
    """Check what the argument spec cannot; return what the phones demand, or raise OptionError."""
    if not is_host_name(options["name"]) or "." not in options["name"]:
        raise OptionError(
            f"name is '{options['name']}'; it must be the fully qualified name that phones use, such as prov.example.net"
        )
    for option in ("address", "name_server"):
        if options[option] and not is_ipv4(options[option]):
            raise OptionError(f"{option} is '{options[option]}'; phones use only IPv4 addresses, such as 192.0.2.1")
    for address in options["addresses"]:
        if not is_ip(address):
            raise OptionError(f"addresses: '{address}' is not an IPv4 or IPv6 address, such as 192.0.2.1")
    for option, span in RANGES.items():
        if options[option] not in span:
            raise OptionError(f"{option} is {options[option]}; it must be from {span[0]} to {span[-1]}")
    known = {key: value for key, value in (options["facts"] or {}).items() if value is not None}
    facts = tls_facts(options["family"]).corrected(known)
    if not facts.versions:
        raise OptionError(f"facts: lowest is {facts.lowest}, which is above highest, {facts.highest}; set both")
    return Demands(
        family=BUILTIN.families[options["family"]],
        facts=facts,
        roots=None if options["roots"] is None else read_roots(options["roots"]),
        resync_period=options["resync_period"],
        expires_within=options["expires_within"],
    )


def is_ip(text: str) -> bool:
    """Tell whether *text* is an IPv4 or IPv6 address."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def normal_address(text: str) -> str:
    """Return an address in its usual spelling."""
    return str(ip_address(text))


def read_roots(path: str) -> str:
    """Return the PEM text of a file of root certificates; raise OptionError."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            roots = file.read()
        read_certificates(roots, f"roots: {path}")
    except OSError as error:
        raise OptionError(f"roots: cannot read {path} on the target: {error.strerror}") from error
    except CertificateError as error:
        raise OptionError(str(error)) from error
    return roots


def check_server(options: dict[str, Any], demands: Demands) -> tuple[list[Finding], Report]:
    """Check the server at the first address that answers; return the findings and the report, or raise ProbeError."""
    report = new_report(resolve(options["name"], options["name_server"] or "", options["timeout"]))
    unreachable: list[Finding] = []
    for address in [options["address"]] if options["address"] else report["resolved"]:
        try:
            findings = check_address(address, options, demands, report)
        except UnreachableError as error:
            unreachable.append(Finding.of_error(Code.UNREACHABLE, error))
            continue
        # A phone tries the next address too, so these are no errors
        return by_level([*(finding._replace(level=Level.WARNING) for finding in unreachable), *findings]), report
    return unreachable or [unresolved(options["name"])], report


def check_servers(options: dict[str, Any], demands: Demands) -> tuple[list[Finding], Report]:
    """Check the servers at all addresses, and compare them; return the findings and the report, or raise ProbeError."""
    resolved = [
        address
        for record in RecordType
        for address in resolve(options["name"], options["name_server"] or "", options["timeout"], record)
    ]
    report = new_report(resolved)
    report["servers"] = []
    all_findings: list[Finding] = []
    for address in dict.fromkeys([*(resolved if options["all_addresses"] else ()), *map(normal_address, options["addresses"])]):
        own = new_report(resolved)
        try:
            findings = by_level(check_address(address, options, demands, own))
        except UnreachableError as error:
            findings = [Finding.of_error(Code.UNREACHABLE, error)]
        rows = [finding.to_dict() for finding in findings]
        report["servers"].append(ServerReport(address=address, findings=rows, certificate=own["certificate"]))
        all_findings += [finding if address in finding.what else of_server(address, finding) for finding in findings]
        if own["address"] and not report["address"]:
            report.update(own)
    if not report["servers"]:
        return [unresolved(options["name"])], report
    certificates = {server["address"]: server["certificate"] for server in report["servers"] if server["certificate"]}
    return by_level([*all_findings, *compare_servers(cast("dict[str, CertificateSummary]", certificates))]), report


def of_server(address: str, finding: Finding) -> Finding:
    """Return *finding* with the address of the server that it is on."""
    return finding._replace(what=f"{address}: {finding.what}")


def new_report(resolved: Sequence[str]) -> Report:
    """Return a report without a server."""
    return Report(
        address="", resolved=list(resolved), certificate={}, protocols={}, cipher="", asks_for_certificate=False, client_cas=[]
    )


def check_address(address: str, options: dict[str, Any], demands: Demands, report: Report) -> list[Finding]:
    """Check the server at *address*, and add what it offers to the report; raise UnreachableError."""
    server = Server(address, options["port"], options["name"], options["timeout"])
    offer = server.scan(demands.facts)
    report.update(address=address, protocols=dict(offer.protocols), cipher=offer.as_phone)
    report.update(asks_for_certificate=offer.asks, client_cas=[printable(subject) for subject in offer.client_cas])
    if options["certificate"] and offer.asks:
        report["status"] = server.request_with(options["certificate"], options["private_key"])
    findings = check_chain(offer, Endpoint(options["name"], address, report["resolved"]), demands, report)
    findings += check_server_name(offer.chain, offer.without_name)
    findings += check_protocols(offer.protocols, offer.as_phone, demands.facts)
    findings += check_client_certificate(offer.asks, report.get("status"))
    findings += check_client_cas(demands.family, offer.client_cas)
    return findings


def check_chain(offer: Offer, endpoint: Endpoint, demands: Demands, report: Report) -> list[Finding]:
    """Return the findings on the chain, and add its summary to the report."""
    try:
        report["certificate"] = summarise(offer.chain)
        return check_certificate(offer.chain, endpoint, demands, datetime.datetime.now(datetime.UTC))
    except CertificateError as error:
        return [Finding.of_error(Code.UNREADABLE, error)]


def failing_levels(fail_on: str) -> list[Level]:
    """Return the levels that make the module fail."""
    levels = list(Level)
    return levels[: levels.index(Level(fail_on)) + 1] if fail_on != "never" else []


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec=ARGUMENT_SPEC,
        supports_check_mode=True,
        required_together=[("certificate", "private_key")],
        mutually_exclusive=[("address", "addresses"), ("address", "all_addresses")],
    )
    options = module.params
    if MISSING is not None:
        module.fail_json(msg="the Python package cryptography is missing; install the Debian package python3-cryptography")
    check = check_servers if options["addresses"] or options["all_addresses"] else check_server
    try:
        findings, report = check(options, read_demands(options))
    except (OptionError, ProbeError) as error:
        module.fail_json(msg=str(error))
    result = {"changed": False, "findings": [finding.to_dict() for finding in findings], **report}
    levels = failing_levels(options["fail_on"])
    causes = [finding.sentence for finding in findings if finding.level in levels]
    if causes:
        where = f"{options['name']}, port {options['port']}"
        module.fail_json(msg="\n".join([f"{where}, is not fit for phones of the family {options['family']}:", *causes]), **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
