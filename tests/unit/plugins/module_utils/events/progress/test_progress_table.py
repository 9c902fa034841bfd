# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of states and transitions: progress follows it, and docs/contributors/phone_states.md shows it.

After a change of the table, draw the page anew: PYTHONPATH=.cache/collections python tests/.../progress/test_progress_table.py
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.voip.preprovision.plugins.module_utils.events.progress.observations import (
    Observation,
    Observations,
    Sightings,
    reset,
)
from ansible_collections.voip.preprovision.plugins.module_utils.events.progress.progress import FAILURE_RULES, position_of
from ansible_collections.voip.preprovision.plugins.module_utils.events.progress.progress_table import (
    MAX_IMAGE_FETCHES,
    STATE_DESCRIPTIONS,
    STATES,
    STUCK_AFTER,
    TRANSITIONS,
    Action,
    ObservationKind,
    State,
    Transition,
)

PAGE = Path(__file__).parents[6] / "docs/contributors/phone_states.md"
SHIPPED = (State.PACKED, State.DEPLOYED)
AT_WORK = tuple(state for state in STATES if state not in (*SHIPPED, State.FAILED))
NOW = 1795524177778
DAY = 24 * 3600 * 1000
PACKED = NOW + 10_000

# One way into each state
HISTORIES = {
    State.EXPECTED: (),
    State.LEASED: (ObservationKind.LEASED,),
    State.BOOTSTRAP: (ObservationKind.LEASED, ObservationKind.BOOTSTRAP_FETCHED),
    State.PROFILE: (ObservationKind.LEASED, ObservationKind.BOOTSTRAP_FETCHED, ObservationKind.PROFILE_FETCHED),
    State.RESYNCED: (ObservationKind.LEASED, ObservationKind.PROFILE_FETCHED, ObservationKind.PROFILE_APPLIED),
    State.REPORTED: (ObservationKind.PROFILE_FETCHED, ObservationKind.PROFILE_APPLIED, ObservationKind.REPORTED),
    State.PACKED: (ObservationKind.PROFILE_FETCHED, ObservationKind.PROFILE_APPLIED),
    State.DEPLOYED: (ObservationKind.PROFILE_FETCHED, ObservationKind.PROFILE_APPLIED, ObservationKind.CALLED_HOME),
    State.FAILED: (ObservationKind.LEASED, ObservationKind.PROFILE_FETCHED, ObservationKind.UPGRADE_FAILED),
}


def observed(kinds: Iterable[ObservationKind]) -> Observations:
    latest = {kind: Observation(NOW + number, f"{number}", "/x", "address") for number, kind in enumerate(kinds)}
    images = ()
    if latest.pop(ObservationKind.IMAGE_FETCHED, None):
        images = tuple(Observation(NOW + 100 - number, "", "/firmware/x.bin") for number in range(MAX_IMAGE_FETCHES))
    home = {kind: latest.pop(kind) for kind in (ObservationKind.CALLED_HOME,) if kind in latest}
    return Observations(Sightings(latest, images), home=Sightings(home))


def reached(state: State, kinds: Iterable[ObservationKind], logs: bool = True) -> State:
    # What is observed of a packed phone comes after it was scanned out
    packed = NOW + 1 if state in SHIPPED else 0
    return position_of(observed(kinds), packed, logs).state


def next_state(state: State, kind: ObservationKind, history: Iterable[ObservationKind] = (), logs: bool = True) -> State:
    """Return what the table says within a day: of two rows that apply, the one that leads further."""
    known = history or HISTORIES[state]
    rows = [
        row for row in TRANSITIONS if row.trigger is kind and state in row.sources and not row.away and (not row.silent or not logs)
    ]
    targets = [row.target or State.PROFILE for row in rows if row.after is None or row.after in known]
    return max(targets, key=STATES.index, default=state)


@pytest.mark.parametrize("state", STATES)
def test_reaches_every_state(state):
    assert reached(state, HISTORIES[state]) is state


@pytest.mark.parametrize("kind", ObservationKind)
@pytest.mark.parametrize("state", [*AT_WORK, *SHIPPED])
def test_progress_follows_the_table(state, kind):
    assert reached(state, [*HISTORIES[state], kind]) is next_state(state, kind)


@pytest.mark.parametrize("kind", ObservationKind)
def test_a_phone_with_its_own_file_by_tftp_follows_the_table(kind):
    history = (ObservationKind.LEASED, ObservationKind.PROFILE_FETCHED, ObservationKind.UNIT_FILE_FETCHED)
    assert reached(State.PROFILE, [*history, kind]) is next_state(State.PROFILE, kind, history)


@pytest.mark.parametrize("kind", ObservationKind)
@pytest.mark.parametrize("state", [State.EXPECTED, State.LEASED, State.BOOTSTRAP])
def test_a_phone_that_does_not_log_follows_the_table(state, kind):
    assert reached(state, [*HISTORIES[state], kind], logs=False) is next_state(state, kind, logs=False)


@pytest.mark.parametrize("kind", ObservationKind)
@pytest.mark.parametrize("failure", [ObservationKind.RESYNC_FAILED, ObservationKind.REFUSED, ObservationKind.UPGRADE_FAILED])
def test_a_failed_phone_follows_the_table(failure, kind):
    history = [ObservationKind.LEASED, ObservationKind.PROFILE_FETCHED, failure]
    after = reached(State.FAILED, [*(one for one in history if one is not kind), kind])
    expected = next_state(State.FAILED, kind)
    if failure is ObservationKind.UPGRADE_FAILED:
        # Only an upgrade or a new start ends it
        ends = (ObservationKind.UPGRADED, ObservationKind.BOOTSTRAP_FETCHED)
        expected = expected if kind in ends else State.FAILED
    elif kind is ObservationKind.UPGRADED:
        expected = State.FAILED
    elif expected is State.BOOTSTRAP and kind is not ObservationKind.BOOTSTRAP_FETCHED:
        # As far as it had ever been
        expected = State.PROFILE
    assert after is expected


@pytest.mark.parametrize("later", [DAY // 2, 2 * DAY])
@pytest.mark.parametrize("state", STATES)
def test_a_phone_that_calls_home_follows_the_table(state, later):
    home = {ObservationKind.CALLED_HOME: Observation(NOW + later, "9", "198.51.100.7", "certificate")}
    rows = [row for row in TRANSITIONS if row.trigger is ObservationKind.CALLED_HOME and state in row.sources]
    expected = State.DEPLOYED if any(not row.away or later > DAY for row in rows) else state
    seen = replace(observed(HISTORIES[state]), home=Sightings(home))
    assert position_of(seen, NOW + 1 if state in SHIPPED else 0).state is expected


def test_every_way_to_fail_has_a_rule():
    assert set(FAILURE_RULES) == {row.trigger for row in TRANSITIONS if row.target is State.FAILED}


def test_a_phone_that_is_scanned_in_again_or_rearmed_is_expected():
    targets = {row.target for row in TRANSITIONS if row.trigger in (Action.SCANNED_IN, Action.REARMED)}
    assert targets == {position_of(reset(NOW)).state}


def test_operators_pack_phones_that_are_done():
    sources = next(row.sources for row in TRANSITIONS if row.trigger is Action.SCANNED_OUT)
    assert {position_of(observed(HISTORIES[state]), PACKED).state for state in sources} == {State.PACKED}


# ---- the page


def describe(trigger: ObservationKind | Action) -> str:
    return trigger.name.lower().replace("_", " ")


def edges(row: Transition) -> list[tuple[str, str]]:
    """Return the arrows of the picture: from the state before, or from the box around all states of a phone at work."""
    before = [state for state in row.sources if state in AT_WORK]
    back = [(State.FAILED, "bench")] if State.FAILED in row.sources and row.target in (None, *AT_WORK) else []
    if row.sources == STATES:
        return [(source, row.target) for source in ("bench", State.FAILED, *SHIPPED)]
    if row.trigger is ObservationKind.CALLED_HOME:
        return [(source, row.target) for source in (("bench", State.FAILED) if row.away else row.sources)]
    if row.sources == AT_WORK:
        return [("bench", row.target)]
    return [*((state, row.target) for state in (before if row.target is State.PACKED else before[-1:])), *back]


def diagram() -> list[str]:
    labels: dict[tuple[str, str], list[str]] = {}
    for row in TRANSITIONS:
        for edge in edges(row):
            labels.setdefault(edge, []).append(describe(row.trigger))
    inner = {edge for edge in labels if set(edge) <= set(AT_WORK)}
    arrows = {edge: f"{edge[0]} --> {edge[1]}: {' / '.join(dict.fromkeys(words))}" for edge, words in labels.items()}
    return [
        "stateDiagram-v2",
        f"    [*] --> {State.EXPECTED}",
        '    state "on the bench" as bench {',
        *(f"        {arrow}" for edge, arrow in arrows.items() if edge in inner),
        "    }",
        *(f"    {arrow}" for edge, arrow in arrows.items() if edge not in inner),
    ]


def sources(row: Transition) -> str:
    if row.sources == STATES:
        return "any"
    if row.sources == AT_WORK:
        return f"any but {State.PACKED}, {State.DEPLOYED}, {State.FAILED}"
    return ", ".join(row.sources)


AT_HOME = """\
## At home

What provisioning servers see (`profile_service_place: home`) is kept apart from what stations see: it leads to the state `deployed`
and to no other. A contact there is a request for a file, a report, or a query of remote customization; looking at the board or the
API is none, nor is `HEAD`, with which scan-out asks whether a server knows a phone.

| seen at home | evidence | moves the phone | why |
| --- | --- | --- | --- |
| any of them with the client certificate that carries its MAC address | `certificate` | yes | only the unit has the private key |
| a report sealed with its key, which the key opens | `key` | yes | only the unit and the provider have the key |
| the file whose name contains the ID of its key (`{key_id}`) | `name` | no | see below |
| anything else that names it: a path, a User-Agent, a log line, a query | `claim` | no | anybody can send it |

No address at home proves anything: there is no lease, and one address may stand for many phones. So a claim changes neither state
nor customization state, address, firmware or last contact, however long nothing certain was heard. Board and API show the latest
claim apart, as such.

**The ID of a key is no secret.** It is 32 bits of a keyed hash, so a stranger who knows a MAC address does not guess it:
guesses are counted and blocked. But it stands in the path of each request, which plain HTTP sends in the clear, and a path is
stored in the logs of proxies. It tells which file is meant, not who asks; whoever has overheard one request can repeat it for
ever. So it is evidence of its own, `name`: it moves nothing, but a phone that is asked for by it is not reported as never having
called home, and the board says how that is known. With HTTPS and a client certificate, or with a `Report_Rule` that seals, the
contact is certain.

**A sealed report can be overheard and sent again** with plain HTTP, too. It moves a phone to `deployed` at most, so a copy can make
a phone look alive that is not, from an address that is not its own; it packs none. With HTTPS, nobody overhears it.

A deployed phone is never stuck: at the customer's, it usually logs to nobody. A phone is `silent`, with the likely cause, if it has
not called home within `profile_service_silent_days` after it was packed, or since it last did.""".splitlines()


def render_page() -> str:
    """Return docs/contributors/phone_states.md."""
    states = [
        f"| `{state}` | {STATE_DESCRIPTIONS[state]} | {f'{STUCK_AFTER[state]} s' if state in STUCK_AFTER else '-'} |"
        for state in STATES
    ]
    rows = [
        f"| {describe(row.trigger)} | {sources(row)} | {row.target or 'the furthest state that it had reached'} | "
        f"{'; '.join(filter(None, (f'after {describe(row.after)}' if row.after else '', row.note)))} |"
        for row in TRANSITIONS
    ]
    return "\n".join(
        [
            "# States of a phone",
            "",
            "The profile service derives a phone's state from what the logs say of it. It keeps the latest observation of each",
            "kind, and the state follows from these, so log lines may arrive late, twice or in any order. The table is",
            "`plugins/module_utils/events/progress/progress_table.py`; this page is generated from it.",
            "",
            "```mermaid",
            *diagram(),
            "```",
            "",
            "A phone may skip states, since a log line may be missing: the picture shows only the arrow from the state before. An",
            "arrow from the box leads from every state in it. A failed phone that makes progress is as far as it had ever been",
            "since it started over.",
            "",
            "What anybody could have sent is a claim. It moves a phone only if nothing is certain of it, or nothing was within a",
            "day; the board and the API then mark the state as claimed. [The board](../operators/board.md) says what is certain. A",
            "claim does not unpack a phone, does not have its file taken away, and does not count in a batch.",
            "",
            *AT_HOME,
            "",
            "## States",
            "",
            "| state | meaning | stuck after |",
            "| --- | --- | --- |",
            *states,
            "",
            "## Transitions",
            "",
            "Anything that is not in this table changes no state.",
            "",
            "| observation or action | from | to | condition |",
            "| --- | --- | --- | --- |",
            *rows,
            "",
        ]
    )


def test_the_page_shows_the_table():
    assert PAGE.read_text() == render_page(), "draw it anew: run this file as a program"


if __name__ == "__main__":
    PAGE.write_text(render_page())
