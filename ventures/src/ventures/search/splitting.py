"""A text into passages: as much of it as is read in one go, cut where paragraphs end, else sentences, else words."""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple
from uuid import UUID, uuid5

from ventures.vectors.api import Kind

MOST_CHARACTERS: Final = 700
"""Of a passage: a paragraph or two, about 150 words of English."""
MOST_PASSAGES: Final = 500
"""Of one text. The longest body an item can have, 200,000 bytes, takes about 300 of them."""

_BLANK_LINES: Final = re.compile(r"\n\s*\n")
_SENTENCE_ENDS: Final = re.compile(r"(?<=[.!?…。！？])[\"'”’»)\]]*\s+|\n|(?<=[。！？])")
_SPACES: Final = re.compile(r"\s+")


class Split(NamedTuple):
    """texts: the passages, none empty but the only one of a blank text. left_out: characters at the end of the text
    that are in none, since there were too many.
    """

    texts: list[str]
    left_out: int


def split(text: str) -> Split:
    """The passages of a text, in order, each of at most 700 characters; together all of it but the spaces between
    them.
    """
    texts: list[str] = []
    end = 0
    for start, stop in _joined(text):
        if len(texts) == MOST_PASSAGES:
            return Split(texts, len(text[end:].strip()))
        texts.append(text[start:stop])
        end = stop
    return Split(texts or [""], 0)


def passage_id(source: UUID, kind: Kind, place: int) -> UUID:
    """The id of the passage at this place of a source, counted from 0; always the same."""
    return uuid5(source, f"{kind}/{place}")


def embedded(title: str, place: int, text: str) -> str:
    """What a passage's vector is made of: the title goes with the first."""
    return f"{title}\n{text}" if place == 0 else text


def _joined(text: str) -> Iterator[tuple[int, int]]:
    """Neighbours become one passage as long as they fit into it."""
    held: tuple[int, int] | None = None
    for start, stop in _pieces(text, 0, len(text), (_BLANK_LINES, _SENTENCE_ENDS, _SPACES)):
        if held is not None and stop - held[0] <= MOST_CHARACTERS:
            held = (held[0], stop)
            continue
        if held is not None:
            yield held
        held = (start, stop)
    if held is not None:
        yield held


def _pieces(text: str, start: int, stop: int, ends: tuple[re.Pattern[str], ...]) -> Iterator[tuple[int, int]]:
    """What lies between the ends, without spaces around it; what is too long is cut at the next kind of ends, and where
    there is none after so many characters.
    """
    start, stop = _stripped(text, start, stop)
    if start == stop:
        return
    if stop - start <= MOST_CHARACTERS:
        yield start, stop
        return
    if not ends:
        for at in range(start, stop, MOST_CHARACTERS):
            yield at, min(at + MOST_CHARACTERS, stop)
        return
    at = start
    for found in ends[0].finditer(text, start, stop):
        yield from _pieces(text, at, found.end(), ends[1:])
        at = found.end()
    yield from _pieces(text, at, stop, ends[1:])


def _stripped(text: str, start: int, stop: int) -> tuple[int, int]:
    while start < stop and text[start].isspace():
        start += 1
    while stop > start and text[stop - 1].isspace():
        stop -= 1
    return start, stop
