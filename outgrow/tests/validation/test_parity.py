"""Parity: every planted difference is found, and no flake is one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outgrow.evidence.parity import Ids
from outgrow.validation.parity import ASKED_AGAIN, Compared, SuiteRun, compared, parity_check, to_ask_again

TEXTS = {f"q{n}": f"GET /q{n}" for n in range(40)}
SAME: dict[str, Ids] = {each: (f"{each} a", f"{each} b") for each in TEXTS}


def flaky(rng: np.random.Generator, share: float) -> dict[str, Ids]:
    """A pass in which some answers are an empty one."""
    return {each: () if rng.random() < share else ids for each, ids in SAME.items()}


def asked(old: list[dict[str, Ids]], new: list[dict[str, Ids]]) -> Compared:
    """As they are asked: two passes of the old one, one of the new one, and what differs again."""
    olds, news = old[:2], new[:1]
    again = to_ask_again(olds, news)
    for each in range(ASKED_AGAIN):
        olds.append({name: old[2 + each][name] for name in again})
        news.append({name: new[1 + each][name] for name in again})
    return compared(TEXTS, olds, news)


def test_equal_answers_are_the_same() -> None:
    found = asked([SAME] * 5, [SAME] * 4)
    assert (found.same, found.differences, found.unsteady, found.now_and_then) == (40, (), (), ())
    assert parity_check(found, (), 0.95).ok is True


@given(st.sets(st.sampled_from(sorted(TEXTS)), min_size=1), st.sampled_from(["order", "ids", "gone"]))
def test_every_planted_difference_is_found_with_its_request(planted: set[str], how: str) -> None:
    other = {"order": lambda ids: ids[::-1], "ids": lambda ids: (*ids[:1], "other"), "gone": lambda ids: ()}[how]
    new = {each: other(ids) if each in planted else ids for each, ids in SAME.items()}
    found = asked([SAME] * 5, [new] * 4)
    assert {each.request for each in found.differences} == planted
    assert {each.text for each in found.differences} == {TEXTS[each] for each in planted}
    assert {each.how for each in found.differences} == {"other order" if how == "order" else "other ids"}
    check = parity_check(found, (), 0.95)
    assert check.ok is False
    assert len(check.evidence["answers"]["differences"]) == len(planted)


def test_a_service_that_flakes_alike_before_and_after_is_never_called_different() -> None:
    wrong = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        found = asked([flaky(rng, 0.1) for _ in range(5)], [flaky(rng, 0.1) for _ in range(4)])
        assert found.unsteady
        assert len(found.differences) <= 1
        wrong += parity_check(found, (), 0.95).ok is False
    assert wrong <= 0.05 * 300


def test_a_difference_among_flakes_is_found() -> None:
    rng = np.random.default_rng(4)
    new = [{**flaky(rng, 0.1), "q7": ("wrong",)} for _ in range(4)]
    found = asked([{**flaky(rng, 0.1), "q7": SAME["q7"]} for _ in range(5)], new)
    assert [each.request for each in found.differences] == ["q7"]


def test_a_new_service_that_alone_flakes_is_not_ok() -> None:
    rng = np.random.default_rng(5)
    often = asked([SAME] * 5, [flaky(rng, 0.3) for _ in range(4)])
    assert parity_check(often, (), 0.95).ok is False
    once = asked([SAME] * 5, [{**SAME, "q3": ()}, SAME, SAME, SAME])
    assert (once.now_and_then, parity_check(once, (), 0.95).ok) == (("GET /q3",), None)


def test_where_the_old_one_never_answers_itself_the_same_nothing_is_told() -> None:
    rng = np.random.default_rng(6)
    passes = [{each: (str(rng.random()),) for each in TEXTS} for _ in range(9)]
    check = parity_check(asked(passes[:5], passes[5:]), (), 0.95)
    assert check.ok is None
    assert "40 of 40 requests otherwise itself" in check.sentence


@pytest.mark.parametrize(("recall", "ok"), [(0.95, True), (0.94, False)])
def test_where_right_answers_are_known_recall_decides(recall: float, ok: bool) -> None:
    texts = {str(n): str(n) for n in range(100)}
    right = {each: (each,) for each in texts}
    news = {each: (each,) if int(each) < 100 * recall else () for each in texts}
    found = compared(texts, [right, right], [news], right)
    check = parity_check(found, (), 0.95)
    assert (check.ok, found.recall_after) == (ok, pytest.approx(recall))
    assert len(found.differences) == 100 - 100 * recall


@pytest.mark.parametrize(
    ("old", "new", "ok", "words"),
    [
        (0, 0, True, "passes against new"),
        (1, 0, True, "though not against old"),
        (0, 2, False, "fails against new (code 2) and passes against old"),
        (1, 1, None, "fails against both"),
        (0, None, None, "did not end by itself"),
    ],
)
def test_the_suite_counts_as_the_answers_do(old: int, new: int | None, ok: bool | None, words: str) -> None:
    runs = (SuiteRun("old", "", old), SuiteRun("new", "", new, why_not="" if new is not None else "it hung"))
    check = parity_check(None, runs, 0.95)
    assert check.ok is ok
    assert words in check.sentence
    same = asked([SAME] * 5, [SAME] * 4)
    assert parity_check(same, runs, 0.95).ok is ok
    assert parity_check(None, runs, 0.95, "old is gone").ok is (False if ok is False else None)


def test_nothing_compared_is_not_ok() -> None:
    check = parity_check(None, (), 0.95)
    assert check.ok is None
    assert "nothing was compared" in check.sentence
