"""The performance of a variant in the order and with the titles of the published STM32 cards: footprints and times of NPU, MCU and MPU."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from edgeloop.cards.layers import Layers
from edgeloop.cards.markdown import Table
from edgeloop.cards.performance import Family, Section
from edgeloop.markup import text

FAMILIES: tuple[Family, ...] = ("NPU", "MCU", "MPU")


@dataclass(frozen=True)
class GeneratedMemory:
    """What the variant's generated code takes, without a board."""

    family: Family
    table: Table
    note: str
    plan: str
    """The file of the picture of its memory plan; empty where there is none."""


@dataclass(frozen=True)
class Part:
    """A title of the published cards with what the records say below it."""

    kind: str
    """`npu memory`, `mcu time` and so on."""
    title: str
    tables: Sequence[Table]
    """As few as the columns allow: rows of equal columns stand in one."""
    notes: Sequence[str]
    layers: Sequence[Layers] = ()
    plan: str = ""


def reference_parts(dataset_title: str, sections: Sequence[Section], codes: Sequence[GeneratedMemory]) -> list[Part]:
    """The parts that have figures, in the published order."""
    return [part for family in FAMILIES for part in _parts(family, dataset_title, sections, codes)]


def merged(tables: Iterable[Table]) -> list[Table]:
    """Tables of equal columns as one, in the order of the first of each kind."""
    found: dict[tuple[str, ...], list[Sequence[str]]] = {}
    for table in tables:
        found.setdefault(tuple(table.heads), []).extend(table.rows)
    return [Table(heads, rows) for heads, rows in found.items()]


def _parts(family: Family, dataset_title: str, sections: Sequence[Section], codes: Sequence[GeneratedMemory]) -> Iterator[Part]:
    own = [section for section in sections if section.family == family]
    of = f"on {text(dataset_title)} dataset (see Accuracy for details on dataset)"
    ours = [code for code in codes if code.family == family]
    if memory := [*(one.table for one in ours), *(section.memory for section in own if section.memory)]:
        name = "footprint" if family == "NPU" else "footprints"
        boards = [f"**{text(section.board)}**: RAM and flash are those of the code on the board." for section in own if section.memory]
        yield Part(
            f"{family.lower()} memory",
            f"Reference **{family}** memory {name} {of}",
            merged(memory),
            list(dict.fromkeys([*(one.note for one in ours), *boards])),
            plan=next((one.plan for one in ours), ""),
        )
    if own:
        yield Part(
            f"{family.lower()} time",
            f"Reference **{family}** inference time {of}",
            merged(section.table for section in own),
            list(dict.fromkeys(f"**{text(section.board)}**: {section.note}" for section in own)),
            [layers for section in own for layers in section.layers],
        )
