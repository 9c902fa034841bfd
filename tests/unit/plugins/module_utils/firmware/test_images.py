# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading the catalogue of images, and the entries that it rejects."""

from __future__ import annotations

import hashlib
import json

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.families.catalogue import BUILTIN
from ansible_collections.voip.preprovision.plugins.module_utils.firmware.images import FirmwareError, Image, read_catalogue


def entry(version="7.6.2", **changes):
    file = f"spa-{version.replace('.', '-')}.bin"
    digest = hashlib.sha256(version.encode()).hexdigest()
    return {"file": file, "sha256": digest, "version": version, "models": ["SPA504G"], **changes}


def images(*entries):
    return read_catalogue(list(entries), BUILTIN)


MPP = {
    "file": "cmterm-88xx.11-3-2MPP0001-609_REL.zip",
    "sha256": "a" * 64,
    "version": "sip88xx.11-3-2MPP0001-609",
    "models": ["CP-8851-3PCC", "CP-8841-3PCC"],
    "load": "sip88xx.11-3-2MPP0001-609.loads",
}


def test_an_entry_becomes_an_image():
    (image,) = images({**MPP, "hardware": ["v02"], "size": 100, "file": "https://files.example.net/a/cmterm.zip?x=/1"})
    assert image == Image(
        file="https://files.example.net/a/cmterm.zip?x=/1",
        sha256="a" * 64,
        version="sip88xx.11-3-2MPP0001-609",
        models=("CP-8851-3PCC", "CP-8841-3PCC"),
        load="sip88xx.11-3-2MPP0001-609.loads",
        hardware=("V02",),
        size=100,
    )
    assert (image.name, image.is_url, image.is_package) == ("cmterm.zip", True, True)
    assert Image.of_plain(json.loads(json.dumps(image.plain()))) == image


def test_a_family_means_all_its_models():
    (image,) = images(entry(models=None, family="ata19x", version="11-2-1MPP0001-006"))
    assert image.models == ("ATA191", "ATA192")


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ("x", "firmware_images: it is text; write a list"),
        ([[]], "firmware_images: image 1: it is a list; write a mapping"),
        ([entry(sha256="")], "firmware_images: image 1 (spa-7-6-2.bin): sha256 is missing; an image needs file, sha256, version"),
        ([entry(sha="a")], "unknown key 'sha'; did you mean 'sha256'?"),
        ([entry(sha256="abc")], "'abc' is not 64 hexadecimal digits"),
        ([entry() | {"version": 7.6}], "version: must be text, not a decimal fraction; write it in quotes, such as '1.10'"),
        ([entry() | {"version": "new"}], "version: 'new' is neither a number nor a version"),
        ([entry() | {"version": "7"}], "is a number; write the version as the phone reports it in $SWVER"),
        ([entry(minimum="11-2-1MPP-006")], "have different forms"),
        ([entry(minimum="7.6.2")], "minimum: 7.6.2 is not older than version 7.6.2"),
        ([entry(file="firmware/a b.bin")], "file: not every phone can request 'a b.bin'"),
        ([entry(file="firmware/")], "file: not every phone can request ''"),
        ([entry(file="../.hidden")], "file: not every phone can request '.hidden'"),
        ([entry(models=None)], "models is missing"),
        ([entry(models=["SPA505G"])], "did you mean 'SPA5"),
        ([entry(family="spaa")], "unknown family 'spaa'; did you mean 'spa'?"),
        ([entry(family="mpp")], "SPA504G belongs to the family spa, not mpp"),
        ([entry(models=["T46U"])], "the family yealink has no parameter for an upgrade rule"),
        ([entry(load="b.bin")], "load: only a .zip contains other files"),
        ([{**MPP, "load": None}], "load is missing"),
        ([{**MPP, "load": "a/b.loads"}], "load: not every phone can request 'a/b.loads'"),
        ([entry(size="1k")], "size: '1k' must be a whole number of bytes, of at least 1"),
        ([entry(), entry(file="b.bin", sha256="b" * 64)], "are both 7.6.2 for SPA504G; tell them apart by hardware"),
        ([entry("7.6.2"), entry("11-2-1MPP-006")], "their versions have different forms"),
        ([entry("7.6.2", file="a.bin"), entry("7.6.3", file="A.BIN")], "two images would be served as A.BIN; TFTP ignores case"),
        ([entry("7.6.2"), entry("7.6.3", sha256=entry("7.6.2")["sha256"])], "have the same sha256"),
    ],
)
def test_rejects_invalid_entries(bad, words):
    with pytest.raises(FirmwareError) as caught:
        read_catalogue(bad, BUILTIN)
    assert words in str(caught.value)


def test_reports_all_errors_at_once():
    with pytest.raises(FirmwareError) as caught:
        images(entry(sha256=""), entry(version="new"))
    assert len(str(caught.value).splitlines()) == 2
