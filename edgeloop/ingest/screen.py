"""Each incoming file looked at on its own: does it decode, is it within the limits, does it keep the rules for single images?"""

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from edgeloop.config import Dataset
from edgeloop.datasets.images import Examined, Look, examine, refused
from edgeloop.datasets.parallel import map_in_order
from edgeloop.decoding import TOO_MANY_BYTES
from edgeloop.ingest.arrivals import Arrival, Incoming
from edgeloop.ingest.memory import Digests
from edgeloop.progress import tracked
from edgeloop.validation.facts import USUAL_FORMATS
from edgeloop.validation.rules import rules_for

UNKNOWN_CLASS = "unknown class"
BREAKS_RULE = "breaks the rule"
WAITING_BYTES = 256 << 20


@dataclass(frozen=True)
class Candidate:
    """A new file that is a sound image of a known class."""

    arrival: Arrival
    label: str
    sha256: str
    look: Look


@dataclass
class Screened:
    """What became of the incoming files so far."""

    candidates: list[Candidate] = field(default_factory=list)
    rejected: dict[Arrival, tuple[str | None, str]] = field(default_factory=dict)
    """Digest and reason."""
    known: int = 0


@dataclass(frozen=True)
class Past:
    """What need not be looked at again."""

    digests: frozenset[str]
    too_large: frozenset[tuple[str, int]]


def screen(
    source: Incoming, labels: Mapping[Arrival, str], classes: Sequence[str], dataset: Dataset, past: Past, cache: Digests
) -> Screened:
    """Look at the files of the class folders, given with their label, each once."""
    done, seen = Screened(), set[tuple[str, str]]()

    def look(arrival: Arrival) -> tuple[Arrival, Examined | None]:
        return arrival, _examined(source, arrival, labels[arrival] in classes, dataset, past, cache)

    for arrival, found in tracked(_in_threads(look, list(labels)), "ingest", len(labels), "files"):
        label = labels[arrival]
        if found is None or (found.sha256 is not None and (found.sha256, label) in seen):
            done.known += 1
            continue
        if found.sha256 is not None:
            seen.add((found.sha256, label))
        reason = found.reason or (_broken_rule(found.look, dataset) if found.look else None)
        if label not in classes:
            reason = refused(UNKNOWN_CLASS, label)
        if reason is None and found.look is not None and found.sha256 is not None:
            done.candidates.append(Candidate(arrival, label, found.sha256, found.look))
        else:
            done.rejected[arrival] = (found.sha256, reason or "unknown")
    return done


def _in_threads(
    look: Callable[[Arrival], tuple[Arrival, Examined | None]], arrivals: list[Arrival]
) -> Iterator[tuple[Arrival, Examined | None]]:
    return map_in_order(look, arrivals, os.cpu_count() or 1, lambda arrival: arrival.bytes, WAITING_BYTES)


def _examined(source: Incoming, arrival: Arrival, is_class: bool, dataset: Dataset, past: Past, cache: Digests) -> Examined | None:
    """None of a file that is known."""
    if arrival.bytes > dataset.prepare.limits.image_bytes:
        large = Examined(None, refused(TOO_MANY_BYTES, str(arrival.bytes)))
        return None if (arrival.path, arrival.bytes) in past.too_large else large
    cached = cache.find(arrival)
    if cached in past.digests:
        return None
    content = source.read(arrival)
    sha256 = hashlib.sha256(content).hexdigest()
    cache.remember(arrival, sha256)
    if sha256 in past.digests:
        return None
    return replace(examine(content, dataset.prepare), stored=b"") if is_class else Examined(sha256)


def _broken_rule(look: Look, dataset: Dataset) -> str | None:
    """The rule of severity `error` that this image alone would break."""
    short, long = sorted((look.width, look.height))
    figures = {"short_side": float(short), "aspect_ratio": long / short, "unusual_formats": float(look.format not in USUAL_FORMATS)}
    for rule in rules_for("", dataset, 0.0):
        figure = figures.get(rule.name)
        if figure is None or rule.bounds.severity != "error" or (rule.name == "unusual_formats" and rule.bounds.at_most != 0):
            continue
        low, high = rule.bounds.at_least, rule.bounds.at_most
        if (low is not None and figure < low) or (high is not None and figure > high):
            return refused(BREAKS_RULE, f"{rule.name} ({look.format} of {look.width} x {look.height}, expected {rule.expected})")
    return None
