"""How good search is on a small labelled set: words alone, meaning alone, both. Kept in quality/golden.json.

To keep what it is now, after a change that was meant: `python -m pytest ventures/tests/search/test_quality.py` with
UPDATE_GOLDENS=1 in the environment.
"""

import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any, Final
from uuid import UUID

from ventures.content import api as content
from ventures.database.pool import Database
from ventures.log.api import Command
from ventures.search.api import Wanted, WordLlamaEmbedder
from ventures.search.ranking import Found, fused
from ventures.search.searching import search_legs, understood
from ventures.testing.notifications import staged
from ventures.testing.search_index import Library

FOLDER: Final = Path(__file__).parent / "quality"
TOP: Final = 10
SAME: Final = 0.002
"""How far a figure may be from the golden one: rounding of another processor."""
MARGIN: Final = 0.02
"""How much worse than the better of both the fused rank may be, over all queries."""


def ndcg(order: Sequence[UUID], grades: Mapping[UUID, int]) -> float:
    """At 10, with gains 2^grade − 1 (Burges et al., ICML 2005)."""
    best = sorted(grades.values(), reverse=True)
    ideal = sum((2**grade - 1) / math.log2(place + 2) for place, grade in enumerate(best[:TOP]))
    got = sum((2 ** grades.get(item, 0) - 1) / math.log2(place + 2) for place, item in enumerate(order[:TOP]))
    return got / ideal


def recall(order: Sequence[UUID], grades: Mapping[UUID, int]) -> float:
    """The share of what is relevant that is among the first ten."""
    return len(set(order[:TOP]) & grades.keys()) / min(TOP, len(grades))


async def measured(database: Database) -> dict[str, dict[str, dict[str, float]]]:
    """Kind of query → search → figure → mean."""
    labelled = json.loads((FOLDER / "labelled.json").read_text(encoding="utf-8"))
    stage = await staged(database)
    library = Library(database, stage.spine.registry, stage.watch, WordLlamaEmbedder())
    items: dict[str, list[UUID]] = {}
    for topic, passages in labelled["topics"].items():
        script: list[Command] = [content.DraftItem(title=title, body=body) for title, body in passages]
        items[topic] = [(await stage.do(stage.author, one)).entity for one in script]
    await library.fill(stage.venture)
    figures: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for query in labelled["queries"]:
        grades = {item: 2 if place in query["best"] else 1 for place, item in enumerate(items[query["topic"]])}
        async with database.reading(stage.venture) as scope:
            legs = await search_legs(scope, library.finder, await understood(library.finder, Wanted(query["query"])))
        none: list[Found] = []
        orders = {
            "keyword": fused(legs.keyword, none),
            "vector": fused(none, legs.vector),
            "fused": fused(legs.keyword, legs.vector),
        }
        for name, ranked in orders.items():
            order = [one.item for one in ranked]
            for kind in (query["kind"], "all"):
                figures.setdefault(kind, {}).setdefault(name, []).append((ndcg(order, grades), recall(order, grades)))
    return {
        kind: {
            name: {
                "ndcg@10": round(mean(pair[0] for pair in pairs), 4),
                "recall@10": round(mean(pair[1] for pair in pairs), 4),
            }
            for name, pairs in by_name.items()
        }
        for kind, by_name in figures.items()
    }


async def test_quality_is_what_it_was_and_both_together_are_as_good_as_the_better(database: Database) -> None:
    now = await measured(database)
    golden = FOLDER / "golden.json"
    if "UPDATE_GOLDENS" in os.environ:
        golden.write_text(json.dumps(now, indent=1) + "\n", encoding="utf-8")
    kept: dict[str, Any] = json.loads(golden.read_text(encoding="utf-8"))
    for kind, by_name in now.items():
        for name, figures in by_name.items():
            for figure, value in figures.items():
                assert abs(value - kept[kind][name][figure]) <= SAME, (kind, name, figure, value)
                better = max(by_name["keyword"][figure], by_name["vector"][figure])
                assert by_name["fused"][figure] >= better - MARGIN, (kind, figure)


def test_the_set_is_large_enough_and_asks_nothing_in_the_words_of_a_text() -> None:
    labelled = json.loads((FOLDER / "labelled.json").read_text(encoding="utf-8"))
    texts = [text for passages in labelled["topics"].values() for passage in passages for text in passage]
    assert len(texts) >= 2 * 150
    assert len(labelled["queries"]) >= 40
    assert not [query for query in labelled["queries"] for text in texts if query["query"].lower() == text.lower()]
