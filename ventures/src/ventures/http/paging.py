"""Cursor pages. A cursor is opaque: it names the last row's sort key, so that pages neither repeat nor skip when
rows are added.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from litestar.params import QueryParameter

from ventures.errors import Invalid

T = TypeVar("T")
K = TypeVar("K")

Cursor = Annotated[
    str | None, QueryParameter(max_length=500, description="`next` of the page before; absent for the first.")
]
Limit = Annotated[int, QueryParameter(ge=1, le=200, description="Most items of the page.")]


class Page(msgspec.Struct, Generic[T], frozen=True):
    """`next` is the cursor of the page after this one; null when this is the last."""

    items: list[T]
    next: str | None


def page(rows: Sequence[T], limit: int, key: Callable[[T], tuple[Any, ...]]) -> Page[T]:
    """The first `limit` of rows read with `LIMIT limit + 1`."""
    shown = list(rows[:limit])
    more = len(rows) > limit
    return Page(shown, urlsafe_b64encode(msgspec.json.encode(key(shown[-1]))).rstrip(b"=").decode() if more else None)


def position(cursor: str | None, kind: type[K]) -> K | None:
    """The sort key that a cursor names, e.g. `position(cursor, tuple[datetime, UUID])`. Raises: Invalid."""
    if cursor is None:
        return None
    try:
        return msgspec.json.decode(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)), type=kind)
    except (NotBase64, ValueError, msgspec.MsgspecError):
        raise Invalid(
            "This cursor is none of ours: use `next` of a page, unchanged.", fields={"cursor": "unknown"}
        ) from None
