"""The validation report: one self-contained HTML page, readable offline."""

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import cv2
import pandas as pd

from edgeloop.console import printable
from edgeloop.datasets.manifest import SPLITS, ShardReader
from edgeloop.datasets.outside import TOP
from edgeloop.errors import DataError, InputError
from edgeloop.files import write_text
from edgeloop.preprocessing import Pixels, decode
from edgeloop.records import RuleResult, ValidateRecord
from edgeloop.validation.charts import class_bars, histograms
from edgeloop.validation.facts import Facts
from edgeloop.validation.rules import DeclaredRule, worded
from edgeloop.validation.suite import SHOWN_ROWS, Outcome
from edgeloop.workspace import DatasetPaths

_THUMBNAIL_SIDE: Final = 112
_THUMBNAIL_QUALITY: Final = 78
_ABSENT: Final = "nothing to compare"


@dataclass(frozen=True)
class RowView:
    """One manifest row of a table."""

    path: str
    label: str
    split: str
    size: str
    detail: str
    thumbnail: str | None
    """A data URI."""


@dataclass(frozen=True)
class RuleView:
    """One rule, worded."""

    name: str
    description: str
    state: str
    """`holds`, `warning`, `error` or `absent`."""
    observed: str
    expected: str
    failed_rows: int
    rows: list[RowView]

    @property
    def more(self) -> int:
        return self.failed_rows - len(self.rows)


@dataclass(frozen=True)
class QuarantineView:
    """The quarantined members of one reason."""

    reason: str
    count: int
    rows: list[RowView]

    @property
    def more(self) -> int:
        return self.count - len(self.rows)


def write_report(
    paths: DatasetPaths, record: ValidateRecord, rules: list[DeclaredRule], outcomes: dict[str, Outcome], facts: Facts
) -> None:
    """Write the page atomically; its pictures are read from the data set's shards."""
    with ShardReader(paths.images) as shards:
        thumbnails = _Thumbnails(shards)
        by_name = {result.name: result for result in record.results}
        views = [(rule.group, _rule_view(rule, by_name[rule.name], outcomes[rule.name], facts, thumbnails)) for rule in rules]
        quarantine = _quarantine_views(facts.members, thumbnails)
    page = _template().render(
        record=record,
        groups={group: [view for of_group, view in views if of_group == group] for group, _ in views},
        broken=[view for _, view in views if view.state in ("error", "warning")],
        listed=[view for _, view in views if view.rows],
        tiles=_tiles(facts),
        classes=class_bars(facts),
        histograms=histograms(facts),
        quarantine=quarantine,
        outside=facts.outside,
        places=sorted(facts.outside.places.items(), key=lambda item: (-item[1], item[0])),
        top=TOP,
        splits=SPLITS,
    )
    write_text(paths.report, page)


def _template() -> Any:
    """The page's template; every value is escaped unless the template says otherwise, which it never does."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("edgeloop.validation", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_without_control,
    )
    return environment.get_template("report.html.jinja")


def _without_control(value: object) -> object:
    return printable(value) if type(value) is str else value


def _tiles(facts: Facts) -> dict[str, int]:
    """The numbers at the top."""
    in_split = facts.images["split"].value_counts()
    return {
        "images": len(facts.images),
        "classes": len(facts.summary.classes),
        **{split: int(in_split.get(split, 0)) for split in SPLITS},
        "duplicates": int(facts.images["duplicate"].sum()),
        "quarantined": int(facts.members["reason"].notna().sum()),
        "outside": facts.outside.pictures,
    }


def _rule_view(rule: DeclaredRule, result: RuleResult, outcome: Outcome, facts: Facts, thumbnails: "_Thumbnails") -> RuleView:
    state = "absent" if result.observed is None else "holds" if result.holds else result.severity
    observed = worded(result.observed, rule.unit) if isinstance(result.observed, float) else result.observed or _ABSENT
    rows = facts.images.loc[outcome.rows]
    details = [_detail(row, rule) for _, row in rows.iterrows()]
    return RuleView(
        rule.name, rule.description, state, observed, result.expected, result.failed_rows, _row_views(rows, details, thumbnails)
    )


def _detail(row: "pd.Series[Any]", rule: DeclaredRule) -> str:
    """What about a row the rule is concerned with."""
    match rule.name:
        case "unusual_formats":
            return str(row["format"])
        case "aspect_ratio":
            return f"{row['aspect_ratio']:.2f} : 1"
        case "brightness_outliers":
            return f"brightness {row['brightness']:.0f}"
        case "sharpness_outliers":
            return f"sharpness {row['sharpness']:.4g}"
        case "exact_duplicate_rate":
            return f"sha256 {str(row['sha256'])[:12]}"
        case "duplicate_rate" | "split_leaks" | "label_conflicts":
            return f"group {int(row['duplicate_group'])}" if pd.notna(row["duplicate_group"]) else f"hash {row['phash']}"
        case _:
            return ""


def _quarantine_views(members: pd.DataFrame, thumbnails: "_Thumbnails") -> list[QuarantineView]:
    """By reason, the most frequent first."""
    quarantined = members[members["reason"].notna()]
    views = []
    for reason, count in quarantined["reason"].value_counts().items():
        rows = quarantined[quarantined["reason"] == reason].head(SHOWN_ROWS)
        details = [worded(float(size), "") + " bytes" for size in rows["bytes"]]
        views.append(QuarantineView(str(reason), int(count), _row_views(rows, details, thumbnails)))
    return views


def _row_views(rows: pd.DataFrame, details: Iterable[str], thumbnails: "_Thumbnails") -> list[RowView]:
    return [_row_view(row, detail, thumbnails) for (_, row), detail in zip(rows.iterrows(), details, strict=True)]


def _row_view(row: "pd.Series[Any]", detail: str, thumbnails: "_Thumbnails") -> RowView:
    size = f"{int(row['width'])} x {int(row['height'])}" if pd.notna(row["width"]) else "unknown"
    split = row["split"] if pd.notna(row["split"]) else "none"
    return RowView(str(row["path"]), str(row["label"]), str(split), size, detail, thumbnails.of(row))


class _Thumbnails:
    """Small JPEGs of stored images as data URIs."""

    def __init__(self, shards: ShardReader) -> None:
        self._shards = shards

    def of(self, row: "pd.Series[Any]") -> str | None:
        """None where nothing is stored, or what is stored does not decode."""
        if pd.isna(row["shard"]):
            return None
        try:
            pixels = decode(self._shards.read(str(row["shard"]), int(row["offset"]), int(row["length"])))
        except (DataError, InputError, OSError):
            return None
        done, encoded = cv2.imencode(".jpg", _shrunk(pixels)[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, _THUMBNAIL_QUALITY])
        return f"data:image/jpeg;base64,{base64.b64encode(encoded.tobytes()).decode()}" if done else None


def _shrunk(pixels: Pixels) -> Pixels:
    """At most `_THUMBNAIL_SIDE` pixels on the long side."""
    height, width = pixels.shape[:2]
    scale = min(_THUMBNAIL_SIDE / max(height, width), 1.0)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    return pixels if scale == 1.0 else cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype("uint8")
