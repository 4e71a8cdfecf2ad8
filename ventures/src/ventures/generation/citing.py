"""Marks in a text: those that stand for a passage stay, invented ones go. Pure."""

import re
from typing import Final

MARKS: Final = re.compile(r"[ \t]?\[(\d{1,3}(?:, ?\d{1,3}){0,9})\]")
"""[1], and [1, 2], with the space before."""
MAYBE: Final = re.compile(r"[ \t]?(?:\[[\d, ]{0,50})?\Z")
"""The end of a text of which the next piece may make a mark."""


class Citing:
    """A text that comes in pieces. given: how many passages there are; their marks are 1 … given.

    Together, what `fed` and `ended` return is the same however the text was cut into pieces.
    """

    def __init__(self, given: int) -> None:
        self._given = given
        self._held = ""
        self.unsupported = 0
        self.used: set[int] = set()

    def fed(self, piece: str) -> str:
        """What of the text is certain now."""
        text = self._held + piece
        maybe = MAYBE.search(text)
        certain = len(text) if maybe is None else maybe.start()
        self._held = text[certain:]
        return self._checked(text[:certain])

    def ended(self) -> str:
        """The rest."""
        rest, self._held = self._held, ""
        return self._checked(rest)

    def _checked(self, text: str) -> str:
        return MARKS.sub(self._known, text)

    def _known(self, found: re.Match[str]) -> str:
        marks = [int(mark) for mark in found[1].split(",")]
        known = [mark for mark in marks if 1 <= mark <= self._given]
        self.unsupported += len(marks) - len(known)
        self.used.update(known)
        space = found[0][: found[0].index("[")]
        return space + "".join(f"[{mark}]" for mark in known) if known else ""


def without_marks(text: str) -> str:
    """The text as people read it who do not look anything up."""
    return MARKS.sub("", text)
