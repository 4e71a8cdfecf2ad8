"""What a source's passages become by its changes, one after the other. Pure: vectors come along."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import numpy as np

from ventures.search.embedding import normalised
from ventures.search.records import PassageChange, SourceChange, SourceGone, StateChange
from ventures.search.splitting import embedded
from ventures.vectors.api import Kind, Vector

NEVER: Final = datetime.min.replace(tzinfo=UTC)


@dataclass
class Place:
    """A passage: its text, its vector, and the event that last changed vector or state of it.

    was, was_seq: what its vector was made of in the table, and the event there; None and 0 where it is not there.
    """

    text: str
    vector: Vector
    seq: int
    was: str | None = None
    was_seq: int = 0


@dataclass
class Held:
    """A source up to the event `seq`; without places it is not there. gone: places that were there, by the event that
    took them. was_seq: `seq` in the table.
    """

    kind: Kind
    source: UUID
    seq: int = 0
    title: str = ""
    number: int = 0
    state: str = ""
    updated_at: datetime = NEVER
    places: list[Place] = field(default_factory=list)
    gone: dict[int, int] = field(default_factory=dict)
    was_seq: int = 0

    def fold(
        self, change: SourceChange, texts: Sequence[str], vectors: Mapping[str, Vector], seq: int, at: datetime
    ) -> None:
        """Takes in one change; what was taken in before changes nothing. texts: the passages of the change's text.
        vectors: by what they are made of.
        """
        if seq <= self.seq:
            return
        if isinstance(change, PassageChange):
            self._rewrite(change, texts, vectors, seq)
        elif isinstance(change, SourceGone):
            self._shorten(0, seq)
        elif not self._turn(change, seq):
            return
        self.seq, self.updated_at = seq, at

    def vector(self) -> Vector | None:
        """What it is about as a whole: the mean of its passages, of length 1."""
        if not self.places:
            return None
        vectors = np.array([place.vector for place in self.places], np.float64)
        mean: Vector = normalised(vectors.sum(axis=0, keepdims=True))[0]
        return mean

    def _rewrite(self, change: PassageChange, texts: Sequence[str], vectors: Mapping[str, Vector], seq: int) -> None:
        for number, text in enumerate(texts):
            made_of = embedded(change.title, number, text)
            if number == len(self.places):
                self.places.append(Place(text, vectors[made_of], seq))
                self.gone.pop(number, None)
                continue
            place = self.places[number]
            if made_of != embedded(self.title, number, place.text):
                place.text, place.vector, place.seq = text, vectors[made_of], seq
            elif change.state != self.state:
                place.seq = seq
        self._shorten(len(texts), seq)
        self.title, self.number, self.state = change.title, change.number, change.state

    def _shorten(self, to: int, seq: int) -> None:
        self.gone.update(dict.fromkeys(range(to, len(self.places)), seq))
        del self.places[to:]

    def _turn(self, change: StateChange, seq: int) -> bool:
        """→ whether it is another state now."""
        if change.state == self.state or not self.places:
            return False
        if change.when and self.state not in change.when:
            return False
        if change.number is not None and change.number != self.number:
            return False
        self.state = change.state
        for place in self.places:
            place.seq = seq
        return True
