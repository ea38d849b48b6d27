"""The client of the validation protocol against a scripted device that is written from the specification alone."""

import errno
import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import serial
from device import CYCLES, SIGNATURE, Reset, ScriptedDevice, colour_sums

from edgeloop.boards.stm32msg.client import BoardClient
from edgeloop.boards.stm32msg.exchange import VERSIONS
from edgeloop.boards.stm32msg.link import QUIET_S, Link
from edgeloop.boards.stm32msg.run import Mode, Patience
from edgeloop.errors import BoardError, BoardRefusal, BoardSilent, InputError, ProtocolError

QUICK = Patience(sync_s=0.3, information_s=0.3, ready_s=0.3, upload_s=0.3, inference_s=0.3, tensor_s=0.3)
PICTURE = np.random.default_rng(3).integers(0, 256, (4, 4, 3), np.uint8)
FIRST_OF_RUN = 3
"""SYNC, NETWORK_INFO 0 and 1 are answered first."""


@pytest.mark.parametrize(("version", "larger"), [("3.1", 0), ("3.2", 0), ("3.2", 1024)])
def test_it_reads_who_is_there_and_runs_the_model_in_every_mode(version: str, larger: int) -> None:
    with ScriptedDevice(version, larger_packets=larger) as device, BoardClient(device.address, version=VERSIONS[version]) as client:
        part, network = client.system(), client.network(SIGNATURE)
        assert (part.device_id, part.clock_hz, part.extra) == (0x450, 480_000_000, (1,))
        assert (network.name, network.macs, network.nodes, network.tool_version) == ("network", 1 << 33, 2, "2.2.0")
        assert (network.activation_bytes, network.weight_bytes) == (4096, 100)
        assert (network.inputs[0].dtype, network.inputs[0].shape, network.inputs[0].zero_point) == ("uint8", (1, 4, 4, 3), -3)
        for mode in Mode:
            run = client.run(network, [PICTURE], mode)
            assert run.total.counters == (1000,)
            assert [layer.name for layer in run.layers] == (["rows", "sums"] if mode.has_layers else [])
            assert [layer.counters[0] for layer in run.layers] == ([CYCLES, 20] if mode.has_layers else [])
            if mode.has_outputs:
                np.testing.assert_array_equal(run.outputs[0], colour_sums(PICTURE)[None])
            if mode.has_layer_data:
                np.testing.assert_array_equal(run.layers[0].tensors[0], PICTURE.astype(np.float32).sum(axis=0)[None])
        assert (client.disturbances.protocol_errors, client.disturbances.retries) == (0, 0)


def test_what_a_board_prints_when_it_starts_anew_is_kept() -> None:
    with ScriptedDevice(distort=Once("reset", FIRST_OF_RUN)) as device, BoardClient(device.address, patience=QUICK) as client:
        client.run(client.network(SIGNATURE), [PICTURE])
        assert "Protocol version = 3.1" in client.boot_text
        assert client.disturbances.retries == 1


def test_log_messages_are_acknowledged_and_kept() -> None:
    with ScriptedDevice(logs=("s:config:dev_id:0x486", "s:config:mcu_freq:800000000")) as device, BoardClient(device.address) as client:
        client.networks()
        assert client.logs == ["s:config:dev_id:0x486", "s:config:mcu_freq:800000000"]
        assert device.acknowledgements == 2


def test_a_port_that_is_not_there_is_named() -> None:
    with pytest.raises(BoardError, match="/dev/ttyNONE cannot be opened"):
        BoardClient("/dev/ttyNONE")


def test_a_port_that_this_user_may_not_open_is_said_to_be_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise serial.SerialException(errno.EACCES, "could not open port /dev/ttyACM0: [Errno 13] Permission denied")

    monkeypatch.setattr(serial, "serial_for_url", refuse)
    with pytest.raises(BoardError, match=r"(?s)/dev/ttyACM0 cannot be opened: this user may not.*usermod -aG dialout"):
        BoardClient("/dev/ttyACM0")


def test_a_port_that_another_program_holds_is_refused() -> None:
    with (
        ScriptedDevice() as device,
        BoardClient(device.address),
        pytest.raises(BoardError, match="cannot be opened: another program uses it"),
    ):
        BoardClient(device.address, patience=QUICK)


def test_another_version_is_not_guessed() -> None:
    def as_newer(answer: Any) -> None:
        answer.sync.version = 0x0302

    with ScriptedDevice(change=as_newer) as device, pytest.raises(BoardError, match=r"speaks version 3\.2 .*, not 3\.1"):
        BoardClient(device.address, patience=QUICK)


def test_another_model_than_the_wanted_one_is_refused() -> None:
    with ScriptedDevice(signatures=["0xffff"]) as device, BoardClient(device.address) as client, pytest.raises(BoardError, match="0xffff"):
        client.network(SIGNATURE)


@pytest.mark.parametrize("wrong", [PICTURE.astype(np.int8), PICTURE[:3], np.concatenate([PICTURE[None]] * 2)])
def test_an_input_of_another_type_or_size_is_not_sent(wrong: Any) -> None:
    with ScriptedDevice() as device, BoardClient(device.address) as client:
        network = client.network(SIGNATURE)
        with pytest.raises(InputError, match="takes uint8"):
            client.run(network, [wrong])
        assert 11 not in device.requests


class Once:
    """Distorts one message of the device, or `times` in a row from it on."""

    def __init__(self, kind: str, number: int, times: int = 1) -> None:
        self.kind, self.numbers = kind, range(number, number + times)

    def __call__(self, number: int, packets: list[bytes]) -> Iterable[bytes]:
        if number not in self.numbers:
            return packets
        if self.kind == "silence":
            return []
        if self.kind == "garbage":
            return [bytes(range(7, 40)) * 3]
        if self.kind == "truncated":
            return [*packets[:-1], packets[-1][:11]]
        if self.kind == "lost":
            return packets[1:]
        if self.kind == "duplicated":
            return [packets[0], *packets]
        if self.kind == "repeated":
            return [*packets, *packets]
        raise Reset


KINDS = ("silence", "garbage", "truncated", "lost", "duplicated", "repeated", "reset")


@pytest.mark.parametrize("message", range(FIRST_OF_RUN, FIRST_OF_RUN + 8))
@pytest.mark.parametrize("kind", KINDS)
def test_one_fault_in_a_run_ends_in_a_counted_repetition_with_the_right_result(kind: str, message: int) -> None:
    with ScriptedDevice(distort=Once(kind, message)) as device, BoardClient(device.address, patience=QUICK) as client:
        network = client.network(SIGNATURE)
        for _ in range(2):  # a message that came twice at the very end is found by the next request
            run = client.run(network, [PICTURE], Mode.PER_LAYER_WITH_DATA)
            np.testing.assert_array_equal(run.outputs[0], colour_sums(PICTURE)[None])
            assert [layer.counters[0] for layer in run.layers] == [CYCLES, 20]
        assert client.disturbances.retries >= 1
        assert client.disturbances.protocol_errors >= client.disturbances.retries


@pytest.mark.parametrize("kind", KINDS)
def test_a_board_that_stays_broken_gives_a_typed_error_and_no_result(kind: str) -> None:
    begin = time.monotonic()
    distortion = Once(kind, FIRST_OF_RUN, times=10_000)
    with ScriptedDevice(distort=distortion) as device, BoardClient(device.address, patience=QUICK) as client:
        network = client.network(SIGNATURE)
        with pytest.raises(BoardError):
            client.run(network, [PICTURE])
    assert time.monotonic() - begin < 30


def test_a_device_that_says_nothing_is_not_waited_for_forever() -> None:
    begin = time.monotonic()
    with ScriptedDevice(distort=Once("silence", 0, 100)) as device, pytest.raises(BoardSilent, match="sent 0 of 1 bytes"):
        BoardClient(device.address, patience=QUICK)
    assert time.monotonic() - begin < 10


def test_a_device_that_never_stops_sending_is_given_up() -> None:
    patience = replace(QUICK, boot_s=0.5)
    with ScriptedDevice(boot_text=b"x" * 100_000_000) as device, pytest.raises(BoardError, match="does not stop sending"):
        BoardClient(device.address, patience=patience)


def test_a_port_is_not_quiet_because_the_machine_was_held_up() -> None:
    """And with this process what sends: a virtual board, a server of ports. A single wait has seen nothing then, however long it was."""
    heard = [b"x", b"", b"x"]

    class HeldUp(Link):
        def _available(self, most: int) -> bytes:
            if not heard:
                return super()._available(most)
            if not (taken := heard.pop(0)):
                time.sleep(3 * QUIET_S)
            return taken

    with ScriptedDevice(boot_text=b"") as device:
        link = HeldUp(device.address)
        assert link.drain(10.0) == b"xx"
        link.close()


def test_the_rest_of_a_broken_run_is_waited_for_however_large_it_is() -> None:
    """As the layers of a large network are, at the speed of a virtual board."""

    def damaged(number: int, packets: list[bytes]) -> Iterable[bytes]:
        return [b"\x7f" * 33, b"\x20" * 33 * 50_000, *packets] if number == FIRST_OF_RUN + 2 else packets

    with ScriptedDevice(distort=damaged) as device, BoardClient(device.address, patience=QUICK) as client:
        run = client.run(client.network(SIGNATURE), [PICTURE], Mode.PER_LAYER_WITH_DATA)
        np.testing.assert_array_equal(run.outputs[0], colour_sums(PICTURE)[None])
        assert client.disturbances.retries == 1


def test_the_rest_of_a_broken_run_is_waited_for_however_slowly_it_comes() -> None:
    """Pauses between layers are longer than it takes to believe that the board is quiet."""
    patience = replace(QUICK, sync_s=2.0, inference_s=2.0)

    def damaged(number: int, packets: list[bytes]) -> Iterable[bytes]:
        if number == FIRST_OF_RUN + 2:
            return [b"\x7f" * 33]
        if number in range(FIRST_OF_RUN + 3, FIRST_OF_RUN + 8):
            time.sleep(0.4)
        return packets

    with ScriptedDevice(distort=damaged) as device, BoardClient(device.address, patience=patience) as client:
        run = client.run(client.network(SIGNATURE), [PICTURE], Mode.PER_LAYER_WITH_DATA)
        np.testing.assert_array_equal(run.outputs[0], colour_sums(PICTURE)[None])
        assert client.disturbances.retries == 1


def test_a_wrong_request_number_is_no_answer() -> None:
    def as_another(answer: Any) -> None:
        if answer.HasField("op"):
            answer.reqid += 1

    with ScriptedDevice(change=as_another) as device, BoardClient(device.address, patience=QUICK) as client:
        network = client.network(SIGNATURE)
        with pytest.raises(ProtocolError, match="answered request"):
            client.run(network, [PICTURE])
        assert client.disturbances.retries == QUICK.retries


def test_a_model_that_changes_while_the_connection_is_broken_is_found() -> None:
    with ScriptedDevice() as device, BoardClient(device.address, patience=QUICK) as client:
        network = client.network(SIGNATURE)
        device.distort = Once("silence", device.sent)
        device.signatures[0] = "0xffff"
        with pytest.raises(BoardError, match="another model than before"):
            client.run(network, [PICTURE])


def test_what_the_board_refuses_is_not_tried_again() -> None:
    def refuse(answer: Any) -> None:
        if answer.HasField("ack") and answer.state == 1:
            answer.state, answer.ack.param, answer.ack.error = 4, 10, 8

    with ScriptedDevice(change=refuse) as device, BoardClient(device.address, patience=QUICK) as client:
        network = client.network(SIGNATURE)
        with pytest.raises(BoardRefusal, match="MEM_OVERFLOW") as raised:
            client.run(network, [PICTURE])
        assert (raised.value.code, client.disturbances.retries) == (8, 0)


def _other_size(answer: Any) -> None:
    answer.tensor.data.datas = answer.tensor.data.datas[:-4]
    answer.tensor.data.size -= 4


def _other_type(answer: Any) -> None:
    answer.tensor.desc.format = 0x00841040


def _not_the_last(answer: Any) -> None:
    answer.tensor.desc.flags = 2


def _still_processing(answer: Any) -> None:
    answer.state = 2


@pytest.mark.parametrize("change", [_other_size, _other_type, _not_the_last, _still_processing])
def test_an_output_in_another_form_is_no_result(change: Any) -> None:
    def changed(answer: Any) -> None:
        if answer.HasField("tensor"):
            change(answer)

    with ScriptedDevice(change=changed) as device, BoardClient(device.address, patience=QUICK) as client:
        network = client.network(SIGNATURE)
        with pytest.raises(ProtocolError):
            client.run(network, [PICTURE])


@pytest.mark.parametrize("nodes", [1, 3])
def test_another_number_of_layers_is_no_result(nodes: int) -> None:
    def with_nodes(answer: Any) -> None:
        if answer.HasField("minfo"):
            answer.minfo.n_nodes = nodes

    with ScriptedDevice(change=with_nodes) as device, BoardClient(device.address, patience=QUICK) as client:
        network = client.network(SIGNATURE)
        with pytest.raises(ProtocolError, match="layers"):
            client.run(network, [PICTURE], Mode.PER_LAYER)


def test_a_board_left_within_a_message_is_brought_back() -> None:
    with ScriptedDevice() as device:
        with BoardClient(device.address) as client:
            client._link.write(b"\x20" + b"\xc8\x01" + bytes(30))  # the first packet of a message of 200 bytes
        with BoardClient(device.address, patience=QUICK) as client:
            assert client.network(SIGNATURE).name == "network"
            assert client.disturbances.protocol_errors >= 1


@pytest.mark.parametrize("seed", range(20))
def test_a_hostile_device_gives_typed_errors_within_bounded_time(seed: int) -> None:
    """Bits are flipped in one of four messages, headers included; nothing but a BoardError may come of it."""
    random = np.random.default_rng(seed)

    def flip(_: int, packets: list[bytes]) -> list[bytes]:
        if random.random() < 0.75:
            return packets
        damaged = bytearray(b"".join(packets))
        for place in random.integers(0, min(len(damaged), 40), 3):
            damaged[place] ^= 1 << int(random.integers(8))
        return [bytes(damaged)]

    patience = Patience(sync_s=0.2, information_s=0.2, ready_s=0.2, upload_s=0.2, inference_s=0.2, tensor_s=0.2, retries=1)
    begin = time.monotonic()
    with ScriptedDevice(distort=flip) as device:
        try:
            with BoardClient(device.address, patience=patience) as client:
                client.system()
                run = client.run(client.network(SIGNATURE), [PICTURE], Mode.PER_LAYER_WITH_DATA)
                assert (run.outputs[0].shape, run.outputs[0].dtype.name) == ((1, 3), "float32")
        except (BoardError, InputError):  # an InputError: the model's description came through, but damaged
            pass
    assert time.monotonic() - begin < 20
