"""What search gives and takes."""

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from ventures.vectors.api import Kind

AnsweredBy = Literal["index", "exact"]


class PassageChange(msgspec.Struct, frozen=True, kw_only=True):
    """The whole text of a source as it is now. number: of the version. state: the item's, "" for other kinds."""

    kind: Kind
    source: UUID
    title: str
    text: str
    number: int
    state: str


class SourceGone(msgspec.Struct, frozen=True, kw_only=True):
    """The source can be found no more."""

    kind: Kind
    source: UUID


class StateChange(msgspec.Struct, frozen=True, kw_only=True):
    """Texts stay, the state is another. when: only where it is one of these now; empty means any. number: only where
    this is the newest version; None means any.
    """

    kind: Kind
    source: UUID
    state: str
    when: tuple[str, ...] = ()
    number: int | None = None


SourceChange = PassageChange | SourceGone | StateChange


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """Why a hit has its rank, on request. Ranks count from 1; None where that search did not find it.

    fused: the sum of 1 / (60 + rank) over both searches (reciprocal rank fusion, Cormack et al., SIGIR 2009).
    """

    keyword_rank: int | None
    vector_rank: int | None
    similarity: float | None
    words: tuple[str, ...]
    fused: float


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """A passage that was found. snippet: of its text, with what was asked for between « and »."""

    venture: UUID
    passage: UUID
    item: UUID
    title: str
    state: str
    number: int
    snippet: str
    updated_at: datetime
    reason: Reason | None = None
