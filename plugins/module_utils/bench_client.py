# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Emulated units on a bench's bridge: one network namespace each, and the system's own clients inside it.

Runs on the target as root. DHCP is busybox's udhcpc, TFTP, HTTP and HTTPS are curl, names are the C library's; each sees only the
unit's own interface and name server. File contents travel through pipes alone; nothing secret is in an argument or a file.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from .dhcp_packets import DhcpPacketError, parse
from .mac import Mac
from .phone_network import Answer, Ask, Lease
from .x509_chain import blocks

PROGRAMS: Mapping[str, str] = {"ip": "iproute2", "udhcpc": "udhcpc", "curl": "curl"}
"""Command -> Debian package that has it."""

_RUN = Path("/run/preprovision-phones")
_ETC = Path("/etc/netns")
_LOCK = "\0preprovision-phones"  # an abstract name: held as long as the process lives, and no file
_NAMESPACE = "preprovision-"
_VETH = "pp"
_INTERFACE = "eth0"
_SYSLOG_PORT = 514
_CLONE_NEWNET = 0x40000000
_STOP_SECONDS = 5.0

_REQUESTED = (1, 3, 6, 15, 42, 43, 60, 66, 67, 125, 150, 159, 160)
_VENDOR_DATA = (43, 125)
_TOLD = (*(code for code in _REQUESTED if code not in _VENDOR_DATA), 51, 54)
_ADDRESSES = (1, 3, 6, 42, 54, 150)
_LEASE_TIME = 51
_ETHERTYPE_IP = 0x0800
_SHORTEST_IP = 20
_UDP = 17
_CLIENT_PORT = (68).to_bytes(2, "big")

_SCRIPT = """#!/bin/sh
# Tell that there is a lease, to the descriptor that PREPROVISION_LEASE names
[ "$1" != bound ] || echo "$ip/$mask" >"/dev/fd/$PREPROVISION_LEASE"
"""

_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}

# curl's exit statuses for TFTP; what it says in words there is about its own socket.
_WRITE_OUT = "%{stderr}%{json}\n%{header_json}"
_TFTP_NOT_FOUND = 68
_TFTP_ERRORS: Mapping[int, str] = {6: "its name has no address", 28: "no answer", 69: "the server refuses access to the file"}
_FAILURES: Mapping[int, str] = {6: "unreachable", 7: "refused", 28: "timeout", 35: "handshake", 60: "chain", 63: "too_large"}


class WireError(Exception):
    """The target cannot hold emulated units; the message says why and what to do."""


@dataclass(frozen=True)
class Identity:
    """How one unit presents itself."""

    mac: Mac
    user_agent: str
    block_size: int | None
    """TFTP block size to negotiate; None sends no TFTP options."""
    certificate: str | None
    private_key: str | None
    """Paths of PEM files."""


class Wire:
    """The bridge that units are plugged into; use as a context manager. One user at a time on a machine."""

    def __init__(self, bridge: str, timeout: float) -> None:
        """*timeout*: seconds for a lease, and for each file."""
        self._bridge = bridge
        self._timeout = timeout
        # Making the first namespace remounts /run/netns, which two at a time would do twice.
        self._setup = threading.Lock()

    def __enter__(self) -> Wire:
        """Check the machine, and clear away what a killed run has left."""
        if os.geteuid() != 0:
            raise WireError("emulated units need root, for their network namespaces; use become")
        for program, package in PROGRAMS.items():
            if shutil.which(program, path=_ENVIRONMENT["PATH"]) is None:
                raise WireError(f"the command {program} is missing; install the Debian package {package}")
        if not Path("/sys/class/net", self._bridge, "bridge").is_dir():
            raise WireError(f"there is no bridge {self._bridge} on this machine; give the one that the bench is on")
        self._lock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            self._lock.bind(_LOCK)
        except OSError as error:
            raise WireError("other emulated units are running on this machine; wait until they have finished") from error
        _sweep()
        _RUN.mkdir(mode=0o700)
        self._script = _RUN / "lease"
        self._script.write_text(_SCRIPT)
        self._script.chmod(0o700)
        return self

    def __exit__(self, *_: object) -> None:
        """Leave no trace."""
        try:
            _sweep()
        finally:
            self._lock.close()

    @contextmanager
    def plug_in(self, identity: Identity) -> Iterator[Plug]:
        """Plug one unit in, and unplug it at the end."""
        name = _NAMESPACE + identity.mac.plain
        try:
            with self._setup:
                self._make(name, identity.mac)
            plug = Plug(name, identity, self._script, self._timeout)
            try:
                yield plug
            finally:
                plug.close()
        finally:
            _remove(name)

    def _make(self, name: str, mac: Mac) -> None:
        end = _VETH + mac.plain
        _run("ip", "netns", "add", name)
        _batch(
            f"link add {end} type veth peer name {_INTERFACE} address {mac.colon} netns {name}",
            f"link set {end} addrgenmode none master {self._bridge} up",
        )
        _batch("link set lo up", f"link set {_INTERFACE} up", namespace=name)


class Plug:
    """One unit's network, made by Wire.plug_in(); it is a phone_network.Network."""

    def __init__(self, namespace: str, identity: Identity, script: Path, timeout: float) -> None:
        self._namespace = namespace
        self._identity = identity
        self._script = script
        self._timeout = timeout
        self._client: subprocess.Popen[bytes] | None = None
        self._addresses: dict[str, tuple[str, ...]] = {}
        self._socket = _socket_in(namespace, socket.AF_INET)

    def close(self) -> None:
        """Give the lease back, as long as the DHCP client can."""
        self._socket.close()
        if self._client is not None:
            _stop(self._client)

    def lease(self, vendor_class: str) -> Lease | None:
        """See phone_network.Network; the client keeps running and gives the lease back in close()."""
        reader, writer = os.pipe()
        command = ["udhcpc", "-f", "-R", "-o", "-i", _INTERFACE, "-s", str(self._script), "-V", vendor_class]
        command += [word for code in _REQUESTED for word in ("-O", str(code))]
        command += ["-n", "-T", "2", "-t", str(max(1, round(self._timeout / 2)))]
        try:
            # udhcpc does the talking; what it hears is read here too, since it tells its script "bad" for a URL in option 66.
            with _socket_in(self._namespace, socket.AF_PACKET, socket.htons(_ETHERTYPE_IP)) as heard:
                self._client = subprocess.Popen(
                    self._inside(command),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    env={**_ENVIRONMENT, "PREPROVISION_LEASE": str(writer)},
                    pass_fds=[writer],
                )
                network = _read_line(reader, self._client, time.monotonic() + self._timeout + 2)
                raw = _acknowledged(heard, self._identity.mac)
                options = _decode(raw)
        finally:
            os.close(writer)
            os.close(reader)
        if network is None:
            return None
        self._configure(network, options)
        return Lease(network.split("/")[0], options, raw)

    def _configure(self, network: str, options: Mapping[int, str]) -> None:
        lines = [f"address add {network} dev {_INTERFACE}"]
        if options.get(3):
            lines.append(f"route add default via {options[3].split()[0]}")
        _batch(*lines, namespace=self._namespace)
        folder = _ETC / self._namespace
        folder.mkdir(parents=True, exist_ok=True)
        servers = "".join(f"nameserver {server}\n" for server in options.get(6, "").split())
        # Without a server the C library would ask the station's own.
        (folder / "resolv.conf").write_text(f"{servers or 'nameserver 0.0.0.0'}\noptions timeout:2 attempts:2\n")
        (folder / "hosts").write_text("127.0.0.1 localhost\n")
        (folder / "nsswitch.conf").write_text("hosts: files dns\n")

    def addresses(self, name: str) -> Sequence[str]:
        """See phone_network.Network."""
        if name not in self._addresses:
            found = subprocess.run(
                self._inside(["getent", "ahostsv4", "--", name]),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                env=_ENVIRONMENT,
                check=False,
            )
            # One line for each kind of socket
            lines = found.stdout.splitlines() if found.returncode == 0 else []
            self._addresses[name] = tuple(dict.fromkeys(line.split()[0] for line in lines if line.strip()))
        return self._addresses[name]

    def log(self, server: str, text: str) -> bool:
        """See phone_network.Network."""
        try:
            self._socket.sendto(text.encode("ascii", "replace"), (self.addresses(server)[0], _SYSLOG_PORT))
        except (OSError, IndexError):
            return False
        return True

    def fetch(self, ask: Ask) -> Answer:
        """See phone_network.Network; the judge is asked too late, since curl does not stop before the request."""
        trusted, sent = os.memfd_create("roots", 0), os.memfd_create("body", 0)
        try:
            os.write(trusted, ask.roots)
            os.write(sent, ask.body)
            fetched = subprocess.run(
                self._inside(["curl", "--disable", "--config", "-"]),
                input=self._settings(ask, trusted, sent).encode(),
                capture_output=True,
                env=_ENVIRONMENT,
                pass_fds=[trusted, sent],
                check=False,
            )
        finally:
            os.close(trusted)
            os.close(sent)
        answer = read_answer(fetched, ask.target.scheme)
        refused = ask.judge(answer.certificate) if answer.certificate and answer.status else ""
        return Answer(0, failure="certificate", error=refused, certificate=answer.certificate) if refused else answer

    def _settings(self, ask: Ask, roots: int, body: int) -> str:
        target = ask.target
        # TFTP clients of phones send the leading slash, which curl takes from the path.
        slash = "/" if target.scheme == "tftp" else ""
        settings: list[tuple[str, str | None]] = [
            ("url", f"{target.scheme}://{target.server}:{target.port}{slash}{target.path}"),
            ("resolve", f"{target.server}:{target.port}:{ask.address}"),
            ("max-time", f"{self._timeout:g}"),
            ("max-filesize", str(ask.most)),
            ("noproxy", "*"),
            ("silent", None),
            ("globoff", None),
            ("ipv4", None),
            ("path-as-is", None),
            ("write-out", _WRITE_OUT),
            *(("header", f"{name}: {value}") for name, value in ask.headers.items()),
        ]
        if target.scheme == "tftp":
            size = self._identity.block_size
            settings.append(("tftp-no-options", None) if size is None else ("tftp-blksize", str(size)))
        if target.scheme == "https":
            # An empty folder, else the station's own roots would count too.
            settings += [("cacert", f"/dev/fd/{roots}"), ("capath", "/var/empty")]
            if self._identity.certificate and self._identity.private_key:
                settings += [("cert", self._identity.certificate), ("key", self._identity.private_key)]
        if ask.method != "GET":
            settings.append(("upload-file", f"/dev/fd/{body}"))
            settings += [("request", ask.method)] if target.scheme != "tftp" else []
        return "".join(f"{name} = {_quote(value)}\n" if value is not None else f"{name}\n" for name, value in settings)

    def _inside(self, command: list[str]) -> list[str]:
        return ["ip", "netns", "exec", self._namespace, *command]


def _quote(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{escaped}"'


def read_answer(fetched: subprocess.CompletedProcess[bytes], scheme: str) -> Answer:
    """Return what curl, run with the settings of a Plug, has fetched or failed to fetch."""
    told, _newline, headers = fetched.stderr.partition(b"\n")
    try:
        facts = json.loads(told)
        listed = json.loads(headers or b"{}")
    except ValueError:
        return Answer(0, failure="protocol", error=f"curl: {fetched.stderr.decode(errors='replace').strip()}")
    certificate = next(iter(blocks(str(facts.get("certs") or ""), "CERTIFICATE")), "")
    shown = ssl.PEM_cert_to_DER_cert(certificate) if certificate else b""
    code = fetched.returncode
    if code == 0 or (scheme == "tftp" and code == _TFTP_NOT_FOUND):
        status = int(facts["http_code"]) if scheme != "tftp" else 404 if code else 200
        joined = {name: ", ".join(values) for name, values in listed.items()}
        return Answer(status, fetched.stdout, joined, certificate=shown)
    failure = _FAILURES.get(code, "tftp" if scheme == "tftp" else "protocol")
    error = _TFTP_ERRORS.get(code, f"TFTP failed with curl's status {code}") if scheme == "tftp" else facts.get("errormsg")
    return Answer(0, failure=failure, error=error or "no answer", certificate=shown)


def _read_line(reader: int, client: subprocess.Popen[bytes], end: float) -> str | None:
    """Read one line; None when the client gives up or time is over."""
    data = b""
    while not data.endswith(b"\n"):
        ready = select.select([reader], [], [], 0.2)[0]
        if ready:
            data += os.read(reader, 4096)
        elif client.poll() is not None or time.monotonic() > end:
            return None
    return data.decode("ascii").strip()


def _acknowledged(heard: socket.socket, mac: Mac) -> dict[int, bytes]:
    """Return the options of the last DHCPACK to *mac* among the IP packets that were heard."""
    options: dict[int, bytes] = {}
    with suppress(BlockingIOError):
        while True:
            packet = heard.recv(65536, socket.MSG_DONTWAIT)
            transport = packet[(packet[0] & 15) * 4 :] if len(packet) >= _SHORTEST_IP else b""
            message = transport[8:]
            if transport and packet[9] == _UDP and transport[2:4] == _CLIENT_PORT and message[28:34] == bytes.fromhex(mac.plain):
                with suppress(DhcpPacketError):
                    found = parse(message)
                    options = dict(found.options) if found.message == "ack" else options
    return options


def _decode(options: Mapping[int, bytes]) -> dict[int, str]:
    told: dict[int, str] = {}
    for code in _TOLD:
        value = options.get(code)
        if value is None:
            continue
        if code in _ADDRESSES:
            told[code] = " ".join(socket.inet_ntoa(value[i : i + 4]) for i in range(0, len(value) - 3, 4))
        elif code == _LEASE_TIME:
            told[code] = str(int.from_bytes(value, "big"))
        else:
            told[code] = value.decode("ascii", "replace").rstrip("\0")
    return told


def _socket_in(namespace: str, family: socket.AddressFamily, protocol: int = 0) -> socket.socket:
    """Return a datagram socket of another network namespace: a socket stays in the one that it was made in."""
    library = ctypes.CDLL(None, use_errno=True)

    def enter(descriptor: int) -> None:
        if library.setns(descriptor, _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter the network namespace {namespace}")

    with open("/proc/thread-self/ns/net", "rb") as home, open(f"/run/netns/{namespace}", "rb") as there:
        enter(there.fileno())
        try:
            return socket.socket(family, socket.SOCK_DGRAM, protocol)
        finally:
            enter(home.fileno())


def _stop(client: subprocess.Popen[bytes]) -> None:
    client.terminate()
    try:
        client.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        client.kill()
        client.wait()


def _sweep() -> None:
    names = {path.name for folder in (Path("/run/netns"), _ETC) for path in folder.glob(f"{_NAMESPACE}*")}
    for name in names:
        _remove(name)
    shutil.rmtree(_RUN, ignore_errors=True)


def _remove(name: str) -> None:
    """Remove a unit's namespace with the processes in it, its link and its files; what is not there does not matter."""
    namespace = Path("/run/netns", name)
    if namespace.exists():
        # Else a client that has outlived its run would keep the namespace and the link alive.
        listed = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True, env=_ENVIRONMENT, check=False)
        for pid in listed.stdout.split():
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
    link = _VETH + name.removeprefix(_NAMESPACE)
    if Path("/sys/class/net", link).exists():
        # The other end may be gone by now, and the link with it.
        subprocess.run(["ip", "link", "delete", link], capture_output=True, env=_ENVIRONMENT, check=False)
    if namespace.exists():
        _run("ip", "netns", "delete", name)
    shutil.rmtree(_ETC / name, ignore_errors=True)
    with suppress(OSError):
        _ETC.rmdir()


def _batch(*lines: str, namespace: str | None = None) -> None:
    where = ("-netns", namespace) if namespace else ()
    _run("ip", *where, "-batch", "-", text="\n".join(lines))


def _run(*command: str, text: str | None = None) -> None:
    done = subprocess.run(command, input=text, capture_output=True, text=True, env=_ENVIRONMENT, check=False)
    if done.returncode != 0:
        raise WireError(f"{' '.join(command)} failed: {' '.join(done.stderr.split())}")
