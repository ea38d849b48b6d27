"""The variants that a family card is made of: those of its networks that have a card, and what is compared of them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeloop.cards.memory import kib, total_ram_bytes
from edgeloop.cards.names import FAMILIES, family, network_title
from edgeloop.cards.pareto import Drawing, Point
from edgeloop.cards.sources import Sources, read_sources
from edgeloop.config import Dataset, Params
from edgeloop.errors import InputError
from edgeloop.records import Accuracy, CardRecord, EmulatedBenchmark, FarmBenchmark, MeasuredBenchmark
from edgeloop.resolution import Size
from edgeloop.workspace import DatasetPaths, VariantPaths, Workspace
from edgeloop.yamlfile import near_match


@dataclass(frozen=True)
class Member:
    """One variant of the family."""

    variant: str
    card: Path
    declared: Dataset
    sources: Sources

    @property
    def network(self) -> str:
        return self.sources.train.network

    @property
    def dataset_title(self) -> str:
        return self.declared.title or self.sources.train.dataset

    @property
    def drawn_dataset(self) -> str:
        """Data set and archive: only accuracies of the same pictures can be compared."""
        return f"{self.dataset_title} ({self.sources.prepare.archive.note})"

    def accuracy(self, kind: str | None) -> Accuracy | None:
        """Of a format; None where that was not evaluated."""
        return next((one.top1 for one in self.sources.evaluate.formats if one.format == kind), None)

    def point(self, kind: str | None, cost: float, shown: str, link: str) -> Point | None:
        """The place of its model of that format in a drawing."""
        if (accuracy := self.accuracy(kind)) is None:
            return None
        size = Size.of(self.sources.train.resolution)
        label = f"{network_title(self.network)} @{size.resolution}"
        return Point(self.variant, link, label, self.drawn_dataset, str(kind), accuracy, cost, shown)


def family_members(workspace: Workspace, params: Params, name: str) -> list[Member]:
    """The variants of a network, or of all networks of its family, that have a card.

    Raises:
        InputError: there is no such network or family, none of it has a card, a record is not the one that its card was made with, or
            records of one data set are of different revisions.
    """
    networks = _networks(params, name)
    members = []
    for variant, chosen in params.variants.items():
        paths = chosen.paths(workspace)
        if chosen.network in networks and paths.card_record.is_file():
            sources = _as_on_card(workspace.dataset(chosen.dataset), paths, variant)
            members.append(Member(variant, paths.card, params.dataset(chosen.dataset), sources))
    if not members:
        raise InputError(f"No variant of {name} has a card.", "Make one: edgeloop run DATASET NETWORK RESOLUTION")
    return sorted(members, key=lambda one: (one.sources.train.dataset, one.network, Size.of(one.sources.train.resolution)))


def _as_on_card(dataset: DatasetPaths, paths: VariantPaths, variant: str) -> Sources:
    """The records of a variant, where they are those that its card states."""
    sources, stated = read_sources(dataset, paths), CardRecord.read(paths.card_record).records
    if other := sorted(name for name in {*stated, *sources.digests} if stated.get(name) != sources.digests.get(name)):
        of_data = {path.name: path for path in (dataset.prepare_record, dataset.validate_record)}
        raise InputError(
            f"{of_data.get(other[0], paths.folder / other[0])} is not the file that the card of {variant} was made with.",
            f"Build the card again: dvc repro card@{variant}",
        )
    return sources


def _networks(params: Params, name: str) -> set[str]:
    declared = {one.network for one in params.variants.values()}
    if name in declared:
        return {name}
    if name not in FAMILIES:
        known = sorted({*declared, *FAMILIES})
        raise InputError(f"There is no network or family '{name}'{near_match(name, known)}.", f"Choose one of: {', '.join(known)}.")
    # ST's variation is published with the family that it is of, and is one by itself, too.
    return {network for network in declared if family(network).paper == FAMILIES[name].paper and network.rpartition("_")[0].endswith(name)}


def drawings(members: Sequence[Member], links: dict[str, str]) -> list[Drawing]:
    """Accuracy against RAM, and against the time or the instructions on each board that ran one of them."""
    ram = [point for member in members for point in _ram(member, links[member.variant])]
    datasets = sorted({member.drawn_dataset for member in members})
    found = [Drawing("Accuracy against RAM of the generated code", "Total RAM (KiB)", "accuracy-ram.svg", ram, datasets)] if ram else []
    boards: dict[tuple[str, str], list[Point]] = {}
    for member in members:
        for key, point in _boards(member, links[member.variant]):
            boards.setdefault(key, []).append(point)
    for (board, cost), points in sorted(boards.items()):
        picture = f"accuracy-{re.sub(r'[^A-Za-z0-9._-]+', '-', board)}.svg"
        what = re.split(r"[,(]", cost)[0].strip().lower()
        found.append(Drawing(f"Accuracy against {what} on {board}", cost, picture, points, datasets))
    return found


def _ram(member: Member, link: str) -> Iterator[Point]:
    code = member.sources.codegen
    if code is None or (ram := total_ram_bytes(code)) is None:
        return
    kinds = [one.format for one in member.sources.quantize.models if one.sha256 == code.model_sha256]
    if kinds and (point := member.point(kinds[0], ram / 1024, kib(ram), link)):
        yield point


def _boards(member: Member, link: str) -> Iterator[tuple[tuple[str, str], Point]]:
    """By the board and what its figure is; of a board that ran several formats the one that the card shows, else the last."""
    formats = {one.sha256: str(one.format) for one in member.sources.quantize.models}
    for record in member.sources.benchmarks.values():
        if isinstance(record, EmulatedBenchmark):
            key, told = (
                (f"{record.board} (emulated {record.part})", "Instructions, median"),
                [(formats.get(record.model_sha256), float(record.instructions.median), f"{record.instructions.median:,}")],
            )
        elif isinstance(record, FarmBenchmark):
            key = f"{record.board} ({record.farm_board} of ST's farm)", "Inference time, one figure (ms)"
            told = [(one.format, one.latency_ms, f"{one.latency_ms:.3f}") for one in record.models]
        elif isinstance(record, MeasuredBenchmark) and record.target:
            key = f"{record.board} ({record.device})", "Inference time (ms)"
            told = [(one.format, one.latency.median_ms, f"{one.latency.median_ms:.3f}") for one in record.models]
        else:
            continue
        deployed = [one for one in told if one[0] == member.sources.headline.format] or told
        if point := member.point(*deployed[-1], link):
            yield key, point
