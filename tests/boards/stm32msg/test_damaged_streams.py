"""Damaged streams from a device: a typed error or a result that holds together, soon and in little memory.

The ordinary run takes a share; EDGELOOP_FUZZ=100000 (or more) in the environment sets the number of streams.
"""

import logging
import os
import resource
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
import pytest
import serial
from damage import damaged
from device import SIDE, ScriptedDevice
from recorded_ports.protocol_recorded import recordings as recorded

from edgeloop.boards.stm32msg.client import BoardClient
from edgeloop.boards.stm32msg.exchange import VERSIONS, Exchange
from edgeloop.boards.stm32msg.link import Link
from edgeloop.boards.stm32msg.results import NetworkInformation, NetworkRun, network_information, system
from edgeloop.boards.stm32msg.run import Mode, Patience, run_once
from edgeloop.errors import BoardError, InputError
from edgeloop.firmware.protocol.messages import Command

STREAMS = int(os.environ.get("EDGELOOP_FUZZ", "4000"))
MOST_SECONDS = 5.0
"""For one stream, on a busy machine."""
MOST_MEBIBYTES = 150
"""By which the process may grow over the whole run."""
PICTURE = np.arange(SIDE * SIDE * 3, dtype=np.uint8).reshape(SIDE, SIDE, 3)
IMPATIENT = Patience(sync_tries=1, retries=0)


class RecordingDevice(ScriptedDevice):
    """Keeps what it writes."""

    def __enter__(self) -> "RecordingDevice":
        self.written = bytearray()
        super().__enter__()
        return self

    def _write(self, content: bytes) -> None:
        self.written += content
        super()._write(content)


@dataclass(frozen=True)
class Recording:
    """One connection: what the device sent, and what the host did."""

    version: str
    mode: Mode | None
    """None: the transactions that come before a run."""
    network: NetworkInformation
    stream: bytes

    @property
    def packet(self) -> int:
        return VERSIONS[self.version].framing.wire_bytes

    def replay(self, stream: bytes) -> NetworkRun | NetworkInformation:
        """Do the same against other bytes.

        Raises:
            BoardError, InputError: as the host's end says of them.
        """
        recorded["stream"] = stream
        exchange = Exchange(Link("recorded://stream"), VERSIONS[self.version])
        return introduced(exchange) if self.mode is None else run_once(exchange, self.network, [PICTURE], self.mode, IMPATIENT)


def introduced(exchange: Exchange) -> NetworkInformation:
    """All that is asked before a run."""
    exchange.request(Command.SYNC)
    exchange.answer(IMPATIENT.sync_s)
    exchange.request(Command.SYS_INFO)
    answer = exchange.answer(IMPATIENT.information_s)
    if answer.sinfo is not None:
        system(answer.sinfo)
    exchange.request(Command.NETWORK_INFO)
    answer = exchange.answer(IMPATIENT.information_s)
    if answer.minfo is None:
        raise InputError("no model")
    return network_information(answer.minfo)


@pytest.fixture(scope="module")
def recordings() -> list[Recording]:
    """Of both versions: the introduction, with log messages and without, and a run in every mode."""
    made = []
    for version in VERSIONS:
        for logs in ((), ("s:config:version:1.0", "s:config:npu_freq:1000000000")):
            with RecordingDevice(version=version, boot_text=b"", logs=logs) as device:
                network = introduced(Exchange(Link(device.address), VERSIONS[version]))
                made.append(Recording(version, None, network, bytes(device.written)))
        for mode in Mode:
            with RecordingDevice(version=version, boot_text=b"") as device:
                run_once(Exchange(Link(device.address), VERSIONS[version]), network, [PICTURE], mode, IMPATIENT)
                made.append(Recording(version, mode, network, bytes(device.written)))
    return made


@pytest.fixture(autouse=True)
def recorded_ports() -> Iterator[None]:
    """pyserial finds `recorded://`."""
    serial.protocol_handler_packages.append("recorded_ports")
    yield
    serial.protocol_handler_packages.remove("recorded_ports")


def memory_mebibytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def assert_consistent(recording: Recording, result: Any) -> None:
    """What no error was raised of is a result that can be used."""
    if isinstance(result, NetworkInformation):
        assert all(form.stored_bytes >= 0 for form in (*result.inputs, *result.outputs))
        return
    assert len(result.outputs) == (len(recording.network.outputs) if recording.mode and recording.mode.has_outputs else 0)
    for output, form in zip(result.outputs, recording.network.outputs, strict=False):
        assert (output.dtype.name, output.size) == (form.dtype, int(np.prod(form.shape)))
    assert len(result.layers) == (recording.network.nodes if recording.mode and recording.mode.has_layers else 0)
    assert np.isfinite(result.total.duration_ms)


def test_the_recordings_themselves_are_understood(recordings: list[Recording]) -> None:
    for recording in recordings:
        assert_consistent(recording, recording.replay(recording.stream))


@pytest.mark.timeout(3600)
def test_damaged_streams_end_in_a_typed_error_or_a_result_that_holds_together(recordings: list[Recording]) -> None:
    begun, ended = memory_mebibytes(), Counter[str]()
    for seed in range(STREAMS):
        chance = Random(seed)
        recording, other = chance.choice(recordings), chance.choice(recordings)
        stream, start = damaged(chance, recording.stream, other.stream, recording.packet), time.monotonic()
        try:
            assert_consistent(recording, recording.replay(stream))
            ended["result"] += 1
        except (BoardError, InputError) as error:
            ended[type(error).__name__] += 1
        except Exception as error:
            raise AssertionError(f"seed {seed}: {error!r}") from error
        assert time.monotonic() - start < MOST_SECONDS, f"seed {seed}"
    logging.getLogger(__name__).info("%d streams, %.1f MiB more: %s", STREAMS, memory_mebibytes() - begun, dict(ended))
    assert {"result", "ProtocolError", "BoardError"} <= set(ended), "the damages are too heavy, or too light"
    assert memory_mebibytes() - begun < MOST_MEBIBYTES


def test_the_whole_client_ends_so_too(recordings: list[Recording]) -> None:
    introduction = [recording for recording in recordings if recording.mode is None]
    for seed in range(max(20, STREAMS // 1000)):
        chance = Random(seed)
        recording, other = chance.choice(introduction), chance.choice(recordings)
        recorded["stream"] = damaged(chance, recording.stream, other.stream, recording.packet)
        try:
            with BoardClient("recorded://stream", version=VERSIONS[recording.version], patience=IMPATIENT) as client:
                client.system()
                client.networks()
        except BoardError:
            continue
