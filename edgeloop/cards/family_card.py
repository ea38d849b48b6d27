"""`edgeloop family`: one card over all variants of a network or its family that have a card, from their records alone.

It writes `README.md` (Hugging Face format), `index.html` and `plots/`. Published figures (`edgeloop/cards/published.yaml`) stand beside
ours, marked as published, never in a column of ours. Equal records give equal bytes.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from edgeloop.cards.body import caveats, dataset_details
from edgeloop.cards.facts import PUBLISHED, STATED, Facts, facts_of
from edgeloop.cards.family_members import Member, drawings, family_members
from edgeloop.cards.generated import code_memory
from edgeloop.cards.licenses import model_license
from edgeloop.cards.lint import check_text
from edgeloop.cards.markdown import Table, to_html
from edgeloop.cards.memory import kib
from edgeloop.cards.metadata import family_metadata
from edgeloop.cards.names import family, family_title, network_title
from edgeloop.cards.page import html_page, markdown_page
from edgeloop.cards.pareto import Drawing
from edgeloop.cards.performance import resolution_text
from edgeloop.cards.platforms import platform_table
from edgeloop.cards.published import NO_N, published
from edgeloop.cards.reference import FAMILIES as TARGETS
from edgeloop.cards.reference import merged, reference_parts
from edgeloop.cards.sections import performance_sections
from edgeloop.cards.tables import accuracy_table, interval, percent
from edgeloop.config import Params
from edgeloop.files import atomic_folder, sha256_file
from edgeloop.markup import code, text
from edgeloop.records import FAMILY_CARD, FamilyCardRecord, provenance
from edgeloop.workspace import Workspace

TEMPLATE = "FAMILY.md.jinja"
PUBLISHED_TOP1 = "Published Top 1 Accuracy (%)"
COMMIT = "the commit on its card"
TOOLS = ["matplotlib", "huggingface-hub"]


@dataclass(frozen=True)
class Beside:
    """A title of the published cards with our tables and the published one."""

    title: str
    tables: Sequence[Table]
    notes: Sequence[str]
    published: Table | None
    footnote: str
    """Of the published table."""


@dataclass(frozen=True)
class OfDataset:
    """What the card says of one data set."""

    title: str
    caveats: Sequence[str]
    parts: Sequence[Beside]
    details: str
    accuracy: Sequence[Table]

    @property
    def is_published(self) -> bool:
        """Whether a figure of ST's stands beside ours."""
        return any(part.published for part in self.parts) or any(PUBLISHED_TOP1 in table.heads for table in self.accuracy)


def family_card(workspace: Workspace, params: Params, name: str, folder: Path) -> FamilyCardRecord:
    """Make the card of a network, or of a family of networks, in a folder, and its record `family.json` in it.

    Raises:
        InputError: there is no such network or family, none of it has a card, or their records do not belong together.
    """
    started = dt.datetime.now(dt.UTC)
    members = family_members(workspace, params, name)
    with atomic_folder(folder) as made:
        _write(made, folder, name, members)
        files = {path.relative_to(made).as_posix(): sha256_file(path) for path in sorted(made.rglob("*")) if path.is_file()}
        record = FamilyCardRecord(
            name=name,
            networks=sorted({one.network for one in members}),
            variants={one.variant: one.sources.digests for one in members},
            files=files,
            provenance=provenance(workspace.root, {}, TOOLS, started),
        )
        record.write(made / FAMILY_CARD)
    return record


def _write(made: Path, folder: Path, name: str, members: Sequence[Member]) -> None:
    links = {one.variant: card_link(one.card, folder) for one in members}
    drawn = drawings(members, links)
    (made / "plots").mkdir()
    for one in drawn:
        one.draw(made / "plots" / one.picture)
    title = family_title(name)
    body = _body(title, members, drawn, links)
    check_text(body, _facts(members))
    (made / "README.md").write_text(family_metadata(title, [one.sources for one in members]) + "\n" + body, encoding="utf-8")
    page = html_page("Family card", title, to_html(body.partition("\n")[2], made))
    (made / "index.html").write_text(page, encoding="utf-8")


def card_link(card: Path, folder: Path) -> str:
    """From the family card's folder to the page of a variant's card; spaces as addresses have them."""
    import os
    from urllib.parse import quote

    return quote(Path(os.path.relpath(card / "index.html", folder)).as_posix())


def _facts(members: Sequence[Member]) -> Facts:
    """What the variants' cards may say, and what is published."""
    facts = Facts()
    for one in members:
        licensed = model_license(one.sources.train.start, one.declared.license)
        said = [one.declared.title, one.declared.license, one.declared.source.address, one.variant, licensed.reason, licensed.name]
        facts.join(facts_of(one.sources, [word for word in said if word], [], []))
    facts.add(STATED, len(members))
    for cell in published().numbers:
        facts.say(PUBLISHED, cell, cell.removesuffix(" KiB"))
    facts.say(PUBLISHED, published().card, *(one.footnote for one in published().tables if one.footnote))
    return facts


def _body(title: str, members: Sequence[Member], drawn: Sequence[Drawing], links: dict[str, str]) -> str:
    datasets = [_of_dataset(list(group)) for _, group in groupby(members, key=lambda one: one.sources.train.dataset)]
    return markdown_page(
        TEMPLATE,
        {"text": text, "code": code},
        title=title,
        family=family(members[0].network),
        count=len(members),
        network=_network_table(members),
        platforms=platform_table([one.sources for one in members]),
        drawings=drawn,
        variants=_variants_table(members, links),
        datasets=datasets,
        is_published=any(one.is_published for one in datasets),
        card=published().card,
        licenses=list(dict.fromkeys(_license(one) for one in members)),
        origins=list(dict.fromkeys(f"{text(one.dataset_title)}: {text(one.declared.license or 'license not stated')}." for one in members)),
    )


def _license(member: Member) -> str:
    licensed = model_license(member.sources.train.start, member.declared.license)
    return f"**{text(licensed.name or licensed.license)}**: {text(licensed.reason)}"


def _network_table(members: Sequence[Member]) -> Table:
    """As in the published card; the parameters by network and number of classes."""
    rows = [["Framework", "TensorFlow Lite"]]
    for one in members:
        train = one.sources.train
        row = [f"Params {text(network_title(train.network))}, {len(train.classes)} classes", f"{train.parameters_folded:,}"]
        rows += [row] if row not in rows else []
    formats = dict.fromkeys(str(model.format) for one in members for model in one.sources.quantize.models if model.format != "float")
    papers = dict.fromkeys(f"<{family(one.network).paper}>" for one in members)
    return Table(["Network Information", "Value"], [*rows, ["Quantization", ", ".join(formats)], ["Paper", ", ".join(papers)]])


def _variants_table(members: Sequence[Member], links: dict[str, str]) -> Table:
    """All of them, with what one chooses by and the calibration error; the rest is on their own cards."""
    heads = [
        "Variant", "Data set", "Network", "Resolution", "Format", "Top 1 Accuracy (%)", "95 % interval", "n",
        "Calibration error (%)", "MACC", "Weights in the file (KiB)", "Boards",
    ]  # fmt: skip
    rows = []
    for one in members:
        best, train = one.sources.headline, one.sources.train
        weights = [model.weight_bytes for model in one.sources.quantize.models if model.format == best.format]
        rows.append(
            [
                f"[{text(one.variant)}]({links[one.variant]})",
                text(one.dataset_title),
                text(network_title(train.network)),
                resolution_text(one.sources),
                str(best.format),
                percent(best.top1.value),
                interval(best.top1),
                str(best.top1.n),
                percent(best.calibration_error),
                f"{train.macs:,}",
                kib(weights[0] if weights else None),
                text(", ".join(sorted(record.board for record in one.sources.benchmarks.values())) or "none"),
            ]
        )
    return Table(heads, rows)


def _of_dataset(members: Sequence[Member]) -> OfDataset:
    first = members[0]
    return OfDataset(
        title=first.dataset_title,
        caveats=list(_caveats(members)),
        parts=list(_parts(members)),
        details=dataset_details(first.declared, first.sources),
        accuracy=merged(_with_published(one) for one in members),
    )


def _caveats(members: Sequence[Member]) -> Iterator[str]:
    """Each one once; of one that does not hold for all of them it is said for which."""
    said: dict[str, list[str]] = {}
    for one in members:
        for caveat in caveats(one.declared, one.sources, COMMIT):
            said.setdefault(caveat, []).append(one.variant)
    for caveat, variants in said.items():
        yield caveat if len(variants) == len(members) else f"{caveat} ({', '.join(map(text, variants))})"


def _parts(members: Sequence[Member]) -> Iterator[Beside]:
    """Our figures and the published ones, in the published order."""
    dataset, title = members[0].sources.train.dataset, members[0].dataset_title
    named = [(network_title(one.network), one.sources) for one in members]
    sections = [section for model, sources in named for section in performance_sections(model, sources)]
    codes = [made for model, sources in named for made in code_memory(model, sources, "")]
    ours = {part.kind: part for part in reference_parts(title, sections, codes)}
    networks = {one.network for one in members}
    for target in TARGETS:
        for what in ("memory", "time"):
            kind = f"{target.lower()} {what}"
            theirs, footnote = published().table(kind, dataset, networks), published().footnote(kind, dataset, networks)
            if part := ours.get(kind):
                yield Beside(part.title, part.tables, part.notes, theirs, footnote)
            elif theirs:
                long = "memory footprint" if what == "memory" else "inference time"
                yield Beside(f"Reference **{target}** {long} on {text(title)} dataset", [], ["Ours: not measured."], theirs, footnote)


def _with_published(member: Member) -> Table:
    """Our accuracies with the published ones of the same data set, network, resolution and format, and the files that they belong to.

    Of a data set that ST's card does not have, ours alone.
    """
    train, card = member.sources.train, published()
    found: dict[str, tuple[str, str]] = {}
    for row, kind, top1 in card.accuracies(train.dataset):
        if (row.network, row.resolution) == (train.network, train.resolution):
            found[{"Float": "float", "Int8": "int8 per-channel"}[kind]] = (f"{top1}, {NO_N}", card.file_of(row))
    ours = accuracy_table(network_title(train.network), member.sources)
    if not any(card.accuracies(train.dataset)):
        return ours
    rows: list[list[Any]] = [
        [*row, *found.get(result.format, ("none", "-"))] for row, result in zip(ours.rows, member.sources.evaluate.formats, strict=True)
    ]
    return Table([*ours.heads, PUBLISHED_TOP1, "Published file"], rows)
