"""Money against operating: what is unknown stays unknown, and the break-even is where both are even."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outgrow.decisions.variants import VariantsWeighed, weigh_variants
from outgrow.points.declaration import Cost, Costs, Criteria, Option, Scores, Variant

CLUSTER: dict[str, Any] = {"monthly_cost": Cost(fixed=500, per_user=0.1), "operating_hours": 20}
MANAGED: dict[str, Any] = {"monthly_cost": Cost(fixed=1500, per_user=0.1), "operating_hours": 2}
PRICED = Costs(person_week=2000)  # 50 an hour
FIVES = Scores(operational_simplicity=5, learning_curve=5, community_support=5, rollback_safety=5, future_flexibility=5)


def weighed(
    option: dict[str, Any] = CLUSTER, variant: dict[str, Any] = MANAGED, costs: Costs = PRICED
) -> VariantsWeighed:
    managed = Variant(id="managed", title="Managed service", **variant)
    return weigh_variants(
        Option(id="B", title="Own cluster", effort_weeks=(6, 8), variants=(managed,), **option), Criteria(), costs, 2000
    )


def test_hours_saved_pay_for_a_dearer_bill_up_to_their_price() -> None:
    found = weighed()
    itself, managed = found.editions
    assert (itself.bill, itself.operating_cost, itself.total) == (700, 1000, 1700)
    assert (managed.bill, managed.operating_cost, managed.total) == (1700, 100, 1800)
    (even,) = found.break_evens
    assert (even.hours_saved, even.may_cost_more, even.costs_more, even.cheaper) == (18, 900, 1000, False)
    assert found.cheapest == "B"
    assert even.sentence == (
        "Managed service saves 18 hours of operating a month, so it may cost 900 USD a month more; it costs 1,000 USD "
        "more: it does not pay."
    )


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 3000), st.integers(0, 3000), st.integers(0, 4000))
def test_the_break_even_is_where_the_totals_are_equal(own: int, theirs: int, bill: int, more: int, week: int) -> None:
    found = weighed(
        {"monthly_cost": Cost(fixed=bill, per_user=0), "operating_hours": own},
        {"monthly_cost": Cost(fixed=more, per_user=0), "operating_hours": theirs},
        Costs(person_week=week),
    )
    itself, managed = found.editions
    assert itself.total is not None
    assert managed.total is not None
    (even,) = found.break_evens
    assert even.may_cost_more is not None
    assert even.costs_more is not None
    assert even.costs_more - even.may_cost_more == pytest.approx(managed.total - itself.total, abs=1e-6)
    if abs(managed.total - itself.total) > 1e-6:
        assert even.cheaper is (managed.total < itself.total)
        assert found.cheapest == ("managed" if even.cheaper else "B")


@pytest.mark.parametrize(
    ("option", "variant", "costs", "missing"),
    [
        (CLUSTER, MANAGED, Costs(), ("costs: person_week",)),
        (CLUSTER | {"operating_hours": "unknown"}, MANAGED, PRICED, ("operating_hours of B",)),
        (CLUSTER, MANAGED | {"operating_hours": "unknown"}, PRICED, ("operating_hours of managed",)),
        (CLUSTER | {"monthly_cost": "unknown"}, MANAGED, PRICED, ("monthly_cost of B",)),
        (CLUSTER, MANAGED | {"monthly_cost": Cost(fixed=1500)}, PRICED, ("monthly_cost of managed",)),
        (CLUSTER, MANAGED | {"monthly_cost": Cost(per_user=1)}, PRICED, ("monthly_cost of managed",)),
    ],
)
def test_what_is_unknown_is_unknown_and_never_zero(
    option: dict[str, Any], variant: dict[str, Any], costs: Costs, missing: tuple[str, ...]
) -> None:
    found = weighed(option, variant, costs)
    (even,) = found.break_evens
    assert (even.cheaper, even.missing, found.cheapest) == (None, missing, None)
    assert all(part in even.sentence for part in missing)
    assert "unknown" in even.sentence


def test_the_break_even_is_known_before_the_bills_are() -> None:
    (even,) = weighed(CLUSTER, MANAGED | {"monthly_cost": "unknown"}).break_evens
    assert (even.may_cost_more, even.costs_more) == (900, None)
    assert "may cost 900 USD a month more; whether it does is unknown" in even.sentence


def test_the_known_part_of_a_bill_is_kept_apart_from_the_bill() -> None:
    managed = weighed(CLUSTER, MANAGED | {"monthly_cost": Cost(fixed=1500)}).editions[1]
    assert (managed.bill, managed.known_bill, managed.total) == (None, 1500, None)


def test_a_variant_that_takes_more_hours_must_cost_less() -> None:
    (even,) = weighed(MANAGED, CLUSTER).break_evens
    assert (even.hours_saved, even.may_cost_more, even.costs_more, even.cheaper) == (-18, -900, -1000, True)
    assert "takes 18 hours of operating a month more, so it must cost 900 USD a month less" in even.sentence
    assert even.sentence.endswith("it costs 1,000 USD less: it pays.")


def test_scores_are_compared_where_all_are_known() -> None:
    fours = FIVES.model_copy(update={"learning_curve": 4})
    assert weighed(CLUSTER | {"scores": fours}, MANAGED | {"scores": FIVES}).best_scored == "managed"
    assert weighed(CLUSTER | {"scores": FIVES}, MANAGED | {"scores": FIVES}).best_scored is None
    assert weighed(CLUSTER | {"scores": FIVES}).best_scored is None
