"""What a member cares about: newer acts count for more, and in which turns they came for nothing."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ventures.search.embedding import normalised
from ventures.search.preferences import ACTS, HALF_LIFE, Preference, faded
from ventures.vectors.api import Vector

START = datetime(2026, 1, 1, tzinfo=UTC)
NOBODY = UUID(int=1)


def axis(number: int, dimension: int = 4) -> Vector:
    return np.eye(dimension, dtype=np.float32)[number]


def new() -> Preference:
    return Preference(NOBODY, 0.0, START, 0, None)


def test_one_act_is_the_item_and_a_later_one_turns_towards_its_own() -> None:
    preference = new()
    preference.act(1.0, axis(0), START, 1)
    assert preference.vector == pytest.approx(axis(0))
    preference.act(1.0, axis(1), START + HALF_LIFE, 2)
    assert preference.vector is not None
    assert preference.vector[1] == pytest.approx(2 * preference.vector[0])
    assert preference.weight == pytest.approx(np.sqrt(1 + 0.25))


def test_what_was_taken_in_changes_nothing() -> None:
    preference = new()
    preference.act(1.0, axis(0), START, 5)
    held = preference.vector
    preference.act(1.0, axis(1), START, 5)
    preference.act(1.0, axis(1), START, 4)
    preference.forget(START, 5)
    assert preference.vector is held


def test_who_is_gone_begins_anew() -> None:
    preference = new()
    preference.act(1.0, axis(0), START, 1)
    preference.forget(START, 2)
    assert (preference.vector, preference.weight) == (None, 0.0)
    preference.act(0.5, axis(1), START, 3)
    assert preference.vector == pytest.approx(axis(1))


@given(st.lists(st.tuples(st.sampled_from(sorted(ACTS)), st.integers(0, 3), st.integers(0, 100)), min_size=1))
def test_it_is_the_decayed_mean_of_all_acts(acts: list[tuple[str, int, int]]) -> None:
    preference, days, total = new(), 0, np.zeros(4)
    last = sum(after for *_, after in acts)
    for seq, (kind, number, after) in enumerate(acts, 1):
        days += after
        preference.act(ACTS[kind], axis(number), START + timedelta(days=days), seq)
        total += ACTS[kind] * faded(timedelta(days=last - days)) * axis(number)
    assert preference.vector == pytest.approx(normalised(total[None, :])[0], abs=1e-4)
    assert preference.weight == pytest.approx(float(np.linalg.norm(total)), rel=1e-4)


def test_an_act_of_the_future_is_not_worth_more() -> None:
    assert faded(-HALF_LIFE) == 1.0
