"""Laws of what is moved and of what is said about it."""

from __future__ import annotations

import argparse
import re
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from benchmarks.moves import moving, watch
from benchmarks.moves.answers import Answers
from benchmarks.moves.moving_report import Moved, Timed, seconds_of, shown, written
from benchmarks.moves.population import Crowd, laid_passages
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
    def look(at: float, old: float, new: float) -> watch.Look:
        return watch.Look(at, {("old", "index"): old, ("new", "index"): new}, 0.0, {})

    looks = [look(1, 5, 0), look(2, 7, 0), look(3, 9, 1), look(4, 9, 6), look(5, 9, 8)]
    assert watch.first_rise(looks, "new") == 3
    assert watch.first_rise(looks, "third") is None


def load(p95: float | None) -> dict[str, Any]:
    whole = {"p50_seconds": p95, "p95_seconds": p95, "p99_seconds": p95, "max_seconds": 0.1}
    return {
        "steps": [{"offered_per_second": 50.0, "dropped": 0}],
        "whole": whole,
        "errors": {"search 503": 2},
        "accuracy": {"foreign": 0, "answered_by": {"index": 9, "exact": 1}},
    }


def test_a_whole_measurement_is_written_and_one_that_lacks_parts_too(tmp_path: Path) -> None:
    whole = Moved("tuned", "buckets", 30, 1_000, {"filled_seconds": 4.0, "resident_bytes": 1e9}, 5.0)
    whole.commands = [Timed("create", 1.0, 0, ""), Timed("start", 2.0, 0, "", {"a venture is N behind": 3})]
    whole.loads = {phase: {"people": load(0.01), "searches": load(None)} for phase in ("before", "during", "reverse")}
    whole.watched = {
        "flips": 30,
        "first_by_target_seconds": None,
        "most_index_bytes": 2e9,
        "cores": {"api": 0.2},
        "answered": {"buckets by index": 4.0},
    }
    whole.answers = Answers(400, 399, 1.0, 0.998, 0, 2)
    lacking = Moved("shared", "buckets", 30, 50, {"filled_seconds": 4.0, "resident_bytes": 1e9}, 5.0)
    text = written([whole, lacking], argparse.Namespace(rate=50.0, searches=10.0), tmp_path).read_text()
    assert "a venture is N behind (3)" in text
    assert "2 × search 503" in text
    assert "9 index, 1 exact" in text
    shown(whole)
    shown(lacking)
