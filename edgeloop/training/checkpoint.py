"""A training's state after an epoch, on disk: complete or absent, and only ever read by the same training."""

import dataclasses
import hashlib
import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edgeloop.files import write_bytes
from edgeloop.training.loop import Arrays


@dataclass
class BestScore:
    """The best score on the held-out images so far: by accuracy, then by lower loss."""

    accuracy: float = -1.0
    loss: float = float("inf")
    epoch: int = 0
    """Counted over all phases, from 1."""

    def beaten_by(self, accuracy: float, loss: float) -> bool:
        return (accuracy, -loss) > (self.accuracy, -self.loss)


@dataclass
class State:
    """Where a training stands. Arrays: weights of the network at the start of the phase and of the last phase, trainer state, best
    weights."""

    phase: int = 0
    epoch: int = 0
    """Epochs done in the phase."""
    since_best: int = 0
    phase_best: BestScore = field(default_factory=BestScore)
    best: BestScore = field(default_factory=BestScore)
    history: list[dict[str, Any]] = field(default_factory=list)
    resumed: int = 0
    shared: int = 0
    """Epochs of an earlier fit that this one goes on from."""
    network: Arrays = field(default_factory=list)
    before_last_phase: Arrays = field(default_factory=list)
    trainer: Arrays = field(default_factory=list)
    best_weights: Arrays = field(default_factory=list)

    @property
    def epochs(self) -> int:
        """Behind it, of all phases."""
        return self.shared + len(self.history)

    def branch(self) -> "State":
        """The state of a fit that goes on from where this one stood before its last phase."""
        last = self.history[-1]["phase"]
        return State(
            phase=last,
            shared=self.shared + sum(row["phase"] < last for row in self.history),
            network=self.before_last_phase,
        )


_ARRAYS = ("network", "before_last_phase", "trainer", "best_weights")
_DIGEST_BYTES = hashlib.sha256().digest_size


def save(state: State, path: Path) -> None:
    """Write the state atomically: the SHA-256 of an `.npz`, then the `.npz`."""
    arrays = {f"{name}.{index}": array for name in _ARRAYS for index, array in enumerate(getattr(state, name))}
    plain = {name: value for name, value in _plain(state).items() if name not in _ARRAYS}
    stored = io.BytesIO()
    np.savez(stored, plain=np.frombuffer(json.dumps(plain).encode(), np.uint8), **arrays)
    write_bytes(path, hashlib.sha256(stored.getbuffer()).digest() + stored.getvalue())


def load(path: Path) -> State | None:
    """The state that was saved, or None when there is none or it is damaged (the training then starts anew)."""
    if not path.is_file():
        return None
    content = path.read_bytes()
    digest, stored = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    return _parsed(stored) if hashlib.sha256(stored).digest() == digest else None


def _parsed(content: bytes) -> State:
    with np.load(io.BytesIO(content)) as stored:
        plain = json.loads(stored["plain"].tobytes())
        lists = {
            name: [stored[f"{name}.{index}"] for index in range(sum(key.startswith(f"{name}.") for key in stored.files))]
            for name in _ARRAYS
        }
    plain["phase_best"], plain["best"] = BestScore(**plain["phase_best"]), BestScore(**plain["best"])
    state = State(**plain)
    for name, arrays in lists.items():
        setattr(state, name, arrays)
    return state


def _plain(state: State) -> dict[str, Any]:
    values = {item.name: getattr(state, item.name) for item in dataclasses.fields(state)}
    return values | {"phase_best": dataclasses.asdict(state.phase_best), "best": dataclasses.asdict(state.best)}
