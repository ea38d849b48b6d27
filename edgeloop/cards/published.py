"""The figures of ST's published card of FdMobileNet, as the package ships them: shown beside ours, never among them."""

from collections.abc import Iterator
from functools import cache
from importlib.resources import as_file, files
from typing import Literal
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict

from edgeloop.cards.markdown import Table
from edgeloop.cards.names import network_title
from edgeloop.markup import code, text
from edgeloop.resolution import AnyResolution
from edgeloop.yamlfile import read_yaml

Kind = Literal["npu memory", "npu time", "mcu memory", "mcu time", "mpu time", "accuracy"]
FILE, TOP1, FORMAT = "File", "Top 1 Accuracy (%)", "Format"
NO_FILE = "the card links none"
NO_N = "n not stated"
MARK = "**"
"""Behind a cell to which a table's footnote belongs."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PublishedRow(_Part):
    """A row of a table of the card."""

    network: str
    resolution: AnyResolution
    file: str | None = None
    """The model file that the row links; null where it links none."""
    cells: list[str]
    """In the words of the card, by the table's columns."""


class PublishedTable(_Part):
    """A table of the card."""

    kind: Kind
    dataset: str
    columns: list[str]
    footnote: str | None = None
    """What the card says below the table of the cells that end with `**`."""
    rows: list[PublishedRow]


class Published(_Part):
    """The card."""

    card: str
    files: str
    """What the addresses of its files begin with."""
    tables: list[PublishedTable]

    def table(self, kind: str, dataset: str, networks: set[str]) -> Table | None:
        """Its rows of these networks, each with the file that it belongs to; None where the card has none."""
        found = [one for one in self.tables if one.kind == kind and one.dataset == dataset]
        rows = [
            [text(network_title(row.network)), *map(text, row.cells), self.file_of(row)]
            for one in found
            for row in one.rows
            if row.network in networks
        ]
        return Table(["Model", *found[0].columns, FILE], rows) if rows else None

    def footnote(self, kind: str, dataset: str, networks: set[str]) -> str:
        """What the card says of marked cells of these rows, as Markdown; empty where none is marked."""
        for one in self.tables:
            marked = any(cell.endswith(MARK) for row in one.rows if row.network in networks for cell in row.cells)
            if (one.kind, one.dataset) == (kind, dataset) and marked and one.footnote:
                return f"{text(MARK)} {text(one.footnote)}"
        return ""

    def accuracies(self, dataset: str) -> Iterator[tuple[PublishedRow, str, str]]:
        """The rows of a data set's accuracies with their format and top 1 accuracy in per cent."""
        for one in self.tables:
            if one.kind == "accuracy" and one.dataset == dataset:
                for row in one.rows:
                    yield row, row.cells[one.columns.index(FORMAT)], row.cells[one.columns.index(TOP1)]

    def file_of(self, row: PublishedRow) -> str:
        """As a link."""
        return f"[{code(row.file.rpartition('/')[2])}]({self.files}{quote(row.file)})" if row.file else NO_FILE

    @property
    def numbers(self) -> Iterator[str]:
        """Every cell."""
        return (cell for one in self.tables for row in one.rows for cell in row.cells)


@cache
def published() -> Published:
    """The card that this version of edgeloop ships."""
    with as_file(files("edgeloop.cards") / "published.yaml") as path:
        return read_yaml(path, Published)
