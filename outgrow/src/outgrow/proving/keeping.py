"""Rounds in the ledger's memory: durable when they end, and gone on from only by what measures the very same.

A few measurements under way have a place each, so that what was measured before a change is kept beside what is
measured after it, and never mixed: who goes back goes on from there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from outgrow.evidence.kept import (
    Begun,
    KeptRound,
    begun_bytes,
    begun_of,
    declared_otherwise,
    other_versions,
    phrase,
    round_bytes,
    round_of,
)
from outgrow.ports import Ledger
from outgrow.quantities import DAY, format_duration

GO_ON_SECONDS = DAY
"""Rounds that began longer ago are not gone on from: what they were measured on may have changed unseen."""

PLACES = 3
"""Measurements of one subject that are kept side by side."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A measurement that was begun, its place, and its complete rounds by number."""

    place: int
    begun: Begun
    rounds: tuple[KeptRound, ...]


@dataclass(frozen=True, slots=True)
class Rounds:
    """Where the rounds of a subject are: ``source`` names who keeps them; ``most`` is the largest number of a round."""

    ledger: Ledger
    source: str
    subject: str
    most: int

    def all(self) -> tuple[Kept, ...]:
        """All that have rounds, the newest first."""
        found = [
            Kept(place, begun, tuple(self._rounds(place, begun)))
            for place, begun in enumerate(begun_of(self.ledger.memory(self.source, self.subject)))
            if begun is not None
        ]
        return tuple(sorted((each for each in found if each.rounds), key=lambda each: -each.begun.at))

    def same(self, said: Mapping[str, str], at: float) -> tuple[Kept, ...]:
        """Those that are declared the same and young enough, the newest first."""
        return tuple(
            each
            for each in self.all()
            if not declared_otherwise(each.begun.said, said) and 0 <= at - each.begun.at <= GO_ON_SECONDS
        )

    def why_not(self, said: Mapping[str, str], versions: Mapping[str, str], at: float) -> str:
        """Why the newest rounds that are kept are not gone on from; "" where there are none."""
        newest = next(iter(self.all()), None)
        if newest is None:
            return ""
        changes = declared_otherwise(newest.begun.said, said) or other_versions(newest.begun.versions, versions)
        count = len(newest.rounds)
        kept = f"{count} kept {'round is' if count == 1 else 'rounds are'} not gone on from"
        young = 0 <= at - newest.begun.at <= GO_ON_SECONDS
        if changes and young:
            return f"{kept}, as other things would be mixed ({phrase(changes)}); it begins anew"
        if not changes and not young:
            return f"{kept}, as they began more than {format_duration(GO_ON_SECONDS)} ago; it begins anew"
        return ""

    def begin(self, begun: Begun, place: int | None = None) -> int:
        """Remember that it is under way; → its place: as given, else that of the same, else a free one, else that of
        the oldest.
        """
        places = self._places()
        if place is None:
            place = min(range(PLACES), key=lambda at: (not _are_same(places[at], begun), _since(places[at])))
        places[place] = begun
        self._put(places)
        return place

    def keep(self, place: int, begun: Begun, ran: KeptRound) -> None:
        """A complete round is durable when this returns."""
        self.ledger.put_memory(self.source, self._name(place, ran.number), round_bytes(begun, ran))

    def end(self, begun: Begun) -> None:
        """It is finished, and no longer gone on from."""
        self._put([None if _are_same(each, begun) else each for each in self._places()])

    def _places(self) -> list[Begun | None]:
        found = list(begun_of(self.ledger.memory(self.source, self.subject)))[:PLACES]
        return found + [None] * (PLACES - len(found))

    def _put(self, places: list[Begun | None]) -> None:
        self.ledger.put_memory(self.source, self.subject, begun_bytes(places))

    def _rounds(self, place: int, begun: Begun) -> Iterator[KeptRound]:
        for number in range(1, self.most + 1):
            found = round_of(self.ledger.memory(self.source, self._name(place, number)), begun)
            if found is not None:
                yield found

    def _name(self, place: int, number: int) -> str:
        return f"{self.subject} {place} {number}"


def _are_same(one: Begun | None, other: Begun) -> bool:
    return one is not None and one.key == other.key and not other_versions(one.versions, other.versions)


def _since(begun: Begun | None) -> float:
    return 0.0 if begun is None else begun.at
