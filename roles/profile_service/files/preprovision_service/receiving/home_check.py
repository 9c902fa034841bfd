# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the provisioning servers have a unit's service profile, asked as a phone asks: at each address, by the public name.

With HEAD, which no phone sends: the servers do not take the question for a call of the phone. No server may lack the profile, and
at least one must have it; those that do not answer are named, and another of them may take the phone.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from enum import Enum, auto
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from .outcomes import Check

CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 3.0
TOTAL_SECONDS = 8.0
"""However many servers there are: all are asked at the same time."""

_MAX_THREADS = 16
_PORTS = {"http": 80, "https": 443}
_AGENT = "voip.preprovision scan-out"

Servers = Mapping[str, Sequence[str]]
"""Name of a provisioning server -> its addresses."""


class _Known(Enum):
    YES = auto()
    NO = auto()
    HIDDEN = auto()
    """It tells nobody but the phone itself."""
    NO_ANSWER = auto()


_STATUSES = {
    200: _Known.YES,
    404: _Known.NO,
    401: _Known.HIDDEN,
    403: _Known.HIDDEN,
}


class _Answer(NamedTuple):
    server: str
    known: _Known
    text: str = ""
    """Address and reason if there is no answer."""


def check_home(url: str, servers: Servers, ca: str = "") -> Check:
    """Return the check whether the provisioning *servers* have the service profile at *url*.

    *ca*: file with the certificates of CAs, by default the system's. Takes at most TOTAL_SECONDS.
    """
    target = urlsplit(url)
    if target.scheme not in _PORTS:
        return Check("Home", True, f"not checked, since phones fetch {target.scheme} from home.")
    try:
        context = ssl.create_default_context(cafile=ca or None) if target.scheme == "https" else None
    except OSError as error:
        return Check("Home", False, f"{ca}, which verifies provisioning servers, cannot be read: {error.strerror or error}.")
    places = [(server, address) for server, addresses in servers.items() for address in addresses]
    pool = ThreadPoolExecutor(min(len(places), _MAX_THREADS) or 1)
    asked = {pool.submit(_ask, target, server, address, context): (server, address) for server, address in places}
    done, late = wait(asked, timeout=TOTAL_SECONDS)
    pool.shutdown(wait=False, cancel_futures=True)
    answers = [future.result() for future in asked if future in done]
    answers += [_Answer(asked[one][0], _Known.NO_ANSWER, f"{asked[one][1]}: no answer within {TOTAL_SECONDS:g} s") for one in late]
    return _judge(target.path, servers, answers)


def _ask(target: SplitResult, server: str, address: str, context: ssl.SSLContext | None) -> _Answer:
    """Ask one address; the name in the URL is what the certificate must be for."""
    host, port = target.hostname or "", target.port or _PORTS[target.scheme]
    connection = http.client.HTTPConnection(host, port)
    try:
        connection.sock = socket.create_connection((address, port), timeout=CONNECT_SECONDS)
        connection.sock.settimeout(ANSWER_SECONDS)
        if context is not None:
            connection.sock = context.wrap_socket(connection.sock, server_hostname=host)
        connection.request("HEAD", target.path, headers={"User-Agent": _AGENT})
        status = connection.getresponse().status
    except ssl.SSLCertVerificationError as error:
        return _Answer(server, _Known.NO_ANSWER, f"{address}: its certificate is not valid here: {error.verify_message}")
    except TimeoutError:
        return _Answer(server, _Known.NO_ANSWER, f"{address}: no answer")
    except (OSError, http.client.HTTPException) as error:
        return _Answer(server, _Known.NO_ANSWER, f"{address}: {getattr(error, 'strerror', None) or error or type(error).__name__}")
    finally:
        connection.close()
    return _Answer(server, _STATUSES.get(status, _Known.NO_ANSWER), f"{address}: HTTP {status}")


def _judge(path: str, servers: Servers, answers: Iterable[_Answer]) -> Check:
    """Return the check; a server is as good as its best address, but one address that lacks the profile is one too many."""
    by_server: dict[str, list[_Answer]] = {server: [] for server in servers}
    for answer in answers:
        by_server[answer.server].append(answer)
    found = {server: {answer.known for answer in given} for server, given in by_server.items()}
    lacking = [server for server, known in found.items() if _Known.NO in known]
    having = [server for server, known in found.items() if _Known.YES in known and server not in lacking]
    hidden = [server for server, known in found.items() if _Known.HIDDEN in known and not known & {_Known.NO, _Known.YES}]
    silent = [server for server, known in found.items() if known <= {_Known.NO_ANSWER}]
    reasons = "; ".join(f"{server} ({', '.join(answer.text for answer in by_server[server]) or 'no address'})" for server in silent)
    if lacking:
        text = (
            f"{_listed(lacking)} {'does' if len(lacking) == 1 else 'do'} not know its service profile {path} yet; run"
            " ansible-playbook voip.preprovision.profiles for the provisioning servers."
        )
        return Check("Home", False, text)
    if not having and not hidden:
        return Check("Home", False, f"No provisioning server says whether it knows its service profile {path}: {reasons}.")
    parts = [f"{_listed(having)} {'has' if len(having) == 1 else 'have'} its service profile"] if having else []
    parts += [f"{_listed(hidden)} {'tells' if len(hidden) == 1 else 'tell'} nobody but the phone itself"] if hidden else []
    parts += [f"no answer from {reasons}"] if silent else []
    return Check("Home", True, f"{'; '.join(parts)}.")


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
