"""Each incoming file looked at on its own: does it decode, is it within the limits, does it keep the rules for single images?"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from edgeloop.config import Dataset
from edgeloop.cpus import usable_cpus
from edgeloop.datasets.images import Examined, Look, examine, refused
from edgeloop.datasets.kept import Memory
from edgeloop.datasets.parallel import map_in_order
from edgeloop.decoding import TOO_MANY_BYTES
from edgeloop.ingest.arrivals import Arrival, Incoming, UnreadableFile
from edgeloop.ingest.memory import Digests
from edgeloop.progress import tracked
from edgeloop.records import KnownElsewhere
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
    known_elsewhere: list[KnownElsewhere] = field(default_factory=list)
    dropped: int = 0
    unreadable: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Past:
    """What need not be looked at again."""

    images: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Paths of the manifest by label, by SHA-256."""
    quarantined: frozenset[str] = frozenset()
    too_large: frozenset[tuple[str, int]] = frozenset()
    memory: Memory = field(default_factory=Memory)

    def knows(self, sha256: str | None) -> bool:
        """Whether these bytes were looked at before."""
        return sha256 in self.images or sha256 in self.quarantined

    def count(self, arrival: Arrival, label: str, sha256: str, done: Screened) -> None:
        """Count a file whose bytes are known as what it is."""
        paths = self.images.get(sha256, {})
        if self.memory.why_dropped(sha256, label) is not None:
            done.dropped += 1
        elif not paths or label in paths:
            done.known += 1
        else:
            known_label, path = min(paths.items())
            corrected = sha256 in self.memory.relabelled
            done.known_elsewhere.append(
                KnownElsewhere(path=arrival.path, label=label, known=path, known_label=known_label, corrected=corrected)
            )


@dataclass(frozen=True)
class _Seen:
    """What a look at one file found."""

    examined: Examined | None = None
    known: str | None = None
    """The SHA-256 of bytes that are known."""
    unreadable: bool = False


def screen(
    source: Incoming, labels: Mapping[Arrival, str], classes: Sequence[str], dataset: Dataset, past: Past, cache: Digests
) -> Screened:
    """Look at the files of the class folders, given with their label, each once."""
    done, seen = Screened(), set[tuple[str, str]]()

    def look(arrival: Arrival) -> tuple[Arrival, _Seen]:
        return arrival, _examined(source, arrival, labels[arrival] in classes, dataset, past, cache)

    for arrival, one in tracked(_in_threads(look, list(labels)), "ingest", len(labels), "files"):
        label, found = labels[arrival], one.examined
        if one.unreadable:
            done.unreadable.append(arrival.path)
            continue
        if one.known is not None:
            past.count(arrival, label, one.known, done)
            continue
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


def _in_threads(look: Callable[[Arrival], tuple[Arrival, _Seen]], arrivals: list[Arrival]) -> Iterator[tuple[Arrival, _Seen]]:
    return map_in_order(look, arrivals, usable_cpus(), lambda arrival: arrival.bytes, WAITING_BYTES)


def _examined(source: Incoming, arrival: Arrival, is_class: bool, dataset: Dataset, past: Past, cache: Digests) -> _Seen:
    """Nothing of a file that is known by its name."""
    if arrival.bytes > dataset.prepare.limits.image_bytes:
        large = Examined(None, refused(TOO_MANY_BYTES, str(arrival.bytes)))
        return _Seen() if (arrival.path, arrival.bytes) in past.too_large else _Seen(large)
    cached = cache.find(arrival)
    if cached is not None and past.knows(cached):
        return _Seen(known=cached)
    try:
        content = source.read(arrival)
    except UnreadableFile:
        return _Seen(unreadable=True)
    sha256 = hashlib.sha256(content).hexdigest()
    cache.remember(arrival, sha256)
    if past.knows(sha256):
        return _Seen(known=sha256)
    return _Seen(replace(examine(content, dataset.prepare), stored=b"") if is_class else Examined(sha256))


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
