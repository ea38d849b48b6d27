"""What a training recipe gives in the end: models trained, converted to int8 and tested as the product does it, for some seeds.

    python benchmarks/results.py VARIANT [VARIANT ...] [--seeds 0 1 2] [--recipes FILE] [--out FILE.jsonl] [--keep FOLDER]
                                 [--write docs/results.md]

The data sets must be prepared in this project. `--recipes` is a file as `benchmarks/recipes.py` takes it (recipes-flowers.yaml): a name,
and what it changes of the data set's `train` in params.yaml; without it, the declared recipe alone. **This reads `test`**: choose by
recipes.py, and come here once. Each run (variant, recipe, seed) is a line of JSON in `--out`, which is committed; runs that are there are
not repeated; one that was cut off goes on (what it took is then not known: null). `--keep` holds the trained models: a run whose line is
taken out of `--out` is then converted and tested anew, not trained.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from recipes import lines_of, read_recipes

from edgeloop.cards.markdown import write_part
from edgeloop.config import Params, load_params
from edgeloop.config.training import Train
from edgeloop.console import program
from edgeloop.evaluation.evaluate import evaluate
from edgeloop.quantization.quantize import quantize
from edgeloop.records import TrainRecord
from edgeloop.tflite.formats import FILES
from edgeloop.training.train import train
from edgeloop.workspace import Workspace, find_workspace

MARK = "results"
RESAMPLES = 4000
Hits = NDArray[np.bool_]


def main() -> int:
    options = _options()
    if not options.only_report:
        recipes = read_recipes(options.recipes)
        for seed in options.seeds:
            for variant in options.variants:
                for name, changes in recipes.items():
                    _run(options.out, options.keep, variant, name, changes, seed)
    made = table(lines_of(options.out))
    print(made, end="")
    if options.write:
        write_part(options.write, MARK, made)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("variants", nargs="*", metavar="VARIANT")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2], help="added to the declared one")
    parser.add_argument("--recipes", type=Path)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("results.jsonl"), help="default: %(default)s")
    parser.add_argument("--keep", type=Path, help="a folder for the trained models; none is kept without it")
    parser.add_argument("--write", type=Path, help="the page whose table is replaced, between its two comments")
    parser.add_argument("--only-report", action="store_true", help="run nothing")
    return parser.parse_args()


def _run(out: Path, keep: Path | None, name: str, recipe: str, changes: dict[str, Any], seed: int) -> None:
    key = {"variant": name, "recipe": recipe, "changes": changes, "seed": seed}
    if any(all(line[field] == value for field, value in key.items()) for line in lines_of(out)):
        return
    workspace = find_workspace()
    params = _with(load_params(workspace), name, changes, seed)
    variant = params.variant(name)
    with TemporaryDirectory(dir=workspace.root) as scratch:
        beside = _sharing(workspace, Path(scratch) if keep is None else keep.absolute() / f"{name}-{recipe}-{seed}")
        trained, took = _trained(beside, params, name)
        converted = quantize(beside, params, name)
        tested = evaluate(beside, params, name)
        predictions = pd.read_parquet(variant.paths(beside).predictions)
    agreement = {result.format: result.agreement_with_float for result in tested.formats if result.agreement_with_float is not None}
    estimate = trained.estimate.held_accuracy
    line = key | took | {
        "estimate": estimate and estimate.value,
        "agreement": agreement,
        "applied": {model.format: model.conversion.applied for model in converted.models if model.conversion},
        "calibration_error": {result.format: result.calibration_error for result in tested.formats},
        "hits": {kind: _packed((predictions[f"{file}_class"] == predictions["label"]).to_numpy()) for kind, file in FILES.items()},
        "n": len(predictions),
    }  # fmt: skip
    with out.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    top1 = ", ".join(f"{result.format} {100 * result.top1.value:.2f}" for result in tested.formats)
    print(f"{name} {recipe} seed {seed}: {top1} %", flush=True)


def _trained(beside: Workspace, params: Params, name: str) -> tuple[TrainRecord, dict[str, float | None]]:
    """The record of a training and what it took; of an earlier run where that was kept."""
    cost = beside.root / "cost.json"
    variant = params.variant(name)
    if cost.exists():
        kept = variant.paths(beside)
        return TrainRecord.read(kept.train_record), json.loads(cost.read_text("utf-8"))
    begun, cpu = time.perf_counter(), time.process_time()
    trained = train(beside, params, name)
    took: dict[str, float | None] = {
        "train_wall_s": round(time.perf_counter() - begun, 1),
        "train_cpu_s": round(time.process_time() - cpu, 1),
    }
    if any(fit.resumed for fit in trained.fits):
        took = dict.fromkeys(took, None)
    cost.write_text(json.dumps(took), "utf-8")
    return trained, took


def _with(params: Params, name: str, changes: dict[str, Any], seed: int) -> Params:
    """The same with other training settings for the data set of a variant."""
    variant = params.variant(name)
    declared = params.train_settings(variant)
    stated = declared.model_dump(exclude_unset=True) | changes | {"seed": declared.seed + seed}
    dataset = params.datasets[variant.dataset].model_copy(update={"train": Train.model_validate(stated)})
    return params.model_copy(update={"datasets": {**params.datasets, variant.dataset: dataset}})


def _sharing(workspace: Workspace, folder: Path) -> Workspace:
    """A project of its own with this one's data, starting weights and decoded pixels."""
    beside = Workspace(folder / "project")
    for shared in (workspace.root / "data", workspace.root / "models" / "backbones", workspace.cache):
        link = beside.root / shared.relative_to(workspace.root)
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(shared, target_is_directory=True)
    return beside


def _packed(hits: Hits) -> str:
    return np.packbits(hits).tobytes().hex()


def _unpacked(line: dict[str, Any], kind: str) -> Hits:
    return np.unpackbits(np.frombuffer(bytes.fromhex(line["hits"][kind]), np.uint8), count=line["n"]).astype(bool)


def table(lines: list[dict[str, Any]]) -> str:
    """The runs as Markdown: a row for each variant and recipe, the first recipe of a variant being what the others are compared with.

    Accuracies are means over the seeds, `+-` their standard deviation. The difference is that of the float models over the seeds that
    both have run, with a 95 % interval by resampling the test images, which are the same for all (paired bootstrap, percentiles).
    """
    heads = ["variant", "recipe", "seeds", "n", "float (%)", "better than the first by"]
    heads += ["per-channel (%), drop", "agreement", "per-tensor (%), drop", "agreement", "CPU-min"]
    rows = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    first: dict[str, list[dict[str, Any]]] = {}
    for variant, recipe, runs in _grouped(lines):
        reference = first.setdefault(variant, runs)
        gain = "-" if reference is runs else _gain(runs, reference)
        cells = [variant, recipe, str(len(runs)), str(runs[0]["n"]), _mean(runs, "float"), gain]
        for kind in list(FILES)[1:]:
            drop = np.mean([100 * (_unpacked(line, "float").mean() - _unpacked(line, kind).mean()) for line in runs])
            agrees = np.mean([100 * line["agreement"][kind] for line in runs])
            cells += [f"{_mean(runs, kind)}, {drop:.2f}", f"{agrees:.1f}"]
        costs = [line["train_cpu_s"] for line in runs if line["train_cpu_s"] is not None]
        rows.append(f"| {' | '.join([*cells, f'{np.mean(costs) / 60:.1f}' if costs else '-'])} |")
    return "\n".join(rows) + "\n"


def _grouped(lines: list[dict[str, Any]]) -> Iterator[tuple[str, str, list[dict[str, Any]]]]:
    for variant in dict.fromkeys(line["variant"] for line in lines):
        runs = [line for line in lines if line["variant"] == variant]
        for recipe in dict.fromkeys(line["recipe"] for line in runs):
            yield variant, recipe, [line for line in runs if line["recipe"] == recipe]


def _mean(runs: list[dict[str, Any]], kind: str) -> str:
    values = [100 * _unpacked(line, kind).mean() for line in runs]
    return f"{np.mean(values):.2f}" + (f" +- {np.std(values, ddof=1):.2f}" if len(values) > 1 else "")


def _gain(runs: list[dict[str, Any]], reference: list[dict[str, Any]]) -> str:
    before = {line["seed"]: _unpacked(line, "float") for line in reference}
    pairs = [_unpacked(line, "float").astype(float) - before[line["seed"]] for line in runs if line["seed"] in before]
    if not pairs:
        return "-"
    by_image = 100 * np.mean(pairs, axis=0)
    drawn = by_image[np.random.default_rng(0).integers(0, len(by_image), (RESAMPLES, len(by_image)))].mean(axis=1)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return f"{by_image.mean():+.2f} ({low:+.2f} to {high:+.2f})"


if __name__ == "__main__":
    sys.exit(program(main))
