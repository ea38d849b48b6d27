"""Where things are: the project folder and every path below it. No other module builds such a path."""

from dataclasses import dataclass
from pathlib import Path

from edgeloop.errors import InputError

PARAMS = "params.yaml"
BACKBONES = "backbones"
"""The folder beside the data sets' in models/."""


@dataclass(frozen=True)
class DatasetPaths:
    """The files of one data set, below `data/<name>/`."""

    folder: Path

    @property
    def archive(self) -> Path:
        """The fetched archive (tar, tar.gz or zip, told apart by content)."""
        return self.folder / "archive"

    @property
    def additions(self) -> Path:
        """What later ingests added: one archive each, besides the small file by which `fetch` names the first one."""
        return self.folder / "additions"

    @property
    def first_archive(self) -> Path:
        """Names the first archive by its digest, so that `additions` is never empty: a folder that DVC can depend on."""
        return self.additions / "00000.json"

    @property
    def rejected(self) -> Path:
        """Archives of the images that ingests quarantined."""
        return self.folder / "rejected"

    @property
    def fetch_record(self) -> Path:
        return self.folder / "fetch.json"

    @property
    def images(self) -> Path:
        """What `prepare` makes: `manifest.parquet` and `shards-*.tar`."""
        return self.folder / "images"

    @property
    def manifest(self) -> Path:
        return self.images / "manifest.parquet"

    @property
    def prepare_record(self) -> Path:
        return self.folder / "prepare.json"

    @property
    def accepted(self) -> Path:
        """Written by `validate` only when no rule with severity `error` is broken; deterministic."""
        return self.folder / "accepted.json"

    @property
    def baseline(self) -> Path:
        """Summary of the manifest accepted last, which drift is measured against; DVC persists it between runs."""
        return self.folder / "baseline.json"

    @property
    def validate_record(self) -> Path:
        return self.folder / "validate.json"

    @property
    def report(self) -> Path:
        """The validation report, one self-contained HTML page."""
        return self.folder / "report.html"


@dataclass(frozen=True)
class VariantPaths:
    """The files of one variant, below `models/<data set>/<network>-<resolution>/`."""

    folder: Path

    @property
    def model(self) -> Path:
        """The trained float model; its input is normalised as `preprocessing` says."""
        return self.folder / "train" / "model.keras"

    @property
    def preprocessing(self) -> Path:
        return self.folder / "train" / "preprocessing.json"

    @property
    def history(self) -> Path:
        return self.folder / "history.csv"

    @property
    def train_record(self) -> Path:
        return self.folder / "train.json"

    @property
    def quantized(self) -> Path:
        """`float.tflite`, `per_channel.tflite`, `per_tensor.tflite` and `preprocessing.json`."""
        return self.folder / "quantized"

    @property
    def quantize_record(self) -> Path:
        return self.folder / "quantize.json"

    @property
    def evaluate_record(self) -> Path:
        return self.folder / "evaluate.json"

    @property
    def metrics(self) -> Path:
        """The few figures that `dvc metrics show` and `dvc metrics diff` compare."""
        return self.folder / "metrics.json"

    @property
    def predictions(self) -> Path:
        """Parquet: one row for each test image (path, label, score and class of each format)."""
        return self.folder / "predictions.parquet"

    @property
    def generated(self) -> Path:
        """C code of the int8 per-channel model, as a backend generated it."""
        return self.folder / "generated"

    @property
    def generate_record(self) -> Path:
        return self.folder / "generate.json"

    @property
    def card(self) -> Path:
        """`README.md`, `index.html` and `plots/`."""
        return self.folder / "card"

    @property
    def card_record(self) -> Path:
        return self.folder / "card.json"

    @property
    def decision(self) -> Path:
        """What the gates said last; no card is made from it."""
        return self.folder / "gates" / "decision.json"

    @property
    def benchmarks(self) -> Path:
        """One record for each board that the variant was benchmarked on."""
        return self.folder / "benchmarks"

    def benchmark_record(self, board: str) -> Path:
        return self.benchmarks / f"{board}.json"

    def benchmark_answer(self, board: str) -> Path:
        """What ST's farm answered, whole; not in the folder of records, all of which cards are made from."""
        return self.folder / "benchmark-answers" / f"{board}.json"


@dataclass(frozen=True)
class Workspace:
    """The project folder: the one that holds `params.yaml`."""

    root: Path

    @property
    def params(self) -> Path:
        return self.root / PARAMS

    @property
    def lab(self) -> Path:
        """The boards of this lab."""
        return self.root / "lab.yaml"

    @property
    def graph(self) -> Path:
        """What the stages of dvc.yaml are made for, derived from params.yaml (edgeloop/graph.py)."""
        return self.root / "graph.yaml"

    @property
    def backbones(self) -> Path:
        """Starting weights, a small file each."""
        return self.root / "models" / BACKBONES

    @property
    def private(self) -> Path:
        """What may be deleted at any time while nothing runs: caches, services' state, logs."""
        return self.root / ".edgeloop"

    @property
    def cache(self) -> Path:
        return self.private / "cache"

    def board(self, name: str) -> Path:
        """What was generated and built for a board last, and the output of its commands."""
        return self.private / "boards" / name

    def dataset(self, name: str) -> DatasetPaths:
        return DatasetPaths(self.root / "data" / name)

    def ingests(self, dataset: str) -> Path:
        """The records of a data set's ingests and DVC's pointers to what they added; tracked by git."""
        return self.root / "additions" / dataset

    def variant(self, dataset: str, network: str, resolution: int | str) -> VariantPaths:
        return VariantPaths(self.root / "models" / dataset / f"{network}-{resolution}")


def find_workspace(start: Path | None = None) -> Workspace:
    """The workspace that `start` (by default the current folder) is in.

    Raises:
        InputError: no `params.yaml` in the folder or above it.
    """
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / PARAMS).is_file():
            return Workspace(folder)
    raise InputError(
        f"No {PARAMS} in {here} or above it, so this is not an edgeloop project.",
        "Change to the folder of your clone (the one with dvc.yaml) and try again.",
    )
