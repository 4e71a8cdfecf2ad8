"""What a draft is written from: the venture's notes, the item it is about, its nearest passages, a pattern."""

import logging
from collections.abc import Sequence
from typing import Final

from ventures.content import api as content
from ventures.database.pool import Database
from ventures.errors import NotFound
from ventures.generation.patterns import PatternId, nearest
from ventures.generation.ports import Passages
from ventures.generation.reading import known_notes, notes
from ventures.generation.records import MOST_NOTES, Asked, Material
from ventures.search.api import Embedder, Passage
from ventures.vectors.api import Kind, Point, Vector

MOST_NOTE_CHARACTERS: Final = 8_000
"""Of all notes together; where there is more, their passages that are nearest to the instruction."""
NOTE_PASSAGES: Final = 10
MOST_PASSAGE_CHARACTERS: Final = 2_000

log = logging.getLogger(__name__)


async def gathered(database: Database, passages: Passages, asked: Asked, pattern: PatternId | None) -> Material:
    """Raises: Unavailable."""
    item: tuple[str, str] | None = None
    async with database.reading(asked.venture) as scope:
        told = [(note.title, note.text) for note in await notes(scope, None, MOST_NOTES)] if asked.notes else []
        if asked.item is not None:
            try:
                found = await content.item_in_full(scope, asked.item)
                item = (found.title, found.body)
            except NotFound:  # deleted since it was asked for
                log.info("draft %s is written without its item, which is gone", asked.draft)
    about = asked.instruction if item is None else f"{asked.instruction}\n{item[0]}"
    if sum(len(title) + len(text) for title, text in told) > MOST_NOTE_CHARACTERS:
        told = await _nearest_notes(database, passages, asked, about)
    near: Sequence[Passage] = ()
    if asked.passages:
        near = await passages.near(asked.venture, about, asked.passages)
    return Material(
        instruction=asked.instruction,
        pattern=pattern,
        item=item,
        notes=told,
        passages=[_bounded(one) for one in (await _own_items(database, asked, near))[: asked.passages]],
    )


def pattern_of(asked: Asked, points: Sequence[Point], instruction: Vector) -> PatternId | None:
    """The one asked for, or the nearest."""
    return asked.format or nearest(points, instruction)


async def instruction_vector(embedder: Embedder, asked: Asked) -> Vector:
    """Raises: Unavailable, Invalid."""
    vector: Vector = (await embedder.embed([asked.instruction]))[0]
    return vector


async def _nearest_notes(database: Database, passages: Passages, asked: Asked, about: str) -> list[tuple[str, str]]:
    found = await passages.near(asked.venture, about, NOTE_PASSAGES, kind=Kind.CONTEXT)
    async with database.reading(asked.venture) as scope:
        known = await known_notes(scope, [one.item for one in found])
    told: list[tuple[str, str]] = []
    left = MOST_NOTE_CHARACTERS
    for one in found:
        if one.item in known and len(one.text) <= left:
            told.append((one.title, one.text))
            left -= len(one.text)
    return told


async def _own_items(database: Database, asked: Asked, found: Sequence[Passage]) -> list[Passage]:
    """Without those that are of no item of the venture: whatever a search finds, nothing foreign gets into a prompt."""
    async with database.reading(asked.venture) as scope:
        known = await content.titles(scope, [one.item for one in found])
    own = [one for one in found if one.item in known]
    if len(own) < len(found):
        log.error("search gave draft %s %d passages of no item of its venture", asked.draft, len(found) - len(own))
    return own


def _bounded(passage: Passage) -> Passage:
    if len(passage.text) <= MOST_PASSAGE_CHARACTERS:
        return passage
    return Passage(passage.id, passage.item, passage.title, passage.text[:MOST_PASSAGE_CHARACTERS], passage.number)
