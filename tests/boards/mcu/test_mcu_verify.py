"""What is refused before anything is measured: other formats, a wrong clock, outputs of another network."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgeloop.boards.compare import check, compare
from edgeloop.boards.driver import Loaded
from edgeloop.boards.lab.config import BoardEntry, Find, Lab
from edgeloop.boards.mcu.driver import most
from edgeloop.boards.mcu.verify import check_clock, check_formats, refuse_virtual
from edgeloop.boards.stm32msg.formats import TensorForm
from edgeloop.boards.stm32msg.results import NetworkInformation, NetworkRun, Operation, System
from edgeloop.errors import BoardError, WrongOutputs
from edgeloop.tflite.interpreter import LiteModel, Scores

H7 = Lab(boards={"h7": BoardEntry(kind="stm32h747i-disco", find=Find(port="/dev/ttyACM0"))}).board("h7")
SYSTEM = System(0x450, 400_000_000, 200_000_000, 0, ())


def described(model: LiteModel) -> NetworkInformation:
    """As a firmware describes the model."""
    given = [TensorForm(one.name, one.dtype, one.shape, one.scale, one.zero_point) for one in (model.input, model.output)]
    return NetworkInformation("network", "0x12", 1, "ST.AI", "1.0.0", "2.2.0", "today", 1, 1, (given[0],), (given[1],), 1, 1)


def run(duration_ms: float, *counters: int) -> NetworkRun:
    return NetworkRun(Operation("network", 0, 0, duration_ms, counters, -1, -1), (), ())


@pytest.fixture
def model(miniatures: Path) -> LiteModel:
    return LiteModel(miniatures / "int8.tflite")


def test_formats_as_the_model_declares_them_are_accepted_whatever_dimensions_of_one_a_tool_adds(model: LiteModel) -> None:
    network = described(model)
    check_formats(network, model)
    check_formats(replace(network, outputs=(replace(network.outputs[0], shape=(1, 1, 1, model.classes)),)), model)


def test_other_types_shapes_and_scales_are_refused(model: LiteModel) -> None:
    network = described(model)
    taken, given = network.inputs[0], network.outputs[0]
    wrong = [
        replace(network, inputs=(replace(taken, dtype="uint8"),)),
        replace(network, inputs=(replace(taken, shape=(1, 64, 64, 3)),)),
        replace(network, inputs=(replace(taken, zero_point=taken.zero_point + 1),)),
        replace(network, outputs=(replace(given, scale=2 * given.scale),)),
        replace(network, outputs=(replace(given, shape=(1, model.classes + 1)),)),
        replace(network, outputs=(replace(given, dtype="float32", scale=0.0),)),
        replace(network, outputs=(given, given)),
    ]
    for other in wrong:
        with pytest.raises(BoardError):
            check_formats(other, model)


def test_a_time_that_does_not_fit_its_cycles_shows_a_wrong_clock() -> None:
    check_clock(H7, SYSTEM, run(2.0, 800_000))
    check_clock(H7, SYSTEM, run(2.0))
    # An STM32N6: before, on and after the NPU, all of them, and what the observer took.
    check_clock(H7, SYSTEM, run(2.0, 100_000, 600_000, 100_000, 800_000, 5))
    with pytest.raises(BoardError, match=r"800,000 cycles took 1\.66667 ms; at its 400 MHz they take 2 ms"):
        check_clock(H7, SYSTEM, run(800_000 / 480e3, 800_000))


@pytest.mark.parametrize("text", ["VIRTUAL stm32h747 at 400 MHz", "Virtual board", "a virtual device"])
def test_whatever_calls_itself_virtual_is_refused(model: LiteModel, text: str) -> None:
    network = described(model)
    for told, boot in ((text, ""), ("ST.AI", text)):
        with pytest.raises(BoardError, match="says that it is virtual"):
            refuse_virtual(H7, replace(network, runtime_description=told), boot)
    refuse_virtual(H7, network, "ST-LINK Virtual COM port at 115200\r\nREADY to receive a CMD from the HOST...")


def scores(*classes: int) -> Scores:
    made: Scores = np.eye(3, dtype=np.float32)[list(classes)]
    return made


def test_portable_code_must_give_the_same_bits_and_other_code_nearly_always_the_same_class() -> None:
    reference = scores(*[0, 1] * 10)
    near = reference + reference.dtype.type(0.001)
    exact, agreeing, told = (Loaded(Path("a.tflite"), None, tolerance, "a runtime") for tolerance in ("exact", "agreement", "reported"))
    check("h7", exact, compare(reference, reference))
    check("h7", agreeing, compare(near, reference))
    with pytest.raises(WrongOutputs, match="other outputs than LiteRT's reference kernels on 20 of 20 images"):
        check("h7", exact, compare(near, reference))
    other = compare(scores(*[0] * 20), reference)
    with pytest.raises(WrongOutputs, match="the class of LiteRT's reference kernels on only 10 of 20 images"):
        check("h7", agreeing, other)
    check("h7", told, other)
    assert not other.agrees


def test_a_stack_that_is_not_measured_is_not_zero() -> None:
    assert (most([-1, -1]), most([0, -1]), most([512, 1024, -1])) == (None, 0, 1024)
