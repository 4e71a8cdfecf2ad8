"""What other rooms may use of vectors."""

from ventures.vectors.ports import Kept, VectorStore
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
    Size,
    Vector,
    checked,
    digest,
)
from ventures.vectors.stores.checking import checked_ids, checked_limit, checked_points, checked_search
from ventures.vectors.stores.keys import BUCKETS, process_of
from ventures.vectors.stores.opening import WHOLE, opened

__all__ = [
    "ALL",
    "BUCKETS",
    "LIMIT",
    "MOST_AT_ONCE",
    "SHARED",
    "WHOLE",
    "Held",
    "Kept",
    "Kind",
    "Match",
    "Only",
    "Point",
    "Size",
    "Vector",
    "VectorStore",
    "checked",
    "checked_ids",
    "checked_limit",
    "checked_points",
    "checked_search",
    "digest",
    "opened",
    "process_of",
]
