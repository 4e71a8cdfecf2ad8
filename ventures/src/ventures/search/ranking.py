"""Ranks of two searches made one: reciprocal rank fusion (Cormack et al., SIGIR 2009), one hit an item."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple
from uuid import UUID

K: Final = 60
"""The constant of the paper's experiments: the first rank counts 1/61, the hundredth 1/160."""


class Found(NamedTuple):
    """A passage that one search found. score: higher is better; of searches with the same measure it is comparable."""

    passage: UUID
    item: UUID
    score: float


class Ranked(NamedTuple):
    """An item in its place, with its best passage. Ranks count items from 1; None where that search did not find it.
    fused: the sum of 1 / (60 + rank). similarity: of its nearest passage.
    """

    item: UUID
    passage: UUID
    keyword_rank: int | None
    vector_rank: int | None
    similarity: float | None
    fused: float


def fused(keyword: Iterable[Found], vector: Iterable[Found]) -> list[Ranked]:
    """Items of both searches, each given best first; equals are ordered by the item's id."""
    by_words, by_meaning = _firsts(keyword), _firsts(vector)
    vector_ranks = {item: rank for rank, item in enumerate(by_meaning, 1)}
    ranked: list[Ranked] = []
    for keyword_rank, (item, found) in enumerate(by_words.items(), 1):
        score = 1 / (K + keyword_rank)
        vector_rank = vector_ranks.pop(item, None)
        if vector_rank is None:
            ranked.append(Ranked(found.item, found.passage, keyword_rank, None, None, score))
        else:  # the passage that has all the words is the one to show
            similarity, score = by_meaning[item].score, score + 1 / (K + vector_rank)
            ranked.append(Ranked(found.item, found.passage, keyword_rank, vector_rank, similarity, score))
    for item, vector_rank in vector_ranks.items():
        found = by_meaning[item]
        ranked.append(Ranked(found.item, found.passage, None, vector_rank, found.score, 1 / (K + vector_rank)))
    ranked.sort(key=lambda one: (-one.fused, one.item.int))
    return ranked


def in_order(keyword: Sequence[Found], vector: Sequence[Found], words: int, meanings: int) -> list[Ranked]:
    """The items of the first `words` and `meanings` passages of both, then all others: however deep is searched behind
    those, the order begins alike.
    """
    begun = fused(keyword[:words], vector[:meanings])
    if len(keyword) <= words and len(vector) <= meanings:
        return begun
    known = {one.item.int for one in begun}
    return begun + [one for one in fused(keyword, vector) if one.item.int not in known]


def best_by_item(found: Iterable[Found]) -> dict[UUID, tuple[int, Found]]:
    """Each item's first passage, with the item's rank among the items."""
    best: dict[UUID, tuple[int, Found]] = {}
    for one in found:
        best.setdefault(one.item, (len(best) + 1, one))
    return best


def together(searches: Sequence[Sequence[Found]]) -> list[Found]:
    """What several ventures' searches of one kind found as if it had been one: best score first, then by passage."""
    return sorted((one for search in searches for one in search), key=lambda one: (-one.score, one.passage))


def _firsts(found: Iterable[Found]) -> dict[int, Found]:
    """Each item's first passage, by the number that the item's id is: several times as quick to look up as the id."""
    firsts: dict[int, Found] = {}
    for one in found:
        firsts.setdefault(one.item.int, one)
    return firsts
