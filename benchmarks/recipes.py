"""Which training recipe is better: k-fold inside the learning images (train and val), so that test is not read.

    python benchmarks/recipes.py --dataset flowers --network fdmobilenet_0.25 --resolution 128 \\
        --start models/backbones/st-food101-fdmobilenet_0.25-128.yaml [--folds 3] [--seeds 1] \\
        [--recipes FILE] [--only NAME ...] [--out FILE] [--write docs/results.md]

The data set must be prepared in this project. Each run (recipe, seed, fold) is a line of JSON in `--out`; runs that are there are
not repeated, so a cut-off exploration goes on. A recipe is a name and what it changes of the data set's `train` in params.yaml.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from ruamel.yaml import YAML

from edgeloop.cards.markdown import write_part
from edgeloop.config import TrainSettings, Variant, load_params
from edgeloop.console import program
from edgeloop.records import Accuracy
from edgeloop.training.fit import fit
from edgeloop.training.fold import folds
from edgeloop.training.training import Training
from edgeloop.workspace import find_workspace

MARK = "recipes"


def main() -> int:
    options = _options()
    recipes: dict[str, dict[str, Any]] = read_recipes(options.recipes)
    for seed in range(0 if options.only_report else options.seeds):
        for name, changes in recipes.items():
            if not options.only or name in options.only:
                _explore(options, name, changes, seed)
    _report(options)
    return 0


def read_recipes(path: Path | None) -> dict[str, dict[str, Any]]:
    """What each recipe changes, by name; without a file, the declared recipe alone."""
    if path is None:
        return {"declared": {}}
    found: dict[str, dict[str, Any]] = YAML(typ="safe").load(path)
    return {name: changes for name, changes in found.items() if not name.startswith("_")}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="flowers")
    parser.add_argument("--network", default="fdmobilenet_0.25")
    parser.add_argument("--resolution", type=int, default=128)
    parser.add_argument("--start", type=Path, default=Path("models/backbones/scratch.yaml"))
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--use-folds", type=int, nargs="*", help="only these of them, counted from 0")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--recipes", type=Path)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--out", type=Path, default=Path("recipes.jsonl"))
    parser.add_argument("--write", type=Path, help="the page whose table is replaced, between its two comments")
    parser.add_argument("--only-report", action="store_true", help="run nothing")
    return parser.parse_args()


def _explore(options: argparse.Namespace, name: str, changes: dict[str, Any], seed: int) -> None:
    workspace = find_workspace()
    declared = load_params(workspace).dataset(options.dataset).train.settings(options.network, options.resolution)
    settings = TrainSettings.model_validate(declared.model_dump(exclude_unset=True) | changes | {"seed": declared.seed + seed})
    variant = Variant(dataset=options.dataset, network=options.network, resolution=options.resolution, start=options.start)
    training = Training.of(workspace, variant, settings)
    for number, fold in enumerate(folds(training.images.rows, options.folds, seed=1)):
        if options.use_folds and number not in options.use_folds:
            continue
        key = {"variant": variant.id, "recipe": name, "changes": changes, "seed": seed, "folds": options.folds, "fold": number}
        if any(all(line[field] == value for field, value in key.items()) for line in lines_of(options.out)):
            continue
        begun, cpu = time.perf_counter(), time.process_time()
        job, _ = training.job("select", "last", fold)
        with TemporaryDirectory() as scratch:
            state = fit(job, Path(scratch) / "state")
        tail = [row["val_accuracy"] for row in state.history[-10:]]
        line = key | {
            "accuracy": state.best.accuracy,
            "loss": state.best.loss,
            "tail": float(np.mean(tail)),
            "train_loss": state.history[-1]["train_loss"],
            "n": len(fold.held),
            "wall_s": round(time.perf_counter() - begun, 1),
            "cpu_s": round(time.process_time() - cpu, 1),
        }
        with options.out.open("a") as file:
            file.write(json.dumps(line) + "\n")
        scored = f"{100 * state.best.accuracy:.2f} %, loss {state.best.loss:.4f}"
        print(f"{name} seed {seed} fold {number}: {scored}, {line['cpu_s']:.0f} CPU-s", flush=True)


def lines_of(path: Path) -> list[dict[str, Any]]:
    """The runs that are done."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def table(lines: list[dict[str, Any]]) -> str:
    """The runs as Markdown: a row for each variant and recipe, the first recipe of a variant being what the others are compared with.

    The interval is Wilson's over all images held out; the difference is the mean over the runs (seed, fold) that both have done.
    """
    rows = [
        "| variant | recipe | runs (seeds x folds) | accuracy (%) | 95 % interval | n | better than the first by | loss | CPU-min a run |"
    ]
    rows.append("|---|---|---|---|---|---|---|---|---|")
    first: dict[str, dict[tuple[int, int], float]] = {}
    for (variant, recipe), runs in _grouped(lines).items():
        by_run = {(line["seed"], line["fold"]): line["accuracy"] for line in runs}
        n = sum(line["n"] for line in runs)
        found = Accuracy.of(round(sum(line["accuracy"] * line["n"] for line in runs)), n)
        reference = first.setdefault(variant, by_run)
        gains = [100 * (value - reference[run]) for run, value in by_run.items() if run in reference]
        gain = "-" if reference is by_run or not gains else f"{np.mean(gains):+.1f} (n = {len(gains)})"
        counted = f"{len(runs)} ({len({line['seed'] for line in runs})} x {len({line['fold'] for line in runs})})"
        interval = f"{100 * found.ci95[0]:.1f} to {100 * found.ci95[1]:.1f}"
        loss, minutes = np.mean([line["loss"] for line in runs]), np.mean([line["cpu_s"] for line in runs]) / 60
        rows.append(
            f"| {variant} | {recipe} | {counted} | {100 * found.value:.1f} | {interval} | {n} | {gain} | {loss:.3f} | {minutes:.1f} |"
        )
    return "\n".join(rows) + "\n"


def _grouped(lines: list[dict[str, Any]]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for line in lines:
        found.setdefault((line["variant"], line["recipe"]), []).append(line)
    return found


def _report(options: argparse.Namespace) -> None:
    made = table(lines_of(options.out))
    print(made, end="")
    if options.write:
        write_part(options.write, MARK, made)


if __name__ == "__main__":
    sys.exit(program(main))
