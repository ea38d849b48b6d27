"""A variant built again beside its card: weights, models and code by digest, accuracy by value, latency by interval."""

from collections.abc import Iterator, Mapping
from typing import Literal

from edgeloop.boards.side_by_side import Ratio, side_by_side
from edgeloop.console import in_one_line
from edgeloop.plural import many
from edgeloop.records import (
    BenchmarkRecord,
    CodegenRecord,
    EmulatedBenchmark,
    EvaluateRecord,
    MeasuredBenchmark,
    Part,
    Provenance,
    QuantizeRecord,
    TrainRecord,
)

Verdict = Literal["equal", "differs", "not compared"]
LATENCY_SHARE = 0.03
"""A latency differs where its 95 % interval says that it is larger or smaller by more: less than that is the machine's own mood."""


class Compared(Part):
    """One thing that was built again."""

    what: str
    verdict: Verdict
    said: str
    is_time: bool = False
    """Whether it was measured by a clock: no two measurements are alike."""

    def in_words(self) -> str:
        """One line."""
        return in_one_line(f"{self.verdict:>12}  {self.what}: {self.said}")


class Reproduction(Part):
    """What came of building a variant again."""

    variant: str
    version: str
    commit: str
    code: str
    """Whose steps were run."""
    compared: list[Compared]
    explained: list[str]
    """What else is not as it was; empty where nothing is."""

    @property
    def differs(self) -> list[Compared]:
        return [one for one in self.compared if one.verdict == "differs"]

    def in_words(self) -> str:
        """Lines for people."""
        head = f"{self.variant} {self.version}, built again at the commit {self.commit[:12]} with {self.code}"
        lines = [in_one_line(head), *(one.in_words() for one in self.compared)]
        if self.explained:
            lines += ["not as it was:", *(f"  {in_one_line(one)}" for one in self.explained)]
        elif self.differs and all(one.is_time for one in self.differs):
            lines.append("nothing but times differs: the machine was busy, or it is another one")
        elif self.differs:
            lines.append("nothing that the records name is otherwise: is a step not deterministic on this machine?")
        return "\n".join(lines)


class Rebuilt(Part):
    """What the steps wrote; null is what could not be built, for the reason that stands in `why_not`."""

    train: TrainRecord
    quantize: QuantizeRecord
    evaluate: EvaluateRecord
    codegen: CodegenRecord | None
    code: dict[str, str]
    """SHA-256 of each generated file, by its name in a bundle."""
    benchmarks: dict[str, BenchmarkRecord]
    """By name in a bundle."""
    why_not: dict[str, str]
    """By the same names, and `code`."""


def weights(before: TrainRecord, after: TrainRecord) -> Compared:
    """The trained float model."""
    return _digest("float weights", before.model_sha256, after.model_sha256)


def models(before: QuantizeRecord, after: QuantizeRecord) -> Iterator[Compared]:
    """Each converted file."""
    found = {model.file: model.sha256 for model in after.models}
    for model in before.models:
        yield _digest(f"{model.format} model", model.sha256, found.get(model.file))


def code(before: Mapping[str, str], rebuilt: Rebuilt) -> Iterator[Compared]:
    """All files of the generated code together; which of them differ is said."""
    if not before:
        return
    if reason := rebuilt.why_not.get("code"):
        yield Compared(what="C code", verdict="not compared", said=reason)
        return
    other = sorted(name for name in {*before, *rebuilt.code} if before.get(name) != rebuilt.code.get(name))
    if not other:
        yield Compared(what="C code", verdict="equal", said=many(len(before), "file"))
        return
    listed = ", ".join(name.removeprefix("code/") for name in other[:5]) + (", ..." if len(other) > 5 else "")
    yield Compared(what="C code", verdict="differs", said=f"{len(other)} of {len(before)} files: {listed}")


def accuracies(before: EvaluateRecord, after: EvaluateRecord) -> Iterator[Compared]:
    """Top 1 of each format, by value."""
    found = {result.format: result.top1 for result in after.formats}
    for result in before.formats:
        what, was, now = f"top-1 accuracy, {result.format}", result.top1, found.get(result.format)
        if now is None:
            yield Compared(what=what, verdict="not compared", said="it was not evaluated")
        elif (was.value, was.n) == (now.value, now.n):
            yield Compared(what=what, verdict="equal", said=f"{was.value:.4f} on {many(was.n, 'image')}")
        else:
            low, high = was.ci95
            inside = "within" if low <= now.value <= high else "outside"
            said = f"{was.value:.4f} (n = {was.n}) -> {now.value:.4f} (n = {now.n}), {inside} the 95 % interval {low:.4f} to {high:.4f}"
            yield Compared(what=what, verdict="differs", said=said)


def benchmarks(before: Mapping[str, BenchmarkRecord], rebuilt: Rebuilt) -> Iterator[Compared]:
    """What each board says."""
    for name, record in before.items():
        again = rebuilt.benchmarks.get(name)
        if again is None:
            reason = rebuilt.why_not.get(name, "it was not measured again")
            yield Compared(what=f"board {record.board}", verdict="not compared", said=reason)
        else:
            yield from _board(record, again)


def explanations(before: Mapping[str, Provenance], after: Mapping[str, Provenance]) -> list[str]:
    """What is otherwise than when the records were made: tools, processor, changes that no commit holds."""
    found: dict[str, list[str]] = {}
    for step, was in before.items():
        if was.git_dirty:
            found.setdefault("it was built with changes that are in no commit", []).append(step)
        if (now := after.get(step)) is not None:
            for said in _otherwise(was, now):
                found.setdefault(said, []).append(step)
    return [f"{said} ({', '.join(steps)})" for said, steps in found.items()]


def _otherwise(was: Provenance, now: Provenance) -> Iterator[str]:
    for name in sorted({*was.tools, *now.tools}):
        if was.tools.get(name) != now.tools.get(name):
            yield f"{name} {was.tools.get(name, 'unknown')} -> {now.tools.get(name, 'unknown')}"
    for field, then, here in (("processor", was.cpu, now.cpu), ("cores", was.cpus, now.cpus), ("host", was.host, now.host)):
        if then != here:
            yield f"{field} {then} -> {here}"
    if was.params != now.params:
        keys = sorted(key for key in {*was.params, *now.params} if was.params.get(key) != now.params.get(key))
        yield f"settings: {', '.join(keys)}"


def _digest(what: str, before: str, after: str | None) -> Compared:
    if before == after:
        return Compared(what=what, verdict="equal", said=before[:12])
    return Compared(what=what, verdict="differs", said=f"{before[:12]} -> {(after or 'none')[:12]}")


def _board(before: BenchmarkRecord, after: BenchmarkRecord) -> Iterator[Compared]:
    what = f"board {before.board}"
    if isinstance(before, MeasuredBenchmark) and isinstance(after, MeasuredBenchmark) and before.device != after.device:
        yield Compared(what=what, verdict="not compared", said=f"this is another device: {before.device} -> {after.device}")
        return
    ratios = side_by_side("recorded", before, "again", after).ratios
    if isinstance(before, EmulatedBenchmark):
        for ratio in ratios:
            yield Compared(what=f"{what}, {ratio.figure}", verdict="equal" if ratio.a == ratio.b else "differs", said=_figures(ratio))
        return
    unstable = _unstable(before, after)
    for ratio, reason in zip(ratios, unstable or [""] * len(ratios), strict=True):
        yield _time(f"{what}, {ratio.figure}", ratio, reason)


def _time(what: str, ratio: Ratio, unstable: str) -> Compared:
    """Two times; `unstable` says why they say nothing, if they do not."""
    if unstable:
        return Compared(what=what, verdict="not compared", said=f"{unstable} ({ratio.a:,.6g} -> {ratio.b:,.6g} {ratio.unit})", is_time=True)
    if not _is_other(ratio):
        return Compared(what=what, verdict="equal", said=_figures(ratio), is_time=True)
    how = "slower" if ratio.difference > 0 else "faster"
    return Compared(what=what, verdict="differs", said=f"{how} than recorded: {_figures(ratio)}", is_time=True)


def _figures(ratio: Ratio) -> str:
    return ratio.in_words().partition(": ")[2]


def _unstable(before: BenchmarkRecord, after: BenchmarkRecord) -> list[str]:
    """For each format that both measured which measurement was unstable; nothing of what was not measured here."""
    if not (isinstance(before, MeasuredBenchmark) and isinstance(after, MeasuredBenchmark)):
        return []
    again = {model.format: model.latency for model in after.models}
    return [_which(model.latency.stable, again[model.format].stable) for model in before.models if model.format in again]


def _which(recorded: bool, again: bool) -> str:
    """In words, which of two measurements was not stable."""
    if recorded and again:
        return ""
    if not recorded and not again:
        return "both measurements were unstable"
    return f"the {'measurement made again' if recorded else 'recorded measurement'} was unstable"


def _is_other(ratio: Ratio) -> bool:
    low, high = ratio.ci95 or (ratio.difference, ratio.difference)
    return low > LATENCY_SHARE * ratio.a or high < -LATENCY_SHARE * ratio.a
