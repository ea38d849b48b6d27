"""The learning rate: warms up in even steps, then follows a half cosine to zero, or stays."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeloop.config import Phase
from edgeloop.training.schedule import learning_rate

STEPS = st.integers(1, 50)


def phase(epochs: int = 10, **values: Any) -> Phase:
    return Phase.model_validate({"mode": "full", "epochs": epochs, "learning_rate": 0.01} | values)


def rates(given_phase: Phase, steps: int) -> list[float]:
    return [learning_rate(given_phase, step, steps) for step in range(given_phase.epochs * steps)]


@given(st.integers(1, 20), STEPS, st.integers(0, 25), st.sampled_from(["cosine", "constant"]))
def test_it_is_never_above_the_rate_and_never_below_zero(epochs: int, steps: int, warmup: int, decay: str) -> None:
    assert all(0 <= rate <= 0.01 for rate in rates(phase(epochs, warmup_epochs=warmup, decay=decay), steps))


@given(st.integers(1, 5), STEPS)
def test_it_rises_evenly_to_the_rate_while_it_warms_up(warmup: int, steps: int) -> None:
    found = rates(phase(warmup_epochs=warmup), steps)[: warmup * steps]
    assert found == pytest.approx([0.01 * (step + 1) / (warmup * steps) for step in range(warmup * steps)])


@given(st.integers(0, 5), STEPS)
def test_after_the_warm_up_a_cosine_only_falls_and_ends_near_zero(warmup: int, steps: int) -> None:
    found = rates(phase(warmup_epochs=warmup), steps)[warmup * steps :]
    assert found == sorted(found, reverse=True)
    assert found[0] == pytest.approx(0.01)
    assert found[-1] < 0.01 if len(found) < 10 else found[-1] < 0.001


def test_half_way_through_the_cosine_it_is_half() -> None:
    assert learning_rate(phase(10), 50, 10) == pytest.approx(0.005)
    assert learning_rate(phase(12, warmup_epochs=2), 70, 10) == pytest.approx(0.005)


@given(STEPS)
def test_a_constant_rate_stays(steps: int) -> None:
    assert set(rates(phase(decay="constant"), steps)) == {0.01}
