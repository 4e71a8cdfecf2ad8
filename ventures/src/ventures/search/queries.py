"""What somebody typed into the search box, taken apart as PostgreSQL's websearch syntax reads it."""

import re
from typing import Final

import msgspec

_PIECES: Final = re.compile(r'(-?)"([^"]*)"?|(-?)([^\s"]+)')


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """text: as it was typed, for the search by words. meaning: what a vector is made of: without quotes, and without
    what is not wanted. In websearch syntax, "" for nothing: any, the words to mark; phrases, excluded, what passages
    that are near must also have, and must not.
    """

    text: str
    meaning: str
    any: str
    phrases: str
    excluded: str


def parsed(text: str) -> Query:
    """The parts of a query: `"phrases"`, -words and -"phrases" that are not wanted, and the rest."""
    wanted: list[str] = []
    phrases: list[str] = []
    excluded: list[str] = []
    for minus, phrase, dash, word in _PIECES.findall(text):
        piece = phrase or word
        if not has_words(piece):
            continue
        if minus or dash:
            excluded.append(piece)
        else:
            wanted.append(piece)
            if phrase:
                phrases.append(piece)
    return Query(
        text=text,
        meaning=" ".join(wanted),
        any=" or ".join(f'"{word}"' for piece in wanted for word in piece.split()),
        phrases=" ".join(f'"{phrase}"' for phrase in phrases),
        excluded=" or ".join(f'"{piece}"' for piece in excluded),
    )


def has_words(text: str) -> bool:
    """Whether there is a letter or a digit in it; without one there is nothing to look for."""
    return any(map(str.isalnum, text))
