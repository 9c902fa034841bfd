# SPDX-License-Identifier: GPL-3.0-or-later
"""Which image each phone gets, and Upgrade_Rules that lead it to its target and no further."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.common.versions import read_number
from ansible_collections.voip.preprovision.plugins.module_utils.families.catalogue import BUILTIN
from ansible_collections.voip.preprovision.plugins.module_utils.firmware.images import FirmwareError, read_catalogue
from ansible_collections.voip.preprovision.plugins.module_utils.firmware.policy import FirmwarePolicy as Policy
from ansible_collections.voip.preprovision.plugins.module_utils.firmware.selector import FirmwareSelector, Upgrade, check_base, gaps
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.rules.checks import check_rule
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.rules.evaluate import evaluate
from ansible_collections.voip.preprovision.plugins.module_utils.profiles.rules.model import RuleKind

BASE = "http://prov.example.net/firmware/"


def entry(version="7.6.2", **changes):
    file = f"spa-{version.replace('.', '-')}.bin"
    digest = hashlib.sha256(version.encode()).hexdigest()
    return {"file": file, "sha256": digest, "version": version, "models": ["SPA504G"], **changes}


def images(*entries):
    return read_catalogue(list(entries), BUILTIN)


STEPS = (entry("7.5.2b"), entry("7.6.2", minimum="7.5.2b"))
MPP = {
    "file": "cmterm-88xx.11-3-2MPP0001-609_REL.zip",
    "sha256": "a" * 64,
    "version": "sip88xx.11-3-2MPP0001-609",
    "models": ["CP-8851-3PCC", "CP-8841-3PCC"],
    "load": "sip88xx.11-3-2MPP0001-609.loads",
}


@pytest.mark.parametrize(
    ("entries", "policy", "rule"),
    [
        ([entry()], "7.6.2", "($SWVER ne 7.6.2)? {}spa-7-6-2.bin"),
        ([entry()], "latest", "($SWVER lt 7.6.2)? {}spa-7-6-2.bin"),
        (STEPS, "latest", "($SWVER lt 7.5.2b)? {0}spa-7-5-2b.bin | ($SWVER lt 7.6.2)? {0}spa-7-6-2.bin"),
        (STEPS, "7.5.2b", "($SWVER ne 7.5.2b)? {}spa-7-5-2b.bin"),
        # No image is for phones older than 7.5.2b
        (STEPS[1:], "latest", "($SWVER ge 7.5.2b and $SWVER lt 7.6.2)? {}spa-7-6-2.bin"),
        (
            [entry("7.0.1", minimum="6.0.0"), *STEPS[:1], entry("8.0.0", minimum="7.6.0"), entry("7.6.2", minimum="7.5.0")],
            "8.0.0",
            "($SWVER lt 7.5.0)? {0}spa-7-5-2b.bin | ($SWVER lt 7.6.0)? {0}spa-7-6-2.bin | ($SWVER ne 8.0.0)? {0}spa-8-0-0.bin",
        ),
    ],
)
def test_rules(entries, policy, rule):
    upgrade = FirmwareSelector(images(*entries)).upgrade("SPA504G", Policy(policy))
    assert upgrade.rule(BASE) == rule.format(BASE)
    check_rule(upgrade.rule(BASE), RuleKind.UPGRADE, {})


@pytest.mark.parametrize("release", ["sip88xx.11-3-2MPP0001-609", "11-3-2MPP0001-609", "11.3.2"])
def test_a_release_has_several_names(release):
    upgrade = FirmwareSelector(images(MPP)).upgrade("CP-8851-3PCC", Policy(release))
    assert upgrade.rule(BASE) == f"($SWVER ne sip88xx.11-3-2MPP0001-609)? {BASE}sip88xx.11-3-2MPP0001-609.loads"


TWO_REVISIONS = (
    entry("7.6.2", hardware=["V01"]),
    entry("7.6.3", hardware=["V02", "V03"]),
)
OTHER_BUILD = {**MPP, "file": "b.zip", "sha256": "b" * 64, "version": "sip88xx.11-3-2MPP0001-610", "load": "b.loads"}


@pytest.mark.parametrize(
    ("entries", "model", "policy", "words"),
    [
        ([], "SPA504G", Policy("7.6.2"), "the catalogue has no 7.6.2; the catalogue has no image for its model"),
        (STEPS, "SPA504G", Policy("9.9.9"), "the catalogue has no 9.9.9; use 7.5.2b or 7.6.2, or latest"),
        (
            [MPP],
            "SPA504G",
            Policy("11.3.2"),
            "_REL.zip (sip88xx.11-3-2MPP0001-609) is for CP-8851-3PCC, CP-8841-3PCC, not for",
        ),
        (
            [MPP, OTHER_BUILD],
            "CP-8851-3PCC",
            Policy("11.3.2"),
            "11.3.2 could be sip88xx.11-3-2MPP0001-609 or sip88xx.11-3-2MPP0001-610",
        ),
        (
            TWO_REVISIONS,
            "SPA504G",
            Policy("latest"),
            "phone_hardware: it is missing, and spa-7-6-2.bin (7.6.2) is only for V01",
        ),
        (
            TWO_REVISIONS,
            "SPA504G",
            Policy("7.6.3", "V01"),
            "spa-7-6-3.bin (7.6.3) is for the hardware V02, V03, and phone_hardware is V01; use 7.6.2, or latest",
        ),
        (
            TWO_REVISIONS,
            "SPA504G",
            Policy("latest", "V09"),
            "phone_hardware: no image for SPA504G is for V09; no image fits this phone",
        ),
    ],
)
def test_refuses_policies_without_an_image(entries, model, policy, words):
    selector = FirmwareSelector(images(*entries))
    for _again in range(2):
        with pytest.raises(FirmwareError) as caught:
            selector.upgrade(model, policy)
        assert words in str(caught.value)


def test_each_hardware_revision_gets_its_own_image():
    selector = FirmwareSelector(images(*TWO_REVISIONS))
    found = {revision: selector.upgrade("SPA504G", Policy("latest", revision)).steps for revision in ("v01", "V03")}
    assert {revision: [step.version for step in steps] for revision, steps in found.items()} == {"v01": ["7.6.2"], "V03": ["7.6.3"]}


@pytest.mark.parametrize(
    ("model", "policy"),
    [("SPA504G", Policy()), ("SPA504G", Policy("latest", held=True)), ("ATA192", Policy("latest"))],
)
def test_returns_no_upgrade_for_phones_that_keep_their_firmware(model, policy):
    assert FirmwareSelector(images(*STEPS)).upgrade(model, policy) is None


def test_describes_gaps():
    assert gaps(images(*STEPS)) == []
    (sentence,) = gaps(images(STEPS[1]))
    assert sentence.startswith("spa-7-6-2.bin (7.6.2) can be reached only from 7.5.2b or newer;")
    assert "has no step for older phones such as a SPA504G, which keep" in sentence


@given(st.data())
def test_rules_lead_to_the_target_by_possible_steps(data):
    numbers = data.draw(st.lists(st.integers(1, 30), min_size=1, max_size=6, unique=True))
    entries = []
    for number in numbers:
        minimum = data.draw(st.one_of(st.none(), st.integers(0, number - 1)))
        entries.append(entry(f"1.{number}.0", minimum=None if minimum is None else f"1.{minimum}.0"))
    catalogue = images(*entries)
    exact = data.draw(st.booleans())
    target = data.draw(st.sampled_from(catalogue)).version if exact else "latest"
    upgrade = FirmwareSelector(catalogue).upgrade("SPA504G", Policy(target))
    rule = upgrade.rule(BASE)
    check_rule(rule, RuleKind.UPGRADE, {})
    loads = {BASE + image.load: image for image in catalogue}
    goal = read_number(upgrade.steps[-1].version)
    minimum = upgrade.steps[0].minimum
    start = running = f"1.{data.draw(st.integers(0, 40))}.0"
    for _step in range(len(numbers) + 1):
        choice = evaluate(rule, {"SWVER": running}, {}, RuleKind.UPGRADE)
        if choice is None:
            break
        image = loads[f"http://{choice.target.server}{choice.target.path}"]
        assert not image.minimum or read_number(image.minimum) <= read_number(running)
        assert read_number(image.version) != read_number(running)
        running = image.version
    else:
        pytest.fail("the rule never stops")
    if minimum and read_number(start) < read_number(minimum):
        assert running == start
    elif read_number(start) < goal or exact:
        assert read_number(running) == goal
    else:
        assert running == start


@pytest.mark.parametrize("url", ["http://prov.example.net/firmware/", "tftp://192.0.2.1/firmware/", "https://p.example.net:8443/"])
def test_accepts_urls_of_folders(url):
    check_base(url)


@pytest.mark.parametrize(
    "url", ["/firmware/", "http://p.example.net/firmware", "ftp://p.example.net/", "http://p.example.net/$PN/", ""]
)
def test_rejects_urls_that_are_not_folders(url):
    with pytest.raises(FirmwareError):
        check_base(url)


def test_an_upgrade_of_one_step_has_one_alternative():
    (image,) = images(entry())
    assert Upgrade((image,), True).rule(BASE).count("|") == 0


def test_example_of_the_guide():
    text = (Path(__file__).parents[5] / "docs/guides/firmware.md").read_text()
    variables = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)[0])
    found = read_catalogue(variables["firmware_images"], BUILTIN)
    assert gaps(found) == []
    assert FirmwareSelector(found).upgrade("SPA504G", Policy(variables["phone_firmware"])).rule(BASE) in text
