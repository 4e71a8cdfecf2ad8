"""Laws of the weighing: only proportions matter, dominance always wins, a flip is where another option takes over."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from outgrow.decisions.criteria import weigh
from outgrow.decisions.records import CRITERIA, Weighing
from outgrow.points.declaration import Criteria, Option, Scores

points = st.integers(1, 5)
scores = st.builds(Scores, **dict.fromkeys(CRITERIA, points))
weights = st.builds(Criteria, **dict.fromkeys(CRITERIA, st.integers(0, 10).map(float))).filter(
    lambda criteria: any(criteria.model_dump().values())
)


def option(name: str, given: Scores | None) -> Option:
    return Option(id=name, effort_weeks=(1, 2), scores=given)


def of(*values: int) -> Scores:
    return Scores(**dict(zip(CRITERIA, values, strict=True)))


def weighted(*values: float) -> Criteria:
    return Criteria(**dict(zip(CRITERIA, values, strict=True)))


@st.composite
def options(draw: st.DrawFn) -> tuple[Option, ...]:
    return tuple(option(name, draw(scores)) for name in "ABCD"[: draw(st.integers(2, 4))])


def ids(all_options: tuple[Option, ...]) -> tuple[str, ...]:
    return tuple(each.id for each in all_options)


def with_weight(criteria: Criteria, name: str, share: float) -> Criteria:
    """One criterion at a share of 1, the others kept in proportion."""
    given = criteria.model_dump()
    others = sum(value for key, value in given.items() if key != name)
    return Criteria(
        **{
            key: share if key == name else (1 - share) * (value / others if others else 0.25)
            for key, value in given.items()
        }
    )


def test_the_template_s_first_point() -> None:
    a, b = option("A", of(4, 4, 4, 4, 3)), option("B", of(3, 2, 4, 2, 5))
    found = weigh((a, b), Criteria(), ("A", "B"))
    assert (found.best, dict(found.scores)) == ("A", pytest.approx({"A": 3.8, "B": 3.2}))
    flips = {flip.criterion: (flip.flips_at, flip.to) for flip in found.flips}
    assert flips["future_flexibility"] == (pytest.approx(5 / 13), "B")  # x·2 = (1 − x)·5/4
    assert all(flips[name] == (None, None) for name in CRITERIA[:4])
    assert found.holds_in_ratio is not None
    assert 0.8 < found.holds_in_ratio < 0.9


@given(options(), weights, st.sampled_from([0.001, 0.1, 0.5, 3.0, 7.0, 1e6, 1e307]))
def test_scaling_all_weights_changes_nothing(found: tuple[Option, ...], criteria: Criteria, factor: float) -> None:
    scaled = Criteria(**{name: weight * factor for name, weight in criteria.model_dump().items()})
    one, other = weigh(found, criteria, ids(found)), weigh(found, scaled, ids(found))
    assert (one.best, [name for name, _ in one.scores]) == (other.best, [name for name, _ in other.scores])
    assert [(flip.criterion, flip.to) for flip in one.flips] == [(flip.criterion, flip.to) for flip in other.flips]
    assert one.holds_in_ratio == other.holds_in_ratio


@given(
    scores.map(lambda one: Scores(**{k: max(2, v) for k, v in one})), st.lists(scores, min_size=1, max_size=3), weights
)
def test_an_option_that_is_better_in_everything_always_wins(
    best: Scores, others: list[Scores], criteria: Criteria
) -> None:
    lower = [
        Scores(**{k: max(1, min(v, getattr(best, k) - 1)) for k, v in each.model_dump().items()}) for each in others
    ]
    all_options = (*(option(name, each) for name, each in zip("BCD", lower, strict=False)), option("A", best))
    found = weigh(all_options, criteria, ids(all_options))
    assert found.best == "A"
    assert all(flip.flips_at is None and flip.to is None for flip in found.flips)
    assert found.holds_in_ratio == 1.0


@settings(max_examples=40)
@given(options(), weights)
def test_a_flip_is_where_another_option_takes_over(found: tuple[Option, ...], criteria: Criteria) -> None:
    weighing = weigh(found, criteria, ids(found))
    assume(weighing.best is not None)
    for flip in weighing.flips:
        if flip.flips_at is None:
            for share in (0.0, 0.25, 0.5, 0.75, 1.0):
                then = weigh(found, with_weight(criteria, flip.criterion, share), ids(found))
                assert then.best in (weighing.best, None)
            continue
        beyond = 1e-6 if flip.flips_at > flip.weight else -1e-6
        before = with_weight(criteria, flip.criterion, flip.flips_at - beyond)
        after = with_weight(criteria, flip.criterion, flip.flips_at + beyond)
        assert weigh(found, before, ids(found)).best == weighing.best
        after_best = weigh(found, after, ids(found))
        assert after_best.best in (flip.to, None)
        top = dict(after_best.scores)
        assert flip.to is not None
        assert top[flip.to] == pytest.approx(max(top.values()))
        assert top[flip.to] > top[str(weighing.best)]


@given(options(), weights)
def test_weights_are_shares_of_one(found: tuple[Option, ...], criteria: Criteria) -> None:
    weighing = weigh(found, criteria, ids(found))
    assume(weighing.best is not None)
    assert sum(flip.weight for flip in weighing.flips) == pytest.approx(1)
    assert [flip.criterion for flip in weighing.flips] == list(CRITERIA)


@given(st.tuples(*[points] * 5), weights)
def test_a_tie_is_a_tie(values: tuple[int, ...], criteria: Criteria) -> None:
    same = (option("A", of(*values)), option("B", of(*values)))
    found = weigh(same, criteria, ("A", "B"))
    assert (found.best, found.flips, found.holds_in_ratio) == (None, (), None)


def test_a_tie_that_rounding_hides_is_a_tie() -> None:
    """Both means are 5.0 / 1.9; a computer sees a difference of 4e-16."""
    a, b = option("A", of(1, 2, 4, 3, 4)), option("B", of(3, 3, 1, 4, 2))
    found = weigh((a, b), weighted(0.4, 0.5, 0.5, 0.4, 0.1), ("A", "B"))
    assert len(set(dict(found.scores).values())) == 2
    assert found.best is None


def test_only_eligible_options_win_and_all_are_shown() -> None:
    tune, a, b = option("tune", of(5, 5, 5, 5, 5)), option("A", of(2, 2, 2, 2, 2)), option("B", of(1, 1, 1, 1, 1))
    found = weigh((tune, a, b), Criteria(), ("A", "B"))
    assert found.best == "A"
    assert [name for name, _ in found.scores] == ["tune", "A", "B"]


def test_nobody_wins_while_an_eligible_option_has_no_scores() -> None:
    found = weigh((option("A", of(5, 5, 5, 5, 5)), option("B", None)), Criteria(), ("A", "B"))
    assert (found.best, found.missing, [name for name, _ in found.scores]) == (None, ("B",), ["A"])
    assert weigh((), Criteria(), ()) == Weighing((), (), None, ())


def test_one_weight_alone_can_carry_everything() -> None:
    a, b = option("A", of(5, 1, 1, 1, 1)), option("B", of(1, 2, 2, 2, 2))
    found = weigh((a, b), weighted(1, 0, 0, 0, 0), ("A", "B"))
    assert found.best == "A"
    assert found.flips[0].flips_at == pytest.approx(0.2)  # x·4 = (1 − x)·1
    assert found.flips[1].flips_at == pytest.approx(0.8)


def test_a_share_of_all_weightings_is_that_of_the_simplex() -> None:
    """A wins where w₀ > w₁ + w₂ + w₃ + w₄, that is above one half: (1 − ½)⁴."""
    a, b = option("A", of(2, 1, 1, 1, 1)), option("B", of(1, 2, 2, 2, 2))
    found = weigh((a, b), weighted(9, 1, 1, 1, 1), ("A", "B"))
    assert found.holds_in_ratio == pytest.approx(0.5**4, abs=0.006)


def test_without_weights_nothing_can_be_weighed() -> None:
    with pytest.raises(ValueError, match="at least one weight"):
        weigh((), weighted(0, 0, 0, 0, 0), ())
