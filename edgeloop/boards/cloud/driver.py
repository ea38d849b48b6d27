"""The driver `st-cloud`: a board of ST's farm. The model goes there, what ST measures comes back; our images do not run there."""

import time
from collections.abc import Iterator
from pathlib import Path

from edgeloop import events
from edgeloop.boards.cloud.options import family, options
from edgeloop.boards.cloud.results import DONE, ERROR, STATES, Status, result_fields
from edgeloop.boards.driver import Board, Identity, Measure, Outcome
from edgeloop.boards.lab.use import BoardInUse
from edgeloop.boards.subject import Subject
from edgeloop.codegen.stedgeai.cloud.client import Cloud, ListedBoard
from edgeloop.codegen.stedgeai.cloud.failed import failure
from edgeloop.codegen.stedgeai.cloud.wire import Answer
from edgeloop.codegen.stedgeai.support import check_at_st
from edgeloop.console import courtesy
from edgeloop.deadline import Deadline
from edgeloop.errors import BoardAbsent, FarmError, FarmSilent
from edgeloop.files import sha256_file, write_bytes
from edgeloop.records import FarmMeasurement
from edgeloop.yamlfile import near_match


class FarmBoard(Board):
    """One kind of board there; the farm chooses which one of them, and has a queue of its own."""

    def __init__(self, used: BoardInUse) -> None:
        entry = used.board.entry
        assert entry.board is not None, "lab.yaml is refused without it"
        self._used, self._name, self._settings = used, entry.board, entry.cloud
        self._family, self._cloud = family(entry.board), Cloud.of_environment()
        self._listed: ListedBoard | None = None

    def identify(self) -> Identity:
        """What the farm lists of it.

        Raises:
            FarmError: one of its kinds.
            BoardAbsent: the farm has no such board.
        """
        listed, farm = self._found(), self._cloud.addresses.api
        said = {"boards": listed.count, "device": listed.cpu, "device id": listed.device_id, "flash": listed.flash}
        says = {"board": self._name, "farm": farm} | {subject: str(value) for subject, value in said.items() if value is not None}
        return Identity(f"{self._name} of ST's farm", "that of ST's own measurement", says, "MPU" if self._family.mpu else "MCU")

    def outcomes(self, subject: Subject, _measure: Measure, /) -> Iterator[Outcome]:
        """Upload the model that the board runs best, and be told.

        Raises:
            InputError: there is no such model, or lab.yaml does not say how the board is used.
            BoardAbsent: the farm has no such board.
            StedgeaiMissing: the version that lab.yaml names does not generate for it.
            StedgeaiFailure: the tool there refuses the model, with its own words.
            FarmError: one of its kinds.
        """
        form, file = subject.model(self._family.form)
        self._found()
        version = self._cloud.version(self._family.platform, self._settings.version)
        check_at_st(self._family.target, version)
        asked = options(self._name, self._settings, version)
        kept = self._answers(subject)
        kept.unlink(missing_ok=True)  # whatever comes now, an older answer is none to it
        with self._cloud.uploaded(file) as name:
            run = self._cloud.start(self._name, name, asked, mpu=self._family.mpu)
            answer, status = self._awaited(run)
        write_bytes(kept, answer.content)
        if status.state.lower() == ERROR:
            raise failure(status.message, f"the board {status.board or self._name} of {answer.host}", file)
        yield FarmMeasurement(
            format=form,
            model_sha256=sha256_file(file),
            options=asked,
            run=run,
            answer=kept.relative_to(self._used.project).as_posix(),
            answer_sha256=sha256_file(kept),
            **result_fields(status, answer.host, self._family, asked),
        )

    def close(self) -> None:
        self._cloud.close()

    def _found(self) -> ListedBoard:
        """The board in the farm's list, which is asked for once."""
        if self._listed is None:
            listed = self._cloud.boards()
            by_name = {name.lower(): board for name, board in listed.items()}
            if (found := by_name.get(self._name.lower())) is None:
                what = f"ST's farm has no {self._name}{near_match(self._name, listed)}."
                raise BoardAbsent(what, "Choose one that it lists: edgeloop boards --cloud")
            self._listed = found
        return self._listed

    def _awaited(self, run: str) -> tuple[Answer, Status]:
        """The answer of the benchmark that is done, or has failed; each state on the way is told."""
        settings, last, queued = self._settings, "", True
        whole, limit = Deadline.after(settings.queue_s + settings.run_s), Deadline.after(settings.queue_s)
        while True:
            answer = self._cloud.patiently(lambda: self._cloud.status(run), whole, settings.poll_s)
            status = answer.read(Status, "the state of a benchmark")
            if (said := status.in_words()) != last:
                self._tell(status, said)
                last = said
            if status.state.lower() in (DONE, ERROR):
                return answer, status
            _check_known(status)
            if status.is_queued != queued:
                queued, limit = status.is_queued, Deadline.after(settings.queue_s if status.is_queued else settings.run_s)
            if limit.is_over or whole.is_over:
                raise _too_late(self._name, status, limit)
            time.sleep(settings.poll_s)

    def _tell(self, status: Status, said: str) -> None:
        what, state = f"benchmark on {self._used.board.name}", status.state.lower()
        done = STATES.index(state) if state in STATES else 0
        text = f"{what}: {self._name} of ST's farm: {said}"
        if not events.tell(events.Progress(what, done, len(STATES) - 1, text)):
            courtesy(text)

    def _answers(self, subject: Subject) -> Path:
        """The file for the whole answer: beside the variant's records, else in the board's folder."""
        return subject.paths.benchmark_answer(self._used.board.name) if subject.paths else self._used.folder / "answer.json"


def _check_known(status: Status) -> None:
    if status.state.lower() not in STATES:
        what = f"ST's farm says that the benchmark is in the state '{status.state}', which edgeloop does not know."
        raise FarmError(what, f"It knows: {', '.join((*STATES, ERROR))}. See docs/cloud.md, or look for a later edgeloop.")


def _too_late(board: str, status: Status, deadline: Deadline) -> FarmSilent:
    key = "queue_s" if status.is_queued else "run_s"
    was = f"was {status.in_words()} for {deadline.seconds:g} s"
    what = f"The benchmark on the board {board} of ST's farm {was}, and was not waited for any longer."
    return FarmSilent(what, f"Try again later, or wait longer: `cloud: {{{key}: ...}}` in lab.yaml.")
