"""What other rooms may use of vectors."""

from ventures.vectors.ports import VectorStore
from ventures.vectors.records import (
    ALL,
    LIMIT,
    MOST_AT_ONCE,
    SHARED,
    Held,
    Kind,
    Match,
    Only,
    Point,
    Vector,
    checked,
    digest,
)

__all__ = [
    "ALL",
    "LIMIT",
    "MOST_AT_ONCE",
    "SHARED",
    "Held",
    "Kind",
    "Match",
    "Only",
    "Point",
    "Vector",
    "VectorStore",
    "checked",
    "digest",
]
