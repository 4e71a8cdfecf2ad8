"""The patterns that all ventures share, and which an instruction asks for, with the model inside the package."""

import asyncio

from ventures.generation.patterns import PATTERNS, PatternId, nearest, shared_points
from ventures.search.embedding import WordLlamaEmbedder
from ventures.vectors.api import Kind, checked

LABELLED: tuple[tuple[str, PatternId | None], ...] = (
    ("Announce our new oolong, in shops from Monday", "launch-announcement"),
    ("We release version 2 of the app today, tell everybody", "launch-announcement"),
    ("Show how the hotel cut its costs by a third with our kettles, with numbers", "case-study"),
    ("Sum up this week's articles for our readers", "weekly-digest"),
    ("How do I brew gyokuro at home? Explain it step by step", "how-to-guide"),
    ("Write a tutorial on cold brew", "how-to-guide"),
    ("Assam or Darjeeling: which one should people buy?", "product-comparison"),
    ("Portrait of Maria who runs a cafe and loves our tea", "customer-story"),
    ("Invite people to our tasting on 12 May", "event-invitation"),
    ("Something for journalists about our award", "press-release"),
    ("A short post for Mastodon about sencha", "social-post"),
    ("Email to our subscribers for December with a subject line", "newsletter"),
    ("Collect the questions people ask about matcha, and answers", "answers-to-questions"),
    ("We are hiring a tea buyer", "job-advertisement"),
    ("Oolong", None),
    ("The mitochondrion is the powerhouse of the cell", None),
    ("xyzzy qwertz", None),
    ("Tell me about tea", None),
    ("Blue cheese and moonlight", None),
)


async def test_an_instruction_gets_its_pattern_or_none() -> None:
    embedder = WordLlamaEmbedder()
    points = await shared_points(embedder)
    vectors = await embedder.embed([said for said, _ in LABELLED])
    found = [nearest(points, vector) for vector in vectors]
    taken = [(one, label) for one, (_, label) in zip(found, LABELLED, strict=True) if one is not None]
    assert (len(taken), sum(one == label for one, label in taken)) == (12, 11)


async def test_the_shared_points_are_what_a_store_takes_and_the_same_each_time() -> None:
    embedder = WordLlamaEmbedder()
    first, again = await asyncio.gather(shared_points(embedder), shared_points(embedder))
    assert len({one.id for one in first}) == len(first) == len(PATTERNS) == 12
    for one, other in zip(first, again, strict=True):
        assert (one.id, one.kind, one.source) == (other.id, Kind.PATTERN, one.id)
        assert (checked(one.vector, embedder.dimension) == other.vector).all()


async def test_each_pattern_is_nearest_to_what_it_says_it_is_for() -> None:
    embedder = WordLlamaEmbedder()
    points = await shared_points(embedder)
    for one, point in zip(PATTERNS.values(), points, strict=True):
        assert nearest(points, point.vector) == one.id
