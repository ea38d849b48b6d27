"""The metadata block of a Hugging Face card: license, tags, and the accuracy of each format as a model index."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from edgeloop.cards.licenses import ModelLicense
from edgeloop.cards.performance import format_text
from edgeloop.cards.sources import Sources
from edgeloop.records import FormatResult
from edgeloop.resolution import Size

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

LIBRARY = "litert"
TASK = "image-classification"


def metadata(model: str, dataset_title: str, licensed: ModelLicense, sources: Sources) -> str:
    """The YAML front matter, `---` lines included."""
    from huggingface_hub import ModelCardData

    train = sources.train
    data = ModelCardData(
        license=licensed.license,
        license_name=licensed.name,
        license_link=licensed.link,
        library_name=LIBRARY,
        pipeline_tag=TASK,
        tags=[TASK, "tflite", "int8", "stm32", "edge", "edgeloop", train.network],
        datasets=[train.dataset],
        metrics=["accuracy"],
        model_name=f"{model} {Size.of(train.resolution)}",
        eval_results=[entry for result in sources.evaluate.formats for entry in _results(result, dataset_title, sources)],
        ignore_metadata_errors=False,
    )
    return f"---\n{data.to_yaml(line_break=chr(10)).strip()}\n---\n"


def family_metadata(title: str, variants: Sequence[Sources]) -> str:
    """The front matter of a card over several variants; a metric's name says which one it is of."""
    from huggingface_hub import ModelCardData

    trained = [one.train for one in variants]
    data = ModelCardData(
        license="other",
        license_name="that-of-each-variant",
        library_name=LIBRARY,
        pipeline_tag=TASK,
        tags=list(dict.fromkeys([TASK, "tflite", "int8", "stm32", "edge", "edgeloop", *(one.network for one in trained)])),
        datasets=list(dict.fromkeys(one.dataset for one in trained)),
        metrics=["accuracy"],
        model_name=title,
        eval_results=[
            entry
            for one in variants
            for result in one.evaluate.formats
            for entry in _results(result, one.train.dataset, one, f", {one.train.network} @{one.train.resolution}")
        ],
        ignore_metadata_errors=False,
    )
    return f"---\n{data.to_yaml(line_break=chr(10)).strip()}\n---\n"


def _results(result: FormatResult, dataset_title: str, sources: Sources, which: str = "") -> "list[EvalResult]":
    from huggingface_hub import EvalResult

    measured = [("Top 1 accuracy", result.top1), ("Top 5 accuracy", result.top5)]
    return [
        EvalResult(
            task_type=TASK,
            task_name="Image classification",
            dataset_type=sources.evaluate.dataset,
            dataset_name=dataset_title,
            dataset_split=sources.evaluate.split,
            dataset_revision=sources.prepare.manifest_sha256,
            metric_type="accuracy",
            metric_name=f"{name}, {format_text(result.format)}{which}",
            metric_value=round(accuracy.value, 6),
            metric_args={"n": accuracy.n, "ci95": [round(bound, 6) for bound in accuracy.ci95]},
        )
        for name, accuracy in measured
        if accuracy is not None
    ]
