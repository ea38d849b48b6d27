"""The tables of a card, from the records, with the columns of the published STM32 cards."""

from collections.abc import Sequence
from typing import NamedTuple

from edgeloop.cards.gallery import Sample, hardest
from edgeloop.cards.links import model_link
from edgeloop.cards.markdown import Table
from edgeloop.cards.memory import NOT_MEASURED
from edgeloop.cards.names import MODES, family
from edgeloop.cards.performance import format_text, resolution_text
from edgeloop.cards.sources import Sources
from edgeloop.markup import code, text
from edgeloop.records import Accuracy, ClassResult, FormatResult, Provenance

EVERY_CLASS_UP_TO = 20
WORST_CLASSES = 10
WORST_LAYERS = 5
CONFUSED_PAIRS = 8
CONFUSED_PAIRS_OF_MANY = 20
"""Where there are more classes than `EVERY_CLASS_UP_TO`."""
HARDEST = 10
SHORT_DIGEST = 12


def network_table(sources: Sources) -> Table:
    train = sources.train
    rows = [
        ["Framework", "TensorFlow Lite"],
        [_params(train.network), f"{train.parameters_folded:,} (batch normalization folded)"],
        ["MACC", f"{train.macs:,}"],
        ["Quantization", " and ".join(model.format for model in sources.quantize.models if model.format != "float") or "none"],
        ["Classes", str(len(train.classes))],
        ["Paper", f"<{family(train.network).paper}>"],
    ]
    return Table(["Network Information", "Value"], rows)


def _params(network: str) -> str:
    """With the width multiplier, where the network's name ends in one."""
    width = network.rpartition("_")[2]
    return f"Params alpha={width}" if width.replace(".", "").isdigit() else "Params"


def accuracy_table(model: str, sources: Sources) -> Table:
    """Top 1 of each format with its uncertainty; top 5 where it was evaluated; how far its confidence is from its accuracy."""
    formats = sources.evaluate.formats
    with_top5 = any(result.top5 is not None for result in formats)
    heads = [
        "Model",
        "Format",
        "Resolution",
        "Top 1 Accuracy (%)",
        "95 % interval",
        *(["Top 5 Accuracy (%)"] if with_top5 else []),
        "n",
        "Calibration error (%)",
    ]
    rows = [
        [
            text(model),
            format_text(result.format),
            resolution_text(sources),
            percent(result.top1.value),
            interval(result.top1),
            *([percent(result.top5.value) if result.top5 else NOT_MEASURED] if with_top5 else []),
            str(result.top1.n),
            percent(result.calibration_error),
        ]
        for result in formats
    ]
    if any(result.agreement_with_float is not None for result in formats):
        heads.append("Agrees with float (%)")
        for row, result in zip(rows, formats, strict=True):
            row.append("-" if result.agreement_with_float is None else percent(result.agreement_with_float))
    return Table(heads, rows)


def class_table(result: FormatResult) -> Table:
    """Recall and precision of every class, or of the worst ones where there are many."""
    shown: Sequence[ClassResult] = result.per_class
    if len(shown) > EVERY_CLASS_UP_TO:
        shown = sorted(shown, key=lambda one: (1.0 if one.recall is None else one.recall, one.label))[:WORST_CLASSES]
    rows = [[text(one.label), str(one.n), _share(one.recall), _share(one.precision)] for one in shown]
    return Table(["Class", "n", "Recall (%)", "Precision (%)"], rows)


class Pair(NamedTuple):
    """A class, what it was taken for, and how often."""

    true: str
    predicted: str
    images: int
    of: int

    @property
    def share(self) -> float:
        return self.images / self.of


def worst_pairs(result: FormatResult, classes: Sequence[str]) -> list[Pair]:
    """The most frequent confusions, twenty where there are many classes."""
    pairs = [
        (count, true, predicted)
        for true, row in enumerate(result.confusion)
        for predicted, count in enumerate(row)
        if count and true != predicted
    ]
    pairs.sort(key=lambda pair: (-pair[0], pair[1], pair[2]))
    most = CONFUSED_PAIRS if len(classes) <= EVERY_CLASS_UP_TO else CONFUSED_PAIRS_OF_MANY
    return [Pair(classes[true], classes[predicted], count, sum(result.confusion[true])) for count, true, predicted in pairs[:most]]


def confused_table(pairs: Sequence[Pair]) -> Table | None:
    """None when there is none."""
    rows = [[text(one.true), text(one.predicted), str(one.images), str(one.of), percent(one.share)] for one in pairs]
    return Table(["True class", "Taken for", "Images", "of", "Share of the class (%)"], rows) if rows else None


def hardest_table(samples: Sequence[Sample]) -> Table | None:
    """The mistakes that the model was most confident about; None when it made none."""
    rows = [[text(one.label), text(one.predicted), percent(one.score), code(one.path)] for one in hardest(samples)[:HARDEST]]
    return Table(["True class", "Taken for", "Confidence (%)", "Picture"], rows) if rows else None


def files_table(model: str, sources: Sources) -> Table:
    """The converted models; their weights go to flash on a target."""
    heads = ["Model", "Format", "Resolution", "Weights (KiB)", "File (KiB)", "File", "SHA-256"]
    rows = [
        [
            text(model),
            format_text(file.format),
            resolution_text(sources),
            kib(file.weight_bytes),
            kib(file.bytes),
            model_link(file.file),
            code(file.sha256[:SHORT_DIGEST]),
        ]
        for file in sources.quantize.models
    ]
    return Table(heads, rows)


def worst_layers_table(sources: Sources) -> Table | None:
    """The layers of the deployed format that quantization moves most; None where they are not known."""
    deployed = [model.conversion for model in sources.quantize.models if model.format == sources.headline.format and model.conversion]
    rows = [
        [text(layer.layer), code(layer.operator), f"{layer.sqnr_db:.1f}"] for made in deployed for layer in made.worst_layers(WORST_LAYERS)
    ]
    return Table(["Layer", "Operator", "Signal to quantization noise (dB)"], rows) if rows else None


def split_table(sources: Sources) -> Table:
    """Images by split and, where they are few, by class."""
    splits, classes = sources.prepare.splits, sources.prepare.classes
    totals = ["**all**", *(f"**{counts.images}**" for counts in splits.values()), f"**{sources.prepare.images}**"]
    rows = []
    if len(classes) <= EVERY_CLASS_UP_TO:
        for label in classes:
            counts = [split.per_class.get(label, 0) for split in splits.values()]
            rows.append([text(label), *map(str, counts), str(sum(counts))])
    return Table(["Class", *(text(name) for name in splits), "sum"], [*rows, totals])


def quarantine_table(sources: Sources) -> Table | None:
    rows = [[text(reason), str(count)] for reason, count in sources.prepare.quarantined.items() if count]
    return Table(["Quarantined because", "Images"], rows) if rows else None


def warnings_table(sources: Sources) -> Table | None:
    """Rules of the validation that do not hold; None when all do."""
    broken = [result for result in sources.validate.results if not result.holds]
    rows = [
        [code(one.name), text(one.description), _observed(one.observed), text(one.expected), str(one.failed_rows), one.severity]
        for one in broken
    ]
    return Table(["Rule", "What it says", "Observed", "Expected", "Rows", "Severity"], rows) if rows else None


def phases_table(sources: Sources) -> Table:
    heads = ["Fit", "Phase", "What is trained", "Epochs", "Planned", "Best validation accuracy (%)", "n", "Images / s"]
    rows = [
        [
            code(fit.purpose),
            code(phase.mode),
            MODES.get(phase.mode, text(phase.mode)),
            str(phase.epochs_run),
            str(phase.epochs_planned),
            "none held out" if phase.best_val_accuracy is None else percent(phase.best_val_accuracy),
            "-" if phase.best_val_accuracy is None else str(fit.held_images),
            f"{phase.images_per_s:.0f}",
        ]
        for fit in sources.train.fits
        for phase in fit.phases
    ]
    return Table(heads, rows)


def provenance_table(sources: Sources) -> Table:
    """When, from which commit and with what each step ran."""
    steps = {
        "prepare": sources.prepare.provenance,
        "validate": sources.validate.provenance,
        "train": sources.train.provenance,
        "quantize": sources.quantize.provenance,
        "evaluate": sources.evaluate.provenance,
    }
    rows = [
        [name, code(step.command), commit(step), text(step.time_utc), f"{step.duration_s:.1f}", _tools(step)]
        for name, step in steps.items()
    ]
    return Table(["Step", "Command", "Commit", "Time (UTC)", "Took (s)", "Tools"], rows)


def commit(step: Provenance) -> str:
    """The commit as Markdown, and whether files differed from it."""
    if step.git_commit is None:
        return "outside git"
    return code(step.git_commit[:SHORT_DIGEST]) + (" with changes" if step.git_dirty else "")


def percent(fraction: float) -> str:
    return f"{100 * fraction:.2f}"


def interval(accuracy: Accuracy) -> str:
    return f"{percent(accuracy.ci95[0])} - {percent(accuracy.ci95[1])}"


def with_interval(accuracy: Accuracy | None) -> str:
    """An accuracy with its 95 % interval, in a sentence."""
    return "nothing, as none were held out" if accuracy is None else f"{percent(accuracy.value)} % ({interval(accuracy)})"


def kib(size: int) -> str:
    return f"{size / 1024:.2f}"


def _share(fraction: float | None) -> str:
    """A share of images; of no images it is undefined."""
    return "undefined" if fraction is None else percent(fraction)


def _observed(value: float | str | None) -> str:
    return f"{value:g}" if isinstance(value, float) else text("nothing" if value is None else value)


def _tools(step: Provenance) -> str:
    return text(", ".join(f"{name} {version}" for name, version in step.tools.items()))
