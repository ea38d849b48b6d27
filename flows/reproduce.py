"""Building a published variant again: its commit in a worktree of git, its data by their revision, its steps in order; then comparing.

Nothing of the checkout changes: the worktree lies below .edgeloop and is removed at the end, by whatever way it ends.
"""

import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from edgeloop.bundle.files import sha256
from edgeloop.bundle.same import Rebuilt, Reproduction, accuracies, benchmarks, code, explanations, models, weights
from edgeloop.bundle.stated import Stated
from edgeloop.deadline import Deadline
from edgeloop.errors import InputError, StageError
from edgeloop.files import sha256_file
from edgeloop.records import (
    BenchmarkRecord,
    CodegenRecord,
    EvaluateRecord,
    FarmBenchmark,
    Provenance,
    QuantizeRecord,
    TrainRecord,
    read_benchmark,
)
from edgeloop.workspace import VariantPaths, Workspace
from flows.bring import DIGITS, bring_data, bring_start
from flows.commands import Done, Ended, Say, environment, run
from flows.revision import ask_git, said

OF_DVC = ("DVC_STAGE", "DVC_ROOT")


def reproduce(workspace: Workspace, variant: str, version: str, files: Mapping[str, bytes], hours: float, say: Say) -> Reproduction:
    """Build the variant of a bundle again, within so many hours, and compare.

    Raises:
        InputError: git does not have the commit, or nothing leads to the data or the starting weights.
        StageError: a step fails, or the time is over.
        BundleError: the bundle's records cannot be read.
    """
    stated = Stated.of(files)
    commit = _commit(workspace, stated)
    with _worktree(workspace, commit) as there:
        steps = _Steps(there, Deadline.after(3600 * hours), say)
        bring_data(workspace, there, stated.prepare.dataset, stated.prepare.manifest_sha256, steps.run)
        bring_start(workspace, there, stated.train.start)
        rebuilt = _built(variant, stated, steps)
        whose = "the code of that commit" if (there.root / "edgeloop" / "__init__.py").is_file() else "the edgeloop that is installed here"
    recorded = {name: digest for name, digest in _digests(files).items() if name.startswith("code/")}
    compared = [
        weights(stated.train, rebuilt.train),
        *models(stated.quantize, rebuilt.quantize),
        *code(recorded, rebuilt),
        *accuracies(stated.evaluate, rebuilt.evaluate),
        *benchmarks(stated.benchmarks, rebuilt),
    ]
    explained = explanations(_provenances(stated), _provenances(rebuilt))
    return Reproduction(variant=variant, version=version, commit=commit, code=whose, compared=compared, explained=explained)


class _Steps:
    """Runs edgeloop's steps in the worktree, whose code comes first where it has one."""

    def __init__(self, there: Workspace, deadline: Deadline, say: Say) -> None:
        self.there, self._deadline, self._say = there, deadline, say
        self._env = {name: value for name, value in environment().items() if name not in OF_DVC}

    def run(self, *words: str) -> None:
        """Run one.

        Raises:
            StageError: it fails, or is not done in time.
        """
        done = self.tried(*words)
        if done.code != 0:
            raise done.failure(
                f"edgeloop {' '.join(words)}", f"git worktree add PLACE {self._commit()}, and there edgeloop {' '.join(words)}"
            )

    def tried(self, *words: str) -> Done:
        """Run one that may fail.

        Raises:
            StageError: it is not done in time.
        """
        self._say(f"edgeloop {' '.join(words)}")
        argv = [sys.executable, "-m", "edgeloop", *words]
        try:
            return run(argv, self.there.root, self._env, self._say, lambda: self._deadline.is_over)
        except Ended:
            raise StageError(
                f"edgeloop {' '.join(words)} was ended: the {self._deadline.seconds / 3600:g} hours are over.", "Give more: --hours."
            ) from None

    def _commit(self) -> str:
        return said(self.there, "rev-parse", "HEAD").strip()


def _commit(workspace: Workspace, stated: Stated) -> str:
    """The commit at which the last step of the card was run: DVC held all the earlier ones for up to date there."""
    commit = stated.card.provenance.git_commit
    if commit is None:
        raise InputError("The card was made outside git: nothing says which params.yaml and which code it was built with.")
    if ask_git(workspace, "cat-file", "-e", f"{commit}^{{commit}}", ok=False) is None:
        raise InputError(
            f"The repository here lacks the commit {commit[:DIGITS]}.", "Change to a clone of the project, and: git fetch --all"
        )
    return commit


@contextmanager
def _worktree(workspace: Workspace, commit: str) -> Iterator[Workspace]:
    """The project as it was in a commit, in a folder of its own."""
    private = workspace.private / "reproduce"
    private.mkdir(parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix=f"{commit[:DIGITS]}-", dir=private))
    below = said(workspace, "rev-parse", "--show-prefix").strip()
    try:
        said(workspace, "worktree", "add", "--detach", "--force", str(place), commit)
        yield Workspace(place / below)
    finally:
        ask_git(workspace, "worktree", "remove", "--force", str(place), ok=False)
        shutil.rmtree(place, ignore_errors=True)
        ask_git(workspace, "worktree", "prune", ok=False)


def _built(variant: str, stated: Stated, steps: _Steps) -> Rebuilt:
    """Run the steps; a board or a generator that is not here is no error of theirs."""
    train = stated.train
    paths = steps.there.variant(train.dataset, train.network, train.resolution)
    steps.run("train", variant)
    steps.run("quantize", variant)
    why_not: dict[str, str] = {}
    if stated.codegen:
        _note(why_not, "code", steps.tried("generate", variant))
    steps.run("evaluate", variant)
    measured = dict(_measured(variant, stated, paths, steps, why_not))
    return Rebuilt(
        train=TrainRecord.read(paths.train_record),
        quantize=QuantizeRecord.read(paths.quantize_record),
        evaluate=EvaluateRecord.read(paths.evaluate_record),
        codegen=CodegenRecord.read(paths.generate_record) if paths.generate_record.is_file() else None,
        code=_generated(paths),
        benchmarks=measured,
        why_not=why_not,
    )


def _measured(
    variant: str, stated: Stated, paths: VariantPaths, steps: _Steps, why_not: dict[str, str]
) -> Iterator[tuple[str, BenchmarkRecord]]:
    for name, record in stated.benchmarks.items():
        if isinstance(record, FarmBenchmark):
            why_not[name] = "a board of ST's farm: the model would leave this machine"
            continue
        path = paths.benchmark_record(record.board)
        if _note(why_not, name, steps.tried("benchmark", variant, "--board", record.board)) and path.is_file():
            yield name, read_benchmark(path)


def _note(why_not: dict[str, str], name: str, done: Done) -> bool:
    """Remember why something could not be done; whether it was."""
    if done.code != 0:
        told = str(done.failure(name, "")).splitlines()[0]
        why_not[name] = told.removeprefix(f"{name} failed: ")
    return done.code == 0


def _generated(paths: VariantPaths) -> dict[str, str]:
    files = sorted(path for path in paths.generated.rglob("*") if path.is_file())
    return {f"code/{path.relative_to(paths.generated).as_posix()}": sha256_file(path) for path in files}


def _digests(files: Mapping[str, bytes]) -> dict[str, str]:
    return {name: sha256(content) for name, content in files.items()}


def _provenances(found: Stated | Rebuilt) -> dict[str, Provenance]:
    """By step; boards by the name of their record."""
    steps = {"train": found.train, "quantize": found.quantize, "evaluate": found.evaluate}
    own = {step: record.provenance for step, record in steps.items()}
    own |= {"generate": found.codegen.provenance} if found.codegen else {}
    return own | {name.rpartition("/")[2].removesuffix(".json"): record.provenance for name, record in found.benchmarks.items()}
