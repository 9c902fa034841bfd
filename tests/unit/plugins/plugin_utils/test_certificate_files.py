# SPDX-License-Identifier: GPL-3.0-or-later
"""Makers' CAs and the server's chain in files and folders of the controller, and the lookup of the role certificates."""

from __future__ import annotations

import datetime
import hashlib

import pytest
from ansible.errors import AnsibleLookupError
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultLib, VaultSecret
from cryptography.hazmat.primitives.serialization import Encoding

from ansible_collections.voip.preprovision.plugins.lookup.device_roots import LookupModule
from ansible_collections.voip.preprovision.plugins.module_utils.certificates.requests import CertificateError
from ansible_collections.voip.preprovision.plugins.plugin_utils.certificate_files import read_device_roots, read_signers

TODAY = {"now": datetime.datetime.now(datetime.UTC), "signer": None, "ca": True, "san": None}
SECRET = VaultSecret(b"a password of the vault")


@pytest.fixture(scope="module")
def cas(tiny_ca):
    one = tiny_ca.issue("One root", key="ca", **TODAY)
    return one, tiny_ca.issue("Other root", key="other-ca", **TODAY), tiny_ca.issue("Below", **{**TODAY, "signer": one})


@pytest.fixture
def read(tmp_path):
    """Return a function that reads files below a folder by their names, and returns the common names."""
    loader = DataLoader()
    loader.set_vault_secrets([("default", SECRET)])

    def find(name):
        return loader.path_dwim_relative_stack([str(tmp_path)], "files", name)

    def read_(*names):
        return [root.common_names[0] for root in read_device_roots(names, loader, find)]

    return read_


def test_reads_files_and_folders_in_order(cas, read, tmp_path):
    one, other, below = cas
    folder = tmp_path / "files/makers/below"
    folder.mkdir(parents=True)
    (tmp_path / "files/makers/b.pem").write_text(below.pem)
    (tmp_path / "files/makers/.hidden").write_text("no certificate")
    (folder / "a.cer").write_bytes(one.certificate.public_bytes(Encoding.DER))
    (tmp_path / "z.pem").write_text(other.pem + one.pem)
    assert read("makers") == ["Below", "One root"]
    assert read("z.pem", "makers") == ["Other root", "One root", "Below"]
    assert read(str(tmp_path / "z.pem")) == ["Other root", "One root"]
    assert read() == []


def test_reads_files_of_the_vault(cas, read, tmp_path):
    encrypted = VaultLib([("default", SECRET)]).encrypt(cas[0].pem)
    (tmp_path / "vaulted.pem").write_bytes(encrypted)
    assert read("vaulted.pem") == ["One root"]


def test_says_everything_that_is_wrong_at_once(cas, read, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "page.html").write_text("<html>")
    (tmp_path / "fine.pem").write_text(cas[0].pem)
    with pytest.raises(CertificateError) as caught:
        read("fine.pem", "empty", "gone.pem", "page.html")
    assert str(caught.value).splitlines() == [
        "certificates_device_roots: empty is an empty folder; put the makers' certificates there, or remove it from the list",
        "certificates_device_roots: gone.pem does not exist on the controller; name a file or folder with certificates",
        f"certificates_device_roots: {tmp_path}/page.html contains no certificate as PEM, DER or PKCS#7 (.p7b); download it again",
    ]


def test_names_the_file_of_a_certificate_of_no_use(cas, read, tmp_path):
    (tmp_path / "below.pem").write_text(cas[2].pem)
    with pytest.raises(CertificateError) as caught:
        read("below.pem")
    assert str(caught.value) == (
        f"certificates_device_roots: {tmp_path}/below.pem: the certificate of 'CN=Below,O=Example' leads to "
        "'CN=One root,O=Example', whose certificate is missing; give all CAs up to the root"
    )


def test_signers_of_a_server(tiny_ca, tmp_path):
    (tmp_path / "server.pem").write_text(tiny_ca.server.pem)
    (tmp_path / "chain.pem").write_text(tiny_ca.intermediate.pem)
    whole = ["CN=Test intermediate,O=Example", "CN=Test root,O=Example"]
    assert read_signers([str(tmp_path / "server.pem"), str(tmp_path / "chain.pem")], DataLoader(), str) == whole
    assert read_signers([str(tmp_path / "server.pem"), ""], DataLoader(), str) == whole[:1]
    assert read_signers(["", ""], DataLoader(), str) == []


@pytest.mark.parametrize("found", [None, "/nowhere/server.pem"])
def test_a_missing_server_certificate(found):
    with pytest.raises(CertificateError, match=r"^server\.pem (?:does not exist|cannot be read) on the controller$"):
        read_signers(["server.pem"], DataLoader(), lambda _name: found)


def test_lookup(cas, tmp_path):
    (tmp_path / "one.pem").write_text(cas[0].pem)
    lookup = LookupModule(loader=DataLoader())
    variables = {"ansible_search_path": [str(tmp_path)]}
    fingerprint = hashlib.sha256(cas[0].certificate.public_bytes(Encoding.DER)).hexdigest()
    expected = {"subject": "CN=One root,O=Example", "sha256": fingerprint, "pem": cas[0].pem}
    assert lookup.run(["one.pem", str(tmp_path)], variables) == [expected]
    with pytest.raises(AnsibleLookupError, match=r"^certificates_device_roots: gone does not exist"):
        lookup.run(["gone"], variables)
