"""The typed Python client of the API: one method an operation, records as they come and go.

    with Client("http://127.0.0.1:8400", key="vk_…") as ventures:
        for item in ventures.content.list_items(venture):
            print(item.title)

In: what a program wants of a running platform. Out: requests over HTTP, repeated where that is safe, and records or
typed problems. Knows nothing of the platform but its OpenAPI document, from which `records` and `operations` are made.
"""

from ventures.client.client import Client
from ventures.client.paging import Page, Pages
from ventures.client.problems import (
    ClientError,
    Conflict,
    Forbidden,
    Invalid,
    LimitReached,
    NotFound,
    NotReached,
    NotSignedIn,
    Problem,
    Stale,
    TooMany,
    Unavailable,
    Unreadable,
    VersionRequired,
)

__all__ = [
    "Client",
    "ClientError",
    "Conflict",
    "Forbidden",
    "Invalid",
    "LimitReached",
    "NotFound",
    "NotReached",
    "NotSignedIn",
    "Page",
    "Pages",
    "Problem",
    "Stale",
    "TooMany",
    "Unavailable",
    "Unreadable",
    "VersionRequired",
]
