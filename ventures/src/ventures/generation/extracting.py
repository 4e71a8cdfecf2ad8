"""A draft without a language model: the venture's own sentences, chosen and put in order. Pure."""

import re
from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np

from ventures.generation.patterns import PATTERNS, PatternId
from ventures.search.api import Passage
from ventures.vectors.api import Vector

RELEVANCE: Final = 0.5
"""Weight of nearness to the instruction against newness among the chosen (λ of maximal marginal relevance, Carbonell
and Goldstein, SIGIR 1998).
"""
END: Final = re.compile(r"(?<=[.!?…])[\"'”’)\]]*\s+(?=\S)|\n+")
SHORTEST, LONGEST = 20, 400
"""Characters of a sentence that is worth quoting by itself."""
PLAIN_SENTENCES: Final = 6
"""Of a draft by no pattern."""
MARK: Final = re.compile(r"\[(\d[\d, ]*)\]")


class Sentence(msgspec.Struct, frozen=True):
    """A sentence of the passage that `mark` stands for; place: its number among those of the passage."""

    mark: int
    place: int
    text: str


def sentences(passages: Sequence[Passage]) -> list[Sentence]:
    """Those worth quoting, each once, in the order of passages."""
    found: list[Sentence] = []
    seen: set[str] = set()
    for mark, passage in enumerate(passages, start=1):
        for place, part in enumerate(END.split(passage.text)):
            text = " ".join(part.split()).lstrip("#-*•> ")
            if SHORTEST <= len(text) <= LONGEST and text.casefold() not in seen:
                seen.add(text.casefold())
                found.append(Sentence(mark, place, text))
    return found


def chosen(instruction: Vector, vectors: Vector, most: int) -> list[int]:
    """Indices of at most so many rows, best first: near the instruction, and unlike those chosen before.

    instruction: shape (dimension,); vectors: shape (sentences, dimension); all of length 1.
    """
    nearness = vectors @ instruction
    likeness = np.zeros(len(vectors), dtype=np.float32)
    left = np.ones(len(vectors), dtype=bool)
    found: list[int] = []
    while left.any() and len(found) < most:
        worth = np.where(left, RELEVANCE * nearness - (1 - RELEVANCE) * likeness, -np.inf)
        best = int(np.argmax(worth))
        found.append(best)
        left[best] = False
        likeness = np.maximum(likeness, vectors @ vectors[best])
    return found


def put_together(found: Sequence[Sentence], pattern: PatternId | None) -> str:
    """The text, each sentence with its mark, in the order of the passages and of the sentences in them."""
    ordered = sorted(found, key=lambda one: (one.mark, one.place))
    if pattern is not None and PATTERNS[pattern].points:
        return "\n".join(f"- {_quoted(one)}" for one in ordered)
    paragraphs: dict[int, list[str]] = {}
    for one in ordered:
        paragraphs.setdefault(one.mark, []).append(_quoted(one))
    return "\n\n".join(" ".join(lines) for lines in paragraphs.values())


def length_of(pattern: PatternId | None) -> int:
    """How many sentences the text has at most."""
    return PLAIN_SENTENCES if pattern is None else PATTERNS[pattern].sentences


def _quoted(one: Sentence) -> str:
    """With its mark; what looks like a mark in the sentence itself is none."""
    plain = MARK.sub(r"(\1)", one.text)
    return f"{plain} [{one.mark}]"
