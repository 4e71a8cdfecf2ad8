"""Laws of the shape: as many as were asked for, skewed, and a larger population contains the smaller one."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ventures.population.shape import (
    Plan,
    account_id,
    email,
    items_for,
    joinings,
    joinings_of,
    passages_of_item,
    sizes,
    venture_id,
)

plans = st.builds(Plan, users=st.integers(1, 400), seed=st.integers(0, 100), passages_per_user=st.integers(1, 40))


@given(plans)
def test_as_many_passages_as_asked_for_in_ventures_of_skewed_sizes(plan: Plan) -> None:
    found = sizes(plan)
    assert len(found) == plan.count
    assert found == sorted(found, reverse=True)
    assert min(found) >= 1
    assert plan.passages - plan.count <= sum(found) <= plan.passages + 2 * plan.count


def test_two_thousand_users_have_fifteen_hundred_ventures() -> None:
    plan = Plan(users=2000)
    assert plan.count == 1500
    assert sizes(plan)[0] == pytest.approx(2332, rel=0.02)
    assert Plan(users=2000, ventures=300).count == 300
    assert Plan(users=10, ventures=25).count == 25


@given(plans)
def test_every_venture_has_one_owner_and_nobody_belongs_twice(plan: Plan) -> None:
    found = list(joinings(plan))
    owners = [one.venture for one in found if one.role == "owner"]
    assert sorted(owners) == list(range(plan.count))
    assert max(Counter((one.venture, one.user) for one in found).values()) == 1
    assert {one.user for one in found} == set(range(plan.users))


@given(plans, st.integers(0, 200))
def test_a_larger_population_contains_the_smaller_one(plan: Plan, more: int) -> None:
    larger = Plan(users=plan.users + more, seed=plan.seed, passages_per_user=plan.passages_per_user)
    for user in range(plan.users):
        assert list(joinings_of(plan, user)) == list(joinings_of(larger, user))
    assert all(mine <= theirs for mine, theirs in zip(sizes(plan), sizes(larger), strict=False))


@given(st.integers(0, 100), st.integers(0, 1000), st.integers(1, 300))
def test_items_are_just_enough(seed: int, venture: int, passages: int) -> None:
    count = items_for(seed, venture, passages)
    lengths = [passages_of_item(seed, venture, item) for item in range(count)]
    assert sum(lengths) >= passages > sum(lengths[:-1])


def test_ids_and_addresses_are_of_a_seed() -> None:
    assert account_id(1, 2) == account_id(1, 2) != account_id(2, 2)
    assert venture_id(1, 2) != account_id(1, 2)
    assert email(3, 4) == "user4.seed3@population.example"
