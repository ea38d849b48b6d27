"""What is said of a variant that was built again: equal, another one, or not compared, and what else is otherwise."""

from pathlib import Path
from typing import Any

import pytest
from once import Once
from signed_bundle import VARIANT, finished

from edgeloop.bundle.build import build
from edgeloop.bundle.same import Rebuilt, Reproduction, accuracies, benchmarks, code, explanations, models, weights
from edgeloop.bundle.stated import Stated
from edgeloop.records import MeasuredBenchmark, MeasuredLatency

HOST, VIRTUAL = "records/benchmarks/host.json", "records/benchmarks/virtual-h7.json"


@pytest.fixture(scope="module")
def stated(once: Once) -> Stated:
    made = finished(once)
    return Stated.of(build(made.workspace, made.params, VARIANT).files)


def rebuilt(stated: Stated, **changes: Any) -> Rebuilt:
    told = {name: getattr(stated, name) for name in ("train", "quantize", "evaluate", "codegen", "benchmarks")}
    return Rebuilt.model_validate({**told, "code": {"code/network.c": "aa"}, "why_not": {}, **changes})


def slower(record: Any, factor: float) -> MeasuredBenchmark:
    assert isinstance(record, MeasuredBenchmark)
    told = [model.model_copy(update={"latency": stretched(model.latency, factor)}) for model in record.models]
    return record.model_copy(update={"models": told})


def steady(record: Any, is_stable: bool) -> MeasuredBenchmark:
    assert isinstance(record, MeasuredBenchmark)
    told = [model.model_copy(update={"latency": model.latency.model_copy(update={"stable": is_stable})}) for model in record.models]
    return record.model_copy(update={"models": told})


def stretched(latency: MeasuredLatency, factor: float) -> MeasuredLatency:
    windows = [factor * one for one in latency.window_medians_ms]
    return latency.model_copy(update={"median_ms": factor * latency.median_ms, "window_medians_ms": windows})


def test_what_is_equal_is_said_to_be(stated: Stated) -> None:
    same = rebuilt(stated)
    found = [
        *(weights(stated.train, same.train), *models(stated.quantize, same.quantize), *code({"code/network.c": "aa"}, same)),
        *(*accuracies(stated.evaluate, same.evaluate), *benchmarks(stated.benchmarks, same)),
    ]
    assert {one.verdict for one in found} == {"equal"}
    assert {"float weights", "int8 per-channel model", "C code", "top-1 accuracy, float", "board virtual-h7, instructions"} <= {
        one.what for one in found
    }
    told = Reproduction(variant=VARIANT, version="v", commit="c" * 40, code="that code", compared=found, explained=[])
    assert told.differs == []
    assert "equal  top-1 accuracy, float" in told.in_words()


def test_another_model_is_said_to_be_one(stated: Stated) -> None:
    other = stated.train.model_copy(update={"model_sha256": "0" * 64})
    assert weights(stated.train, other).in_words().strip() == f"differs  float weights: {stated.train.model_sha256[:12]} -> 000000000000"
    none = stated.quantize.model_copy(update={"models": stated.quantize.models[:1]})
    assert [one.verdict for one in models(stated.quantize, none)] == ["equal", "differs", "differs"]


def test_code_is_compared_by_its_files(stated: Stated) -> None:
    before = {"code/network.c": "bb", "code/network.h": "cc"}
    (one,) = code(before, rebuilt(stated))
    assert (one.verdict, one.said) == ("differs", "2 of 2 files: network.c, network.h")
    (one,) = code(before, rebuilt(stated, why_not={"code": "ST Edge AI Core is not installed"}))
    assert (one.verdict, one.said) == ("not compared", "ST Edge AI Core is not installed")
    assert list(code({}, rebuilt(stated))) == []


def test_an_accuracy_is_compared_by_value_and_set_beside_its_interval(stated: Stated) -> None:
    first, *rest = stated.evaluate.formats
    worse = first.model_copy(update={"top1": first.top1.model_copy(update={"value": first.top1.value - 1 / first.top1.n})})
    other = stated.evaluate.model_copy(update={"formats": [worse, *rest]})
    one, *others = accuracies(stated.evaluate, other)
    assert one.verdict == "differs" and "within the 95 % interval" in one.said
    assert {each.verdict for each in others} == {"equal"}


@pytest.mark.parametrize(("factor", "verdict"), [(1.0, "equal"), (1.02, "equal"), (1.1, "differs"), (0.9, "differs")])
def test_a_latency_is_compared_by_its_interval(factor: float, verdict: str, stated: Stated) -> None:
    again = rebuilt(stated, benchmarks={**stated.benchmarks, HOST: slower(stated.benchmarks[HOST], factor)})
    found = {one.verdict for one in benchmarks({HOST: stated.benchmarks[HOST]}, again)}
    assert found == {verdict}
    if verdict == "differs":
        how = "slower than recorded" if factor > 1 else "faster than recorded"
        assert all(one.said.startswith(how) for one in benchmarks({HOST: stated.benchmarks[HOST]}, again))


@pytest.mark.parametrize(
    ("was", "now", "said"),
    [
        (True, False, "the measurement made again was unstable"),
        (False, True, "the recorded measurement was unstable"),
        (False, False, "both measurements were unstable"),
    ],
)
def test_a_latency_that_was_unstable_is_not_compared(was: bool, now: bool, said: str, stated: Stated) -> None:
    before, after = steady(stated.benchmarks[HOST], was), steady(slower(stated.benchmarks[HOST], 1.2), now)
    found = list(benchmarks({HOST: before}, rebuilt(stated, benchmarks={HOST: after})))
    assert found and {one.verdict for one in found} == {"not compared"}
    assert all(one.said.startswith(said) for one in found)


def test_one_unstable_latency_leaves_the_others_compared(stated: Stated) -> None:
    record = stated.benchmarks[HOST]
    assert isinstance(record, MeasuredBenchmark)
    first, *rest = record.models
    shaky = first.model_copy(update={"latency": first.latency.model_copy(update={"stable": False})})
    again = rebuilt(stated, benchmarks={HOST: record.model_copy(update={"models": [shaky, *rest]})})
    assert [one.verdict for one in benchmarks({HOST: record}, again)] == ["not compared", *["equal"] * len(rest)]


def test_where_only_times_differ_no_step_is_suspected(stated: Stated) -> None:
    again = rebuilt(stated, benchmarks={HOST: slower(stated.benchmarks[HOST], 1.2)})
    times = list(benchmarks({HOST: stated.benchmarks[HOST]}, again))
    told = Reproduction(variant=VARIANT, version="v", commit="c" * 40, code="that code", compared=times, explained=[]).in_words()
    assert "nothing but times differs" in told and "deterministic" not in told


def test_another_device_and_a_board_that_is_not_here_are_not_compared(stated: Stated) -> None:
    moved = stated.benchmarks[HOST].model_copy(update={"device": "Another CPU"})
    again = rebuilt(stated, benchmarks={HOST: moved}, why_not={VIRTUAL: "there is no compiler"})
    found = {one.what: one for one in benchmarks(stated.benchmarks, again)}
    assert {one.verdict for one in found.values()} == {"not compared"}
    assert "Another CPU" in found["board host"].said
    assert found["board virtual-h7"].said == "there is no compiler"


def test_instructions_are_compared_by_value(stated: Stated) -> None:
    record = stated.benchmarks[VIRTUAL]
    counts = record.instructions.model_copy(update={"median": record.instructions.median + 1})  # type: ignore[union-attr]
    again = rebuilt(stated, benchmarks={VIRTUAL: record.model_copy(update={"instructions": counts})})
    verdicts = {one.what: one.verdict for one in benchmarks({VIRTUAL: record}, again)}
    assert verdicts["board virtual-h7, instructions"] == "differs"
    assert verdicts["board virtual-h7, weights"] == "equal"


def test_tools_processor_and_changes_in_no_commit_explain_a_difference(stated: Stated) -> None:
    was = stated.train.provenance.model_copy(update={"git_dirty": True})
    now = was.model_copy(update={"tools": was.tools | {"tensorflow": "3.0"}, "cpu": "Another CPU", "params": {"seed": 1}})
    assert explanations({"train": was, "quantize": was}, {"train": now, "quantize": now}) == [
        "it was built with changes that are in no commit (train, quantize)",
        "tensorflow 2.21.0 -> 3.0 (train, quantize)",
        "processor Some CPU @ 2.50GHz -> Another CPU (train, quantize)",
        "settings: seed (train, quantize)",
    ]


def test_a_difference_that_nothing_explains_is_said_to_be_one(stated: Stated, tmp_path: Path) -> None:
    other = weights(stated.train, stated.train.model_copy(update={"model_sha256": "0" * 64}))
    told = Reproduction(variant=VARIANT, version="v", commit="c" * 40, code="that code", compared=[other], explained=[])
    assert "is a step not deterministic on this machine?" in told.in_words()
