"""Ids, time-ordered (UUID version 7), so that rows made together lie together."""

from collections.abc import Callable
from uuid import UUID

from uuid_utils.compat import uuid7

NewId = Callable[[], UUID]


def new_id() -> UUID:
    """A new id, greater than those made before it in this process."""
    return uuid7()
