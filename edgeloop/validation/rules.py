"""The declared rules: their defaults as data, what params.yaml changes of them, and their words."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from edgeloop.config import Dataset, Rule, Split
from edgeloop.errors import ConfigError
from edgeloop.validation.facts import USUAL_FORMATS
from edgeloop.yamlfile import near_match

Unit = Literal["", "images", "classes", "folders", "px", "share", "pairs"]
Group = Literal["Classes", "Images", "Duplicates and quarantine", "Splits", "Label noise hints", "Drift"]
Kind = Literal["between", "in_set", "distinct_equal_set", "distinct_count_between", "row_count_between"]


@dataclass(frozen=True)
class Check:
    """One expectation: its kind, the table (`images`, or the one row of `figures`) and its arguments."""

    kind: Kind
    table: Literal["images", "figures"]
    arguments: dict[str, Any]


@dataclass(frozen=True)
class DeclaredRule:
    """A rule as it applies to one data set."""

    name: str
    group: Group
    description: str
    unit: Unit
    bounds: Rule
    decides: Check
    """Whether the rule holds."""
    finds: Check | None
    """Which images count against it."""

    @property
    def expected(self) -> str:
        """Its bounds in words."""
        if self.decides.kind == "distinct_equal_set":
            return ", ".join(self.decides.arguments["value_set"])
        low, high = self.bounds.at_least, self.bounds.at_most
        if low is None and high == 0:
            return "none"
        if low is not None and low == high:
            return f"exactly {worded(low, self.unit)}"
        parts = [f"{word} {worded(bound, self.unit)}" for word, bound in (("at least", low), ("at most", high)) if bound is not None]
        return ", ".join(parts)


@dataclass(frozen=True)
class _Default:
    """A rule before a data set is known."""

    group: Group
    description: str
    unit: Unit
    bounds: Rule
    flag: str | None = None
    """The boolean column that marks an image which counts against it."""
    decides: Callable[[Rule], Check] | None = None
    finds: Callable[[Rule], Check] | None = None


def refuse_unknown(name: str, dataset: Dataset) -> None:
    """Check the names of the rules in the parameters of the data set `name`.

    Raises:
        ConfigError: there is no such rule; the message names the near match.
    """
    known = _defaults(dataset, 0.0)
    for rule in dataset.validation.rules:
        if rule not in known:
            raise ConfigError(
                f"params.yaml: datasets.{name}.validate.rules: there is no rule '{rule}'{near_match(rule, known)}.",
                "Correct the name; docs/validate.md lists the rules.",
            )


def rules_for(name: str, dataset: Dataset, rounding: float) -> list[DeclaredRule]:
    """The rules of the data set `name`: the defaults, with its parameters' bounds and severities.

    A rule whose bounds are both null is switched off. `rounding` is the share of all images by which a split may miss
    its declared share because each class is divided into whole images.

    Raises:
        ConfigError: bounds in params.yaml exclude each other.
    """
    defaults = _defaults(dataset, rounding)
    merged = {rule: _merged(name, rule, default.bounds, dataset) for rule, default in defaults.items()}
    kept = {rule: bounds for rule, bounds in merged.items() if bounds.at_least is not None or bounds.at_most is not None}
    return [_declared(rule, defaults[rule], bounds, dataset) for rule, bounds in kept.items()]


def worded(value: float, unit: Unit) -> str:
    """A figure with its unit; a share as a percentage."""
    if unit == "share":
        return f"{100 * value:.4g} %"
    number = f"{value:.0f}" if value == int(value) else f"{value:.4g}"
    return f"{number} {unit}".rstrip()


def _merged(dataset_name: str, name: str, default: Rule, dataset: Dataset) -> Rule:
    """The default with the fields that params.yaml sets."""
    given = dataset.validation.rules.get(name, Rule())
    merged = default.model_copy(update={field: getattr(given, field) for field in given.model_fields_set})
    if merged.at_least is not None and merged.at_most is not None and merged.at_least > merged.at_most:
        raise ConfigError(
            f"params.yaml: datasets.{dataset_name}.validate.rules.{name}: "
            f"at least {merged.at_least:g} and at most {merged.at_most:g} exclude each other.",
            "Set both bounds, or set the other one to null.",
        )
    return merged


def _declared(name: str, default: _Default, bounds: Rule, dataset: Dataset) -> DeclaredRule:
    decides = default.decides(bounds) if default.decides else _between("figures", name, bounds)
    finds = default.finds(bounds) if default.finds else _unflagged(default.flag) if default.flag else None
    if name == "classes" and dataset.validation.classes:
        decides = Check("distinct_equal_set", "images", {"column": "label", "value_set": sorted(dataset.validation.classes)})
        finds = Check("in_set", "images", {"column": "label", "value_set": sorted(dataset.validation.classes)})
    return DeclaredRule(name, default.group, default.description, default.unit, bounds, decides, finds)


def _between(table: Literal["images", "figures"], column: str, bounds: Rule) -> Check:
    return Check("between", table, {"column": column, "min_value": bounds.at_least, "max_value": bounds.at_most})


def _unflagged(column: str) -> Check:
    return Check("in_set", "images", {"column": column, "value_set": [False]})


def _each(column: str) -> Callable[[Rule], Check]:
    return lambda bounds: _between("images", column, bounds)


def _at_most(bound: float, severity: Literal["error", "warning"] = "error") -> Rule:
    return Rule(at_most=bound, severity=severity)


def _defaults(dataset: Dataset, rounding: float) -> dict[str, _Default]:
    """Every rule there is, by name, in the order of the report."""
    classes, split = dataset.validation, dataset.prepare.split
    declared = {"classes": _CLASSES} if classes.classes else {}
    count = classes.class_count or (len(classes.classes) if classes.classes else None)
    exact = Rule(at_least=count, at_most=count) if count else Rule(at_least=2)
    return {
        **declared,
        "class_count": _Default("Classes", "Number of classes", "classes", exact, decides=_distinct_labels),
        **_FIXED,
        "test_share": _Default("Splits", "Share of the images in test", "share", _around(split, split.test_fraction, rounding)),
        "val_share": _Default(
            "Splits", "Share of the images outside test that are in val", "share", _around(split, split.val_fraction, rounding)
        ),
        **_HINTS,
    }


def _around(split: Split, declared: float, rounding: float) -> Rule:
    """The declared share, give or take a twentieth of the images (duplicates stay together) and the rounding.

    An official list, or the archive's folders, decide the share themselves, so there only an absurd one is refused.
    """
    if split.rule in ("official", "folders"):
        return Rule(at_most=0.9)
    slack = 0.05 + rounding
    return Rule(at_least=round(max(declared - slack, 0.0), 4), at_most=round(min(declared + slack, 1.0), 4))


def _distinct_labels(bounds: Rule) -> Check:
    return Check("distinct_count_between", "images", {"column": "label", "min_value": bounds.at_least, "max_value": bounds.at_most})


def _row_count(bounds: Rule) -> Check:
    return Check("row_count_between", "images", {"min_value": bounds.at_least, "max_value": bounds.at_most})


_CLASSES = _Default("Classes", "The class folders are the declared ones", "", _at_most(0))
_FIXED = {
    "empty_class_folders": _Default("Classes", "Folders beside the class folders without a picture", "folders", _at_most(0)),
    "smallest_class": _Default("Classes", "Images of the smallest class, over an even division", "", Rule(at_least=0.05)),
    "largest_class": _Default("Classes", "Images of the largest class, over an even division", "", _at_most(10)),
    "smallest_class_images": _Default("Classes", "Images of the smallest class", "images", Rule(at_least=20, severity="warning")),
    "image_count": _Default("Images", "Images in the splits", "images", Rule(at_least=10), decides=_row_count),
    "short_side": _Default(
        "Images", "Shortest side of any image", "px", Rule(at_least=32), decides=_each("short_side"), finds=_each("short_side")
    ),
    "aspect_ratio": _Default(
        "Images",
        "Longest over shortest side of any image",
        "",
        _at_most(5, "warning"),
        decides=_each("aspect_ratio"),
        finds=_each("aspect_ratio"),
    ),
    "unusual_formats": _Default(
        "Images", "Share of images in other formats than " + ", ".join(USUAL_FORMATS), "share", _at_most(0), flag="unusual_format"
    ),
    "outside_class_folders": _Default(
        "Images", "Share of the archive's pictures that are outside the class folders", "share", _at_most(0.01)
    ),
    "quarantine_rate": _Default(
        "Duplicates and quarantine", "Share of the archive's members that are quarantined", "share", _at_most(0.05)
    ),
    "exact_duplicate_rate": _Default(
        "Duplicates and quarantine", "Share of images that are byte for byte another one", "share", _at_most(0.1), flag="exact_duplicate"
    ),
    "duplicate_rate": _Default(
        "Duplicates and quarantine",
        "Share of images that repeat another one, exactly or nearly",
        "share",
        _at_most(0.2, "warning"),
        flag="duplicate",
    ),
    "split_leaks": _Default(
        "Splits", "Images whose bytes or duplicate group are in more than one split", "images", _at_most(0), flag="split_leak"
    ),
    "missing_in_splits": _Default("Splits", "Pairs of class and split without an image", "pairs", _at_most(0)),
}
_HINTS = {
    "label_conflicts": _Default(
        "Label noise hints", "Images with a look-alike that has another label", "images", _at_most(0, "warning"), flag="label_conflict"
    ),
    "brightness_outliers": _Default(
        "Label noise hints",
        "Share of images far darker or lighter than the others",
        "share",
        _at_most(0.01, "warning"),
        flag="brightness_outlier",
    ),
    "sharpness_outliers": _Default(
        "Label noise hints",
        "Share of images far blurrier or noisier than the others",
        "share",
        _at_most(0.01, "warning"),
        flag="sharpness_outlier",
    ),
    "class_drift": _Default(
        "Drift", "Class shares against the manifest accepted before: total variation distance", "", _at_most(0.1, "warning")
    ),
    "brightness_drift": _Default(
        "Drift", "Brightness against the manifest accepted before: Kolmogorov-Smirnov distance", "", _at_most(0.1, "warning")
    ),
    "size_drift": _Default(
        "Drift", "Short sides against the manifest accepted before: Kolmogorov-Smirnov distance", "", _at_most(0.1, "warning")
    ),
}
