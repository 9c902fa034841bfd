# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Emulated phones that come up on a bench's LAN, or live at the customer's, at the same time."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ...phones.phone import Phone
from ..device.ports import Network, SwitchedOffError
from ..load.options import LoadTestError, LoadTestOptions, PhoneOptions
from ..load.resyncs import PhoneResyncs, ResyncTally
from ..load.samples import MeasuredNetwork, Sample, SampleKind, random_pause
from ..phone import EmulatedPhone
from ..phone_report import PhoneReport
from .bench_lan import max_parallel
from .exchange import PhoneIdentity
from .http import ClientCertificate
from .system_clock import SystemClock

_STACK_SIZE = 512 * 1024
_STOP_INTERVAL = 0.2
"""Seconds between two looks for the file that switches phones off."""


class Lan(Protocol):
    """Where phones are connected: a bench, or at the customer's."""

    def connect(self, identity: PhoneIdentity) -> AbstractContextManager[Network]:
        """Connect one phone, and disconnect it at the end."""


def read_files(options: LoadTestOptions) -> dict[str | None, bytes]:
    """Return path -> factory roots; raise LoadTestError unless all files that the options name can be read."""
    roots = {None: b"", options.roots: _read_file("roots", options.roots)}
    for phone in options.phones:
        _read_file(f"phone {phone.name}: certificate", phone.certificate)
        _read_file(f"phone {phone.name}: private_key", phone.private_key)
        if phone.roots not in roots:
            roots[phone.roots] = _read_file(f"phone {phone.name}: roots", phone.roots)
    return roots


def _read_file(option: str, path: str | None) -> bytes:
    if path is None:
        return b""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise LoadTestError(f"{option}: cannot read {path} on the target: {error.strerror}") from error


@dataclass
class LoadTest:
    """A run of phones on one LAN."""

    lan: Lan
    roots: Mapping[str | None, bytes]
    """Factory roots, PEM, by their path in the options."""
    options: LoadTestOptions
    samples: list[Sample] = field(default_factory=list)
    """What has been measured so far."""
    resyncs: list[PhoneResyncs] = field(default_factory=list)
    """The resyncs of the phones that are done, in any order."""
    _clock: SystemClock = field(default_factory=SystemClock, init=False)
    _start: float = field(default=0.0, init=False)
    _switched_off: threading.Event = field(default_factory=threading.Event, init=False)

    def run(self, phones: Sequence[Phone]) -> list[PhoneReport]:
        """Switch all phones on, and return their reports; *phones* are those of the options, in the same order."""
        self._start = self._clock.now()
        delays = [self.options.ramp * index / len(phones) for index in range(len(phones))]
        # With the default stack size, a thousand threads would reserve more memory than a small machine has
        previous = threading.stack_size(_STACK_SIZE)
        try:
            with (
                self._watching_stop_file(),
                ThreadPoolExecutor(min(max_parallel(self.options.parallel), len(phones))) as pool,
            ):
                return list(pool.map(self._run_phone, phones, self.options.phones, delays))
        finally:
            threading.stack_size(previous)

    @contextmanager
    def _watching_stop_file(self) -> Iterator[None]:
        """Switch the phones off when the file of the options appears."""
        ended = threading.Event()
        thread = threading.Thread(target=self._watch, args=(self.options.stop_file, ended), daemon=True)
        if self.options.stop_file:
            thread.start()
        try:
            yield
        finally:
            ended.set()
            if self.options.stop_file:
                thread.join()

    def _watch(self, path: str, ended: threading.Event) -> None:
        while not ended.wait(_STOP_INTERVAL):
            if Path(path).exists():
                self._switched_off.set()
                return

    def _run_phone(self, phone: Phone, phone_options: PhoneOptions, delay: float) -> PhoneReport:
        """Switch one phone on as often as the options demand, until a resync fails, and report."""
        certificate = _client_certificate(phone_options)
        tally = ResyncTally(self._clock)
        emulated = EmulatedPhone(
            phone,
            self.roots[phone_options.roots or self.options.roots],
            has_certificate=certificate is not None,
            customization=self.options.customization,
            checksums=self.options.checksums,
            habits=phone_options.habits,
        )
        emulated.observe_resyncs(tally)
        emulated.configure_user_agent(phone_options.user_agent)
        if phone_options.parameters:
            emulated.set_up_by_hand(phone_options.parameters)
        identity = PhoneIdentity(phone.mac, phone.model.family.block_size, certificate, phone_options.habits)
        self._clock.sleep(max(0.0, self._start + delay - self._clock.now()))
        for number in range(self.options.power_cycles):
            if number:
                random_pause(self.options.think_time, self._clock)
            with suppress(SwitchedOffError):
                self._power_up(emulated, identity, tally, is_last=number == self.options.power_cycles - 1)
            if emulated.resync_failed or self._switched_off.is_set():
                break
        self.resyncs.append(tally.report(phone.name, phone.mac.colon, phone.model.name))
        return emulated.report()

    def _power_up(self, emulated: EmulatedPhone, identity: PhoneIdentity, tally: ResyncTally, is_last: bool) -> None:
        def record(sample: Sample) -> None:
            self.samples.append(sample)
            tally.add(sample)

        started = self._clock.now()
        with self.lan.connect(identity) as link:
            network = MeasuredNetwork(link, self._clock, record, self.options.think_time)
            if self.options.lifetime:
                phone_clock = SystemClock(self.options.speed, self._switched_off)
                emulated.run(network, phone_clock, phone_clock.now() + self.options.lifetime)
            else:
                emulated.power_up(network, self._clock)
            seconds = self._clock.now() - started - network.paused
        failed = emulated.report()["cause"] if is_last else emulated.cause
        self.samples.append(Sample(SampleKind.TRIP, seconds, not failed, started - self._start))


def _client_certificate(options: PhoneOptions) -> ClientCertificate | None:
    if options.certificate is None or options.private_key is None:
        return None
    return ClientCertificate(options.certificate, options.private_key)
