"""Building a published variant again: its commit in a worktree of git, its data by their revision, its steps in order; then comparing.

Nothing of the checkout changes: the worktree lies below .edgeloop and is removed at the end, by whatever way it ends.
"""

import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
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
    StartingWeights,
    TrainRecord,
    read_benchmark,
)
from edgeloop.workspace import DatasetPaths, VariantPaths, Workspace
from flows.commands import Done, Ended, Say, environment, run
from flows.history import find_revision
from flows.past import take_from
from flows.revision import ask_git, said

DIGITS = 12
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
        _bring_data(workspace, stated, steps)
        _bring_start(workspace, there, stated.train.start)
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


def _bring_data(workspace: Workspace, stated: Stated, steps: _Steps) -> None:
    """The prepared images: those that lie here, or of the revision in DVC's cache or remote, or prepared again; by digest in any case."""
    name, digest = stated.prepare.dataset, stated.prepare.manifest_sha256
    here, there = workspace.dataset(name), steps.there.dataset(name)
    there.folder.mkdir(parents=True, exist_ok=True)
    if here.manifest.is_file() and sha256_file(here.manifest) == digest:
        there.images.symlink_to(here.images.resolve(), target_is_directory=True)
        _copy([here.fetch_record, here.prepare_record, here.accepted, here.validate_record], there)
    else:
        _from_history(workspace, name, digest, there)
    if not there.manifest.is_file():
        steps.run("fetch", name)
        steps.run("prepare", name)
    found = sha256_file(there.manifest)
    if found != digest:
        raise InputError(
            f"The data of {name} cannot be had as they were: the manifest is {found[:DIGITS]}, not {digest[:DIGITS]}.",
            f"They are in no revision that DVC's cache or remote has here: edgeloop revisions {name}; dvc pull",
        )
    if not there.accepted.is_file() or digest not in there.accepted.read_text(encoding="utf-8"):
        steps.run("validate", name)


def _copy(files: list[Path], there: DatasetPaths) -> None:
    for path in files:
        if path.is_file():
            shutil.copyfile(path, there.folder / path.name)


def _from_history(workspace: Workspace, name: str, digest: str, there: DatasetPaths) -> None:
    """What DVC has of the revision; nothing where it has none."""
    paths = workspace.dataset(name)
    with suppress(InputError):
        revision = find_revision(workspace, name, digest[:DIGITS]).commit
        take_from(workspace, revision, paths.images, there.folder)
        for path in (paths.prepare_record, paths.accepted, paths.validate_record):
            take_from(workspace, revision, path, there.folder)


def _bring_start(workspace: Workspace, there: Workspace, start: StartingWeights) -> None:
    """The starting weights: a fetched backbone from the cache here, or the model of another variant, by its digest."""
    kept = workspace.cache / "backbones"
    if kept.is_dir():
        there.cache.mkdir(parents=True, exist_ok=True)
        (there.cache / "backbones").symlink_to(kept.resolve(), target_is_directory=True)
    if start.kind != "keras":
        return
    model = workspace.root / start.origin
    if not model.is_file() or sha256_file(model) != start.sha256:
        raise InputError(
            f"The training started from {start.origin} with the digest {(start.sha256 or '')[:DIGITS]}, and that model is not here.",
            "Bring it back first: dvc checkout, of the commit that has it.",
        )
    target = there.root / start.origin
    shutil.copytree(model.parent, target.parent, dirs_exist_ok=True)
    if (record := model.parent.parent / "train.json").is_file():
        shutil.copyfile(record, target.parent.parent / record.name)


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
