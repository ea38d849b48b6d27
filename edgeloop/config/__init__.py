"""params.yaml as typed models: what is built, from which data, and how. Unknown keys are refused."""

from edgeloop.config.data import Drawn, Layout, Limits, Prepare, Rule, Source, Split, Validate
from edgeloop.config.gates import AgainstChampion, Gates
from edgeloop.config.params import Dataset, Params, Step, load_params, not_built
from edgeloop.config.phases import write_phases
from edgeloop.config.section import Network, Positive, Resize, Resolution, Section, Sha256
from edgeloop.config.steps import OFF, Benchmark, Evaluate, Generate, Ingest, Publish, Quantize, Schedules, Timed, Watch
from edgeloop.config.training import Compute, Override, Phase, Train, TrainSettings
from edgeloop.config.variants import ALL, BoardBenchmark, Row, Variant

__all__ = [
    "ALL",
    "OFF",
    "AgainstChampion",
    "Benchmark",
    "BoardBenchmark",
    "Compute",
    "Dataset",
    "Drawn",
    "Evaluate",
    "Gates",
    "Generate",
    "Ingest",
    "Layout",
    "Limits",
    "Network",
    "Override",
    "Params",
    "Phase",
    "Positive",
    "Prepare",
    "Publish",
    "Quantize",
    "Resize",
    "Resolution",
    "Row",
    "Rule",
    "Schedules",
    "Section",
    "Sha256",
    "Source",
    "Split",
    "Step",
    "Timed",
    "Train",
    "TrainSettings",
    "Validate",
    "Variant",
    "Watch",
    "load_params",
    "not_built",
    "write_phases",
]
