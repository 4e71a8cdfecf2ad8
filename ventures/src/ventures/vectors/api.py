"""What other rooms may use of vectors."""

from ventures.vectors.holding import Alone, settled
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
from ventures.vectors.remote import Remote
from ventures.vectors.serving import serving
from ventures.vectors.stores.checking import checked_ids, checked_limit, checked_points, checked_search
from ventures.vectors.stores.keys import BUCKETS, process_of
from ventures.vectors.stores.opening import WHOLE, opened
from ventures.vectors.wire import (
    Cannot,
    Found,
    Holding,
    Holds,
    HowFar,
    Reached,
    Refill,
    Search,
    StoreStatus,
    packed,
    unpacked,
)

__all__ = [
    "ALL",
    "BUCKETS",
    "LIMIT",
    "MOST_AT_ONCE",
    "SHARED",
    "WHOLE",
    "Alone",
    "Cannot",
    "Found",
    "Held",
    "Holding",
    "Holds",
    "HowFar",
    "Kept",
    "Kind",
    "Match",
    "Only",
    "Point",
    "Reached",
    "Refill",
    "Remote",
    "Search",
    "Size",
    "StoreStatus",
    "Vector",
    "VectorStore",
    "checked",
    "checked_ids",
    "checked_limit",
    "checked_points",
    "checked_search",
    "digest",
    "opened",
    "packed",
    "process_of",
    "serving",
    "settled",
    "unpacked",
]
