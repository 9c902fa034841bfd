# SPDX-License-Identifier: GPL-3.0-or-later
"""The catalogue, who gets which image, and rules that phones follow to their target and no further."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.families import BUILTIN
from ansible_collections.voip.preprovision.plugins.module_utils.firmware import (
    Chooser,
    FirmwareError,
    Image,
    Upgrade,
    Wanted,
    check_base,
    gaps,
    read_catalogue,
    takes_part,
)
from ansible_collections.voip.preprovision.plugins.module_utils.mac import Mac
from ansible_collections.voip.preprovision.plugins.module_utils.rules import check_rule, evaluate
from ansible_collections.voip.preprovision.plugins.module_utils.versions import read_number

BASE = "http://prov.example.net/firmware/"


def entry(version="7.6.2", **changes):
    file = f"spa-{version.replace('.', '-')}.bin"
    digest = hashlib.sha256(version.encode()).hexdigest()
    return {"file": file, "sha256": digest, "version": version, "models": ["SPA504G"], **changes}


def images(*entries):
    return read_catalogue(list(entries), BUILTIN)


STONES = (entry("7.5.2b"), entry("7.6.2", minimum="7.5.2b"))
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
        ("x", "firmware_images: it is a str; write a list"),
        ([[]], "firmware_images: image 1: it is a list; write a mapping"),
        ([entry(sha256="")], "firmware_images: image 1 (spa-7-6-2.bin): sha256 is missing"),
        ([entry(sha="a")], "the key 'sha' is not known; did you mean sha256?"),
        ([entry(sha256="abc")], "'abc' is not 64 hexadecimal digits"),
        ([entry() | {"version": 7.6}], "version: it is a float"),
        ([entry() | {"version": "new"}], "version: 'new' is neither a number nor a version"),
        ([entry() | {"version": "7"}], "is a number; write the version as $SWVER"),
        ([entry(minimum="11-2-1MPP-006")], "are of two forms"),
        ([entry(minimum="7.6.2")], "minimum: 7.6.2 is not older than version 7.6.2"),
        ([entry(file="firmware/a b.bin")], "file: 'a b.bin' is no name"),
        ([entry(file="firmware/")], "file: '' is no name"),
        ([entry(file="../.hidden")], "file: '.hidden' is no name"),
        ([entry(models=None)], "models is missing"),
        ([entry(models=["SPA505G"])], "did you mean SPA5"),
        ([entry(family="spaa")], "family: 'spaa' is not known; did you mean spa?"),
        ([entry(family="mpp")], "SPA504G is of the family spa, not mpp"),
        ([entry(models=["T46U"])], "the family yealink has no parameter for an upgrade rule"),
        ([entry(load="b.bin")], "load: only a .zip holds other files"),
        ([{**MPP, "load": None}], "load is missing"),
        ([{**MPP, "load": "a/b.loads"}], "load: 'a/b.loads' is no name"),
        ([entry(size="1k")], "size: '1k' is no number of bytes"),
        ([entry(), entry(file="b.bin", sha256="b" * 64)], "are both 7.6.2 for SPA504G; tell them apart by hardware"),
        ([entry("7.6.2"), entry("11-2-1MPP-006")], "their versions are of two forms"),
        ([entry("7.6.2", file="a.bin"), entry("7.6.3", file="A.BIN")], "two images would be served as"),
        ([entry("7.6.2"), entry("7.6.3", sha256=entry("7.6.2")["sha256"])], "have the same sha256"),
    ],
)
def test_bad_entries(bad, words):
    with pytest.raises(FirmwareError) as caught:
        read_catalogue(bad, BUILTIN)
    assert words in str(caught.value)


def test_everything_wrong_is_told_at_once():
    with pytest.raises(FirmwareError) as caught:
        images(entry(sha256=""), entry(version="new"))
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("entries", "wanted", "rule"),
    [
        ([entry()], "7.6.2", "($SWVER ne 7.6.2)? {}spa-7-6-2.bin"),
        ([entry()], "latest", "($SWVER lt 7.6.2)? {}spa-7-6-2.bin"),
        (STONES, "latest", "($SWVER lt 7.5.2b)? {0}spa-7-5-2b.bin | ($SWVER lt 7.6.2)? {0}spa-7-6-2.bin"),
        (STONES, "7.5.2b", "($SWVER ne 7.5.2b)? {}spa-7-5-2b.bin"),
        # Nothing leads below 7.5.2b
        (STONES[1:], "latest", "($SWVER ge 7.5.2b and $SWVER lt 7.6.2)? {}spa-7-6-2.bin"),
        (
            [entry("7.0.1", minimum="6.0.0"), *STONES[:1], entry("8.0.0", minimum="7.6.0"), entry("7.6.2", minimum="7.5.0")],
            "8.0.0",
            "($SWVER lt 7.5.0)? {0}spa-7-5-2b.bin | ($SWVER lt 7.6.0)? {0}spa-7-6-2.bin | ($SWVER ne 8.0.0)? {0}spa-8-0-0.bin",
        ),
    ],
)
def test_rules(entries, wanted, rule):
    upgrade = Chooser(images(*entries)).upgrade("SPA504G", Wanted(wanted))
    assert upgrade.rule(BASE) == rule.format(BASE)
    check_rule(upgrade.rule(BASE), "upgrade", {})


@pytest.mark.parametrize("asked", ["sip88xx.11-3-2MPP0001-609", "11-3-2MPP0001-609", "11.3.2"])
def test_a_release_has_several_names(asked):
    upgrade = Chooser(images(MPP)).upgrade("CP-8851-3PCC", Wanted(asked))
    assert upgrade.rule(BASE) == f"($SWVER ne sip88xx.11-3-2MPP0001-609)? {BASE}sip88xx.11-3-2MPP0001-609.loads"


TWO_REVISIONS = (
    entry("7.6.2", hardware=["V01"]),
    entry("7.6.3", hardware=["V02", "V03"]),
)
OTHER_BUILD = {**MPP, "file": "b.zip", "sha256": "b" * 64, "version": "sip88xx.11-3-2MPP0001-610", "load": "b.loads"}


@pytest.mark.parametrize(
    ("entries", "model", "wanted", "words"),
    [
        ([], "SPA504G", Wanted("7.6.2"), "the catalogue has no 7.6.2; the catalogue has none for its model"),
        (STONES, "SPA504G", Wanted("9.9.9"), "the catalogue has no 9.9.9; right would be 7.5.2b or 7.6.2, or latest"),
        ([MPP], "SPA504G", Wanted("11.3.2"), "_REL.zip (sip88xx.11-3-2MPP0001-609) is for CP-8851-3PCC, CP-8841-3PCC, and not for"),
        (
            [MPP, OTHER_BUILD],
            "CP-8851-3PCC",
            Wanted("11.3.2"),
            "11.3.2 could be sip88xx.11-3-2MPP0001-609 or sip88xx.11-3-2MPP0001-610",
        ),
        (TWO_REVISIONS, "SPA504G", Wanted("latest"), "phone_hardware: it is missing, and spa-7-6-2.bin (7.6.2) is for V01 alone"),
        (
            TWO_REVISIONS,
            "SPA504G",
            Wanted("7.6.3", "V01"),
            "spa-7-6-3.bin (7.6.3) is for the hardware V02, V03, and phone_hardware is V01; right would be 7.6.2, or latest",
        ),
        (TWO_REVISIONS, "SPA504G", Wanted("latest", "V09"), "phone_hardware: no image for SPA504G is for V09; no image fits it"),
    ],
)
def test_refusals(entries, model, wanted, words):
    chooser = Chooser(images(*entries))
    for _again in range(2):
        with pytest.raises(FirmwareError) as caught:
            chooser.upgrade(model, wanted)
        assert words in str(caught.value)


def test_each_revision_gets_its_own():
    chooser = Chooser(images(*TWO_REVISIONS))
    found = {revision: chooser.upgrade("SPA504G", Wanted("latest", revision)).steps for revision in ("v01", "V03")}
    assert {revision: [step.version for step in steps] for revision, steps in found.items()} == {"v01": ["7.6.2"], "V03": ["7.6.3"]}


@pytest.mark.parametrize(
    ("model", "wanted"), [("SPA504G", Wanted()), ("SPA504G", Wanted("latest", held=True)), ("ATA192", Wanted("latest"))]
)
def test_firmware_that_is_left_alone(model, wanted):
    assert Chooser(images(*STONES)).upgrade(model, wanted) is None


def test_gaps():
    assert gaps(images(*STONES)) == []
    (sentence,) = gaps(images(STONES[1]))
    assert sentence.startswith("spa-7-6-2.bin (7.6.2) is reached from 7.5.2b on; nothing leads older phones such as a SPA504G")


@given(st.data())
def test_a_phone_follows_its_rule_to_the_target_by_steps_that_it_can_take(data):
    numbers = data.draw(st.lists(st.integers(1, 30), min_size=1, max_size=6, unique=True))
    entries = []
    for number in numbers:
        minimum = data.draw(st.one_of(st.none(), st.integers(0, number - 1)))
        entries.append(entry(f"1.{number}.0", minimum=None if minimum is None else f"1.{minimum}.0"))
    catalogue = images(*entries)
    exact = data.draw(st.booleans())
    target = data.draw(st.sampled_from(catalogue)).version if exact else "latest"
    upgrade = Chooser(catalogue).upgrade("SPA504G", Wanted(target))
    rule = upgrade.rule(BASE)
    check_rule(rule, "upgrade", {})
    loads = {BASE + image.load: image for image in catalogue}
    goal = read_number(upgrade.steps[-1].version)
    lowest = upgrade.steps[0].minimum
    start = running = f"1.{data.draw(st.integers(0, 40))}.0"
    for _step in range(len(numbers) + 1):
        choice = evaluate(rule, {"SWVER": running}, {}, "upgrade")
        if choice is None:
            break
        image = loads[f"http://{choice.target.server}{choice.target.path}"]
        assert not image.minimum or read_number(image.minimum) <= read_number(running)
        assert read_number(image.version) != read_number(running)
        running = image.version
    else:
        pytest.fail("it never ends")
    if lowest and read_number(start) < read_number(lowest):
        assert running == start
    elif read_number(start) < goal or exact:
        assert read_number(running) == goal
    else:
        assert running == start


@given(st.lists(st.integers(0, 2**48 - 1), min_size=1, max_size=20), st.integers(0, 100), st.integers(0, 100))
def test_who_takes_part_stays_in(macs, one, other):
    for number in macs:
        mac = Mac(f"{number:012x}")
        assert takes_part(mac, min(one, other)) <= takes_part(mac, max(one, other))
        assert takes_part(mac, 100)
        assert not takes_part(mac, 0)


def test_a_share_is_about_that_share():
    assert 150 < sum(takes_part(Mac(f"{number:012x}"), 20) for number in range(1000)) < 250


@pytest.mark.parametrize("url", ["http://prov.example.net/firmware/", "tftp://192.0.2.1/firmware/", "https://p.example.net:8443/"])
def test_folders(url):
    check_base(url)


@pytest.mark.parametrize(
    "url", ["/firmware/", "http://p.example.net/firmware", "ftp://p.example.net/", "http://p.example.net/$PN/", ""]
)
def test_what_is_no_folder(url):
    with pytest.raises(FirmwareError):
        check_base(url)


def test_an_upgrade_without_stones():
    (image,) = images(entry())
    assert Upgrade((image,), True).rule(BASE).count("|") == 0


def test_the_example_of_the_guide():
    text = (Path(__file__).parents[4] / "docs/firmware.md").read_text()
    variables = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)[0])
    found = read_catalogue(variables["firmware_images"], BUILTIN)
    assert gaps(found) == []
    assert Chooser(found).upgrade("SPA504G", Wanted(variables["phone_firmware"])).rule(BASE) in text
