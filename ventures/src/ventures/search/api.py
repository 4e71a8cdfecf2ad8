"""What other rooms may use of search."""

from ventures.search.embedding import Embedder
from ventures.search.ports import Answer, Index, IndexUnavailable, Source
from ventures.search.records import Hit, PassageChange, Reason, SourceChange, SourceGone, StateChange

__all__ = [
    "Answer",
    "Embedder",
    "Hit",
    "Index",
    "IndexUnavailable",
    "PassageChange",
    "Reason",
    "Source",
    "SourceChange",
    "SourceGone",
    "StateChange",
]
