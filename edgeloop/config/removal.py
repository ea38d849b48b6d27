"""What a params.yaml is without a data set, or without some variants of one."""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq

from edgeloop.config.params import Params
from edgeloop.config.steps import OFF
from edgeloop.config.variants import Row, Variant, chosen
from edgeloop.errors import ConfigError
from edgeloop.yamlfile import changed, parse_yaml
from edgeloop.yamlremoval import Location, without

FLOWS = ("retrain", "benchmark")


def text_without(text: str, path: Path, params: Params, name: str) -> str:
    """The text of params.yaml without the data set or variant of that name, and without the words that then choose nothing.

    Raises:
        ConfigError: the rest cannot stand without it, e.g. because it has a YAML anchor that others use.
    """
    gone = {one for one, variant in params.variants.items() if name in (one, variant.dataset)}
    kept = {one: variant for one, variant in params.variants.items() if one not in gone}
    text = _without_words(text, params, kept)
    for section in ("ingest", "variants", "datasets") if name in params.datasets else ():
        if name in getattr(params, "rows" if section == "variants" else section):
            text = without(text, (section, name))
    if name not in params.datasets:
        text = _without_variant(text, params, params.variants[name])
    try:
        parse_yaml(text, path, Params)
    except ConfigError as error:
        raise ConfigError(
            f"Without {name} the rest of {path.name} does not stand, so nothing was changed:\n{error.what}",
            "Write out there what stands in it, e.g. the settings behind a YAML anchor; then give the command again.",
        ) from None
    return text


def _without_words(text: str, params: Params, kept: Mapping[str, Variant]) -> str:
    empty = [name for name, words in params.sets.items() if all(_is_over(word, kept, {}) for word in words)]
    sets = {name: words for name, words in params.sets.items() if name not in empty}
    for location, words in _lists(params):
        over = [number for number, word in enumerate(words) if _is_over(word, kept, {} if location[0] == "sets" else sets)]
        if location[0] == "sets" and location[1] in empty:
            text = without(text, location)
        elif location[0] == "schedules" and len(over) == len(words):
            text = _switched_off(text, str(location[1]))
        else:
            text = _without_items(text, location, words, over)
    for word in params.gates:
        text = without(text, ("gates", word)) if _is_over(word, kept, sets) else text
    return text


def _lists(params: Params) -> Iterator[tuple[Location, tuple[str, ...]]]:
    yield from ((("sets", name), words) for name, words in params.sets.items())
    yield ("build",), params.build
    yield ("pin",), params.pin
    for flow in FLOWS:
        timed = getattr(params.schedules, flow)
        if "variants" in timed.model_fields_set:
            yield ("schedules", flow, "variants"), timed.variants


def _is_over(word: str, kept: Mapping[str, Variant], sets: Mapping[str, tuple[str, ...]]) -> bool:
    try:
        chosen([word], kept, sets)
    except LookupError:
        return True
    return False


def _without_items(text: str, location: Location, words: tuple[str, ...], over: list[int]) -> str:
    if len(words) == 1 and list(over):  # which may stand without brackets
        return changed(text, lambda tree: _at(tree, location[:-1]).update({location[-1]: _flow([])}))
    for number in sorted(over, reverse=True):
        text = without(text, (*location, number))
    return text


def _switched_off(text: str, flow: str) -> str:
    return changed(text, lambda tree: tree["schedules"].update({flow: OFF}))


def _without_variant(text: str, params: Params, variant: Variant) -> str:
    """Its row without it, which takes two rows where it had several networks and several resolutions."""
    dataset = variant.dataset
    rows = params.rows.get(dataset, (Row(),))
    for number, row in enumerate(rows):
        full = row.over(params.defaults.variants)
        if variant.network not in full.networks or variant.resolution not in full.resolutions:
            continue
        networks = [network for network in full.networks if network != variant.network]
        resolutions = [resolution for resolution in full.resolutions if resolution != variant.resolution]
        parts: list[dict[str, Any]] = []
        if networks:
            parts.append({"networks": networks, "resolutions": list(full.resolutions)})
        if resolutions:
            parts.append({"networks": [variant.network], "resolutions": resolutions})
        if not parts and len(rows) > 1:
            return without(text, ("variants", dataset, number))
        return changed(text, partial(_put, dataset=dataset, number=number, parts=parts))
    return text


def _put(tree: Any, dataset: str, number: int, parts: list[dict[str, Any]]) -> None:
    """Put these rows in the place of that one."""
    variants = tree.setdefault("variants", CommentedMap())
    if dataset not in variants:
        variants.insert(0, dataset, _flow([]))
        variants[dataset].append({})
    elif not isinstance(variants[dataset], list):
        variants[dataset] = _flow([variants[dataset]])
    rows = variants[dataset]
    old = rows.pop(number)
    for place, part in enumerate(parts):
        row = type(old)(old)
        for key, values in part.items():
            row[key] = values[0] if len(values) == 1 else _flow(values)
        if hasattr(row, "fa"):
            row.fa.set_flow_style()
        rows.insert(number + place, row)
    if len(rows) == 1 and rows.fa.flow_style():
        variants[dataset] = rows[0]


def _flow(items: list[Any]) -> CommentedSeq:
    made = CommentedSeq(items)
    made.fa.set_flow_style()
    return made


def _at(tree: Any, location: Location) -> Any:
    for part in location:
        tree = tree[part]
    return tree
