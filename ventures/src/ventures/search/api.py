"""What other rooms may use of search."""

from collections.abc import Sequence

from ventures.log.api import Consumer
from ventures.search.auditing import Result, Sampler, audited, loops
from ventures.search.comparing import How, Reach, differing, reach, refill, sizes, vectors_of
from ventures.search.embedding import Embedder, EndpointEmbedder, WordLlamaEmbedder
from ventures.search.embedding import opened as opened_embedder
from ventures.search.exact import PassageText, PgvectorStore, exact_search, texts
from ventures.search.filling import Filling
from ventures.search.index import RoutedIndex
from ventures.search.mirroring import MirroredSearches
from ventures.search.passages import Passages
from ventures.search.ports import Answer, Index, IndexUnavailable, Source
from ventures.search.preferences import preference_id
from ventures.search.recommending import Reader, Readers, Recommendations, readers, recommend
from ventures.search.records import AnsweredBy, Hit, PassageChange, Reason, SourceChange, SourceGone, StateChange
from ventures.search.routes import By, Finder, Observed, Sample
from ventures.search.searching import (
    MOST_HITS,
    MOST_QUERY_CHARACTERS,
    Asked,
    Everywhere,
    Passage,
    Results,
    ResultsOfAll,
    Told,
    Wanted,
    depth_for,
    passages_near,
    search,
    told,
    understood,
)
from ventures.search.sources import ContentSource
from ventures.search.splitting import passage_id


def consumers(embedder: Embedder, sources: Sequence[Source] = (ContentSource(),)) -> list[Consumer]:
    """Passages of these sources, for this embedder's model."""
    return [Passages(embedder, sources)]


__all__ = [
    "MOST_HITS",
    "MOST_QUERY_CHARACTERS",
    "Answer",
    "AnsweredBy",
    "Asked",
    "By",
    "ContentSource",
    "Embedder",
    "EndpointEmbedder",
    "Everywhere",
    "Filling",
    "Finder",
    "Hit",
    "How",
    "Index",
    "IndexUnavailable",
    "MirroredSearches",
    "Observed",
    "Passage",
    "PassageChange",
    "PassageText",
    "PgvectorStore",
    "Reach",
    "Reader",
    "Readers",
    "Reason",
    "Recommendations",
    "Result",
    "Results",
    "ResultsOfAll",
    "RoutedIndex",
    "Sample",
    "Sampler",
    "Source",
    "SourceChange",
    "SourceGone",
    "StateChange",
    "Told",
    "Wanted",
    "WordLlamaEmbedder",
    "audited",
    "consumers",
    "depth_for",
    "differing",
    "exact_search",
    "loops",
    "opened_embedder",
    "passage_id",
    "passages_near",
    "preference_id",
    "reach",
    "readers",
    "recommend",
    "refill",
    "search",
    "sizes",
    "texts",
    "told",
    "understood",
    "vectors_of",
]
