"""What is in no class folder, counted for the records and said in words."""

from collections import Counter
from collections.abc import Iterable

from edgeloop.datasets.filenames import is_picture, lies_hidden
from edgeloop.datasets.layout import ClassLayout
from edgeloop.plural import many
from edgeloop.records import Outside, PrepareRecord

TOP = "the top folder"
_SHOWN_PLACES = 5


def counted(layout: ClassLayout) -> Outside:
    """The counts of an archive, or of new pictures."""
    return Outside(
        pictures=len(layout.pictures_outside),
        places=_places(layout.pictures_outside),
        left_out=layout.left_out,
        hidden=sum(map(lies_hidden, layout.outside)),
        empty_class_folders=layout.empty,
    )


def others(layout: ClassLayout) -> list[str]:
    """The files outside that are neither pictures nor hidden: licence texts, lists."""
    pictures = set(layout.pictures_outside)
    return [path for path in layout.outside if path not in pictures and not is_picture(path) and not lies_hidden(path)]


def outside_of(record: PrepareRecord) -> Outside:
    """The counts of a record; of one from before they were counted, by the names that it lists."""
    if record.outside is not None:
        return record.outside
    visible = [path for path in record.outside_class_folders if not lies_hidden(path)]
    pictures = [path for path in visible if is_picture(path)]
    hidden = len(record.outside_class_folders) - len(visible)
    return Outside(pictures=len(pictures), places=_places(pictures), left_out=0, hidden=hidden, empty_class_folders=[])


def outside_share(outside: Outside, in_class_folders: int) -> float | None:
    """The share of pictures outside; None where there are no pictures at all."""
    whole = outside.pictures + in_class_folders
    return outside.pictures / whole if whole else None


def in_words(outside: Outside) -> list[str]:
    """Lines for what there is, none where there is nothing."""
    lines = []
    if outside.pictures:
        lines.append(f"{many(outside.pictures, 'picture')} outside the class folders: {places_in_words(outside)}")
    if outside.left_out:
        lines.append(f"{many(outside.left_out, 'picture')} not below prepare.layout.root")
    if outside.empty_class_folders:
        lines.append(f"class folders without pictures: {', '.join(outside.empty_class_folders)}")
    if outside.hidden:
        lines.append(f"{many(outside.hidden, 'hidden file')} left out")
    return lines


def places_in_words(outside: Outside) -> str:
    """Where the pictures are, the fullest places first."""
    ordered = sorted(outside.places.items(), key=lambda item: (-item[1], item[0]))
    shown = [f"{count:,} in {place or TOP}" for place, count in ordered[:_SHOWN_PLACES]]
    rest = ordered[_SHOWN_PLACES:]
    more = [f"{sum(count for _, count in rest):,} in {len(rest):,} more folders"] if rest else []
    return ", ".join(shown + more)


def _places(paths: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(path.rpartition("/")[0] for path in paths).items()))
