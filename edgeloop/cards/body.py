"""The text of a card below its metadata: sentences from the records, tables, and the template that joins them."""

from collections.abc import Sequence
from dataclasses import dataclass

from edgeloop.cards import tables
from edgeloop.cards.calibration import bins_table
from edgeloop.cards.gallery import Sample
from edgeloop.cards.generated import LAYERS_PICTURE, code_memory, layers_table
from edgeloop.cards.licenses import ModelLicense, needs_attribution
from edgeloop.cards.links import record_links
from edgeloop.cards.names import family, network_title
from edgeloop.cards.page import markdown_page
from edgeloop.cards.performance import Section, format_text, missing_targets
from edgeloop.cards.pictures import credited, not_upstream, taken_from
from edgeloop.cards.platforms import platform_table
from edgeloop.cards.reference import reference_parts
from edgeloop.cards.sources import Sources
from edgeloop.confidence import Bin
from edgeloop.config import Dataset
from edgeloop.datasets.fetch import PACKED
from edgeloop.datasets.outside import outside_of
from edgeloop.evaluation.doubts import in_evaluation, in_training
from edgeloop.markup import code, text
from edgeloop.plural import many
from edgeloop.records import Accuracy, Confidence, FitResult, PrepareRecord
from edgeloop.resolution import CHANNELS, Size

TEMPLATE = "README.md.jinja"
COMMIT_BELOW = "the commit named below"


@dataclass(frozen=True)
class Drawn:
    """What the plots of a card are about, and which of them there are."""

    samples: Sequence[Sample]
    """Every answer on test by the format that the card shows."""
    shown: Sequence[Sample]
    """Those whose pictures are shown; none where that is not allowed."""
    bins: Sequence[Bin]
    confusion: str
    """The file that shows the confusions: the matrix, or where there are many classes the pairs."""
    plan: str
    """The picture of the memory plan; empty where there is none."""


def body(
    variant: str,
    declared: Dataset,
    sources: Sources,
    licensed: ModelLicense,
    drawn: Drawn,
    sections: Sequence[Section],
) -> str:
    """The Markdown of a card."""
    train, evaluate, prepare = sources.train, sources.evaluate, sources.prepare
    model, dataset_title = network_title(train.network), declared.title or train.dataset
    pairs = tables.worst_pairs(sources.headline, evaluate.classes)
    return markdown_page(
        TEMPLATE,
        {"text": text, "code": code},
        title=f"{model} · {dataset_title} · {Size.of(train.resolution)}",
        model=model,
        dataset_title=dataset_title,
        size=Size.of(train.resolution),
        channels=CHANNELS[train.color],
        classes=len(train.classes),
        headline_sentence=_headline(sources),
        headline_format=sources.headline.format,
        caveats=caveats(declared, sources),
        network=tables.network_table(sources),
        platforms=platform_table([sources]),
        resize=evaluate.resize,
        from_backbone=train.start.kind != "scratch",
        parts=reference_parts(dataset_title, sections, code_memory(model, sources, drawn.plan)),
        missing=missing_targets(sections),
        dataset_details=dataset_details(declared, sources),
        accuracy=tables.accuracy_table(model, sources),
        split=evaluate.split,
        test_images=sources.headline.top1.n,
        calibration_error=tables.percent(sources.headline.calibration_error),
        bins=bins_table(drawn.bins),
        confusion=drawn.confusion,
        confused=tables.confused_table(pairs),
        class_heading=_class_heading(len(evaluate.classes)),
        per_class=tables.class_table(sources.headline),
        hardest=tables.hardest_table(drawn.samples),
        gallery=_gallery(declared, prepare, drawn.shown) if drawn.shown else "",
        no_gallery=_no_gallery(declared),
        sections=sections,
        code_layers=layers_table(sources),
        code_layers_picture=LAYERS_PICTURE,
        files=tables.files_table(model, sources),
        records=record_links(sources.digests, train.dataset),
        has_code=sources.codegen is not None and sources.codegen.backend.name != "none",
        archive=_archive(declared, sources),
        splits=tables.split_table(sources),
        split_rule=prepare.split_rule.rstrip("."),
        duplicates=_duplicates(prepare.duplicate_groups),
        quarantine=tables.quarantine_table(sources),
        rules=len(sources.validate.results),
        warnings=tables.warnings_table(sources),
        start=_start(sources),
        phases=tables.phases_table(sources),
        training=_training(sources),
        quantization=_quantization(sources),
        worst_layers=tables.worst_layers_table(sources),
        license=_license(declared, licensed),
        provenance=tables.provenance_table(sources),
        machine=_machine(sources),
        reproduce=_reproduce(variant, sources),
        family=family(train.network),
        origin=_origin(declared, sources),
    )


def caveats(declared: Dataset, sources: Sources, commit: str = COMMIT_BELOW) -> list[str]:
    """What a reader must know before comparing figures; `commit` is what the card calls the one that the model was trained at."""
    archive, found = sources.prepare.archive, []
    if archive.origin == "drawn":
        found.append(
            "**Drawn pictures.** The project drew this data set itself to try out the whole loop; "
            "accuracy on it says nothing about photographs."
        )
    elif other := not_upstream(declared, archive):
        found.append(other)
    if sources.train.provenance.git_dirty:
        found.append(f"**Trained with changes that are in no commit**, so {commit} does not reproduce this model exactly.")
    doubts = [*in_training(sources.train, sources.history), *in_evaluation(sources.evaluate)]
    found += [f"**Doubtful.** {text(doubt)}" for doubt in doubts]
    return found


def dataset_details(declared: Dataset, sources: Sources) -> str:
    """As the published cards give them, with how many of the images the figures are of."""
    prepare = sources.prepare
    where = taken_from(declared, prepare.archive)
    counted = f"Number of classes: {len(prepare.classes)}, number of files: {prepare.images}"
    return f"Dataset details: {where}, License {text(declared.license or 'not stated')}\n\n{counted}"


def _duplicates(groups: int) -> str:
    if not groups:
        return "No duplicates, exact or near, were found."
    return f"Groups of duplicates, exact or near, that were found and kept within one split each: {groups}."


def _headline(sources: Sources) -> str:
    best = sources.headline
    return (
        f"The {best.format} model classifies **{tables.percent(best.top1.value)} %** of {best.top1.n} test images correctly "
        f"(95 % interval {tables.interval(best.top1)} %)."
    )


def _class_heading(classes: int) -> str:
    if classes > tables.EVERY_CLASS_UP_TO:
        return f"The {tables.WORST_CLASSES} classes with the lowest recall, of {classes}; `evaluate.json` has them all"
    return "By class"


def _gallery(declared: Dataset, prepare: PrepareRecord, samples: Sequence[Sample]) -> str:
    wrong = sum(not one.is_right for one in samples)
    mistakes = (
        "below, the mistakes it was most confident about"
        if wrong > 1
        else "below, its only mistake"
        if wrong
        else "it made no mistake on the test split"
    )
    shown = (
        f"The int8 model's answers with their confidence, on pictures as it sees them: above, right answers drawn at random; {mistakes}."
    )
    if not needs_attribution(declared.license):
        return shown
    names = ", ".join(code(one.path) for one in samples)
    return f"{shown}\n\n{credited(declared, prepare)}. These are: {names}."


def _no_gallery(declared: Dataset) -> str:
    if declared.license is None:
        return "Not shown: `params.yaml` names no license of these pictures, so they are not published again here."
    return f"Not shown: the license of these pictures ({text(declared.license)}) does not allow to publish them again."


def _archive(declared: Dataset, sources: Sources) -> str:
    archive = sources.prepare.archive
    title = text(declared.title or sources.prepare.dataset)
    found = f"**{title}**, license {text(declared.license or 'not stated')}"
    counted = f"{many(sources.prepare.images, 'image')} of {many(len(sources.prepare.classes), 'class')}"
    left = sum(sources.prepare.quarantined.values())
    outside = outside_of(sources.prepare)
    set_aside = f", {left} more in quarantine" if left else ""
    set_aside += f", {outside.pictures} more outside the class folders" if outside.pictures else ""
    set_aside += f", {outside.left_out} more not below the declared folder" if outside.left_out else ""
    size = f"{archive.bytes:,} bytes, SHA-256 {code(archive.sha256)}"
    return f"{found}: {counted}{set_aside}. Archive: {_named_archive(declared, sources)}, {size}."


def _named_archive(declared: Dataset, sources: Sources) -> str:
    """What was used, and what is said of it."""
    used, note = taken_from(declared, sources.prepare.archive), text(sources.prepare.archive.note)
    return note if used in note else used + note.removeprefix(PACKED) if used.endswith(PACKED) else f"{used}, {note}"


def _start(sources: Sources) -> str:
    start = sources.train.start
    if start.kind == "scratch":
        return "Started from random weights."
    digest = f", SHA-256 {code(start.sha256)}" if start.sha256 else ""
    licensed = f", license {text(start.license)}" if start.license else ""
    wider = f", for a network {start.widened} times as wide" if start.widened > 1 else ""
    return f"Started from the weights of {code(start.origin)} ({many(start.layers_loaded, 'layer')}{digest}{licensed}){wider}."


def _training(sources: Sources) -> str:
    train, estimate, final = sources.train, sources.train.estimate, sources.train.fits[-1]
    resumed = sum(fit.resumed for fit in train.fits)
    again = f" It was cut off and taken up again {many(resumed, 'time')}." if resumed else ""
    scored = tables.with_interval(estimate.held_accuracy)
    again += _confidence(train.confidence, estimate.held_accuracy)
    if final.purpose == "refit":
        return (
            f"The recipe was tried on {estimate.train_images} images: its last weights score {scored} on the {estimate.held_images} "
            f"of validation. Then {_repeated(final)} on all {final.train_images} images of train and validation, which gave the "
            f"weights of this model: only test was held out from them.{again}"
        )
    return (
        f"{final.train_images} images to train on, {final.held_images} to choose the model by; the weights are those of epoch "
        f"{final.epoch}, with {scored} on validation, by which they were chosen.{again}"
    )


def _repeated(refit: FitResult) -> str:
    if not refit.begun_after:
        return "it ran once more, from its start,"
    return f"its last {many(refit.epoch - refit.begun_after, 'epoch')} ran once more, from epoch {refit.begun_after},"


def _confidence(confidence: Confidence, held: Accuracy | None) -> str:
    """What was done to the logits, and why; `held` is the accuracy on the very images that the temperature was fitted to."""
    before, after = (tables.percent(error) for error in (confidence.calibration_error_before, confidence.calibration_error_after))
    errors = f"the expected calibration error there went from {before} % to {after} %"
    if held is not None and held.value == 1:
        return (
            f" Its confidence could not be fitted: all {confidence.n} images of validation were classified right, and only mistakes show "
            f"how sure is too sure. The logits were divided by {confidence.temperature:.2f}, within the last layer's weights, as "
            f"far as is allowed: {errors}."
        )
    return (
        f" Its confidence was fitted to the {confidence.n} images of validation (logits divided by {confidence.temperature:.2f}, within "
        f"the last layer's weights): {errors}."
    )


def _quantization(sources: Sources) -> str:
    quantize = sources.quantize
    formats = ", ".join(format_text(model.format).lower() for model in quantize.models if model.format != "float")
    return (
        f"Full int8 with uint8 input and float32 output ({formats}), by the TensorFlow Lite converter, "
        f"calibrated with {many(quantize.calibration_images, 'training image')} of {many(len(quantize.calibration_per_class), 'class')} "
        f"(SHA-256 of their pixels {code(quantize.calibration_sha256[:16])})."
        + "".join(f" {format_text(model.format)}: {text(model.conversion.in_words())}." for model in quantize.models if model.conversion)
    )


def _license(declared: Dataset, licensed: ModelLicense) -> str:
    name = licensed.name or licensed.license
    linked = f"[{text(name)}]({licensed.link})" if licensed.link else text(name)
    return f"Model: **{linked}**. {text(licensed.reason)} Pictures: {text(declared.license or 'no license stated')}."


def _machine(sources: Sources) -> str:
    step = sources.train.provenance
    revision = code(sources.prepare.manifest_sha256)
    return f"Trained on {text(step.cpu)} ({many(step.cpus, 'CPU')}). Data revision (SHA-256 of the manifest): {revision}."


def _reproduce(variant: str, sources: Sources) -> str:
    lines = []
    if sources.train.provenance.git_commit:
        lines.append(f"git checkout {sources.train.provenance.git_commit}")
    return "\n".join([*lines, f"dvc repro card@{variant}", f"edgeloop export {variant} -o FOLDER"])


def _origin(declared: Dataset, sources: Sources) -> str:
    return f"{text(declared.title or sources.prepare.dataset)}, {taken_from(declared, sources.prepare.archive)}."
