"""What other rooms may use of search."""

from ventures.search.auditing import Result, Sampler, audited, loops
from ventures.search.embedding import Embedder
from ventures.search.ports import Answer, Index, IndexUnavailable, Source
from ventures.search.recommending import Reader, Readers, Recommendations, readers, recommend
from ventures.search.records import Hit, PassageChange, Reason, SourceChange, SourceGone, StateChange
from ventures.search.routes import By, Finder, Observed, Sample
from ventures.search.searching import (
    MOST_HITS,
    MOST_QUERY_CHARACTERS,
    Everywhere,
    Passage,
    Results,
    ResultsOfAll,
    Wanted,
    passages_near,
    search,
)

__all__ = [
    "MOST_HITS",
    "MOST_QUERY_CHARACTERS",
    "Answer",
    "By",
    "Embedder",
    "Everywhere",
    "Finder",
    "Hit",
    "Index",
    "IndexUnavailable",
    "Observed",
    "Passage",
    "PassageChange",
    "Reader",
    "Readers",
    "Reason",
    "Recommendations",
    "Result",
    "Results",
    "ResultsOfAll",
    "Sample",
    "Sampler",
    "Source",
    "SourceChange",
    "SourceGone",
    "StateChange",
    "Wanted",
    "audited",
    "loops",
    "passages_near",
    "readers",
    "recommend",
    "search",
]
