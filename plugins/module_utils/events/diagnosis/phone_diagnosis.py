# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Why a phone is stuck or has failed, by what has been observed of it."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from types import MappingProxyType

from ..causes.causes import CLAUSES, Cause, Clause, Diagnosis, cause_of_refusal, diagnosis_of
from ..logs.refusals import read_refusal
from ..progress.observations import Observations, Sightings, resolve_claims
from ..progress.progress import failure_of
from ..progress.progress_table import STUCK_AFTER, ObservationKind, State


def diagnose_phone(
    observations: Observations,
    state: str,
    since: int,
    now: int,
    family: str = "",
    stuck_after: Mapping[State, int] = STUCK_AFTER,
    existing: Container[str] = (),
) -> Diagnosis | None:
    """Return why a phone that is in *state* since *since* makes no progress, or None while there is nothing to worry about.

    *now* in milliseconds. *family*: its name, if it is known. *existing*: paths of files that it would get now.
    """
    seen = resolve_claims(observations)
    if state == State.FAILED:
        failure = failure_of(seen)
        return diagnosis_of(CLAUSES[failure.cause if failure else Cause.UNKNOWN])
    if state not in stuck_after or now - since < stuck_after[State(state)] * 1000:
        return None
    if state == State.PROFILE:
        return diagnosis_of(_no_message(seen, family))
    return diagnosis_of(_STUCK[State(state)](seen, existing))


def _no_lease(seen: Sightings, _existing: Container[str]) -> Clause:
    asked = seen.get(ObservationKind.LEASE_TROUBLE)
    if asked.text in _LEASE_TROUBLES:
        return _LEASE_TROUBLES[asked.text]
    if asked.time:
        return Clause(
            "it asks for an address, but accepts none of those offered",
            "look for another DHCP server, and for a VLAN in which answers do not reach it",
        )
    return Clause(
        "no DHCP request from it has arrived",
        "check its cable, the switch port and its VLAN, that DHCP runs, and the MAC address on its label",
    )


NO_FREE_ADDRESS = Clause("the DHCP server has no free address for it", "enlarge the pool, or wait until leases end")
ADDRESS_REFUSED = Clause(
    "the DHCP server refused the address that it wants", "unplug it for a moment, so that it asks for a new address"
)
_LEASE_TROUBLES = MappingProxyType(
    {
        "none free": NO_FREE_ADDRESS,
        "nak": ADDRESS_REFUSED,
        "decline": Clause(
            "another device has the address that it was offered", "find out what else uses addresses of the bench's pool"
        ),
    }
)


def _no_bootstrap(seen: Sightings, existing: Container[str]) -> Clause:
    since = seen.get(ObservationKind.LEASED)
    refused, missing = seen.get(ObservationKind.REFUSED), seen.get(ObservationKind.FILE_MISSING)
    if refused > since:
        return CLAUSES[cause_of_refusal(read_refusal(refused.text))]
    if missing > since:
        return _missing_file(
            missing.text, existing, "check that its model is the one in the inventory, and publish the profiles of that model"
        )
    if seen.get(ObservationKind.TRANSFER_BROKEN) > since:
        return Clause(
            "its transfer by TFTP breaks off", "check its cable, and that no firewall blocks UDP between it and the station"
        )
    return Clause(
        "it has an address, but has not asked for a profile, as a unit with an old customer's profile does not",
        "reset it to factory settings (docs/guides/reset.md), and check that DHCP gives it option 66",
    )


def _no_profile(seen: Sightings, existing: Container[str]) -> Clause:
    since = seen.get(ObservationKind.BOOTSTRAP_FETCHED)
    refused, missing = seen.get(ObservationKind.REFUSED), seen.get(ObservationKind.FILE_MISSING)
    if refused > since:
        return CLAUSES[cause_of_refusal(read_refusal(refused.text))]
    if seen.get(ObservationKind.LOGIN_REQUIRED) > since:
        return CLAUSES[Cause.LOGIN]
    if missing > since:
        return _missing_file(missing.text, existing, "check that its MAC address is in the inventory, and publish its profile")
    requested = seen.get(ObservationKind.RESYNC_REQUESTED)
    if requested > since and requested.text.lower().startswith("https:"):
        return Clause(
            "it wants its profile by HTTPS, but no request has arrived",
            "check the server certificate's name, expiry and issuer, and that the phone gets the time (option 42)",
        )
    if requested > since:
        return Clause(
            f"it wants {requested.text}, but no request has arrived",
            "check that the server's name resolves on the bench, and that the server is the station",
        )
    return Clause(
        "it has its bootstrap profile, but has not asked for its own",
        "check the Profile_Rule in the bootstrap profile, and give it a minute after it has restarted",
    )


def _missing_file(path: str, existing: Container[str], remedy: str) -> Clause:
    if path not in existing:
        return Clause(f"it asks for {path}, which does not exist", remedy)
    # dnsmasq logs only the printable characters of a name
    return Clause(
        f"it asked for {path} before that existed, or for a name with unprintable characters, which the TFTP server does not log",
        "switch it off and on; if this comes again, read the name in its request with the playbook capture, and correct its rule",
    )


def diagnose_models_file(known: bool, served: bool) -> Diagnosis:
    """Return why a phone whose own file is delivered by TFTP got its model's file instead.

    *known*: whether the inventory has the phone. *served*: whether its own file is served now.
    """
    if not known:
        cause, remedy = "no profile exists for it", "add it to the inventory, then run ansible-playbook voip.preprovision.profiles"
    elif not served:
        cause, remedy = "its own was taken away", "scan it in again, then switch it off and on"
    else:
        cause, remedy = "its own was not served", "run ansible-playbook voip.preprovision.profiles, then switch it off and on"
    return diagnosis_of(Clause(f"it has fetched its model's file, since {cause}", remedy))


def _no_message(seen: Sightings, family: str) -> Clause:
    unit_file, requested = seen.get(ObservationKind.UNIT_FILE_FETCHED), seen.get(ObservationKind.RESYNC_REQUESTED)
    if unit_file > max(requested, seen.get(ObservationKind.BOOTSTRAP_FETCHED)):
        return Clause(
            "it has fetched its own file by TFTP, but has logged nothing since",
            "look at its web page for the state of the last resync; if it has its profile, its family logs only to the server that"
            f" it knew before, so set phone_families.{family or '<family>'}.logs_to_new_server to false",
        )
    if requested.time:
        return Clause(
            "it has fetched its profile, but does not log that it applied it",
            "look at its web page for the state of the last resync, and compare the key and digest",
        )
    return Clause(
        "it has fetched its profile, but does not log",
        "check the syslog server in its profile, and that its VLAN reaches the station's UDP port 514",
    )


_STUCK: Mapping[State, Callable[[Sightings, Container[str]], Clause]] = MappingProxyType(
    {State.EXPECTED: _no_lease, State.LEASED: _no_bootstrap, State.BOOTSTRAP: _no_profile}
)
