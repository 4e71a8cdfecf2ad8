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
    by_words, by_meaning = best_by_item(keyword), best_by_item(vector)
    ranked = [_ranked(item, found, by_meaning.pop(item, None)) for item, found in by_words.items()]
    ranked += [_ranked(item, None, found) for item, found in by_meaning.items()]
    return sorted(ranked, key=lambda one: (-one.fused, one.item))


def best_by_item(found: Iterable[Found]) -> dict[UUID, tuple[int, Found]]:
    """Each item's first passage, with the item's rank among the items."""
    best: dict[UUID, tuple[int, Found]] = {}
    for one in found:
        best.setdefault(one.item, (len(best) + 1, one))
    return best


def together(searches: Sequence[Sequence[Found]]) -> list[Found]:
    """What several ventures' searches of one kind found as if it had been one: best score first, then by passage."""
    return sorted((one for search in searches for one in search), key=lambda one: (-one.score, one.passage))


def _ranked(item: UUID, by_words: tuple[int, Found] | None, by_meaning: tuple[int, Found] | None) -> Ranked:
    keyword_rank, keyword = by_words or (None, None)
    vector_rank, vector = by_meaning or (None, None)
    best = keyword or vector  # the passage that has all the words, where there is one, is the one to show
    assert best is not None
    return Ranked(
        item=item,
        passage=best.passage,
        keyword_rank=keyword_rank,
        vector_rank=vector_rank,
        similarity=None if vector is None else vector.score,
        fused=(0 if keyword_rank is None else 1 / (K + keyword_rank))
        + (0 if vector_rank is None else 1 / (K + vector_rank)),
    )
