"""What search asks of others: rooms with texts to be found, and the index."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from outgrow.routing import Route
from ventures.database.scope import Scope
from ventures.errors import Unavailable
from ventures.log.api import Event
from ventures.search.records import SourceChange
from ventures.vectors.api import ALL, Kind, Match, Only, Vector


class Source(Protocol):
    """Texts of one room. `handles`: the event types that may change what can be found."""

    handles: frozenset[str]

    async def changes(self, scope: Scope, event: Event) -> Sequence[SourceChange]:
        """What the event means, read from nothing but the event and the rows as they were then or later."""


class IndexUnavailable(Unavailable):
    """The index cannot answer for this venture now: it is not filled yet, being rebuilt, slow or down. The sentence
    says which; the exact answer from PostgreSQL is there all the same.
    """


@dataclass(frozen=True)
class Answer:
    """What the index found. position: the seq of the venture's log up to which it knows the venture."""

    matches: Sequence[Match]
    position: int


class Index(Protocol):
    """Searches a venture where its route says that it is."""

    async def search(
        self, route: Route, venture: UUID, kind: Kind, vector: Vector, *, limit: int, only: Only = ALL
    ) -> Answer:
        """The nearest points. Raises: IndexUnavailable within a fraction of a second, whatever happens to the index."""
