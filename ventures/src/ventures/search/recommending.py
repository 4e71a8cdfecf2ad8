"""What fits a person, and whom a piece of content fits: neighbours of what members worked on."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import msgspec

from ventures.content import api as content
from ventures.database.scope import Scope
from ventures.search import sql
from ventures.search.embedding import normalised, read
from ventures.search.ranking import Found, best_by_item
from ventures.search.records import Hit
from ventures.search.routes import By, Finder, Nearest, Sample, Standing, nearest, standing
from ventures.search.searching import MARKS, Piece, as_hit, items_of
from ventures.tenancy import api as tenancy
from ventures.vectors.api import Kind, Only

DEPTHS: Final = (100, 1_000)
"""Passages looked at: the second where most of the first are the person's own."""
MOST_NEAR: Final = 200
"""Preferences looked at: more than are shown, for those of members who left meanwhile."""
MEMBERS_AT_ONCE: Final = 500
WRITTEN: Final = (content.ItemDrafted.type, content.ItemEdited.type)
NO_PREFERENCE: Final = (
    "We do not know yet what you care about, so these are the latest. It is learnt from your work here."
)
NOTHING_NEW: Final = "There is nothing here that others wrote or worked on last."
NOT_READ_YET: Final = "Search has not read this item yet. Ask again in a moment."


class Recommendations(msgspec.Struct, frozen=True, kw_only=True):
    """Items for one person, the fittest first. because: why they are not by preference, or not by the index."""

    items: list[Hit]
    answered_by: By
    because: str | None
    as_of: int
    head: int


class Reader(msgspec.Struct, frozen=True, kw_only=True):
    """A member who may care. similarity: of what they worked on to the item, −1 to 1. approves: may approve it."""

    account: UUID
    display_name: str
    role: tenancy.Role
    similarity: float
    approves: bool


class Readers(msgspec.Struct, frozen=True, kw_only=True):
    """Members by how near the item is to what they worked on, its author left out."""

    items: list[Reader]
    answered_by: By
    because: str | None
    as_of: int
    head: int


async def recommend(
    scope: Scope, finder: Finder, account: UUID, *, limit: int, states: Sequence[str] = ()
) -> tuple[Recommendations, list[Sample]]:
    """Items near to what the person worked on, none that they wrote or touched last; and what of it may be audited.

    Raises: NotFound.
    """
    stands = await standing(scope, finder)
    row = await scope.one(sql.PREFERENCE, model=stands.model, account=account)
    if row is None:
        return await _latest(scope, stands, account, limit, states), []
    vector, only = read(row[0]), Only(tuple(states))
    near, fresh = Nearest([], "exact", None, stands.position), list[UUID]()
    for depth in DEPTHS:
        near = await nearest(scope, finder, stands, Kind.CONTENT, vector, limit=depth, only=only)
        items = await items_of(scope, stands.model, Kind.CONTENT, only, [match.id for match in near.matches])
        found = best_by_item(Found(match.id, items[match.id], 0) for match in near.matches if match.id in items)
        fresh = await _untouched(scope, account, list(found))
        if len(fresh) >= limit or len(near.matches) < depth:
            break
    hits = await _shown(scope, stands, fresh[:limit])
    answer = Recommendations(
        items=hits,
        answered_by=near.answered_by,
        because=near.because if hits else NOTHING_NEW,
        as_of=near.position,
        head=stands.head,
    )
    return answer, [Sample(scope.venture, stands, Kind.CONTENT, vector, only, near)]


async def readers(scope: Scope, finder: Finder, item: UUID, *, limit: int) -> tuple[Readers, list[Sample]]:
    """Who should look at the item: members whose work is near to it; and what of it may be audited.

    Raises: NotFound.
    """
    stands = await standing(scope, finder)
    author = (await content.item(scope, item)).author
    row = await scope.one(sql.MEANING_OF_ITEM, model=stands.model, item=item)
    if row is None or row[0] is None:
        return Readers(items=[], answered_by="exact", because=NOT_READ_YET, as_of=stands.position, head=stands.head), []
    vector, only = normalised(read(row[0])[None, :])[0], Only(but=(author,))
    near = await nearest(scope, finder, stands, Kind.PREFERENCE, vector, limit=MOST_NEAR, only=only)
    rows = await scope.all(sql.PREFERENCES_OF, model=stands.model, ids=[match.id for match in near.matches])
    members = {one.account: one for one in await _members(scope)}
    known = {id: members[account] for id, account in rows if account in members and account != author}
    found = [_reader(known[match.id], match.score) for match in near.matches if match.id in known]
    answer = Readers(
        items=found[:limit],
        answered_by=near.answered_by,
        because=near.because,
        as_of=near.position,
        head=stands.head,
    )
    return answer, [Sample(scope.venture, stands, Kind.PREFERENCE, vector, only, near)]


def _reader(member: tenancy.Member, similarity: float) -> Reader:
    return Reader(
        account=member.account,
        display_name=member.display_name,
        role=member.role,
        similarity=similarity,
        approves=tenancy.may(member.role, "content", "approve"),
    )


async def _members(scope: Scope) -> list[tenancy.Member]:
    found = page = await tenancy.members(scope, None, MEMBERS_AT_ONCE)
    while len(page) == MEMBERS_AT_ONCE:
        page = await tenancy.members(scope, page[-1].account, MEMBERS_AT_ONCE)
        found += page
    return found


async def _latest(scope: Scope, stands: Standing, account: UUID, limit: int, states: Sequence[str]) -> Recommendations:
    wanted = [one.id for one in await content.items(scope, limit=DEPTHS[0]) if not states or one.state in states]
    hits = await _shown(scope, stands, (await _untouched(scope, account, wanted))[:limit])
    return Recommendations(
        items=hits,
        answered_by="exact",
        because=NO_PREFERENCE if hits else NOTHING_NEW,
        as_of=stands.position,
        head=stands.head,
    )


async def _untouched(scope: Scope, account: UUID, items: list[UUID]) -> list[UUID]:
    rows = await scope.all(sql.TOUCHED, account=account, items=items, written=list(WRITTEN)) if items else []
    touched = {item for (item,) in rows}
    return [item for item in items if item not in touched]


async def _shown(scope: Scope, stands: Standing, items: list[UUID]) -> list[Hit]:
    """Each with how it begins."""
    rows = await scope.all(sql.FIRST_PASSAGES, Piece, model=stands.model, items=items, marks=MARKS) if items else []
    pieces = {piece.item: piece for piece in rows}
    return [as_hit(scope.venture, pieces[item]) for item in items if item in pieces]
