"""Laws of what is moved and of what is said about it."""

from __future__ import annotations

import re
from itertools import islice
from uuid import UUID

import pytest

from benchmarks.platform import moving, moving_watch
from benchmarks.platform.moving_population import Crowd, laid_passages
from benchmarks.platform.moving_report import Moved, Timed, seconds_of
from ventures.population import grammar
from ventures.population.shape import items_for, venture_id

CROWDS = (moving.MILLION, moving.SHARED, moving.SMALL, moving.SMALL_SHARED)


@pytest.mark.parametrize("crowd", CROWDS)
def test_a_crowd_has_as_many_passages_as_it_says_and_no_venture_fewer_than_the_platform_writes(crowd: Crowd) -> None:
    assert len(crowd.wanted) == crowd.ventures
    assert sum(crowd.wanted) == pytest.approx(crowd.passages, rel=0.02)
    assert all(wanted >= written for wanted, written in zip(crowd.wanted, crowd.written, strict=True))


def test_what_is_laid_are_other_texts_than_what_the_platform_wrote() -> None:
    venture, known = venture_id(1, 3), 40
    first = items_for(1, 3, known)
    written = {part for item in range(first) for part in grammar.body(1, 3, item).split("\n\n")}
    laid = list(laid_passages(1, 3, venture, first, 100))
    assert len(laid) == 100 == len({one.id for one in laid}) == len({one.text for one in laid})
    assert not written & {one.text for one in laid}
    assert list(islice(laid_passages(1, 3, venture, first, 100), 60)) == list(laid_passages(1, 3, venture, first, 60))


def test_a_reason_is_told_without_whom_and_how_much_it_is_about() -> None:
    said = f"{UUID(int=7)}: buckets is 12 positions behind (0.4 s)"
    assert moving.general(said) == moving.general(said.replace("12", "4").replace("0.4", "11.25"))
    assert not re.search(r"\d", moving.general(said))


def test_the_move_lasts_from_create_to_switch() -> None:
    move = Moved("tuned", "buckets", 30, 1_000, {}, 5.0)
    move.commands = [Timed(one, 2.0, 0, "") for one in ("create", "start", "start", "switch --all", "reverse --wave 3")]
    assert seconds_of(move) == 8.0


def test_when_a_store_answered_first_is_told_from_counts() -> None:
    def look(at: float, old: float, new: float) -> moving_watch.Look:
        return moving_watch.Look(at, {("old", "index"): old, ("new", "index"): new}, 0.0, {})

    looks = [look(1, 5, 0), look(2, 7, 0), look(3, 9, 1), look(4, 9, 6), look(5, 9, 8)]
    assert moving_watch.first_rise(looks, "new") == 3
    assert moving_watch.first_rise(looks, "third") is None
