"""Every order in which the steps of a small move can happen; the long cases are in ``benchmarks/interleavings.py``."""

from __future__ import annotations

import pytest

from benchmarks.interleavings import BROKEN, CASES, WISHES, Case, troubled
from benchmarks.small_worlds import naive
from benchmarks.small_worlds.filling import FillingDesign
from benchmarks.small_worlds.filling import explore as explore_filling


def named(case: Case) -> str:
    return " - ".join((case.broken or case.kind, WISHES[case.goals], troubled(case.trouble)))


@pytest.mark.parametrize("case", [case for case in CASES if case.fast], ids=named)
def test_no_order_loses_a_write_and_each_leads_to_an_end(case: Case) -> None:
    found = case.explore()
    assert found.ends > 0
    assert (found.bad, found.stuck) == (0, 0), found.example


@pytest.mark.parametrize("case", [case for case in BROKEN if case.fast], ids=named)
def test_without_any_one_rule_some_order_loses_a_write(case: Case) -> None:
    assert case.explore().bad > 0


def test_a_move_by_filling_never_shows_less_than_before() -> None:
    bad, ends, _ = explore_filling(FillingDesign(), ("switched", "completed"))
    assert (bad, ends > 0) == (0, True)


@pytest.mark.parametrize("broken", [FillingDesign(asks=False), FillingDesign(gated=False)], ids=str)
def test_without_any_one_rule_of_filling_some_order_shows_less(broken: FillingDesign) -> None:
    assert explore_filling(broken, ("switched",))[0] > 0


def test_of_the_ways_to_keep_a_copy_only_the_outbox_survives() -> None:
    worst = {name: naive.explore(way, 1, 1, late=True)[0] for name, way in naive.WAYS.items()}
    assert [name for name, bad in worst.items() if bad == 0] == ["outbox, version gate, tombstones"]
