# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Syslog messages of an emulated phone, made from the templates in its profile.

Source: Log_Resync_*_Msg and Log_Upgrade_*_Msg of the ATA 191/192, SPA and MPP provisioning guides.
"""

from __future__ import annotations

from enum import StrEnum

from ...events.logs.syslog_messages import DEFAULTS, format_message
from ...profiles.rules.model import Target
from ..device.ports import Network
from ..device.state import PhoneState
from ..device.trace import MessageRecord, Outcome, StepName, Trace


class LogEvent(StrEnum):
    """The events that a phone logs, named as in syslog_messages.DEFAULTS."""

    REQUEST = "request"
    SUCCESS = "success"
    FAILURE = "failure"
    UPGRADE_REQUEST = "upgrade request"
    UPGRADE_SUCCESS = "upgrade success"
    UPGRADE_FAILURE = "upgrade failure"

    @property
    def setting(self) -> str:
        """The typed setting that holds the event's template."""
        return f"log_messages.{self.replace(' ', '_') if self.startswith('upgrade') else f'resync_{self}'}"


class SyslogClient:
    """Sends the messages of one phone."""

    def __init__(self, state: PhoneState, trace: Trace) -> None:
        self._state = state
        self._trace = trace

    def send(self, server: str, event: LogEvent, network: Network, target: Target | None, error: str = "") -> None:
        """Send the message of an event, unless its template is empty or *server* is."""
        if not server:
            return
        macros = {**self._state.macros(), "ERR": error, **(_target_macros(target, network) if target else {})}
        text = format_message(self._state.get(event.setting, DEFAULTS[event]), macros)
        if not text:
            return
        line = self._state.family.priority + text
        with self._trace.step(StepName.LOG, server) as entry:
            entry.detail = str(event)
            sent = network.log(server, line)
            entry.outcome = Outcome.OK if sent else Outcome.FAILED
        self._trace.messages.append(MessageRecord(server, line, sent))


def _target_macros(target: Target, network: Network) -> dict[str, str]:
    name = str(target.server)
    return {
        "SCHEME": target.scheme,
        "METH": target.scheme,
        "SERV": name,
        "SERVIP": next(iter(network.addresses(name)), name),
        "PORT": str(target.port),
        "PATH": target.path,
    }
