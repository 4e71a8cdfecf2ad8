"""Laws of the fused rank."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ventures.search.ranking import Found, K, best_by_item, fused, in_order, together


def passage(item: int, place: int) -> UUID:
    return UUID(int=item * 100 + place)


@st.composite
def legs(draw: st.DrawFn) -> list[Found]:
    """Passages of a few items, each once, best first."""
    places = st.tuples(st.integers(1, 12), st.integers(0, 3))
    found = draw(st.lists(places, unique=True, max_size=30))
    scores = sorted(draw(st.lists(st.floats(-1, 1), min_size=len(found), max_size=len(found))), reverse=True)
    return [
        Found(passage(item, place), UUID(int=item), score) for (item, place), score in zip(found, scores, strict=True)
    ]


@given(legs(), legs())
def test_each_item_once_in_one_order_with_the_reason_of_its_rank(keyword: list[Found], vector: list[Found]) -> None:
    ranked = fused(keyword, vector)
    assert {one.item for one in ranked} == {one.item for one in (*keyword, *vector)}
    assert len({one.item for one in ranked}) == len(ranked)
    assert [(-one.fused, one.item) for one in ranked] == sorted((-one.fused, one.item) for one in ranked)
    for one in ranked:
        ranks = [rank for rank in (one.keyword_rank, one.vector_rank) if rank is not None]
        assert one.fused == pytest.approx(sum(1 / (60 + rank) for rank in ranks))
        assert (one.keyword_rank is None) == all(found.item != one.item for found in keyword)
        assert (one.vector_rank is None) == all(found.item != one.item for found in vector)
        leg = keyword if one.keyword_rank is not None else vector
        assert one.passage == next(found.passage for found in leg if found.item == one.item)
        near = [found.score for found in vector if found.item == one.item]
        assert one.similarity == (near[0] if near else None)


@given(legs())
def test_one_search_alone_keeps_its_order(leg: list[Found]) -> None:
    order = list(best_by_item(leg))
    assert [one.item for one in fused(leg, [])] == order
    assert [one.item for one in fused([], leg)] == order
    assert [one.item for one in fused(leg, leg)] == order


@given(legs(), legs(), st.integers(0, 12), st.integers(0, 12), st.data())
def test_however_deep_is_searched_the_order_begins_alike(
    keyword: list[Found], vector: list[Found], words: int, meanings: int, data: st.DataObject
) -> None:
    begun = in_order(keyword[:words], vector[:meanings], words, meanings)
    assert begun == fused(keyword[:words], vector[:meanings])
    depth = data.draw(st.integers(0, 30))
    deeper = in_order(keyword[: words + depth], vector[: meanings + depth], words, meanings)
    assert deeper[: len(begun)] == begun
    items = [one.item for one in deeper]
    assert len(items) == len(set(items))
    assert set(items) == {one.item for one in fused(keyword[: words + depth], vector[: meanings + depth])}


@given(legs(), legs(), st.data())
def test_who_moves_up_in_one_search_does_not_fall(
    keyword: list[Found], vector: list[Found], data: st.DataObject
) -> None:
    if not vector:
        return
    moved = data.draw(st.sampled_from(vector))
    place = [one.item for one in fused(keyword, vector)].index(moved.item)
    first = [moved, *(one for one in vector if one is not moved)]
    assert [one.item for one in fused(keyword, first)].index(moved.item) <= place


@given(st.lists(legs(), max_size=4))
def test_searches_of_several_ventures_are_ranked_by_score_as_if_they_were_one(searches: list[list[Found]]) -> None:
    found = together(searches)
    assert sorted(found) == sorted(one for search in searches for one in search)
    assert found == together(searches[::-1])
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)


def test_found_by_both_goes_before_found_by_one() -> None:
    one, other, both = (Found(UUID(int=number), UUID(int=number), 0) for number in (1, 2, 3))
    ranked = fused([one, both], [other, both])
    assert [each.item for each in ranked] == [both.item, one.item, other.item]
    assert (ranked[0].fused, ranked[1].fused) == (2 / (K + 2), 1 / (K + 1))
