"""Whether an arm answers rightly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outgrow.evidence.parity import parity, recall_of

RIGHT = {"q1": ("a", "b"), "q2": ("c", "d"), "q3": ()}
TEXTS = {each: f"who wrote {each}?" for each in RIGHT}
ids = st.lists(st.sampled_from("abcdef"), unique=True, max_size=6).map(tuple)


def test_the_right_answers_in_another_order_are_the_right_answers() -> None:
    found = parity({"q1": ("b", "a"), "q2": ("c", "d"), "q3": ()}, RIGHT, RIGHT, TEXTS, 0.95)
    assert (found.recall, found.same, found.why_not) == (1.0, 1.0, "")


def test_a_wrong_answer_is_named_with_the_request_at_its_worst() -> None:
    found = parity({**RIGHT, "q2": ("x", "y")}, RIGHT, RIGHT, TEXTS, 0.95)
    assert found.recall == pytest.approx(2 / 3)
    assert found.same == pytest.approx(2 / 3)
    assert found.why_not == (
        "it found 66.6 % of the right answers, and 95 % is asked for; at its worst 0 %, of 'who wrote q2?'"
    )


def test_shares_are_cut_and_never_rounded_up_to_what_is_asked_for() -> None:
    texts = {str(number): "q" for number in range(2000)}
    right = dict.fromkeys(texts, ("a",))
    answers = {**right, **{str(number): ("x",) for number in range(101)}}  # 94.95 %
    assert "it found 94.9 % of" in parity(answers, right, right, texts, 0.95).why_not


def test_a_missing_answer_finds_nothing() -> None:
    found = parity({"q1": ("a", "b")}, RIGHT, RIGHT, {"q1": "?", "q2": "?"}, 0.9)
    assert (found.recall, found.same) == (0.5, 0.5)


def test_finding_what_is_not_there_is_wrong() -> None:
    assert recall_of(("somebody else's",), ()) == 0.0
    assert recall_of((), ()) == 1.0


def test_finding_everything_is_no_way_to_find_what_is_right() -> None:
    assert recall_of(("x", "y", "a", "b"), ("a", "b")) == 0.0


def test_an_arm_may_be_right_where_the_baseline_is_wrong() -> None:
    found = parity(RIGHT, {**RIGHT, "q1": ("a", "x")}, RIGHT, TEXTS, 0.95)
    assert found.why_not == ""
    assert found.recall == 1.0
    assert found.same == pytest.approx(2 / 3)


def test_where_nobody_knows_what_is_right_the_baseline_counts() -> None:
    found = parity({**RIGHT, "q1": ("a", "x")}, RIGHT, None, TEXTS, 0.95)
    assert "of what the baseline finds" in found.why_not


def test_nothing_asked_is_nothing_known() -> None:
    assert parity({}, {}, {}, {}, 0.95).recall is None


@given(ids, ids)
def test_recall_is_a_share_and_whole_only_where_all_is_found(found: tuple[str, ...], right: tuple[str, ...]) -> None:
    recall = recall_of(found, right)
    assert 0 <= recall <= 1
    if right:
        assert (recall == 1) == (set(right) <= set(found[: len(right)]))
