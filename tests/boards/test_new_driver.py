"""A new kind of board is one file with a driver, one line in the registry, one entry of YAML: this file is all of them.

The board is made of paper: LiteRT's reference kernels in this process, timed with a clock that ticks once a millisecond.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from card_records import Story, card_folder
from numpy.typing import NDArray

from edgeloop.boards.driver import Driver, Identity, Loaded, MeasuredRun, Observe
from edgeloop.boards.drivers import DRIVERS, Registered
from edgeloop.boards.lab.kinds import Kind, kinds
from edgeloop.boards.lab.use import BoardInUse
from edgeloop.boards.lock import occupancy
from edgeloop.boards.subject import Subject
from edgeloop.cards.card import card
from edgeloop.cli import main
from edgeloop.records import MeasuredBenchmark, MeasuredDetails, read_benchmark
from edgeloop.tflite.interpreter import LiteModel
from edgeloop.workspace import VariantPaths, Workspace

VARIANT = "sample-fdmobilenet_0.25-96"
KIND = '{"title": "Paper board", "driver": "paper", "target": "stm32h7"}'
LAB = "boards: {desk: {kind: paper-board}}"
TICK_NS = 1_000_000


class PaperBoard(Driver):
    """One int8 model at a time."""

    at_once = 4

    def __init__(self, used: BoardInUse) -> None:
        self._board, self._key = used.board, used.found.key
        self._model: LiteModel | None = None

    def identify(self) -> Identity:
        title = self._board.kind.title
        return Identity(title, "a clock on the wall", {"device": title}, target="MCU", clock_hz=1000)

    def prepare(self, subject: Subject) -> Iterator[Loaded]:
        assert occupancy(self._key).held, "whoever prepares a board holds it"
        form, file = subject.model("int8 per-channel")
        self._model = LiteModel(file, reference=True)
        yield Loaded(file, form, tolerance="exact", runtime="pencil 1.0")

    def run(self, inputs: NDArray[Any], observe: Observe) -> MeasuredRun:
        assert self._model is not None and len(inputs) <= self.at_once
        outputs = np.concatenate([self._model.run(image[None]) for image in inputs])
        told = MeasuredDetails(stack_bytes=512) if observe == Observe.DETAILS else MeasuredDetails()
        return MeasuredRun(outputs, [TICK_NS] * len(inputs), told)

    def close(self) -> None:
        self._model = None


@pytest.fixture
def desk(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A project with a paper board."""
    monkeypatch.setitem(DRIVERS, "paper", Registered(__name__, "PaperBoard"))
    monkeypatch.setitem(kinds(), "paper-board", Kind.model_validate_json(KIND))
    workspace.lab.write_text(LAB, encoding="utf-8")
    monkeypatch.chdir(workspace.root)
    return workspace


def test_it_goes_through_the_whole_pipeline(desk: Workspace, measurable: VariantPaths, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["boards"]) == main(["boards", "identify", "desk"]) == main(["benchmark", VARIANT, "--board", "desk", "--images", "6"]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"desk +paper-board +free", printed) and "  device  Paper board" in printed
    assert "int8 per-channel on desk (Paper board): median 1.000 ms, 1.000 - 1.000 ms over 350 runs, measured on hardware" in printed
    assert "outputs equal to the host's: 6 of 6, same class: 6, by 0 at most; accuracy on the board 100.0% of 6" in printed
    record = read_benchmark(measurable.benchmark_record("desk"))
    assert isinstance(record, MeasuredBenchmark) and record.models[0].stack_bytes == 512
    assert (record.target, record.dataset, record.models[0].runtime) == ("MCU", "sample", "pencil 1.0")


def test_a_model_file_is_a_subject_too(desk: Workspace, miniatures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", str(miniatures / "int8.tflite"), "--board", "desk", "--images", "2", "--json", "out.json"]) == 0
    assert "desk (Paper board): median 1.000 ms" in capsys.readouterr().out
    assert "random" in read_benchmark(desk.root / "out.json").pixels


def test_one_wrong_bit_gives_no_record(
    desk: Workspace, measurable: VariantPaths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    right = PaperBoard.run
    monkeypatch.setattr(PaperBoard, "run", lambda *given: MeasuredRun(np.nextafter(right(*given).outputs, np.float32(2)), [TICK_NS]))
    assert main(["benchmark", VARIANT, "--board", "desk"]) == 1
    assert "desk gives other outputs than LiteRT's reference kernels" in capsys.readouterr().err
    assert not measurable.benchmark_record("desk").exists()


def test_the_card_shows_it_among_the_targets(desk: Workspace, measurable: VariantPaths) -> None:
    assert main(["benchmark", VARIANT, "--board", "desk", "--images", "3"]) == 0
    record = read_benchmark(measurable.benchmark_record("desk"))
    story = Story()
    params = story.write(desk)
    assert isinstance(record, MeasuredBenchmark)
    known = read_benchmark(measurable.benchmark_record("host"))
    assert isinstance(known, MeasuredBenchmark)
    same = record.models[0].model_copy(update={"model_sha256": known.models[1].model_sha256})
    record.model_copy(update={"models": [same], "provenance": known.provenance}).write(measurable.benchmark_record("desk"))
    card(desk, params, story.variant)
    text = (card_folder(desk, params, story.variant) / "README.md").read_text(encoding="utf-8")
    targets = text.partition("## Metrics")[2].partition("\n## ")[0]
    assert "Measured on hardware: Paper board, pencil 1.0" in targets and "| 1.000 |" in targets
