"""The step `card`: a variant's model card, made from its records alone.

It writes `README.md` (Hugging Face format), `.eval_results/`, `croissant.json` (the data set), `index.html` (the card as one page) and
`plots/`. Equal records,
history, predictions and pictures give equal bytes; a card that comes out as it was keeps its record, and so its version.
"""

import datetime as dt
from pathlib import Path

import pandas as pd

from edgeloop.cards.body import Drawn, body
from edgeloop.cards.calibration import calibration_bins, calibration_plot
from edgeloop.cards.croissant import FILE as CROISSANT
from edgeloop.cards.croissant import croissant
from edgeloop.cards.facts import facts_of
from edgeloop.cards.gallery import choose_samples, draw_gallery, hardest, read_samples
from edgeloop.cards.generated import LAYERS_PICTURE, PICTURE, copy_picture, draw_layers
from edgeloop.cards.licenses import may_show, model_license
from edgeloop.cards.lint import check_text
from edgeloop.cards.markdown import to_html
from edgeloop.cards.metadata import metadata
from edgeloop.cards.names import network_title
from edgeloop.cards.page import Figure, html_page
from edgeloop.cards.plots import COUNTS_UP_TO, confusion_plot, history_plot, pairs_plot
from edgeloop.cards.results import write_results
from edgeloop.cards.sections import performance_sections
from edgeloop.cards.sources import Sources, read_sources
from edgeloop.cards.tables import HARDEST, interval, kib, percent, worst_pairs
from edgeloop.config import Dataset, Params, Resize
from edgeloop.errors import InputError
from edgeloop.files import atomic_folder, sha256_file
from edgeloop.records import CardRecord, CodegenRecord, TfliteModel, provenance
from edgeloop.resolution import Size
from edgeloop.workspace import DatasetPaths, VariantPaths, Workspace

TOOLS = ["matplotlib", "huggingface-hub"]
CONFUSION, PAIRS, CALIBRATION = "confusion.svg", "confused.svg", "calibration.svg"
RESIZES: dict[str, Resize] = {"nearest": "nearest", "bilinear": "bilinear", "area": "area"}


def card(workspace: Workspace, params: Params, variant: str) -> CardRecord:
    """Make the card of a variant below `models/<data set>/<network>-<resolution>/card/`, and its record.

    Raises:
        InputError: a record, the history, the predictions or the data set's pictures are absent, damaged or of another model.
    """
    started = dt.datetime.now(dt.UTC)
    chosen = params.variant(variant)
    declared = params.dataset(chosen.dataset)
    dataset, paths = workspace.dataset(chosen.dataset), chosen.paths(workspace)
    sources = read_sources(dataset, paths)
    with atomic_folder(paths.card) as folder:
        _write(folder, variant, declared, sources, dataset, paths)
        files = {path.relative_to(folder).as_posix(): sha256_file(path) for path in sorted(folder.rglob("*")) if path.is_file()}
    record = CardRecord(
        dataset=chosen.dataset,
        network=chosen.network,
        resolution=chosen.resolution,
        records=sources.digests,
        files=files,
        provenance=provenance(
            workspace.root, {"title": declared.title, "license": declared.license}, TOOLS, started, sources.prepare.manifest_sha256
        ),
    )
    if (before := _same_as_before(record, paths.card_record)) is not None:
        return before
    record.write(paths.card_record)
    return record


def _same_as_before(record: CardRecord, path: Path) -> CardRecord | None:
    """The record on disk, where it says the same but for when and how: the same records give the same bytes, that one's, too."""
    try:
        before = CardRecord.read(path)
    except InputError:
        return None  # none, or a damaged one
    said, told = ({**one.model_dump(), "provenance": (one.provenance.params, one.provenance.data_revision)} for one in (before, record))
    return before if said == told else None


def _write(folder: Path, variant: str, declared: Dataset, sources: Sources, dataset: DatasetPaths, paths: VariantPaths) -> None:
    model = network_title(sources.train.network)
    dataset_title = declared.title or sources.train.dataset
    licensed = model_license(sources.train.start, declared.license)
    drawn = _plot(folder / "plots", declared, sources, dataset, paths)
    sections = performance_sections(model, sources)
    for layers in (layers for section in sections for layers in section.layers):
        layers.draw(folder / "plots")
    text = body(variant, declared, sources, licensed, drawn, sections)
    figures = key_figures(sources)
    said = [declared.title, declared.license, declared.source.address, variant, licensed.license, licensed.name, licensed.reason]
    facts = facts_of(sources, [one for one in said if one], drawn.bins, [*hardest(drawn.samples)[:HARDEST], *drawn.shown])
    check_text("\n".join([text, *(f"{one.name}: {one.value} {one.unit} {one.note}" for one in figures)]), facts)
    (folder / "README.md").write_text(metadata(model, dataset_title, licensed, sources) + "\n" + text, encoding="utf-8")
    write_results(folder, sources)
    (folder / CROISSANT).write_text(croissant(declared, sources.prepare, dataset), encoding="utf-8", newline="\n")
    _, _, below_title = text.partition("\n")
    title = f"{model} · {dataset_title} · {Size.of(sources.train.resolution)}"
    page = html_page("Model card", title, to_html(below_title, folder), figures)
    (folder / "index.html").write_text(page, encoding="utf-8")


def key_figures(sources: Sources) -> list[Figure]:
    """What one compares models by, at the head of the page."""
    best = sources.headline
    figures = [Figure("Top 1 accuracy", percent(best.top1.value), "%", f"{best.format}, n = {best.top1.n}, 95 %: {interval(best.top1)}")]
    weights = [model for model in sources.quantize.models if model.format == best.format]
    figures += [_weights(model, sources.codegen) for model in weights]
    if sources.codegen and sources.codegen.activation_ram_bytes is not None:
        figures.append(
            Figure("Activation RAM", kib(sources.codegen.activation_ram_bytes), "KiB", f"{sources.codegen.backend.name} code, planned")
        )
    figures.append(Figure("MACC", f"{sources.train.macs / 1e6:.2f}", "M", "multiply-accumulates per image"))
    figures.append(Figure("Params", f"{sources.train.parameters_folded / 1000:.1f}", "k", "batch normalization folded"))
    return figures


def _weights(model: TfliteModel, code: CodegenRecord | None) -> Figure:
    """What they take of flash in the code that was generated of the model, else of the model's file."""
    if code is None or code.model_sha256 != model.sha256 or code.weight_bytes is None:
        return Figure("Weights", kib(model.weight_bytes), "KiB", f"{model.format}, in the model file")
    note = f"flash of the {code.backend.name} code"
    if code.weight_bytes != model.weight_bytes:
        note += f"; {kib(model.weight_bytes)} KiB in the {model.format} file"
    return Figure("Weights", kib(code.weight_bytes), "KiB", note)


def _plot(folder: Path, declared: Dataset, sources: Sources, dataset: DatasetPaths, paths: VariantPaths) -> Drawn:
    """Draw the plots; pictures are shown only where their license allows it."""
    folder.mkdir()
    best = sources.headline
    samples = read_samples(_predictions(paths.predictions), best.format)
    bins = calibration_bins(samples, best)
    calibration_plot(bins, f"{best.format}: calibration error {percent(best.calibration_error)} %, n = {best.top1.n}", folder / CALIBRATION)
    confusion = _draw_confusions(folder, sources)
    history_plot(sources.history, folder / "history.svg")
    if sources.codegen and sources.codegen.layers:
        draw_layers(sources, folder / LAYERS_PICTURE)
    shown = choose_samples(samples) if may_show(declared.license) else []
    if shown:
        how = sources.evaluate
        draw_gallery(shown, dataset, how.resolution, RESIZES[how.resize], folder / "samples.svg")
    has_plan = copy_picture(paths.generated, sources, folder / PICTURE)
    return Drawn(samples, shown, bins, confusion, PICTURE if has_plan else "")


def _draw_confusions(folder: Path, sources: Sources) -> str:
    """The matrix, as long as its cells can be read; else the worst pairs. Returns the file."""
    best, classes = sources.headline, sources.evaluate.classes
    caption = f"{best.format} on {sources.evaluate.split}: {percent(best.top1.value)} % of {best.top1.n} images"
    if len(classes) <= COUNTS_UP_TO:
        confusion_plot(best.confusion, classes, caption, folder / CONFUSION)
        return CONFUSION
    pairs = worst_pairs(best, classes)
    pairs_plot(pairs, f"{caption}; the {len(pairs)} most frequent confusions", folder / PAIRS)
    return PAIRS


def _predictions(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist.", "Evaluate first: dvc repro lists the stage.") from None
    except (ValueError, OSError) as error:
        raise InputError(f"{path} does not hold predictions: {error}", "Evaluate again.") from None
