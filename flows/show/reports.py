"""What a stage made, as artifacts that Prefect's UI renders by itself: it opens no files, so pictures are within the text."""

import base64
import re
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import UUID

from prefect.artifacts import create_markdown_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactCollectionFilter, ArtifactCollectionFilterKey

from edgeloop.config import load_params
from edgeloop.datasets.outside import in_words, outside_of
from edgeloop.errors import EdgeloopError
from edgeloop.markup import text as literal
from edgeloop.plural import many
from edgeloop.records import PrepareRecord, ValidateRecord
from edgeloop.workspace import VariantPaths, Workspace
from flows.show.best_effort import best_effort
from flows.show.progress import slug

MOST_PICTURE_BYTES = 400_000
MOST_EARLIER = 12
"""The server answers with their whole content; beyond that one looks for them by name."""
CELL_WIDTH = 34
_KINDS = {".png": "image/png", ".jpg": "image/jpeg", ".svg": "image/svg+xml"}
_PICTURE = re.compile(r"\[?!\[(?P<title>[^\]]*)\]\((?P<file>[^)\s:]+)\)(?:\]\([^)]*\))?")
"""A picture that lies beside the card, with or without a link to itself."""
_GAUGE = {True: "holds", False: "**broken**"}


def show_reports(root: Path, address: str) -> list[str]:
    """Show what the stage with that address made for people to read; returns Markdown links to it, for a table."""
    stage, _, name = address.partition("@")
    reports = _MADE_BY.get(stage)
    links: list[str] = []
    if reports is None:
        return links
    with best_effort(f"what {address} made"):
        for kind, text in reports(Workspace(root), name):
            made = create_markdown_artifact(key=slug(f"{kind} {name}"), markdown=text, description=f"{_TITLES[kind]} of {name}")
            if isinstance(made, UUID):
                links.append(_link(kind, made))
    return links


def earlier_reports(addresses: Sequence[str]) -> dict[str, list[str]]:
    """What earlier runs showed of stages that were not run now, as links like those of `show_reports`."""
    wanted: dict[str, tuple[str, str]] = {}
    for address in addresses:
        stage, _, name = address.partition("@")
        wanted |= {slug(f"{kind} {name}"): (address, kind) for kind in _KINDS_OF.get(stage, ())}
    found: dict[str, list[str]] = {}
    if not 0 < len(wanted) <= MOST_EARLIER:
        return found
    with best_effort("what earlier runs made"), get_client(sync_client=True) as client:
        keys = ArtifactCollectionFilter(key=ArtifactCollectionFilterKey(any_=sorted(wanted)))
        for shown in client.read_latest_artifacts(artifact_filter=keys):
            address, kind = wanted[shown.key]
            found.setdefault(address, []).append(_link(kind, shown.latest_id))
    return found


def _link(kind: str, artifact: UUID) -> str:
    return f"[{_TITLES[kind].lower()}](/artifacts/artifact/{artifact})"


Report = tuple[str, str]
"""Its kind, and Markdown."""


def _of_validation(workspace: Workspace, dataset: str) -> list[Report]:
    paths = workspace.dataset(dataset)
    try:
        record = ValidateRecord.read(paths.validate_record)
        prepared = PrepareRecord.read(paths.prepare_record)
    except EdgeloopError:  # a pipeline whose stage of that name is another one
        return []
    return [("validation", validation_text(record, prepared, paths.report.relative_to(workspace.root)))]


def _of_card(workspace: Workspace, variant: str) -> list[Report]:
    paths = _paths(workspace, variant)
    if paths is None or not (paths.card / "README.md").is_file():
        return []
    reports = [("card", card_text(paths.card))]
    confusion = paths.card / "plots" / "confusion.svg"
    if confusion.is_file():
        reports.append(("confusion", f"![Confusion matrix]({inlined(confusion)})"))
    return reports


_MADE_BY: dict[str, Callable[[Workspace, str], list[Report]]] = {"validate": _of_validation, "card": _of_card}
_KINDS_OF = {"validate": ("validation",), "card": ("card", "confusion")}
_TITLES = {"validation": "Validation report", "card": "Card", "confusion": "Confusion matrix"}


def _paths(workspace: Workspace, variant: str) -> VariantPaths | None:
    declared = load_params(workspace).variants.get(variant)
    return None if declared is None else declared.paths(workspace)


def validation_text(record: ValidateRecord, prepared: PrepareRecord, page: Path) -> str:
    """The rules that do not hold first, then the others, and the images of each class."""
    broken = [result for result in record.results if not result.holds]
    verdict = "accepted" if record.accepted else "**refused**"
    lines = [
        f"{verdict}: {len(record.results) - len(broken)} of {len(record.results)} rules hold. With pictures: `{page}`",
        "",
        "| | Rule | Observed | Expected | Rows |",
        "| --- | --- | --- | --- | --- |",
    ]
    for result in sorted(record.results, key=lambda result: result.holds):
        rows = result.failed_rows or ""
        observed = f"{result.observed:.6g}" if isinstance(result.observed, float) else result.observed or "nothing to compare"
        state = _GAUGE[result.holds] + ("" if result.holds else f" ({result.severity})")
        lines.append(f"| {state} | {_cell(result.description)} | {_cell(observed)} | {_cell(result.expected)} | {rows} |")
    splits = prepared.splits
    lines += ["", f"{many(prepared.images, 'image')} of {many(len(prepared.classes), 'class')}", ""]
    lines += [line for said in in_words(outside_of(prepared)) for line in (literal(said), "")]
    lines += ["| Class | " + " | ".join(splits) + " |", "| --- |" + " --- |" * len(splits)]
    for label in prepared.classes:
        counts = (str(split.per_class.get(label, 0)) for split in splits.values())
        lines.append(f"| {_cell(label)} | " + " | ".join(counts) + " |")
    return "\n".join(lines)


def card_text(folder: Path) -> str:
    """A Hugging Face card without its YAML head, its pictures within it."""
    text = (folder / "README.md").read_text(encoding="utf-8")
    if text.startswith("---\n"):
        text = text.split("---\n", 2)[2]

    def replaced(match: re.Match[str]) -> str:
        file = folder / match["file"]
        is_picture = file.suffix in _KINDS and file.is_file() and file.stat().st_size <= MOST_PICTURE_BYTES
        return f"![{match['title']}]({inlined(file)})" if is_picture else match[0]

    return _PICTURE.sub(replaced, text)


def inlined(picture: Path) -> str:
    """The picture as a data URI."""
    return f"data:{_KINDS[picture.suffix]};base64,{base64.b64encode(picture.read_bytes()).decode()}"


def _cell(text: str) -> str:
    """Within a Markdown table, which breaks no lines by itself."""
    return "<br>".join(literal(line) for line in textwrap.wrap(text, CELL_WIDTH))
