"""A checkpoint comes back exactly as it was saved, or not at all."""

from pathlib import Path

import numpy as np
import pytest
from miniature import damaged

from edgeloop.training.checkpoint import BestScore, State, load, save


def state() -> State:
    rng = np.random.default_rng(1)
    return State(
        phase=1, epoch=3, since_best=2, phase_best=BestScore(0.5, 1.25, 4), best=BestScore(0.75, 1.0, 2), resumed=1,
        history=[{"epoch": 1, "mode": "head", "val_accuracy": 0.75}, {"epoch": 2, "mode": "full", "val_accuracy": 0.5}],
        network=[rng.normal(size=(3, 4)).astype(np.float32), np.arange(5)],
        trainer=[rng.normal(size=2), np.asarray(17)] * 6,
        best_weights=[rng.normal(size=(2, 2)).astype(np.float32)],
    )  # fmt: skip


def same(left: State, right: State) -> bool:
    arrays = ("network", "trainer", "best_weights")
    plain = all(value == getattr(right, name) for name, value in vars(left).items() if name not in arrays)
    pairs = [pair for name in arrays for pair in zip(getattr(left, name), getattr(right, name), strict=True)]
    return plain and all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in pairs)


def test_a_state_comes_back_as_it_was(tmp_path: Path) -> None:
    save(state(), tmp_path / "a" / "state.state")
    found = load(tmp_path / "a" / "state.state")
    assert found is not None
    assert same(found, state())


def test_a_fresh_state_comes_back_too(tmp_path: Path) -> None:
    save(State(), tmp_path / "state.state")
    assert load(tmp_path / "state.state") == State()


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04"])
def test_what_is_no_checkpoint_counts_as_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "state.state").write_bytes(content)
    assert load(tmp_path / "state.state") is None
    assert load(tmp_path / "absent.state") is None


def test_a_damaged_checkpoint_counts_as_none_or_is_whole(tmp_path: Path) -> None:
    path, rng, refused = tmp_path / "state.state", np.random.default_rng(1), 0
    save(state(), path)
    content = path.read_bytes()
    for _ in range(300):
        path.write_bytes(damaged(content, rng))
        found = load(path)
        refused += found is None
        assert found is None or path.read_bytes() == content
    assert refused > 200


def test_the_best_is_by_accuracy_then_by_loss() -> None:
    best = BestScore(0.5, 1.0, 1)
    assert best.beaten_by(0.6, 9.0)
    assert best.beaten_by(0.5, 0.9)
    assert not best.beaten_by(0.5, 1.0)
    assert not best.beaten_by(0.4, 0.1)
    assert BestScore().beaten_by(0.0, 9.0)
