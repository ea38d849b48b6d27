"""The accuracies of a card as Hugging Face's `.eval_results/*.yaml`, the form that its leaderboards read.

The format: https://huggingface.co/docs/hub/eval-results and `huggingface_hub.EvalResultEntry`. The hub shows a value on a leaderboard
only where the data set is one of its own that has one; `model-index` in the README says the same to everybody else.
"""

from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from edgeloop.cards.sources import Sources
from edgeloop.records import Accuracy, FormatResult

if TYPE_CHECKING:
    from huggingface_hub import EvalResultEntry

FOLDER = ".eval_results"


def write_results(folder: Path, sources: Sources) -> None:
    """Write `.eval_results/<data set>.yaml` below a card's folder."""
    from huggingface_hub import eval_result_entries_to_yaml
    from ruamel.yaml import YAML

    entries = [entry for result in sources.evaluate.formats for entry in _entries(result, sources)]
    yaml, written = YAML(), StringIO()
    yaml.width = 10_000
    yaml.dump(eval_result_entries_to_yaml(entries), written)
    (folder / FOLDER).mkdir()
    (folder / FOLDER / f"{sources.evaluate.dataset}.yaml").write_text(written.getvalue(), encoding="utf-8", newline="\n")


def _entries(result: FormatResult, sources: Sources) -> "list[EvalResultEntry]":
    from huggingface_hub import EvalResultEntry

    evaluate = sources.evaluate
    measured = [("top1", result.top1), ("top5", result.top5)]
    return [
        EvalResultEntry(
            dataset_id=evaluate.dataset,
            task_id=f"{evaluate.split}_{name}",
            value=round(accuracy.value, 6),
            date=evaluate.provenance.time_utc,
            notes=_notes(result.format, accuracy, sources.prepare.manifest_sha256),
        )
        for name, accuracy in measured
        if accuracy is not None
    ]


def _notes(kind: str, accuracy: Accuracy, revision: str) -> str:
    low, high = accuracy.ci95
    return f"{kind}, n = {accuracy.n}, 95 % interval {low:.6f} - {high:.6f}, SHA-256 of the manifest {revision}"
