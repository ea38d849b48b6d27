"""params.yaml as typed models: what is built, from which data, and how. Unknown keys are refused."""

from edgeloop.config.data import Drawn, Layout, Limits, Prepare, Rule, Source, Split, Validate
from edgeloop.config.params import BoardBenchmark, Dataset, Params, Step, Variant, load_params
from edgeloop.config.phases import write_phases
from edgeloop.config.section import Network, Positive, Resize, Resolution, Section, Sha256
from edgeloop.config.steps import OFF, Benchmark, Evaluate, Generate, Ingest, Publish, Quantize, Schedules
from edgeloop.config.training import Compute, Override, Phase, Train, TrainSettings

__all__ = [
    "OFF",
    "Benchmark",
    "BoardBenchmark",
    "Compute",
    "Dataset",
    "Drawn",
    "Evaluate",
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
    "Rule",
    "Schedules",
    "Section",
    "Sha256",
    "Source",
    "Split",
    "Step",
    "Train",
    "TrainSettings",
    "Validate",
    "Variant",
    "load_params",
    "write_phases",
]
