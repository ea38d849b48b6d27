"""A row of the gallery: a variant's deployed format with what it takes and how long, ready for the page to sort, filter and draw."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import groupby
from urllib.parse import quote

from edgeloop.cards.names import network_title
from edgeloop.resolution import image_text
from edgeloop.store.summary import Current, How, OnBoard, Published, Top1
from edgeloop.tflite.formats import DEPLOYED


@dataclass(frozen=True)
class Board:
    """A device that figures are of; the same name with another device is another one."""

    name: str
    device: str
    how: How

    @property
    def title(self) -> str:
        """The device in short, and by which name a project knows it."""
        return f"{self.device} ({self.name})"


@dataclass(frozen=True)
class Figure:
    """What one board says of a row's model; null is what was not measured."""

    board: int
    """Its place in the page's list of boards."""
    value: float
    """Milliseconds, or instructions where the board is emulated."""
    mad_ms: float | None
    other_format: str | None
    """Where it is not of the row's format."""
    doubt: str
    ram: int | None
    flash: int | None


@dataclass(frozen=True)
class Later:
    """A version that was published behind the champion."""

    page: str
    version: str
    given_up: bool
    """Whether a roll-back took it away."""


@dataclass(frozen=True)
class Row:
    """Sizes in bytes, accuracies from 0 to 1; null is what was not measured."""

    id: str
    page: str
    history: str | None
    versions: int | None
    title: str
    dataset: str
    archive: str
    resolution: str
    format: str | None
    formats: list[Top1]
    ram: int | None
    flash: int | None
    weights: int | None
    code: str
    macs: int
    commit: str | None
    evaluated: str
    published: str | None
    boards: list[Figure]
    since: str | None = None
    """Since when it is champion."""
    later: Later | None = None

    @property
    def accuracy(self) -> Top1 | None:
        """Of the row's format."""
        return next((one for one in self.formats if one.format == self.format), None)


def boards_of(cards: Iterable[Published]) -> list[Board]:
    """All boards, by how they tell their figures and by name."""
    order: list[How] = ["measured", "farm", "emulated", "no target"]
    found = {_board(one) for card in cards for one in card.boards}
    return sorted(found, key=lambda board: (order.index(board.how), board.device, board.name))


def row(card: Published, boards: list[Board]) -> Row:
    """The row of a card, its boards by their place in the list."""
    shown = _format(card)
    return Row(
        id=card.variant,
        page=quote(card.page),
        history=None if card.versions is None else f"{quote(card.variant)}/index.html",
        versions=card.versions,
        title=network_title(card.network),
        dataset=card.dataset,
        archive=card.archive,
        resolution=image_text(card.resolution, card.color),
        format=shown,
        formats=card.accuracy,
        ram=card.code.ram_bytes if card.code else None,
        flash=card.code.flash_bytes if card.code else None,
        weights=card.weight_bytes.get(shown or DEPLOYED),
        code=f"{card.code.backend} code for {card.code.target or 'an unknown target'}" if card.code else "",
        macs=card.macs,
        commit=card.commit,
        evaluated=card.evaluated[:10],
        published=card.published,
        boards=_figures(card.boards, shown, boards),
    )


def row_to_choose(current: Current, boards: list[Board]) -> Row:
    """The row of a variant: its champion's where there is one, else that of the version that was published last."""
    champion = current.champion
    if champion is None:
        return row(current, boards)
    is_latest = champion.version == current.version
    later = None if is_latest else Later(page=quote(current.page), version=current.version, given_up=current.given_up)
    return replace(row(champion, boards), since=champion.since[:10], later=later, versions=current.versions)


def _format(card: Published) -> str | None:
    """The int8 format that a row is about, the deployed one where it was evaluated; None where the card has no int8 model."""
    evaluated = [one.format for one in card.accuracy if one.format.startswith("int8")]
    return DEPLOYED if DEPLOYED in evaluated else next(iter(evaluated), None)


def _figures(found: list[OnBoard], shown: str | None, boards: list[Board]) -> list[Figure]:
    """One of each board: of the row's format, else of another int8 one, else of what there is."""
    places = {board: place for place, board in enumerate(boards)}
    ranked = sorted(found, key=lambda one: (places[_board(one)], one.format != shown, not (one.format or "").startswith("int8")))
    best = [next(group) for _, group in groupby(ranked, _board)]
    return [
        Figure(
            board=places[_board(one)],
            value=value,
            mad_ms=one.mad_ms,
            other_format=None if one.format == shown else one.format or "a file of its own",
            doubt=one.doubt,
            ram=one.ram_bytes,
            flash=one.flash_bytes,
        )
        for one in best
        if (value := one.instructions if one.how == "emulated" else one.ms) is not None
    ]


def _board(one: OnBoard) -> Board:
    return Board(one.board, one.device, one.how)
